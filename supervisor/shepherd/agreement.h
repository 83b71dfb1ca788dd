/*
 * Before anything of a task starts: is it what all members signed?
 */
#ifndef SUPERVISOR_SHEPHERD_AGREEMENT_H
#define SUPERVISOR_SHEPHERD_AGREEMENT_H

struct shepherd;

/*
 * Hold the task's rows against the contract and its signatures; the subject
 * is complete.  Errors: ERR_DENIED with what differs, ERR_DB, ERR_IO.
 */
int agreement_check(struct shepherd *);

#endif
