/*
 * Lists of tasks: a job's for its scheduler, filtered ones for the API, the
 * supervisor's reports and kills.
 */
#include "lib/base/err.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_task.h"

static const struct db_col brief_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct db_task, field) },
	TASK_COLS(COL, , "")
#undef COL
};
static const struct db_shape brief_shape = DB_SHAPE(struct db_task, brief_cols);

#define NEWEST                                                                 \
	" NOT EXISTS (SELECT 1 FROM task n WHERE n.job_id = t.job_id"          \
	" AND n.component = t.component AND n.role = t.role"                   \
	" AND n.party_id = t.party_id AND n.version > t.version)"

static const struct db_stmt list = {
	"task.list", "si",
	"SELECT 1" TASK_COLS(DB_SQL, ,
	    "t.") " FROM task t WHERE t.job_id = ?"
		  " AND (? = 0 OR" NEWEST ")"
		  " ORDER BY t.seq, t.component, t.version, t.role, t.party_id"
};

int
db_task_list(struct db *db, struct arena *a, const char *job_id,
    bool newest_only, struct db_task **rows, size_t *n)
{
	return db_select(
	    db, &list, &brief_shape, a, rows, n, job_id, (int64_t)newest_only);
}

#define ROW_COLS(X)                                                            \
	TASK_COLS(X, task., "t.")                                              \
	TASK_DOC_COLS(X, task., "t.")                                          \
	X(STR, initiator_role, "j.initiator_role")                             \
	X(STR, initiator_party, "j.initiator_party")                           \
	X(STR, attempt_id, "a.attempt_id")                                     \
	X(STR, host, "a.host") X(INT, executor_pid, "a.executor_pid")

static const struct db_col row_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_task_row, field) },
	ROW_COLS(COL)
#undef COL
};
static const struct db_shape row_shape = DB_SHAPE(struct db_task_row, row_cols);

/* The newest attempt alone: the others have one behind them. */
#define FROM " FROM task t JOIN job j ON j.job_id = t.job_id"
#define ATTEMPT                                                                \
	" LEFT JOIN attempt a ON a.job_id = t.job_id"                          \
	" AND a.component = t.component AND a.version = t.version"             \
	" AND a.role = t.role AND a.party_id = t.party_id"                     \
	" AND a.fence = (SELECT MAX(b.fence) FROM attempt b"                   \
	"  WHERE b.job_id = t.job_id AND b.component = t.component"            \
	"  AND b.version = t.version AND b.role = t.role"                      \
	"  AND b.party_id = t.party_id)"
#define WHERE                                                                  \
	" WHERE (? IS NULL OR t.job_id = ?)"                                   \
	" AND (? IS NULL OR t.component = ?)"                                  \
	" AND (? IS NULL OR FIND_IN_SET(t.component, ?) > 0)"                  \
	" AND (? IS NULL OR FIND_IN_SET(t.role, ?) > 0)"                       \
	" AND (? IS NULL OR FIND_IN_SET(t.party_id, ?) > 0)"                   \
	" AND (? IS NULL OR FIND_IN_SET(t.status, ?) > 0)"                     \
	" AND (? IS NULL OR FIND_IN_SET(t.party_status, ?) > 0)"               \
	" AND (? IS NULL OR t.version = ?)"                                    \
	" AND (? = 0 OR t.run_here = 1)"                                       \
	" AND (? = 0 OR" NEWEST ")"
#define WHERE_PARAMS "ssssssssssssssIIii"
#define ELAPSED                                                                \
	"TIMESTAMPDIFF(MICROSECOND, t.started_at, COALESCE(t.ended_at, "       \
	"NOW(6)))"
#define QUERY(order)                                                           \
	{                                                                      \
		"task.query", WHERE_PARAMS "ii",                               \
		    "SELECT 1" ROW_COLS(DB_SQL) FROM ATTEMPT WHERE             \
		    " ORDER BY " order ", t.seq, t.component, t.role, "        \
		    "t.party_id LIMIT ? OFFSET ?"                              \
	}

static const struct db_stmt queries[DB_TASK_ORDERS][2] = {
	[DB_TASK_BY_CREATED] = { QUERY("t.created_at"),
	    QUERY("t.created_at DESC") },
	[DB_TASK_BY_JOB_ID] = { QUERY("t.job_id"), QUERY("t.job_id DESC") },
	[DB_TASK_BY_VERSION] = { QUERY("t.version"), QUERY("t.version DESC") },
	[DB_TASK_BY_STARTED] = { QUERY("t.started_at"),
	    QUERY("t.started_at DESC") },
	[DB_TASK_BY_ENDED] = { QUERY("t.ended_at"), QUERY("t.ended_at DESC") },
	[DB_TASK_BY_ELAPSED] = { QUERY(ELAPSED), QUERY(ELAPSED " DESC") },
};
static const struct db_stmt count = { "task.count", WHERE_PARAMS,
	"SELECT COUNT(*)" FROM WHERE };

#define TWICE(v) (v), (v)
#define WHERE_ARGS(f)                                                          \
	TWICE((f)->job_id), TWICE((f)->component), TWICE((f)->components),     \
	    TWICE((f)->roles), TWICE((f)->parties), TWICE((f)->statuses),      \
	    TWICE((f)->party_statuses), TWICE((f)->version),                   \
	    (int64_t)(f)->local_only, (int64_t)(f)->newest_only

int
db_task_query(struct db *db, struct arena *a, const struct db_task_filter *f,
    struct db_task_row **rows, size_t *n, int64_t *total)
{
	int64_t limit = f->limit > 0 ? f->limit : INT64_MAX;
	int r;

	*rows = NULL;
	*n = 0;
	if (total != NULL)
		*total = 0;
	if (f->order >= DB_TASK_ORDERS || f->offset < 0)
		return err_set(ERR_INVALID, "order or offset of a task list");
	if ((r = db_select(db, &queries[f->order][f->descending], &row_shape, a,
		 rows, n, WHERE_ARGS(f), limit, f->offset)) != 0)
		return r;
	if (total == NULL)
		return 0;
	if (f->offset == 0 && (int64_t)*n < limit) {
		*total = (int64_t)*n;
		return 0;
	}
	return db_query_int(db, &count, total, WHERE_ARGS(f));
}

/* --- for the supervisor --- */

#define REPORT_COLS(X)                                                         \
	TASK_COLS(X, task., "t.")                                              \
	X(STR, initiator_role, "j.initiator_role")                             \
	X(STR, initiator_party, "j.initiator_party")
static const struct db_col report_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_report, field) },
	REPORT_COLS(COL)
#undef COL
};
static const struct db_shape report_shape =
    DB_SHAPE(struct db_report, report_cols);

#define KILL_COLS(X)                                                           \
	KEY_COLS(X, key., "t.")                                                \
	X(STR, attempt_id, "a.attempt_id")                                     \
	X(STATE, kill_wanted, "t.kill_wanted")
static const struct db_col kill_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct db_kill, field) },
	KILL_COLS(COL)
#undef COL
};
static const struct db_shape kill_shape = DB_SHAPE(struct db_kill, kill_cols);

static const struct db_stmt reports = { "task.reports_due", "i",
	"SELECT 1" REPORT_COLS(DB_SQL) FROM
	" WHERE t.report_due = 1 ORDER BY t.updated_at LIMIT ?" };
/* Only tasks that have not ended can be wanted dead: the index knows them. */
static const struct db_stmt kills = { "task.kills_wanted", "i",
	"SELECT 1" KILL_COLS(
	    DB_SQL) " FROM task t JOIN attempt a"
		    " ON a.job_id = t.job_id AND a.component = t.component"
		    " AND a.version = t.version AND a.role = t.role"
		    " AND a.party_id = t.party_id AND a.ended_at IS NULL"
		    " WHERE t.run_here = 1 AND t.party_status IN ('waiting', "
		    "'running')"
		    " AND t.kill_wanted <> '' LIMIT ?" };

int
db_task_reports_due(struct db *db, struct arena *a, int64_t limit,
    struct db_report **rows, size_t *n)
{
	return db_select(db, &reports, &report_shape, a, rows, n, limit);
}

int
db_task_kills_wanted(struct db *db, struct arena *a, int64_t limit,
    struct db_kill **rows, size_t *n)
{
	return db_select(db, &kills, &kill_shape, a, rows, n, limit);
}
