/*
 * How a job comes to its end, and how the end comes to all members.
 */
#include "supervisor/plan_private.h"

/* Whoever took the end of a job has ended its tasks by then, and whoever does
 * not take a task's end is told the job's. */
#define AWAIT_MS (3600 * INT64_C(1000))

/*
 * How a task ended that began at a partner is for that to say: it may have
 * succeeded just before it heard of the job's end.  Its report comes by itself;
 * one that is silent is asked.  Not for ever: a partner that answers, and says
 * of no task that it ended, would keep jobs open here as long as it likes.
 */
static bool
is_awaited(const struct plan_maker *k, const struct plan_row *r)
{
	const struct plan_member *m = &k->job->members[r->member];

	/* busy: the answer to its start may be on its way. */
	return (r->start_acked || r->busy) && !m->has_left &&
	       k->job->over_ms <= AWAIT_MS &&
	       !(m->away && m->away_ms > k->job->lost_partner_ms);
}

/*
 * A partner that ended the job ended its tasks too; what had not begun there
 * was canceled.  Local tasks say so themselves when their processes are gone.
 */
static void
close_rows(struct plan_maker *k, size_t c)
{
	const struct plan_component *comp = &k->job->components[c];

	for (size_t i = 0; i < comp->nrows; i++) {
		const struct plan_row *r = &comp->rows[i];
		const struct plan_member *m = &k->job->members[r->member];
		struct plan_action *a;

		if (!m->ended || m->is_local || state_is_end(r->party_status))
			continue;
		if (is_awaited(k, r)) {
			if (r->silent)
				plan_to_task(k, PLAN_TASK_COLLECT, c, r, NULL);
			continue;
		}
		a = plan_add(k, PLAN_SET_PARTY);
		a->component = c;
		a->member = r->member;
		a->status = r->start_acked ? k->job->status : STATE_CANCELED;
		a->reason = k->job->reason;
	}
}

/* The success of a task is told with that of the job (plan_fold.c). */
static bool
goes_with_end(const struct plan_maker *k, size_t c)
{
	return k->succeeds && k->views[c].verdict == STATE_SUCCESS;
}

/*
 * Is a task's end still to be told to member m, before the job's?  They carry
 * the causes.  A cancel has none to tell and should be quick; but a success
 * must not come behind it, for the job's end is that of all tasks whose end
 * the member does not know.
 */
static bool
owes_verdict(const struct plan_maker *k, size_t m)
{
	bool only_success = k->job->cancel_signal;

	if (k->job->over_ms > AWAIT_MS)
		return false;
	for (size_t c = 0; c < k->job->ncomponents; c++) {
		const struct plan_component *comp = &k->job->components[c];

		if (!state_is_end(k->views[c].verdict) || goes_with_end(k, c) ||
		    (only_success && !state_is_success(k->views[c].verdict)))
			continue;
		for (size_t i = 0; i < comp->nrows; i++)
			if (comp->rows[i].member == m &&
			    comp->rows[i].acked != k->views[c].verdict &&
			    !plan_needs_create(k, comp, &comp->rows[i]))
				return true;
	}
	return false;
}

static bool
all_over(const struct plan_job *j)
{
	for (size_t c = 0; c < j->ncomponents; c++)
		for (size_t i = 0; i < j->components[c].nrows; i++)
			if (!state_is_end(
				j->components[c].rows[i].party_status))
				return false;
	return true;
}

/* The job ended: bring its end to every member, then settle. */
void
plan_end(struct plan_maker *k)
{
	const struct plan_job *j = k->job;
	bool settled = true;
	const struct plan_member *away = NULL;

	for (size_t c = 0; c < j->ncomponents; c++) {
		plan_spread(k, c);
		close_rows(k, c);
	}
	for (size_t m = 0; m < j->nmembers; m++) {
		if (j->members[m].ended)
			continue;
		settled = false;
		if (!owes_verdict(k, m))
			plan_to_member(k, PLAN_END, m, j->status, j->reason);
		if (j->members[m].away)
			away = &j->members[m];
	}
	if (settled && all_over(j))
		(void)plan_add(k, PLAN_SETTLE);
	else if (away != NULL)
		plan_wait(k, PLAN_AWAY_AGAIN_MS, NULL);
}

void
plan_succeed(struct plan_maker *k)
{
	const struct plan_job *j = k->job;
	bool alone = true;

	for (size_t m = 0; m < j->nmembers; m++) {
		if (j->members[m].is_local)
			continue;
		alone = false;
		if (!j->members[m].ended && !owes_verdict(k, m))
			plan_to_member(k, PLAN_END, m, STATE_SUCCESS, NULL);
	}
	if (alone && all_over(j))
		(void)plan_add(k, PLAN_SETTLE);
}

static bool
partner_is_lost(struct plan_maker *k)
{
	const struct plan_job *j = k->job;

	for (size_t m = 0; m < j->nmembers; m++) {
		const struct plan_member *pm = &j->members[m];

		if (!pm->away || pm->away_ms <= j->lost_partner_ms)
			continue;
		plan_set_job(k, STATE_FAILED,
		    plan_say(k,
			"%s %s has not answered for "
			"%lld s: %s",
			pm->role, pm->party, (long long)(pm->away_ms / 1000),
			plan_words(pm, "no answer")));
		return true;
	}
	return false;
}

/* It waits, and may have begun at a partner that does not answer. */
static bool
is_in_doubt(const struct plan_job *j)
{
	for (size_t m = 0; m < j->nmembers; m++)
		if (j->members[m].is_local && j->members[m].started)
			return true;
	return false;
}

/*
 * Must the job end now, whatever its tasks say?  Adds the end when so.
 * The causes are a request (cancel, a refused create, a stop that a member
 * asked for), the clock, and a partner that is gone for too long.
 */
bool
plan_ends_early(struct plan_maker *k)
{
	const struct plan_job *j = k->job;

	if (j->cancel_signal) {
		plan_set_job(k,
		    state_is_interrupt(j->cancel_status) ? j->cancel_status
							 : STATE_CANCELED,
		    j->reason);
		return true;
	}
	if (j->running_ms > j->timeout_ms) {
		plan_set_job(k, STATE_TIMEOUT,
		    plan_say(k,
			"ran longer than its limit "
			"of %lld s",
			(long long)(j->timeout_ms / 1000)));
		return true;
	}
	if (j->status == STATE_RUNNING)
		return partner_is_lost(k);
	if (is_in_doubt(j) && partner_is_lost(k))
		return true;
	if (j->waiting_ms > j->queue_timeout_ms) {
		plan_set_job(k, STATE_TIMEOUT,
		    plan_say(k,
			"did not start within "
			"%lld s; last: %s",
			(long long)(j->queue_timeout_ms / 1000),
			plan_has_text(j->reason) ? j->reason : "nothing"));
		return true;
	}
	return false;
}
