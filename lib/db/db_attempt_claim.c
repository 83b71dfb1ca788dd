/*
 * Tasks that are to start become attempts of a host that has room for them.
 * Asked by supervisors: launch.c, and the scheduler for what it starts itself.
 */
#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/db/db_attempt_private.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_task_private.h"
#include "lib/db/db_tx.h"
#include "lib/db/db_wait.h"

/* Those of one task: the job's here, shared by its parallel tasks. */
#define PICK_COLS(X)                                                           \
	KEY_COLS(X, key., "t.")                                                \
	X(BOOL, is_initiator, "j.is_initiator")                                \
	X(INT, cores,                                                          \
	    "GREATEST(1, COALESCE(p.cores, 1)"                                 \
	    " DIV GREATEST(1, j.task_parallelism))")                           \
	X(INT, memory_mb,                                                      \
	    "COALESCE(p.memory_mb, 0) DIV GREATEST(1, j.task_parallelism)")    \
	X(INT, waited_ms,                                                      \
	    "TIMESTAMPDIFF(MICROSECOND, t.updated_at, NOW(6)) DIV 1000")       \
	X(INT, fence,                                                          \
	    "(SELECT CAST(COALESCE(MAX(a.fence), 0) + 1 AS SIGNED)"            \
	    " FROM attempt a WHERE a.job_id = t.job_id"                        \
	    " AND a.component = t.component AND a.version = t.version"         \
	    " AND a.role = t.role AND a.party_id = t.party_id)")               \
	X(BOOL, is_short, "t.wait_code = 'waiting_resources'")
static const struct db_col pick_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_attempt, field) },
	PICK_COLS(COL)
#undef COL
};
static const struct db_shape pick_shape =
    DB_SHAPE(struct db_attempt, pick_cols);

/*
 * Ordered by key: two claimers lock rows in the same order.  An older version
 * that was told to end may take a heartbeat for it, or its lease when it
 * hangs: the new one begins when it is over.
 */
#define PICK(wanted)                                                                    \
	"SELECT 1" PICK_COLS(                                                           \
	    DB_SQL) " FROM task t"                                                      \
		    " JOIN job j ON j.job_id = t.job_id"                                \
		    " LEFT JOIN job_party p ON p.job_id = t.job_id AND p.role = t.role" \
		    " AND p.party_id = t.party_id"                                      \
		    " WHERE " wanted                                                    \
		    " AND t.run_here = 1 AND t.kill_wanted = ''"                        \
		    " AND t.party_status = 'waiting' AND j.status = 'running'"          \
		    " AND NOT EXISTS (SELECT 1 FROM attempt o"                          \
		    "  WHERE o.job_id = t.job_id AND o.component = t.component"         \
		    "  AND o.version < t.version AND o.role = t.role"                   \
		    "  AND o.party_id = t.party_id AND o.ended_at IS NULL)"
#define WANTED "launch_wanted = 1"
/* Its start is not asked for yet. */
#define NEW "launch_wanted = 0 AND start_acked = 0"
#define OF_TASK                                                                \
	" AND t.job_id = ? AND t.component = ? AND t.version = ?"              \
	" AND t.role = ? AND t.party_id = ?"
static const struct db_stmt pick = { "attempt.pick", "i",
	PICK(WANTED) " ORDER BY t.job_id, t.component, t.version, t.role,"
		     " t.party_id LIMIT ?" };
static const struct db_stmt pick_of = { "attempt.pick_of", KEY_PARAMS,
	PICK(WANTED) OF_TASK };
static const struct db_stmt pick_new = { "attempt.pick_new", KEY_PARAMS,
	PICK(NEW) OF_TASK " AND NOT EXISTS (SELECT 1 FROM task n"
			  "  WHERE n.job_id = t.job_id"
			  "  AND n.component = t.component"
			  "  AND n.version > t.version AND n.role = t.role"
			  "  AND n.party_id = t.party_id)" };
#define TAKE(wanted)                                                           \
	"UPDATE task SET launch_wanted = 0, start_acked = 1,"                  \
	" wait_since = IF(wait_code = 'starting', wait_since, NOW(6)),"        \
	" wait_code = 'starting', wait_role = '', wait_party = '',"            \
	" wait_on = '', wait_numbers = '' WHERE" KEY_WHERE " AND " wanted      \
	" AND kill_wanted = '' AND party_status = 'waiting'"
static const struct db_stmt take = { "attempt.take", KEY_PARAMS, TAKE(WANTED) };
static const struct db_stmt take_new = { "attempt.take_new", KEY_PARAMS,
	TAKE(NEW) };
static const struct db_stmt supersede = { "attempt.supersede", KEY_PARAMS,
	"UPDATE attempt SET ended_at = NOW(6), outcome = 'superseded'"
	" WHERE" KEY_WHERE " AND ended_at IS NULL" };
static const struct db_stmt insert = { "attempt.insert", KEY_PARAMS "isssiii",
	"INSERT INTO attempt (job_id, component, version, role, party_id,"
	" fence, attempt_id, host, launcher, cores, memory_mb, lease_until)"
	" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
	" NOW(6) + INTERVAL ? MICROSECOND)" };

struct claiming {
	const struct db_stmt *take;
	struct arena *arena;
	const char *launcher;
	const char *host;
	int64_t lease_ms;
	int64_t limit;
	int64_t room; /* cores */
	bool counts_memory;
	struct db_attempt *rows;
	size_t n;
	size_t left;
};

/*
 * *taken is false when somebody was faster.  Should somebody have taken it
 * between the look and here, ended that attempt and wished for another, the
 * number is used (ERR_EXISTS): the next look has the one after it.
 */
static int
claim_one(
    struct db *db, const struct claiming *c, struct db_attempt *t, bool *taken)
{
	const struct db_task_key *k = &t->key;
	char id[ID_RANDOM_SIZE];
	int64_t n;
	int r;

	*taken = false;
	if ((r = db_exec(db, c->take, &n, KEY_ARGS(k))) != 0 || n == 0)
		return r;
	if (t->fence > 1 &&
	    (r = db_exec(db, &supersede, NULL, KEY_ARGS(k))) != 0)
		return r;
	id_random(id);
	t->attempt_id = arena_strdup(c->arena, id);
	t->host = c->host;
	t->launcher = c->launcher;
	t->lease_left_ms = c->lease_ms;
	if ((r = db_exec(db, &insert, NULL, KEY_ARGS(k), t->fence,
		 t->attempt_id, t->host, t->launcher, t->cores, t->memory_mb,
		 c->lease_ms * 1000)) != 0)
		return r;
	*taken = true;
	return db_attempt_event(db, k, "claimed", t->attempt_id);
}

/* --- memory of a host --- */

static const struct db_stmt set_memory = { "host_memory.set", "sii",
	"INSERT INTO host_memory (host, memory_mb) VALUES (?, ?)"
	" ON DUPLICATE KEY UPDATE memory_mb = ?" };
/* All who claim for a host queue here; who has what is read after it. */
static const struct db_stmt lock_memory = { "host_memory.lock", "s",
	"SELECT memory_mb FROM host_memory WHERE host = ? FOR UPDATE" };
static const struct db_stmt memory_on = { "attempt.memory_on", "s",
	"SELECT CAST(COALESCE(SUM(a.memory_mb), 0) AS SIGNED) FROM attempt a"
	" WHERE a.ended_at IS NULL AND a.host = ?" };

struct memory {
	int64_t total, used;
};

int
db_host_memory_set(struct db *db, const char *host, int64_t memory_mb)
{
	return db_exec(db, &set_memory, NULL, host, memory_mb, memory_mb);
}

static int
read_memory(struct db *db, const char *host, struct memory *m)
{
	int r;

	if ((r = db_query_int(db, &lock_memory, &m->total, host)) != 0)
		return r == ERR_NOT_FOUND
			   ? err_set(r, "nothing is known of host %.100s", host)
			   : r;
	return db_query_int(db, &memory_on, &m->used, host);
}

/* The host with the most of it free. */
static const struct db_stmt most_free = { "host_memory.most_free", "",
	"SELECT 1, CAST(h.memory_mb - COALESCE(u.mb, 0) AS SIGNED) AS free_mb,"
	" h.memory_mb FROM host_memory h LEFT JOIN (SELECT a.host,"
	"  SUM(a.memory_mb) AS mb FROM attempt a WHERE a.ended_at IS NULL"
	"  GROUP BY a.host) u ON u.host = h.host"
	" ORDER BY free_mb DESC LIMIT 1" };
static const struct db_col host_cols[] = {
	{ DB_INT, offsetof(struct db_host_memory, free_mb) },
	{ DB_INT, offsetof(struct db_host_memory, total_mb) },
};
static const struct db_shape host_shape =
    DB_SHAPE(struct db_host_memory, host_cols);

int
db_host_memory_free(struct db *db, struct db_host_memory *out)
{
	struct arena *a = arena_new();
	struct db_host_memory *row;
	int r = db_select_one(db, &most_free, &host_shape, a, &row);

	if (r == 0)
		*out = *row;
	arena_free(a);
	return r;
}

/*
 * Who had room has taken it by now.  Why it waits is the site's own business:
 * its partners see that it has not begun.
 */
static int
tell_shortage(struct db *db, const struct db_attempt *t)
{
	struct wait w = wait_of(WAIT_WAITING_RESOURCES);
	struct db_host_memory most;
	int r;

	if (t->is_short || t->waited_ms < DB_CLAIM_PATIENCE_MS)
		return 0;
	if ((r = db_host_memory_free(db, &most)) != 0)
		return r;
	w.role = t->key.role;
	w.party = t->key.party_id;
	wait_set(&w, WAIT_N_MEMORY_MB_ASKED, t->memory_mb);
	wait_set(&w, WAIT_N_MEMORY_MB_FREE, most.free_mb);
	wait_set(&w, WAIT_N_MEMORY_MB_TOTAL, most.total_mb);
	return db_wait_set_launch(db, &t->key, &w);
}

/* What is larger than any host runs alone; elsewhere there may be a larger. */
static bool
has_memory(const struct memory *m, const struct db_attempt *t)
{
	return t->memory_mb <= m->total - m->used || t->memory_mb == 0 ||
	       (m->used == 0 && t->waited_ms >= DB_CLAIM_PATIENCE_MS);
}

static bool
has_room(const struct db_attempt *t, int64_t cores, const struct memory *m)
{
	return (t->cores <= cores || t->waited_ms >= DB_CLAIM_PATIENCE_MS) &&
	       has_memory(m, t);
}

/* Of what was picked, as many as there is room for. */
static int
claim_picked(struct db *db, struct claiming *c, size_t picked)
{
	struct memory memory = { DB_CLAIM_ALL, 0 };
	int64_t room = c->room;
	bool taken;
	int r;

	if (c->counts_memory && picked > 0 &&
	    (r = read_memory(db, c->host, &memory)) != 0)
		return r;
	for (size_t i = 0; i < picked; i++) {
		if (!has_room(&c->rows[i], room, &memory)) {
			if (!has_memory(&memory, &c->rows[i]) &&
			    (r = tell_shortage(db, &c->rows[i])) != 0)
				return r;
			c->left++;
			continue;
		}
		if ((r = claim_one(db, c, &c->rows[i], &taken)) != 0)
			return r;
		if (!taken)
			continue;
		room -= c->rows[i].cores;
		memory.used += c->rows[i].memory_mb;
		c->rows[c->n++] = c->rows[i];
	}
	return 0;
}

static int
claim_tx(struct db *db, void *ctx)
{
	struct claiming *c = ctx;
	size_t picked;
	int r;

	c->n = c->left = 0;
	if ((r = db_select(db, &pick, &pick_shape, c->arena, &c->rows, &picked,
		 c->limit)) != 0)
		return r;
	return claim_picked(db, c, picked);
}

static struct claiming
claiming_of(struct arena *a, const struct db_claim *claim)
{
	return (struct claiming){ .take = &take,
		.arena = a,
		.launcher = arena_strdup(a, claim->launcher),
		.host = arena_strdup(a, claim->host),
		.lease_ms = claim->lease_ms,
		.limit = claim->limit,
		.room = claim->room,
		.counts_memory = claim->counts_memory };
}

/* One task, if the statement picks it and there is room: *row, else NULL. */
static int
claim_task(struct db *db, struct claiming *c, const struct db_stmt *stmt,
    const struct db_task_key *k, struct db_attempt **row)
{
	size_t picked;
	int r;

	*row = NULL;
	if ((r = db_select(db, stmt, &pick_shape, c->arena, &c->rows, &picked,
		 KEY_ARGS(k))) != 0 ||
	    (r = claim_picked(db, c, picked)) != 0)
		return err_wrap("claim task %s", k->component);
	if (c->n > 0)
		*row = c->rows;
	return 0;
}

int
db_attempt_claim_task(struct db *db, struct arena *a,
    const struct db_claim *claim, const struct db_task_key *k,
    struct db_attempt **row)
{
	struct claiming c = claiming_of(a, claim);

	return claim_task(db, &c, &pick_of, k, row);
}

int
db_attempt_begin_task(struct db *db, struct arena *a,
    const struct db_claim *claim, const struct db_task_key *k,
    struct db_attempt **row)
{
	struct claiming c = claiming_of(a, claim);
	int r;

	c.take = &take_new;
	if ((r = claim_task(db, &c, &pick_new, k, row)) != 0 || *row == NULL)
		return r;
	return db_task_event(
	    db, k, "launch", STATE_WAITING, STATE_NONE, "start asked for");
}

int
db_attempt_claim(struct db *db, struct arena *a, const struct db_claim *claim,
    struct db_attempt **rows, size_t *n, size_t *left)
{
	struct claiming c = claiming_of(a, claim);
	int r;

	*rows = NULL;
	*n = *left = 0;
	if ((r = db_tx(db, claim_tx, &c)) != 0)
		return err_wrap("claim tasks");
	*rows = c.rows;
	*n = c.n;
	*left = c.left;
	return 0;
}

static const struct db_stmt cores_on = { "attempt.cores_on", "s",
	"SELECT CAST(COALESCE(SUM(a.cores), 0) AS SIGNED) FROM attempt a"
	" WHERE a.ended_at IS NULL AND a.host = ?" };

int
db_attempt_cores_on(struct db *db, const char *host, int64_t *cores)
{
	return db_query_int(db, &cores_on, cores, host);
}
