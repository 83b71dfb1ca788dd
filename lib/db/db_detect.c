/*
 * Statements of supervisor/detect_*.c.
 */
#include "lib/db/db_detect.h"

#include "lib/base/err.h"
#include "lib/db/db_cols.h"

#define AGE "TIMESTAMPDIFF(MICROSECOND, t.updated_at, NOW(6)) DIV 1000"
#define STUCK_COLS(X) KEY_COLS(X, key., "t.") X(INT, age_ms, AGE)
static const struct db_col stuck_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_stuck_task, field) },
	STUCK_COLS(COL)
#undef COL
};
static const struct db_shape stuck_shape =
    DB_SHAPE(struct db_stuck_task, stuck_cols);

#define OLD " AND t.updated_at <= NOW(6) - INTERVAL ? MICROSECOND"
#define ATTEMPT                                                                \
	"SELECT 1 FROM attempt a WHERE a.job_id = t.job_id"                    \
	" AND a.component = t.component AND a.version = t.version"             \
	" AND a.role = t.role AND a.party_id = t.party_id"

static const struct db_stmt lost = { "detect.lost_tasks", "ii",
	"SELECT 1" STUCK_COLS(DB_SQL) " FROM task t WHERE t.run_here = 1"
				      " AND t.party_status = 'running'" OLD
				      " AND NOT EXISTS (" ATTEMPT
				      " AND a.ended_at IS NULL)"
				      " LIMIT ?" };
static const struct db_stmt unlaunched = { "detect.unlaunched", "ii",
	"SELECT 1" STUCK_COLS(
	    DB_SQL) " FROM task t JOIN job j ON j.job_id = t.job_id"
		    " AND j.status = 'running' WHERE t.run_here = 1"
		    " AND t.party_status = 'waiting' AND t.launch_wanted = 0"
		    " AND t.kill_wanted = ''" OLD " AND EXISTS (" ATTEMPT
		    ") AND NOT EXISTS (" ATTEMPT
		    " AND a.ended_at IS NULL) LIMIT ?" };
static const struct db_stmt relaunch = { "detect.relaunch", KEY_PARAMS,
	"UPDATE task SET launch_wanted = 1 WHERE" KEY_WHERE
	" AND launch_wanted = 0 AND run_here = 1 AND kill_wanted = ''"
	" AND party_status = 'waiting'" };
static const struct db_stmt late_launches = { "detect.late_launches", "ii",
	"SELECT 1" STUCK_COLS(
	    DB_SQL) " FROM task t JOIN job j ON j.job_id = t.job_id"
		    " AND j.status = 'running' WHERE t.launch_wanted = 1"
		    " AND t.run_here = 1 AND t.kill_wanted = ''"
		    " AND t.party_status = 'waiting'" OLD " LIMIT ?" };
static const struct db_stmt late_ends = { "detect.late_ends", "ii",
	"SELECT 1" STUCK_COLS(DB_SQL) " FROM task t WHERE t.run_here = 1"
				      " AND t.party_status = 'running'"
				      " AND t.kill_wanted <> ''" OLD
				      " LIMIT ?" };

int
db_detect_lost_tasks(struct db *db, struct arena *a, int64_t age_ms,
    int64_t limit, struct db_stuck_task **rows, size_t *n)
{
	return db_select(
	    db, &lost, &stuck_shape, a, rows, n, age_ms * 1000, limit);
}

int
db_detect_unlaunched(struct db *db, struct arena *a, int64_t age_ms,
    int64_t limit, struct db_stuck_task **rows, size_t *n)
{
	return db_select(
	    db, &unlaunched, &stuck_shape, a, rows, n, age_ms * 1000, limit);
}

int
db_detect_relaunch(struct db *db, const struct db_task_key *k)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &relaunch, &n, KEY_ARGS(k))) != 0)
		return r;
	return n == 1 ? 0
		      : err_set(
			    ERR_CONFLICT, "task %s has moved on", k->component);
}

int
db_detect_late_launches(struct db *db, struct arena *a, int64_t age_ms,
    int64_t limit, struct db_stuck_task **rows, size_t *n)
{
	return db_select(
	    db, &late_launches, &stuck_shape, a, rows, n, age_ms * 1000, limit);
}

int
db_detect_late_ends(struct db *db, struct arena *a, int64_t age_ms,
    int64_t limit, struct db_stuck_task **rows, size_t *n)
{
	return db_select(
	    db, &late_ends, &stuck_shape, a, rows, n, age_ms * 1000, limit);
}

/* --- jobs of partners ------------------------------------------------------- */

#define PARTNER_JOB_COLS(X)                                                    \
	X(STR, job_id, "j.job_id")                                             \
	X(INT, run, "j.run")                                                   \
	X(STR, role, "p.role")                                                 \
	X(STR, party_id, "p.party_id")                                         \
	X(STR, initiator_role, "j.initiator_role")                             \
	X(STR, initiator_party, "j.initiator_party")
static const struct db_col partner_job_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_partner_job, field) },
	PARTNER_JOB_COLS(COL)
#undef COL
};
static const struct db_shape partner_job_shape =
    DB_SHAPE(struct db_partner_job, partner_job_cols);

#define PARTNER_JOBS                                                           \
	"SELECT 1" PARTNER_JOB_COLS(                                           \
	    DB_SQL) " FROM job j JOIN job_party p"                             \
		    " ON p.job_id = j.job_id AND p.is_local = 1 WHERE j.is_initiator = 0"

static const struct db_stmt stale = { "detect.stale", "ii",
	PARTNER_JOBS " AND j.status IN ('ready', 'waiting')"
		     " AND j.wait_code <> 'approval'"
		     " AND j.updated_at <= NOW(6) - INTERVAL ? MICROSECOND"
		     " LIMIT ?" };
static const struct db_stmt forgotten = { "detect.forgotten", "ii",
	PARTNER_JOBS " AND j.status = 'running' AND j.started_at"
		     " + INTERVAL j.timeout_s SECOND"
		     " <= NOW(6) - INTERVAL ? MICROSECOND LIMIT ?" };
/* The order changes with the minute, so that each has its turn. */
static const struct db_stmt doubtful = { "detect.doubtful", "ii",
	PARTNER_JOBS
	" AND j.status IN ('ready', 'waiting', 'running')"
	" AND j.updated_at <= NOW(6) - INTERVAL ? MICROSECOND"
	" ORDER BY CRC32(CONCAT(j.job_id, MINUTE(NOW()))), j.job_id,"
	" p.role LIMIT ?" };

int
db_detect_stale(struct db *db, struct arena *a, int64_t age_ms, int64_t limit,
    struct db_partner_job **rows, size_t *n)
{
	return db_select(
	    db, &stale, &partner_job_shape, a, rows, n, age_ms * 1000, limit);
}

int
db_detect_forgotten(struct db *db, struct arena *a, int64_t grace_ms,
    int64_t limit, struct db_partner_job **rows, size_t *n)
{
	return db_select(db, &forgotten, &partner_job_shape, a, rows, n,
	    grace_ms * 1000, limit);
}

int
db_detect_doubtful(struct db *db, struct arena *a, int64_t age_ms,
    int64_t limit, struct db_partner_job **rows, size_t *n)
{
	return db_select(db, &doubtful, &partner_job_shape, a, rows, n,
	    age_ms * 1000, limit);
}

/* --- the ledger --------------------------------------------------------------- */

#define GRANT_COLS(X)                                                          \
	X(STR, job_id, "x.job_id")                                             \
	X(STR, role, "x.role")                                                 \
	X(STR, party_id, "x.party_id")                                         \
	X(BOOL, give_back, "x.give_back")                                      \
	X(STR, text, "x.words")
static const struct db_col grant_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_odd_grant, field) },
	GRANT_COLS(COL)
#undef COL
};
static const struct db_shape grant_shape =
    DB_SHAPE(struct db_odd_grant, grant_cols);

/* A minute's patience: commands of a moment ago may be under way. */
#define MINUTE_OLD(column) " AND " column " <= NOW(6) - INTERVAL 60 SECOND"
static const struct db_stmt grants = {
	"detect.grants", "",
	"SELECT 1" GRANT_COLS(
	    DB_SQL) " FROM ("
		    "SELECT g.job_id, g.role, g.party_id, 1 AS give_back,"
		    " CONCAT('holds ', g.cores, ' cores, ', g.memory_mb,"
		    " ' MB of a job that is not here') AS words"
		    " FROM resource_grant g LEFT JOIN job j"
		    " ON j.job_id = g.job_id WHERE g.returned_at IS NULL"
		    " AND j.job_id IS NULL" MINUTE_OLD(
			"g.granted_at") " UNION ALL "
					"SELECT g.job_id, g.role, g.party_id, 1,"
					" CONCAT('holds ', g.cores, ' cores, ', g.memory_mb,"
					" ' MB as if it ran, and waits')"
					" FROM resource_grant g JOIN job j ON j.job_id = g.job_id"
					" WHERE g.returned_at IS NULL AND g.expires_at IS NULL"
					" AND j.status IN ('waiting', 'ready')" MINUTE_OLD(
					    "g.granted_at") " UNION ALL "
							    "SELECT p.job_id, p.role, p.party_id, 0,"
							    " CONCAT('runs on ', p.cores, ' cores that it does not"
							    " hold') FROM job j JOIN job_party p"
							    " ON p.job_id = j.job_id AND p.is_local = 1 AND p.cores > 0"
							    " LEFT JOIN resource_grant g ON g.job_id = p.job_id"
							    " AND g.role = p.role AND g.party_id = p.party_id"
							    " AND g.returned_at IS NULL"
							    " WHERE j.status = 'running' AND g.job_id IS NULL" MINUTE_OLD(
								"j.started_at") ") x LIMIT 100"
};

int
db_detect_grants(
    struct db *db, struct arena *a, struct db_odd_grant **rows, size_t *n)
{
	return db_select(db, &grants, &grant_shape, a, rows, n);
}

struct text_row {
	const char *text;
};
static const struct db_col text_cols[] = {
	{ DB_STR, offsetof(struct text_row, text) },
};
static const struct db_shape text_shape = DB_SHAPE(struct text_row, text_cols);

static const struct db_stmt ledger = { "detect.ledger", "",
	"SELECT 1, CONCAT(r.engine, ': ', SUM(g.cores), ' of ', r.cores,"
	" ' cores and ', SUM(g.memory_mb), ' of ', r.memory_mb,"
	" ' MB are granted') FROM resource r JOIN resource_grant g"
	" ON g.engine = r.engine AND g.returned_at IS NULL"
	" GROUP BY r.engine, r.cores, r.memory_mb"
	" HAVING SUM(g.cores) > r.cores OR SUM(g.memory_mb) > r.memory_mb"
	" OR MIN(g.cores) < 0 OR MIN(g.memory_mb) < 0"
	/* What is larger than any host may run on one alone. */
	" UNION ALL SELECT 1, CONCAT('host ', h.host, ': ', SUM(a.memory_mb),"
	" ' of ', h.memory_mb, ' MB are taken') FROM host_memory h"
	" JOIN attempt a ON a.host = h.host AND a.ended_at IS NULL"
	" AND a.memory_mb <> 0 GROUP BY h.host, h.memory_mb"
	" HAVING (SUM(a.memory_mb) > h.memory_mb AND COUNT(*) > 1)"
	" OR MIN(a.memory_mb) < 0" };

int
db_detect_ledger(struct db *db, struct arena *a, const char ***texts, size_t *n)
{
	return db_select(db, &ledger, &text_shape, a, texts, n);
}

/* --- partners ---------------------------------------------------------------- */

/*
 * From the few that run to their members: counts of rows are old when many
 * jobs begin at once, and any other way reads those that wait and have ended.
 */
static const struct db_stmt needed = { "detect.needed_partners", "",
	"SELECT STRAIGHT_JOIN DISTINCT 1, p.party_id"
	" FROM job j FORCE INDEX (job_status)"
	" JOIN job_party p FORCE INDEX (PRIMARY)"
	" ON p.job_id = j.job_id AND p.is_local = 0 JOIN partner t"
	" ON t.party_id = p.party_id AND t.enabled = 1"
	" WHERE j.status = 'running'" };

int
db_detect_needed_partners(
    struct db *db, struct arena *a, const char ***parties, size_t *n)
{
	return db_select(db, &needed, &text_shape, a, parties, n);
}

/* --- attempts ----------------------------------------------------------------- */

#define OPEN_FOR "TIMESTAMPDIFF(MICROSECOND, a.started_at, NOW(6)) DIV 1000"
#define SESSION_COLS(X) KEY_COLS(X, key., "t.") X(INT, age_ms, OPEN_FOR)
static const struct db_stmt sessions = { "detect.sessions", "iii",
	"SELECT 1" SESSION_COLS(
	    DB_SQL) " FROM attempt a JOIN task t ON t.job_id = a.job_id"
		    " AND t.component = a.component AND t.version = a.version"
		    " AND t.role = a.role AND t.party_id = a.party_id"
		    " JOIN job j ON j.job_id = a.job_id"
		    " WHERE a.ended_at IS NULL AND t.kill_wanted = ''"
		    " AND ((? > 0 AND a.started_at"
		    "  <= NOW(6) - INTERVAL ? HOUR)"
		    " OR j.ended_at <= NOW(6) - INTERVAL 60 SECOND)"
		    " LIMIT ?" };

int
db_detect_sessions(struct db *db, struct arena *a, int64_t hours, int64_t limit,
    struct db_stuck_task **rows, size_t *n)
{
	return db_select(
	    db, &sessions, &stuck_shape, a, rows, n, hours, hours, limit);
}

static const struct db_stmt attempts = { "detect.open_attempts", "s",
	"SELECT COUNT(*) FROM attempt WHERE job_id = ?"
	" AND ended_at IS NULL" };

int
db_detect_open_attempts(struct db *db, const char *job_id, int64_t *n)
{
	return db_query_int(db, &attempts, n, job_id);
}
