/*
 * The ledger of cores and memory.  Called by lib/party, by the move of a job
 * to its end, and by the supervisor's detectors.
 */
#include "lib/db/db_resource.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/db/db_event.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"
#include "lib/db/db_waiter.h"

/* What is free follows from the open grants; it is stored nowhere. */
#define RESOURCE_COLS(X)                                                       \
	X(STR, engine, "r.engine")                                             \
	X(INT, cores, "r.cores")                                               \
	X(INT, memory_mb, "r.memory_mb")                                       \
	X(INT, free_cores, "r.cores - u.cores")                                \
	X(INT, free_memory_mb, "r.memory_mb - u.memory_mb")                    \
	X(MS, updated_ms, "r.updated_at")
static const struct db_col resource_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_resource, field) },
	RESOURCE_COLS(COL)
#undef COL
};
static const struct db_shape resource_shape =
    DB_SHAPE(struct db_resource, resource_cols);

#define GRANT_COLS(X)                                                          \
	X(STR, job_id, "job_id")                                               \
	X(STR, role, "role")                                                   \
	X(STR, party_id, "party_id")                                           \
	X(STR, engine, "engine")                                               \
	X(INT, cores, "cores")                                                 \
	X(INT, memory_mb, "memory_mb")                                         \
	X(BOOL, open, "returned_at IS NULL")                                   \
	X(MS, granted_ms, "granted_at")                                        \
	X(MS, expires_ms, "expires_at")                                        \
	X(MS, returned_ms, "returned_at")
static const struct db_col grant_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_grant, field) },
	GRANT_COLS(COL)
#undef COL
};
static const struct db_shape grant_shape =
    DB_SHAPE(struct db_grant, grant_cols);

#define GRANT_WHERE " job_id = ? AND role = ? AND party_id = ?"

static const struct db_stmt set = { "resource.set", "siiii",
	"INSERT INTO resource (engine, cores, memory_mb) VALUES (?, ?, ?)"
	" ON DUPLICATE KEY UPDATE updated_at = NOW(6), cores = ?,"
	" memory_mb = ?" };
/* The open grants are read once for both sums. */
#define USED                                                                   \
	" FROM resource r JOIN (SELECT"                                        \
	"  CAST(COALESCE(SUM(g.cores), 0) AS SIGNED) AS cores,"                \
	"  CAST(COALESCE(SUM(g.memory_mb), 0) AS SIGNED) AS memory_mb"         \
	"  FROM resource_grant g"                                              \
	"  WHERE g.engine = ? AND g.returned_at IS NULL) AS u"                 \
	" WHERE r.engine = ?"
static const struct db_stmt get = { "resource.get", "ss",
	"SELECT 1" RESOURCE_COLS(DB_SQL) USED };
/*
 * All who grant from an engine queue here; the sums are read by the
 * statement after this one, when the others' grants are committed.
 */
static const struct db_stmt lock_resource = { "resource.lock", "s",
	"SELECT cores FROM resource WHERE engine = ? FOR UPDATE" };
static const struct db_stmt put_grant = { "grant.put", "ssssiiii",
	"INSERT INTO resource_grant (job_id, role, party_id, engine, cores,"
	" memory_mb, expires_at) VALUES (?, ?, ?, ?, ?, ?,"
	" IF(?, NULL, NOW(6) + INTERVAL ? MICROSECOND))"
	" ON DUPLICATE KEY UPDATE engine = VALUES(engine),"
	" cores = VALUES(cores), memory_mb = VALUES(memory_mb),"
	" granted_at = NOW(6), returned_at = NULL,"
	" expires_at = VALUES(expires_at)" };
/* A confirmed grant keeps no expiry. */
static const struct db_stmt extend_grant = { "grant.extend", "iisss",
	"UPDATE resource_grant SET expires_at = IF(expires_at IS NULL, NULL,"
	" LEAST(NOW(6) + INTERVAL ? MICROSECOND,"
	"  granted_at + INTERVAL ? MICROSECOND)) WHERE" GRANT_WHERE
	" AND returned_at IS NULL" };
static const struct db_stmt confirm = { "grant.confirm", "sss",
	"UPDATE resource_grant SET expires_at = NULL WHERE" GRANT_WHERE
	" AND returned_at IS NULL" };
static const struct db_stmt give_back = { "grant.return", "sss",
	"UPDATE resource_grant SET returned_at = NOW(6) WHERE" GRANT_WHERE
	" AND returned_at IS NULL" };
static const struct db_stmt open_of_job = { "grant.open_of_job", "s",
	"SELECT 1" GRANT_COLS(DB_SQL) " FROM resource_grant WHERE job_id = ?"
				      " AND returned_at IS NULL ORDER BY role, "
				      "party_id FOR UPDATE" };
static const struct db_stmt open_expired = { "grant.open_expired", "",
	"SELECT 1" GRANT_COLS(
	    DB_SQL) " FROM resource_grant"
		    " WHERE returned_at IS NULL AND expires_at <= NOW(6)"
		    " ORDER BY job_id, role, party_id FOR UPDATE" };
static const struct db_stmt open_of_ended = { "grant.open_of_ended", "",
	"SELECT 1" GRANT_COLS(
	    DB_SQL) " FROM resource_grant"
		    " WHERE returned_at IS NULL AND job_id IN (SELECT j.job_id "
		    "FROM job j"
		    "  WHERE j.status IN ('canceled', 'timeout', 'failed', "
		    "'success'))"
		    " ORDER BY job_id, role, party_id FOR UPDATE" };
static const struct db_stmt list = { "grant.list", "ssi",
	"SELECT 1" GRANT_COLS(
	    DB_SQL) " FROM resource_grant"
		    " WHERE (? IS NULL OR job_id = ?) AND (? = 0 OR "
		    "returned_at IS NULL)"
		    " ORDER BY granted_at DESC, job_id, role, party_id" };

/* Confirmed or reserved: either way nobody else may have it. */
static const struct db_stmt holders = { "grant.holders", "i",
	"SELECT 1, job_id FROM resource_grant WHERE returned_at IS NULL"
	" AND (cores > 0 OR memory_mb > 0) GROUP BY job_id"
	" ORDER BY SUM(cores) DESC, SUM(memory_mb) DESC, job_id LIMIT ?" };

struct id_row {
	const char *job_id;
};
static const struct db_col id_cols[] = {
	{ DB_STR, offsetof(struct id_row, job_id) },
};
static const struct db_shape id_shape = DB_SHAPE(struct id_row, id_cols);

int
db_grant_holders(struct db *db, struct arena *a, int64_t limit,
    const char ***job_ids, size_t *n)
{
	return db_select(db, &holders, &id_shape, a, job_ids, n, limit);
}

int
db_resource_set(
    struct db *db, const char *engine, int64_t cores, int64_t memory_mb)
{
	return db_exec(
	    db, &set, NULL, engine, cores, memory_mb, cores, memory_mb);
}

int
db_resource_get(struct db *db, struct arena *a, const char *engine,
    struct db_resource **out)
{
	int r;

	r = db_select_one(db, &get, &resource_shape, a, out, engine, engine);
	return r == ERR_NOT_FOUND ? err_set(r,
					"no capacity is known for "
					"engine %.50s",
					engine)
				  : r;
}

int
db_grant_list(struct db *db, struct arena *a, const char *job_id,
    bool open_only, struct db_grant **rows, size_t *n)
{
	return db_select(db, &list, &grant_shape, a, rows, n, job_id, job_id,
	    (int64_t)open_only);
}

static int
grant_event(struct db *db, const struct db_grant *g, const char *from,
    const char *to, const char *reason)
{
	return db_event_add(db, &(struct db_event){ .job_id = g->job_id,
				    .role = g->role,
				    .party_id = g->party_id,
				    .kind = "resource",
				    .from_state = from,
				    .to_state = to,
				    .reason = reason });
}

/* --- apply --- */

struct applying {
	const struct db_grant *g;
	bool starts; /* no reservation: confirmed at once */
	int64_t expires_us;
	struct wait why;
};

/* What there is, and whether the member holds its grant already. */
struct room {
	struct db_resource r;
	bool is_held;
	bool has_waiters;
	bool has_quotas;
};
static const struct db_col room_cols[] = {
#define COL(type, field, column) { DB_##type, offsetof(struct room, r.field) },
	RESOURCE_COLS(COL)
#undef COL
	    { DB_BOOL, offsetof(struct room, is_held) },
	{ DB_BOOL, offsetof(struct room, has_waiters) },
	{ DB_BOOL, offsetof(struct room, has_quotas) },
};
static const struct db_shape room_shape = DB_SHAPE(struct room, room_cols);
static const struct db_stmt look_for_room = { "grant.room", "sssss",
	"SELECT 1" RESOURCE_COLS(
	    DB_SQL) ", EXISTS (SELECT 1 FROM resource_grant WHERE" GRANT_WHERE
		    " AND returned_at IS NULL),"
		    " EXISTS (SELECT 1 FROM resource_waiter),"
		    " EXISTS (SELECT 1 FROM quota WHERE cores > 0"
		    " OR running_jobs > 0)" USED };

static struct wait
shortage(const struct db_grant *g, const struct db_resource *r)
{
	struct wait w = wait_of(WAIT_WAITING_RESOURCES);

	wait_set(&w, WAIT_N_CORES_ASKED, g->cores);
	wait_set(&w, WAIT_N_CORES_FREE, r->free_cores);
	wait_set(&w, WAIT_N_CORES_TOTAL, r->cores);
	wait_set(&w, WAIT_N_MEMORY_MB_ASKED, g->memory_mb);
	wait_set(&w, WAIT_N_MEMORY_MB_FREE, r->free_memory_mb);
	wait_set(&w, WAIT_N_MEMORY_MB_TOTAL, r->memory_mb);
	return w;
}

static int
check_free(struct applying *ap, const struct db_resource *r)
{
	const struct db_grant *g = ap->g;

	if (g->cores > r->cores || g->memory_mb > r->memory_mb)
		return err_set(ERR_LIMIT,
		    "%lld cores and %lld MB are asked "
		    "for, this site has %lld and %lld",
		    (long long)g->cores, (long long)g->memory_mb,
		    (long long)r->cores, (long long)r->memory_mb);
	if (g->cores <= r->free_cores && g->memory_mb <= r->free_memory_mb)
		return 0;
	ap->why = shortage(g, r);
	return err_set(ERR_BUSY,
	    "%lld cores and %lld MB are asked "
	    "for, %lld of %lld cores and %lld of %lld MB are free",
	    (long long)g->cores, (long long)g->memory_mb,
	    (long long)r->free_cores, (long long)r->cores,
	    (long long)r->free_memory_mb, (long long)r->memory_mb);
}

/* Whose they are is not said: initiators need not know of each other. */
static int
refuse_kept(struct applying *ap, const struct db_resource *r,
    const struct db_budget *kept)
{
	const struct db_grant *g = ap->g;

	ap->why = shortage(g, r);
	wait_set(&ap->why, WAIT_N_CORES_KEPT, kept->cores);
	wait_set(&ap->why, WAIT_N_MEMORY_MB_KEPT, kept->memory_mb);
	return err_set(ERR_BUSY,
	    "%lld cores and %lld MB are asked "
	    "for, of the %lld cores and %lld MB that are free %lld and %lld "
	    "are kept for initiators that were refused before",
	    (long long)g->cores, (long long)g->memory_mb,
	    (long long)r->free_cores, (long long)r->free_memory_mb,
	    (long long)kept->cores, (long long)kept->memory_mb);
}

/* Initiators take turns; *turn is the row of the one that now has its own. */
static int
check_turn(struct db *db, struct arena *a, struct applying *ap,
    const struct db_resource *r, const struct db_waiter **turn)
{
	const struct db_budget have = { r->free_cores, r->free_memory_mb };
	const struct db_grant *g = ap->g;
	struct db_budget kept;
	int err;

	if ((err = db_waiter_kept(db, a, g->job_id, &have, &kept, turn)) != 0)
		return err;
	if ((g->cores == 0 || g->cores <= have.cores - kept.cores) &&
	    (g->memory_mb == 0 ||
		g->memory_mb <= have.memory_mb - kept.memory_mb))
		return 0;
	return refuse_kept(ap, r, &kept);
}

static int
grant_new(struct db *db, struct arena *a, struct applying *ap,
    const struct room *room)
{
	const struct db_waiter *turn = NULL;
	const struct db_grant *g = ap->g;
	int r;

	if ((r = check_free(ap, &room->r)) != 0 ||
	    (room->has_quotas && (r = db_quota_check(db, a, g->job_id, g->cores,
				      &ap->why)) != 0) ||
	    (room->has_waiters &&
		(r = check_turn(db, a, ap, &room->r, &turn)) != 0))
		return r;
	if ((r = db_exec(db, &put_grant, NULL, g->job_id, g->role, g->party_id,
		 g->engine, g->cores, g->memory_mb, (int64_t)ap->starts,
		 ap->expires_us)) != 0 ||
	    (turn != NULL && g->cores > 0 &&
		(r = db_waiter_granted(db, turn->party_id)) != 0))
		return r;
	return grant_event(db, g, "", "granted", NULL);
}

/* It may be given back meanwhile (*n is 0); only we may grant it. */
static int
keep_grant(struct db *db, const struct applying *ap, int64_t *n)
{
	const struct db_grant *g = ap->g;

	if (ap->starts)
		return db_exec(
		    db, &confirm, n, g->job_id, g->role, g->party_id);
	return db_exec(db, &extend_grant, n, ap->expires_us,
	    ap->expires_us * DB_RESERVATION_TIMES, g->job_id, g->role,
	    g->party_id);
}

static int
apply_locked(struct db *db, struct arena *a, struct applying *ap)
{
	const struct db_grant *g = ap->g;
	struct room *room;
	int64_t cores, n = 0;
	int r;

	r = db_query_int(db, &lock_resource, &cores, g->engine);
	if (r == ERR_NOT_FOUND)
		return err_set(
		    r, "no capacity is known for engine %.50s", g->engine);
	if (r != 0)
		return r;
	if ((r = db_select_one(db, &look_for_room, &room_shape, a, &room,
		 g->job_id, g->role, g->party_id, g->engine, g->engine)) != 0)
		return r;
	if (room->is_held && (r = keep_grant(db, ap, &n)) != 0)
		return r;
	if (n == 0 && (r = grant_new(db, a, ap, room)) != 0)
		return r;
	return ap->starts && room->has_waiters
		   ? db_waiter_started(db, g->job_id)
		   : 0;
}

static int
apply_tx(struct db *db, void *ctx)
{
	struct arena *a = arena_new();
	int r;

	r = apply_locked(db, a, ctx);
	arena_free(a);
	return r;
}

static int
run_apply(struct db *db, struct applying *ap, struct wait *why)
{
	int r;

	if (ap->g->cores < 0 || ap->g->memory_mb < 0)
		return err_set(ERR_INVALID, "negative resources");
	ap->why = wait_of(WAIT_NONE);
	r = db_tx(db, apply_tx, ap);
	if (why != NULL)
		*why = ap->why;
	return r;
}

int
db_resource_apply(struct db *db, const struct db_grant *g, int64_t expires_ms,
    struct wait *why)
{
	struct applying ap = { .g = g, .expires_us = expires_ms * 1000 };

	return run_apply(db, &ap, why);
}

int
db_resource_take(struct db *db, const struct db_grant *g, struct wait *why)
{
	struct applying ap = { .g = g, .starts = true };

	return run_apply(db, &ap, why);
}

int
db_resource_confirm(
    struct db *db, const char *job_id, const char *role, const char *party_id)
{
	int64_t n;
	int r;

	if ((r = db_exec(db, &confirm, &n, job_id, role, party_id)) != 0)
		return r;
	if (n != 1)
		return err_set(ERR_CONFLICT,
		    "%s %s holds no reservation "
		    "for job %s",
		    role, party_id, job_id);
	return db_waiter_started(db, job_id);
}

/* --- return --- */

struct returning {
	struct db_grant g; /* the key */
	const char *reason;
	int64_t n;
};

static int
return_one(struct db *db, struct returning *rt, const struct db_grant *g,
    const char *reason)
{
	int64_t n;
	int r;

	if ((r = db_exec(
		 db, &give_back, &n, g->job_id, g->role, g->party_id)) != 0 ||
	    n == 0)
		return r;
	rt->n += n;
	return grant_event(db, g, "granted", "returned", reason);
}

static int
return_tx(struct db *db, void *ctx)
{
	struct returning *rt = ctx;

	rt->n = 0;
	return return_one(db, rt, &rt->g, rt->reason);
}

int
db_resource_return(struct db *db, const char *job_id, const char *role,
    const char *party_id, const char *reason, bool *returned)
{
	struct returning rt = {
		.g = { .job_id = job_id, .role = role, .party_id = party_id },
		.reason = reason
	};
	int r;

	r = db_tx(db, return_tx, &rt);
	if (returned != NULL)
		*returned = r == 0 && rt.n > 0;
	return r;
}

static int
return_listed(
    struct db *db, struct returning *rt, const struct db_grant *rows, size_t n)
{
	int r;

	for (size_t i = 0; i < n; i++) {
		if ((r = return_one(db, rt, &rows[i], rt->reason)) != 0)
			return r;
	}
	return 0;
}

static int
return_job_tx(struct db *db, void *ctx)
{
	struct returning *rt = ctx;
	struct arena *a = arena_new();
	struct db_grant *rows;
	size_t n;
	int r;

	rt->n = 0;
	if ((r = db_select(db, &open_of_job, &grant_shape, a, &rows, &n,
		 rt->g.job_id)) == 0)
		r = return_listed(db, rt, rows, n);
	arena_free(a);
	return r;
}

int
db_resource_return_job(
    struct db *db, const char *job_id, const char *reason, int64_t *n)
{
	struct returning rt = { .g = { .job_id = job_id }, .reason = reason };
	int r;

	r = db_tx(db, return_job_tx, &rt);
	if (n != NULL)
		*n = r == 0 ? rt.n : 0;
	return r;
}

static int
return_found(struct db *db, struct returning *rt, const struct db_stmt *find)
{
	struct arena *a = arena_new();
	struct db_grant *rows;
	size_t n;
	int r;

	rt->n = 0;
	if ((r = db_select(db, find, &grant_shape, a, &rows, &n)) == 0)
		r = return_listed(db, rt, rows, n);
	arena_free(a);
	return r;
}

static int
expire_tx(struct db *db, void *ctx)
{
	return return_found(db, ctx, &open_expired);
}

static int
return_ended_tx(struct db *db, void *ctx)
{
	return return_found(db, ctx, &open_of_ended);
}

int
db_resource_expire(struct db *db, int64_t *n)
{
	struct returning rt = { .reason = "reservation expired" };
	int r;

	r = db_tx(db, expire_tx, &rt);
	if (n != NULL)
		*n = r == 0 ? rt.n : 0;
	return r;
}

int
db_resource_return_ended(struct db *db, int64_t *n)
{
	struct returning rt = { .reason = "job had ended" };
	int r;

	r = db_tx(db, return_ended_tx, &rt);
	if (n != NULL)
		*n = r == 0 ? rt.n : 0;
	return r;
}
