/*
 * Guarded moves of tasks from state to state, each with its event.
 */

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_event.h"
#include "lib/db/db_often.h"
#include "lib/db/db_task_private.h"
#include "lib/db/db_tx.h"

/*
 * A member that has not begun waits for its start, or its end.  since is of
 * the same statement: what was waited for before is over.
 */
#define SET_WAIT                                                               \
	" wait_since = NOW(6), wait_numbers = '', wait_on = '',"               \
	" wait_code = IF(party_status = 'waiting',"                            \
	"  IF(? = 'running', 'starting', 'ending'), ''),"
/*
 * A verdict of success has heard every member's: the report of an own one is
 * not due any more.
 */
static const struct db_stmt move_status = { "task.move_status",
	"sise" KEY_PARAMS "s",
	"UPDATE task SET status = ?,"
	" report_due = IF(? AND party_status NOT IN ('waiting', 'running'), 0,"
	"  report_due)," SET_WAIT
	" error_report = COALESCE(error_report, LEFT(?, 16000)) WHERE" KEY_WHERE
	" AND status = ?" };
/* Times a member names are taken, but never ones in the future. */
static const struct db_stmt move_party = { "task.move_party",
	"sssiiteeiitssi" KEY_PARAMS "s",
	"UPDATE task SET wait_code = IF(? = 'waiting', 'starting', ''),"
	" fault = COALESCE(NULLIF(?, ''), fault),"
	" party_status = ?,"
	" started_at = IF(?, NULL, IF(?, COALESCE(started_at,"
	"  LEAST(COALESCE(?, NOW(6)), NOW(6))), started_at)),"
	" error_report = COALESCE(LEFT(?, 16000), error_report,"
	"  LEFT(?, 16000)),"
	" ended_at = IF(?, NULL, IF(?,"
	"  LEAST(COALESCE(?, NOW(6)), NOW(6)), ended_at)),"
	" launch_wanted = IF(? = 'waiting', launch_wanted, 0),"
	" kill_wanted = IF(? = 'running', kill_wanted, ''),"
	" report_due = ?"
	" WHERE" KEY_WHERE " AND party_status = ?" };

struct task_move {
	const struct db_task_key *key;
	const struct db_task_move *m;
	unsigned moved;
};

int
db_task_event(struct db *db, const struct db_task_key *k, const char *kind,
    enum state from, enum state to, const char *reason)
{
	return db_event_add(db, &(struct db_event){ .job_id = k->job_id,
				    .component = k->component,
				    .version = k->version,
				    .role = k->role,
				    .party_id = k->party_id,
				    .kind = kind,
				    .from_state = state_name(from),
				    .to_state = state_name(to),
				    .reason = reason });
}

static int
move_status_locked(
    struct db *db, struct task_move *t, const struct task_head *h)
{
	int64_t n;
	int r;

	if (!state_task_may(h->status, t->m->status))
		return 0;
	if ((r = db_exec(db, &move_status, &n, state_name(t->m->status),
		 (int64_t)state_is_success(t->m->status),
		 state_name(t->m->status), t->m->error_default,
		 KEY_ARGS(t->key), state_name(h->status))) != 0)
		return r;
	if (n != 1)
		return err_set(ERR_CONFLICT, "task changed under its lock");
	t->moved |= DB_MOVED_STATUS;
	return db_task_event(
	    db, t->key, "task", h->status, t->m->status, t->m->reason);
}

static int
move_party_locked(struct db *db, struct task_move *t, const struct task_head *h)
{
	enum state to = t->m->party_status;
	const char *name = state_name(to);
	int64_t again = to == STATE_WAITING;
	/* Success without a word of running still began once. */
	int64_t began =
	    to == STATE_RUNNING || t->m->started_ms != 0 || to == STATE_SUCCESS;
	int64_t n;
	int r;

	if (!state_task_may(h->party_status, to))
		return 0;
	if ((r = db_exec(db, &move_party, &n, name, fault_name(t->m->fault),
		 name, again, began, t->m->started_ms, t->m->error_report,
		 t->m->error_default, again, (int64_t)state_is_end(to),
		 t->m->ended_ms, name, name,
		 (int64_t)(h->run_here && !h->is_initiator), KEY_ARGS(t->key),
		 state_name(h->party_status))) != 0)
		return r;
	if (n != 1)
		return err_set(ERR_CONFLICT, "task changed under its lock");
	t->moved |= DB_MOVED_PARTY;
	/* A start is no news to the scheduler, which asked for it. */
	if (h->is_initiator && state_is_end(to) &&
	    (r = db_job_wake(db, t->key->job_id)) != 0)
		return r;
	return db_event_add(db, &(struct db_event){ .job_id = t->key->job_id,
				    .component = t->key->component,
				    .version = t->key->version,
				    .role = t->key->role,
				    .party_id = t->key->party_id,
				    .kind = "party_task",
				    .from_state = state_name(h->party_status),
				    .to_state = name,
				    .reason = t->m->reason,
				    .elsewhere = !h->run_here });
}

static int
move_tx(struct db *db, void *ctx)
{
	struct task_move *t = ctx;
	struct arena *a = arena_new();
	struct task_head *h;
	int r;

	t->moved = 0;
	r = t->m->attempt != NULL ? db_task_lock_for(db, a, t->m->attempt, &h)
				  : db_task_lock(db, a, t->key, &h);
	if (r != 0)
		goto out;
	if (t->m->kill_wanted != NULL)
		*t->m->kill_wanted = h->kill_wanted;
	if (t->m->status != STATE_NONE &&
	    (r = move_status_locked(db, t, h)) != 0)
		goto out;
	if (t->m->party_status != STATE_NONE)
		r = move_party_locked(db, t, h);
out:
	arena_free(a);
	return r;
}

int
db_task_move(struct db *db, const struct db_task_key *k,
    const struct db_task_move *m, unsigned *moved)
{
	struct task_move t = { .key = k, .m = m };
	int r;

	if (moved != NULL)
		*moved = 0;
	if ((r = db_tx(db, move_tx, &t)) != 0)
		return r;
	if (moved != NULL)
		*moved = t.moved;
	if (t.moved & DB_MOVED_PARTY)
		log_info("task %s %lld of %s %s: %s%s%s", k->component,
		    (long long)k->version, k->role, k->party_id,
		    state_name(m->party_status), m->reason != NULL ? ": " : "",
		    m->reason != NULL ? m->reason : "");
	return 0;
}

/* --- the verdict on all rows --- */

#define VERSION_WHERE " job_id = ? AND component = ? AND version = ?"
static const struct db_stmt move_all = { "task.move_all", "sisssis",
	"UPDATE task SET" SET_WAIT " ended_at = IF(run_here, ended_at,"
	" IF(? = 1, COALESCE(ended_at, NOW(6)), ended_at)), status = ?"
	" WHERE" VERSION_WHERE " AND FIND_IN_SET(status, ?) > 0" };

struct move_all {
	const char *job_id;
	const char *component;
	int64_t version;
	enum state from, to;
	const char *reason;
	bool moved;
};

static int
move_all_tx(struct db *db, void *ctx)
{
	struct move_all *m = ctx;
	int64_t n;
	int r;

	m->moved = false;
	if ((r = db_exec(db, &move_all, &n, state_name(m->to),
		 (int64_t)state_is_end(m->to), state_name(m->to), m->job_id,
		 m->component, m->version, state_task_from(m->to))) != 0 ||
	    n == 0)
		return r;
	m->moved = true;
	return db_event_add(db, &(struct db_event){ .job_id = m->job_id,
				    .component = m->component,
				    .version = m->version,
				    .kind = "task",
				    .from_state = state_name(m->from),
				    .to_state = state_name(m->to),
				    .reason = m->reason });
}

int
db_task_move_all(struct db *db, const char *job_id, const char *component,
    int64_t version, enum state from, enum state to, const char *reason,
    bool *moved)
{
	struct move_all m = { .job_id = job_id,
		.component = component,
		.version = version,
		.from = from,
		.to = to,
		.reason = reason };
	int r;

	if (moved != NULL)
		*moved = false;
	if ((r = db_tx(db, move_all_tx, &m)) != 0)
		return r;
	if (m.moved)
		log_info("task %s %lld: %s to %s", component,
		    (long long)version, state_name(from), state_name(to));
	if (moved != NULL)
		*moved = m.moved;
	return 0;
}

const struct db_stmt *const db_task_move_often[] = { &move_party, NULL };
