/*
 * Decisions of people.  Asked for and written by lib/party, signed by
 * supervisors.
 */
#include "lib/db/db_approval.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/db/db_rows.h"

/* What was asked about an earlier contract admits nothing any more. */
#define OPEN "a.revision = j.revision AND j.status IN ('ready', 'waiting')"

#define APPROVAL_COLS(X)                                                       \
	X(STR, job_id, "a.job_id")                                             \
	X(INT, revision, "a.revision")                                         \
	X(STR, role, "a.role")                                                 \
	X(STR, party_id, "a.party_id")                                         \
	X(INT, permission_id, "a.permission_id")                               \
	X(STR, subject, "a.subject")                                           \
	X(STR, approval_by, "a.approval_by")                                   \
	X(MS, created_ms, "a.created_at")                                      \
	X(MS, deadline_ms, "a.deadline_at")                                    \
	X(STR, decision, "a.decision")                                         \
	X(STR, decided_by, "a.decided_by")                                     \
	X(INT, decided_s, "a.decided_s")                                       \
	X(STR, note, "a.note")                                                 \
	X(STR, key_id, "a.key_id")                                             \
	X(STR, signature, "a.signature")                                       \
	X(STR, initiator_party, "j.initiator_party")                           \
	X(BOOL, is_open, "(" OPEN ")")

static const struct db_col approval_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_approval, field) },
	APPROVAL_COLS(COL)
#undef COL
};
static const struct db_shape approval_shape =
    DB_SHAPE(struct db_approval, approval_cols);

#define SELECT                                                                 \
	"SELECT 1" APPROVAL_COLS(DB_SQL) " FROM approval a"                    \
					 " JOIN job j ON j.job_id = a.job_id"

/* No ON DUPLICATE KEY, which needs the right to change every column. */
static const struct db_stmt ask = { "approval.ask", "sississi",
	"INSERT IGNORE INTO approval (job_id, revision, role, party_id,"
	" permission_id, subject, approval_by, deadline_at)"
	" VALUES (?, ?, ?, ?, ?, LEFT(?, 600), LEFT(?, 200),"
	" NOW(6) + INTERVAL ? SECOND)" };
static const struct db_stmt list = { "approval.list", "ssii",
	SELECT " WHERE (? IS NULL OR a.job_id = ?)"
	       " AND (? = 0 OR (a.decision = '' AND a.deadline_at > NOW(6)"
	       " AND " OPEN "))"
	       " ORDER BY a.job_id DESC, a.role, a.party_id LIMIT ?" };
static const struct db_stmt of_member = { "approval.of_member", "siss",
	SELECT " WHERE a.job_id = ? AND a.revision = ? AND a.role = ?"
	       " AND a.party_id = ? FOR UPDATE" };
static const struct db_stmt overdue = { "approval.overdue", "i",
	SELECT " WHERE a.decision = '' AND a.deadline_at <= NOW(6) LIMIT ?" };
#define DECIDED_COLS(X)                                                        \
	X(STR, a.job_id, "a.job_id")                                           \
	X(INT, a.revision, "a.revision")                                       \
	X(STR, a.role, "a.role")                                               \
	X(STR, a.party_id, "a.party_id")                                       \
	X(INT, a.permission_id, "a.permission_id")                             \
	X(STR, a.subject, "a.subject")                                         \
	X(STR, a.decision, "a.decision")                                       \
	X(STR, a.decided_by, "a.decided_by")                                   \
	X(INT, a.decided_s, "a.decided_s")                                     \
	X(STR, a.note, "a.note")                                               \
	X(STR, a.key_id, "a.key_id")                                           \
	X(STR, a.signature, "a.signature")                                     \
	X(STR, hash, "LOWER(HEX(j.contract_hash))")                            \
	X(STR, text_hash, "SHA2(j.contract, 256)")

static const struct db_col decided_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_decided, field) },
	DECIDED_COLS(COL)
#undef COL
};
static const struct db_shape decided_shape =
    DB_SHAPE(struct db_decided, decided_cols);
static const struct db_stmt walk = { "approval.walk", "ssissii",
	"SELECT 1" DECIDED_COLS(
	    DB_SQL) " FROM approval a LEFT JOIN job j"
		    " ON j.job_id = a.job_id AND j.revision = a.revision"
		    " WHERE a.decision <> '' AND (a.job_id > ? OR"
		    " (a.job_id = ? AND (a.revision, a.role, a.party_id,"
		    " a.permission_id) > (?, ?, ?, ?)))"
		    " ORDER BY a.job_id, a.revision, a.role, a.party_id,"
		    " a.permission_id LIMIT ?" };
static const struct db_stmt decide = { "approval.decide", "seeisissii",
	"UPDATE approval SET decision = ?, decided_by = LEFT(?, 200),"
	" note = LEFT(?, 4000), decided_s = ?"
	" WHERE job_id = ? AND revision = ? AND role = ?"
	" AND party_id = ? AND permission_id = ? AND decision = ''"
	" AND (deadline_at <= NOW(6)) = ?" };
static const struct db_stmt sign = { "approval.sign", "sssissi",
	"UPDATE approval SET key_id = ?, signature = ? WHERE job_id = ?"
	" AND revision = ? AND role = ? AND party_id = ?"
	" AND permission_id = ?" };

int
db_approval_ask(struct db *db, const struct db_approval *a, int64_t within_s)
{
	return db_exec(db, &ask, NULL, a->job_id, a->revision, a->role,
	    a->party_id, a->permission_id, a->subject, a->approval_by,
	    within_s);
}

int
db_approval_list(struct db *db, struct arena *a, const char *job_id,
    bool undecided, int64_t limit, struct db_approval **rows, size_t *n)
{
	return db_select(db, &list, &approval_shape, a, rows, n, job_id, job_id,
	    (int64_t)undecided, limit);
}

int
db_approval_of_member(struct db *db, struct arena *a, const char *job_id,
    int64_t revision, const char *role, const char *party_id,
    struct db_approval **rows, size_t *n)
{
	return db_select(db, &of_member, &approval_shape, a, rows, n, job_id,
	    revision, role, party_id);
}

int
db_approval_overdue(struct db *db, struct arena *a, int64_t limit,
    struct db_approval **rows, size_t *n)
{
	return db_select(db, &overdue, &approval_shape, a, rows, n, limit);
}

int
db_approval_walk(struct db *db, struct arena *a, const struct db_decided *after,
    int64_t limit, struct db_decided **rows, size_t *n)
{
	static const struct db_decided first = {
		.a = { .job_id = "", .role = "", .party_id = "" }
	};
	const struct db_approval *at = after != NULL ? &after->a : &first.a;

	return db_select(db, &walk, &decided_shape, a, rows, n, at->job_id,
	    at->job_id, at->revision, at->role, at->party_id, at->permission_id,
	    limit);
}

int
db_approval_decide(struct db *db, const struct db_approval *a)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &decide, &n, a->decision, a->decided_by, a->note,
		 a->decided_s, a->job_id, a->revision, a->role, a->party_id,
		 a->permission_id,
		 (int64_t)(strcmp(a->decision, DB_EXPIRED) == 0))) != 0)
		return r;
	return n == 1 ? 0
		      : err_set(ERR_CONFLICT,
			    "it was decided meanwhile, or its time is over");
}

int
db_approval_sign(struct db *db, const struct db_approval *a)
{
	return db_exec(db, &sign, NULL, a->key_id, a->signature, a->job_id,
	    a->revision, a->role, a->party_id, a->permission_id);
}
