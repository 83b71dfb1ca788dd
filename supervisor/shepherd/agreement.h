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

/*
 * Does it hold still?  Asked with each sign of life: a task that outlasts the
 * time that was agreed ends.  Errors: ERR_DENIED with the time.
 */
int agreement_holds(const struct shepherd *);

#endif
