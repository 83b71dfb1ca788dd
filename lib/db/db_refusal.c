/*
 * front_log and refusal.  Written by the supervisor alone.
 */
#include "lib/db/db_refusal.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"

#define REFUSAL_COLS(X)                                                        \
	X(STR, listener, "listener")                                           \
	X(STR, reason, "reason")                                               \
	X(STR, party_id, "party_id")                                           \
	X(STR, address, "address")                                             \
	X(MS, first_ms, "first_at")                                            \
	X(INT, n, "pending")
static const struct db_col refusal_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_refusal, field) },
	REFUSAL_COLS(COL)
#undef COL
};
static const struct db_shape refusal_shape =
    DB_SHAPE(struct db_refusal, refusal_cols);

#define AT_COLS(X)                                                             \
	X(INT, inode, "inode")                                                 \
	X(INT, offset, "read_to")
static const struct db_col at_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_front_at, field) },
	AT_COLS(COL)
#undef COL
};
static const struct db_shape at_shape = DB_SHAPE(struct db_front_at, at_cols);

#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define DUE                                                                    \
	" WHERE place = ? AND pending > 0 AND (told_at IS NULL OR told_at <="  \
	" NOW(6) - INTERVAL " STRING(DB_REFUSAL_EVERY_S) " SECOND)"

static const struct db_stmt at = { "front.at", "s",
	"SELECT 1" AT_COLS(DB_SQL) " FROM front_log WHERE place = ?" };
static const struct db_stmt offset_of = { "front.offset", "i",
	"SELECT read_to FROM front_log WHERE inode = ?"
	" ORDER BY read_at DESC LIMIT 1" };
static const struct db_stmt begin = { "front.begin", "sii",
	"INSERT INTO front_log (place, inode, read_to, read_at)"
	" VALUES (?, ?, ?, NOW(6))" };
static const struct db_stmt move = { "front.move", "iisii",
	"UPDATE front_log SET inode = ?, read_to = ?, read_at = NOW(6)"
	" WHERE place = ? AND inode = ? AND read_to = ?" };
/* Columns are set from left to right: pending is the old one until it is. */
static const struct db_stmt add = { "refusal.add", "ssssits",
	"INSERT INTO refusal (place, listener, reason, party_id, pending,"
	" first_at, address) VALUES (?, ?, ?, ?, ?, ?, LEFT(?, 50))"
	" ON DUPLICATE KEY UPDATE"
	" first_at = IF(pending = 0, VALUES(first_at), first_at),"
	" address = VALUES(address), pending = pending + VALUES(pending)" };
static const struct db_stmt due = { "refusal.due", "s",
	"SELECT 1" REFUSAL_COLS(DB_SQL) " FROM refusal" DUE
					" ORDER BY first_at FOR UPDATE" };
static const struct db_stmt waiting = { "refusal.waiting", "s",
	"SELECT COUNT(*) FROM refusal WHERE place = ? AND pending > 0" };
static const struct db_stmt told = { "refusal.told", "issss",
	"UPDATE refusal SET pending = pending - ?, told_at = NOW(6)"
	" WHERE place = ? AND listener = ? AND reason = ? AND party_id = ?" };

int
db_front_at(struct db *db, const char *place, struct db_front_at *out)
{
	struct arena *a = arena_new();
	struct db_front_at *row = NULL;
	int r = db_select_one(db, &at, &at_shape, a, &row, place);

	*out = (struct db_front_at){ 0, 0 };
	if (r == ERR_NOT_FOUND)
		r = 0;
	else if (r == 0)
		*out = *row;
	arena_free(a);
	return r;
}

int
db_front_offset(struct db *db, int64_t inode, int64_t *offset)
{
	return db_query_int(db, &offset_of, offset, inode);
}

int
db_front_move(struct db *db, const char *place, const struct db_front_at *from,
    const struct db_front_at *to)
{
	int64_t n = 0;
	int r;

	if (from->inode == 0)
		r = db_exec(db, &begin, &n, place, to->inode, to->offset);
	else
		r = db_exec(db, &move, &n, to->inode, to->offset, place,
		    from->inode, from->offset);
	if (r == ERR_EXISTS || (r == 0 && n == 0))
		return err_set(ERR_CONFLICT, "refused.log was read on");
	return r;
}

int
db_refusal_add(
    struct db *db, const char *place, const struct db_refusal *refusal)
{
	return db_exec(db, &add, NULL, place, refusal->listener,
	    refusal->reason, refusal->party_id, refusal->n, refusal->first_ms,
	    refusal->address);
}

int
db_refusal_due(struct db *db, struct arena *a, const char *place,
    struct db_refusal **rows, size_t *n, int64_t *left)
{
	int r = db_select(db, &due, &refusal_shape, a, rows, n, place);

	if (r == 0)
		r = db_query_int(db, &waiting, left, place);
	if (r == 0)
		*left -= (int64_t)*n;
	return r;
}

int
db_refusal_told(
    struct db *db, const char *place, const struct db_refusal *refusal)
{
	return db_exec(db, &told, NULL, refusal->n, place, refusal->listener,
	    refusal->reason, refusal->party_id);
}
