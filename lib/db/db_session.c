/*
 * Sessions of users.  Called by fcgi-app at log-in and for every request that
 * comes with a cookie.
 */
#include "lib/base/err.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"
#include "lib/db/db_user.h"

#define SESSION_COLS(X)                                                        \
	X(STR, name, "u.name")                                                 \
	X(STR, role, "u.role")                                                 \
	X(INT, idle_s, "TIMESTAMPDIFF(SECOND, s.seen_at, NOW(6))")             \
	X(MS, expires_ms, "s.expires_at")

static const struct db_col session_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_session, field) },
	SESSION_COLS(COL)
#undef COL
};
static const struct db_shape session_shape =
    DB_SHAPE(struct db_session, session_cols);

/* Locks the user's row, which whoever changes the password locks as well. */
static const struct db_stmt admit = { "session.admit", "sss",
	"UPDATE site_user SET failed = 0, locked_until = NULL,"
	" password = COALESCE(?, password)"
	" WHERE name = ? AND password = ? AND enabled = 1"
	" AND COALESCE(locked_until <= NOW(6), 1)" };
static const struct db_stmt count = { "session.count", "s",
	"SELECT COUNT(*) FROM session WHERE user_name = ?" };
static const struct db_stmt drop_oldest = { "session.drop_oldest", "si",
	"DELETE FROM session WHERE user_name = ? ORDER BY created_at LIMIT ?" };
static const struct db_stmt add = { "session.add", "bsi",
	"INSERT INTO session (hash, user_name, expires_at)"
	" VALUES (?, ?, NOW(6) + INTERVAL ? SECOND)" };
static const struct db_stmt sweep = { "session.sweep", "",
	"DELETE FROM session WHERE expires_at < NOW(6)"
	" ORDER BY expires_at LIMIT 100" };
static const struct db_stmt get = { "session.get", "bi",
	"SELECT 1" SESSION_COLS(DB_SQL) " FROM session s JOIN site_user u"
					" ON u.name = s.user_name"
					" WHERE s.hash = ? AND u.enabled = 1"
					" AND s.expires_at > NOW(6)"
					" AND s.seen_at > NOW(6)"
					" - INTERVAL ? SECOND" };
static const struct db_stmt seen = { "session.seen", "b",
	"UPDATE session SET seen_at = NOW(6) WHERE hash = ?" };
static const struct db_stmt end = { "session.end", "b",
	"DELETE FROM session WHERE hash = ?" };

#define HASH(h) (const void *)(h), (size_t)DB_SESSION_HASH

static int
begin_tx(struct db *db, void *ctx)
{
	const struct db_session_begin *b = ctx;
	int64_t n = 0, have = 0;
	int r;

	r = db_exec(db, &admit, &n, b->rehash, b->name, b->password);
	if (r == 0 && n != 1)
		r = err_set(ERR_AUTH, "not any more");
	if (r != 0 || (r = db_query_int(db, &count, &have, b->name)) != 0)
		return r;
	if (have >= DB_SESSIONS_EACH &&
	    (r = db_exec(db, &drop_oldest, NULL, b->name,
		 have - DB_SESSIONS_EACH + 1)) != 0)
		return r;
	return db_exec(db, &add, NULL, HASH(b->hash), b->name, b->max_s);
}

int
db_session_sweep(struct db *db)
{
	return db_exec(db, &sweep, NULL);
}

int
db_session_begin(struct db *db, const struct db_session_begin *b)
{
	struct db_session_begin copy = *b;

	return db_tx(db, begin_tx, &copy);
}

int
db_session_get(struct db *db, struct arena *a,
    const unsigned char hash[DB_SESSION_HASH], int64_t idle_max_s,
    struct db_session **out)
{
	return db_select_one(
	    db, &get, &session_shape, a, out, HASH(hash), idle_max_s);
}

int
db_session_seen(struct db *db, const unsigned char hash[DB_SESSION_HASH])
{
	return db_exec(db, &seen, NULL, HASH(hash));
}

int
db_session_end(struct db *db, const unsigned char hash[DB_SESSION_HASH])
{
	return db_exec(db, &end, NULL, HASH(hash));
}
