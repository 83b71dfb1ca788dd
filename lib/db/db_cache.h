/*
 * Caches of tasks: what an intersection keeps for later ones.
 */
#ifndef LIB_DB_DB_CACHE_H
#define LIB_DB_DB_CACHE_H

#include "lib/db/db_task.h"

struct db_cache {
	const char *cache_key; /* 32 hex digits */
	struct db_task_key key;
	const char *cache_name;
	const char *folder; /* below HOME/data/tables */
	const char *meta_json;
	int64_t row_count;
	int64_t created_ms;
	bool is_expired;
};

/* Insert; it expires after ttl_s.  ERR_EXISTS. */
int db_cache_put(struct db *, const struct db_cache *, int64_t ttl_s);
/* An expired one as long as it is there.  ERR_NOT_FOUND. */
int db_cache_get(
    struct db *, struct arena *, const char *cache_key, struct db_cache **out);
/* That of one version of a task.  ERR_NOT_FOUND. */
int db_cache_of_task(struct db *, struct arena *, const struct db_task_key *,
    const char *cache_name, struct db_cache **out);
/* From now on those of this task are expired; *n (may be NULL): how many. */
int db_cache_expire(struct db *, const struct db_task_key *, int64_t *n);
/* Those that expired grace_s ago or earlier. */
int db_cache_expired(struct db *, struct arena *, int64_t grace_s,
    int64_t limit, struct db_cache **rows, size_t *n);
int db_cache_delete(struct db *, const char *cache_key);

#endif
