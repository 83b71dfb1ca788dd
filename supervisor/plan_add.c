/*
 * Adding to a plan.
 */
#include "supervisor/plan_private.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

struct plan_action *
plan_add(struct plan_maker *k, enum plan_verb verb)
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

/*
 * A run of a job that has ended before, and that is refused, or does not come
 * to its start, changes nothing.  Its users may cancel it: then that is its end.
 */
static bool
plan_undo(struct plan_maker *k, enum state status, const char *reason)
{
	struct plan_action *a;

	if (!state_is_end(k->job->undo_to) ||
	    (status != STATE_FAILED && status != STATE_TIMEOUT))
		return false;
	a = plan_add(k, PLAN_UNDO);
	a->status = k->job->undo_to;
	a->reason = plan_say(k,
	    "the rerun was refused, and the job is as it was before: %s",
	    plan_has_text(reason) ? reason : state_name(status));
	k->ends = true;
	k->plan->wait = wait_of(WAIT_NONE);
	return true;
}

void
plan_set_job(struct plan_maker *k, enum state status, const char *reason)
{
	struct plan_action *a;

	if (plan_undo(k, status, reason))
		return;
	a = plan_add(k, PLAN_SET_JOB);
	a->status = status;
	a->reason = reason;
	/* Neither an end nor a running job waits for anything. */
	k->ends |= state_is_end(status);
	k->succeeds |= status == STATE_SUCCESS;
	k->plan->wait = wait_of(WAIT_NONE);
}

void
plan_wait(struct plan_maker *k, int64_t delay_ms, const char *reason)
{
	struct plan_action *a = plan_add(k, PLAN_WAIT);

	a->delay_ms = delay_ms;
	a->reason = reason;
}

struct wait *
plan_wait_is(struct plan_maker *k, enum wait_code code,
    const struct plan_member *m, const char *words)
{
	struct wait *w = &k->plan->wait;

	if (w->code != WAIT_NONE || k->runs)
		w = arena_alloc(k->plan->arena, sizeof(*w));
	*w = wait_of(code);
	if (m != NULL) {
		w->role = m->role;
		w->party = m->party;
	}
	w->text = words;
	return w;
}

/* A command to member m, unless one is under way or its site is away. */
void
plan_to_member(struct plan_maker *k, enum plan_verb verb, size_t m,
    enum state status, const char *reason)
{
	const struct plan_member *member = &k->job->members[m];
	struct plan_action *a;

	if (member->busy || member->away)
		return;
	a = plan_add(k, verb);
	a->member = m;
	a->status = status;
	a->reason = reason;
}

void
plan_to_task(struct plan_maker *k, enum plan_verb verb, size_t c,
    const struct plan_row *row, const char *reason)
{
	struct plan_action *a;

	if (row->busy || k->job->members[row->member].away)
		return;
	a = plan_add(k, verb);
	a->member = row->member;
	a->component = c;
	a->status = k->views[c].verdict;
	a->reason = reason;
}

const char *
plan_say(struct plan_maker *k, const char *fmt, ...)
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

bool
plan_has_text(const char *s)
{
	return s != NULL && *s != '\0';
}

const char *
plan_words(const struct plan_member *m, const char *otherwise)
{
	return plan_has_text(m->error) ? m->error : otherwise;
}
