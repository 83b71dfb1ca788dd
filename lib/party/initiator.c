/*
 * What members tell the initiator: reports of tasks, wishes to stop.
 */
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_event.h"
#include "lib/db/db_tx.h"
#include "lib/model/fault.h"
#include "lib/party/party_private.h"

/* --- report --- */

struct report {
	const struct party_caller *caller;
	const struct db_task_key *key;
	const struct party_report *report;
	bool effective;
};

/* The caller speaks for itself, of a task that runs at its site. */
static int
check_reporter(struct db *db, struct arena *a, const struct report *p)
{
	const struct db_task_key *k = p->key;
	struct db_task_place *at;
	int r;

	if (!str_eq(p->caller->party_id, k->party_id))
		return err_set(ERR_DENIED,
		    "party %.10s cannot report for "
		    "party %.10s",
		    p->caller->party_id, k->party_id);
	if ((r = db_task_get_place(db, a, k, p->caller->party_id, &at)) != 0 ||
	    (r = party_check_place(
		 k->job_id, at->is_initiator, at->takes_part)) != 0)
		return r;
	if (!at->is_there)
		return err_set(ERR_NOT_FOUND,
		    "no task %.100s version %lld of %.20s %.10s in job %.30s",
		    k->component, (long long)k->version, k->role, k->party_id,
		    k->job_id);
	if (at->run_here)
		return err_set(ERR_DENIED, "task %s of %s %s runs here",
		    k->component, k->role, k->party_id);
	return 0;
}

/*
 * A report that skipped a state (its predecessor was lost) still counts: the
 * table allows waiting to each end.
 */
static int
report_tx(struct db *db, void *ctx)
{
	struct report *p = ctx;
	const struct party_report *rep = p->report;
	struct arena *a = arena_new();
	unsigned moved;
	int r;

	p->effective = false;
	if ((r = check_reporter(db, a, p)) != 0)
		goto out;
	if ((r = db_task_move(db, p->key,
		 &(struct db_task_move){ .status = STATE_NONE,
		     .party_status = rep->party_status,
		     .error_report = p->caller->is_site
					 ? rep->error_report
					 : fault_named(a, rep->error_report,
					       p->caller->party_id),
		     .fault = rep->fault,
		     .started_ms = rep->started_ms,
		     .ended_ms = rep->ended_ms,
		     .reason = "reported" },
		 &moved)) != 0)
		goto out;
	p->effective = moved != 0;
	r = db_task_set_progress(db, p->key, NULL, rep->progress);
out:
	arena_free(a);
	return r;
}

int
initiator_task_report(struct db *db, const struct party_caller *c,
    const struct db_task_key *k, const struct party_report *rep,
    bool *effective)
{
	struct report p = { .caller = c, .key = k, .report = rep };
	int r;

	if (effective != NULL)
		*effective = false;
	if ((state_kinds(rep->party_status) & STATE_OF_TASK) == 0)
		return err_set(ERR_INVALID, "a task cannot be \"%s\"",
		    state_name(rep->party_status));
	if (rep->progress < 0 || rep->progress > 100 || rep->started_ms < 0 ||
	    rep->ended_ms < 0)
		return err_set(ERR_INVALID, "progress or time out of range");
	if ((r = db_tx(db, report_tx, &p)) != 0)
		return r;
	if (effective != NULL)
		*effective = p.effective;
	return 0;
}

/* --- stop --- */

int
initiator_has_member(
    struct db *db, const struct party_caller *c, const struct party_member *m)
{
	struct arena *a = arena_new();
	struct db_party *member;
	struct db_job *job;
	int r;

	if ((r = party_check_initiated(db, a, c, m->job_id, &job)) == 0)
		r = db_party_get(
		    db, a, m->job_id, m->role, m->party_id, &member);
	arena_free(a);
	return r;
}

int
initiator_stop(struct db *db, const struct party_caller *c, const char *job_id,
    enum state s, const char *reason, bool *effective)
{
	struct arena *a = arena_new();
	struct db_job *job;
	int r;

	if (effective != NULL)
		*effective = false;
	if ((r = party_check_initiated(db, a, c, job_id, &job)) == 0)
		r = db_job_cancel(db, job_id, s, reason, effective);
	arena_free(a);
	return r;
}
