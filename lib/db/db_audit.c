/*
 * Egress and audit: tables that only grow.  Written by shepherds before an
 * object leaves, and by fcgi-app for what was refused.
 */
#include "lib/db/db_audit.h"

#include "lib/base/err.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_often.h"
#include "lib/db/db_tx.h"

#define EGRESS_COLS(X)                                                         \
	X(INT, id, "id")                                                       \
	X(MS, at_ms, "at")                                                     \
	KEY_COLS(X, key., "")                                                  \
	X(STR, to_role, "to_role")                                             \
	X(STR, to_party, "to_party")                                           \
	X(STR, name, "name")                                                   \
	X(STR, tag, "tag")                                                     \
	X(INT, bytes, "bytes")                                                 \
	X(BIN, sha256, "sha256")
static const struct db_col egress_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_egress, field) },
	EGRESS_COLS(COL)
#undef COL
};
static const struct db_shape egress_shape =
    DB_SHAPE(struct db_egress, egress_cols);

/* With names, for a query around it. */
#define DB_SQL_NAMED(type, field, column)                                      \
	", " DB_SQL_##type(column) " AS " #field
#define AUDIT_COLS(X)                                                          \
	X(INT, id, "id")                                                       \
	X(MS, at_ms, "at")                                                     \
	X(STR, actor, "actor")                                                 \
	X(STR, action, "action")                                               \
	X(STR, subject, "subject")                                             \
	X(STR, outcome, "outcome")                                             \
	X(STR, detail, "detail")
#define FOUND_COLS(X)                                                          \
	AUDIT_COLS(X)                                                          \
	X(INT, seq, "seq")
static const struct db_col audit_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_audit, field) },
	FOUND_COLS(COL)
#undef COL
};
static const struct db_shape audit_shape =
    DB_SHAPE(struct db_audit, audit_cols);

static const struct db_stmt add_egress = { "egress.add", KEY_PARAMS "iissssib",
	"INSERT INTO egress (job_id, component, version, role, party_id,"
	" fence, seq, to_role, to_party, name, tag, bytes, sha256)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" };
static const struct db_stmt same_egress = { "egress.same",
	KEY_PARAMS "iissssib",
	"SELECT COUNT(*) FROM egress WHERE" KEY_WHERE
	" AND fence = ? AND seq = ? AND to_role = ? AND to_party = ?"
	" AND name = ? AND tag = ? AND bytes = ? AND sha256 = ?" };
static const struct db_stmt list_egress = { "egress.list", "sssii",
	"SELECT 1" EGRESS_COLS(DB_SQL) " FROM egress WHERE job_id = ?"
				       " AND (? IS NULL OR component = ?) AND "
				       "id > ? ORDER BY id LIMIT ?" };
static const struct db_stmt list_all_egress = { "egress.list_all", "ssii",
	"SELECT 1" EGRESS_COLS(
	    DB_SQL) " FROM egress WHERE (? IS NULL OR component = ?)"
		    " AND id > ? ORDER BY id LIMIT ?" };
#define TOTAL_COLS(X)                                                          \
	X(STR, key.job_id, "job_id")                                           \
	X(STR, key.component, "IF(?, '', component)")                          \
	X(INT, key.version, "IF(?, 0, version)")                               \
	X(STR, key.role, "role")                                               \
	X(STR, key.party_id, "party_id")                                       \
	X(STR, to_party, "to_party")                                           \
	X(INT, objects, "COUNT(*)")                                            \
	X(INT, bytes, "CAST(SUM(bytes) AS SIGNED)")
static const struct db_col total_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_egress_total, field) },
	TOTAL_COLS(COL)
#undef COL
};
static const struct db_shape total_shape =
    DB_SHAPE(struct db_egress_total, total_cols);
static const struct db_stmt totals = { "egress.totals", "iiss",
	"SELECT 1" TOTAL_COLS(DB_SQL) " FROM egress"
				      " WHERE (? IS NULL OR job_id = ?)"
				      " GROUP BY 2, 3, 4, 5, 6, 7"
				      " ORDER BY 2, MIN(id)" };
static const struct db_stmt task_bytes = { "egress.task_bytes", KEY_PARAMS,
	"SELECT CAST(COALESCE(SUM(bytes + LENGTH(tag)), 0) AS SIGNED)"
	" FROM egress WHERE" KEY_WHERE };
static const struct db_stmt add_ingress = { "ingress.add", KEY_PARAMS "sii",
	"INSERT INTO ingress (job_id, component, version, role, party_id,"
	" from_party, objects, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)" };
static const struct db_stmt add_audit = { "audit.add", "eeeee",
	"INSERT INTO audit (actor, action, subject, outcome, detail)"
	" VALUES (LEFT(?, 200), LEFT(?, 100), LEFT(?, 500), LEFT(?, 20),"
	" LEFT(?, 4000))" };

/* SUBSTRING and not LIKE: a text is no pattern. */
static const struct db_stmt find_audit = { "audit.find", "eeeeeessssttiii",
	"SELECT newest.*, COALESCE((SELECT l.seq FROM audit_link l"
	" WHERE l.audit_id = newest.id), 0) FROM (SELECT 1 AS one" AUDIT_COLS(
	    DB_SQL_NAMED) " FROM audit WHERE"
			  " (? IS NULL OR LEFT(actor, CHAR_LENGTH(?)) = ?)"
			  " AND (? IS NULL OR LEFT(subject, CHAR_LENGTH(?)) = ?)"
			  " AND (? IS NULL OR action = ?)"
			  " AND (? IS NULL OR outcome = ?)"
			  " AND (? IS NULL OR at >= ?)"
			  " AND (? = 0 OR id < ?)"
			  " ORDER BY id DESC LIMIT ?) AS newest ORDER BY id" };

/* A number that another object has: this one would leave without a row. */
static int
check_same(struct db *db, const struct db_egress *e)
{
	int64_t n = 0;
	int r;

	err_clear();
	r = db_query_int(db, &same_egress, &n, KEY_ARGS(&e->key), e->fence,
	    e->seq, e->to_role, e->to_party, e->name, e->tag, e->bytes,
	    (const void *)e->sha256, sizeof(e->sha256));
	return r != 0 || n == 1
		   ? r
		   : err_set(ERR_CONFLICT,
			 "the ledger of task %s has another object as number "
			 "%lld of attempt %lld",
			 e->key.component, (long long)e->seq,
			 (long long)e->fence);
}

struct adding {
	const struct db_egress *rows;
	size_t n;
};

static int
add_tx(struct db *db, void *ctx)
{
	const struct adding *ad = ctx;
	int r;

	for (size_t i = 0; i < ad->n; i++) {
		const struct db_egress *e = &ad->rows[i];

		r = db_exec(db, &add_egress, NULL, KEY_ARGS(&e->key), e->fence,
		    e->seq, e->to_role, e->to_party, e->name, e->tag, e->bytes,
		    (const void *)e->sha256, sizeof(e->sha256));
		if (r == ERR_EXISTS)
			r = check_same(db, e);
		if (r != 0)
			return r;
	}
	return 0;
}

int
db_egress_add(struct db *db, const struct db_egress *rows, size_t n)
{
	struct adding ad = { rows, n };

	return db_tx(db, add_tx, &ad);
}

int
db_egress_task_bytes(
    struct db *db, const struct db_task_key *key, int64_t *bytes)
{
	return db_query_int(db, &task_bytes, bytes, KEY_ARGS(key));
}

int
db_egress_list(struct db *db, struct arena *a, const char *job_id,
    const char *component, int64_t after_id, int64_t limit,
    struct db_egress **rows, size_t *n)
{
	if (job_id == NULL)
		return db_select(db, &list_all_egress, &egress_shape, a, rows,
		    n, component, component, after_id, limit);
	return db_select(db, &list_egress, &egress_shape, a, rows, n, job_id,
	    component, component, after_id, limit);
}

int
db_ingress_add(struct db *db, const struct db_ingress *i)
{
	return db_exec(db, &add_ingress, NULL, KEY_ARGS(&i->key), i->from_party,
	    i->objects, i->bytes);
}

int
db_egress_totals(struct db *db, struct arena *a, const char *job_id,
    bool by_job, struct db_egress_total **rows, size_t *n)
{
	int64_t whole = by_job;

	return db_select(db, &totals, &total_shape, a, rows, n, whole, whole,
	    job_id, job_id);
}

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

int
db_audit_add(struct db *db, const struct db_audit *e)
{
	return db_exec(db, &add_audit, NULL, text(e->actor), text(e->action),
	    text(e->subject), text(e->outcome), e->detail);
}

struct doing {
	db_tx_fn *fn;
	void *ctx;
	const struct db_audit *row;
};

static int
do_tx(struct db *db, void *ctx)
{
	const struct doing *d = ctx;
	int r;

	if ((r = d->fn(db, d->ctx)) != 0)
		return r;
	r = db_audit_add(db, d->row);
	return r == 0 ? 0 : err_wrap("it cannot be recorded");
}

int
db_audit_do(struct db *db, db_tx_fn *fn, void *ctx, const struct db_audit *row)
{
	struct doing d = { fn, ctx, row };

	return db_tx(db, do_tx, &d);
}

int
db_audit_find(struct db *db, struct arena *a, const struct db_audit_filter *f,
    struct db_audit **rows, size_t *n)
{
	return db_select(db, &find_audit, &audit_shape, a, rows, n, f->actor,
	    f->actor, f->actor, f->subject, f->subject, f->subject, f->action,
	    f->action, f->outcome, f->outcome, f->since_ms, f->since_ms,
	    f->before_id, f->before_id, f->limit);
}

const struct db_stmt *const db_audit_often[] = { &task_bytes, NULL };
