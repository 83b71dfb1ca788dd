/*
 * audit_exchange.  Written by the supervisor, and by fcgi-app for what other
 * sites say.
 */
#include "lib/db/db_exchange.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"

#define EXCHANGE_COLS(X)                                                       \
	X(STR, job_id, "x.job_id")                                             \
	X(INT, run, "x.run")                                                   \
	X(STR, peer_id, "x.peer_id")                                           \
	X(STR, peer_role,                                                      \
	    "(SELECT MIN(p.role) FROM job_party p"                             \
	    " WHERE p.job_id = x.job_id AND p.party_id = x.peer_id)")          \
	X(INT, own.seq, "COALESCE(x.own_seq, 0)")                              \
	X(STR, own.hash, "LOWER(HEX(x.own_hash))")                             \
	X(STR, own.sign, "LOWER(HEX(x.own_sign))")                             \
	X(STR, own.seen, "LOWER(HEX(x.own_seen))")                             \
	X(INT, peer.seq, "COALESCE(x.peer_seq, 0)")                            \
	X(STR, peer.hash, "LOWER(HEX(x.peer_hash))")                           \
	X(STR, peer.sign, "LOWER(HEX(x.peer_sign))")                           \
	X(STR, peer.seen, "LOWER(HEX(x.peer_seen))")                           \
	X(INT, told, "x.told")                                                 \
	X(INT, tries, "x.tries")                                               \
	X(BOOL, is_open, "x.open")
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_exchange, field) },
static const struct db_col exchange_cols[] = { EXCHANGE_COLS(COL) };
#undef COL
static const struct db_shape exchange_shape =
    DB_SHAPE(struct db_exchange, exchange_cols);

#define SELECT_EXCHANGE                                                        \
	"SELECT 1" EXCHANGE_COLS(DB_SQL) " FROM audit_exchange x"
#define THIS " WHERE job_id = ? AND run = ? AND peer_id = ?"
#define THIS_PARAMS "sis"
#define THIS_ARGS(x) (x)->job_id, (x)->run, (x)->peer_id

/*
 * audit_id is the row that was inserted just before.  A job that ends once
 * more under the same run has a row already (and is locked meanwhile).
 */
static const struct db_stmt begin = { "exchange.begin", "s",
	"INSERT INTO audit_exchange (job_id, run, peer_id, audit_id)"
	" SELECT DISTINCT j.job_id, j.run, p.party_id, LAST_INSERT_ID()"
	" FROM job j JOIN job_party p ON p.job_id = j.job_id"
	" WHERE j.job_id = ? AND p.is_local = 0 AND p.party_id <> '0'"
	" AND NOT EXISTS (SELECT 1 FROM audit_exchange x"
	"  WHERE x.job_id = j.job_id AND x.run = j.run"
	"  AND x.peer_id = p.party_id)" };
static const struct db_stmt due = { "exchange.due", "i",
	SELECT_EXCHANGE " JOIN audit_link l ON l.audit_id = x.audit_id"
			" WHERE x.open = 1 AND x.next_try_at <= NOW(6)"
			" ORDER BY x.next_try_at LIMIT ?" };
static const struct db_stmt get = { "exchange.get", THIS_PARAMS,
	SELECT_EXCHANGE THIS };
static const struct db_stmt list = { "exchange.list", "",
	SELECT_EXCHANGE " ORDER BY x.created_at, x.job_id, x.run, x.peer_id" };
static const struct db_stmt put_own_head = { "exchange.put_own_head",
	"iss" THIS_PARAMS,
	"UPDATE audit_exchange SET own_seq = ?, own_hash = UNHEX(?),"
	" own_sign = UNHEX(?)" THIS " AND own_seq IS NULL" };
static const struct db_stmt put_own_seen = { "exchange.put_own_seen",
	"s" THIS_PARAMS,
	"UPDATE audit_exchange SET own_seen = UNHEX(?),"
	" next_try_at = NOW(6)" THIS " AND own_seen IS NULL" };
static const struct db_stmt put_peer_head = { "exchange.put_peer_head",
	"iss" THIS_PARAMS,
	"UPDATE audit_exchange SET peer_seq = ?, peer_hash = UNHEX(?),"
	" peer_sign = UNHEX(?), next_try_at = NOW(6)" THIS
	" AND peer_seq IS NULL" };
static const struct db_stmt put_peer_seen = { "exchange.put_peer_seen",
	"s" THIS_PARAMS,
	"UPDATE audit_exchange SET peer_seen = UNHEX(?)" THIS
	" AND peer_seen IS NULL" };
static const struct db_stmt asked = { "exchange.asked", "i" THIS_PARAMS,
	"UPDATE audit_exchange SET tries = tries + 1,"
	" next_try_at = NOW(6) + INTERVAL ? MICROSECOND" THIS };
/* Columns are set from left to right: told is the new one in what follows. */
static const struct db_stmt told_so = { "exchange.told", "ie" THIS_PARAMS,
	"UPDATE audit_exchange SET told = GREATEST(told, ?),"
	" last_error = LEFT(?, 500),"
	" open = IF(told = 2 AND own_seen IS NOT NULL"
	"  AND peer_seen IS NOT NULL, 0, 1)" THIS };

static const struct db_stmt expire = { "exchange.expire", "",
	"UPDATE audit_exchange SET open = 2"
	" WHERE open = 1 AND created_at < NOW(6) - INTERVAL 7 DAY" };

int
db_exchange_begin(struct db *db, const char *job_id)
{
	return db_exec(db, &begin, NULL, job_id);
}

int
db_exchange_due(struct db *db, struct arena *a, int64_t limit,
    struct db_exchange **rows, size_t *n)
{
	return db_select(db, &due, &exchange_shape, a, rows, n, limit);
}

int
db_exchange_get(struct db *db, struct arena *a, const char *job_id, int64_t run,
    const char *peer_id, struct db_exchange **out)
{
	int r = db_select_one(
	    db, &get, &exchange_shape, a, out, job_id, run, peer_id);

	return r == ERR_NOT_FOUND
		   ? err_set(r, "job %.30s has not ended here", job_id)
		   : r;
}

int
db_exchange_list(
    struct db *db, struct arena *a, struct db_exchange **rows, size_t *n)
{
	return db_select(db, &list, &exchange_shape, a, rows, n);
}

int
db_exchange_put_own(struct db *db, const struct db_exchange *x)
{
	int r = 0;

	if (x->own.seq != 0)
		r = db_exec(db, &put_own_head, NULL, x->own.seq, x->own.hash,
		    x->own.sign, THIS_ARGS(x));
	if (r == 0 && x->own.seen != NULL)
		r = db_exec(db, &put_own_seen, NULL, x->own.seen, THIS_ARGS(x));
	return r;
}

int
db_exchange_put_peer(struct db *db, const struct db_exchange *x)
{
	int r = 0;

	if (x->peer.seq != 0)
		r = db_exec(db, &put_peer_head, NULL, x->peer.seq, x->peer.hash,
		    x->peer.sign, THIS_ARGS(x));
	if (r == 0 && x->peer.seen != NULL)
		r = db_exec(
		    db, &put_peer_seen, NULL, x->peer.seen, THIS_ARGS(x));
	return r;
}

int
db_exchange_asked(struct db *db, const struct db_exchange *x, int64_t ms)
{
	return db_exec(db, &asked, NULL, ms * 1000, THIS_ARGS(x));
}

int
db_exchange_told(
    struct db *db, const struct db_exchange *x, int64_t told, const char *error)
{
	return db_exec(db, &told_so, NULL, told, error, THIS_ARGS(x));
}

int
db_exchange_expire(struct db *db, int64_t *n)
{
	return db_exec(db, &expire, n);
}
