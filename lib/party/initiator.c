/*
 * What members tell the initiator: reports of tasks, wishes to stop or rerun.
 */
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_event.h"
#include "lib/db/db_tx.h"
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
check_reporter(struct db *db, struct arena *a, const struct report *p,
    struct db_task **task)
{
	struct db_job *job;
	int r;

	if (!str_eq(p->caller->party_id, p->key->party_id))
		return err_set(ERR_DENIED,
		    "party %.10s cannot report for "
		    "party %.10s",
		    p->caller->party_id, p->key->party_id);
	if ((r = party_check_initiated(
		 db, a, p->caller, p->key->job_id, &job)) != 0)
		return r;
	if ((r = db_task_get(db, a, p->key, task)) != 0)
		return r;
	if ((*task)->run_here)
		return err_set(ERR_DENIED, "task %s of %s %s runs here",
		    p->key->component, p->key->role, p->key->party_id);
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
	struct db_task *task;
	unsigned moved;
	int r;

	p->effective = false;
	if ((r = check_reporter(db, a, p, &task)) != 0)
		goto out;
	if ((r = db_task_move(db, p->key,
		 &(struct db_task_move){ .status = STATE_NONE,
		     .party_status = rep->party_status,
		     .error_report = rep->error_report,
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

/* --- rerun --- */

struct rerun {
	const struct party_caller *caller;
	const char *job_id;
	const char *const *components;
	size_t ncomp;
	bool force;
	bool automatic;
	int64_t n;
};

static bool
is_wanted(const struct rerun *rr, const char *component)
{
	if (rr->ncomp == 0)
		return true;
	for (size_t i = 0; i < rr->ncomp; i++) {
		if (strcmp(rr->components[i], component) == 0)
			return true;
	}
	return false;
}

/* Rows of one component at its newest version stand together in the list. */
static bool
needs_version(const struct rerun *rr, const struct db_task *rows, size_t n)
{
	bool fresh = true, failed = false;

	if (!is_wanted(rr, rows[0].key.component))
		return false;
	if (rr->automatic && rows[0].auto_retries <= 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		fresh &= rows[i].party_status == STATE_WAITING &&
			 rows[i].status == STATE_WAITING &&
			 !rows[i].start_acked;
		failed |= !state_is_success(rows[i].status);
	}
	/* What was never begun will run as it is. */
	return !fresh && (failed || rr->force);
}

/* End what is left of the old version, then copy each row. */
static int
renew_component(struct db *db, struct arena *a, const struct rerun *rr,
    const struct db_task *rows, size_t n)
{
	struct db_task *full;
	int r;

	for (size_t i = 0; i < n; i++) {
		if ((r = db_task_get(db, a, &rows[i].key, &full)) != 0)
			return r;
		if (full->run_here && !state_is_end(full->party_status) &&
		    (r = db_task_want_end(
			 db, &full->key, STATE_CANCELED, "rerun", NULL)) != 0)
			return r;
		if ((r = db_task_insert(db, rr->job_id,
			 &(struct db_task_new){
			     .component = full->key.component,
			     .version = full->key.version + 1,
			     .role = full->key.role,
			     .party_id = full->key.party_id,
			     .seq = full->seq,
			     .module = full->module,
			     .run_here = full->run_here,
			     .need_run = full->need_run,
			     .auto_retries = full->auto_retries - rr->automatic,
			     .retry_delay_s = full->retry_delay_s,
			     .provider = full->provider,
			     .parameters = full->parameters },
			 1)) != 0)
			return r;
	}
	if (state_is_end(rows[0].status))
		return 0;
	/* Its verdict must not be found from members that go on later. */
	return db_task_move_all(db, rr->job_id, rows[0].key.component,
	    rows[0].key.version, STATE_CANCELED, 0, "rerun", NULL);
}

static int
renew_components(struct db *db, struct arena *a, struct rerun *rr)
{
	struct db_task *rows;
	size_t n, from, to;
	int r;

	if ((r = db_task_list(db, a, rr->job_id, true, &rows, &n)) != 0)
		return r;
	for (from = 0; from < n; from = to) {
		for (to = from; to < n && strcmp(rows[to].key.component,
					      rows[from].key.component) == 0;
		     to++)
			continue;
		if (!needs_version(rr, &rows[from], to - from))
			continue;
		if ((r = renew_component(db, a, rr, &rows[from], to - from)) !=
		    0)
			return r;
		rr->n++;
	}
	return 0;
}

static int
rerun_tx(struct db *db, void *ctx)
{
	struct rerun *rr = ctx;
	struct arena *a = arena_new();
	struct db_job *job;
	int r;

	rr->n = 0;
	if ((r = party_check_initiated(db, a, rr->caller, rr->job_id, &job)) !=
	    0)
		goto out;
	/*
	 * First: it locks the job, so that two reruns follow each other.  A
	 * retry goes on within the running job and needs no signal.
	 */
	if ((r = rr->automatic
		     ? db_job_wake(db, rr->job_id)
		     : db_job_rerun(db, rr->job_id, "rerun asked for")) != 0)
		goto out;
	r = renew_components(db, a, rr);
	if (r == 0 && rr->n == 0)
		r = err_set(ERR_CANCELED, "nothing to rerun"); /* no signal */
out:
	arena_free(a);
	return r;
}

int
initiator_rerun(struct db *db, const struct party_caller *c, const char *job_id,
    const char *const *components, size_t ncomp, bool force, bool automatic,
    int64_t *n)
{
	struct rerun rr = { .caller = c,
		.job_id = job_id,
		.components = components,
		.ncomp = ncomp,
		.force = force,
		.automatic = automatic };
	int r;

	if (n != NULL)
		*n = 0;
	r = db_tx(db, rerun_tx, &rr);
	if (r == ERR_CANCELED) {
		err_clear();
		return 0;
	}
	if (r == 0 && n != NULL)
		*n = rr.n;
	return r;
}
