/*
 * What the memories of signed requests have in common.
 */
#include "lib/db/db_nonce_memory.h"

#include "lib/base/err.h"
#include "lib/db/db_private.h"
#include "lib/db/db_rows.h"

#define CODE_TABLE_FULL 1114 /* the server's ER_RECORD_FILE_FULL */

struct begun {
	int64_t since_ms;
	int64_t now_ms;
};

static const struct db_col begun_cols[] = {
	{ DB_INT, offsetof(struct begun, since_ms) },
	{ DB_INT, offsetof(struct begun, now_ms) },
};
static const struct db_shape begun_shape = DB_SHAPE(struct begun, begun_cols);

int
nonce_memory_explain(const struct db *db, int r)
{
	return r == ERR_DB && db->client_errno == CODE_TABLE_FULL
		   ? err_set(ERR_BUSY,
			 "too many signed requests within a minute or two for "
			 "what the database remembers of them; try again later "
			 "(its operator may raise max_heap_table_size)")
		   : r;
}

/* Since when there is a memory; it begins now if there is none. */
static int
look(struct db *db, const struct nonce_memory *m, struct begun *out)
{
	struct arena *arena = arena_new();
	struct begun *row;
	int r;

	r = db_select_one(db, m->since, &begun_shape, arena, &row);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		if ((r = db_exec(db, m->begin, NULL)) == 0)
			r = db_select_one(
			    db, m->since, &begun_shape, arena, &row);
	}
	if (r == 0)
		*out = *row;
	arena_free(arena);
	return r;
}

int
nonce_memory_judge(struct db *db, const struct nonce_memory *m,
    const struct nonce_span *span, int64_t time_ms)
{
	struct begun b;
	int r;

	if ((r = look(db, m, &b)) != 0)
		return r;
	if (time_ms <= b.since_ms)
		return err_set(ERR_CONFLICT,
		    "the database started again after this request was "
		    "signed, and whether it was answered is not known; sign "
		    "it anew");
	if (time_ms <= b.now_ms - span->behind_ms - NONCE_SKEW_MS)
		return err_set(ERR_CONFLICT,
		    "%s is %lld ms old by the database's clock; sign "
		    "the request anew",
		    m->stamp, (long long)(b.now_ms - time_ms));
	return 0;
}

int
nonce_memory_keep(struct db *db, const struct nonce_memory *m,
    const uint8_t hash[NONCE_HASH], int64_t time_ms)
{
	int r = db_exec(db, m->remember, NULL, (const void *)hash,
	    (size_t)NONCE_HASH, time_ms);

	return nonce_memory_explain(db, r);
}

int
nonce_memory_purge(struct db *db, const struct nonce_memory *m,
    const struct nonce_span *span, int64_t *n)
{
	int r;

	/* Begun here, so that after a restart no request is the first. */
	if ((r = db_exec(db, m->begin, NULL)) != 0)
		return r;
	return db_exec(db, m->purge, n, span->behind_ms + NONCE_SKEW_MS);
}
