/*
 * What the files of the scheduler share: which jobs are worked on and when
 * (scheduler.c), under which leases (scheduler_lease.c), and what one look at
 * a job does (scheduler_look.c).
 */
#ifndef SUPERVISOR_SCHEDULER_PRIVATE_H
#define SUPERVISOR_SCHEDULER_PRIVATE_H

#include "supervisor/job.h"
#include "supervisor/plan.h"
#include "supervisor/scheduler.h"

/* Answers that come together are planned with together. */
#define SOON_MS 1
/* When to look again at a job that nothing waits for: a net, no clock. */
#define LOOK_AGAIN_MS 10000
/* After an error, and while something is due soon. */
#define LOOK_SOON_MS 1000

struct scheduler {
	struct supervisor *super;
	struct job *jobs;
	struct plan plan;
	struct loop_timer *renew;
	struct loop_timer *more;
	struct loop_timer *soon;
};

/* --- scheduler.c --- */

/* NULL when it is not worked on here. */
struct job *scheduler_find(struct scheduler *, const char *job_id);
/* Off the list, and freed. */
void scheduler_drop(struct scheduler *, struct job *);

/* --- scheduler_lease.c --- */

/* For how long leases are taken, ms. */
int64_t scheduler_lease_ms(const struct scheduler *);
/* For whoever claims it next, in delay_ms at the latest. */
void scheduler_give_back(struct scheduler *, struct job *, int64_t delay_ms);
/*
 * Nothing is under way.  Whoever runs is woken by the ends of its tasks: its
 * lease stays for a while, which saves a claim and a release for each.  A
 * further supervisor of the home keeps none, as it is not told of wakes.
 */
void scheduler_rest(struct scheduler *, struct job *);
/* Leases that were kept, of jobs that nothing woke. */
void scheduler_give_back_kept(struct scheduler *);
/*
 * Its lease is over: what is to be done now is for whoever claims it next.
 * The job may be freed.
 */
void scheduler_let_go(struct scheduler *, struct job *);
/* All at once; held is how many are known here. */
void scheduler_renew(struct scheduler *, int64_t held);

/* --- scheduler_look.c --- */

/* A look at a job under its lease (else nothing).  The job may be freed. */
void scheduler_look_at(struct scheduler *, struct job *);

#endif
