/*
 * Quotas of initiators.  Asked by db_resource.c and lib/party.
 */
#include "lib/db/db_quota.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/db/db_private.h"
#include "lib/db/db_rows.h"

#define QUOTA_COLS(X)                                                          \
	X(STR, party_id, "q.party_id")                                         \
	X(INT, cores, "q.cores")                                               \
	X(INT, running_jobs, "q.running_jobs")                                 \
	X(INT, waiting_jobs, "q.waiting_jobs")                                 \
	X(INT, stored_bytes, "q.stored_bytes")
static const struct db_col quota_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_quota, field) },
	QUOTA_COLS(COL)
#undef COL
};
static const struct db_shape quota_shape =
    DB_SHAPE(struct db_quota, quota_cols);

static const struct db_stmt put = { "quota.put", "siiii",
	"INSERT INTO quota (party_id, cores, running_jobs, waiting_jobs,"
	" stored_bytes)"
	" VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE cores = VALUES(cores),"
	" running_jobs = VALUES(running_jobs),"
	" waiting_jobs = VALUES(waiting_jobs),"
	" stored_bytes = VALUES(stored_bytes)" };
static const struct db_stmt delete = { "quota.delete", "s",
	"DELETE FROM quota WHERE party_id = ?" };
static const struct db_stmt list = { "quota.list", "",
	"SELECT 1" QUOTA_COLS(DB_SQL) " FROM quota q ORDER BY q.party_id" };

int
db_quota_put(struct db *db, const struct db_quota *q)
{
	return db_exec(db, &put, NULL, q->party_id, q->cores, q->running_jobs,
	    q->waiting_jobs, q->stored_bytes);
}

int
db_quota_delete(struct db *db, const char *party_id, bool *removed)
{
	int64_t n = 0;
	int r = db_exec(db, &delete, &n, party_id);

	if (removed != NULL)
		*removed = n > 0;
	return r;
}

int
db_quota_list(struct db *db, struct arena *a, struct db_quota **rows, size_t *n)
{
	return db_select(db, &list, &quota_shape, a, rows, n);
}

/* --- what is used --------------------------------------------------------- */

/* The row of the party itself, else that of all partners. */
#define OF_PARTY                                                               \
	" q.party_id IN (j.initiator_party, IF(j.is_initiator, '', '*'))"      \
	" ORDER BY q.party_id = '*' LIMIT 1"
#define OTHERS                                                                 \
	" FROM resource_grant g JOIN job o ON o.job_id = g.job_id"             \
	" WHERE g.returned_at IS NULL AND g.cores > 0"                         \
	" AND g.job_id <> j.job_id"                                            \
	" AND o.initiator_party = j.initiator_party"

struct use {
	const char *party_id;
	int64_t limit_cores, limit_jobs;
	int64_t own; /* cores its other members here hold */
	int64_t cores, jobs;
};
/* What others hold is counted only where there is a limit. */
#define USE_COLS(X)                                                            \
	X(STR, party_id, "j.initiator_party")                                  \
	X(INT, limit_cores, "q.cores")                                         \
	X(INT, limit_jobs, "q.running_jobs")                                   \
	X(INT, own,                                                            \
	    "(SELECT CAST(COALESCE(SUM(g.cores), 0) AS SIGNED)"                \
	    " FROM resource_grant g WHERE g.job_id = j.job_id"                 \
	    " AND g.returned_at IS NULL)")                                     \
	X(INT, cores,                                                          \
	    "IF(q.cores > 0, (SELECT CAST(COALESCE(SUM(g.cores), 0)"           \
	    " AS SIGNED)" OTHERS "), 0)")                                      \
	X(INT, jobs,                                                           \
	    "IF(q.running_jobs > 0,"                                           \
	    " (SELECT COUNT(DISTINCT g.job_id)" OTHERS "), 0)")
static const struct db_col use_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct use, field) },
	USE_COLS(COL)
#undef COL
};
static const struct db_shape use_shape = DB_SHAPE(struct use, use_cols);

static const struct db_stmt used = { "quota.used", "s",
	"SELECT 1" USE_COLS(DB_SQL) " FROM job j JOIN quota q"
				    " WHERE j.job_id = ? AND" OF_PARTY };

static struct wait
used_up(const char *what, const char *party, int64_t use, int64_t limit)
{
	struct wait w = wait_of(WAIT_QUOTA);

	w.on = what;
	wait_set(&w, WAIT_N_USED, use);
	wait_set(&w, WAIT_N_LIMIT, limit);
	(void)err_set(ERR_BUSY,
	    "the quota of party %.10s is %lld %s, %lld are in use", party,
	    (long long)limit, what, (long long)use);
	return w;
}

static int
above_quota(const char *party, int64_t cores, int64_t limit)
{
	return err_set(ERR_LIMIT,
	    "%lld cores are asked for, the quota of party %.10s here is %lld",
	    (long long)cores, party, (long long)limit);
}

static const struct db_stmt cores_limit = { "quota.cores_limit", "ss",
	"SELECT q.cores FROM quota q WHERE q.party_id IN (?, ?)"
	" ORDER BY q.party_id = '*' LIMIT 1" };

int
db_quota_check_ever(
    struct db *db, const char *initiator_party, bool is_own, int64_t cores)
{
	int64_t limit = 0;
	int r = db_query_int(db, &cores_limit, &limit, initiator_party,
	    is_own ? "" : DB_QUOTA_PARTNERS);

	if (r == ERR_NOT_FOUND)
		err_clear();
	else if (r != 0)
		return r;
	return limit > 0 && cores > limit
		   ? above_quota(initiator_party, cores, limit)
		   : 0;
}

int
db_quota_check(struct db *db, struct arena *a, const char *job_id,
    int64_t cores, struct wait *why)
{
	struct use *u;
	int r;

	r = db_select_one(db, &used, &use_shape, a, &u, job_id);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r != 0)
		return r;
	if (u->limit_cores > 0 && u->own + cores > u->limit_cores)
		return above_quota(u->party_id, u->own + cores, u->limit_cores);
	if (u->limit_cores > 0 && u->cores + u->own + cores > u->limit_cores) {
		*why = used_up("cores", u->party_id, u->cores, u->limit_cores);
		wait_set(why, WAIT_N_CORES_ASKED, u->own + cores);
		return ERR_BUSY;
	}
	if (u->limit_jobs > 0 && cores > 0 && u->jobs >= u->limit_jobs) {
		*why = used_up(
		    "running jobs", u->party_id, u->jobs, u->limit_jobs);
		return ERR_BUSY;
	}
	return 0;
}

/* --- jobs that wait ------------------------------------------------------- */

struct level {
	int64_t limit, used;
};
static const struct db_col level_cols[] = {
	{ DB_INT, offsetof(struct level, limit) },
	{ DB_INT, offsetof(struct level, used) },
};
static const struct db_shape level_shape = DB_SHAPE(struct level, level_cols);

static const struct db_stmt waiting_limit = { "quota.waiting_limit", "ss",
	"SELECT q.waiting_jobs FROM quota q"
	" WHERE q.waiting_jobs > 0 AND q.party_id IN (?, ?)"
	" ORDER BY q.party_id = '*' LIMIT 1" };
static const struct db_stmt waiting = { "quota.waiting", "s",
	"SELECT COUNT(*) FROM job j"
	" WHERE j.status IN ('ready', 'waiting') AND j.initiator_party = ?" };

/* So many jobs no site takes in within so short a time. */
#define ROOM_MS 1000
#define ROOM_JOBS 2000

/*
 * All that wait are counted, so not for each that comes while there is room
 * for many times what may have come since.
 */
static bool
has_room(const struct db *db, const char *party_id, int64_t limit)
{
	const struct db_room *room = &db->room;

	return room->at_ms != 0 && clock_mono_ms() - room->at_ms < ROOM_MS &&
	       strcmp(room->party_id, party_id) == 0 &&
	       room->used + ROOM_JOBS <= limit;
}

static int
count_waiting(struct db *db, const char *party_id, int64_t *n)
{
	struct db_room room = { .at_ms = clock_mono_ms() };
	int r;

	if ((r = db_query_int(db, &waiting, n, party_id)) != 0)
		return r;
	room.used = *n;
	(void)snprintf(room.party_id, sizeof(room.party_id), "%s", party_id);
	db->room = room;
	return 0;
}

int
db_quota_check_waiting(
    struct db *db, const char *initiator_party, bool is_own, struct wait *why)
{
	int64_t limit, n;
	int r;

	r = db_query_int(db, &waiting_limit, &limit, initiator_party,
	    is_own ? "" : DB_QUOTA_PARTNERS);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r != 0 || has_room(db, initiator_party, limit) ||
	    (r = count_waiting(db, initiator_party, &n)) != 0 || n < limit)
		return r;
	*why = used_up("waiting jobs", initiator_party, n, limit);
	return ERR_BUSY;
}

/* --- what is stored ------------------------------------------------------- */

static const struct db_stmt store = { "quota.store", "sii",
	"INSERT INTO partner_stored (party_id, bytes) VALUES (?, GREATEST(?, 0))"
	" ON DUPLICATE KEY UPDATE bytes = GREATEST(bytes + ?, 0)" };
static const struct db_stmt stored = { "quota.stored", "ss",
	"SELECT 1, q.stored_bytes, COALESCE((SELECT p.bytes"
	"  FROM partner_stored p WHERE p.party_id = ?), 0)"
	" FROM quota q WHERE q.party_id IN (?, '*')"
	" ORDER BY q.party_id = '*' LIMIT 1" };

int
db_quota_store(struct db *db, const char *party_id, int64_t bytes)
{
	return db_exec(db, &store, NULL, party_id, bytes, bytes);
}

int
db_quota_check_stored(struct db *db, struct arena *a, const char *party_id,
    int64_t bytes, struct wait *why)
{
	struct level *l;
	int r;

	r = db_select_one(db, &stored, &level_shape, a, &l, party_id, party_id);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r != 0 || l->limit == 0 || l->used + bytes <= l->limit)
		return r;
	if (bytes > l->limit)
		return err_set(ERR_LIMIT,
		    "%lld bytes would be stored, the quota of party %.10s here "
		    "is %lld",
		    (long long)bytes, party_id, (long long)l->limit);
	*why = used_up("stored bytes", party_id, l->used, l->limit);
	return ERR_BUSY;
}
