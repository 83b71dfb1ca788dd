/*
 * Errands.  Inserted and read by fcgi-app, carried out by supervisors.
 */
#include "lib/db/db_errand.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

#define ERRAND_COLS(X)                                                         \
	X(STR, errand_id, "e.errand_id")                                       \
	X(STR, kind, "e.kind")                                                 \
	X(STR, state, "e.state")                                               \
	X(BOOL, persistent, "e.persistent")                                    \
	X(STR, calls, "e.calls")                                               \
	X(STR, replies, "e.replies")                                           \
	X(INT, fence, "e.lease_fence")                                         \
	X(INT, tries, "e.tries")                                               \
	X(STR, request_id, "e.request_id")                                     \
	X(INT, deadline_ms,                                                    \
	    "TIMESTAMPDIFF(MICROSECOND, NOW(6), e.deadline_at) DIV 1000")

#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_errand, field) },
static const struct db_col errand_cols[] = { ERRAND_COLS(COL) };
#undef COL
static const struct db_shape errand_shape =
    DB_SHAPE(struct db_errand, errand_cols);

#define UNHELD "(lease_until IS NULL OR lease_until <= NOW(6))"

static const struct db_stmt add = { "errand.add", "ssisis",
	"INSERT INTO errand (errand_id, kind, state, persistent, calls,"
	" deadline_at, request_id) VALUES (?, ?, 'waiting', ?, ?,"
	" NOW(6) + INTERVAL ? MICROSECOND, ?)" };
static const struct db_stmt get = { "errand.get", "s",
	"SELECT 1" ERRAND_COLS(DB_SQL) " FROM errand e WHERE errand_id = ?" };
static const struct db_stmt give_up = { "errand.give_up", "s",
	"UPDATE errand SET state = 'expired', ended_at = NOW(6)"
	" WHERE errand_id = ? AND state = 'waiting' AND tries = 0" };

int
db_errand_add(struct db *db, const struct db_errand *e)
{
	return db_exec(db, &add, NULL, e->errand_id, e->kind,
	    (int64_t)e->persistent, e->calls, e->deadline_ms * 1000,
	    e->request_id != NULL ? e->request_id : "");
}

int
db_errand_get(struct db *db, struct arena *a, const char *errand_id,
    struct db_errand **out)
{
	int r = db_select_one(db, &get, &errand_shape, a, out, errand_id);

	return r == ERR_NOT_FOUND ? err_set(r, "no errand %.32s", errand_id)
				  : r;
}

int
db_errand_give_up(struct db *db, const char *errand_id, bool *effective)
{
	int64_t n;
	int r = db_exec(db, &give_up, &n, errand_id);

	if (effective != NULL)
		*effective = r == 0 && n == 1;
	return r;
}

/* --- claim --- */

static const struct db_stmt pick = { "errand.pick", "i",
	"SELECT 1" ERRAND_COLS(
	    DB_SQL) " FROM errand e WHERE state IN ('waiting', 'running')"
		    " AND next_try_at <= NOW(6) AND deadline_at > NOW(6)"
		    " AND " UNHELD " ORDER BY created_at, errand_id LIMIT ?"
		    " FOR UPDATE SKIP LOCKED" };
static const struct db_stmt take = { "errand.take", "sis",
	"UPDATE errand SET state = 'running', lease_owner = ?,"
	" lease_fence = lease_fence + 1, tries = tries + 1,"
	" lease_until = NOW(6) + INTERVAL ? MICROSECOND"
	" WHERE errand_id = ?" };

struct claiming {
	struct arena *arena;
	const char *owner;
	int64_t lease_ms;
	int64_t limit;
	struct db_errand *rows;
	size_t n;
};

static int
claim_tx(struct db *db, void *ctx)
{
	struct claiming *c = ctx;
	int r;

	if ((r = db_select(db, &pick, &errand_shape, c->arena, &c->rows, &c->n,
		 c->limit)) != 0)
		return r;
	for (size_t i = 0; i < c->n; i++) {
		if ((r = db_exec(db, &take, NULL, c->owner, c->lease_ms * 1000,
			 c->rows[i].errand_id)) != 0)
			return r;
		c->rows[i].fence++;
		c->rows[i].tries++;
	}
	return 0;
}

int
db_errand_claim(struct db *db, struct arena *a, const char *owner,
    int64_t lease_ms, int64_t limit, struct db_errand **rows, size_t *n)
{
	struct claiming c = {
		.arena = a, .owner = owner, .lease_ms = lease_ms, .limit = limit
	};
	int r = db_tx(db, claim_tx, &c);

	*rows = r == 0 ? c.rows : NULL;
	*n = r == 0 ? c.n : 0;
	return r;
}

/* --- the end --- */

static const struct db_stmt done = { "errand.done", "ssi",
	"UPDATE errand SET state = 'done', ended_at = NOW(6),"
	" lease_until = NULL, replies = ?"
	" WHERE errand_id = ? AND lease_fence = ? AND state = 'running'" };
static const struct db_stmt again = { "errand.again", "sisi",
	"UPDATE errand SET state = 'waiting', lease_until = NULL, replies = ?,"
	" next_try_at = NOW(6) + INTERVAL ? MICROSECOND"
	" WHERE errand_id = ? AND lease_fence = ? AND state = 'running'" };
static const struct db_stmt take_over = { "errand.take_over", "ss",
	"UPDATE errand SET lease_until = NULL WHERE state = 'running'"
	" AND LOCATE(?, lease_owner) = 1 AND lease_owner <> ?" };
static const struct db_stmt expire = { "errand.expire", "",
	"UPDATE errand SET state = 'expired', ended_at = NOW(6)"
	" WHERE state IN ('waiting', 'running') AND deadline_at <= NOW(6)"
	" AND " UNHELD };
static const struct db_stmt purge = { "errand.purge", "i",
	"DELETE FROM errand WHERE ended_at < NOW(6) - INTERVAL ? MICROSECOND"
	" LIMIT 1000" };

static int
held(int64_t n, const char *errand_id)
{
	return n == 1 ? 0
		      : err_set(ERR_CONFLICT,
			    "the lease on errand %.32s was lost", errand_id);
}

int
db_errand_done(
    struct db *db, const char *errand_id, int64_t fence, const char *replies)
{
	int64_t n;
	int r = db_exec(db, &done, &n, replies, errand_id, fence);

	return r != 0 ? r : held(n, errand_id);
}

int
db_errand_again(struct db *db, const char *errand_id, int64_t fence,
    const char *replies, int64_t delay_ms)
{
	int64_t n;
	int r =
	    db_exec(db, &again, &n, replies, delay_ms * 1000, errand_id, fence);

	return r != 0 ? r : held(n, errand_id);
}

int
db_errand_take_over(struct db *db, const char *prefix, const char *owner)
{
	return db_exec(db, &take_over, NULL, prefix, owner);
}

int
db_errand_collect(
    struct db *db, int64_t age_ms, int64_t *expired, int64_t *deleted)
{
	int r;

	if ((r = db_exec(db, &expire, expired)) != 0)
		return r;
	return db_exec(db, &purge, deleted, age_ms * 1000);
}
