/*
 * Caches of tasks.  Written by shepherds with the end of their tasks, read
 * by those of later ones, removed by detectors.
 */
#include "lib/db/db_cache.h"

#include "lib/base/err.h"
#include "lib/db/db_cols.h"

#define CACHE_COLS(X)                                                          \
	X(STR, cache_key, "cache_key")                                         \
	KEY_COLS(X, key., "")                                                  \
	X(STR, cache_name, "cache_name")                                       \
	X(STR, folder, "folder")                                               \
	X(STR, meta_json, "meta")                                              \
	X(INT, row_count, "row_count")                                         \
	X(MS, created_ms, "created_at")                                        \
	X(BOOL, is_expired, "expires_at <= NOW(6)")

static const struct db_col cache_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_cache, field) },
	CACHE_COLS(COL)
#undef COL
};
static const struct db_shape cache_shape =
    DB_SHAPE(struct db_cache, cache_cols);

static const struct db_stmt put = { "cache.put", "s" KEY_PARAMS "sssii",
	"INSERT INTO task_cache (cache_key, job_id, component, version, role,"
	" party_id, cache_name, folder, meta, row_count, expires_at)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NOW(6) + INTERVAL ? SECOND)" };
static const struct db_stmt get = { "cache.get", "s",
	"SELECT 1" CACHE_COLS(DB_SQL) " FROM task_cache WHERE cache_key = ?" };
static const struct db_stmt of_task = { "cache.of_task", KEY_PARAMS "s",
	"SELECT 1" CACHE_COLS(DB_SQL) " FROM task_cache WHERE" KEY_WHERE
				      " AND cache_name = ?" };
/* By columns that fcgi-app may use: it sees no folder and no content. */
static const struct db_stmt expire = { "cache.expire", KEY_PARAMS,
	"UPDATE task_cache SET expires_at = NOW(6) WHERE" KEY_WHERE
	" AND expires_at > NOW(6)" };
static const struct db_stmt expired = { "cache.expired", "ii",
	"SELECT 1" CACHE_COLS(
	    DB_SQL) " FROM task_cache"
		    " WHERE expires_at <= NOW(6) - INTERVAL ? SECOND"
		    " ORDER BY expires_at LIMIT ?" };
static const struct db_stmt delete = { "cache.delete", "s",
	"DELETE FROM task_cache WHERE cache_key = ?" };

int
db_cache_put(struct db *db, const struct db_cache *c, int64_t ttl_s)
{
	return db_exec(db, &put, NULL, c->cache_key, KEY_ARGS(&c->key),
	    c->cache_name, c->folder, c->meta_json, c->row_count, ttl_s);
}

int
db_cache_get(struct db *db, struct arena *a, const char *cache_key,
    struct db_cache **out)
{
	return db_select_one(db, &get, &cache_shape, a, out, cache_key);
}

int
db_cache_of_task(struct db *db, struct arena *a, const struct db_task_key *k,
    const char *cache_name, struct db_cache **out)
{
	return db_select_one(
	    db, &of_task, &cache_shape, a, out, KEY_ARGS(k), cache_name);
}

int
db_cache_expire(struct db *db, const struct db_task_key *k, int64_t *n)
{
	return db_exec(db, &expire, n, KEY_ARGS(k));
}

int
db_cache_expired(struct db *db, struct arena *a, int64_t grace_s, int64_t limit,
    struct db_cache **rows, size_t *n)
{
	return db_select(
	    db, &expired, &cache_shape, a, rows, n, grace_s, limit);
}

int
db_cache_delete(struct db *db, const char *cache_key)
{
	return db_exec(db, &delete, NULL, cache_key);
}
