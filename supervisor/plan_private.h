/*
 * The parts of the planning core among themselves: plan.c looks at the
 * components and decides which part of a job's life it is in; plan_begin.c
 * (until all have started), plan_run.c (tasks) and plan_end.c add what is
 * missing there; plan_view.c knows what a component amounts to, plan_add.c
 * adds actions, plan_fold.c makes fewer of them; plan_wait.c says why tasks
 * wait.
 */
#ifndef SUPERVISOR_PLAN_PRIVATE_H
#define SUPERVISOR_PLAN_PRIVATE_H

#include "supervisor/plan.h"

/* A partner that does not answer is looked at again after this long. */
#define PLAN_AWAY_AGAIN_MS 1000

/* What a component's rows amount to. */
struct plan_view {
	enum state verdict; /* in effect once this plan is done */
	bool created;	    /* all members have this version */
	bool tidy;	    /* all ended and told the verdict */
	bool retry;	    /* ended badly, another try is due */
	int64_t retry_ms;   /* until then */
	bool stored;	    /* the verdict is, once this plan is done */
};

struct plan_maker {
	struct plan *plan;
	const struct plan_job *job;
	struct plan_view *views; /* one a component */
	bool runs;		 /* the job does, once this plan is done */
	bool ends;		 /* it does not go on */
	bool succeeds;		 /* it is a success then */
	bool interrupted;	 /* nothing new starts after a bad end */
	int running;		 /* tasks */
};

/* --- plan_add.c: actions are the plan's, words are kept in its arena --- */

struct plan_action *plan_add(struct plan_maker *, enum plan_verb);
void plan_set_job(struct plan_maker *, enum state, const char *reason);
/* The next look is in delay_ms. */
void plan_wait(struct plan_maker *, int64_t delay_ms, const char *reason);
/*
 * The job waits for this, and for member m's part in it (NULL: for nobody's
 * in particular).  An earlier reason of the same plan stays, and a job that
 * runs has none; what is set in the result is lost then.
 */
struct wait *plan_wait_is(struct plan_maker *, enum wait_code,
    const struct plan_member *m, const char *words);
/* A command to a member, unless one is under way or its site is away. */
void plan_to_member(struct plan_maker *, enum plan_verb, size_t member,
    enum state, const char *reason);
/* The same about its task of component c; the state is the verdict. */
void plan_to_task(struct plan_maker *, enum plan_verb, size_t c,
    const struct plan_row *, const char *reason);
const char *plan_say(struct plan_maker *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
bool plan_has_text(const char *);
/* The member's own words, or others when it has none. */
const char *plan_words(const struct plan_member *, const char *otherwise);

/* --- plan_view.c --- */

/* Fill k->views[c]. */
void plan_look_at(struct plan_maker *k, size_t c);
/* A version after the first is made by task create; others by job create. */
bool plan_needs_create(const struct plan_maker *, const struct plan_component *,
    const struct plan_row *);
/* All that component c takes its inputs from ended well. */
bool plan_upstream_succeeded(const struct plan_maker *, size_t c);
/* Why component c ended as its verdict says; NULL when all is well. */
const char *plan_cause(struct plan_maker *, size_t c);
/*
 * Store the verdict of component c and tell its members how it ended.
 * Whoever still runs after a bad end is stopped; the stop tells the verdict.
 */
void plan_spread(struct plan_maker *, size_t c);

/* --- the parts of a job's life --- */

/* Must the job end now, whatever its tasks say?  Adds the end when so. */
bool plan_ends_early(struct plan_maker *);
/* The job ended: bring its end to every member, then settle. */
void plan_end(struct plan_maker *);
/*
 * The job is made a success by this plan, and with it its own members (rows.c):
 * tell the others.
 */
void plan_succeed(struct plan_maker *);
/* create, apply, start: true when every member has started the job. */
bool plan_begin(struct plan_maker *);
/* New versions go to the members that lack them; true when none does. */
bool plan_task_create(struct plan_maker *);
void plan_wait_for_away(
    struct plan_maker *, const struct plan_member *, const char *what);
void plan_run(struct plan_maker *);

/* --- plan_fold.c --- */

/*
 * Once all else is planned: what members are told of tasks that succeeded goes
 * with another command to them, where there is one.
 */
void plan_fold(struct plan_maker *);

/* --- plan_wait.c --- */

/* Once all else is planned: why each task waits. */
void plan_tasks_wait(struct plan_maker *);

#endif
