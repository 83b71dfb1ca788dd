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
	X(BOOL, is_over,                                                       \
	    "u.enabled = 0 OR s.expires_at <= NOW(6)"                          \
	    " OR s.seen_at <= NOW(6) - INTERVAL ? SECOND")                     \
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
	"SELECT COUNT(*) FROM session WHERE user_name = ?"
	" AND expires_at > NOW(6)" };
static const struct db_stmt end_oldest = { "session.end_oldest", "si",
	"UPDATE session SET " DB_SESSION_ENDS " WHERE user_name = ?"
	" AND expires_at > NOW(6) ORDER BY created_at LIMIT ?" };
static const struct db_stmt count_over = { "session.count_over", "s",
	"SELECT COUNT(*) FROM session WHERE user_name = ?"
	" AND expires_at <= NOW(6)" };
static const struct db_stmt drop_over = { "session.drop_over", "si",
	"DELETE FROM session WHERE user_name = ? AND expires_at <= NOW(6)"
	" ORDER BY expires_at LIMIT ?" };
static const struct db_stmt add = { "session.add", "bsi",
	"INSERT INTO session (hash, user_name, expires_at)"
	" VALUES (?, ?, NOW(6) + INTERVAL ? SECOND)" };
static const struct db_stmt sweep = { "session.sweep", "i",
	"DELETE FROM session WHERE expires_at < NOW(6) - INTERVAL ? SECOND"
	" ORDER BY expires_at LIMIT 100" };
static const struct db_stmt get = { "session.get", "ib",
	"SELECT 1" SESSION_COLS(DB_SQL) " FROM session s JOIN site_user u"
					" ON u.name = s.user_name"
					" WHERE s.hash = ?" };
static const struct db_stmt seen = { "session.seen", "b",
	"UPDATE session SET seen_at = NOW(6)"
	" WHERE hash = ? AND expires_at > NOW(6)" };
static const struct db_stmt end = { "session.end", "b",
	"UPDATE session SET " DB_SESSION_ENDS
	" WHERE hash = ? AND expires_at > NOW(6)" };

#define HASH(h) (const void *)(h), (size_t)DB_SESSION_HASH

/* Room for one more of the user's, of those that last and of the others. */
static int
make_room(struct db *db, const char *name)
{
	int64_t have = 0, over = 0;
	int r;

	if ((r = db_query_int(db, &count, &have, name)) != 0)
		return r;
	if (have >= DB_SESSIONS_EACH &&
	    (r = db_exec(db, &end_oldest, NULL, name,
		 have - DB_SESSIONS_EACH + 1)) != 0)
		return r;
	if ((r = db_query_int(db, &count_over, &over, name)) != 0 ||
	    over <= DB_SESSIONS_OVER)
		return r;
	return db_exec(db, &drop_over, NULL, name, over - DB_SESSIONS_OVER);
}

static int
begin_tx(struct db *db, void *ctx)
{
	const struct db_session_begin *b = ctx;
	int64_t n = 0;
	int r;

	r = db_exec(db, &admit, &n, b->rehash, b->name, b->password);
	if (r == 0 && n != 1)
		r = err_set(ERR_AUTH, "not any more");
	if (r != 0 || (r = make_room(db, b->name)) != 0)
		return r;
	return db_exec(db, &add, NULL, HASH(b->hash), b->name, b->max_s);
}

int
db_session_sweep(struct db *db)
{
	return db_exec(db, &sweep, NULL, (int64_t)DB_SESSION_KNOWN_S);
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
	    db, &get, &session_shape, a, out, idle_max_s, HASH(hash));
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
