/*
 * Who waits for this site's resources.  Rows are added for refused commands
 * (lib/party) and read by supervisor/freed.c.
 */
#include "lib/db/db_waiter.h"

#include "lib/db/db_resource.h"
#include "lib/db/db_rows.h"

#define LAPSED                                                                 \
	"(w.told_at IS NOT NULL AND w.told_at <= NOW(6) - INTERVAL ? "         \
	"MICROSECOND)"
#define GRANTS_OF_IT                                                           \
	" FROM resource_grant g JOIN job j ON j.job_id = g.job_id"             \
	" WHERE g.engine = '" DB_ENGINE_DEFAULT "'"                            \
	" AND j.initiator_party = w.party_id"

#define WAITER_COLS(X)                                                         \
	X(STR, party_id, "w.party_id")                                         \
	X(STR, code, "w.code")                                                 \
	X(STR, role, "w.role")                                                 \
	X(INT, cores, "w.cores")                                               \
	X(INT, memory_mb, "w.memory_mb")                                       \
	X(BOOL, told, "w.told_at IS NOT NULL")                                 \
	X(BOOL, lapsed, LAPSED)                                                \
	X(BOOL, served,                                                        \
	    "w.told_at IS NOT NULL AND EXISTS (SELECT 1" GRANTS_OF_IT          \
	    " AND g.returned_at IS NULL AND g.granted_at >= w.told_at)")       \
	X(BOOL, changed,                                                       \
	    "w.code = 'quota' AND EXISTS (SELECT 1" GRANTS_OF_IT               \
	    " AND g.returned_at >= w.asked_at)")
static const struct db_col waiter_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_waiter, field) },
	WAITER_COLS(COL)
#undef COL
};
static const struct db_shape waiter_shape =
    DB_SHAPE(struct db_waiter, waiter_cols);

/* Cores and memory are those of one job: that of the fewest cores. */
#define WAS_TOLD "resource_waiter.told_at IS NOT NULL"
#define IS_SMALLER                                                             \
	"(VALUES(cores) < resource_waiter.cores"                               \
	" OR (VALUES(cores) = resource_waiter.cores"                           \
	"  AND VALUES(memory_mb) < resource_waiter.memory_mb))"
static const struct db_stmt add = { "waiter.add", "ssss",
	"INSERT INTO resource_waiter (party_id, code, role, cores, memory_mb)"
	" SELECT j.initiator_party, ?, j.initiator_role, p.cores, p.memory_mb"
	" FROM job j JOIN job_party p ON p.job_id = j.job_id"
	" WHERE j.job_id = ? AND p.role = ? AND p.party_id = ?"
	" ON DUPLICATE KEY UPDATE role = VALUES(role),"
	" asked_at = IF(" WAS_TOLD ", NOW(6), asked_at),"
	" memory_mb = IF(" WAS_TOLD " OR " IS_SMALLER ", VALUES(memory_mb),"
	"  resource_waiter.memory_mb),"
	" cores = IF(" WAS_TOLD ", VALUES(cores),"
	"  LEAST(resource_waiter.cores, VALUES(cores))),"
	" told_at = NULL" };
static const struct db_stmt list = { "waiter.list", "ii",
	"SELECT 1" WAITER_COLS(DB_SQL) " FROM resource_waiter w"
				       " ORDER BY w.asked_at, w.party_id"
				       " LIMIT ?" };
static const struct db_stmt tell = { "waiter.tell", "ss",
	"UPDATE resource_waiter SET told_at = NOW(6)"
	" WHERE party_id = ? AND code = ? AND told_at IS NULL" };
static const struct db_stmt forget = { "waiter.forget", "i",
	"DELETE w FROM resource_waiter w WHERE " LAPSED };

bool
db_waiter_has(enum wait_code code)
{
	return code == WAIT_WAITING_RESOURCES || code == WAIT_QUOTA;
}

int
db_waiter_add(struct db *db, const char *job_id, const char *role,
    const char *party_id, enum wait_code code)
{
	return db_exec(db, &add, NULL, wait_name(code), job_id, role, party_id);
}

int
db_waiter_list(struct db *db, struct arena *a, int64_t limit,
    struct db_waiter **rows, size_t *n)
{
	return db_select(db, &list, &waiter_shape, a, rows, n,
	    (int64_t)DB_WAITER_OFFER_MS * 1000, limit);
}

int
db_waiter_tell(struct db *db, const struct db_waiter *w, bool *mine)
{
	int64_t n = 0;
	int r = db_exec(db, &tell, &n, w->party_id, w->code);

	*mine = r == 0 && n == 1;
	return r;
}

int
db_waiter_forget(struct db *db)
{
	return db_exec(db, &forget, NULL, (int64_t)DB_WAITER_OFFER_MS * 1000);
}
