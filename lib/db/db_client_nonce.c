/*
 * Called by fcgi-app for every signed request of a user; the supervisor
 * forgets.
 */
#include "lib/db/db_client_nonce.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_partner.h"
#include "lib/db/db_private.h"
#include "lib/db/db_rows.h"

/*
 * A request is judged by the front end's clock first: this much older by the
 * database's is still taken, and kept in memory.
 */
#define SKEW_MS 5000
#define CODE_TABLE_FULL 1114 /* the server's ER_RECORD_FILE_FULL */

#define NOW_MS "FLOOR(UNIX_TIMESTAMP(NOW(6)) * 1000)"

static const struct db_stmt remember = { "client_nonce.remember", "bi",
	"INSERT INTO client_nonce (hash, time_ms) VALUES (?, ?)" };
/* Nothing is inserted when it is not of the common kind. */
static const struct db_stmt remember_common = { "client_nonce.common", "biiiii",
	"INSERT INTO client_nonce (hash, time_ms)"
	" SELECT ?, ? FROM client_nonce_since WHERE id = 1"
	" AND since_ms < ? AND ? <= " NOW_MS " AND ? > " NOW_MS " - ?" };
static const struct db_stmt begin = { "client_nonce.begin", "",
	"INSERT IGNORE INTO client_nonce_since (id, since_ms)"
	" VALUES (1, " NOW_MS ")" };
static const struct db_stmt since = { "client_nonce.since", "",
	"SELECT 1, since_ms, " NOW_MS " FROM client_nonce_since WHERE id = 1" };
static const struct db_stmt purge = { "client_nonce.purge", "i",
	"DELETE FROM client_nonce WHERE time_ms <= " NOW_MS " - ?" };

struct memory {
	int64_t since_ms;
	int64_t now_ms;
};

static const struct db_col memory_cols[] = {
	{ DB_INT, offsetof(struct memory, since_ms) },
	{ DB_INT, offsetof(struct memory, now_ms) },
};
static const struct db_shape memory_shape =
    DB_SHAPE(struct memory, memory_cols);

/* What an INSERT failed with. */
static int
explain(const struct db *db, int r)
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
look(struct db *db, struct memory *out)
{
	struct arena *arena = arena_new();
	struct memory *row;
	int r;

	r = db_select_one(db, &since, &memory_shape, arena, &row);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		if ((r = db_exec(db, &begin, NULL)) == 0)
			r = db_select_one(
			    db, &since, &memory_shape, arena, &row);
	}
	if (r == 0)
		*out = *row;
	arena_free(arena);
	return r;
}

static int
check_time(const struct db_client_nonce *c, const struct memory *m)
{
	if (c->time_ms <= m->since_ms)
		return err_set(ERR_CONFLICT,
		    "the database started again after this request was "
		    "signed, and whether it was answered is not known; sign "
		    "it anew");
	if (c->time_ms <= m->now_ms - c->window_ms - SKEW_MS)
		return err_set(ERR_CONFLICT,
		    "TIMESTAMP is %lld ms old by the database's clock; sign "
		    "the request anew",
		    (long long)(m->now_ms - c->time_ms));
	return 0;
}

/* Durable first: what the memory lost is then found there. */
static int
use_durably(struct db *db, const struct db_client_nonce *c)
{
	char hex[2 * CLIENT_NONCE_HASH + 1];
	struct memory m;
	int r;

	if ((r = look(db, &m)) != 0 || (r = check_time(c, &m)) != 0)
		return r;
	str_to_hex(c->hash, sizeof(c->hash), hex);
	r = db_nonce_use(
	    db, "client", hex, (c->time_ms + c->window_ms) / 1000 + 1);
	if (r != 0)
		return r;
	return explain(db, db_exec(db, &remember, NULL, (const void *)c->hash,
			       sizeof(c->hash), c->time_ms));
}

int
db_client_nonce_use(struct db *db, const struct db_client_nonce *c)
{
	int64_t n;
	int r;

	r = db_exec(db, &remember_common, &n, (const void *)c->hash,
	    sizeof(c->hash), c->time_ms, c->time_ms - 2 * c->window_ms,
	    c->time_ms, c->time_ms, c->window_ms + SKEW_MS);
	if (r != 0)
		return explain(db, r);
	return n == 1 ? 0 : use_durably(db, c);
}

int
db_client_nonce_purge(struct db *db, int64_t window_ms, int64_t *n)
{
	int r;

	/* Begun here, so that after a restart no user's request is the first. */
	if ((r = db_exec(db, &begin, NULL)) != 0)
		return r;
	return db_exec(db, &purge, n, window_ms + SKEW_MS);
}
