/*
 * Lists of tasks: a job's for its scheduler, filtered ones for the API, the
 * supervisor's reports and kills.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
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

/* --- a job's, for its scheduler ---
 *
 * Read at every look: newest versions are found here and the order is made
 * here, which costs a tenth of asking for them.
 */

#define PLAN_COLS(X)                                                           \
	KEY_COLS(X, key., "")                                                  \
	X(INT, seq, "seq")                                                     \
	X(BOOL, run_here, "run_here")                                          \
	X(STATE, status, "status")                                             \
	X(STATE, party_status, "party_status")                                 \
	X(STATE, status_acked, "status_acked")                                 \
	X(BOOL, start_acked, "start_acked")                                    \
	X(INT, auto_retries, "auto_retries")                                   \
	X(INT, retry_delay_s, "retry_delay_s")                                 \
	X(STR, error_report, "error_report")                                   \
	X(STR, fault, "fault")                                                 \
	X(STATE, kill_wanted, "kill_wanted")                                   \
	X(INT, ended_ago_ms,                                                   \
	    "COALESCE(TIMESTAMPDIFF(MICROSECOND, ended_at, NOW(6))"            \
	    " DIV 1000, 0)")                                                   \
	X(STR, wait.code, "wait_code")                                         \
	X(STR, wait.role, "wait_role")                                         \
	X(STR, wait.party_id, "wait_party")                                    \
	X(STR, wait.on, "wait_on")

static const struct db_col plan_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct db_task, field) },
	PLAN_COLS(COL)
#undef COL
};
static const struct db_shape plan_shape = DB_SHAPE(struct db_task, plan_cols);

static const struct db_stmt list_plan = { "task.list_plan", "s",
	"SELECT 1" PLAN_COLS(DB_SQL) " FROM task WHERE job_id = ?" };
static const struct db_stmt list = { "task.list", "s",
	"SELECT 1" TASK_COLS(
	    DB_SQL, , "t.") " FROM task t WHERE t.job_id = ?" };

static int
compare_int(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int
compare_member(const struct db_task_key *a, const struct db_task_key *b)
{
	int c;

	if ((c = strcmp(a->component, b->component)) != 0 ||
	    (c = strcmp(a->role, b->role)) != 0)
		return c;
	return strcmp(a->party_id, b->party_id);
}

/* The versions of a member's component together, the newest first. */
static int
by_version(const void *a, const void *b)
{
	const struct db_task_key *x = &((const struct db_task *)a)->key;
	const struct db_task_key *y = &((const struct db_task *)b)->key;
	int c = compare_member(x, y);

	return c != 0 ? c : compare_int(y->version, x->version);
}

static int
by_place(const void *a, const void *b)
{
	const struct db_task *x = a, *y = b;
	int c;

	if ((c = compare_int(x->seq, y->seq)) != 0 ||
	    (c = strcmp(x->key.component, y->key.component)) != 0 ||
	    (c = compare_int(x->key.version, y->key.version)) != 0)
		return c;
	return compare_member(&x->key, &y->key);
}

static size_t
keep_newest(struct db_task *rows, size_t n)
{
	size_t kept = 0;

	qsort(rows, n, sizeof(*rows), by_version);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 ||
		    compare_member(&rows[i].key, &rows[kept - 1].key) != 0)
			rows[kept++] = rows[i];
	return kept;
}

static void
arrange(struct db_task *rows, size_t *n, bool newest_only)
{
	if (*n == 0)
		return;
	if (newest_only)
		*n = keep_newest(rows, *n);
	qsort(rows, *n, sizeof(*rows), by_place);
}

int
db_task_list(struct db *db, struct arena *a, const char *job_id,
    bool newest_only, struct db_task **rows, size_t *n)
{
	int r;

	if ((r = db_select(db, &list, &brief_shape, a, rows, n, job_id)) == 0)
		arrange(*rows, n, newest_only);
	return r;
}

int
db_task_list_plan(struct db *db, struct arena *a, const char *job_id,
    struct db_task **rows, size_t *n)
{
	int r;

	r = db_select(db, &list_plan, &plan_shape, a, rows, n, job_id);
	if (r == 0)
		arrange(*rows, n, true);
	return r;
}

#define ROW_COLS(X)                                                            \
	TASK_COLS(X, task., "t.")                                              \
	TASK_DOC_COLS(X, task., "t.")                                          \
	X(STR, initiator_role, "j.initiator_role")                             \
	X(STR, initiator_party, "j.initiator_party")                           \
	X(STR, attempt_id, "a.attempt_id")                                     \
	X(STR, host, "a.host")                                                 \
	X(INT, executor_pid, "a.executor_pid") X(INT, fence, "a.fence")

static const struct db_col row_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_task_row, field) },
	ROW_COLS(COL)
#undef COL
};
static const struct db_shape row_shape = DB_SHAPE(struct db_task_row, row_cols);

/* The newest attempt alone: the others have one behind them. */
#define FROM " FROM task t JOIN job j ON j.job_id = t.job_id"
#define ATTEMPTS                                                               \
	" LEFT JOIN attempt a ON a.job_id = t.job_id"                          \
	" AND a.component = t.component AND a.version = t.version"             \
	" AND a.role = t.role AND a.party_id = t.party_id"
#define ATTEMPT                                                                \
	ATTEMPTS                                                               \
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

/* --- tasks of one job ---
 *
 * Clients ask for them every second, and they are few: newest versions,
 * newest attempts, most filters and order are found here, which is a good deal
 * less work than teaching them to the server's optimizer each time.  Who asks
 * for one member's tasks is spared the documents of the others.
 */

static const struct db_stmt of_job = { "task.of_job", "sssssss",
	"SELECT 1" ROW_COLS(DB_SQL) FROM ATTEMPTS
	" WHERE t.job_id = ? AND (? IS NULL OR t.component = ?)"
	" AND (? IS NULL OR FIND_IN_SET(t.role, ?) > 0)"
	" AND (? IS NULL OR FIND_IN_SET(t.party_id, ?) > 0)" };

/* The rows of a member's component together, the newest first. */
static int
by_member(const void *a, const void *b)
{
	const struct db_task_row *x = a, *y = b;
	int c = by_version(&x->task, &y->task);

	return c != 0 ? c : compare_int(y->fence, x->fence);
}

static bool
is_member(const struct db_task_row *a, const struct db_task_row *b)
{
	return compare_member(&a->task.key, &b->task.key) == 0;
}

static bool
is_in(const char *names, const char *s)
{
	return names == NULL || str_in_list(names, s);
}

static bool
is_wanted(const struct db_task_filter *f, const struct db_task *t)
{
	return is_in(f->components, t->key.component) &&
	       is_in(f->statuses, state_name(t->status)) &&
	       is_in(f->party_statuses, state_name(t->party_status)) &&
	       (f->version == NULL || *f->version == t->key.version) &&
	       (!f->local_only || t->run_here);
}

/* Leaves the rows that are wanted, each with its newest attempt. */
static size_t
choose(const struct db_task_filter *f, struct db_task_row *rows, size_t n)
{
	size_t i, kept = 0;

	if (n > 0)
		qsort(rows, n, sizeof(*rows), by_member);
	for (i = 0; i < n; i++) {
		/* What was kept lies before i - 1, or is it. */
		if (i > 0 && is_member(&rows[i], &rows[i - 1]) &&
		    (f->newest_only || rows[i].task.key.version ==
					   rows[i - 1].task.key.version))
			continue;
		if (is_wanted(f, &rows[i].task))
			rows[kept++] = rows[i];
	}
	return kept;
}

static int
by_order(const void *a, const void *b, void *ctx)
{
	const struct db_task_filter *f = ctx;
	const struct db_task *x = &((const struct db_task_row *)a)->task;
	const struct db_task *y = &((const struct db_task_row *)b)->task;
	int c = 0;

	switch (f->order) {
	case DB_TASK_BY_VERSION:
		c = compare_int(x->key.version, y->key.version);
		break;
	case DB_TASK_BY_STARTED:
		c = compare_int(x->started_ms, y->started_ms);
		break;
	case DB_TASK_BY_ENDED:
		c = compare_int(x->ended_ms, y->ended_ms);
		break;
	case DB_TASK_BY_CREATED:
		c = compare_int(x->created_ms, y->created_ms);
		break;
	default:
		break;
	}
	if (c != 0)
		return f->descending ? -c : c;
	if ((c = compare_int(x->seq, y->seq)) != 0 ||
	    (c = strcmp(x->key.component, y->key.component)) != 0 ||
	    (c = strcmp(x->key.role, y->key.role)) != 0)
		return c;
	return strcmp(x->key.party_id, y->key.party_id);
}

static int
query_of_job(struct db *db, struct arena *a, const struct db_task_filter *f,
    struct db_task_row **rows, size_t *n, int64_t *total)
{
	struct db_task_filter order = *f;
	size_t all;
	int r;

	if ((r = db_select(db, &of_job, &row_shape, a, rows, &all, f->job_id,
		 TWICE(f->component), TWICE(f->roles), TWICE(f->parties))) != 0)
		return r;
	all = choose(f, *rows, all);
	if (all > 1)
		qsort_r(*rows, all, sizeof(**rows), by_order, &order);
	if (total != NULL)
		*total = (int64_t)all;
	if (f->offset >= (int64_t)all)
		return 0;
	*rows += f->offset;
	*n = all - (size_t)f->offset;
	if (f->limit > 0 && (int64_t)*n > f->limit)
		*n = (size_t)f->limit;
	return 0;
}

static int
query_filtered(struct db *db, struct arena *a, const struct db_task_filter *f,
    struct db_task_row **rows, size_t *n, int64_t *total)
{
	int64_t limit = f->limit > 0 ? f->limit : INT64_MAX;
	int r;

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

int
db_task_query(struct db *db, struct arena *a, const struct db_task_filter *f,
    struct db_task_row **rows, size_t *n, int64_t *total)
{
	*rows = NULL;
	*n = 0;
	if (total != NULL)
		*total = 0;
	if (f->order >= DB_TASK_ORDERS || f->offset < 0)
		return err_set(ERR_INVALID, "order or offset of a task list");
	/* How long a task has run by now is the database's to say. */
	if (f->job_id != NULL && f->order != DB_TASK_BY_ELAPSED)
		return query_of_job(db, a, f, rows, n, total);
	return query_filtered(db, a, f, rows, n, total);
}

/* --- for the supervisor --- */

#define REPORT_COLS(X)                                                         \
	KEY_COLS(X, task.key., "t.")                                           \
	X(STATE, task.party_status, "t.party_status")                          \
	X(STR, task.error_report, "t.error_report")                            \
	X(STR, task.fault, "t.fault")                                          \
	X(INT, task.progress, "t.progress")                                    \
	X(MS, task.started_ms, "t.started_at")                                 \
	X(MS, task.ended_ms, "t.ended_at")                                     \
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
/* The first of every initiator, then the second of each. */
static const struct db_stmt reports_fair = { "task.reports_fair", "i",
	"SELECT 1" REPORT_COLS(DB_SQL) FROM
	" WHERE t.report_due = 1"
	" ORDER BY ROW_NUMBER() OVER (PARTITION BY j.initiator_party"
	" ORDER BY t.updated_at), t.updated_at LIMIT ?" };
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
	int r = db_select(db, &reports, &report_shape, a, rows, n, limit);

	if (r == 0 && *n == (size_t)limit)
		r = db_select(
		    db, &reports_fair, &report_shape, a, rows, n, limit);
	return r;
}

int
db_task_kills_wanted(struct db *db, struct arena *a, int64_t limit,
    struct db_kill **rows, size_t *n)
{
	return db_select(db, &kills, &kill_shape, a, rows, n, limit);
}
