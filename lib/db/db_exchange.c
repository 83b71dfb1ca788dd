/*
 * audit_exchange.  Written by the supervisor, and by fcgi-app for what other
 * sites say.
 */
#include "lib/db/db_exchange.h"

#include <stdlib.h>
#include <string.h>

#include "lib/db/db_rows.h"
#include "lib/json/json.h"

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
			" ORDER BY x.next_try_at, x.job_id, x.run, x.peer_id"
			" LIMIT ?" };
static const struct db_stmt list = { "exchange.list", "",
	SELECT_EXCHANGE " ORDER BY x.created_at, x.job_id, x.run, x.peer_id" };
/*
 * Several rows of one other site come as one JSON text, [[job, run, …], …],
 * which drives the look-ups, each in the primary key.
 */
#define ROWS(columns)                                                          \
	" JSON_TABLE(?, '$[*]' COLUMNS (job_id VARCHAR(25) PATH '$[0]',"       \
	" run INT PATH '$[1]'" columns ")) n STRAIGHT_JOIN audit_exchange x"   \
	" ON x.job_id = n.job_id COLLATE utf8mb4_bin AND x.run = n.run"        \
	" AND x.peer_id = ?"
static const struct db_stmt some = { "exchange.some", "ss",
	"SELECT 1" EXCHANGE_COLS(DB_SQL) " FROM" ROWS("") };
static const struct db_stmt lock_some = { "exchange.lock_some", "ss",
	"SELECT 1" EXCHANGE_COLS(DB_SQL) " FROM" ROWS("") " FOR UPDATE" };
#define HEAD                                                                   \
	", seq BIGINT PATH '$[2]', hash VARCHAR(64) PATH '$[3]',"              \
	" sign VARCHAR(128) PATH '$[4]', seen VARCHAR(128) PATH '$[5]'"
/* The columns of a head are set together, so what is there stays whole. */
static const struct db_stmt put_own = {
	"exchange.put_own", "ss",
	"UPDATE" ROWS(HEAD
	    ", pause BIGINT PATH '$[6]'") " SET x.own_seq = COALESCE(x.own_seq, n.seq),"
					  " x.own_hash = COALESCE(x.own_hash, UNHEX(n.hash)),"
					  " x.own_sign = COALESCE(x.own_sign, UNHEX(n.sign)),"
					  " x.peer_seen = COALESCE(x.peer_seen, UNHEX(n.seen)),"
					  " x.tries = x.tries + 1,"
					  " x.next_try_at = NOW(6) + INTERVAL n.pause MICROSECOND"
};
static const struct db_stmt put_peer = { "exchange.put_peer", "ss",
	"UPDATE" ROWS(
	    HEAD) " SET x.peer_seq = COALESCE(x.peer_seq, n.seq),"
		  " x.peer_hash = COALESCE(x.peer_hash, UNHEX(n.hash)),"
		  " x.peer_sign = COALESCE(x.peer_sign, UNHEX(n.sign)),"
		  " x.own_seen = COALESCE(x.own_seen, UNHEX(n.seen)),"
		  " x.next_try_at = NOW(6)" };
static const struct db_stmt put_told = {
	"exchange.told", "ss",
	"UPDATE" ROWS(
	    ", told INT PATH '$[2]', error TEXT PATH '$[3]'") " SET x.told = GREATEST(x.told, n.told),"
							      " x.last_error = LEFT(n.error, 500),"
							      " x.open = IF(GREATEST(x.told, n.told) = 2"
							      "  AND x.own_seen IS NOT NULL AND x.peer_seen IS NOT NULL, 0, 1)"
};

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

/* --- several of one other site --------------------------------------------- */

static int
by_key(const void *a, const void *b)
{
	const struct db_exchange *x = *(const struct db_exchange *const *)a;
	const struct db_exchange *y = *(const struct db_exchange *const *)b;
	int c = strcmp(x->job_id, y->job_id);

	return c != 0 ? c : (x->run > y->run) - (x->run < y->run);
}

static void
add_nothing(struct json_object *row, const struct db_exchange *x)
{
	(void)row;
	(void)x;
}

/*
 * Locked in the order of their keys, whoever brings them in whichever.  The
 * text lives as long as *root, which is the caller's.
 */
static const char *
rows_text(const struct db_exchange *rows, size_t n,
    void (*add)(struct json_object *, const struct db_exchange *),
    struct json_object **root)
{
	const struct db_exchange **sorted =
	    xcalloc(n + 1, sizeof(*sorted)); /* n may be 0 */
	struct json_object *row;

	for (size_t i = 0; i < n; i++)
		sorted[i] = &rows[i];
	qsort(sorted, n, sizeof(*sorted), by_key);
	*root = json_object_new_array();
	for (size_t i = 0; i < n; i++) {
		row = json_object_new_array();
		json_object_array_add(
		    row, json_object_new_string(sorted[i]->job_id));
		json_object_array_add(
		    row, json_object_new_int64(sorted[i]->run));
		add(row, sorted[i]);
		json_object_array_add(*root, row);
	}
	free(sorted);
	return json_text(*root);
}

static void
add_text(struct json_object *row, const char *s)
{
	json_object_array_add(
	    row, s == NULL ? NULL : json_object_new_string(s));
}

static void
add_head(
    struct json_object *row, const struct db_exchange_head *h, const char *seen)
{
	bool is_there = h->seq != 0;

	json_object_array_add(
	    row, is_there ? json_object_new_int64(h->seq) : NULL);
	add_text(row, is_there ? h->hash : NULL);
	add_text(row, is_there ? h->sign : NULL);
	add_text(row, seen);
}

static void
add_own(struct json_object *row, const struct db_exchange *x)
{
	add_head(row, &x->own, x->peer.seen);
	json_object_array_add(row, json_object_new_int64(x->pause_ms * 1000));
}

static void
add_peer(struct json_object *row, const struct db_exchange *x)
{
	add_head(row, &x->peer, x->own.seen);
}

static void
add_told(struct json_object *row, const struct db_exchange *x)
{
	json_object_array_add(row, json_object_new_int64(x->told));
	add_text(row, x->error != NULL ? x->error : "");
}

int
db_exchange_some(struct db *db, struct arena *a, const char *peer_id,
    const struct db_exchange *keys, size_t nkeys, bool lock,
    struct db_exchange **rows, size_t *n)
{
	struct json_object *root;
	const char *text = rows_text(keys, nkeys, add_nothing, &root);
	int r = db_select(db, lock ? &lock_some : &some, &exchange_shape, a,
	    rows, n, text, peer_id);

	json_object_put(root);
	return r;
}

static int
put(struct db *db, const struct db_stmt *stmt, const char *peer_id,
    const struct db_exchange *rows, size_t n,
    void (*add)(struct json_object *, const struct db_exchange *))
{
	struct json_object *root;
	const char *text;
	int r;

	if (n == 0)
		return 0;
	text = rows_text(rows, n, add, &root);
	r = db_exec(db, stmt, NULL, text, peer_id);
	json_object_put(root);
	return r;
}

int
db_exchange_put_own(struct db *db, const char *peer_id,
    const struct db_exchange *rows, size_t n)
{
	return put(db, &put_own, peer_id, rows, n, add_own);
}

int
db_exchange_put_peer(struct db *db, const char *peer_id,
    const struct db_exchange *rows, size_t n)
{
	return put(db, &put_peer, peer_id, rows, n, add_peer);
}

int
db_exchange_told(struct db *db, const char *peer_id,
    const struct db_exchange *rows, size_t n)
{
	return put(db, &put_told, peer_id, rows, n, add_told);
}

/* --- all ------------------------------------------------------------------- */

int
db_exchange_list(
    struct db *db, struct arena *a, struct db_exchange **rows, size_t *n)
{
	return db_select(db, &list, &exchange_shape, a, rows, n);
}

int
db_exchange_expire(struct db *db, int64_t *n)
{
	return db_exec(db, &expire, n);
}
