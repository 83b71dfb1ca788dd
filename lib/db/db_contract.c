/*
 * Signatures under contracts.  Written by supervisors (their own), by fcgi-app
 * and supervisors for partners' ones, read by shepherds.
 */
#include "lib/db/db_contract.h"

#include "lib/base/err.h"
#include "lib/db/db_often.h"
#include "lib/db/db_rows.h"

#define SIGNATURE_COLS(X)                                                      \
	X(STR, role, "s.role")                                                 \
	X(STR, party_id, "s.party_id")                                         \
	X(STR, key_id, "s.key_id")                                             \
	X(INT, signed_s, "s.signed_s")                                         \
	X(STR, signature, "s.signature")

static const struct db_col signature_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_signature, field) },
	SIGNATURE_COLS(COL)
#undef COL
};
static const struct db_shape signature_shape =
    DB_SHAPE(struct db_signature, signature_cols);

#define WORK_COLS(X)                                                           \
	X(STR, job_id, "p.job_id")                                             \
	X(STR, role, "p.role")                                                 \
	X(STR, party_id, "p.party_id")                                         \
	X(INT, due, "p.sign_due")                                              \
	X(STR, why, "p.last_error")                                            \
	X(STR, initiator_party, "j.initiator_party")

static const struct db_col work_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_sign_work, field) },
	WORK_COLS(COL)
#undef COL
};
static const struct db_shape work_shape =
    DB_SHAPE(struct db_sign_work, work_cols);

static const struct db_stmt put = { "signature.put", "sisssis",
	"INSERT INTO contract_signature (job_id, revision, role, party_id,"
	" key_id, signed_s, signature) VALUES (?, ?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE key_id = VALUES(key_id),"
	" signed_s = VALUES(signed_s), signature = VALUES(signature)" };
static const struct db_stmt note = { "job_party.signed", "isss",
	"UPDATE job_party SET signed_revision = ?"
	" WHERE job_id = ? AND role = ? AND party_id = ?" };
static const struct db_stmt list = { "signature.list", "si",
	"SELECT 1" SIGNATURE_COLS(
	    DB_SQL) " FROM contract_signature s WHERE s.job_id = ?"
		    " AND s.revision = ? ORDER BY s.role, s.party_id" };
#define NOW_OF_JOB                                                             \
	" FROM job j JOIN contract_signature s ON s.job_id = j.job_id"         \
	" AND s.revision = j.revision WHERE j.job_id = ?"
static const struct db_stmt list_now = { "signature.list_now", "s",
	"SELECT 1" SIGNATURE_COLS(DB_SQL) NOW_OF_JOB
	" ORDER BY s.role, s.party_id" };
static const struct db_stmt get = { "signature.get", "sss",
	"SELECT 1" SIGNATURE_COLS(DB_SQL) NOW_OF_JOB
	" AND s.role = ? AND s.party_id = ?" };
#define SIGNED_COLS(X)                                                         \
	X(STR, job_id, "s.job_id")                                             \
	X(INT, revision, "s.revision")                                         \
	X(STR, by.role, "s.role")                                              \
	X(STR, by.party_id, "s.party_id")                                      \
	X(STR, by.key_id, "s.key_id")                                          \
	X(INT, by.signed_s, "s.signed_s")                                      \
	X(STR, by.signature, "s.signature")                                    \
	X(STR, hash, "LOWER(HEX(j.contract_hash))")                            \
	X(STR, text_hash, "SHA2(j.contract, 256)")

static const struct db_col signed_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_signed, field) },
	SIGNED_COLS(COL)
#undef COL
};
static const struct db_shape signed_shape =
    DB_SHAPE(struct db_signed, signed_cols);
static const struct db_stmt walk = { "signature.walk", "ssissi",
	"SELECT 1" SIGNED_COLS(
	    DB_SQL) " FROM contract_signature s LEFT JOIN job j"
		    " ON j.job_id = s.job_id AND j.revision = s.revision"
		    " WHERE s.job_id > ? OR (s.job_id = ?"
		    " AND (s.revision, s.role, s.party_id) > (?, ?, ?))"
		    " ORDER BY s.job_id, s.revision, s.role, s.party_id"
		    " LIMIT ?" };

static const struct db_stmt set_due = { "job_party.sign_due", "isss",
	"UPDATE job_party SET sign_due = ?"
	" WHERE job_id = ? AND role = ? AND party_id = ? AND is_local = 1" };
static const struct db_stmt move_due = { "job_party.sign_move", "isssi",
	"UPDATE job_party SET sign_due = ?"
	" WHERE job_id = ? AND role = ? AND party_id = ? AND is_local = 1"
	" AND sign_due = ?" };
static const struct db_stmt refuse = { "job_party.sign_refuse", "esss",
	"UPDATE job_party SET sign_due = 5, last_error = LEFT(?, 4000)"
	" WHERE job_id = ? AND role = ? AND party_id = ? AND is_local = 1" };
#define WORK_FROM                                                              \
	" FROM job_party p JOIN job j ON j.job_id = p.job_id"                  \
	" WHERE p.sign_due IN (1, 2, 3, 5) AND p.is_local = 1"
static const struct db_stmt work = { "job_party.sign_work", "i",
	"SELECT 1" WORK_COLS(DB_SQL) WORK_FROM " ORDER BY p.job_id LIMIT ?" };
/* The first of every initiator, then the second of each; nothing stands behind
 * what another one, or the same, does not want to hear. */
static const struct db_stmt work_fair = { "job_party.sign_work_fair", "i",
	"SELECT 1" WORK_COLS(DB_SQL) WORK_FROM
	" ORDER BY ROW_NUMBER() OVER (PARTITION BY j.initiator_party,"
	" p.sign_due ORDER BY p.job_id, p.role, p.party_id),"
	" p.job_id LIMIT ?" };

int
db_signature_put(struct db *db, const char *job_id, int64_t revision,
    const struct db_signature *s)
{
	int r;

	if ((r = db_exec(db, &put, NULL, job_id, revision, s->role, s->party_id,
		 s->key_id, s->signed_s, s->signature)) != 0)
		return r;
	return db_exec(db, &note, NULL, revision, job_id, s->role, s->party_id);
}

int
db_signature_list(struct db *db, struct arena *a, const char *job_id,
    int64_t revision, struct db_signature **rows, size_t *n)
{
	return db_select(
	    db, &list, &signature_shape, a, rows, n, job_id, revision);
}

int
db_signature_list_now(struct db *db, struct arena *a, const char *job_id,
    struct db_signature **rows, size_t *n)
{
	return db_select(db, &list_now, &signature_shape, a, rows, n, job_id);
}

int
db_signature_get(struct db *db, struct arena *a, const char *job_id,
    const char *role, const char *party_id, struct db_signature **out)
{
	return db_select_one(
	    db, &get, &signature_shape, a, out, job_id, role, party_id);
}

int
db_signature_walk(struct db *db, struct arena *a, const struct db_signed *after,
    int64_t limit, struct db_signed **rows, size_t *n)
{
	static const struct db_signed first = { .job_id = "",
		.by = { .role = "", .party_id = "" } };

	if (after == NULL)
		after = &first;
	return db_select(db, &walk, &signed_shape, a, rows, n, after->job_id,
	    after->job_id, after->revision, after->by.role, after->by.party_id,
	    limit);
}

int
db_sign_due_set(struct db *db, const char *job_id, const char *role,
    const char *party_id, enum db_sign_due due)
{
	return db_exec(
	    db, &set_due, NULL, (int64_t)due, job_id, role, party_id);
}

int
db_sign_due_move(struct db *db, const char *job_id, const char *role,
    const char *party_id, enum db_sign_due from, enum db_sign_due to,
    bool *moved)
{
	int64_t n;
	int r;

	r = db_exec(db, &move_due, &n, (int64_t)to, job_id, role, party_id,
	    (int64_t)from);
	if (moved != NULL)
		*moved = r == 0 && n == 1;
	return r;
}

int
db_sign_due_list(struct db *db, struct arena *a, int64_t limit,
    struct db_sign_work **rows, size_t *n)
{
	int r = db_select(db, &work, &work_shape, a, rows, n, limit);

	if (r == 0 && *n == (size_t)limit)
		r = db_select(db, &work_fair, &work_shape, a, rows, n, limit);
	return r;
}

int
db_sign_refuse(struct db *db, const char *job_id, const char *role,
    const char *party_id, const char *why)
{
	return db_exec(db, &refuse, NULL, why, job_id, role, party_id);
}

const struct db_stmt *const db_contract_often[] = { &list, NULL };
