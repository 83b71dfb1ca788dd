/*
 * Who waits for this site's resources.  Rows are added for refused commands
 * (lib/party) and read by supervisor/freed.c.
 */
#include "lib/db/db_waiter.h"

#include <string.h>

#include "lib/db/db_resource.h"
#include "lib/db/db_rows.h"

/* Initiators, not jobs. */
#define WAITERS_MAX 1000

#define STR(x) #x
#define MS(x) STR(x) "000 MICROSECOND"
#define LAPSED                                                                 \
	"(w.told_at IS NOT NULL"                                               \
	" AND w.told_at <= NOW(6) - INTERVAL " MS(DB_WAITER_OFFER_MS) ")"
#define AGED                                                                   \
	"(w.code = 'waiting_resources'"                                        \
	" AND w.asked_at <= NOW(6) - INTERVAL " MS(DB_WAITER_AGED_MS) ")"
#define ALIVE                                                                  \
	"(COALESCE(w.refused_at, w.granted_at)"                                \
	" > NOW(6) - INTERVAL " MS(DB_WAITER_KEEP_MS) ")"
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
	    "w.granted_at IS NOT NULL AND EXISTS (SELECT 1" GRANTS_OF_IT       \
	    " AND g.returned_at IS NULL AND g.granted_at >= w.asked_at)")      \
	X(BOOL, changed,                                                       \
	    "w.code = 'quota' AND EXISTS (SELECT 1" GRANTS_OF_IT               \
	    " AND g.returned_at >= w.asked_at)")                               \
	X(BOOL, is_aged, AGED)                                                 \
	X(BOOL, is_alive, ALIVE)                                               \
	X(BOOL, was_granted, "w.granted_at IS NOT NULL")                       \
	X(BOOL, is_idle, "w.refused_at IS NULL")                               \
	X(BOOL, is_mine,                                                       \
	    "w.party_id = COALESCE((SELECT j.initiator_party FROM job j"       \
	    " WHERE j.job_id = ?), '')")
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
/* Its turn came to nothing; a quota is asked for anew each time. */
#define LOSES_PLACE                                                            \
	"((resource_waiter.code = 'quota' AND " WAS_TOLD ") OR"                \
	" COALESCE(resource_waiter.granted_at <= NOW(6)"                       \
	" - INTERVAL " MS(DB_WAITER_KEEP_MS) ", FALSE))"
static const struct db_stmt add = { "waiter.add", "ssss",
	"INSERT INTO resource_waiter (party_id, code, role, cores, memory_mb)"
	" SELECT j.initiator_party, ?, j.initiator_role, p.cores, p.memory_mb"
	" FROM job j JOIN job_party p ON p.job_id = j.job_id"
	" WHERE j.job_id = ? AND p.role = ? AND p.party_id = ?"
	" ON DUPLICATE KEY UPDATE role = VALUES(role),"
	" asked_at = IF(" LOSES_PLACE ", NOW(6), asked_at),"
	" granted_at = IF(" LOSES_PLACE ", NULL, granted_at),"
	" memory_mb = IF(" WAS_TOLD " OR " IS_SMALLER ", VALUES(memory_mb),"
	"  resource_waiter.memory_mb),"
	" cores = IF(" WAS_TOLD ", VALUES(cores),"
	"  LEAST(resource_waiter.cores, VALUES(cores))),"
	" refused_at = NOW(6), told_at = NULL" };
static const struct db_stmt list = { "waiter.list", "si",
	"SELECT 1" WAITER_COLS(DB_SQL) " FROM resource_waiter w"
				       " ORDER BY w.asked_at, w.party_id"
				       " LIMIT ?" };
static const struct db_stmt tell = { "waiter.tell", "ss",
	"UPDATE resource_waiter SET told_at = NOW(6)"
	" WHERE party_id = ? AND code = ? AND told_at IS NULL" };
static const struct db_stmt granted = { "waiter.granted", "s",
	"UPDATE resource_waiter SET told_at = NULL, refused_at = NULL,"
	" granted_at = COALESCE(granted_at, NOW(6))"
	" WHERE party_id = ? AND code = 'waiting_resources'" };
static const struct db_stmt started = { "waiter.started", "s",
	"DELETE w FROM job j JOIN resource_waiter w"
	" ON w.party_id = j.initiator_party AND w.code = 'waiting_resources'"
	" WHERE j.job_id = ?" };
static const struct db_stmt tell_again = { "waiter.tell_again", "",
	"UPDATE resource_waiter w SET w.told_at = NULL"
	" WHERE " LAPSED " AND " AGED " AND " ALIVE };
static const struct db_stmt forget = { "waiter.forget", "",
	"DELETE w FROM resource_waiter w WHERE " LAPSED
	" OR (w.refused_at IS NULL AND NOT " ALIVE ")" };

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
db_waiter_granted(struct db *db, const char *party_id)
{
	return db_exec(db, &granted, NULL, party_id);
}

int
db_waiter_started(struct db *db, const char *job_id)
{
	return db_exec(db, &started, NULL, job_id);
}

int
db_waiter_list(struct db *db, struct arena *a, const char *job_id,
    int64_t limit, struct db_waiter **rows, size_t *n)
{
	return db_select(db, &list, &waiter_shape, a, rows, n, job_id, limit);
}

bool
db_waiter_keeps(const struct db_waiter *w, const struct db_budget *b, bool aged)
{
	if (strcmp(w->code, wait_name(WAIT_WAITING_RESOURCES)) != 0 ||
	    w->served)
		return false;
	if (w->told && !w->lapsed)
		return true;
	if (!w->is_alive)
		return false;
	if (w->is_aged)
		return !aged || !w->was_granted;
	return !w->is_idle && !w->told && w->cores <= b->cores &&
	       w->memory_mb <= b->memory_mb;
}

int
db_waiter_kept(struct db *db, struct arena *a, const char *job_id,
    const struct db_budget *have, struct db_budget *kept,
    const struct db_waiter **mine)
{
	struct db_budget left = *have;
	struct db_waiter *rows;
	size_t n, before;
	int r;

	*kept = (struct db_budget){ 0, 0 };
	*mine = NULL;
	if ((r = db_waiter_list(db, a, job_id, WAITERS_MAX, &rows, &n)) != 0)
		return r;
	for (before = 0; before < n && *mine == NULL; before++)
		if (rows[before].is_mine &&
		    strcmp(rows[before].code,
			wait_name(WAIT_WAITING_RESOURCES)) == 0)
			*mine = &rows[before];
	for (size_t i = 0; i < before; i++) {
		if (rows[i].is_mine || !db_waiter_keeps(&rows[i], &left,
					   *mine != NULL && (*mine)->is_aged))
			continue;
		left.cores -= rows[i].cores;
		left.memory_mb -= rows[i].memory_mb;
	}
	kept->cores = have->cores - left.cores;
	kept->memory_mb = have->memory_mb - left.memory_mb;
	return 0;
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
	int r = db_exec(db, &tell_again, NULL);

	return r == 0 ? db_exec(db, &forget, NULL) : r;
}
