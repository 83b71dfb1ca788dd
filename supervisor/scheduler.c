/*
 * From due jobs to done plans.  Owned by main.c; woken by changes (changes.c)
 * and by answers of partners (command.c).
 */
#include "supervisor/scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_recover.h"
#include "lib/db/db_tx.h"
#include "lib/party/party.h"
#include "supervisor/command.h"
#include "supervisor/job.h"
#include "supervisor/joblog.h"
#include "supervisor/kill.h"
#include "supervisor/launch.h"
#include "supervisor/plan.h"
#include "supervisor/queue.h"

/* Jobs claimed in one transaction. */
#define CLAIM_BATCH 32
/* Changes of own rows and fresh looks in a row; more wait for the next turn
 * of the loop, so that one job cannot keep the others out. */
#define ROUNDS_MAX 20
/* After requests to partners: the loop sends them, then own members' turn. */
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

/* How carrying out a plan went. */
struct outcome {
	bool changed; /* rows here changed: plan again */
	bool asked;   /* requests to partners are about to leave */
	bool later;   /* own members are served once they have */
	bool settled;
	int64_t delay_ms; /* until the next look; -1: nothing said */
};

static void look(struct scheduler *, struct job *);
static void give_back(struct scheduler *, struct job *, int64_t delay_ms);

/* --- the list of jobs --------------------------------------------------- */

static struct job *
find(struct scheduler *s, const char *job_id)
{
	for (struct job *j = s->jobs; j != NULL; j = j->next)
		if (strcmp(j->job_id, job_id) == 0)
			return j;
	return NULL;
}

static struct job *
take_up(struct scheduler *s, const struct db_job_claim *claim)
{
	struct job *j = find(s, claim->job_id);

	if (j == NULL) {
		j = job_new(claim->job_id);
		j->next = s->jobs;
		s->jobs = j;
	}
	job_forget(j);
	j->fence = claim->fence;
	return j;
}

static void
drop(struct scheduler *s, struct job *j)
{
	for (struct job **at = &s->jobs; *at != NULL; at = &(*at)->next)
		if (*at == j) {
			*at = j->next;
			break;
		}
	job_free(j);
}

/* --- rows here ---------------------------------------------------------- */

static void
wake_waiting(void *ctx, const char *job_id)
{
	struct scheduler *s = ctx;

	if (db_job_wake(s->super->db, job_id) != 0)
		log_err("job=%s wake", job_id);
	loop_timer_set(s->more, 0, 0);
}

/* What a job's row is moved to; told once it is committed. */
static int
set_job(struct scheduler *s, struct job *j, const struct plan_action *a,
    bool *moved)
{
	return db_job_move(
	    s->super->db, j->job_id, a->status, j->fence, a->reason, moved);
}

static void
tell_job(struct scheduler *s, const struct job *j, const struct plan_action *a)
{
	const struct site_conf *conf = s->super->conf;
	const char *why = a->reason == NULL ? "" : a->reason;

	queue_gone(s->super->queue, j->job_id);
	log_info("job=%s is %s%s%s", j->job_id, state_name(a->status),
	    *why == '\0' ? "" : ": ", why);
	if (state_is_interrupt(a->status))
		joblog_error(conf, j->job_id, "job %s: %s",
		    state_name(a->status), *why == '\0' ? "asked for" : why);
	else
		joblog_info(conf, j->job_id, "job %s", state_name(a->status));
	/* Its resources are free again. */
	if (state_is_end(a->status))
		queue_each(s->super->queue, wake_waiting, s);
}

static int
set_verdict(struct scheduler *s, struct job *j, const struct snapshot *sn,
    const struct plan_action *a, bool *moved)
{
	const struct plan_component *c = &sn->plan.components[a->component];

	return db_task_move_all(s->super->db, j->job_id, c->name, c->version,
	    a->status, j->fence, a->reason, moved);
}

static void
tell_verdict(struct scheduler *s, const struct job *j,
    const struct snapshot *sn, const struct plan_action *a)
{
	const struct plan_component *c = &sn->plan.components[a->component];

	if (state_is_interrupt(a->status))
		joblog_error(s->super->conf, j->job_id,
		    "task %s version %d %s: %s", c->name, c->version,
		    state_name(a->status), a->reason);
	else
		joblog_info(s->super->conf, j->job_id, "task %s version %d %s",
		    c->name, c->version, state_name(a->status));
}

static int
set_party(
    struct scheduler *s, const struct snapshot *sn, const struct plan_action *a)
{
	struct db_task_move move = {
		.status = STATE_NONE,
		.party_status = a->status,
		.reason = a->reason,
	};

	return db_task_move(s->super->db,
	    &snapshot_task(sn, a->component, a->member)->key, &move, NULL);
}

static bool
is_new_reason(const struct snapshot *sn, const struct plan_action *a)
{
	return a->reason != NULL &&
	       (sn->row->reason == NULL ||
		   strcmp(a->reason, sn->row->reason) != 0);
}

static int
rerun(struct scheduler *s, struct job *j, const struct snapshot *sn,
    const struct plan_action *a)
{
	struct party_caller self = {
		.party_id = s->super->conf->party_id,
		.is_site = true,
	};
	const char *name = sn->plan.components[a->component].name;

	return initiator_rerun(
	    s->super->db, &self, j->job_id, &name, 1, false, true, NULL);
}

/*
 * A rerun was asked for and its versions stand in the rows.  A job that
 * still runs just takes them; one that ended goes through the queue again.
 * Should we die in between, the signal is still there.
 */
static int
rearm(struct scheduler *s, struct job *j, const struct snapshot *sn)
{
	static const enum db_party_flag flags[] = { DB_PARTY_CREATED,
		DB_PARTY_RESERVED, DB_PARTY_STARTED, DB_PARTY_ENDED };
	struct db *db = s->super->db;
	int r = 0;

	if (state_is_end(sn->plan.status)) {
		for (size_t i = 0; r == 0 && i < 4; i++)
			r = db_party_clear(db, j->job_id, flags[i], j->fence);
		if (r == 0)
			r = db_job_move(db, j->job_id, STATE_WAITING, j->fence,
			    "runs again", NULL);
	}
	return r != 0 ? r : db_job_rerun_done(db, j->job_id, j->fence);
}

/* --- carrying out a plan --------------------------------------------------- */

/*
 * Answers that come together are planned with together; those that are no
 * news only end what was under way.
 */
static void
answered(void *ctx, struct job *j, bool news)
{
	struct scheduler *s = ctx;

	j->again |= news;
	if (j->under_way > 0) {
		if (j->again)
			loop_timer_set(s->soon, SOON_MS, 0);
	} else if (j->again)
		look(s, j);
	else if (j->fence != 0)
		give_back(s, j, j->delay_ms);
}

/* One change of rows; inside the transaction of all of a plan's. */
static int
change(struct scheduler *s, struct job *j, const struct snapshot *sn,
    struct plan_action *a)
{
	struct db *db = s->super->db;

	a->done = true;
	switch (a->verb) {
	case PLAN_SET_VERDICT:
		return set_verdict(s, j, sn, a, &a->done);
	case PLAN_SET_JOB:
		return set_job(s, j, a, &a->done);
	case PLAN_SET_PARTY:
		return set_party(s, sn, a);
	case PLAN_SET_PROGRESS:
		return db_job_set_progress(db, j->job_id, a->progress);
	case PLAN_RERUN:
		return rerun(s, j, sn, a);
	case PLAN_REARM:
		return rearm(s, j, sn);
	case PLAN_SETTLE:
		return db_job_settle(db, j->job_id, j->fence);
	default:
		a->done = is_new_reason(sn, a);
		return a->done ? db_job_set_reason(db, j->job_id, a->reason)
			       : 0;
	}
}

/* After the commit: logs, and what of the outcome follows. */
static void
tell(struct scheduler *s, const struct job *j, const struct snapshot *sn,
    const struct plan_action *a, struct outcome *o)
{
	const struct site_conf *conf = s->super->conf;

	if (a->verb == PLAN_WAIT) {
		if (o->delay_ms < 0 || a->delay_ms < o->delay_ms)
			o->delay_ms = a->delay_ms;
	} else if (a->verb == PLAN_SETTLE)
		o->settled = true;
	else
		o->changed = true;
	if (!a->done)
		return;
	switch (a->verb) {
	case PLAN_SET_VERDICT:
		tell_verdict(s, j, sn, a);
		break;
	case PLAN_SET_JOB:
		tell_job(s, j, a);
		break;
	case PLAN_WAIT:
		joblog_info(conf, j->job_id, "%s", a->reason);
		break;
	case PLAN_RERUN:
		joblog_info(conf, j->job_id, "task %s is tried again",
		    sn->plan.components[a->component].name);
		break;
	case PLAN_REARM:
		joblog_info(conf, j->job_id, "job runs again");
		break;
	case PLAN_SETTLE:
		joblog_info(
		    conf, j->job_id, "every member has the end of the job");
		break;
	default:
		break;
	}
}

/* Local tasks that were just wanted, or wanted to end, need not be polled. */
static void
hand_on(struct scheduler *s, const struct plan_action *a)
{
	if (a->verb == PLAN_TASK_START)
		launch_look(s->super->launcher);
	else if (a->verb == PLAN_TASK_STOP || a->verb == PLAN_END)
		kill_look(s->super);
}

struct changing {
	struct scheduler *scheduler;
	struct job *job;
	const struct snapshot *snapshot;
};

static int
change_tx(struct db *db, void *ctx)
{
	struct changing *c = ctx;
	struct plan *p = &c->scheduler->plan;
	int r = 0;

	(void)db;
	for (size_t i = 0; r == 0 && i < p->n; i++)
		if (!plan_is_command(p->actions[i].verb))
			r = change(
			    c->scheduler, c->job, c->snapshot, &p->actions[i]);
	return r;
}

/* All of a plan's changes of rows are one commit. */
static int
change_rows(struct scheduler *s, struct job *j, const struct snapshot *sn,
    struct outcome *o)
{
	struct changing c = { s, j, sn };
	bool any = false;
	int r;

	for (size_t i = 0; i < s->plan.n; i++)
		any |= !plan_is_command(s->plan.actions[i].verb);
	if (!any)
		return 0;
	if ((r = db_tx(s->super->db, change_tx, &c)) != 0)
		return r;
	for (size_t i = 0; i < s->plan.n; i++)
		if (!plan_is_command(s->plan.actions[i].verb))
			tell(s, j, sn, &s->plan.actions[i], o);
	return 0;
}

/* Starts go first: of all commands they are what somebody waits for. */
static int
ask_partners(struct scheduler *s, struct job *j, const struct snapshot *sn,
    bool starts, struct outcome *o)
{
	const struct plan_action *a;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->plan.n; i++) {
		a = &s->plan.actions[i];
		if (!plan_is_command(a->verb) ||
		    sn->parties[a->member].is_local ||
		    (a->verb == PLAN_TASK_START) != starts)
			continue;
		r = command_send(s->super, j, sn, a, answered, s, &o->changed);
		o->asked = true;
	}
	return r;
}

static int
serve_own(struct scheduler *s, struct job *j, const struct snapshot *sn,
    struct outcome *o)
{
	const struct plan_action *a;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->plan.n; i++) {
		a = &s->plan.actions[i];
		if (!plan_is_command(a->verb) ||
		    !sn->parties[a->member].is_local)
			continue;
		/* Requests leave from the loop, so let it run first. */
		if (o->asked) {
			o->later = true;
			return 0;
		}
		r = command_send(s->super, j, sn, a, answered, s, &o->changed);
		if (r == 0)
			hand_on(s, a);
	}
	return r;
}

/*
 * Rows first, as commands rely on them; partners before own members, as their
 * way is longer.
 */
static int
carry_out(struct scheduler *s, struct job *j, const struct snapshot *sn,
    struct outcome *o)
{
	int r;

	if ((r = change_rows(s, j, sn, o)) != 0 ||
	    (r = ask_partners(s, j, sn, true, o)) != 0 ||
	    (r = ask_partners(s, j, sn, false, o)) != 0)
		return r;
	return serve_own(s, j, sn, o);
}

/* When a job that is given back is to be looked at again. */
static int64_t
next_look(const struct snapshot *sn, const struct outcome *o)
{
	if (o->delay_ms >= 0)
		return o->delay_ms;
	for (size_t m = 0; m < sn->plan.nmembers; m++)
		if (sn->plan.members[m].away)
			return LOOK_SOON_MS;
	return sn->resting || sn->plan.status != STATE_RUNNING ? LOOK_SOON_MS
							       : LOOK_AGAIN_MS;
}

static void
give_back(struct scheduler *s, struct job *j, int64_t delay_ms)
{
	if (db_job_release(s->super->db, j->job_id, j->fence, delay_ms) != 0)
		log_err("job=%s release", j->job_id);
	j->fence = 0;
	if (delay_ms == 0)
		loop_timer_set(s->more, 0, 0);
}

/*
 * Rows that make no sense will make none the next time: the job ends with the
 * reason instead of being looked at for ever.
 */
static int
give_up(struct scheduler *s, struct job *j)
{
	char *why = xstrdup(err_text());
	int r;

	joblog_error(s->super->conf, j->job_id, "job failed: %s", why);
	if ((r = db_job_move(s->super->db, j->job_id, STATE_FAILED, j->fence,
		 why, NULL)) == 0)
		r = db_job_settle(s->super->db, j->job_id, j->fence);
	free(why);
	return r;
}

/*
 * One look: read, plan, carry out, as long as that changes rows here.  Then
 * the job waits for answers, or is given back until it is due again.
 */
static void
look(struct scheduler *s, struct job *j)
{
	struct snapshot sn;
	struct outcome o = { .delay_ms = -1 };
	bool keep;
	int r, round = 0;

	if (j->fence == 0)
		return;
	j->again = false;
	j->looked_ms = clock_mono_ms();
	do {
		o = (struct outcome){ .delay_ms = -1 };
		if (round > 0)
			snapshot_fini(&sn);
		if ((r = snapshot_load(s->super, j, &sn)) != 0)
			break;
		plan_make(&s->plan, &sn.plan);
		r = carry_out(s, j, &sn, &o);
	} while (r == 0 && o.changed && !o.asked && !o.settled &&
		 ++round < ROUNDS_MAX);
	if (r != 0) {
		log_err("job=%s", j->job_id);
		o.delay_ms = LOOK_SOON_MS;
		if (r == ERR_INVALID || r == ERR_FORMAT)
			o.settled = give_up(s, j) == 0;
	} else if (o.changed || o.later) {
		o.delay_ms = 0;
		j->again = true;
		loop_timer_set(s->soon, SOON_MS, 0);
	}
	keep = r == 0 && sn.plan.status == STATE_RUNNING;
	j->delay_ms = r != 0 ? o.delay_ms : next_look(&sn, &o);
	if (o.settled)
		j->fence = 0;
	else if (j->under_way == 0)
		give_back(s, j, j->delay_ms);
	snapshot_fini(&sn);
	/* A running job is looked at often: its graph is kept. */
	if (j->fence == 0 && !keep && j->under_way == 0)
		drop(s, j);
}

/* --- when ------------------------------------------------------------------- */

static void
take_due(struct scheduler *s)
{
	struct arena *arena = arena_new();
	struct db_job_claim *claims;
	size_t n;

	if (db_job_claim(s->super->db, arena, s->super->instance,
		s->super->conf->lease_ms, CLAIM_BATCH, &claims, &n) != 0) {
		log_err("claim jobs");
		n = 0;
	}
	for (size_t i = 0; i < n; i++)
		look(s, take_up(s, &claims[i]));
	if (n == CLAIM_BATCH)
		loop_timer_set(s->more, 0, 0);
	arena_free(arena);
}

static void
on_more(void *ctx)
{
	take_due(ctx);
}

/* A look may drop jobs: begin anew after each. */
static void
on_soon(void *ctx)
{
	struct scheduler *s = ctx;
	struct job *j;

	do {
		for (j = s->jobs; j != NULL && !j->again; j = j->next)
			continue;
		if (j != NULL && j->fence == 0)
			j->again = false;
		else if (j != NULL)
			look(s, j);
	} while (j != NULL);
}

/* Running jobs that another supervisor has by now. */
static void
forget_lost(struct scheduler *s)
{
	int64_t now = clock_mono_ms();
	struct job *j, *next;

	for (j = s->jobs; j != NULL; j = next) {
		next = j->next;
		if (j->fence == 0 && j->under_way == 0 &&
		    now - j->looked_ms > 6 * LOOK_AGAIN_MS)
			drop(s, j);
	}
}

static void
on_renew(void *ctx)
{
	struct scheduler *s = ctx;
	bool any = false;

	for (const struct job *j = s->jobs; j != NULL; j = j->next)
		any |= j->fence != 0;
	if (any && db_job_renew(s->super->db, s->super->instance,
		       s->super->conf->lease_ms, NULL) != 0)
		log_err("renew leases of jobs");
	forget_lost(s);
}

void
scheduler_wake(struct scheduler *s, const char *job_id)
{
	struct job *j = *job_id == '\0' ? NULL : find(s, job_id);

	if (j != NULL && j->fence != 0)
		look(s, j);
}

void
scheduler_look(struct scheduler *s)
{
	take_due(s);
}

int
scheduler_new(struct supervisor *super, struct scheduler **out)
{
	struct scheduler *s = xcalloc(1, sizeof(*s));
	char *prefix;
	int r;

	*out = NULL;
	prefix = xstrndup(super->instance, super->instance_prefix);
	r = db_job_take_over(super->db, prefix, super->instance);
	free(prefix);
	if (r != 0) {
		free(s);
		return r;
	}
	s->super = super;
	plan_init(&s->plan);
	s->renew = loop_timer_new(super->loop, on_renew, s);
	s->more = loop_timer_new(super->loop, on_more, s);
	s->soon = loop_timer_new(super->loop, on_soon, s);
	loop_timer_set(
	    s->renew, super->conf->lease_ms / 3, super->conf->lease_ms / 3);
	loop_timer_set(s->more, 0, 0);
	*out = s;
	return 0;
}

void
scheduler_free(struct scheduler *s)
{
	if (s == NULL)
		return;
	while (s->jobs != NULL) {
		if (s->jobs->fence != 0)
			give_back(s, s->jobs, 0);
		drop(s, s->jobs);
	}
	loop_timer_free(s->renew);
	loop_timer_free(s->more);
	loop_timer_free(s->soon);
	plan_fini(&s->plan);
	free(s);
}
