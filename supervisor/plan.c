/*
 * The planning core of the scheduler: which commands and changes of rows a
 * job lacks.  Called by scheduler.c with a fresh snapshot; knows no clock and
 * no database.
 */
#include "supervisor/plan.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

/* How often a waiting job asks again: an eighth of its age, within these. */
#define APPLY_AGAIN_MIN_MS 200
#define APPLY_AGAIN_MAX_MS 5000
/* A partner that does not answer is looked at again after this long. */
#define AWAY_AGAIN_MS 1000

/* What a component's rows amount to. */
struct view {
	enum state verdict; /* in effect once this plan is done */
	bool created;	    /* all members have this version */
	bool tidy;	    /* all ended and told the verdict */
	bool retry;	    /* ended badly, another try is due */
};

struct maker {
	struct plan *plan;
	const struct plan_job *job;
	struct view *views; /* one a component */
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
	const char *name;
	bool is_command, is_task;
} verbs[] = {
	[PLAN_SET_VERDICT] = { "set verdict", false, true },
	[PLAN_SET_JOB] = { "set job", false, false },
	[PLAN_SET_PARTY] = { "set party", false, true },
	[PLAN_SET_PROGRESS] = { "set progress", false, false },
	[PLAN_WAIT] = { "wait", false, false },
	[PLAN_RERUN] = { "rerun", false, true },
	[PLAN_SETTLE] = { "settle", false, false },
	[PLAN_CREATE] = { "create", true, false },
	[PLAN_REOPEN] = { "reopen", true, false },
	[PLAN_APPLY] = { "resource apply", true, false },
	[PLAN_RETURN] = { "resource return", true, false },
	[PLAN_START] = { "start", true, false },
	[PLAN_MODEL] = { "model", true, false },
	[PLAN_END] = { "end", true, false },
	[PLAN_TASK_CREATE] = { "task create", true, true },
	[PLAN_TASK_START] = { "task start", true, true },
	[PLAN_TASK_STATUS] = { "task status", true, true },
	[PLAN_TASK_STOP] = { "task stop", true, true },
	[PLAN_TASK_COLLECT] = { "task collect", true, true },
};

const char *
plan_verb_name(enum plan_verb verb)
{
	return verbs[verb].name;
}

bool
plan_is_command(enum plan_verb verb)
{
	return verbs[verb].is_command;
}

bool
plan_is_task_command(enum plan_verb verb)
{
	return verbs[verb].is_command && verbs[verb].is_task;
}

/* --- adding actions --------------------------------------------------- */

static struct plan_action *
add(struct maker *k, enum plan_verb verb)
{
	struct plan *p = k->plan;
	struct plan_action *a;

	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 16 : 2 * p->cap;
		p->actions = xrealloc(p->actions, p->cap * sizeof(*a));
	}
	a = &p->actions[p->n++];
	memset(a, 0, sizeof(*a));
	a->verb = verb;
	a->status = STATE_NONE;
	return a;
}

static void
set_job(struct maker *k, enum state status, const char *reason)
{
	struct plan_action *a = add(k, PLAN_SET_JOB);

	a->status = status;
	a->reason = reason;
}

static void
wait_for(struct maker *k, int64_t delay_ms, const char *reason)
{
	struct plan_action *a = add(k, PLAN_WAIT);

	a->delay_ms = delay_ms;
	a->reason = reason;
}

/* A command to member m, unless one is under way or its site is away. */
static void
command(struct maker *k, enum plan_verb verb, size_t m, enum state status,
    const char *reason)
{
	const struct plan_member *member = &k->job->members[m];
	struct plan_action *a;

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
	struct plan_action *a;

	if (row->busy || k->job->members[row->member].away)
		return;
	a = add(k, verb);
	a->member = row->member;
	a->component = c;
	a->status = k->views[c].verdict;
	a->reason = reason;
}

static const char *say(struct maker *k, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static const char *
say(struct maker *k, const char *fmt, ...)
{
	va_list ap;
	char *s;
	const char *kept;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	kept = arena_strdup(k->plan->arena, s);
	free(s);
	return kept;
}

static bool
has_text(const char *s)
{
	return s != NULL && *s != '\0';
}

static const char *
words(const struct plan_member *m, const char *otherwise)
{
	return has_text(m->error) ? m->error : otherwise;
}

/* --- causes ------------------------------------------------------------- */

/*
 * A cause names its party once: what another member was already given as the
 * cause ("host 10000: …") is passed on as it is.
 */
static const char *
cause_of_row(struct maker *k, const struct plan_row *row)
{
	const struct plan_job *j = k->job;
	const struct plan_member *m = &j->members[row->member];
	const char *label;

	/* A task that never began ended because the job did. */
	if (has_text(row->error) && has_text(j->reason) &&
	    strcmp(row->error, j->reason) == 0)
		return row->error;
	for (size_t i = 0; i < j->nmembers && has_text(row->error); i++) {
		label =
		    say(k, "%s %s: ", j->members[i].role, j->members[i].party);
		if (str_starts(row->error, label))
			return row->error;
	}
	return say(k, "%s %s: %s", m->role, m->party,
	    has_text(row->error) ? row->error : state_name(row->party_status));
}

/* Why component c ended as its verdict says; NULL when all is well. */
static const char *
cause(struct maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];
	const struct plan_row *found = NULL;

	if (!state_is_interrupt(k->views[c].verdict))
		return NULL;
	/* The first with words; without any, the first. */
	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];

		if (r->party_status == k->views[c].verdict &&
		    (found == NULL ||
			(has_text(r->error) && !has_text(found->error))))
			found = r;
	}
	if (found != NULL)
		return cause_of_row(k, found);
	return has_text(k->job->reason) ? k->job->reason : "cause not known";
}

/* --- views -------------------------------------------------------------- */

static enum state
verdict_of(struct maker *k, const struct plan_component *comp)
{
	struct state_member *said;
	enum state verdict;

	if (state_is_end(comp->status))
		return comp->status;
	said = arena_alloc(k->plan->arena, comp->nrows * sizeof(*said) + 1);
	for (size_t i = 0; i < comp->nrows; i++) {
		said[i].state = comp->rows[i].party_status;
		said[i].is_id_mapping =
		    strcmp("idmapping",
			k->job->members[comp->rows[i].member].role) == 0;
	}
	verdict = state_task_verdict(said, comp->nrows);
	/* What was started is not waiting again, whoever is still to do it. */
	return verdict == STATE_WAITING ? comp->status : verdict;
}

/* A version after the first is made by task create; others by job create. */
static bool
needs_create(const struct maker *k, const struct plan_component *comp,
    const struct plan_row *r)
{
	return comp->version > 0 && r->acked == STATE_NONE &&
	       !k->job->members[r->member].is_local;
}

static void
look_at(struct maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];
	struct view *v = &k->views[c];

	v->verdict = verdict_of(k, comp);
	v->created = v->tidy = true;
	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];

		if (needs_create(k, comp, r))
			v->created = false;
		if (!state_is_end(r->party_status) || r->acked != v->verdict)
			v->tidy = false;
		if ((v->verdict == STATE_FAILED ||
			v->verdict == STATE_TIMEOUT) &&
		    r->auto_retries > 0)
			v->retry = true;
	}
}

/* --- the end ------------------------------------------------------------ */

static void
store_verdict(struct maker *k, size_t c, const char *why)
{
	struct plan_action *a;

	if (k->job->components[c].status == k->views[c].verdict)
		return;
	a = add(k, PLAN_SET_VERDICT);
	a->component = c;
	a->status = k->views[c].verdict;
	a->reason = why;
}

/*
 * Tell the members of component c how it ended.  Whoever still runs after a
 * bad end is stopped; the stop tells the verdict too.
 */
static void
spread(struct maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];
	const struct view *v = &k->views[c];
	const char *why = cause(k, c);

	store_verdict(k, c, why);
	if (!state_is_end(v->verdict))
		return;
	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];
		const struct plan_member *m = &k->job->members[r->member];
		bool over = state_is_end(r->party_status);

		/* A member that never had this version has nothing to end. */
		if (m->ended || needs_create(k, comp, r))
			continue;
		if (!over && (r->acked != v->verdict || r->silent))
			task_command(k, PLAN_TASK_STOP, c, r, why);
		else if (over && r->acked != v->verdict && !m->is_local)
			task_command(k, PLAN_TASK_STATUS, c, r, why);
	}
}

/*
 * A partner that ended the job ended its tasks too; what had not begun there
 * was canceled.  Local tasks say so themselves when their processes are gone.
 */
static void
close_rows(struct maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];

	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];
		const struct plan_member *m = &k->job->members[r->member];
		struct plan_action *a;

		if (!m->ended || m->is_local || state_is_end(r->party_status))
			continue;
		a = add(k, PLAN_SET_PARTY);
		a->component = c;
		a->member = r->member;
		a->status = r->start_acked ? k->job->status : STATE_CANCELED;
		a->reason = k->job->reason;
	}
}

/* Is a task's end still to be told to member m? */
static bool
owes_verdict(const struct maker *k, size_t m)
{
	for (size_t c = 0; c < k->job->ncomponents; c++) {
		const struct plan_component *comp = &k->job->components[c];

		if (!state_is_end(k->views[c].verdict))
			continue;
		for (size_t i = 0; i < comp->nrows; i++)
			if (comp->rows[i].member == m &&
			    comp->rows[i].acked != k->views[c].verdict &&
			    !needs_create(k, comp, &comp->rows[i]))
				return true;
	}
	return false;
}

/* The job ended: bring its end to every member, then settle. */
static void
plan_end(struct maker *k)
{
	const struct plan_job *j = k->job;
	bool settled = true;
	const struct plan_member *away = NULL;

	for (size_t c = 0; c < j->ncomponents; c++) {
		spread(k, c);
		close_rows(k, c);
	}
	for (size_t m = 0; m < j->nmembers; m++) {
		if (j->members[m].ended)
			continue;
		settled = false;
		/*
		 * The tasks' ends come first, they carry the causes.  A
		 * cancel has none to tell and should be quick.
		 */
		if (j->cancel_signal || !owes_verdict(k, m))
			command(k, PLAN_END, m, j->status, j->reason);
		if (j->members[m].away)
			away = &j->members[m];
	}
	for (size_t c = 0; c < j->ncomponents; c++)
		for (size_t i = 0; i < j->components[c].nrows; i++)
			if (!state_is_end(
				j->components[c].rows[i].party_status))
				settled = false;
	if (settled)
		(void)add(k, PLAN_SETTLE);
	else if (away != NULL)
		wait_for(k, AWAY_AGAIN_MS, NULL);
}

static bool
partner_is_lost(struct maker *k)
{
	const struct plan_job *j = k->job;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];

		if (!pm->away || pm->away_ms <= j->lost_partner_ms)
			continue;
		set_job(k, STATE_FAILED,
		    say(k,
			"%s %s has not answered for "
			"%lld s: %s",
			pm->role, pm->party, (long long)(pm->away_ms / 1000),
			words(pm, "no answer")));
		return true;
	}
	return false;
}

/*
 * Must the job end now, whatever its tasks say?  Adds the end when so.
 * The causes are a request (cancel, a refused create, a stop that a member
 * asked for), the clock, and a partner that is gone for too long.
 */
static bool
ends_early(struct maker *k)
{
	const struct plan_job *j = k->job;

	if (j->cancel_signal) {
		set_job(k,
		    state_is_interrupt(j->cancel_status) ? j->cancel_status
							 : STATE_CANCELED,
		    j->reason);
		return true;
	}
	if (j->running_ms > j->timeout_ms) {
		set_job(k, STATE_TIMEOUT,
		    say(k,
			"ran longer than its limit "
			"of %lld s",
			(long long)(j->timeout_ms / 1000)));
		return true;
	}
	if (j->status == STATE_RUNNING)
		return partner_is_lost(k);
	if (j->waiting_ms > j->queue_timeout_ms) {
		set_job(k, STATE_TIMEOUT,
		    say(k,
			"did not start within "
			"%lld s; last: %s",
			(long long)(j->queue_timeout_ms / 1000),
			has_text(j->reason) ? j->reason : "nothing"));
		return true;
	}
	return false;
}

/* --- before the start --------------------------------------------------- */

static void
wait_for_away(struct maker *k, const struct plan_member *m, const char *what)
{
	wait_for(k, AWAY_AGAIN_MS,
	    say(k, "%s %s cannot be reached to %s: %s", m->role, m->party, what,
		words(m, "no answer")));
}

static bool
has_reruns(const struct plan_job *j)
{
	for (size_t c = 0; c < j->ncomponents; c++)
		if (j->components[c].version > 0)
			return true;
	return false;
}

/* All members have the job, and every task's newest version. */
static bool
plan_create(struct maker *k)
{
	const struct plan_job *j = k->job;
	bool all = true;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];

		if (pm->created)
			continue;
		all = false;
		if (pm->away)
			wait_for_away(k, pm, "create the job");
		else if (has_text(pm->error))
			/* Not yet: somebody has to approve it there. */
			wait_for(k, AWAY_AGAIN_MS,
			    say(k, "%s %s: %s", pm->role, pm->party,
				pm->error));
		else
			command(k,
			    has_reruns(j) && !pm->unknown ? PLAN_REOPEN
							  : PLAN_CREATE,
			    m, STATE_WAITING, NULL);
	}
	return all;
}

/* New versions go to the members that lack them; true when none does. */
static bool
plan_task_create(struct maker *k)
{
	bool all = true;

	for (size_t c = 0; c < k->job->ncomponents; c++) {
		const struct plan_component *comp = &k->job->components[c];

		for (size_t i = 0; i < comp->nrows; i++) {
			if (!needs_create(k, comp, &comp->rows[i]))
				continue;
			all = false;
			task_command(
			    k, PLAN_TASK_CREATE, c, &comp->rows[i], NULL);
		}
	}
	return all;
}

static int64_t
apply_again_ms(const struct plan_job *j)
{
	int64_t ms = j->waiting_ms / 8;

	if (ms < APPLY_AGAIN_MIN_MS)
		return APPLY_AGAIN_MIN_MS;
	return ms > APPLY_AGAIN_MAX_MS ? APPLY_AGAIN_MAX_MS : ms;
}

/*
 * Somebody refused or cannot be asked: whoever granted gets its resources
 * back, so that other jobs can use them, and the job waits its turn.
 */
static void
plan_turn_back(struct maker *k, const struct plan_member *obstacle)
{
	const struct plan_job *j = k->job;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];

		/*
		 * Some run already; another's reservation ran out before its
		 * start and is refused now.  Holding on to what runs could
		 * block two such jobs for ever.
		 */
		if (pm->started && obstacle->refused) {
			set_job(k, STATE_FAILED,
			    say(k,
				"%s %s had started "
				"when %s %s no longer could: %s",
				pm->role, pm->party, obstacle->role,
				obstacle->party, words(obstacle, "refused")));
			return;
		}
		if (pm->reserved && !pm->started)
			command(k, PLAN_RETURN, m, j->status, NULL);
	}
	if (obstacle->refused)
		wait_for(k, apply_again_ms(j),
		    say(k,
			"waits for resources "
			"of %s %s: %s",
			obstacle->role, obstacle->party,
			words(obstacle, "not enough free")));
	else
		wait_for_away(k, obstacle, "reserve resources");
}

static int
compare_members(const struct plan_member *a, const struct plan_member *b)
{
	int r = strcmp(a->party, b->party);

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
	const struct plan_job *j = k->job;
	const struct plan_member *obstacle = NULL;
	bool all = true;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];

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
		wait_for(k, apply_again_ms(j),
		    say(k,
			"job %s waits for the "
			"same party since longer ago",
			j->yield_to));
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
	const struct plan_job *j = k->job;
	bool all = true;

	for (size_t m = 0; m < j->nmembers; m++)
		if (!j->members[m].started)
			all = false;
	if (all)
		return true;
	if (!plan_create(k) || !plan_task_create(k) || !plan_apply(k))
		return false;
	for (size_t m = 0; m < j->nmembers; m++) {
		if (j->members[m].started)
			continue;
		command(k, PLAN_START, m, j->status, NULL);
		if (j->members[m].away)
			wait_for_away(k, &j->members[m], "start the job");
	}
	return false;
}

/* --- tasks -------------------------------------------------------------- */

/*
 * Another try after a bad end.  It waits for the old version to be over at
 * every member, so that two versions never run side by side.
 */
static void
plan_retry(struct maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];
	int64_t wait_ms = 0, left;

	if (!k->views[c].tidy)
		return;
	for (size_t i = 0; i < comp->nrows; i++) {
		left = comp->rows[i].retry_delay_ms - comp->rows[i].ended_ms;
		if (left > wait_ms)
			wait_ms = left;
	}
	if (wait_ms > 0)
		wait_for(k, wait_ms,
		    say(k, "%s is tried again: %s", comp->name, cause(k, c)));
	else
		add(k, PLAN_RERUN)->component = c;
}

static void
start_rows(struct maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];

	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];

		if (state_is_end(r->party_status))
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
	const struct plan_component *comp = &k->job->components[c];

	for (size_t i = 0; i < comp->nupstream; i++)
		if (!state_is_success(k->views[comp->upstream[i]].verdict))
			return false;
	return true;
}

/*
 * Mark what may start now as running; true when something runs or will.
 * After a bad end nothing new starts, unless that end is tried again.
 */
static bool
choose_starts(struct maker *k)
{
	const struct plan_job *j = k->job;
	bool interrupted = false, more = false;
	int running = 0;

	for (size_t c = 0; c < j->ncomponents; c++) {
		const struct view *v = &k->views[c];

		if (v->retry)
			more = true;
		else if (state_is_interrupt(v->verdict))
			interrupted = true;
		if (v->verdict == STATE_RUNNING)
			running++;
	}
	for (size_t c = 0; c < j->ncomponents && !interrupted; c++) {
		struct view *v = &k->views[c];

		if (v->verdict != STATE_WAITING || !upstream_succeeded(k, c))
			continue;
		more = true;
		if (running < j->task_parallelism && v->created) {
			running++;
			v->verdict = STATE_RUNNING;
		}
	}
	return more || running > 0;
}

/* Every member has staged its half of the model, if the job makes one. */
static bool
plan_model(struct maker *k)
{
	const struct plan_job *j = k->job;
	bool all = true;

	for (size_t m = 0; j->makes_model && m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];

		if (pm->staged || strcmp(pm->role, "local") == 0)
			continue;
		all = false;
		command(k, PLAN_MODEL, m, j->status, NULL);
		if (pm->away)
			wait_for_away(k, pm, "stage the model");
	}
	return all;
}

static void
end_by_verdict(struct maker *k, bool more)
{
	const struct plan_job *j = k->job;
	enum state *tasks, verdict;
	const char *why = NULL;
	int progress;

	tasks =
	    arena_alloc(k->plan->arena, j->ncomponents * sizeof(*tasks) + 1);
	for (size_t c = 0; c < j->ncomponents; c++)
		tasks[c] =
		    k->views[c].retry ? STATE_WAITING : k->views[c].verdict;
	progress = state_progress(tasks, j->ncomponents);
	if (progress > j->progress)
		add(k, PLAN_SET_PROGRESS)->progress = progress;
	verdict = state_job_verdict(tasks, j->ncomponents,
	    more ? STATE_HAVE_NEXT : STATE_NO_NEXT, false);
	if (!state_is_end(verdict))
		return;
	/* What all members are to have or none comes before the success. */
	if (verdict == STATE_SUCCESS && !plan_model(k))
		return;
	for (size_t c = 0; c < j->ncomponents && why == NULL; c++)
		if (tasks[c] == verdict && state_is_interrupt(verdict))
			why = say(k, "%s %s at %s", j->components[c].name,
			    state_name(verdict), cause(k, c));
	set_job(k, verdict, why);
}

static void
plan_run(struct maker *k)
{
	const struct plan_job *j = k->job;
	bool more = choose_starts(k);

	(void)plan_task_create(k);
	for (size_t c = 0; c < j->ncomponents; c++) {
		spread(k, c);
		if (k->views[c].retry)
			plan_retry(k, c);
		else if (k->views[c].verdict == STATE_RUNNING)
			start_rows(k, c);
	}
	end_by_verdict(k, more);
}

void
plan_make(struct plan *p, const struct plan_job *j)
{
	struct maker k = { .plan = p, .job = j };

	p->n = 0;
	arena_reset(p->arena);
	k.views = arena_alloc(p->arena, j->ncomponents * sizeof(*k.views) + 1);
	for (size_t c = 0; c < j->ncomponents; c++)
		look_at(&k, c);
	if (state_is_end(j->status)) {
		plan_end(&k);
		return;
	}
	if (ends_early(&k) || !plan_begin(&k))
		return;
	if (j->status != STATE_RUNNING)
		set_job(&k, STATE_RUNNING, NULL);
	plan_run(&k);
}
