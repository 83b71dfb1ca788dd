/*
 * The part of a plan that is about rows of this site: verdicts, the job's
 * state, why it waits.  Called by scheduler_look.c before the plan's commands.
 */
#include "supervisor/rows.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/conf/site_wake.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "lib/party/model_stage.h"
#include "lib/party/party.h"
#include "supervisor/changes.h"
#include "supervisor/joblog.h"
#include "supervisor/launch.h"
#include "supervisor/queue.h"
#include "supervisor/sign.h"

/* The job begins: whoever waits at one of its parties moves up. */
static void
move_queues(struct supervisor *s, const struct snapshot *sn)
{
	const char **parties =
	    arena_alloc(sn->arena, (sn->nparties + 1) * sizeof(*parties));
	size_t n = 0, k;

	for (size_t m = 0; m < sn->nparties; m++) {
		const char *party = sn->parties[m].party_id;

		for (k = 0; k < n && strcmp(parties[k], party) != 0; k++)
			continue;
		if (k == n)
			parties[n++] = party;
	}
	queue_moved(s->queue, parties, n);
}

/*
 * It ends.  Where partners take part it is their answers to the end that wake
 * whoever waits (command.c): who asked before would find them as they were,
 * and the order of the queue would be that of luck.
 */
static void
free_queues(struct supervisor *s, const struct snapshot *sn)
{
	for (size_t m = 0; m < sn->nparties; m++)
		if (!sn->parties[m].is_local)
			return;
	move_queues(s, sn);
	changes_add(s->changes, sn->plan.job_id, WAKE_FREED);
}

/*
 * Whoever sees the success here sees the model too: own members seal theirs
 * in the same transaction; partners when they are told.
 * ERR_CONFLICT when a half that was staged is gone.
 */
static int
seal_own(struct supervisor *s, const struct snapshot *sn)
{
	struct model_member *models;
	size_t n;
	int r = 0;

	models = snapshot_models(sn, sn->arena, &n);
	for (size_t i = 0; n > 0 && r == 0 && i < sn->nparties; i++) {
		const struct db_party *p = &sn->parties[i];
		const struct db_model_key key = { sn->row->model_id,
			sn->row->model_version, p->role, p->party_id };

		if (p->is_local && p->staged)
			r = model_seal(s->db, sn->arena, &key, models, n, NULL);
	}
	return r;
}

/* The job begins or succeeds: what is planned behind it counts on that. */
static bool
is_counted_on(const struct plan_action *a)
{
	return a->verb == PLAN_SET_JOB &&
	       (a->status == STATE_RUNNING || a->status == STATE_SUCCESS);
}

/*
 * Own members that start with the job.  One whose reservation ran out has to
 * ask again, and the job with it: *all is false.
 */
static int
start_members(struct supervisor *s, struct job *j, const struct snapshot *sn,
    struct plan *p, bool *all)
{
	*all = true;
	for (size_t i = 0; i < p->n; i++) {
		struct plan_action *a = &p->actions[i];
		const struct db_party *m = &sn->parties[a->member];
		const struct party_member who = { j->job_id, m->role,
			m->party_id };
		int r;

		if (a->verb != PLAN_START || !m->is_local)
			continue;
		r = party_job_start_held(s->db, &who);
		*all = r != ERR_CONFLICT;
		if (!*all)
			return db_party_mark(s->db, j->job_id, m->role,
			    m->party_id, DB_PARTY_RESERVED, false, err_text(),
			    j->fence);
		if (r != 0)
			return r;
		a->done = true;
	}
	return 0;
}

/* What a job's row is moved to; told once it is committed. */
static int
set_job(struct supervisor *s, struct job *j, const struct snapshot *sn,
    struct db_job_head *head, struct plan *p, const struct plan_action *a,
    bool *moved)
{
	int r = 0;

	if (a->status == STATE_RUNNING &&
	    ((r = start_members(s, j, sn, p, moved)) != 0 || !*moved))
		return r;
	if (a->status == STATE_SUCCESS && (r = seal_own(s, sn)) != 0) {
		*moved = false;
		if (r != ERR_CONFLICT)
			return r;
		log_warn("job=%s its model is staged again: %s", j->job_id,
		    err_text());
		return db_party_forget_manifests(s->db, j->job_id, j->fence);
	}
	if (a->status == STATE_RUNNING && state_is_end(sn->row->before) &&
	    (r = db_party_forget_manifests(s->db, j->job_id, j->fence)) != 0)
		return r;
	if ((r = db_job_move_held(
		 s->db, j->job_id, head, a->status, a->reason, moved)) != 0)
		return r;
	/* It is theirs, too: nothing else is to be done for it here. */
	return *moved && a->status == STATE_SUCCESS
		   ? db_party_end_own(s->db, j->job_id)
		   : 0;
}

static void
tell_members(const struct site_conf *conf, const struct job *j,
    const struct snapshot *sn, enum state end, const char *why)
{
	size_t i;

	for (i = 0; i < sn->plan.nmembers; i++)
		if (sn->plan.members[i].is_local)
			joblog_member_error(conf, j->job_id,
			    sn->plan.members[i].role, sn->plan.members[i].party,
			    "job %s: %s", state_name(end), why);
}

static void
tell_job(struct supervisor *s, const struct job *j, const struct snapshot *sn,
    const struct plan_action *a)
{
	const struct site_conf *conf = s->conf;
	const char *why = a->reason == NULL ? "" : a->reason;

	if (state_is_end(a->status)) {
		free_queues(s, sn);
		metrics_add(s->metrics, METRIC_job_ends_total, 1, "state",
		    state_name(a->status), NULL);
	} else if (a->status == STATE_RUNNING) {
		move_queues(s, sn);
		metrics_add(s->metrics, METRIC_job_starts_total, 1, NULL);
	}
	log_info("job=%s is %s%s%s", j->job_id, state_name(a->status),
	    *why == '\0' ? "" : ": ", why);
	if (*why == '\0')
		why = "asked for";
	if (state_is_interrupt(a->status)) {
		joblog_error(
		    conf, j->job_id, "job %s: %s", state_name(a->status), why);
		tell_members(conf, j, sn, a->status, why);
	} else
		joblog_info(conf, j->job_id, "job %s", state_name(a->status));
}

static int
set_verdict(struct supervisor *s, struct job *j, const struct snapshot *sn,
    const struct plan_action *a, bool *moved)
{
	const struct plan_component *c = &sn->plan.components[a->component];

	return db_task_move_all(s->db, j->job_id, c->name, c->version,
	    c->status, a->status, a->reason, moved);
}

static void
tell_verdict(struct supervisor *s, const struct job *j,
    const struct snapshot *sn, const struct plan_action *a)
{
	const struct plan_component *c = &sn->plan.components[a->component];

	if (state_is_interrupt(a->status))
		joblog_error(s->conf, j->job_id, "task %s version %d %s: %s",
		    c->name, c->version, state_name(a->status), a->reason);
	else
		joblog_info(s->conf, j->job_id, "task %s version %d %s",
		    c->name, c->version, state_name(a->status));
}

static int
set_party(struct supervisor *s, const struct snapshot *sn,
    const struct plan_action *a)
{
	struct db_task_move move = {
		.status = STATE_NONE,
		.party_status = a->status,
		.reason = a->reason,
	};

	return db_task_move(s->db,
	    &snapshot_task(sn, a->component, a->member)->key, &move, NULL);
}

/* A running job has no reason to wait, but may have words (another try). */
static bool
is_new_reason(const struct snapshot *sn, const struct plan_action *a)
{
	return a->reason != NULL && sn->plan.status == STATE_RUNNING &&
	       (sn->row->reason == NULL ||
		   strcmp(a->reason, sn->row->reason) != 0);
}

static int
rerun(struct supervisor *s, struct job *j, const struct snapshot *sn,
    const struct plan_action *a)
{
	struct party_caller self = {
		.party_id = s->conf->party_id,
		.is_site = true,
	};
	const char *name = sn->plan.components[a->component].name;

	return initiator_retry(s->db, &self, j->job_id, name, NULL);
}

/* One change of rows; inside the transaction of all of a plan's. */
static int
change(struct supervisor *s, struct job *j, const struct snapshot *sn,
    struct db_job_head *head, struct plan *p, struct plan_action *a)
{
	struct db *db = s->db;

	a->done = true;
	switch (a->verb) {
	case PLAN_SET_VERDICT:
		return set_verdict(s, j, sn, a, &a->done);
	case PLAN_SET_JOB:
		return set_job(s, j, sn, head, p, a, &a->done);
	case PLAN_UNDO:
		return db_job_undo(db, j->job_id, a->status, a->reason);
	case PLAN_SET_PARTY:
		return set_party(s, sn, a);
	case PLAN_SET_PROGRESS:
		return db_job_set_progress(db, j->job_id, a->progress);
	case PLAN_RERUN:
		return rerun(s, j, sn, a);
	case PLAN_SETTLE:
		return db_job_settle(db, j->job_id, j->fence);
	case PLAN_SIGN:
		return sign_own(s, sn, a->member);
	default:
		a->done = is_new_reason(sn, a);
		return a->done ? db_job_set_reason(db, j->job_id, a->reason)
			       : 0;
	}
}

/* After the commit: logs, and what of the outcome follows. */
static void
tell(struct supervisor *s, const struct job *j, const struct snapshot *sn,
    const struct plan_action *a, struct outcome *o)
{
	const struct site_conf *conf = s->conf;

	if (a->verb == PLAN_WAIT) {
		if (o->delay_ms < 0 || a->delay_ms < o->delay_ms)
			o->delay_ms = a->delay_ms;
	} else if (a->verb == PLAN_SETTLE)
		o->settled = a->done;
	else if (is_counted_on(a)) {
		o->became = a->done ? a->status : o->became;
		o->stale |= !a->done;
		o->changed |= !a->done;
	} else if (!plan_goes_on(a))
		o->changed = true;
	if (!a->done)
		return;
	switch (a->verb) {
	case PLAN_SET_VERDICT:
		tell_verdict(s, j, sn, a);
		break;
	case PLAN_SET_JOB:
		tell_job(s, j, sn, a);
		break;
	case PLAN_UNDO:
		free_queues(s, sn);
		log_info("job=%s is %s again: %s", j->job_id,
		    state_name(a->status), a->reason);
		joblog_error(conf, j->job_id, "%s", a->reason);
		break;
	case PLAN_WAIT:
		joblog_info(conf, j->job_id, "%s", a->reason);
		break;
	case PLAN_RERUN:
		joblog_info(conf, j->job_id, "task %s is tried again",
		    sn->plan.components[a->component].name);
		break;
	case PLAN_SETTLE:
		joblog_info(
		    conf, j->job_id, "every member has the end of the job");
		break;
	default:
		break;
	}
}

/* --- why it waits --- */

/*
 * What passes within a moment is not worth a write, nor worth that a reason
 * that will be back is forgotten.
 */
static bool
lasts(struct job *j, enum wait_code code)
{
	int64_t now = clock_mono_ms();

	if (!wait_is_brief(code)) {
		j->brief = WAIT_NONE;
		return true;
	}
	if (j->brief != code) {
		j->brief = code;
		j->brief_ms = now;
		j->brief_told = false;
	}
	j->brief_told |= now - j->brief_ms >= JOB_BRIEF_MS;
	return j->brief_told;
}

static bool
task_waits_anew(const struct snapshot *sn, const struct plan *p, size_t c)
{
	return p->tasks[c].code != WAIT_NONE &&
	       sn->plan.components[c].nrows > 0 &&
	       db_wait_is_other(&sn->tasks[c][0]->wait, &p->tasks[c]);
}

static bool
tasks_wait_anew(const struct snapshot *sn, const struct plan *p)
{
	for (size_t c = 0; c < sn->plan.ncomponents; c++)
		if (task_waits_anew(sn, p, c))
			return true;
	return false;
}

static int
store_waits(struct supervisor *s, struct job *j, const struct snapshot *sn,
    const struct plan *p, bool of_job)
{
	int r = 0;

	if (of_job)
		r = db_wait_set_job(s->db, j->job_id, &p->wait, j->fence, NULL);
	for (size_t c = 0; r == 0 && c < sn->plan.ncomponents; c++)
		if (task_waits_anew(sn, p, c))
			r = db_wait_set_task(s->db, j->job_id,
			    sn->plan.components[c].name,
			    sn->plan.components[c].version, &p->tasks[c],
			    j->fence);
	return r;
}

struct changing {
	struct supervisor *super;
	struct job *job;
	const struct snapshot *snapshot;
	struct plan *plan;
	struct outcome *outcome;
	bool waits; /* the job has another reason to wait */
	bool acks;  /* what was acknowledged goes with it */
};

/*
 * Before nobody looks any more, or when they have become many.  What members
 * say of the job is a row as soon as any is written: others look at it.
 */
static bool
takes_acks(const struct job *j, const struct plan *p)
{
	if (j->acks.members != NULL)
		return true;
	for (size_t i = 0; i < p->n; i++)
		if (p->actions[i].verb == PLAN_SETTLE)
			return true;
	return j->acks.n >= ACKS_MANY;
}

static bool
is_own_start(const struct snapshot *sn, const struct plan_action *a)
{
	return a->verb == PLAN_TASK_START && sn->parties[a->member].is_local;
}

/*
 * One that cannot begin now is left to command.c (*done is false), which makes
 * rows of that, too; one for which there is no room here, to who has some.
 */
static int
start_one(struct db *db, const struct changing *c, const struct db_task_key *k,
    bool *done)
{
	struct arena *a = c->snapshot->arena;
	struct launcher *l = c->super->launcher;
	struct outcome *o = c->outcome;
	struct db_attempt **claimed = &o->claimed[o->n_claimed];
	bool effective;
	int r;

	*done = true;
	if ((r = launch_begin(l, a, k, claimed)) != 0)
		return r;
	if (*claimed == NULL) {
		r = party_task_start_held(db, k, &effective);
		if (r == ERR_DB || r == ERR_DB_RETRY)
			return r;
		*done = r == 0;
		if (r != 0) {
			err_clear();
			return 0;
		}
		if ((r = launch_claim(l, a, k, claimed)) != 0)
			return r;
	}
	if (*claimed != NULL)
		o->n_claimed++;
	else
		o->unclaimed = true;
	return 0;
}

/*
 * What starts here because of what was just written need not wait for another
 * transaction.
 */
static int
start_own(struct db *db, const struct changing *c)
{
	const struct snapshot *sn = c->snapshot;
	struct plan *p = c->plan;
	struct outcome *o = c->outcome;
	int r = 0;

	o->n_claimed = 0;
	o->unclaimed = false;
	o->claimed = arena_alloc(sn->arena, (p->n + 1) * sizeof(*o->claimed));
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		struct plan_action *a = &p->actions[i];

		if (is_own_start(sn, a))
			r = start_one(db, c,
			    &snapshot_task(sn, a->component, a->member)->key,
			    &a->done);
	}
	return r;
}

static int
change_tx(struct db *db, void *ctx)
{
	struct changing *c = ctx;
	struct plan *p = c->plan;
	struct db_job_head head;
	bool stale = false;
	int r;

	for (size_t i = 0; i < p->n; i++)
		p->actions[i].done = false;
	/* A scheduler that was stopped for a while may not be it any more. */
	r = db_job_hold_head(db, c->job->job_id, c->job->fence, &head);
	if (r == 0 && c->acks)
		r = acks_write(&c->job->acks, db);
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		if (plan_is_command(p->actions[i].verb))
			continue;
		r = change(
		    c->super, c->job, c->snapshot, &head, p, &p->actions[i]);
		/* What was planned behind it is for a job that is so. */
		stale = is_counted_on(&p->actions[i]) && !p->actions[i].done;
		if (stale)
			break;
	}
	if (r == 0 && !stale)
		r = start_own(db, c);
	if (r == 0)
		r = store_waits(c->super, c->job, c->snapshot, p, c->waits);
	return r;
}

/* Each look at a partner that is away counts; *p's reason has how many. */
static int64_t
count_try(const struct snapshot *sn, struct plan *p)
{
	struct json_object *numbers = NULL;
	struct wait before = wait_of(WAIT_NONE);

	if (!db_wait_is_other(&sn->row->wait, &p->wait) &&
	    json_parse_text(sn->row->wait.numbers, &numbers) == 0)
		wait_numbers_read(&before, numbers);
	json_object_put(numbers);
	err_clear();
	wait_set(&p->wait, WAIT_N_TRIES, before.n[WAIT_N_TRIES] + 1);
	return before.n[WAIT_N_TRIES] + 1;
}

/* The same for long is told with growing distance. */
static void
tell_wait(const struct site_conf *conf, const struct job *j,
    const struct plan *p, int64_t tries)
{
	const char *text =
	    p->wait.text != NULL ? p->wait.text : wait_words(p->wait.code);

	if (tries > 1 && (tries & (tries - 1)) == 0)
		joblog_info(conf, j->job_id, "waits: %s (%lld times)", text,
		    (long long)tries);
	else if (tries <= 1)
		joblog_info(conf, j->job_id, "waits: %s", text);
}

int
rows_change(struct supervisor *s, struct job *j, const struct snapshot *sn,
    struct plan *p, struct outcome *o)
{
	struct changing c = { .super = s,
		.job = j,
		.snapshot = sn,
		.plan = p,
		.outcome = o,
		.acks = takes_acks(j, p) };
	bool any = tasks_wait_anew(sn, p);
	int64_t tries = 0;
	int r;

	if (p->wait.code == WAIT_PARTNER_UNREACHABLE)
		tries = count_try(sn, p);
	if (p->wait.code == WAIT_NONE)
		j->brief = WAIT_NONE;
	else if (lasts(j, p->wait.code))
		c.waits =
		    db_wait_differs(&sn->row->wait, &p->wait, sn->row->reason);
	any |= c.waits;

	for (size_t i = 0; i < p->n; i++)
		any |= !plan_is_command(p->actions[i].verb);
	if (!any)
		return 0;
	if ((r = db_tx(s->db, change_tx, &c)) != 0)
		return r;
	if (c.acks)
		acks_clear(&j->acks);
	for (size_t i = 0; i < p->n; i++)
		if (!plan_is_command(p->actions[i].verb))
			tell(s, j, sn, &p->actions[i], o);
	if (c.waits)
		tell_wait(s->conf, j, p, tries);
	return 0;
}
