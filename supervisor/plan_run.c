/*
 * The tasks of a running job: what starts, what is tried again, what the
 * job comes to.
 */
#include "supervisor/plan_private.h"

#include <string.h>

/* A later try waits twice as long as the one before, up to this. */
#define BACK_OFF_DOUBLINGS 6
#define BACK_OFF_MAX_MS (3600 * INT64_C(1000))

/* FNV-1a: not always the same, but the same for the same snapshot. */
static uint32_t
hash_of(uint32_t h, const char *text)
{
	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * 16777619u;
	return h;
}

/*
 * The delay of this try: the one asked for, doubled with each version, and up
 * to a quarter more, so that what failed together does not come back together.
 */
static int64_t
back_off_ms(const struct plan_maker *k, const struct plan_component *comp,
    int64_t delay_ms)
{
	int n = comp->version < BACK_OFF_DOUBLINGS ? comp->version
						   : BACK_OFF_DOUBLINGS;
	uint32_t h = hash_of(hash_of(2166136261u, k->job->job_id), comp->name);

	if (delay_ms > BACK_OFF_MAX_MS)
		return delay_ms;
	delay_ms <<= n;
	if (delay_ms > BACK_OFF_MAX_MS)
		delay_ms = BACK_OFF_MAX_MS;
	h = (h ^ (uint32_t)comp->version) * 16777619u;
	return delay_ms + delay_ms / 4 * (h % 256) / 256;
}

/*
 * Another try after a bad end.  It waits for the old version to be over at
 * every member, so that two versions never run side by side.
 */
static void
plan_retry(struct plan_maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];
	int64_t wait_ms = 0, left;

	if (!k->views[c].tidy)
		return;
	for (size_t i = 0; i < comp->nrows; i++) {
		left = back_off_ms(k, comp, comp->rows[i].retry_delay_ms) -
		       comp->rows[i].ended_ms;
		if (left > wait_ms)
			wait_ms = left;
	}
	k->views[c].retry_ms = wait_ms;
	if (wait_ms > 0)
		plan_wait(k, wait_ms,
		    plan_say(k, "%s is tried again: %s", comp->name,
			plan_cause(k, c)));
	else
		plan_add(k, PLAN_RERUN)->component = c;
}

static void
start_rows(struct plan_maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];

	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];

		if (state_is_end(r->party_status))
			continue;
		if (!r->start_acked)
			plan_to_task(k, PLAN_TASK_START, c, r, NULL);
		else if (r->silent)
			plan_to_task(k, PLAN_TASK_COLLECT, c, r, NULL);
	}
}

/*
 * Mark what may start now as running; true when something runs or will.
 * After a bad end nothing new starts, unless that end is tried again.
 */
static bool
choose_starts(struct plan_maker *k)
{
	const struct plan_job *j = k->job;
	bool more = false;

	for (size_t c = 0; c < j->ncomponents; c++) {
		const struct plan_view *v = &k->views[c];

		if (v->retry)
			more = true;
		else if (state_is_interrupt(v->verdict))
			k->interrupted = true;
		if (v->verdict == STATE_RUNNING)
			k->running++;
	}
	for (size_t c = 0; c < j->ncomponents && !k->interrupted; c++) {
		struct plan_view *v = &k->views[c];

		if (v->verdict != STATE_WAITING ||
		    !plan_upstream_succeeded(k, c))
			continue;
		more = true;
		if (k->running < j->task_parallelism && v->created) {
			k->running++;
			v->verdict = STATE_RUNNING;
		}
	}
	return more || k->running > 0;
}

/* Every member has staged its half of the model, if the job makes one. */
static bool
plan_model(struct plan_maker *k)
{
	const struct plan_job *j = k->job;
	bool all = true;

	for (size_t m = 0; j->makes_model && m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];

		if (pm->staged || strcmp(pm->role, "local") == 0)
			continue;
		all = false;
		plan_to_member(k, PLAN_MODEL, m, j->status, NULL);
		if (pm->away)
			plan_wait_for_away(k, pm, "stage the model");
	}
	return all;
}

static void
end_by_verdict(struct plan_maker *k, bool more)
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
		plan_add(k, PLAN_SET_PROGRESS)->progress = progress;
	verdict = state_job_verdict(tasks, j->ncomponents,
	    more ? STATE_HAVE_NEXT : STATE_NO_NEXT, false);
	if (!state_is_end(verdict))
		return;
	/* What all members are to have or none comes before the success. */
	if (verdict == STATE_SUCCESS && !plan_model(k))
		return;
	for (size_t c = 0; c < j->ncomponents && why == NULL; c++)
		if (tasks[c] == verdict && state_is_interrupt(verdict))
			why = plan_say(k, "%s %s at %s", j->components[c].name,
			    state_name(verdict), plan_cause(k, c));
	plan_set_job(k, verdict, why);
}

void
plan_run(struct plan_maker *k)
{
	const struct plan_job *j = k->job;
	bool more = choose_starts(k);

	(void)plan_task_create(k);
	for (size_t c = 0; c < j->ncomponents; c++) {
		plan_spread(k, c);
		if (k->views[c].retry)
			plan_retry(k, c);
		else if (k->views[c].verdict == STATE_RUNNING)
			start_rows(k, c);
	}
	end_by_verdict(k, more);
}
