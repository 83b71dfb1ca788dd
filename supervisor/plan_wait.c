/*
 * Why tasks wait.  Runs last: it looks at what the rest of the plan decided.
 */
#include "supervisor/plan_private.h"

/* "a,b": what component c waits for. */
static const char *
missing(struct plan_maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];
	const char *names = "";

	for (size_t i = 0; i < comp->nupstream; i++) {
		size_t up = comp->upstream[i];

		if (!state_is_success(k->views[up].verdict))
			names = plan_say(k, "%s%s%s", names,
			    *names == '\0' ? "" : ",",
			    k->job->components[up].name);
	}
	return names;
}

/* Is a member that is to create this version away? */
static const struct plan_member *
creator_away(struct plan_maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];

	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];
		const struct plan_member *m = &k->job->members[r->member];

		if (m->away && plan_needs_create(k, comp, r))
			return m;
	}
	return NULL;
}

static struct wait
wait_for_creation(struct plan_maker *k, size_t c)
{
	const struct plan_member *m = creator_away(k, c);
	struct wait w =
	    wait_of(m == NULL ? WAIT_CREATING : WAIT_PARTNER_UNREACHABLE);

	if (m != NULL) {
		w.role = m->role;
		w.party = m->party;
		wait_set(&w, WAIT_N_AWAY_MS, m->away_ms);
	}
	return w;
}

static struct wait
wait_of_task(struct plan_maker *k, size_t c)
{
	const struct plan_view *v = &k->views[c];
	struct wait w;

	if (v->retry && v->stored && !k->ends) {
		w = wait_of(WAIT_RETRY_BACKOFF);
		wait_set(&w, WAIT_N_LEFT_MS, v->retry_ms);
		return w;
	}
	/* What runs or is to is said by the rows of its members. */
	if ((v->stored ? v->verdict : k->job->components[c].status) !=
	    STATE_WAITING)
		return wait_of(WAIT_NONE);
	if (k->ends || k->interrupted)
		return wait_of(WAIT_ENDING);
	if (!plan_upstream_succeeded(k, c)) {
		w = wait_of(WAIT_UPSTREAM);
		w.on = missing(k, c);
		return w;
	}
	if (!k->runs)
		return wait_of(WAIT_JOB_START);
	if (!v->created)
		return wait_for_creation(k, c);
	w = wait_of(WAIT_PARALLELISM_LIMIT);
	wait_set(&w, WAIT_N_RUNNING, k->running);
	wait_set(&w, WAIT_N_LIMIT, k->job->task_parallelism);
	return w;
}

void
plan_tasks_wait(struct plan_maker *k)
{
	size_t n = k->job->ncomponents;

	k->plan->tasks =
	    arena_alloc(k->plan->arena, n * sizeof(*k->plan->tasks) + 1);
	for (size_t c = 0; c < n; c++)
		k->plan->tasks[c] = wait_of_task(k, c);
}
