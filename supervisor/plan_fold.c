/*
 * That a task succeeded is no news that anybody waits for.  Each command is a
 * request with its signature and a transaction at the member, so it goes with
 * the start of the next task there, or with the job's success.  Causes of bad
 * ends go by themselves, before what follows from them.
 */
#include "supervisor/plan_private.h"

static bool
is_success(const struct plan_action *a)
{
	return a->verb == PLAN_TASK_STATUS && a->status == STATE_SUCCESS;
}

static void
tell(struct plan_maker *k, struct plan_action *a, size_t component)
{
	if (a->told == NULL)
		a->told = arena_alloc(
		    k->plan->arena, k->job->ncomponents * sizeof(*a->told));
	a->told[a->ntold++] = component;
}

static bool
is_end(const struct plan_action *a)
{
	return a->verb == PLAN_END && a->status == STATE_SUCCESS;
}

/*
 * Nothing is told of tasks any more when a member knows of the end: so also
 * what is under way by itself, and may get lost.
 */
static void
tell_all(struct plan_maker *k, struct plan_action *end)
{
	if (k->job->members[end->member].is_local)
		return;
	for (size_t c = 0; c < k->job->ncomponents; c++) {
		const struct plan_component *comp = &k->job->components[c];

		for (size_t i = 0; i < comp->nrows; i++)
			if (comp->rows[i].member == end->member &&
			    comp->rows[i].acked != STATE_SUCCESS &&
			    k->views[c].verdict == STATE_SUCCESS &&
			    !plan_needs_create(k, comp, &comp->rows[i]))
				tell(k, end, c);
	}
}

static bool
hand_over(struct plan_maker *k, const struct plan_action *success)
{
	for (size_t i = 0; i < k->plan->n; i++) {
		struct plan_action *a = &k->plan->actions[i];

		if (a->member != success->member)
			continue;
		if (is_end(a))
			return true;
		if (a->verb == PLAN_TASK_START) {
			tell(k, a, success->component);
			return true;
		}
	}
	return false;
}

void
plan_fold(struct plan_maker *k)
{
	struct plan *p = k->plan;
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		if (is_end(&p->actions[i]))
			tell_all(k, &p->actions[i]);
	for (size_t i = 0; i < p->n; i++)
		p->actions[i].done =
		    is_success(&p->actions[i]) && hand_over(k, &p->actions[i]);
	for (size_t i = 0; i < p->n; i++)
		if (!p->actions[i].done)
			p->actions[n++] = p->actions[i];
	p->n = n;
}
