/*
 * The scheduler: takes the jobs this site initiated that are due, plans what
 * each lacks and carries it out.  Any number of supervisors may do so over
 * one database: a job is worked on under a lease with a fence.
 */
#ifndef SUPERVISOR_SCHEDULER_H
#define SUPERVISOR_SCHEDULER_H

#include "supervisor/supervisor.h"

struct scheduler;

/*
 * Starts at once with what is due.  Leases of a dead predecessor are taken
 * over.  Errors: ERR_DB.
 */
int scheduler_new(struct supervisor *, struct scheduler **out);
/* Leases are given back; what is under way is forgotten.  NULL is fine. */
void scheduler_free(struct scheduler *);

/* Jobs are due: claim them and look at each. */
void scheduler_look(struct scheduler *);
/* This job changed; if it is being worked on here, look at it. */
void scheduler_wake(struct scheduler *, const char *job_id);
/* Jobs that are worked on here and that somebody woke who could not tell. */
void scheduler_look_at_woken(struct scheduler *);
/* Is it being worked on here, under a lease? */
bool scheduler_has(struct scheduler *, const char *job_id);
/* So, and all its members hold what it asked for, or it has started. */
bool scheduler_has_room_for(struct scheduler *, const char *job_id);

#endif
