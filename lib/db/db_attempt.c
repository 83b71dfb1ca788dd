/*
 * Attempts: claimed by a supervisor, kept alive by a shepherd, ended by
 * either.  Every write names the attempt and asks whether it is still open.
 *
 * A lease that runs out ends nothing by itself: it allows others to end the
 * attempt, which is one guarded update.  Until somebody did, its shepherd may
 * come back and go on: nobody has acted in its place.  So a database that was
 * away for a while costs no task.
 */
#include "lib/db/db_attempt_private.h"

#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_event.h"
#include "lib/db/db_often.h"
#include "lib/db/db_task_private.h"
#include "lib/db/db_tx.h"

#define OPEN "a.ended_at IS NULL"

static const struct db_col attempt_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_attempt, field) },
	ATTEMPT_COLS(COL, , "")
#undef COL
};
static const struct db_shape attempt_shape =
    DB_SHAPE(struct db_attempt, attempt_cols);

static const struct db_stmt get = { "attempt.get", "s",
	"SELECT 1" ATTEMPT_COLS(
	    DB_SQL, , "a.") " FROM attempt a WHERE a.attempt_id = ?" };
static const struct db_stmt expired = { "attempt.expired", "i",
	"SELECT 1" ATTEMPT_COLS(DB_SQL, ,
	    "a.") " FROM attempt a"
		  " WHERE a.ended_at IS NULL AND a.lease_until <= NOW(6)"
		  " ORDER BY a.lease_until LIMIT ?" };
static const struct db_stmt open_on = { "attempt.open_on", "s",
	"SELECT 1" ATTEMPT_COLS(
	    DB_SQL, , "a.") " FROM attempt a"
			    " WHERE a.ended_at IS NULL AND a.host = ?" };

int
db_attempt_get(struct db *db, struct arena *a, const char *attempt_id,
    struct db_attempt **out)
{
	int r;

	r = db_select_one(db, &get, &attempt_shape, a, out, attempt_id);
	return r == ERR_NOT_FOUND ? err_set(r, "no attempt %.32s", attempt_id)
				  : r;
}

int
db_attempt_expired(struct db *db, struct arena *a, int64_t limit,
    struct db_attempt **rows, size_t *n)
{
	return db_select(db, &expired, &attempt_shape, a, rows, n, limit);
}

int
db_attempt_open_on(struct db *db, struct arena *a, const char *host,
    struct db_attempt **rows, size_t *n)
{
	return db_select(db, &open_on, &attempt_shape, a, rows, n, host);
}

int
db_attempt_event(struct db *db, const struct db_task_key *k, const char *to,
    const char *reason)
{
	return db_event_add(db, &(struct db_event){ .job_id = k->job_id,
				    .component = k->component,
				    .version = k->version,
				    .role = k->role,
				    .party_id = k->party_id,
				    .kind = "attempt",
				    .to_state = to,
				    .reason = reason });
}

/* --- the shepherd's --- */

#define RENEW                                                                  \
	"UPDATE attempt a SET a.lease_until = NOW(6) + INTERVAL ? MICROSECOND" \
	", a.heartbeat_at = NOW(6),"                                           \
	" a.progress_at = IF(a.progress = ?, a.progress_at, NOW(6)),"          \
	" a.progress = ?,"                                                     \
	" a.shepherd_pid = COALESCE(NULLIF(?, 0), a.shepherd_pid),"            \
	" a.executor_pid = COALESCE(NULLIF(?, 0), a.executor_pid)"             \
	" WHERE a.attempt_id = ? AND " OPEN
static const struct db_stmt renew = { "attempt.renew", "iiiiis", RENEW };
/* Nearly always nobody wants it to end, and one question is enough. */
static const struct db_stmt renew_quiet = { "attempt.renew_quiet", "iiiiis",
	RENEW " AND EXISTS (SELECT 1 FROM task t WHERE t.job_id = a.job_id"
	      " AND t.component = a.component AND t.version = a.version"
	      " AND t.role = a.role AND t.party_id = a.party_id"
	      " AND t.kill_wanted = '')" };
static const struct db_stmt kill_wanted = { "attempt.kill_wanted", "s",
	"SELECT t.kill_wanted FROM attempt a JOIN task t"
	" ON t.job_id = a.job_id AND t.component = a.component"
	" AND t.version = a.version AND t.role = a.role"
	" AND t.party_id = a.party_id WHERE a.attempt_id = ?" };
/* Locks in the order of db.h; the key comes from a plain read before. */
static const struct db_stmt guard = { "attempt.guard", KEY_PARAMS "is",
	"SELECT " OPEN " FROM job j STRAIGHT_JOIN task t"
	" ON t.job_id = j.job_id STRAIGHT_JOIN attempt a"
	" ON a.job_id = t.job_id AND a.component = t.component"
	" AND a.version = t.version AND a.role = t.role"
	" AND a.party_id = t.party_id"
	" WHERE t.job_id = ? AND t.component = ? AND t.version = ?"
	" AND t.role = ? AND t.party_id = ? AND a.fence = ?"
	" AND j.job_id = ? FOR UPDATE" };
static const struct db_stmt end = { "attempt.end", "es",
	"UPDATE attempt a SET a.ended_at = NOW(6), a.outcome = LEFT(?, 200)"
	" WHERE a.attempt_id = ? AND " OPEN };

static int
lost(const char *attempt_id)
{
	return err_set(
	    ERR_CONFLICT, "the lease of attempt %.32s was lost", attempt_id);
}

static int
take_state(const struct db_row *row, void *ctx)
{
	return state_parse(db_row_str(row, 0), ctx);
}

int
db_attempt_renew(struct db *db, const char *attempt_id, int64_t lease_ms,
    int64_t shepherd_pid, int64_t executor_pid, int64_t progress,
    enum state *kill)
{
	int64_t n;
	int r;

	if (kill != NULL)
		*kill = STATE_NONE;
	if ((r = db_exec(db, &renew_quiet, &n, lease_ms * 1000, progress,
		 progress, shepherd_pid, executor_pid, attempt_id)) != 0 ||
	    n == 1)
		return r;
	if ((r = db_exec(db, &renew, &n, lease_ms * 1000, progress, progress,
		 shepherd_pid, executor_pid, attempt_id)) != 0)
		return r;
	if (n != 1)
		return lost(attempt_id);
	if (kill == NULL)
		return 0;
	return db_query(db, &kill_wanted, take_state, kill, NULL, attempt_id);
}

/* Lock job, task and attempt; *alive is whether the lease lives. */
static int
lock_known(struct db *db, const struct db_attempt *t, int64_t *alive)
{
	return db_query_int(
	    db, &guard, alive, KEY_ARGS(&t->key), t->fence, t->key.job_id);
}

static int
lock_attempt(struct db *db, struct arena *a, const char *attempt_id,
    struct db_attempt **out, int64_t *alive)
{
	int r;

	if ((r = db_attempt_get(db, a, attempt_id, out)) != 0)
		return r;
	return lock_known(db, *out, alive);
}

int
db_attempt_guard(struct db *db, const char *attempt_id)
{
	struct arena *a = arena_new();
	struct db_attempt *t;
	int64_t alive;
	int r;

	r = lock_attempt(db, a, attempt_id, &t, &alive);
	if (r == ERR_NOT_FOUND || (r == 0 && !alive))
		r = lost(attempt_id);
	arena_free(a);
	return r;
}

int
db_attempt_end(struct db *db, const char *attempt_id, const char *outcome)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &end, &n, outcome, attempt_id)) != 0)
		return r;
	return n == 1 ? 0 : lost(attempt_id);
}

/* --- ends that the shepherd did not write --- */

static const struct db_stmt end_dead = { "attempt.end_dead", "esi",
	"UPDATE attempt SET ended_at = NOW(6), outcome = LEFT(?, 200)"
	" WHERE attempt_id = ? AND ended_at IS NULL"
	" AND (? OR lease_until <= NOW(6))" };

struct ending {
	const char *attempt_id;
	enum state to;
	enum fault_kind fault;
	const char *reason;
	int64_t whatever; /* even when the lease lives */
};

/* Somebody wants an end of the task: then that is its end, whatever else. */
static bool
is_stopped(const struct task_head *h, struct db_task_move *m)
{
	if (h->kill_wanted == STATE_NONE)
		return false;
	m->party_status = h->kill_wanted;
	m->fault = FAULT_STOPPED;
	return true;
}

static int
end_task_of(struct db *db, struct arena *a, const struct ending *e,
    const struct db_task_key *k)
{
	struct db_task_move m = {
		.status = STATE_NONE, .party_status = e->to, .reason = e->reason
	};
	struct task_head *h;
	int r;

	if ((r = db_task_lock(db, a, k, &h)) != 0)
		return r;
	if (!is_stopped(h, &m)) {
		m.error_report = e->reason;
		m.fault = e->fault;
	}
	return db_task_move(db, k, &m, NULL);
}

static int
end_dead_tx(struct db *db, void *ctx)
{
	const struct ending *e = ctx;
	struct arena *a = arena_new();
	struct db_attempt *t;
	int64_t alive, n;
	int r;

	if ((r = lock_attempt(db, a, e->attempt_id, &t, &alive)) != 0)
		goto out;
	if ((r = db_exec(db, &end_dead, &n, e->reason, e->attempt_id,
		 e->whatever)) != 0)
		goto out;
	if (n != 1) {
		r = err_set(ERR_CONFLICT, "attempt %.32s is alive or ended",
		    e->attempt_id);
		goto out;
	}
	if ((r = db_attempt_event(db, &t->key, "ended", e->reason)) == 0)
		r = end_task_of(db, a, e, &t->key);
out:
	arena_free(a);
	return r;
}

int
db_attempt_expire(
    struct db *db, const char *attempt_id, enum state to, const char *reason)
{
	struct ending e = { attempt_id, to, FAULT_HOST, reason, 0 };

	return db_tx(db, end_dead_tx, &e);
}

int
db_attempt_abandon(struct db *db, const char *attempt_id, enum state to,
    enum fault_kind fault, const char *reason)
{
	struct ending e = { attempt_id, to, fault, reason, 1 };

	return db_tx(db, end_dead_tx, &e);
}

/* --- launches that came to nothing --- */

#define NEVER_STARTED "never started"

static const struct db_stmt never_started = { "attempt.never_started", "s",
	"UPDATE attempt SET ended_at = NOW(6), outcome = '" NEVER_STARTED "'"
	" WHERE attempt_id = ? AND ended_at IS NULL AND shepherd_pid IS NULL" };
static const struct db_stmt want_again = { "task.want_again", KEY_PARAMS,
	"UPDATE task SET launch_wanted = 1 WHERE" KEY_WHERE
	" AND party_status = 'waiting'" };

/* Of a task whose end was wanted meanwhile nobody else would make it. */
static int
begin_again(struct db *db, struct arena *a, const struct db_task_key *k)
{
	struct db_task_move m = { .status = STATE_NONE,
		.reason = NEVER_STARTED };
	struct task_head *h;
	int r;

	if ((r = db_task_lock(db, a, k, &h)) != 0)
		return r;
	return is_stopped(h, &m) ? db_task_move(db, k, &m, NULL)
				 : db_exec(db, &want_again, NULL, KEY_ARGS(k));
}

static int
relaunch_tx(struct db *db, void *ctx)
{
	const char *attempt_id = ctx;
	struct arena *a = arena_new();
	struct db_attempt *t;
	int64_t alive, n;
	int r;

	if ((r = lock_attempt(db, a, attempt_id, &t, &alive)) != 0 ||
	    (r = db_exec(db, &never_started, &n, attempt_id)) != 0)
		goto out;
	if (n != 1)
		r = err_set(ERR_CONFLICT, "attempt %s was taken up or ended",
		    attempt_id);
	else if ((r = db_attempt_event(db, &t->key, "ended", NEVER_STARTED)) ==
		 0)
		r = begin_again(db, a, &t->key);
out:
	arena_free(a);
	return r;
}

int
db_attempt_relaunch(struct db *db, const char *attempt_id)
{
	char *id = xstrdup(attempt_id);
	int r = db_tx(db, relaunch_tx, id);

	free(id);
	return r;
}

const struct db_stmt *const db_attempt_often[] = { &get, &renew_quiet, &guard,
	&end, NULL };
