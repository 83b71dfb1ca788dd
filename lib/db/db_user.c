/*
 * Users.  Written by the command line; fcgi-app reads them, counts failures
 * and changes passwords.  Their sessions: db_session.c.
 */
#include "lib/db/db_user.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

#define USER_COLS(X)                                                           \
	X(STR, name, "name")                                                   \
	X(STR, role, "role")                                                   \
	X(STR, password, "password")                                           \
	X(BOOL, enabled, "enabled")                                            \
	X(BOOL, is_locked, "COALESCE(locked_until > NOW(6), 0)")               \
	X(INT, failed, "failed")                                               \
	X(MS, locked_until_ms, "locked_until")                                 \
	X(MS, created_ms, "created_at")                                        \
	X(MS, password_ms, "password_at")

static const struct db_col user_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct db_user, field) },
	USER_COLS(COL)
#undef COL
};
static const struct db_shape user_shape = DB_SHAPE(struct db_user, user_cols);

static const struct db_stmt add = { "user.add", "sss",
	"INSERT INTO site_user (name, role, password) VALUES (?, ?, ?)" };
static const struct db_stmt get = { "user.get", "s",
	"SELECT 1" USER_COLS(DB_SQL) " FROM site_user WHERE name = ?" };
static const struct db_stmt list = { "user.list", "",
	"SELECT 1" USER_COLS(DB_SQL) " FROM site_user ORDER BY name" };
static const struct db_stmt enable = { "user.enable", "is",
	"UPDATE site_user SET enabled = ? WHERE name = ?" };
static const struct db_stmt delete = { "user.delete", "s",
	"DELETE FROM site_user WHERE name = ?" };
static const struct db_stmt unlock = { "user.unlock", "s",
	"UPDATE site_user SET failed = 0, locked_until = NULL"
	" WHERE name = ?" };
static const struct db_stmt set_password = { "user.password", "ssss",
	"UPDATE site_user SET password = ?, password_at = NOW(6),"
	" failed = 0, locked_until = NULL"
	" WHERE name = ? AND (? IS NULL OR password = ?)" };
static const struct db_stmt end_all = { "session.end_all", "s",
	"UPDATE session SET " DB_SESSION_ENDS
	" WHERE user_name = ? AND expires_at > NOW(6)" };
/* locked_until comes first: it is made of the count before this failure. */
static const struct db_stmt failure = { "user.failed", "iiiis",
	"UPDATE site_user SET locked_until = IF(failed + 1 < ?, NULL,"
	" NOW(6) + INTERVAL LEAST(?, ? << LEAST(failed + 1 - ?, 20)) SECOND),"
	" failed = failed + 1"
	" WHERE name = ? AND COALESCE(locked_until <= NOW(6), 1)" };
static const struct db_stmt lock_left = { "user.lock_left", "s",
	"SELECT COALESCE(CEIL(TIMESTAMPDIFF(MICROSECOND, NOW(6), locked_until)"
	" / 1000000), 0) FROM site_user WHERE name = ?" };

int
db_user_add(struct db *db, const struct db_user *u)
{
	int r = db_exec(db, &add, NULL, u->name, u->role, u->password);

	return r == ERR_EXISTS
		   ? err_set(r, "there is a user named %.64s already", u->name)
		   : r;
}

static int
no_user(int code, const char *name)
{
	return err_set(code, "there is no user named %.64s", name);
}

int
db_user_get(
    struct db *db, struct arena *a, const char *name, struct db_user **out)
{
	int r = db_select_one(db, &get, &user_shape, a, out, name);

	return r == ERR_NOT_FOUND ? no_user(r, name) : r;
}

int
db_user_list(struct db *db, struct arena *a, struct db_user **rows, size_t *n)
{
	return db_select(db, &list, &user_shape, a, rows, n);
}

static int
one_row(int r, int64_t n, const char *name)
{
	return r == 0 && n != 1 ? no_user(ERR_NOT_FOUND, name) : r;
}

struct change {
	const char *name;
	const char *was;
	const char *hash;
	bool enabled;
	int64_t ended;
};

static int
enable_tx(struct db *db, void *ctx)
{
	struct change *c = ctx;
	int64_t n = 0;
	int r;

	r = db_exec(db, &enable, &n, (int64_t)c->enabled, c->name);
	if ((r = one_row(r, n, c->name)) == 0 && !c->enabled)
		r = db_exec(db, &end_all, &c->ended, c->name);
	return r;
}

int
db_user_enable(struct db *db, const char *name, bool enabled)
{
	struct change c = { .name = name, .enabled = enabled };

	return db_tx(db, enable_tx, &c);
}

/* Sessions go with the user, by their foreign key. */
int
db_user_delete(struct db *db, const char *name)
{
	int64_t n = 0;
	int r = db_exec(db, &delete, &n, name);

	return one_row(r, n, name);
}

int
db_user_unlock(struct db *db, const char *name)
{
	int64_t n = 0;
	int r = db_exec(db, &unlock, &n, name);

	return one_row(r, n, name);
}

static int
password_tx(struct db *db, void *ctx)
{
	struct change *c = ctx;
	int64_t n = 0;
	int r;

	c->ended = 0;
	r = db_exec(db, &set_password, &n, c->hash, c->name, c->was, c->was);
	if (r == 0 && n != 1)
		r = c->was == NULL ? no_user(ERR_NOT_FOUND, c->name)
				   : err_set(ERR_CONFLICT,
					 "the password was changed meanwhile");
	return r == 0 ? db_exec(db, &end_all, &c->ended, c->name) : r;
}

int
db_user_password(struct db *db, const char *name, const char *was,
    const char *hash, int64_t *ended)
{
	struct change c = { .name = name, .was = was, .hash = hash };
	int r = db_tx(db, password_tx, &c);

	if (ended != NULL)
		*ended = c.ended;
	return r;
}

int
db_user_failed(struct db *db, const char *name, int64_t *locked_s)
{
	int64_t n = 0;
	int r;

	*locked_s = 0;
	r = db_exec(db, &failure, &n, (int64_t)DB_LOGIN_TRIES,
	    (int64_t)DB_LOCK_MAX_S, (int64_t)DB_LOCK_S, (int64_t)DB_LOGIN_TRIES,
	    name);
	if (r != 0 || n == 0)
		return r;
	return db_query_int(db, &lock_left, locked_s, name);
}
