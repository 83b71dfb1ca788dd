/*
 * audit_link and audit_checkpoint.  Written by the sealer (supervisor), read
 * by the commands that export and check.
 */
#include "lib/db/db_audit_chain.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

#define RECORD_COLS(X)                                                         \
	X(STR, rec.at, "DATE_FORMAT(a.at, '%Y-%m-%dT%H:%i:%s.%fZ')")           \
	X(STR, rec.actor, "a.actor")                                           \
	X(STR, rec.action, "a.action")                                         \
	X(STR, rec.subject, "a.subject")                                       \
	X(STR, rec.outcome, "a.outcome")                                       \
	X(STR, rec.detail, "a.detail")
#define UNLINKED_COLS(X)                                                       \
	X(INT, audit_id, "a.id")                                               \
	RECORD_COLS(X)
#define LINKED_COLS(X)                                                         \
	X(INT, audit_id, "l.audit_id")                                         \
	X(INT, rec.seq, "l.seq")                                               \
	X(BIN, rec.hash, "l.hash")                                             \
	X(BOOL, is_there, "a.id IS NOT NULL")                                  \
	RECORD_COLS(X)
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_audit_row, field) },
static const struct db_col unlinked_cols[] = { UNLINKED_COLS(COL) };
static const struct db_col linked_cols[] = { LINKED_COLS(COL) };
#undef COL
static const struct db_shape unlinked_shape =
    DB_SHAPE(struct db_audit_row, unlinked_cols);
static const struct db_shape linked_shape =
    DB_SHAPE(struct db_audit_row, linked_cols);

/* As a join: a NOT EXISTS may be carried out by reading all links. */
#define WITHOUT_LINK " LEFT JOIN audit_link l ON l.audit_id = a.id"
static const struct db_stmt unlinked = { "audit.unlinked", "ii",
	"SELECT 1" UNLINKED_COLS(DB_SQL) " FROM audit a" WITHOUT_LINK
					 " WHERE a.id > ?"
					 " AND l.audit_id IS NULL"
					 " ORDER BY a.id LIMIT ?" };
static const struct db_stmt walk = { "audit.walk", "ii",
	"SELECT 1" LINKED_COLS(
	    DB_SQL) " FROM audit_link l LEFT JOIN audit a ON a.id = l.audit_id"
		    " WHERE l.seq > ? ORDER BY l.seq LIMIT ?" };
static const struct db_stmt tail = { "audit.tail", "ii",
	"SELECT COUNT(*), COALESCE(MAX(id), ?) FROM audit WHERE id > ?" };
static const struct db_stmt overdue = { "audit.overdue", "ii",
	"SELECT COUNT(*), COALESCE(MIN(a.id), 0) FROM audit a" WITHOUT_LINK
	" WHERE a.at < NOW(6) - INTERVAL ? MICROSECOND"
	" AND a.at > NOW(6) - INTERVAL ? MICROSECOND"
	" AND l.audit_id IS NULL" };
static const struct db_stmt head = { "audit.head", "",
	"SELECT seq, hash FROM ("
	" (SELECT seq, hash FROM audit_link ORDER BY seq DESC LIMIT 1)"
	" UNION ALL"
	" (SELECT seq, hash FROM audit_checkpoint ORDER BY seq DESC LIMIT 1))"
	" AS h ORDER BY seq DESC LIMIT 1" };
/* All or none, in one statement: [[seq, id, hash], …]. */
static const struct db_stmt link_rows = { "audit.link", "s",
	"INSERT INTO audit_link (seq, audit_id, hash)"
	" SELECT n.seq, n.audit_id, UNHEX(n.hash) FROM JSON_TABLE(?, '$[*]'"
	" COLUMNS (seq BIGINT PATH '$[0]', audit_id BIGINT PATH '$[1]',"
	" hash VARCHAR(64) PATH '$[2]')) n" };
static const struct db_stmt checkpoint = { "audit.checkpoint", "",
	"SELECT seq, hash, signature, UNIX_TIMESTAMP(at) * 1000"
	" FROM audit_checkpoint ORDER BY seq DESC LIMIT 1" };

int
db_audit_unlinked(struct db *db, struct arena *a, int64_t after_id,
    int64_t limit, struct db_audit_row **rows, size_t *n)
{
	return db_select(
	    db, &unlinked, &unlinked_shape, a, rows, n, after_id, limit);
}

int
db_audit_walk(struct db *db, struct arena *a, int64_t after_seq, int64_t limit,
    struct db_audit_row **rows, size_t *n)
{
	return db_select(
	    db, &walk, &linked_shape, a, rows, n, after_seq, limit);
}

struct tail {
	int64_t *n, *last_id;
};

static int
take_tail(const struct db_row *row, void *ctx)
{
	struct tail *t = ctx;

	*t->n = db_row_int(row, 0);
	*t->last_id = db_row_int(row, 1);
	return 0;
}

int
db_audit_tail(struct db *db, int64_t after_id, int64_t *n, int64_t *last_id)
{
	struct tail t = { n, last_id };

	return db_query(db, &tail, take_tail, &t, NULL, after_id, after_id);
}

int
db_audit_overdue(struct db *db, int64_t age_ms, int64_t until_age_ms,
    int64_t *n, int64_t *first_id)
{
	struct tail t = { n, first_id };

	return db_query(db, &overdue, take_tail, &t, NULL, age_ms * 1000,
	    until_age_ms * 1000);
}

static int
take_bytes(const struct db_row *row, unsigned col, void *out, size_t size)
{
	size_t len;
	const void *p = db_row_blob(row, col, &len);

	if (p == NULL || len != size)
		return err_set(ERR_FORMAT, "a hash or signature has %zu bytes",
		    p == NULL ? 0 : len);
	memcpy(out, p, size);
	return 0;
}

static int
take_head(const struct db_row *row, void *ctx)
{
	struct db_audit_checkpoint *c = ctx;

	c->seq = db_row_int(row, 0);
	return take_bytes(row, 1, c->hash, sizeof(c->hash));
}

int
db_audit_head(struct db *db, int64_t *seq, uint8_t hash[DIGEST_SIZE])
{
	struct db_audit_checkpoint c = { .seq = 0 };
	int r = db_query(db, &head, take_head, &c, NULL);

	*seq = c.seq;
	memcpy(hash, c.hash, sizeof(c.hash));
	return r;
}

static int
take_checkpoint(const struct db_row *row, void *ctx)
{
	struct db_audit_checkpoint *c = ctx;
	int r;

	if ((r = take_head(row, c)) != 0)
		return r;
	c->at_ms = db_row_int(row, 3);
	return take_bytes(row, 2, c->signature, sizeof(c->signature));
}

int
db_audit_checkpoint(struct db *db, struct db_audit_checkpoint *out)
{
	memset(out, 0, sizeof(*out));
	return db_query(db, &checkpoint, take_checkpoint, out, NULL);
}

int
db_audit_link(struct db *db, const struct db_audit_row *rows, size_t n)
{
	char hex[2 * DIGEST_SIZE + 1];
	struct buf text = BUF_INIT;
	int r;

	buf_puts(&text, "[");
	for (size_t i = 0; i < n; i++) {
		str_to_hex(rows[i].rec.hash, sizeof(rows[i].rec.hash), hex);
		buf_printf(&text, "%s[%lld,%lld,\"%s\"]", i > 0 ? "," : "",
		    (long long)rows[i].rec.seq, (long long)rows[i].audit_id,
		    hex);
	}
	buf_puts(&text, "]");
	r = db_exec(db, &link_rows, NULL, buf_str(&text));
	buf_fini(&text);
	return r;
}

/* --- pruning --- */

static const struct db_stmt prunable = { "audit.prunable", "tii",
	"SELECT seq, hash FROM (SELECT l.seq, l.hash FROM audit_link l"
	"  WHERE l.seq < COALESCE((SELECT MIN(k.seq) FROM audit_link k"
	"   LEFT JOIN audit a ON a.id = k.audit_id"
	"   WHERE a.id IS NULL OR a.at >= ?), ?)"
	"  ORDER BY l.seq LIMIT ?) AS oldest ORDER BY seq DESC LIMIT 1" };
static const struct db_stmt has_hash = { "audit.has_hash", "ib",
	"SELECT COUNT(*) FROM audit_link WHERE seq = ? AND hash = ?" };
static const struct db_stmt drop_rows = { "audit.drop_rows", "i",
	"DELETE a FROM audit a JOIN audit_link l ON l.audit_id = a.id"
	" WHERE l.seq <= ?" };
static const struct db_stmt drop_links = { "audit.drop_links", "i",
	"DELETE FROM audit_link WHERE seq <= ?" };
static const struct db_stmt keep_checkpoint = { "audit.keep_checkpoint", "ibb",
	"INSERT INTO audit_checkpoint (seq, hash, signature)"
	" VALUES (?, ?, ?)" };

int
db_audit_prunable(struct db *db, int64_t before_ms, int64_t limit,
    struct db_audit_checkpoint *out)
{
	memset(out, 0, sizeof(*out));
	return db_query(
	    db, &prunable, take_head, out, NULL, before_ms, INT64_MAX, limit);
}

static int
prune_tx(struct db *db, void *ctx)
{
	const struct db_audit_checkpoint *c =
	    *(const struct db_audit_checkpoint *const *)ctx;
	int64_t same;
	int r;

	if ((r = db_query_int(db, &has_hash, &same, c->seq,
		 (const void *)c->hash, sizeof(c->hash))) != 0)
		return r;
	if (same != 1)
		return err_set(ERR_CONFLICT,
		    "the chain has another hash at %lld", (long long)c->seq);
	if ((r = db_exec(db, &keep_checkpoint, NULL, c->seq,
		 (const void *)c->hash, sizeof(c->hash),
		 (const void *)c->signature, sizeof(c->signature))) != 0 ||
	    (r = db_exec(db, &drop_rows, NULL, c->seq)) != 0)
		return r;
	return db_exec(db, &drop_links, NULL, c->seq);
}

int
db_audit_prune(struct db *db, const struct db_audit_checkpoint *c)
{
	return db_tx(db, prune_tx, &c);
}
