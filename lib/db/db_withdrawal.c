/*
 * Written by the CLI, which withdraws; the supervisor finishes what was cut
 * off.
 */
#include "lib/db/db_withdrawal.h"

#include "lib/db/db_rows.h"

#define WITHDRAWAL_COLS(X) X(STR, party_id, "party_id") X(STR, kind, "kind")
static const struct db_col withdrawal_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_withdrawal, field) },
	WITHDRAWAL_COLS(COL)
#undef COL
};
static const struct db_shape withdrawal_shape =
    DB_SHAPE(struct db_withdrawal, withdrawal_cols);

#define WITHDRAWN_COLS(X)                                                      \
	X(STR, job_id, "jp.job_id")                                            \
	X(STR, role, "jp.role")                                                \
	X(STR, party_id, "jp.party_id")
static const struct db_col withdrawn_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_withdrawn, field) },
	WITHDRAWN_COLS(COL)
#undef COL
};
static const struct db_shape withdrawn_shape =
    DB_SHAPE(struct db_withdrawn, withdrawn_cols);

static const struct db_stmt put = { "withdrawal.put", "ss",
	"INSERT INTO withdrawal (party_id, kind, since) VALUES (?, ?, NOW(6))"
	" ON DUPLICATE KEY UPDATE kind = VALUES(kind),"
	" since = VALUES(since)" };
static const struct db_stmt lock = { "withdrawal.lock", "s",
	"SELECT 1" WITHDRAWAL_COLS(
	    DB_SQL) " FROM withdrawal WHERE party_id = ? FOR UPDATE" };
static const struct db_stmt done = { "withdrawal.done", "s",
	"DELETE FROM withdrawal WHERE party_id = ?" };
static const struct db_stmt list = { "withdrawal.list", "i",
	"SELECT 1" WITHDRAWAL_COLS(
	    DB_SQL) " FROM withdrawal"
		    " WHERE since <= NOW(6) - INTERVAL ? MICROSECOND" };
/* What a job created later shares with the party was agreed upon anew. */
#define OPEN                                                                   \
	" j.status IN ('ready', 'waiting', 'running')"                         \
	" AND j.created_at <= w.since"
static const struct db_stmt theirs = { "withdrawal.theirs", "si",
	"SELECT 1" WITHDRAWN_COLS(
	    DB_SQL) " FROM (SELECT j.job_id FROM withdrawal w JOIN job j"
		    " ON j.initiator_party = w.party_id"
		    " WHERE w.party_id = ? AND j.is_initiator = 0 AND" OPEN
		    " ORDER BY j.created_at LIMIT ?) b JOIN job_party jp"
		    " ON jp.job_id = b.job_id AND jp.is_local = 1"
		    " ORDER BY jp.job_id, jp.role, jp.position" };
/* One row for each job, whatever roles the party has in it. */
static const struct db_stmt ours = { "withdrawal.ours", "si",
	"SELECT 1, jp.job_id, MIN(jp.role), jp.party_id"
	" FROM withdrawal w JOIN job_party jp"
	" ON jp.party_id = w.party_id AND jp.is_local = 0"
	" JOIN job j ON j.job_id = jp.job_id"
	" WHERE w.party_id = ? AND j.is_initiator = 1"
	" AND j.cancel_signal = 0 AND" OPEN
	" GROUP BY jp.job_id, jp.party_id ORDER BY jp.job_id LIMIT ?" };

int
db_withdrawal_put(struct db *db, const struct db_withdrawal *w)
{
	return db_exec(db, &put, NULL, w->party_id, w->kind);
}

int
db_withdrawal_lock(struct db *db, struct arena *a, const char *party_id,
    struct db_withdrawal **out)
{
	return db_select_one(db, &lock, &withdrawal_shape, a, out, party_id);
}

int
db_withdrawal_done(struct db *db, const char *party_id)
{
	return db_exec(db, &done, NULL, party_id);
}

int
db_withdrawal_list(struct db *db, struct arena *a, int64_t age_ms,
    struct db_withdrawal **rows, size_t *n)
{
	return db_select(
	    db, &list, &withdrawal_shape, a, rows, n, age_ms * 1000);
}

int
db_withdrawn_theirs(struct db *db, struct arena *a, const char *party_id,
    int64_t jobs, struct db_withdrawn **rows, size_t *n)
{
	return db_select(
	    db, &theirs, &withdrawn_shape, a, rows, n, party_id, jobs);
}

int
db_withdrawn_ours(struct db *db, struct arena *a, const char *party_id,
    int64_t jobs, struct db_withdrawn **rows, size_t *n)
{
	return db_select(
	    db, &ours, &withdrawn_shape, a, rows, n, party_id, jobs);
}
