/*
 * Reasons to wait in the rows of jobs and tasks.  Called by the supervisor
 * and lib/party; moves of states set and clear them too (db_job.c, db_task_move.c).
 */
#include "lib/db/db_wait.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_event.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_task.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"

/* Assignments run from left to right: since looks at what was there. */
#define SET_WAIT                                                               \
	" wait_since = IF(wait_code = ? AND wait_role = ? AND wait_party = ?"  \
	" AND wait_on = LEFT(?, 500), wait_since, NOW(6)),"                    \
	" wait_code = ?, wait_role = ?, wait_party = ?,"                       \
	" wait_on = LEFT(?, 500), wait_numbers = ?"
#define SET_PARAMS "sssssssss"
#define SET_ARGS(w, numbers)                                                   \
	wait_name((w)->code), (w)->role, (w)->party, (w)->on,                  \
	    wait_name((w)->code), (w)->role, (w)->party, (w)->on, (numbers)

/* What waited for a person takes its place in the queue then. */
static const struct db_stmt set_job = { "job.set_wait", "i" SET_PARAMS "iesii",
	"UPDATE job SET"
	" queue_at = IF(?, NOW(6) - INTERVAL priority MINUTE, queue_at)," SET_WAIT
	", wait_cores = ?,"
	" reason = LEFT(?, 4000)"
	" WHERE job_id = ? AND status IN ('ready', 'waiting')"
	" AND (? = 0 OR lease_fence = ?)" };
static const struct db_stmt set_task = { "task.set_wait", SET_PARAMS "ssisii",
	"UPDATE task SET" SET_WAIT
	" WHERE job_id = ? AND component = ? AND version = ?"
	" AND FIND_IN_SET(party_status, ?) > 0 AND (? = 0 OR EXISTS"
	" (SELECT 1 FROM job j WHERE j.job_id = task.job_id"
	" AND j.lease_fence = ?))" };
static const struct db_stmt set_running = { "task.set_wait_running",
	SET_PARAMS KEY_PARAMS,
	"UPDATE task SET" SET_WAIT " WHERE" KEY_WHERE
	" AND party_status = 'running'" };
static const struct db_stmt set_launch = { "task.set_wait_launch",
	SET_PARAMS KEY_PARAMS,
	"UPDATE task SET" SET_WAIT " WHERE" KEY_WHERE
	" AND party_status = 'waiting' AND launch_wanted = 1" };
static const struct db_stmt lock_job = {
	"job.lock_wait", "iis",
	"SELECT 1" WAIT_COLS(DB_SQL, ,
	    "") ", reason, is_initiator,"
		" status IN ('ready', 'waiting'),"
		" ? = 0 OR lease_fence = ? FROM job WHERE job_id = ? FOR UPDATE"
};

struct head {
	struct db_wait wait;
	const char *reason;
	bool is_own;
	bool waits;
	bool leased;
};
static const struct db_col head_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct head, field) },
	WAIT_COLS(COL, , "")
#undef COL
	    { DB_STR, offsetof(struct head, reason) },
	{ DB_BOOL, offsetof(struct head, is_own) },
	{ DB_BOOL, offsetof(struct head, waits) },
	{ DB_BOOL, offsetof(struct head, leased) },
};
static const struct db_shape head_shape = DB_SHAPE(struct head, head_cols);

/* NULL when there are none; free() it. */
static char *
numbers_text(const struct wait *w)
{
	struct json_object *o;
	char *text;

	if (w->have == 0)
		return NULL;
	o = wait_numbers_json(w);
	text = xstrdup(json_text(o));
	json_object_put(o);
	return text;
}

bool
db_wait_is_other(const struct db_wait *have, const struct wait *w)
{
	return !str_eq(have->code, wait_name(w->code)) ||
	       !str_eq(have->role, w->role) ||
	       !str_eq(have->party_id, w->party) || !str_eq(have->on, w->on);
}

bool
db_wait_differs(
    const struct db_wait *have, const struct wait *w, const char *reason)
{
	char *numbers;
	bool differs;

	if (db_wait_is_other(have, w) ||
	    (w->text != NULL && !str_eq(w->text, reason)))
		return true;
	numbers = numbers_text(w);
	differs = !str_eq(have->numbers, numbers != NULL ? numbers : "");
	free(numbers);
	return differs;
}

struct setting {
	const char *job_id;
	const struct wait *wait;
	const char *numbers;
	int64_t fence;
	bool only_partners; /* not of jobs that were initiated here */
	bool stored;
};

static int
set_locked(struct db *db, struct setting *s, const struct head *h)
{
	const struct wait *w = s->wait;
	const char *approval = wait_name(WAIT_APPROVAL);
	bool admitted =
	    str_eq(h->wait.code, approval) && w->code != WAIT_APPROVAL;
	int r;

	if (!h->leased)
		return err_set(ERR_CONFLICT, "lease %lld on job %s was lost",
		    (long long)s->fence, s->job_id);
	if (!h->waits ||
	    (s->only_partners &&
		(h->is_own || !db_wait_differs(&h->wait, w,
				  h->reason != NULL ? h->reason : ""))))
		return 0;
	if ((r = db_exec(db, &set_job, NULL, (int64_t)admitted,
		 SET_ARGS(w, s->numbers),
		 w->have & 1u << WAIT_N_CORES_ASKED ? w->n[WAIT_N_CORES_ASKED]
						    : INT64_C(0),
		 w->text, s->job_id, s->fence, s->fence)) != 0)
		return r;
	s->stored = true;
	if (str_eq(h->wait.code, wait_name(w->code)) &&
	    str_eq(h->wait.party_id, w->party))
		return 0;
	return db_event_add(db, &(struct db_event){ .job_id = s->job_id,
				    .role = w->role,
				    .party_id = w->party,
				    .kind = "wait",
				    .from_state = h->wait.code,
				    .to_state = wait_name(w->code),
				    .reason = w->text });
}

static int
set_tx(struct db *db, void *ctx)
{
	struct setting *s = ctx;
	struct arena *a = arena_new();
	struct head *h;
	int r;

	s->stored = false;
	if ((r = db_select_one(db, &lock_job, &head_shape, a, &h, s->fence,
		 s->fence, s->job_id)) == 0)
		r = set_locked(db, s, h);
	arena_free(a);
	return r;
}

/* *numbers, which fn finds by its ctx, are the wait's while it runs. */
static int
tx_with_numbers(struct db *db, const struct wait *w, const char **numbers,
    db_tx_fn *fn, void *ctx)
{
	char *text = numbers_text(w);
	int r;

	*numbers = text != NULL ? text : "";
	r = db_tx(db, fn, ctx);
	free(text);
	return r;
}

int
db_wait_set_job(struct db *db, const char *job_id, const struct wait *w,
    int64_t fence, bool *stored)
{
	struct setting s = { .job_id = job_id, .wait = w, .fence = fence };
	int r = tx_with_numbers(db, w, &s.numbers, set_tx, &s);

	if (stored != NULL)
		*stored = r == 0 && s.stored;
	return r;
}

int
db_wait_set_here(struct db *db, const char *job_id, const struct wait *w)
{
	struct setting s = {
		.job_id = job_id, .wait = w, .only_partners = true
	};

	return tx_with_numbers(db, w, &s.numbers, set_tx, &s);
}

int
db_wait_set_locked(struct db *db, const struct db_job *j, const struct wait *w)
{
	const struct head h = { .wait = j->wait,
		.reason = j->reason,
		.is_own = j->is_initiator,
		.waits = j->status == STATE_READY || j->status == STATE_WAITING,
		.leased = true };
	struct setting s = {
		.job_id = j->job_id, .wait = w, .only_partners = true
	};
	char *numbers = numbers_text(w);
	int r;

	s.numbers = numbers != NULL ? numbers : "";
	r = set_locked(db, &s, &h);
	free(numbers);
	return r;
}

int
db_wait_set_task(struct db *db, const char *job_id, const char *component,
    int64_t version, const struct wait *w, int64_t fence)
{
	const char *which = w->code == WAIT_RETRY_BACKOFF
				? "failed,timeout,canceled"
				: "waiting";
	char *numbers = numbers_text(w);
	int r = db_exec(db, &set_task, NULL,
	    SET_ARGS(w, numbers != NULL ? numbers : ""), job_id, component,
	    version, which, fence, fence);

	free(numbers);
	return r;
}

struct of_member {
	const struct db_task_key *key;
	const struct wait *wait;
	const char *numbers;
	const struct db_stmt *set;
	const char *from; /* as events call it */
};

static int
member_tx(struct db *db, void *ctx)
{
	const struct of_member *m = ctx;
	const struct db_task_key *k = m->key;
	const struct wait *w = m->wait;
	int64_t n = 0;
	int r = db_exec(db, m->set, &n, SET_ARGS(w, m->numbers), KEY_ARGS(k));

	if (r != 0 || n == 0)
		return r;
	return db_event_add(db,
	    &(struct db_event){ .job_id = k->job_id,
		.component = k->component,
		.version = k->version,
		.role = k->role,
		.party_id = k->party_id,
		.kind = "wait",
		.from_state = m->from,
		.to_state = w->code == WAIT_NONE ? "runs" : wait_name(w->code),
		.reason = w->text });
}

int
db_wait_set_running(
    struct db *db, const struct db_task_key *key, const struct wait *w)
{
	struct of_member m = { .key = key,
		.wait = w,
		.set = &set_running,
		.from = w->code == WAIT_NONE ? "waits" : "runs" };

	return tx_with_numbers(db, w, &m.numbers, member_tx, &m);
}

int
db_wait_set_launch(
    struct db *db, const struct db_task_key *key, const struct wait *w)
{
	struct of_member m = { .key = key,
		.wait = w,
		.set = &set_launch,
		.from = wait_name(WAIT_STARTING) };

	return tx_with_numbers(db, w, &m.numbers, member_tx, &m);
}
