/*
 * Statements of supervisor/beat.c and of fcgi-app's metrics and readiness.
 */
#include "lib/db/db_operations.h"

#include "lib/base/err.h"
#include "lib/db/db_partner_key.h"
#include "lib/db/db_rows.h"

#define SHAPE(name, type, COLS)                                                \
	static const struct db_col name##_cols[] = { COLS(name##_COL) };       \
	static const struct db_shape name##_shape = DB_SHAPE(type, name##_cols)

/* --- supervisors -------------------------------------------------------------- */

#define SUPER_COLS(X)                                                          \
	X(STR, instance, "instance")                                           \
	X(STR, host, "host")                                                   \
	X(STR, address, "address")                                             \
	X(STR, place, "place")                                                 \
	X(INT, age_ms,                                                         \
	    "TIMESTAMPDIFF(MICROSECOND, heartbeat_at, NOW(6)) DIV 1000")       \
	X(MS, started_ms, "started_at")                                        \
	X(INT, started_ago_ms,                                                 \
	    "TIMESTAMPDIFF(MICROSECOND, started_at, NOW(6)) DIV 1000")         \
	X(STR, metrics, "IF(?, metrics, '')")
#define super_COL(type, field, column)                                         \
	{ DB_##type, offsetof(struct db_supervisor, field) },
SHAPE(super, struct db_supervisor, SUPER_COLS);

static const struct db_stmt beat = { "supervisor.beat", "sssssi",
	"INSERT INTO supervisor_state (instance, host, address, place, metrics)"
	" VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE host = VALUES(host),"
	" address = VALUES(address), place = VALUES(place),"
	" metrics = VALUES(metrics), heartbeat_at = NOW(6),"
	" started_at = IF(?, NOW(6), started_at)" };
static const struct db_stmt gone = { "supervisor.gone", "s",
	"DELETE FROM supervisor_state WHERE instance = ?" };
static const struct db_stmt supers = { "supervisor.list", "i",
	"SELECT 1" SUPER_COLS(
	    DB_SQL) " FROM supervisor_state ORDER BY instance" };
static const struct db_stmt purge = { "supervisor.purge", "i",
	"DELETE FROM supervisor_state"
	" WHERE heartbeat_at <= NOW(6) - INTERVAL ? MICROSECOND" };

int
db_supervisor_beat(struct db *db, const struct db_supervisor *s, bool is_start)
{
	return db_exec(db, &beat, NULL, s->instance, s->host, s->address,
	    s->place, s->metrics, (int64_t)is_start);
}

int
db_supervisor_gone(struct db *db, const char *instance)
{
	return db_exec(db, &gone, NULL, instance);
}

int
db_supervisor_list(struct db *db, struct arena *a, bool with_metrics,
    struct db_supervisor **rows, size_t *n)
{
	return db_select(
	    db, &supers, &super_shape, a, rows, n, (int64_t)with_metrics);
}

int
db_supervisor_ran_ms(struct db *db, int64_t age_ms, int64_t *ms)
{
	struct arena *a = arena_new();
	struct db_supervisor *rows;
	size_t i, n;
	int r;

	*ms = 0;
	if ((r = db_supervisor_list(db, a, false, &rows, &n)) != 0)
		n = 0;
	for (i = 0; i < n; i++)
		if (rows[i].age_ms < age_ms && rows[i].started_ago_ms > *ms)
			*ms = rows[i].started_ago_ms;
	arena_free(a);
	return r;
}

int
db_supervisor_purge(struct db *db, int64_t age_ms)
{
	return db_exec(db, &purge, NULL, age_ms * 1000);
}

/* --- partners ----------------------------------------------------------------- */

#define STATE_COLS(X)                                                          \
	X(STR, party_id, "s.party_id")                                         \
	X(BOOL, answers, "s.answers")                                          \
	X(MS, since_ms, "s.since")                                             \
	X(MS, checked_ms, "s.checked_at")                                      \
	X(INT, since_ago_ms,                                                   \
	    "TIMESTAMPDIFF(MICROSECOND, s.since, NOW(6)) DIV 1000")            \
	X(INT, checked_ago_ms,                                                 \
	    "TIMESTAMPDIFF(MICROSECOND, s.checked_at, NOW(6)) DIV 1000")       \
	X(STR, reason, "s.reason")
#define state_COL(type, field, column)                                         \
	{ DB_##type, offsetof(struct db_partner_state, field) },
SHAPE(state, struct db_partner_state, STATE_COLS);

/* since first: it compares with what the row still says. */
static const struct db_stmt state_put = { "partner_state.put", "sie",
	"INSERT INTO partner_state (party_id, answers, reason)"
	" VALUES (?, ?, LEFT(?, 1000)) ON DUPLICATE KEY UPDATE"
	" since = IF(answers = VALUES(answers), since, NOW(6)),"
	" answers = VALUES(answers), reason = VALUES(reason),"
	" checked_at = NOW(6)" };
static const struct db_stmt states = { "partner_state.list", "",
	"SELECT 1" STATE_COLS(
	    DB_SQL) " FROM partner_state s ORDER BY s.party_id" };
static const struct db_stmt silent = { "partner_state.silent", "",
	"SELECT 1" STATE_COLS(
	    DB_SQL) " FROM partner_state s JOIN partner p"
		    " ON p.party_id = s.party_id AND p.enabled = 1"
		    " WHERE s.answers = 0 ORDER BY s.party_id" };

int
db_partner_state_put(
    struct db *db, const char *party_id, bool answers, const char *reason)
{
	return db_exec(
	    db, &state_put, NULL, party_id, (int64_t)answers, reason);
}

int
db_partner_state_list(
    struct db *db, struct arena *a, struct db_partner_state **rows, size_t *n)
{
	return db_select(db, &states, &state_shape, a, rows, n);
}

int
db_partner_state_silent(
    struct db *db, struct arena *a, struct db_partner_state **rows, size_t *n)
{
	return db_select(db, &silent, &state_shape, a, rows, n);
}

static const struct db_stmt refuses = { "partner_state.refuses", "si",
	"INSERT INTO partner_state (party_id, answers, refused_since)"
	" VALUES (?, 1, NOW(6)) ON DUPLICATE KEY UPDATE refused_since ="
	" IF(?, NOW(6), COALESCE(refused_since, NOW(6)))" };
static const struct db_stmt hears = { "partner_state.hears", "s",
	"UPDATE partner_state SET refused_since = NULL WHERE party_id = ?"
	" AND refused_since IS NOT NULL" };
static const struct db_stmt refused_ms = { "partner_state.refused", "s",
	"SELECT COALESCE(TIMESTAMPDIFF(MICROSECOND, refused_since, NOW(6))"
	" DIV 1000, 0) FROM partner_state WHERE party_id = ?" };

int
db_partner_refuses(struct db *db, const char *party_id, bool from_now)
{
	return db_exec(db, &refuses, NULL, party_id, (int64_t)from_now);
}

int
db_partner_hears(struct db *db, const char *party_id)
{
	return db_exec(db, &hears, NULL, party_id);
}

int
db_partner_refused_ms(struct db *db, const char *party_id, int64_t *ms)
{
	int r = db_query_int(db, &refused_ms, ms, party_id);

	if (r != ERR_NOT_FOUND)
		return r;
	err_clear();
	return 0;
}

/* --- numbers ------------------------------------------------------------------- */

#define COUNT_COLS(X)                                                          \
	X(STR, name, "name")                                                   \
	X(INT, n, "n")
#define count_COL(type, field, column)                                         \
	{ DB_##type, offsetof(struct db_count, field) },
SHAPE(count, struct db_count, COUNT_COLS);

static const struct db_stmt jobs = { "count.jobs", "",
	"SELECT 1, status, COUNT(*) FROM job GROUP BY status" };
static const struct db_stmt tasks = { "count.tasks", "",
	"SELECT 1, party_status, COUNT(*) FROM task WHERE run_here = 1"
	" AND party_status IN ('waiting', 'running') GROUP BY party_status" };
static const struct db_stmt waits = { "count.waits", "",
	"SELECT 1, wait_code, COUNT(*) FROM job WHERE wait_code <> ''"
	" GROUP BY wait_code" };
#define AGE_MS(expr) "TIMESTAMPDIFF(MICROSECOND, " expr ", NOW(6)) DIV 1000"
static const struct db_stmt rest = {
	"count.rest", "",
	"SELECT 1, 'oldest', COALESCE(" AGE_MS(
	    "MIN(created_at)") ", 0)"
			       " FROM job WHERE status = 'waiting' AND is_initiator = 1"
			       " UNION ALL SELECT 1, 'reports', COUNT(*) FROM task"
			       " WHERE report_due = 1"
			       " UNION ALL SELECT 1, 'launches', COUNT(*) FROM task"
			       " WHERE launch_wanted = 1 AND run_here = 1"
			       " UNION ALL SELECT 1, 'errands', COUNT(*) FROM errand"
			       " WHERE state IN ('waiting', 'running')"
			       " UNION ALL SELECT 1, 'audit', COALESCE(MAX(seq), 0) FROM audit_link"
			       " UNION ALL SELECT 1, 'heartbeat',"
			       " COALESCE(" AGE_MS(
				   "MIN(COALESCE(heartbeat_at, started_at))") ", 0)"
									      " FROM attempt WHERE ended_at IS NULL"
									      " UNION ALL SELECT 1, 'progress',"
									      " COALESCE(" AGE_MS(
										  "MIN(COALESCE(progress_at, started_at))") ", 0)"
															    " FROM attempt WHERE ended_at IS NULL"
};
static const struct db_stmt trusted = { "count.trusted", "",
	"SELECT 1, s.party_id, CAST(COUNT(k.kind) = 0 OR COUNT(DISTINCT"
	" IF(" DB_KEY_VALID(
	    "k.") ", k.kind, NULL)) = 2 AS SIGNED)"
		  " FROM partner_state s LEFT JOIN partner_key k"
		  " ON k.party_id = s.party_id GROUP BY s.party_id" };
static const struct db_stmt stored = { "count.stored", "",
	"SELECT 1, party_id, bytes FROM partner_stored ORDER BY party_id" };
static const struct db_stmt egress = { "count.egress", "ii",
	"SELECT 1, to_party, CAST(SUM(bytes) AS SIGNED) FROM egress"
	" WHERE id > ? AND id <= ? GROUP BY to_party" };
/* Those of the last seconds may not all be committed in their order. */
static const struct db_stmt egress_end = { "egress.end", "ii",
	"SELECT COALESCE(MAX(id), ?) FROM egress WHERE id > ?"
	" AND at <= NOW(6) - INTERVAL 5 SECOND" };

int
db_count_jobs(struct db *db, struct arena *a, struct db_count **rows, size_t *n)
{
	return db_select(db, &jobs, &count_shape, a, rows, n);
}

int
db_count_waits(
    struct db *db, struct arena *a, struct db_count **rows, size_t *n)
{
	return db_select(db, &waits, &count_shape, a, rows, n);
}

int
db_count_tasks(
    struct db *db, struct arena *a, struct db_count **rows, size_t *n)
{
	return db_select(db, &tasks, &count_shape, a, rows, n);
}

int
db_count_rest(struct db *db, struct arena *a, struct db_count **rows, size_t *n)
{
	return db_select(db, &rest, &count_shape, a, rows, n);
}

int
db_count_stored(
    struct db *db, struct arena *a, struct db_count **rows, size_t *n)
{
	return db_select(db, &stored, &count_shape, a, rows, n);
}

int
db_count_trusted(
    struct db *db, struct arena *a, struct db_count **rows, size_t *n)
{
	return db_select(db, &trusted, &count_shape, a, rows, n);
}

int
db_egress_end(struct db *db, int64_t after, int64_t *id)
{
	return db_query_int(db, &egress_end, id, after, after);
}

int
db_count_egress(struct db *db, struct arena *a, int64_t *after,
    struct db_count **rows, size_t *n)
{
	int64_t end;
	int r;

	*n = 0;
	if ((r = db_egress_end(db, *after, &end)) != 0 || end <= *after)
		return r;
	if ((r = db_select(
		 db, &egress, &count_shape, a, rows, n, *after, end)) == 0)
		*after = end;
	return r;
}
