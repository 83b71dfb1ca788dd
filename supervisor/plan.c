/*
 * The planning core of the scheduler: which commands and changes of rows a
 * job lacks.  Called by scheduler.c with a fresh snapshot; knows no clock and
 * no database.
 */
#include "supervisor/plan.h"

#include <stdarg.h>
#include <string.h>

#include "lib/base/str.h"

/* How often a waiting job asks again: an eighth of its age, within these. */
#define APPLY_AGAIN_MIN_MS	200
#define APPLY_AGAIN_MAX_MS	5000
/* A partner that does not answer is looked at again after this long. */
#define AWAY_AGAIN_MS		1000

/* What a component's rows amount to. */
struct view {
	int		 version;	/* the newest at any member */
	enum status	 verdict;	/* in effect once this plan is done */
	bool		 complete;	/* all members have that version */
	bool		 tidy;		/* all ended and told the verdict */
	bool		 retry;		/* ended badly, another try is due */
};

struct maker {
	struct plan		*plan;
	const struct plan_job	*job;
	struct view		*views;	/* one a component */
};

void
plan_init(struct plan *p)
{
	memset(p, 0, sizeof(*p));
	p->arena = arena_new();
}

void
plan_fini(struct plan *p)
{
	free(p->actions);
	arena_free(p->arena);
	memset(p, 0, sizeof(*p));
}

static const struct verb {
	const char	*name;
	bool		 command, task;
} verbs[] = {
	[PLAN_SET_VERDICT]	= { "set verdict", false, true },
	[PLAN_SET_JOB]		= { "set job", false, false },
	[PLAN_SET_PROGRESS]	= { "set progress", false, false },
	[PLAN_WAIT]		= { "wait", false, false },
	[PLAN_SETTLE]		= { "settle", false, false },
	[PLAN_CREATE]		= { "create", true, false },
	[PLAN_APPLY]		= { "resource apply", true, false },
	[PLAN_RETURN]		= { "resource return", true, false },
	[PLAN_START]		= { "start", true, false },
	[PLAN_END]		= { "end", true, false },
	[PLAN_TASK_CREATE]	= { "task create", true, true },
	[PLAN_TASK_START]	= { "task start", true, true },
	[PLAN_TASK_STATUS]	= { "task status", true, true },
	[PLAN_TASK_STOP]	= { "task stop", true, true },
	[PLAN_TASK_COLLECT]	= { "task collect", true, true },
};

const char *
plan_verb_name(enum plan_verb verb)
{
	return verbs[verb].name;
}

bool
plan_is_command(enum plan_verb verb)
{
	return verbs[verb].command;
}

bool
plan_is_task_command(enum plan_verb verb)
{
	return verbs[verb].command && verbs[verb].task;
}

/* --- adding actions --------------------------------------------------- */

static struct plan_action *
add(struct maker *k, enum plan_verb verb)
{
	struct plan		*p = k->plan;
	struct plan_action	*a;

	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 16 : 2 * p->cap;
		p->actions = xrealloc(p->actions, p->cap * sizeof(*a));
	}
	a = &p->actions[p->n++];
	memset(a, 0, sizeof(*a));
	a->verb = verb;
	return a;
}

static void
set_job(struct maker *k, enum status status, const char *reason)
{
	struct plan_action	*a = add(k, PLAN_SET_JOB);

	a->status = status;
	a->reason = reason;
}

static void
wait_for(struct maker *k, int64_t delay_ms, const char *reason)
{
	struct plan_action	*a = add(k, PLAN_WAIT);

	a->delay_ms = delay_ms;
	a->reason = reason;
}

/* A command to member m, unless one is under way or its site is away. */
static void
command(struct maker *k, enum plan_verb verb, size_t m, enum status status,
    const char *reason)
{
	const struct plan_member	*member = &k->job->members[m];
	struct plan_action		*a;

	if (member->busy || member->away)
		return;
	a = add(k, verb);
	a->member = m;
	a->status = status;
	a->reason = reason;
}

static void
task_command(struct maker *k, enum plan_verb verb, size_t c,
    const struct plan_row *row, const char *reason)
{
	struct plan_action	*a;

	if (row->busy || k->job->members[row->member].away)
		return;
	a = add(k, verb);
	a->member = row->member;
	a->component = c;
	a->version = k->views[c].version;
	a->status = k->views[c].verdict;
	a->reason = reason;
}

static const char *
say(struct maker *k, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static const char *
say(struct maker *k, const char *fmt, ...)
{
	va_list		 ap;
	char		*s;
	const char	*kept;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	kept = arena_strdup(k->plan->arena, s);
	free(s);
	return kept;
}

static const char *
words(const struct plan_member *m, const char *otherwise)
{
	return m->error != NULL && *m->error != '\0' ? m->error : otherwise;
}

/* --- causes ------------------------------------------------------------- */

/*
 * A cause names its party once: text that another member was already given
 * as the cause ("host 10000: …") is passed on as it is.
 */
static const char *
cause_of_row(struct maker *k, const struct plan_row *row)
{
	const struct plan_job	*j = k->job;
	const struct plan_member *m = &j->members[row->member];
	const char		*label;

	for (size_t i = 0; i < j->nmembers; i++) {
		label = say(k, "%s %s: ", j->members[i].role,
		    j->members[i].party);
		if (row->error != NULL && str_starts(row->error, label))
			return row->error;
	}
	return say(k, "%s %s: %s", m->role, m->party,
	    row->error != NULL && *row->error != '\0' ? row->error :
	    status_name(row->party_status));
}

/* Why component c ended as its verdict says; NULL when there is nothing. */
static const char *
cause(struct maker *k, size_t c)
{
	const struct plan_component	*comp = &k->job->components[c];
	const struct plan_row		*found = NULL;

	if (!status_is_interrupt(k->views[c].verdict))
		return NULL;
	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row	*r = &comp->rows[i];
		bool	 has_words = r->error != NULL && *r->error != '\0';

		if (r->party_status != k->views[c].verdict)
			continue;
		/* The first with words; without any, the first. */
		if (found == NULL || (has_words && (found->error == NULL ||
		    *found->error == '\0')))
			found = r;
	}
	return found == NULL ? k->job->reason : cause_of_row(k, found);
}

/* --- views ------------------------------------------------------------------ */

static enum status
verdict_of(struct maker *k, const struct plan_component *comp, int version)
{
	enum status	*statuses;
	const char	**roles;
	enum status	 stored = comp->rows[0].status, computed;

	/* Arrays of the plan: a job's members are bounded at submit. */
	statuses = arena_alloc(k->plan->arena, comp->nrows * sizeof(*statuses));
	roles = arena_alloc(k->plan->arena, comp->nrows * sizeof(*roles));
	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row	*r = &comp->rows[i];

		roles[i] = k->job->members[r->member].role;
		statuses[i] = r->version == version ? r->party_status :
		    STATUS_WAITING;
		if (r->version == version)
			stored = r->status;
	}
	computed = task_verdict(statuses, roles, comp->nrows);
	/* A verdict never goes back: an end stays, started is not waiting. */
	if (status_is_end(stored) || computed == STATUS_WAITING)
		return stored;
	return computed;
}

static void
look_at(struct maker *k, size_t c)
{
	const struct plan_component	*comp = &k->job->components[c];
	struct view			*v = &k->views[c];

	for (size_t i = 0; i < comp->nrows; i++)
		if (comp->rows[i].version > v->version)
			v->version = comp->rows[i].version;
	v->verdict = verdict_of(k, comp, v->version);
	v->complete = v->tidy = true;
	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row	*r = &comp->rows[i];

		if (r->version < v->version) {
			v->complete = v->tidy = false;
			continue;
		}
		if (!status_is_end(r->party_status) || r->acked != v->verdict)
			v->tidy = false;
		if ((v->verdict == STATUS_FAILED ||
		    v->verdict == STATUS_TIMEOUT) && r->auto_retries > 0 &&
		    !status_is_end(k->job->status))
			v->retry = true;
	}
}

/* --- the end ------------------------------------------------------------------- */

/*
 * Tell every member of component c the verdict.  Whoever still runs after a
 * bad end is stopped; the stop carries the verdict too.
 */
static void
spread(struct maker *k, size_t c)
{
	const struct plan_component	*comp = &k->job->components[c];
	const struct view		*v = &k->views[c];
	const char			*why = cause(k, c);
	bool				 stored = true;

	for (size_t i = 0; i < comp->nrows; i++)
		if (comp->rows[i].version == v->version &&
		    comp->rows[i].status != v->verdict)
			stored = false;
	if (!stored) {
		struct plan_action	*a = add(k, PLAN_SET_VERDICT);

		a->component = c;
		a->version = v->version;
		a->status = v->verdict;
		a->reason = why;
	}
	if (!status_is_end(v->verdict))
		return;
	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row	*r = &comp->rows[i];

		if (r->version != v->version || k->job->members[r->member].ended)
			continue;
		if (r->acked != v->verdict)
			task_command(k, status_is_end(r->party_status) ?
			    PLAN_TASK_STATUS : PLAN_TASK_STOP, c, r, why);
		else if (!status_is_end(r->party_status) && r->silent)
			task_command(k, PLAN_TASK_STOP, c, r, why);
	}
}

/* Is a task's end still to be told to member m? */
static bool
owes_verdict(const struct maker *k, size_t m)
{
	for (size_t c = 0; c < k->job->ncomponents; c++) {
		const struct plan_component	*comp = &k->job->components[c];

		for (size_t i = 0; i < comp->nrows; i++) {
			const struct plan_row	*r = &comp->rows[i];

			if (r->member == m &&
			    r->version == k->views[c].version &&
			    status_is_end(k->views[c].verdict) &&
			    r->acked != k->views[c].verdict)
				return true;
		}
	}
	return false;
}

/* The job ended: bring its end to every member, then settle. */
static void
plan_end(struct maker *k)
{
	const struct plan_job	*j = k->job;
	bool			 settled = true;
	const char		*away = NULL;

	for (size_t c = 0; c < j->ncomponents; c++)
		spread(k, c);
	for (size_t m = 0; m < j->nmembers; m++) {
		if (j->members[m].ended)
			continue;
		settled = false;
		/* The tasks' ends come first: they carry the causes.  After a
		 * cancel there is nothing to tell but the stop itself. */
		if (j->cancel_signal || !owes_verdict(k, m))
			command(k, PLAN_END, m, j->status, j->reason);
		if (j->members[m].away)
			away = j->members[m].party;
	}
	for (size_t c = 0; c < j->ncomponents; c++)
		for (size_t i = 0; i < j->components[c].nrows; i++)
			if (j->components[c].rows[i].party_status ==
			    STATUS_RUNNING)
				settled = false;
	if (settled)
		(void)add(k, PLAN_SETTLE);
	else if (away != NULL)
		wait_for(k, AWAY_AGAIN_MS, NULL);
}

/*
 * Must the job end now, whatever its tasks say?  Adds the end when so.
 * The causes are a request (cancel, a refused create, a stop asked for by a
 * member), the clock, and a partner that is gone for too long.
 */
static bool
ends_early(struct maker *k)
{
	const struct plan_job	*j = k->job;

	if (j->cancel_signal) {
		set_job(k, status_is_interrupt(j->cancel_status) ?
		    j->cancel_status : STATUS_CANCELED, j->reason);
		return true;
	}
	if (j->running_ms > j->timeout_ms) {
		set_job(k, STATUS_TIMEOUT, say(k, "ran longer than its limit "
		    "of %lld s", (long long)(j->timeout_ms / 1000)));
		return true;
	}
	if (j->status != STATUS_RUNNING &&
	    j->waiting_ms > j->queue_timeout_ms) {
		set_job(k, STATUS_TIMEOUT, say(k, "waited longer than %lld s "
		    "to start; last: %s", (long long)
		    (j->queue_timeout_ms / 1000),
		    j->reason == NULL ? "(nothing)" : j->reason));
		return true;
	}
	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member	*pm = &j->members[m];

		if (j->status != STATUS_RUNNING || !pm->away ||
		    pm->away_ms <= j->lost_partner_ms)
			continue;
		set_job(k, STATUS_FAILED, say(k, "%s %s has not answered for "
		    "%lld s: %s", pm->role, pm->party,
		    (long long)(pm->away_ms / 1000), words(pm, "no answer")));
		return true;
	}
	return false;
}

/* --- before the start ---------------------------------------------------------- */

static bool
plan_create(struct maker *k)
{
	const struct plan_job	*j = k->job;
	bool			 all = true;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member	*pm = &j->members[m];

		if (pm->created)
			continue;
		all = false;
		command(k, PLAN_CREATE, m, j->status, NULL);
		if (pm->away)
			wait_for(k, AWAY_AGAIN_MS, say(k, "%s %s cannot be "
			    "reached to create the job: %s", pm->role,
			    pm->party, words(pm, "no answer")));
	}
	return all;
}

static int64_t
apply_again_ms(const struct plan_job *j)
{
	int64_t	ms = j->waiting_ms / 8;

	if (ms < APPLY_AGAIN_MIN_MS)
		return APPLY_AGAIN_MIN_MS;
	return ms > APPLY_AGAIN_MAX_MS ? APPLY_AGAIN_MAX_MS : ms;
}

/*
 * Somebody refused or cannot be asked: whoever granted gets its resources
 * back, so that other jobs can use them, and the job waits its turn.
 */
static void
plan_turn_back(struct maker *k, const struct plan_member *cause_of_it)
{
	const struct plan_job	*j = k->job;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member	*pm = &j->members[m];

		/* Some run already, the reservation of another ran out
		 * before its start and is refused now: holding on could
		 * block both jobs for ever. */
		if (pm->started && cause_of_it->refused) {
			set_job(k, STATUS_FAILED, say(k, "%s %s had started "
			    "when %s %s could no longer: %s", pm->role,
			    pm->party, cause_of_it->role, cause_of_it->party,
			    words(cause_of_it, "refused")));
			return;
		}
		if (pm->reserved && !pm->started)
			command(k, PLAN_RETURN, m, j->status, NULL);
	}
	wait_for(k, cause_of_it->refused ? apply_again_ms(j) : AWAY_AGAIN_MS,
	    say(k, "%s %s %s: %s", cause_of_it->role, cause_of_it->party,
	    cause_of_it->refused ? "has not enough free" :
	    "cannot be reached to reserve resources",
	    words(cause_of_it, "no answer")));
}

static int
compare_members(const struct plan_member *a, const struct plan_member *b)
{
	int	r = strcmp(a->party, b->party);

	return r != 0 ? r : strcmp(a->role, b->role);
}

/* Is m the first, in the order all sites share, of those not reserved? */
static bool
is_next_in_order(const struct plan_job *j, size_t m)
{
	for (size_t i = 0; i < j->nmembers; i++)
		if (!j->members[i].reserved && !j->members[i].started &&
		    compare_members(&j->members[i], &j->members[m]) < 0)
			return false;
	return true;
}

static bool
plan_apply(struct maker *k)
{
	const struct plan_job	*j = k->job;
	const struct plan_member *obstacle = NULL;
	bool			 all = true;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member	*pm = &j->members[m];

		if (pm->reserved || pm->started)
			continue;
		all = false;
		/* A refusal says more than silence. */
		if (pm->refused && (obstacle == NULL || !obstacle->refused))
			obstacle = pm;
		else if (pm->away && obstacle == NULL)
			obstacle = pm;
	}
	if (obstacle != NULL) {
		plan_turn_back(k, obstacle);
		return false;
	}
	if (!all && j->yield_to != NULL) {
		wait_for(k, apply_again_ms(j), say(k, "job %s waits for the "
		    "same party since longer ago", j->yield_to));
		return false;
	}
	for (size_t m = 0; m < j->nmembers && !all; m++)
		if (!j->members[m].reserved && !j->members[m].started &&
		    (!j->apply_in_order || is_next_in_order(j, m)))
			command(k, PLAN_APPLY, m, j->status, NULL);
	return all;
}

/* create, apply, start: true when every member has started the job. */
static bool
plan_begin(struct maker *k)
{
	const struct plan_job	*j = k->job;
	bool			 all = true;

	for (size_t m = 0; m < j->nmembers; m++)
		if (!j->members[m].started)
			all = false;
	if (all)
		return true;
	if (!plan_create(k) || !plan_apply(k))
		return false;
	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member	*pm = &j->members[m];

		if (pm->started)
			continue;
		command(k, PLAN_START, m, j->status, NULL);
		if (pm->away)
			wait_for(k, AWAY_AGAIN_MS, say(k, "%s %s cannot be "
			    "reached to start: %s", pm->role, pm->party,
			    words(pm, "no answer")));
	}
	return false;
}

/* --- tasks ------------------------------------------------------------------------ */

/* A new version exists at some members only: the others get it too. */
static void
complete_version(struct maker *k, size_t c)
{
	const struct plan_component	*comp = &k->job->components[c];

	for (size_t i = 0; i < comp->nrows; i++)
		if (comp->rows[i].version < k->views[c].version)
			task_command(k, PLAN_TASK_CREATE, c, &comp->rows[i],
			    NULL);
}

/*
 * Another try after a bad end.  It waits for the old version to be over at
 * every member, so that two versions never run side by side.
 */
static void
plan_retry(struct maker *k, size_t c)
{
	const struct plan_component	*comp = &k->job->components[c];
	int64_t				 wait_ms = 0, left;

	if (!k->views[c].tidy)
		return;
	for (size_t i = 0; i < comp->nrows; i++) {
		left = comp->rows[i].retry_delay_ms - comp->rows[i].ended_ms;
		if (comp->rows[i].ended_ms >= 0 && left > wait_ms)
			wait_ms = left;
	}
	if (wait_ms > 0) {
		wait_for(k, wait_ms, NULL);
		return;
	}
	k->views[c].version++;
	complete_version(k, c);
}

static void
start_rows(struct maker *k, size_t c)
{
	const struct plan_component	*comp = &k->job->components[c];

	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row	*r = &comp->rows[i];

		if (status_is_end(r->party_status))
			continue;
		if (!r->start_acked)
			task_command(k, PLAN_TASK_START, c, r, NULL);
		else if (r->silent)
			task_command(k, PLAN_TASK_COLLECT, c, r, NULL);
	}
}

static bool
upstream_succeeded(const struct maker *k, size_t c)
{
	const struct plan_component	*comp = &k->job->components[c];

	for (size_t i = 0; i < comp->nupstream; i++)
		if (!status_is_success(k->views[comp->upstream[i]].verdict))
			return false;
	return true;
}

/* Start what may run; true when something is or will be running. */
static bool
plan_starts(struct maker *k)
{
	const struct plan_job	*j = k->job;
	bool			 interrupted = false, more = false;
	int			 running = 0;

	for (size_t c = 0; c < j->ncomponents; c++) {
		const struct view	*v = &k->views[c];

		if (v->retry)
			more = true;
		else if (status_is_interrupt(v->verdict))
			interrupted = true;
		if (v->verdict == STATUS_RUNNING)
			running++;
	}
	for (size_t c = 0; c < j->ncomponents; c++) {
		struct view	*v = &k->views[c];

		if (v->verdict == STATUS_WAITING && !interrupted &&
		    v->complete && upstream_succeeded(k, c)) {
			more = true;
			if (running >= j->task_parallelism)
				continue;
			running++;
			v->verdict = STATUS_RUNNING;
		}
		if (!v->complete && !interrupted)
			more = true;
	}
	return more || running > 0;
}

static void
end_by_verdict(struct maker *k, bool more)
{
	const struct plan_job	*j = k->job;
	enum status		*statuses, verdict;
	const char		*why = NULL;

	statuses = arena_alloc(k->plan->arena,
	    j->ncomponents * sizeof(*statuses) + 1);
	for (size_t c = 0; c < j->ncomponents; c++)
		statuses[c] = k->views[c].retry ? STATUS_WAITING :
		    k->views[c].verdict;
	verdict = job_verdict(statuses, j->ncomponents, more);
	if (!status_is_end(verdict))
		return;
	for (size_t c = 0; c < j->ncomponents && why == NULL; c++)
		if (k->views[c].verdict == verdict &&
		    status_is_interrupt(verdict))
			why = say(k, "%s %s at %s", j->components[c].name,
			    status_name(verdict), cause(k, c));
	set_job(k, verdict, why);
}

static void
plan_progress(struct maker *k)
{
	const struct plan_job	*j = k->job;
	size_t			 ended = 0;
	int			 progress;

	for (size_t c = 0; c < j->ncomponents; c++)
		if (status_is_end(k->views[c].verdict) && !k->views[c].retry)
			ended++;
	progress = j->ncomponents == 0 ? 100 :
	    (int)(100 * ended / j->ncomponents);
	if (progress > j->progress)
		add(k, PLAN_SET_PROGRESS)->progress = progress;
}

static void
plan_run(struct maker *k)
{
	const struct plan_job	*j = k->job;
	bool			 more = plan_starts(k);

	for (size_t c = 0; c < j->ncomponents; c++) {
		spread(k, c);
		if (!k->views[c].complete)
			complete_version(k, c);
		else if (k->views[c].retry)
			plan_retry(k, c);
		else if (k->views[c].verdict == STATUS_RUNNING)
			start_rows(k, c);
	}
	plan_progress(k);
	end_by_verdict(k, more);
}

void
plan_make(struct plan *p, const struct plan_job *j)
{
	struct maker	 k = { .plan = p, .job = j };

	p->n = 0;
	arena_reset(p->arena);
	k.views = arena_alloc(p->arena, j->ncomponents * sizeof(*k.views) + 1);
	for (size_t c = 0; c < j->ncomponents; c++)
		look_at(&k, c);
	if (status_is_end(j->status)) {
		plan_end(&k);
		return;
	}
	if (ends_early(&k))
		return;
	if (!plan_begin(&k))
		return;
	if (j->status != STATUS_RUNNING)
		set_job(&k, STATUS_RUNNING, NULL);
	plan_run(&k);
}
