/*
 * Jobs that go on after an end: another run, other parameters.  Called by
 * lib/party, inside its transactions.
 */
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_event.h"
#include "lib/db/db_job.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_task.h"
#include "lib/db/db_tx.h"

#define HEAD_COLS(X)                                                           \
	X(STATE, status, "status")                                             \
	X(BOOL, cancel_signal, "cancel_signal")                                \
	X(INT, revision, "revision")
struct head {
	enum state status;
	bool cancel_signal;
	int64_t revision;
};
static const struct db_col head_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct head, field) },
	HEAD_COLS(COL)
#undef COL
};
static const struct db_shape head_shape = DB_SHAPE(struct head, head_cols);

static const struct db_stmt lock = { "job.lock_again", "s",
	"SELECT 1" HEAD_COLS(DB_SQL) " FROM job WHERE job_id = ? FOR UPDATE" };

static int
lock_head(struct db *db, struct arena *a, const char *job_id, struct head **out)
{
	int r = db_select_one(db, &lock, &head_shape, a, out, job_id);

	return r == ERR_NOT_FOUND ? err_set(r, "no job %.30s", job_id) : r;
}

/* --- another run ---------------------------------------------------------- */

/* A plan that somebody made under the lease is about another run. */
#define UNLEASE                                                                \
	" lease_fence = lease_fence + 1, lease_owner = NULL,"                  \
	" lease_until = NULL, next_look_at = NOW(6)"
static const struct db_stmt again = { "job.again", "ss",
	"UPDATE job SET run = run + 1,"
	" request_id = COALESCE(NULLIF(?, ''), request_id),"
	" cancel_signal = 0, cancel_status = '',"
	" settled = 0," UNLEASE " WHERE job_id = ?" };
static const struct db_stmt look_anew = { "job.look_anew", "s",
	"UPDATE job SET" UNLEASE " WHERE job_id = ?" };
static const struct db_stmt nobody_has_it = { "job_party.again", "s",
	"UPDATE job_party SET created = 0, reserved = 0, started = 0,"
	" ended = 0, last_error = NULL WHERE job_id = ?" };
static const struct db_stmt unsealed = { "job_party.unsealed", "s",
	"SELECT COUNT(*) FROM job_party WHERE job_id = ? AND ended = 0"
	" AND manifest_hash IS NOT NULL" };
static const struct db_stmt set_run = { "job.set_run", "is",
	"UPDATE job SET run = ? WHERE job_id = ?" };
/* The same again is no news: commands of one scheduler come side by side. */
static const struct db_stmt set_fence = { "job.set_fence", "isi",
	"UPDATE job SET lease_fence = ? WHERE job_id = ? AND is_initiator = 0"
	" AND lease_fence <= ?" };

struct rerun {
	const char *job_id;
	const char *reason;
	bool was_ended;
};

/*
 * After a success every member seals what it staged before anything runs
 * again: else a rerun that fails would leave some with the model and some
 * without.
 */
static int
check_sealed(struct db *db, const struct rerun *rr)
{
	int64_t n;
	int r;

	if ((r = db_query_int(db, &unsealed, &n, rr->job_id)) != 0 || n == 0)
		return r;
	return err_set(ERR_BUSY,
	    "job %s has just succeeded: %lld of its members are yet to seal "
	    "its model; ask again in a moment",
	    rr->job_id, (long long)n);
}

static int
rerun_ended(struct db *db, const struct rerun *rr)
{
	bool moved;
	int r;

	if ((r = db_job_move(
		 db, rr->job_id, STATE_WAITING, 0, rr->reason, &moved)) != 0)
		return r;
	if (!moved)
		return err_set(ERR_INTERNAL,
		    "job %s did not come back from "
		    "its end",
		    rr->job_id);
	if ((r = db_exec(db, &nobody_has_it, NULL, rr->job_id)) != 0)
		return r;
	return db_exec(db, &again, NULL, log_request_id(), rr->job_id);
}

static int
rerun_tx(struct db *db, void *ctx)
{
	struct rerun *rr = ctx;
	struct arena *a = arena_new();
	struct head *head;
	int r;

	if ((r = lock_head(db, a, rr->job_id, &head)) != 0)
		goto out;
	rr->was_ended = state_is_end(head->status);
	if (head->status == STATE_SUCCESS && (r = check_sealed(db, rr)) != 0)
		goto out;
	if (rr->was_ended)
		r = rerun_ended(db, rr);
	else if (head->cancel_signal)
		r = err_set(ERR_BUSY,
		    "job %s is being stopped; it can be run again once it has "
		    "ended",
		    rr->job_id);
	else
		r = db_exec(db, &look_anew, NULL, rr->job_id);
	/*
	 * What was staged is not of what will be worked out now.  Of a job that
	 * has ended it is kept until its new run begins: it may come to
	 * nothing.
	 */
	if (r == 0 && !rr->was_ended)
		r = db_party_forget_manifests(db, rr->job_id, 0);
out:
	arena_free(a);
	return r;
}

int
db_job_rerun(
    struct db *db, const char *job_id, const char *reason, bool *was_ended)
{
	struct rerun rr = { .job_id = job_id, .reason = reason };
	int r = db_tx(db, rerun_tx, &rr);

	if (was_ended != NULL)
		*was_ended = rr.was_ended;
	return r;
}

/* --- a run that comes to nothing ----------------------------------------- */

/* Older versions have ended, or began.  A member that was out of reach until
 * then has heard of the job in this run for the first time. */
static const struct db_stmt undo_tasks = { "task.undo", "s",
	"DELETE t FROM task t JOIN job j ON j.job_id = t.job_id"
	" WHERE t.job_id = ? AND t.version > 0 AND t.start_acked = 0"
	" AND (j.rerun_at IS NULL OR t.created_at >= j.rerun_at)" };
static const struct db_stmt undo = { "job.undo", "seis",
	"UPDATE job SET status = ?, reason = LEFT(?, 4000), wait_code = '',"
	" wait_since = NOW(6), progress = IF(?, 100, before_progress),"
	" started_at = before_started_at,"
	" ended_at = COALESCE(before_ended_at, NOW(6)), cancel_signal = 0,"
	" cancel_status = '', undone = 1 WHERE job_id = ?"
	" AND status IN ('ready', 'waiting', 'running')"
	" AND cancel_status <> 'canceled'" };

int
db_job_undo(
    struct db *db, const char *job_id, enum state to, const char *reason)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &undo_tasks, NULL, job_id)) != 0 ||
	    (r = db_exec(db, &undo, &n, state_name(to), reason,
		 (int64_t)(to == STATE_SUCCESS), job_id)) != 0)
		return r;
	if (n != 1)
		return err_set(ERR_CONFLICT, "job %s changed", job_id);
	if ((r = db_resource_return_job(db, job_id, reason, NULL)) != 0)
		return r;
	return db_event_add(db, &(struct db_event){ .job_id = job_id,
				    .kind = "job",
				    .from_state = state_name(STATE_WAITING),
				    .to_state = state_name(to),
				    .reason = reason });
}

int
db_job_set_run(struct db *db, const char *job_id, int64_t run)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &set_run, &n, run, job_id)) != 0)
		return r;
	return n == 1 ? 0 : err_set(ERR_NOT_FOUND, "no job %.30s", job_id);
}

int
db_job_set_fence(struct db *db, const char *job_id, int64_t fence)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &set_fence, &n, fence, job_id, fence)) != 0)
		return r;
	return n == 1 ? 0
		      : err_set(ERR_CONFLICT,
			    "job %.30s: a later fence than %lld was heard",
			    job_id, (long long)fence);
}

/* --- other parameters ----------------------------------------------------- */

static const struct db_stmt revise = { "job.revise", "sssbiiis",
	"UPDATE job SET runtime_conf = ?, name = ?, contract = ?,"
	" contract_hash = ?, task_parallelism = ?, timeout_s = ?, revision = ?"
	" WHERE job_id = ?" };
static const struct db_stmt revise_party = { "job_party.revise", "siisss",
	"UPDATE job_party SET party_conf = ?, cores = ?, memory_mb = ?"
	" WHERE job_id = ? AND role = ? AND party_id = ? AND is_local = 1" };
/* Not when it would be the same again: then an earlier wish is taken back. */
static const struct db_stmt revise_task = { "task.revise", "sssssssss",
	"UPDATE task t JOIN (SELECT MAX(version) AS newest FROM task"
	"  WHERE job_id = ? AND component = ? AND role = ? AND party_id = ?) n"
	" ON t.version = n.newest"
	" SET t.next_parameters = NULLIF(?, t.parameters)"
	" WHERE t.job_id = ? AND t.component = ? AND t.role = ?"
	" AND t.party_id = ?" };

static int
revise_rows(struct db *db, const struct db_job_new *j)
{
	int r;

	if ((r = db_exec(db, &revise, NULL, j->runtime_conf,
		 j->name != NULL ? j->name : "", j->contract,
		 (const void *)j->contract_hash, (size_t)DB_HASH_SIZE,
		 j->task_parallelism, j->timeout_s, j->revision, j->job_id)) !=
	    0)
		return r;
	for (size_t i = 0; i < j->nparties; i++) {
		const struct db_party_new *p = &j->parties[i];

		if (p->is_local && (r = db_exec(db, &revise_party, NULL,
					p->party_conf, p->cores, p->memory_mb,
					j->job_id, p->role, p->party_id)) != 0)
			return r;
	}
	for (size_t i = 0; i < j->ntasks; i++) {
		const struct db_task_new *t = &j->tasks[i];

		if ((r = db_exec(db, &revise_task, NULL, j->job_id,
			 t->component, t->role, t->party_id, t->parameters,
			 j->job_id, t->component, t->role, t->party_id)) != 0)
			return r;
	}
	return 0;
}

static int
revise_tx(struct db *db, void *ctx)
{
	const struct db_job_new *j = *(const struct db_job_new *const *)ctx;
	struct arena *a = arena_new();
	struct head *head;
	int r;

	if ((r = lock_head(db, a, j->job_id, &head)) != 0)
		goto out;
	if (head->revision >= j->revision) {
		r = err_set(ERR_CONFLICT,
		    "job %s has revision %lld of its parameters, %lld is not "
		    "newer",
		    j->job_id, (long long)head->revision,
		    (long long)j->revision);
		goto out;
	}
	if ((r = revise_rows(db, j)) != 0)
		goto out;
	r = db_event_add(
	    db, &(struct db_event){ .job_id = j->job_id,
		    .kind = "revision",
		    .from_state = state_name(head->status),
		    .to_state = state_name(head->status),
		    .reason = arena_printf(a, "parameters, revision %lld",
			(long long)j->revision) });
out:
	arena_free(a);
	return r;
}

int
db_job_revise(struct db *db, const struct db_job_new *j)
{
	return db_tx(db, revise_tx, &j);
}
