/*
 * Jobs: inserting, reading, guarded moves, signals.  Lists are in
 * db_job_list.c, scheduling leases in db_job_lease.c, members in db_party.c.
 */
#include "lib/db/db_job.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_event.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_task.h"
#include "lib/db/db_tx.h"

static const struct db_col job_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct db_job, field) },
	JOB_COLS(COL, , "") JOB_DOC_COLS(COL, , "")
#undef COL
};
static const struct db_shape job_shape = DB_SHAPE(struct db_job, job_cols);

static const struct db_col brief_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct db_job, field) },
	JOB_COLS(COL, , "")
#undef COL
};
static const struct db_shape brief_shape = DB_SHAPE(struct db_job, brief_cols);

/* What a scheduler looks at: read often, so nothing more. */
#define PLAN_COLS(X)                                                           \
	X(STR, job_id, "j.job_id")                                             \
	X(STATE, status, "status")                                             \
	X(STR, job_type, "job_type")                                           \
	X(STR, model_id, "model_id")                                           \
	X(STR, model_version, "model_version")                                 \
	X(INT, task_parallelism, "task_parallelism")                           \
	X(INT, timeout_s, "timeout_s")                                         \
	X(INT, progress, "progress")                                           \
	X(BOOL, cancel_signal, "cancel_signal")                                \
	X(STATE, cancel_status, "cancel_status")                               \
	X(INT, revision, "revision")                                           \
	X(BIN, contract_hash, "contract_hash")                                 \
	X(INT, run, "run")                                                     \
	X(STR, reason, "reason")                                               \
	X(INT, lease_fence, "lease_fence")                                     \
	X(INT, queued_ms,                                                      \
	    "TIMESTAMPDIFF(MICROSECOND, queue_at + INTERVAL priority MINUTE,"  \
	    " NOW(6)) DIV 1000")                                               \
	X(INT, running_ms,                                                     \
	    "COALESCE(TIMESTAMPDIFF(MICROSECOND, started_at, NOW(6))"          \
	    " DIV 1000, 0)")                                                   \
	X(INT, over_ms,                                                        \
	    "COALESCE(TIMESTAMPDIFF(MICROSECOND, IF(undone,"                   \
	    " GREATEST(j.ended_at, j.wait_since), j.ended_at), NOW(6))"        \
	    " DIV 1000, 0)")                                                   \
	X(INT, look_us, DB_LOOK_US)                                            \
	X(STR, request_id, "request_id")                                       \
	X(BOOL, is_woken, "next_look_at <= NOW(6)")                            \
	X(STR, wait.code, "wait_code")                                         \
	X(STR, wait.role, "wait_role")                                         \
	X(STR, wait.party_id, "wait_party")                                    \
	X(STR, wait.on, "wait_on")                                             \
	X(STR, wait.numbers, "wait_numbers")                                   \
	X(STATE, before, "before_status")                                      \
	X(BOOL, undone, "undone")

/* With a member: one statement for the job and all that take part. */
struct plan_row {
	struct db_job_plan job;
	struct db_party party;
};
static const struct db_col plan_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct plan_row, job.field) },
	PLAN_COLS(COL)
#undef COL
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct plan_row, field) },
	    PARTY_BRIEF_COLS(COL, party., "p.")
#undef COL
};
static const struct db_shape plan_shape = DB_SHAPE(struct plan_row, plan_cols);

struct dsl_row {
	const char *dsl;
};
static const struct db_col dsl_cols[] = {
	{ DB_STR, offsetof(struct dsl_row, dsl) },
};
static const struct db_shape dsl_shape = DB_SHAPE(struct dsl_row, dsl_cols);

static const struct db_stmt get_plan = { "job.get_plan", "s",
	"SELECT 1" PLAN_COLS(DB_SQL) PARTY_BRIEF_COLS(DB_SQL, ,
	    "p.") " FROM job j JOIN job_party p ON p.job_id = j.job_id"
		  " WHERE j.job_id = ?" };
static const struct db_stmt get_dsl = { "job.get_dsl", "s",
	"SELECT 1, dsl FROM job WHERE job_id = ?" };
static const struct db_stmt get = { "job.get", "s",
	"SELECT 1" JOB_COLS(DB_SQL, , "")
	    JOB_DOC_COLS(DB_SQL, , "") " FROM job WHERE job_id = ?" };
static const struct db_stmt get_brief = { "job.get_brief", "s",
	"SELECT 1" JOB_COLS(DB_SQL, , "") " FROM job WHERE job_id = ?" };
static const struct db_stmt lock = { "job.lock", "s",
	"SELECT 1" JOB_COLS(
	    DB_SQL, , "") " FROM job WHERE job_id = ? FOR UPDATE" };

int
db_job_get(
    struct db *db, struct arena *a, const char *job_id, struct db_job **out)
{
	int r;

	r = db_select_one(db, &get, &job_shape, a, out, job_id);
	return r == ERR_NOT_FOUND ? err_set(r, "no job %.30s", job_id) : r;
}

int
db_job_get_brief(
    struct db *db, struct arena *a, const char *job_id, struct db_job **out)
{
	int r;

	r = db_select_one(db, &get_brief, &brief_shape, a, out, job_id);
	return r == ERR_NOT_FOUND ? err_set(r, "no job %.30s", job_id) : r;
}

int
db_job_lock(
    struct db *db, struct arena *a, const char *job_id, struct db_job **out)
{
	int r;

	r = db_select_one(db, &lock, &brief_shape, a, out, job_id);
	return r == ERR_NOT_FOUND ? err_set(r, "no job %.30s", job_id) : r;
}

int
db_job_get_plan(struct db *db, struct arena *a, const char *job_id,
    struct db_job_plan **out, struct db_party **parties, size_t *n)
{
	struct plan_row *rows;
	int r;

	if ((r = db_select(db, &get_plan, &plan_shape, a, &rows, n, job_id)) !=
	    0)
		return r;
	if (*n == 0)
		return err_set(ERR_NOT_FOUND, "no job %.30s", job_id);
	*out = &rows[0].job;
	*parties = arena_alloc(a, *n * sizeof(**parties));
	for (size_t i = 0; i < *n; i++)
		(*parties)[i] = rows[i].party;
	db_party_sort(*parties, *n);
	return 0;
}

int
db_job_get_dsl(
    struct db *db, struct arena *a, const char *job_id, const char **out)
{
	struct dsl_row *row;
	int r;

	*out = NULL;
	r = db_select_one(db, &get_dsl, &dsl_shape, a, &row, job_id);
	if (r == ERR_NOT_FOUND)
		return err_set(r, "no job %.30s", job_id);
	if (r == 0)
		*out = row->dsl;
	return r;
}

/* --- insert --- */

static const struct db_stmt insert_job = { "job.insert",
	"sssssissssssssssbiiiisssiis",
	"INSERT INTO job (job_id, status, tag, name, description,"
	" is_initiator, initiator_role, initiator_party, job_type, model_id,"
	" model_version, dsl, runtime_conf, train_conf, roles, contract,"
	" contract_hash, task_parallelism, timeout_s, revision, run,"
	" wait_code, wait_role, wait_party, priority, queue_at, request_id)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
	" ?, ?, ?, ?, NOW(6) - INTERVAL ? MINUTE, ?)" };
static const struct db_stmt same_contract = { "job.same_contract", "bs",
	"SELECT contract_hash = ? FROM job WHERE job_id = ? FOR UPDATE" };
/* What is known of a member is completed, never taken back. */
static const struct db_stmt insert_party = { "job_party.insert", "sssiiisii",
	"INSERT INTO job_party (job_id, role, party_id, position, is_local,"
	" created, party_conf, cores, memory_mb)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	" ON DUPLICATE KEY UPDATE"
	" created = GREATEST(created, VALUES(created)),"
	" party_conf = COALESCE(party_conf, VALUES(party_conf)),"
	" cores = GREATEST(cores, VALUES(cores)),"
	" memory_mb = GREATEST(memory_mb, VALUES(memory_mb))" };

struct insert {
	const struct db_job_new *j;
	bool must_be_new;
	bool created;
};

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

static int
insert_job_row(struct db *db, const struct db_job_new *j)
{
	/* Members wait for the initiator, which asks them. */
	bool here = j->is_initiator;

	return db_exec(db, &insert_job, NULL, j->job_id, state_name(j->status),
	    text(j->tag), text(j->name), j->description,
	    (int64_t)j->is_initiator, j->initiator_role, j->initiator_party,
	    j->job_type != NULL ? j->job_type : "train", text(j->model_id),
	    text(j->model_version), j->dsl, j->runtime_conf, j->train_conf,
	    j->roles, j->contract, (const void *)j->contract_hash,
	    (size_t)DB_HASH_SIZE, j->task_parallelism, j->timeout_s,
	    j->revision, j->run,
	    wait_name(here ? WAIT_CREATING : WAIT_INITIATOR),
	    here ? "" : j->initiator_role, here ? "" : j->initiator_party,
	    j->priority, j->priority, log_request_id());
}

/* The job is there: it must be the same one. */
static int
check_same(struct db *db, const struct db_job_new *j)
{
	int64_t same;
	int r;

	if ((r = db_query_int(db, &same_contract, &same,
		 (const void *)j->contract_hash, (size_t)DB_HASH_SIZE,
		 j->job_id)) != 0)
		return r;
	return same != 0
		   ? 0
		   : err_set(ERR_EXISTS, "job %s exists with another contract",
			 j->job_id);
}

static int
insert_parties(struct db *db, const struct db_job_new *j)
{
	int r;

	for (size_t i = 0; i < j->nparties; i++) {
		const struct db_party_new *p = &j->parties[i];

		if ((r = db_exec(db, &insert_party, NULL, j->job_id, p->role,
			 p->party_id, p->position, (int64_t)p->is_local,
			 (int64_t)p->created, p->party_conf, p->cores,
			 p->memory_mb)) != 0)
			return r;
	}
	return 0;
}

static int
insert_tx(struct db *db, void *ctx)
{
	struct insert *in = ctx;
	const struct db_job_new *j = in->j;
	int r;

	r = insert_job_row(db, j);
	in->created = r == 0;
	if (r == ERR_EXISTS && !in->must_be_new)
		r = check_same(db, j);
	if (r != 0 || (r = insert_parties(db, j)) != 0)
		return r;
	if ((r = db_task_insert(db, j->job_id, j->tasks, j->ntasks)) != 0)
		return r;
	if (!in->created)
		return 0;
	return db_event_add(
	    db, &(struct db_event){ .job_id = j->job_id,
		    .kind = "job",
		    .to_state = state_name(j->status),
		    .reason = j->is_initiator ? "submitted" : "created" });
}

int
db_job_insert(struct db *db, const struct db_job_new *j, bool *created)
{
	struct insert in = { .j = j, .must_be_new = created == NULL };
	int r;

	if (created != NULL)
		*created = false;
	if ((state_kinds(j->status) & STATE_OF_JOB) == 0)
		return err_set(ERR_INTERNAL, "job inserted without a state");
	if ((r = db_tx(db, insert_tx, &in)) != 0)
		return err_wrap("job %s", j->job_id);
	if (created != NULL)
		*created = in.created;
	return 0;
}

/* --- moves --- */

#define HEAD_COLS(X)                                                           \
	X(STATE, status, "status")                                             \
	X(INT, fence, "lease_fence")                                           \
	X(STATE, cancel_status, "cancel_status")
static const struct db_col head_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_job_head, field) },
	HEAD_COLS(COL)
#undef COL
};
static const struct db_shape head_shape =
    DB_SHAPE(struct db_job_head, head_cols);

static const struct db_stmt lock_head = { "job.lock", "s",
	"SELECT 1" HEAD_COLS(DB_SQL) " FROM job WHERE job_id = ? FOR UPDATE" };
/*
 * Assignments run from left to right and see what was set before: status
 * comes last.
 */
static const struct db_stmt move_running = { "job.move_running", "sss",
	"UPDATE job SET started_at = COALESCE(started_at, NOW(6)),"
	" reason = NULL, wait_code = '', status = ?"
	" WHERE job_id = ? AND status = ?" };
static const struct db_stmt move_end = { "job.move_end", "iesss",
	"UPDATE job SET ended_at = NOW(6), progress = IF(?, 100, progress),"
	" reason = COALESCE(LEFT(?, 4000), reason), wait_code = '',"
	" status = ? WHERE job_id = ? AND status = ?" };
static const struct db_stmt move_again = { "job.move_again", "sss",
	"UPDATE job SET before_status = status, before_progress = progress,"
	" before_started_at = started_at, before_ended_at = ended_at,"
	" rerun_at = NOW(6), undone = 0,"
	" started_at = NULL, ended_at = NULL, progress = 0, queue_at = NOW(6) - INTERVAL priority MINUTE,"
	" reason = NULL, settled = 0, wait_since = NOW(6), wait_on = '',"
	" wait_numbers = '', initiator_says = '',"
	" wait_code = IF(is_initiator, 'creating', 'initiator'),"
	" wait_role = IF(is_initiator, '', initiator_role),"
	" wait_party = IF(is_initiator, '', initiator_party), status = ?"
	" WHERE job_id = ? AND status = ?" };
static const struct db_stmt move_on = { "job.move_on", "sss",
	"UPDATE job SET status = ? WHERE job_id = ? AND status = ?" };

struct job_move {
	const char *job_id;
	enum state to;
	int64_t fence;
	const char *reason;
	enum state from;
	bool moved;
};

static int
lock_job(struct db *db, struct arena *a, const char *job_id, int64_t fence,
    struct db_job_head **out)
{
	int r;

	r = db_select_one(db, &lock_head, &head_shape, a, out, job_id);
	if (r == ERR_NOT_FOUND)
		return err_set(r, "no job %.30s", job_id);
	if (r == 0 && fence != 0 && (*out)->fence != fence)
		return err_set(ERR_CONFLICT, "lease %lld on job %s was lost",
		    (long long)fence, job_id);
	return r;
}

static int
write_job_move(struct db *db, const struct job_move *m, int64_t *n)
{
	const char *from = state_name(m->from), *to = state_name(m->to);

	if (m->to == STATE_RUNNING)
		return db_exec(db, &move_running, n, to, m->job_id, from);
	if (state_is_end(m->to))
		return db_exec(db, &move_end, n,
		    (int64_t)(m->to == STATE_SUCCESS),
		    state_is_interrupt(m->to) ? m->reason : NULL, to, m->job_id,
		    from);
	if (state_is_end(m->from))
		return db_exec(db, &move_again, n, to, m->job_id, from);
	return db_exec(db, &move_on, n, to, m->job_id, from);
}

/* From m->from, which is how the locked row stands. */
static int
move_locked(struct db *db, struct job_move *m)
{
	int64_t n;
	int r;

	m->moved = false;
	if (!state_job_may(m->from, m->to))
		return 0;
	if ((r = write_job_move(db, m, &n)) != 0)
		return r;
	if (n != 1)
		return err_set(ERR_CONFLICT, "job %s changed", m->job_id);
	m->moved = true;
	if (state_is_end(m->to) &&
	    (r = db_resource_return_job(db, m->job_id, "job ended", NULL)) != 0)
		return r;
	return db_event_add(db, &(struct db_event){ .job_id = m->job_id,
				    .kind = "job",
				    .from_state = state_name(m->from),
				    .to_state = state_name(m->to),
				    .reason = m->reason });
}

/* A scheduler's move (with its lease); head: how the locked row stands. */
static int
move_by_head(struct db *db, struct job_move *m, const struct db_job_head *head)
{
	m->moved = false;
	m->from = head->status;
	/* Who asked for the end was told that it comes: plan anew. */
	if (m->fence != 0 && m->to == STATE_SUCCESS &&
	    state_job_may(m->from, m->to) && head->cancel_status != STATE_NONE)
		return err_set(ERR_CONFLICT,
		    "job %s was asked to end as %s meanwhile", m->job_id,
		    state_name(head->cancel_status));
	return move_locked(db, m);
}

static int
move_tx(struct db *db, void *ctx)
{
	struct job_move *m = ctx;
	struct arena *a = arena_new();
	struct db_job_head *head;
	int r;

	m->moved = false;
	if ((r = lock_job(db, a, m->job_id, m->fence, &head)) == 0)
		r = move_by_head(db, m, head);
	arena_free(a);
	return r;
}

int
db_job_move_locked(struct db *db, struct db_job *j, enum state to,
    const char *reason, bool *moved)
{
	struct job_move m = { .job_id = j->job_id,
		.to = to,
		.from = j->status,
		.reason = reason };
	int r = move_locked(db, &m);

	*moved = r == 0 && m.moved;
	if (*moved)
		j->status = to;
	return r;
}

static const struct db_stmt other_end = { "job.other_end", "eiisss",
	"UPDATE job SET status = ?, progress = IF(?, 100, progress),"
	" reason = IF(?, NULL, COALESCE(LEFT(?, 4000), reason)) WHERE"
	" job_id = ? AND status = ?" };

int
db_job_end_otherwise(
    struct db *db, struct db_job *j, enum state to, const char *reason)
{
	int r;

	if ((r = db_exec(db, &other_end, NULL, state_name(to),
		 (int64_t)(to == STATE_SUCCESS), (int64_t)(to == STATE_SUCCESS),
		 reason, j->job_id, state_name(j->status))) != 0 ||
	    (r = db_event_add(db, &(struct db_event){ .job_id = j->job_id,
				      .kind = "job",
				      .from_state = state_name(j->status),
				      .to_state = state_name(to),
				      .reason = reason })) != 0)
		return r;
	j->status = to;
	return 0;
}

static const struct db_stmt note_word = { "job.note_word", "ssssss",
	"UPDATE job SET reason = IF(COALESCE(reason, '') = '', ?,"
	"  CONCAT(LEFT(reason, 3998 - CHAR_LENGTH(?)), '; ', ?)),"
	" initiator_says = ? WHERE job_id = ? AND initiator_says <> ?" };

int
db_job_note_word(struct db *db, const struct db_job *j, enum state said,
    const char *word, bool *news)
{
	int64_t n;
	int r = db_exec(db, &note_word, &n, word, word, word, state_name(said),
	    j->job_id, state_name(said));

	*news = r == 0 && n == 1;
	if (!*news)
		return r;
	log_warn("job %s: %s here; %s", j->job_id, state_name(j->status), word);
	return db_event_add(db, &(struct db_event){ .job_id = j->job_id,
				    .kind = "initiator",
				    .from_state = state_name(j->status),
				    .to_state = state_name(said),
				    .reason = word });
}

int
db_job_move(struct db *db, const char *job_id, enum state to, int64_t fence,
    const char *reason, bool *moved)
{
	struct job_move m = {
		.job_id = job_id, .to = to, .fence = fence, .reason = reason
	};
	int r;

	if (moved != NULL)
		*moved = false;
	if ((r = db_tx(db, move_tx, &m)) != 0)
		return r;
	if (moved != NULL)
		*moved = m.moved;
	return 0;
}

int
db_job_hold_head(
    struct db *db, const char *job_id, int64_t fence, struct db_job_head *out)
{
	struct arena *a = arena_new();
	struct db_job_head *head;
	int r;

	if ((r = lock_job(db, a, job_id, fence, &head)) == 0)
		*out = *head;
	arena_free(a);
	return r;
}

int
db_job_move_held(struct db *db, const char *job_id, struct db_job_head *head,
    enum state to, const char *reason, bool *moved)
{
	struct job_move m = { .job_id = job_id,
		.to = to,
		.fence = head->fence,
		.reason = reason };
	int r = move_by_head(db, &m, head);

	*moved = r == 0 && m.moved;
	if (*moved)
		head->status = to;
	return r;
}

/* --- signals --- */

static const struct db_stmt cancel = { "job.cancel", "sess",
	"UPDATE job SET cancel_signal = 1, cancel_status = ?,"
	" reason = LEFT(?, 4000),"
	" request_id = COALESCE(NULLIF(?, ''), request_id),"
	" next_look_at = NOW(6)"
	" WHERE job_id = ? AND cancel_signal = 0" };

static int
signal_event(struct db *db, const struct job_move *m, const char *kind)
{
	return db_event_add(db, &(struct db_event){ .job_id = m->job_id,
				    .kind = kind,
				    .from_state = state_name(m->from),
				    .to_state = state_name(m->to),
				    .reason = m->reason });
}

static int
cancel_tx(struct db *db, void *ctx)
{
	struct job_move *m = ctx;
	struct arena *a = arena_new();
	struct db_job_head *head;
	int64_t n;
	int r;

	m->moved = false;
	if ((r = lock_job(db, a, m->job_id, 0, &head)) != 0)
		goto out;
	m->from = head->status;
	if (state_is_end(head->status))
		goto out;
	if ((r = db_exec(db, &cancel, &n, state_name(m->to), m->reason,
		 log_request_id(), m->job_id)) != 0)
		goto out;
	m->moved = n == 1;
	if (m->moved)
		r = signal_event(db, m, "cancel");
out:
	arena_free(a);
	return r;
}

int
db_job_cancel(struct db *db, const char *job_id, enum state status,
    const char *reason, bool *effective)
{
	struct job_move m = {
		.job_id = job_id, .to = status, .reason = reason
	};
	int r;

	if (effective != NULL)
		*effective = false;
	if (!state_is_interrupt(status))
		return err_set(ERR_INVALID, "a job cannot be stopped as \"%s\"",
		    state_name(status));
	if ((r = db_tx(db, cancel_tx, &m)) != 0)
		return r;
	if (effective != NULL)
		*effective = m.moved;
	return 0;
}

/* --- fields that are no states --- */

static const struct db_stmt set_progress = { "job.set_progress", "iis",
	"UPDATE job SET progress = GREATEST(progress, LEAST(100, ?))"
	" WHERE progress < ? AND job_id = ?" };
static const struct db_stmt set_reason = { "job.set_reason", "es",
	"UPDATE job SET reason = LEFT(?, 4000) WHERE job_id = ?" };
static const struct db_stmt set_description = { "job.set_description", "ss",
	"UPDATE job SET description = ? WHERE job_id = ?" };

static int
set_text(struct db *db, const struct db_stmt *stmt, const char *value,
    const char *job_id)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, stmt, &n, value, job_id)) != 0)
		return r;
	return n == 1 ? 0 : err_set(ERR_NOT_FOUND, "no job %.30s", job_id);
}

int
db_job_set_progress(struct db *db, const char *job_id, int64_t progress)
{
	return db_exec(db, &set_progress, NULL, progress, progress, job_id);
}

int
db_job_set_reason(struct db *db, const char *job_id, const char *reason)
{
	return set_text(db, &set_reason, reason, job_id);
}

int
db_job_set_description(
    struct db *db, const char *job_id, const char *description)
{
	return set_text(db, &set_description, description, job_id);
}
