/*
 * What the rows of one component amount to, and what its members are told.
 */
#include "supervisor/plan_private.h"

#include <string.h>

#include "lib/base/str.h"

/*
 * A cause names its party once: what another member was already given as the
 * cause ("host 10000: …") is passed on as it is.
 */
static const char *
cause_of_row(struct plan_maker *k, const struct plan_row *row)
{
	const struct plan_job *j = k->job;
	const struct plan_member *m = &j->members[row->member];
	const char *label;

	/* A task that never began ended because the job did. */
	if (plan_has_text(row->error) && plan_has_text(j->reason) &&
	    strcmp(row->error, j->reason) == 0)
		return row->error;
	for (size_t i = 0; i < j->nmembers && plan_has_text(row->error); i++) {
		label = plan_say(
		    k, "%s %s: ", j->members[i].role, j->members[i].party);
		if (str_starts(row->error, label))
			return row->error;
	}
	return plan_say(k, "%s %s: %s", m->role, m->party,
	    plan_has_text(row->error) ? row->error
				      : state_name(row->party_status));
}

/* Why component c ended as its verdict says; NULL when all is well. */
const char *
plan_cause(struct plan_maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];
	const struct plan_row *found = NULL;

	if (!state_is_interrupt(k->views[c].verdict))
		return NULL;
	/* The first with words; without any, the first. */
	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];

		if (r->party_status == k->views[c].verdict &&
		    (found == NULL || (plan_has_text(r->error) &&
					  !plan_has_text(found->error))))
			found = r;
	}
	if (found != NULL)
		return cause_of_row(k, found);
	return plan_has_text(k->job->reason) ? k->job->reason
					     : "cause not known";
}

static enum state
verdict_of(struct plan_maker *k, const struct plan_component *comp)
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
	/*
	 * The job's bad end may have come to a member by then, and there it is
	 * that of the tasks whose end was not known: no success comes behind it.
	 */
	if (state_is_interrupt(k->job->status) && state_is_success(verdict))
		return k->job->status;
	/* What was started is not waiting again, whoever is still to do it. */
	return verdict == STATE_WAITING ? comp->status : verdict;
}

/* A version after the first is made by task create; others by job create. */
bool
plan_needs_create(const struct plan_maker *k, const struct plan_component *comp,
    const struct plan_row *r)
{
	return comp->version > 0 && r->acked == STATE_NONE &&
	       !k->job->members[r->member].is_local;
}

void
plan_look_at(struct plan_maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];
	struct plan_view *v = &k->views[c];
	bool hopeless = false;

	v->verdict = verdict_of(k, comp);
	v->created = v->tidy = true;
	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];

		if (plan_needs_create(k, comp, r))
			v->created = false;
		/* The own site's members know a verdict once it is stored,
		 * which this plan does: nothing would ask for another. */
		if (!state_is_end(r->party_status) ||
		    (r->acked != v->verdict &&
			!k->job->members[r->member].is_local))
			v->tidy = false;
		if ((v->verdict == STATE_FAILED ||
			v->verdict == STATE_TIMEOUT) &&
		    r->auto_retries > 0)
			v->retry = true;
		if (fault_remedy(r->fault) == FAULT_HOPELESS)
			hopeless = true;
	}
	/* The same again would come to the same end. */
	v->retry &= !hopeless;
}

bool
plan_upstream_succeeded(const struct plan_maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];

	for (size_t i = 0; i < comp->nupstream; i++)
		if (!state_is_success(k->views[comp->upstream[i]].verdict))
			return false;
	return true;
}

static void
store_verdict(struct plan_maker *k, size_t c, const char *why)
{
	struct plan_action *a;

	k->views[c].stored = true;
	if (k->job->components[c].status == k->views[c].verdict)
		return;
	a = plan_add(k, PLAN_SET_VERDICT);
	a->component = c;
	a->status = k->views[c].verdict;
	a->reason = why;
}

/*
 * Tell the members of component c how it ended.  Whoever still runs after a
 * bad end is stopped; the stop tells the verdict too.
 */
void
plan_spread(struct plan_maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];
	const struct plan_view *v = &k->views[c];
	const char *why = plan_cause(k, c);

	store_verdict(k, c, why);
	if (!state_is_end(v->verdict))
		return;
	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];
		const struct plan_member *m = &k->job->members[r->member];
		bool over = state_is_end(r->party_status);

		/* A member that never had this version has nothing to end. */
		if (m->ended || plan_needs_create(k, comp, r))
			continue;
		if (!over && (r->acked != v->verdict || r->silent))
			plan_to_task(k, PLAN_TASK_STOP, c, r, why);
		else if (over && r->acked != v->verdict && !m->is_local)
			plan_to_task(k, PLAN_TASK_STATUS, c, r, why);
	}
}
