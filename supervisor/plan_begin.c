/*
 * From submitted to running: all members have the job, all reserve, all start.
 */
#include "supervisor/plan_private.h"

#include <string.h>

/* How often a waiting job asks again: an eighth of its age, within these. */
#define APPLY_AGAIN_MIN_MS 200
#define APPLY_AGAIN_MAX_MS 5000
/* Who approves is told of at once; this is the net. */
#define APPROVAL_AGAIN_MS 30000

void
plan_wait_for_away(
    struct plan_maker *k, const struct plan_member *m, const char *what)
{
	const char *text = plan_say(k, "%s %s cannot be reached to %s: %s",
	    m->role, m->party, what, plan_words(m, "no answer"));

	plan_wait(k, PLAN_AWAY_AGAIN_MS, text);
	wait_set(plan_wait_is(k, WAIT_PARTNER_UNREACHABLE, m, text),
	    WAIT_N_AWAY_MS, m->away_ms);
}

/* Member m refuses for now, in its words. */
static void
wait_for_refusal(struct plan_maker *k, const struct plan_member *m,
    enum wait_code otherwise, int64_t delay_ms, const char *text)
{
	struct wait *w = plan_wait_is(k,
	    m->refusal.code != WAIT_NONE ? m->refusal.code : otherwise, m,
	    text);

	if (m->refusal.code != WAIT_NONE) {
		w->have = m->refusal.have;
		memcpy(w->n, m->refusal.n, sizeof(w->n));
	}
	plan_wait(k, delay_ms, text);
}

/* All is on its way to members: how far they are. */
static void
wait_for_members(struct plan_maker *k, enum wait_code code)
{
	const struct plan_job *j = k->job;
	const struct plan_member *first = NULL;
	int64_t ready = 0;
	struct wait *w;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];
		bool done = pm->started ||
			    (code == WAIT_CREATING && pm->created) ||
			    (code == WAIT_RESERVING && pm->reserved);

		if (done)
			ready++;
		else if (first == NULL)
			first = pm;
	}
	w = plan_wait_is(k, code, first, NULL);
	wait_set(w, WAIT_N_MEMBERS, (int64_t)j->nmembers);
	wait_set(w, WAIT_N_READY, ready);
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
plan_create(struct plan_maker *k)
{
	const struct plan_job *j = k->job;
	bool all = true;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];

		if (pm->created)
			continue;
		all = false;
		if (pm->away)
			plan_wait_for_away(k, pm, "create the job");
		else if (plan_has_text(pm->error))
			/* Not yet: somebody has to approve it there. */
			wait_for_refusal(k, pm, WAIT_PARTNER_BUSY,
			    PLAN_AWAY_AGAIN_MS,
			    plan_say(k, "%s %s: %s", pm->role, pm->party,
				pm->error));
		else
			plan_to_member(k,
			    has_reruns(j) && !pm->unknown ? PLAN_REOPEN
							  : PLAN_CREATE,
			    m, STATE_WAITING, NULL);
	}
	if (!all)
		wait_for_members(k, WAIT_CREATING);
	return all;
}

/* New versions go to the members that lack them; true when none does. */
bool
plan_task_create(struct plan_maker *k)
{
	bool all = true;

	for (size_t c = 0; c < k->job->ncomponents; c++) {
		const struct plan_component *comp = &k->job->components[c];

		for (size_t i = 0; i < comp->nrows; i++) {
			if (!plan_needs_create(k, comp, &comp->rows[i]))
				continue;
			all = false;
			plan_to_task(
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
 * It was to begin with what it granted, and no answer came: what is held here
 * stays held until it says.
 */
static void
plan_hold(struct plan_maker *k, const struct plan_member *in_doubt)
{
	const struct plan_job *j = k->job;

	for (size_t m = 0; m < j->nmembers; m++)
		if (j->members[m].is_local && j->members[m].reserved &&
		    !j->members[m].started)
			plan_to_member(k, PLAN_START, m, j->status, NULL);
	plan_wait_for_away(k, in_doubt, "reserve resources");
}

/*
 * Somebody refused or cannot be asked: whoever granted gets its resources
 * back, so that other jobs can use them, and the job waits its turn.
 */
static void
plan_turn_back(struct plan_maker *k, const struct plan_member *obstacle)
{
	const struct plan_job *j = k->job;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];

		/*
		 * Some run already; another's reservation ran out before its
		 * start and is refused now.  Holding on to what runs could
		 * block two such jobs for ever.  Here nothing runs yet.
		 */
		if (pm->started && !pm->is_local && obstacle->refused) {
			plan_set_job(k, STATE_FAILED,
			    plan_say(k,
				"%s %s had started "
				"when %s %s no longer could: %s",
				pm->role, pm->party, obstacle->role,
				obstacle->party,
				plan_words(obstacle, "refused")));
			return;
		}
		if (pm->reserved && (!pm->started || pm->is_local))
			plan_to_member(k, PLAN_RETURN, m, j->status, NULL);
	}
	if (obstacle->refused && obstacle->refusal.code == WAIT_APPROVAL)
		wait_for_refusal(k, obstacle, WAIT_APPROVAL, APPROVAL_AGAIN_MS,
		    plan_say(k, "%s %s %s", obstacle->role, obstacle->party,
			plan_words(obstacle, "waits for an approval")));
	else if (obstacle->refused)
		wait_for_refusal(k, obstacle, WAIT_WAITING_RESOURCES,
		    apply_again_ms(j),
		    plan_say(k, "waits for resources of %s %s: %s",
			obstacle->role, obstacle->party,
			plan_words(obstacle, "not enough free")));
	else
		plan_wait_for_away(k, obstacle, "reserve resources");
}

/* Party ids are numbers. */
static int
compare_members(const struct plan_member *a, const struct plan_member *b)
{
	size_t n = strlen(a->party), o = strlen(b->party);
	int r = strcmp(a->party, b->party);

	if (n != o)
		return n < o ? -1 : 1;
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
begins_at(const struct plan_component *comp, size_t m)
{
	for (size_t i = 0; i < comp->nrows; i++)
		if (comp->rows[i].member == m)
			return comp->rows[i].party_status == STATE_WAITING &&
			       !comp->rows[i].start_acked;
	return false;
}

/* Of such no task begins until the job runs: it may still come to nothing. */
static bool
is_again(const struct plan_job *j)
{
	return has_reruns(j) || state_is_end(j->undo_to);
}

/*
 * What plan_run() would start first, a request later.  All have signed and
 * reserved, so a member that starts need not wait for the others' word.  Where
 * another member has begun by now, with a start that this one did not hear,
 * what runs there comes first here, too, and after a bad end there nothing.
 */
static void
begin_with(struct plan_maker *k, struct plan_action *start)
{
	const struct plan_job *j = k->job;
	int left = j->task_parallelism;

	for (size_t c = 0; c < j->ncomponents; c++) {
		if (state_is_interrupt(k->views[c].verdict))
			return;
		left -= k->views[c].verdict == STATE_RUNNING;
	}
	start->starts = arena_alloc(
	    k->plan->arena, j->ncomponents * sizeof(*start->starts) + 1);
	for (size_t c = 0; c < j->ncomponents; c++) {
		enum state verdict = k->views[c].verdict;

		if (verdict == STATE_WAITING && left > 0 &&
		    plan_upstream_succeeded(k, c))
			left--;
		else if (verdict != STATE_RUNNING)
			continue;
		if (begins_at(&j->components[c], start->member))
			start->starts[start->nstarts++] = c;
	}
}

/*
 * A member for which nobody else is waited for.  A partner looks for its own
 * signature itself, and begins when all others are of this site: they start
 * once it has answered, and nobody has begun who may have to be stopped.
 */
static bool
begins_with_grant(const struct plan_job *j, size_t m)
{
	bool is_local = j->members[m].is_local;

	for (size_t i = 0; i < j->nmembers; i++) {
		const struct plan_member *pm = &j->members[i];

		if (!pm->is_signed && (i != m || is_local))
			return false;
		if (i != m && ((!pm->reserved && !pm->started) ||
				  (!pm->is_local && !is_local)))
			return false;
	}
	return is_local || !is_again(j);
}

/*
 * An own member whose grant is the last word of this site: what is left is one
 * partner, which begins with its own.  It starts with what it is granted, for
 * that is a row: whoever has the job after a kill between the question and the
 * answer knows by it that the partner may have begun.
 */
static bool
asks_to_begin_next(const struct plan_job *j, size_t m)
{
	size_t partners = 0;

	if (!j->apply_in_order || is_again(j) || !j->members[m].is_local)
		return false;
	for (size_t i = 0; i < j->nmembers; i++) {
		const struct plan_member *pm = &j->members[i];

		partners += !pm->is_local;
		if (pm->is_local &&
		    (!pm->is_signed ||
			(i != m && !pm->reserved && !pm->started)))
			return false;
	}
	return partners == 1;
}

static void
plan_apply_to(struct plan_maker *k, size_t m)
{
	struct plan_action *a;
	size_t n = k->plan->n;

	plan_to_member(k, PLAN_APPLY, m, k->job->status, NULL);
	if (k->plan->n == n)
		return;
	a = &k->plan->actions[n];
	a->begins =
	    begins_with_grant(k->job, m) || asks_to_begin_next(k->job, m);
	if (a->begins && !k->job->members[m].is_local)
		begin_with(k, a);
}

static bool
plan_apply(struct plan_maker *k)
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
		if (obstacle->in_doubt && !obstacle->refused)
			plan_hold(k, obstacle);
		else
			plan_turn_back(k, obstacle);
		return false;
	}
	if (!all && j->yield_to != NULL) {
		const char *text = plan_say(k,
		    "job %s waits for the same party since longer ago",
		    j->yield_to);
		struct wait *w;

		plan_wait(k, apply_again_ms(j), text);
		w = plan_wait_is(k, WAIT_TURN, NULL, text);
		w->on = j->yield_to;
		w->party = j->yield_at;
		return false;
	}
	for (size_t m = 0; m < j->nmembers && !all; m++)
		if (!j->members[m].reserved && !j->members[m].started &&
		    (!j->apply_in_order || is_next_in_order(j, m)))
			plan_apply_to(k, m);
	if (!all)
		wait_for_members(k, WAIT_RESERVING);
	return all;
}

/* What this site stands for goes out with its signature. */
static void
plan_sign(struct plan_maker *k)
{
	const struct plan_job *j = k->job;

	for (size_t m = 0; m < j->nmembers; m++)
		if (j->members[m].is_local && !j->members[m].is_signed)
			plan_add(k, PLAN_SIGN)->member = m;
}

/*
 * Nobody starts before all have signed.  A signature comes with the answer to
 * apply, or by itself as soon as it is made; asking again is the net below.
 */
static bool
plan_signed(struct plan_maker *k)
{
	const struct plan_job *j = k->job;
	bool all = true;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];

		if (pm->is_signed || pm->is_local)
			continue;
		all = false;
		if (!pm->is_signing)
			plan_to_member(k, PLAN_APPLY, m, j->status, NULL);
		if (pm->away)
			plan_wait_for_away(k, pm, "sign the contract");
	}
	return all;
}

static void
plan_start(struct plan_maker *k, size_t m)
{
	const struct plan_job *j = k->job;
	size_t n = k->plan->n;

	plan_to_member(k, PLAN_START, m, j->status, NULL);
	if (k->plan->n > n && !j->members[m].is_local && !is_again(j))
		begin_with(k, &k->plan->actions[n]);
}

/*
 * Who has not started does.  When that is this site's own members alone they
 * start with the job itself (rows.c): true.
 */
static bool
plan_start_all(struct plan_maker *k)
{
	const struct plan_job *j = k->job;
	size_t n = k->plan->n, left = 0;
	bool here = true;

	for (size_t m = 0; m < j->nmembers; m++) {
		if (j->members[m].started)
			continue;
		left++;
		here &= j->members[m].is_local;
		plan_start(k, m);
		if (j->members[m].away)
			plan_wait_for_away(k, &j->members[m], "start the job");
	}
	return here && k->plan->n - n == left;
}

/*
 * create, apply, start: true when every member has started the job, or does
 * with this plan.
 */
bool
plan_begin(struct plan_maker *k)
{
	const struct plan_job *j = k->job;
	bool all = true;

	for (size_t m = 0; m < j->nmembers; m++)
		all &= j->members[m].started;
	if (all)
		return true;
	plan_sign(k);
	if (!plan_create(k))
		return false;
	if (!plan_task_create(k)) {
		(void)plan_wait_is(k, WAIT_CREATING, NULL, NULL);
		return false;
	}
	if (!plan_apply(k) || !plan_signed(k))
		return false;
	if (plan_start_all(k))
		return true;
	wait_for_members(k, WAIT_STARTING);
	return false;
}
