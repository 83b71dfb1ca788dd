/*
 * Keys of users.  Written by the command line, read by fcgi-app for every
 * signed request.
 */
#include "lib/db/db_client_key.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"

#define KEY_COLS(X)                                                            \
	X(STR, name, "name")                                                   \
	X(STR, app_key, "app_key")                                             \
	X(STR, role, "role")                                                   \
	X(STR, secret, "secret")                                               \
	X(BOOL, enabled, "enabled")                                            \
	X(MS, created_ms, "created_at")

static const struct db_col key_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_client_key, field) },
	KEY_COLS(COL)
#undef COL
};
static const struct db_shape key_shape =
    DB_SHAPE(struct db_client_key, key_cols);

static const struct db_stmt add = { "client_key.add", "ssssi",
	"INSERT INTO client_key (name, app_key, role, secret, enabled)"
	" VALUES (?, ?, ?, ?, ?)" };
static const struct db_stmt get = { "client_key.get", "s",
	"SELECT 1" KEY_COLS(DB_SQL) " FROM client_key WHERE app_key = ?" };
static const struct db_stmt list = { "client_key.list", "",
	"SELECT 1" KEY_COLS(DB_SQL) " FROM client_key ORDER BY name" };
static const struct db_stmt any = { "client_key.any", "",
	"SELECT EXISTS (SELECT 1 FROM client_key WHERE enabled = 1)" };
static const struct db_stmt enable = { "client_key.enable", "is",
	"UPDATE client_key SET enabled = ? WHERE name = ?" };
static const struct db_stmt delete = { "client_key.delete", "s",
	"DELETE FROM client_key WHERE name = ?" };

int
db_client_key_add(struct db *db, const struct db_client_key *k)
{
	int r;

	r = db_exec(db, &add, NULL, k->name, k->app_key, k->role, k->secret,
	    (int64_t)k->enabled);
	return r == ERR_EXISTS
		   ? err_set(r, "there is a key named %.64s already", k->name)
		   : r;
}

int
db_client_key_get(struct db *db, struct arena *a, const char *app_key,
    struct db_client_key **out)
{
	int r;

	r = db_select_one(db, &get, &key_shape, a, out, app_key);
	return r == ERR_NOT_FOUND ? err_set(r, "no such APP_KEY") : r;
}

int
db_client_key_list(
    struct db *db, struct arena *a, struct db_client_key **rows, size_t *n)
{
	return db_select(db, &list, &key_shape, a, rows, n);
}

int
db_client_key_any(struct db *db, bool *out)
{
	int64_t found = 0;
	int r;

	r = db_query_int(db, &any, &found);
	*out = r == 0 && found != 0;
	return r;
}

static int
one_row(int r, int64_t n, const char *name)
{
	if (r != 0)
		return r;
	return n == 1 ? 0
		      : err_set(
			    ERR_NOT_FOUND, "there is no key named %.64s", name);
}

int
db_client_key_enable(struct db *db, const char *name, bool enabled)
{
	int64_t n = 0;
	int r;

	r = db_exec(db, &enable, &n, (int64_t)enabled, name);
	return one_row(r, n, name);
}

int
db_client_key_delete(struct db *db, const char *name)
{
	int64_t n = 0;
	int r;

	r = db_exec(db, &delete, &n, name);
	return one_row(r, n, name);
}
