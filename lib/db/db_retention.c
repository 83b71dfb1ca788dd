/*
 * Statements of supervisor/janitor.c.
 */
#include "lib/db/db_retention.h"

#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

/* Events are written in the order of their ids, more or less. */
static const struct db_stmt oldest = { "retention.oldest_events", "ii",
	"SELECT COALESCE(MAX(x.id), 0) FROM"
	" (SELECT id, at FROM event ORDER BY id LIMIT ?) x"
	" WHERE x.at < NOW(6) - INTERVAL ? DAY" };
static const struct db_stmt prune = { "retention.events", "ii",
	"DELETE FROM event WHERE id <= ?"
	" AND at < NOW(6) - INTERVAL ? DAY" };
static const struct db_stmt young = { "retention.young_job", "si",
	"SELECT COUNT(*) FROM job WHERE job_id = ? AND (ended_at IS NULL"
	" OR ended_at >= NOW(6) - INTERVAL ? DAY)" };

int
db_event_prune(struct db *db, int64_t days, int64_t limit, int64_t *n)
{
	int64_t last;
	int r;

	*n = 0;
	if ((r = db_query_int(db, &oldest, &last, limit, days)) != 0 ||
	    last == 0)
		return r;
	return db_exec(db, &prune, n, last, days);
}

/* --- metrics --- */

struct pruning {
	int64_t days, limit, n;
	struct arena *arena;
};

struct series {
	int64_t id;
};
static const struct db_col series_cols[] = {
	{ DB_INT, offsetof(struct series, id) },
};
static const struct db_shape series_shape =
    DB_SHAPE(struct series, series_cols);

/* A series is no younger than its row; later runs of its job may be. */
static const struct db_stmt old_series = { "retention.old_series", "iii",
	"SELECT 1, m.id FROM metric m JOIN job j ON j.job_id = m.job_id"
	" WHERE m.created_at < NOW(6) - INTERVAL ? DAY"
	" AND j.ended_at < NOW(6) - INTERVAL ? DAY"
	" ORDER BY m.created_at LIMIT ?" };
static const struct db_stmt prune_points = { "retention.points", "i",
	"DELETE FROM metric_point WHERE metric_id = ?" };
static const struct db_stmt prune_series = { "retention.series", "i",
	"DELETE FROM metric WHERE id = ?" };

static int
metric_prune_tx(struct db *db, void *ctx)
{
	struct pruning *p = ctx;
	struct series *rows;
	size_t n;
	int r;

	if ((r = db_select(db, &old_series, &series_shape, p->arena, &rows, &n,
		 p->days, p->days, p->limit)) != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if ((r = db_exec(db, &prune_points, NULL, rows[i].id)) != 0 ||
		    (r = db_exec(db, &prune_series, NULL, rows[i].id)) != 0)
			return r;
	p->n = (int64_t)n;
	return 0;
}

int
db_metric_prune(struct db *db, int64_t days, int64_t limit, int64_t *n)
{
	struct pruning p = { .days = days, .limit = limit };
	int r;

	p.arena = arena_new();
	r = db_tx(db, metric_prune_tx, &p);
	arena_free(p.arena);
	*n = r == 0 ? p.n : 0;
	return r;
}

int
db_job_is_old(struct db *db, const char *job_id, int64_t days, bool *old)
{
	int64_t n;
	int r;

	if ((r = db_query_int(db, &young, &n, job_id, days)) == 0)
		*old = n == 0;
	return r;
}
