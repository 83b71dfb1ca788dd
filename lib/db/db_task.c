/*
 * Tasks: reading, inserting, guarded moves, wishes (launch, end).  Lists for
 * the API are in db_task_list.c, attempts in db_attempt.c.
 */
#include "lib/db/db_task.h"

#include "lib/base/err.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_often.h"
#include "lib/db/db_task_private.h"
#include "lib/db/db_tx.h"

#define KEY_WHERE_T                                                            \
	" t.job_id = ? AND t.component = ? AND t.version = ?"                  \
	" AND t.role = ? AND t.party_id = ?"

static const struct db_col task_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct db_task, field) },
	TASK_COLS(COL, , "") TASK_DOC_COLS(COL, , "")
#undef COL
};
static const struct db_shape task_shape = DB_SHAPE(struct db_task, task_cols);

static const struct db_stmt get = { "task.get", KEY_PARAMS,
	"SELECT 1" TASK_COLS(DB_SQL, , "")
	    TASK_DOC_COLS(DB_SQL, , "") " FROM task WHERE" KEY_WHERE };
#define PLACE_COLS(X)                                                          \
	X(BOOL, is_initiator, "j.is_initiator")                                \
	X(BOOL, takes_part,                                                    \
	    "EXISTS (SELECT 1 FROM job_party p WHERE p.job_id = j.job_id"      \
	    " AND p.party_id = ?)")                                            \
	X(BOOL, is_there, "t.job_id IS NOT NULL")                              \
	X(BOOL, run_here, "t.run_here")
static const struct db_col place_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_task_place, field) },
	PLACE_COLS(COL)
#undef COL
};
static const struct db_shape place_shape =
    DB_SHAPE(struct db_task_place, place_cols);
static const struct db_stmt place = { "task.place", "ssisss",
	"SELECT 1" PLACE_COLS(
	    DB_SQL) " FROM job j LEFT JOIN task t ON t.job_id = j.job_id"
		    " AND t.component = ? AND t.version = ? AND t.role = ?"
		    " AND t.party_id = ? WHERE j.job_id = ?" };

#define WISH_COLS(X)                                                           \
	X(BOOL, is_initiator, "j.is_initiator")                                \
	X(STR, initiator_role, "j.initiator_role")                             \
	X(STR, initiator_party, "j.initiator_party")                           \
	X(STR, module, "t.module")                                             \
	X(STR, parameters, "t.parameters")
static const struct db_col wish_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_task_wish, field) },
	WISH_COLS(COL)
#undef COL
};
static const struct db_shape wish_shape =
    DB_SHAPE(struct db_task_wish, wish_cols);
static const struct db_stmt get_wish = { "task.wish", KEY_PARAMS,
	"SELECT 1" WISH_COLS(
	    DB_SQL) " FROM task t JOIN job j"
		    " ON j.job_id = t.job_id WHERE" KEY_WHERE_T };
static const struct db_stmt get_newest = { "task.get_newest", "ssss",
	"SELECT 1" TASK_COLS(DB_SQL, , "") TASK_DOC_COLS(DB_SQL, ,
	    "") " FROM task WHERE job_id = ? AND component = ? AND role = ?"
		" AND party_id = ? ORDER BY version DESC LIMIT 1" };

#define HEAD_COLS(X)                                                           \
	X(STATE, status, "t.status")                                           \
	X(STATE, party_status, "t.party_status")                               \
	X(STATE, kill_wanted, "t.kill_wanted")                                 \
	X(BOOL, run_here, "t.run_here")                                        \
	X(BOOL, launch_wanted, "t.launch_wanted")                              \
	X(BOOL, start_acked, "t.start_acked")                                  \
	X(BOOL, is_initiator, "j.is_initiator")                                \
	X(STATE, job_status, "j.status")

static const struct db_col head_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct task_head, field) },
	HEAD_COLS(COL)
#undef COL
};
static const struct db_shape head_shape = DB_SHAPE(struct task_head, head_cols);

/* STRAIGHT_JOIN: the job's row is locked before the task's. */
static const struct db_stmt lock = { "task.lock", KEY_PARAMS "s",
	"SELECT 1" HEAD_COLS(DB_SQL) " FROM job j STRAIGHT_JOIN task t"
				     " ON t.job_id = j.job_id WHERE" KEY_WHERE_T
				     " AND j.job_id = ? FOR UPDATE" };
/* No row where the attempt has ended. */
static const struct db_stmt lock_for = { "task.lock_for", KEY_PARAMS "sis",
	"SELECT 1" HEAD_COLS(DB_SQL) " FROM job j STRAIGHT_JOIN task t"
				     " ON t.job_id = j.job_id"
				     " STRAIGHT_JOIN attempt a"
				     " ON a.job_id = t.job_id"
				     " AND a.component = t.component"
				     " AND a.version = t.version"
				     " AND a.role = t.role"
				     " AND a.party_id = t.party_id"
				     " WHERE" KEY_WHERE_T " AND j.job_id = ?"
				     " AND a.fence = ? AND a.attempt_id = ?"
				     " AND a.ended_at IS NULL FOR UPDATE" };
/*
 * Who locked the job's row before is sure of the newest version, too: others
 * make one under that lock.
 */
#define LAUNCH_COLS(X)                                                         \
	X(INT, newest,                                                         \
	    "(SELECT MAX(n.version) FROM task n WHERE n.job_id = t.job_id"     \
	    " AND n.component = t.component AND n.role = t.role"               \
	    " AND n.party_id = t.party_id)")
struct launch_head {
	struct task_head task;
	int64_t newest;
};
static const struct db_col launch_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct launch_head, field) },
#define TASK_COL(type, field, column) COL(type, task.field, column)
	HEAD_COLS(TASK_COL) LAUNCH_COLS(COL)
#undef TASK_COL
#undef COL
};
static const struct db_shape launch_shape =
    DB_SHAPE(struct launch_head, launch_cols);
static const struct db_stmt lock_launch = { "task.lock_launch", KEY_PARAMS "s",
	"SELECT 1" HEAD_COLS(DB_SQL)
	    LAUNCH_COLS(DB_SQL) " FROM job j STRAIGHT_JOIN task t"
				" ON t.job_id = j.job_id WHERE" KEY_WHERE_T
				" AND j.job_id = ? FOR UPDATE" };
/* Asked by those who need it, under the lock. */
static const struct db_stmt count_open = { "task.count_open", KEY_PARAMS,
	"SELECT COUNT(*) FROM attempt WHERE" KEY_WHERE
	" AND ended_at IS NULL" };

int
db_task_get(struct db *db, struct arena *a, const struct db_task_key *k,
    struct db_task **out)
{
	int r;

	r = db_select_one(db, &get, &task_shape, a, out, KEY_ARGS(k));
	if (r == ERR_NOT_FOUND)
		return err_set(r, "no task %s", db_task_text(a, k));
	return r;
}

int
db_task_get_place(struct db *db, struct arena *a, const struct db_task_key *k,
    const char *party_id, struct db_task_place **out)
{
	int r = db_select_one(db, &place, &place_shape, a, out, party_id,
	    k->component, k->version, k->role, k->party_id, k->job_id);

	return r == ERR_NOT_FOUND ? err_set(r, "no job %.30s", k->job_id) : r;
}

int
db_task_get_wish(struct db *db, struct arena *a, const struct db_task_key *k,
    struct db_task_wish **out)
{
	int r = db_select_one(db, &get_wish, &wish_shape, a, out, KEY_ARGS(k));

	return r == ERR_NOT_FOUND ? err_set(r, "no task %s", db_task_text(a, k))
				  : r;
}

int
db_task_get_newest(struct db *db, struct arena *a, const char *job_id,
    const char *component, const char *role, const char *party_id,
    struct db_task **out)
{
	int r;

	r = db_select_one(db, &get_newest, &task_shape, a, out, job_id,
	    component, role, party_id);
	if (r == ERR_NOT_FOUND)
		return err_set(r, "no task %.100s of %.20s %.10s in job %.30s",
		    component, role, party_id, job_id);
	return r;
}

const char *
db_task_text(struct arena *a, const struct db_task_key *k)
{
	return arena_printf(a,
	    "%.100s version %lld of %.20s %.10s in job "
	    "%.30s",
	    k->component, (long long)k->version, k->role, k->party_id,
	    k->job_id);
}

int
db_task_lock(struct db *db, struct arena *a, const struct db_task_key *k,
    struct task_head **out)
{
	int r;

	r = db_select_one(
	    db, &lock, &head_shape, a, out, KEY_ARGS(k), k->job_id);
	if (r == ERR_NOT_FOUND)
		return err_set(r, "no task %s", db_task_text(a, k));
	return r;
}

int
db_task_lock_for(struct db *db, struct arena *a, const struct db_attempt *t,
    struct task_head **out)
{
	int r;

	r = db_select_one(db, &lock_for, &head_shape, a, out, KEY_ARGS(&t->key),
	    t->key.job_id, t->fence, t->attempt_id);
	if (r == ERR_NOT_FOUND)
		return err_set(ERR_CONFLICT,
		    "the lease of attempt %.32s was lost", t->attempt_id);
	return r;
}

/* --- insert --- */

static const struct db_stmt insert = { "task.insert", "ssissisiiiissss",
	"INSERT INTO task (job_id, component, version, role, party_id, seq,"
	" module, run_here, status, party_status, need_run, auto_retries,"
	" retry_delay_s, provider, parameters, wait_code, wait_on)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', 'waiting', ?, ?, ?, ?, ?,"
	" ?, LEFT(?, 500))"
	/* One that is there stays as it is. */
	" ON DUPLICATE KEY UPDATE version = VALUES(version)" };

struct insert {
	const char *job_id;
	const struct db_task_new *tasks;
	size_t n;
};

static int
insert_tx(struct db *db, void *ctx)
{
	const struct insert *in = ctx;
	int r;

	for (size_t i = 0; i < in->n; i++) {
		const struct db_task_new *t = &in->tasks[i];
		const char *on = t->waits_on != NULL ? t->waits_on : "";

		if ((r = db_exec(db, &insert, NULL, in->job_id, t->component,
			 t->version, t->role, t->party_id, t->seq, t->module,
			 (int64_t)t->run_here, (int64_t)t->need_run,
			 t->auto_retries, t->retry_delay_s, t->provider,
			 t->parameters,
			 wait_name(*on != '\0'	    ? WAIT_UPSTREAM
				   : t->version > 0 ? WAIT_CREATING
						    : WAIT_JOB_START),
			 on)) != 0)
			return r;
	}
	return 0;
}

int
db_task_insert(struct db *db, const char *job_id,
    const struct db_task_new *tasks, size_t n)
{
	struct insert in = { job_id, tasks, n };

	return n == 0 ? 0 : db_tx(db, insert_tx, &in);
}

/* --- fields --- */

static const struct db_stmt set_progress = { "task.set_progress",
	"ii" KEY_PARAMS "ss",
	"UPDATE task SET progress = LEAST(100, ?) WHERE progress < ? "
	"AND" KEY_WHERE " AND (? IS NULL OR EXISTS (SELECT 1 FROM attempt a"
	" WHERE a.attempt_id = ? AND a.ended_at IS NULL))" };
static const struct db_stmt ack_start = { "task.ack_start", "i" KEY_PARAMS,
	"UPDATE task SET start_acked = ? WHERE" KEY_WHERE };
static const struct db_stmt ack = { "task.ack", "is" KEY_PARAMS,
	"UPDATE task SET start_acked = start_acked OR ?,"
	" status_acked = COALESCE(NULLIF(?, ''), status_acked)"
	" WHERE" KEY_WHERE };

int
db_task_set_progress(struct db *db, const struct db_task_key *k,
    const char *attempt_id, int64_t progress)
{
	if (progress <= 0) /* it only grows */
		return 0;
	return db_exec(db, &set_progress, NULL, progress, progress, KEY_ARGS(k),
	    attempt_id, attempt_id);
}

int
db_task_ack_start(struct db *db, const struct db_task_key *k, bool acked)
{
	return db_exec(db, &ack_start, NULL, (int64_t)acked, KEY_ARGS(k));
}

int
db_task_ack(
    struct db *db, const struct db_task_key *k, bool start, enum state verdict)
{
	return db_exec(db, &ack, NULL, (int64_t)start,
	    verdict == STATE_NONE ? "" : state_name(verdict), KEY_ARGS(k));
}

/* --- wishes --- */

static const struct db_stmt want_launch = { "task.want_launch", KEY_PARAMS,
	"UPDATE task SET launch_wanted = 1, start_acked = 1,"
	" wait_since = IF(wait_code = 'starting', wait_since, NOW(6)),"
	" wait_code = 'starting', wait_on = '' WHERE" KEY_WHERE
	" AND run_here = 1 AND start_acked = 0 AND party_status = 'waiting'" };
static const struct db_stmt want_kill = { "task.want_kill", "se" KEY_PARAMS,
	"UPDATE task SET kill_wanted = ?,"
	" error_report = COALESCE(error_report, LEFT(?, 16000)) WHERE" KEY_WHERE
	" AND kill_wanted = ''" };

struct wish {
	const struct db_task_key *key;
	enum state to;
	const char *reason;
	bool effective;
};

/* Why a task cannot be launched now; 0 when it can. */
static int
check_launch(
    struct arena *a, const struct db_task_key *k, const struct launch_head *l)
{
	const struct task_head *h = &l->task;
	const char *why = NULL;

	if (!h->run_here)
		return err_set(ERR_NOT_FOUND, "task %s does not run here",
		    db_task_text(a, k));
	if (l->newest > k->version)
		why = "has a newer version";
	else if (h->job_status != STATE_RUNNING)
		why = "cannot start: its job does not run";
	else if (h->party_status != STATE_WAITING ||
		 h->kill_wanted != STATE_NONE)
		why = "ended before it was started";
	if (why != NULL)
		return err_set(
		    ERR_CONFLICT, "task %s %s", db_task_text(a, k), why);
	return 0;
}

static int
want_launch_tx(struct db *db, void *ctx)
{
	struct wish *w = ctx;
	struct arena *a = arena_new();
	struct launch_head *h;
	int64_t n;
	int r;

	w->effective = false;
	r = db_select_one(db, &lock_launch, &launch_shape, a, &h,
	    KEY_ARGS(w->key), w->key->job_id);
	if (r == ERR_NOT_FOUND)
		r = err_set(r, "no task %s", db_task_text(a, w->key));
	if (r != 0 || (h->task.run_here && h->task.start_acked))
		goto out; /* once is enough */
	if ((r = check_launch(a, w->key, h)) != 0)
		goto out;
	if ((r = db_exec(db, &want_launch, &n, KEY_ARGS(w->key))) != 0)
		goto out;
	w->effective = n == 1;
	r = db_task_event(
	    db, w->key, "launch", STATE_WAITING, STATE_NONE, "start asked for");
out:
	arena_free(a);
	return r;
}

int
db_task_want_launch(struct db *db, const struct db_task_key *k, bool *effective)
{
	struct wish w = { .key = k };
	int r;

	r = db_tx(db, want_launch_tx, &w);
	if (effective != NULL)
		*effective = r == 0 && w.effective;
	return r;
}

static int
kill_running(struct db *db, struct wish *w, const struct task_head *h)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &want_kill, &n, state_name(w->to), w->reason,
		 KEY_ARGS(w->key))) != 0 ||
	    n == 0)
		return r;
	w->effective = true;
	return db_task_event(
	    db, w->key, "kill", h->party_status, w->to, w->reason);
}

static int
want_end_tx(struct db *db, void *ctx)
{
	struct wish *w = ctx;
	struct arena *a = arena_new();
	struct task_head *h;
	int64_t nopen;
	unsigned moved = 0;
	int r;

	w->effective = false;
	if ((r = db_task_lock(db, a, w->key, &h)) != 0)
		goto out;
	if (!h->run_here) {
		r = err_set(ERR_NOT_FOUND, "task %s does not run here",
		    db_task_text(a, w->key));
		goto out;
	}
	if (state_is_end(h->party_status))
		goto out;
	if ((r = db_query_int(db, &count_open, &nopen, KEY_ARGS(w->key))) != 0)
		goto out;
	if (nopen > 0) {
		r = kill_running(db, w, h);
		goto out;
	}
	/* Nobody works on it: no shepherd would ever write the end. */
	r = db_task_move(db, w->key,
	    &(struct db_task_move){ .status = STATE_NONE,
		.party_status = w->to,
		.error_default = w->reason,
		.reason = w->reason },
	    &moved);
	w->effective = moved != 0;
out:
	arena_free(a);
	return r;
}

int
db_task_want_end(struct db *db, const struct db_task_key *k, enum state to,
    const char *reason, bool *effective)
{
	struct wish w = { .key = k, .to = to, .reason = reason };
	int r;

	if (effective != NULL)
		*effective = false;
	if (!state_is_interrupt(to))
		return err_set(ERR_INVALID,
		    "a task cannot be stopped as "
		    "\"%s\"",
		    state_name(to));
	if ((r = db_tx(db, want_end_tx, &w)) != 0)
		return r;
	if (effective != NULL)
		*effective = w.effective;
	return 0;
}

#define LEFT_COLS(X)                                                           \
	X(STR, component, "t.component")                                       \
	X(STATE, party_status, "t.party_status")                               \
	X(STR, error_report, "t.error_report")
static const struct db_col left_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_task_left, field) },
	LEFT_COLS(COL)
#undef COL
};
static const struct db_shape left_shape =
    DB_SHAPE(struct db_task_left, left_cols);
static const struct db_stmt left_here = { "task.left_here", "s",
	"SELECT 1" LEFT_COLS(
	    DB_SQL) " FROM task t WHERE t.job_id = ?"
		    " AND t.run_here = 1 AND t.start_acked = 1"
		    " AND t.party_status NOT IN ('success', 'pass')"
		    " AND (t.party_status IN ('waiting', 'running')"
		    " OR t.role <> 'idmapping'"
		    " AND NOT EXISTS (SELECT 1 FROM task n"
		    " WHERE n.job_id = t.job_id AND n.component = t.component"
		    " AND n.role = t.role AND n.party_id = t.party_id"
		    " AND n.version > t.version))"
		    " ORDER BY t.party_status IN ('waiting', 'running') DESC,"
		    " t.seq LIMIT 1" };

int
db_task_left_here(struct db *db, struct arena *a, const char *job_id,
    struct db_task_left **out)
{
	size_t n;
	int r = db_select(db, &left_here, &left_shape, a, out, &n, job_id);

	if (r != 0 || n == 0)
		*out = NULL;
	return r;
}

static const struct db_stmt report_done = { "task.report_done", KEY_PARAMS "s",
	"UPDATE task SET report_due = 0 WHERE" KEY_WHERE
	" AND party_status = ?" };

int
db_task_report_done(
    struct db *db, const struct db_task_key *k, enum state told, bool *changed)
{
	int64_t n;
	int r;

	r = db_exec(db, &report_done, &n, KEY_ARGS(k), state_name(told));
	*changed = r == 0 && n == 0;
	return r;
}

const struct db_stmt *const db_task_often[] = { &get_newest, &lock, &lock_for,
	NULL };
