/*
 * Scheduling leases on jobs that this site initiated: claimed in batches by
 * a supervisor, fenced by a number that grows with each claim.
 *
 * next_look_at says when a job is due.  A claim (and each renewal) moves it to
 * the end of the lease, so that a supervisor that dies leaves the job due
 * again.  A wake sets it to now; a release finds it passed and leaves it: a
 * wake during a look is kept, unless it is the one that was looked at: its
 * microseconds are what a look has read (in one microsecond nobody wakes, is
 * looked at, and wakes again).  There "now" is SYSDATE(), the time after the
 * row's lock was had: NOW() is that of the statement's start, which may lie
 * before a wake that held the lock.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/db/db_job.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_often.h"
#include "lib/db/db_tx.h"

#define DUE                                                                    \
	" is_initiator = 1 AND settled = 0 AND next_look_at <= NOW(6)"         \
	" AND (lease_until IS NULL OR lease_until <= NOW(6))"

#define CLAIM_COLS(X)                                                          \
	X(STR, job_id, "job_id")                                               \
	X(INT, fence, "lease_fence + 1")                                       \
	X(INT, queue_us,                                                       \
	    "TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00',"       \
	    " queue_at)")                                                      \
	X(INT, priority, "priority")
static const struct db_col claim_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_job_claim, field) },
	CLAIM_COLS(COL)
#undef COL
};
static const struct db_shape claim_shape =
    DB_SHAPE(struct db_job_claim, claim_cols);

#define LEASED_COLS(X) X(STR, job_id, "job_id") X(INT, fence, "lease_fence")
static const struct db_col leased_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_job_claim, field) },
	LEASED_COLS(COL)
#undef COL
};
static const struct db_shape leased_shape =
    DB_SHAPE(struct db_job_claim, leased_cols);

#define WOKEN_COLS(X) X(STR, job_id, "job_id") X(INT, look_us, DB_LOOK_US)
static const struct db_col woken_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_job_woken, field) },
	WOKEN_COLS(COL)
#undef COL
};
static const struct db_shape woken_shape =
    DB_SHAPE(struct db_job_woken, woken_cols);

/* More claims than that were never made of one job. */
#define FENCE_JUMP (INT64_C(1) << 32)

struct id_row {
	const char *id;
};
static const struct db_col id_cols[] = {
	{ DB_STR, offsetof(struct id_row, id) },
};
static const struct db_shape id_shape = DB_SHAPE(struct id_row, id_cols);

static const struct db_stmt due = { "job.due", "i",
	"SELECT 1" CLAIM_COLS(
	    DB_SQL) " FROM job WHERE" DUE
		    " ORDER BY next_look_at LIMIT ? FOR UPDATE" };
static const struct db_stmt claim = { "job.claim", "siis",
	"UPDATE job SET lease_owner = ?, lease_fence = lease_fence + 1,"
	" lease_until = NOW(6) + INTERVAL ? MICROSECOND,"
	" next_look_at = NOW(6) + INTERVAL ? MICROSECOND"
	" WHERE is_initiator = 1 AND settled = 0 AND next_look_at <= NOW(6)"
	" AND FIND_IN_SET(job_id, ?) > 0" };
static const struct db_stmt renew = { "job.renew", "iis",
	"UPDATE job SET lease_until = NOW(6) + INTERVAL ? MICROSECOND,"
	" next_look_at = IF(next_look_at > SYSDATE(6),"
	"  NOW(6) + INTERVAL ? MICROSECOND, next_look_at)"
	" WHERE is_initiator = 1 AND settled = 0 AND lease_owner = ?"
	" AND lease_until > NOW(6)" };
static const struct db_stmt leased = { "job.leased", "si",
	"SELECT 1" LEASED_COLS(
	    DB_SQL) " FROM job WHERE is_initiator = 1 AND settled = 0"
		    " AND lease_owner = ? AND lease_until > NOW(6) LIMIT ?" };
/*
 * SYSDATE, not NOW: NOW is when the statement began, and a wake may have set
 * the row while the statement waited for it.
 */
static const struct db_stmt hold = { "job.hold", "s",
	"SELECT lease_fence FROM job WHERE job_id = ? FOR UPDATE" };
static const struct db_stmt release = { "job.release", "iisi",
	"UPDATE job SET lease_owner = NULL, lease_until = NULL,"
	" next_look_at = IF(next_look_at <= SYSDATE(6) AND " DB_LOOK_US
	" <> ?, next_look_at, SYSDATE(6) + INTERVAL ? MICROSECOND)"
	" WHERE job_id = ? AND lease_fence = ?" };
static const struct db_stmt raise_fence = { "job.raise_fence", "iisii",
	"UPDATE job SET lease_fence = ?, lease_owner = NULL, lease_until = NULL,"
	" next_look_at = SYSDATE(6) + INTERVAL ? MICROSECOND"
	" WHERE job_id = ? AND is_initiator = 1 AND settled = 0"
	" AND lease_fence = ? AND lease_fence < ?" };
static const struct db_stmt woken = { "job.woken", "si",
	"SELECT 1" WOKEN_COLS(
	    DB_SQL) " FROM job WHERE lease_owner = ?"
		    " AND settled = 0 AND next_look_at <= NOW(6) LIMIT ?" };
static const struct db_stmt wake = { "job.wake", "s",
	"UPDATE job SET next_look_at = NOW(6) WHERE job_id = ?" };
static const struct db_stmt settle = { "job.settle", "si",
	"UPDATE job SET settled = 1, lease_owner = NULL, lease_until = NULL"
	" WHERE job_id = ? AND lease_fence = ?" };
static const struct db_stmt overdue = { "job.overdue", "i",
	"SELECT 1, job_id FROM job WHERE is_initiator = 1 AND settled = 0"
	" AND cancel_signal = 0 AND status = 'running'"
	" AND started_at + INTERVAL timeout_s SECOND <= NOW(6) LIMIT ?" };

struct claiming {
	struct arena *arena;
	const char *owner;
	int64_t lease_us;
	int64_t limit;
	struct db_job_claim *rows;
	size_t n;
};

static int
by_queue(const void *a, const void *b)
{
	const struct db_job_claim *x = a, *y = b;

	if (x->queue_us != y->queue_us)
		return x->queue_us < y->queue_us ? -1 : 1;
	return strcmp(x->job_id, y->job_id);
}

static int
claim_tx(struct db *db, void *ctx)
{
	struct claiming *c = ctx;
	struct buf ids = BUF_INIT;
	int64_t n;
	int r;

	if ((r = db_select(db, &due, &claim_shape, c->arena, &c->rows, &c->n,
		 c->limit)) != 0 ||
	    c->n == 0)
		return r;
	for (size_t i = 0; i < c->n; i++)
		buf_printf(&ids, "%s%s", i > 0 ? "," : "", c->rows[i].job_id);
	r = db_exec(
	    db, &claim, &n, c->owner, c->lease_us, c->lease_us, buf_str(&ids));
	buf_fini(&ids);
	/* Several that one wake made due. */
	qsort(c->rows, c->n, sizeof(*c->rows), by_queue);
	if (r == 0 && (size_t)n != c->n)
		r = err_set(ERR_DB_RETRY, "claimed %lld of %zu jobs",
		    (long long)n, c->n);
	return r;
}

int
db_job_claim(struct db *db, struct arena *a, const char *owner,
    int64_t lease_ms, int64_t limit, struct db_job_claim **rows, size_t *n)
{
	struct claiming c = { .arena = a,
		.owner = owner,
		.lease_us = lease_ms * 1000,
		.limit = limit };
	int r;

	*rows = NULL;
	*n = 0;
	if ((r = db_tx(db, claim_tx, &c)) != 0)
		return err_wrap("claim jobs");
	*rows = c.rows;
	*n = c.n;
	return 0;
}

int
db_job_renew(struct db *db, const char *owner, int64_t lease_ms, int64_t *n)
{
	return db_exec(db, &renew, n, lease_ms * 1000, lease_ms * 1000, owner);
}

int
db_job_leased(struct db *db, struct arena *a, const char *owner, int64_t limit,
    struct db_job_claim **rows, size_t *n)
{
	return db_select(db, &leased, &leased_shape, a, rows, n, owner, limit);
}

static int
lost(const char *job_id, int64_t fence)
{
	return err_set(ERR_CONFLICT, "lease %lld on job %s was lost",
	    (long long)fence, job_id);
}

int
db_job_hold(struct db *db, const char *job_id, int64_t fence)
{
	int64_t now;
	int r;

	if ((r = db_query_int(db, &hold, &now, job_id)) != 0)
		return r;
	return now == fence ? 0 : lost(job_id, fence);
}

int
db_job_release(struct db *db, const char *job_id, int64_t fence,
    int64_t delay_ms, int64_t seen_us)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &release, &n, seen_us, delay_ms * 1000, job_id,
		 fence)) != 0)
		return r;
	return n == 1 ? 0 : lost(job_id, fence);
}

int
db_job_raise_fence(struct db *db, const char *job_id, int64_t fence,
    int64_t heard, int64_t delay_ms)
{
	int64_t n;
	int r;

	/* It grows by one for each claim. */
	if (heard - fence > FENCE_JUMP)
		return err_set(ERR_LIMIT,
		    "job %s: fence %lld is out of reach from %lld", job_id,
		    (long long)heard, (long long)fence);
	if ((r = db_exec(db, &raise_fence, &n, heard, delay_ms * 1000, job_id,
		 fence, heard)) != 0)
		return r;
	return n == 1 ? 0 : lost(job_id, fence);
}

int
db_job_woken(struct db *db, struct arena *a, const char *owner, int64_t limit,
    struct db_job_woken **rows, size_t *n)
{
	return db_select(db, &woken, &woken_shape, a, rows, n, owner, limit);
}

int
db_job_wake(struct db *db, const char *job_id)
{
	return db_exec(db, &wake, NULL, job_id);
}

int
db_job_settle(struct db *db, const char *job_id, int64_t fence)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &settle, &n, job_id, fence)) != 0)
		return r;
	return n == 1 ? 0 : lost(job_id, fence);
}

/* The shape of an id row is that of a plain array of strings. */
int
db_job_overdue(
    struct db *db, struct arena *a, int64_t limit, const char ***ids, size_t *n)
{
	return db_select(db, &overdue, &id_shape, a, ids, n, limit);
}

const struct db_stmt *const db_job_lease_often[] = { &wake, NULL };
