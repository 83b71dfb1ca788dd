/*
 * Statements of supervisor/janitor.c.
 */
#include "lib/db/db_retention.h"

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

int
db_job_is_old(struct db *db, const char *job_id, int64_t days, bool *old)
{
	int64_t n;
	int r;

	if ((r = db_query_int(db, &young, &n, job_id, days)) == 0)
		*old = n == 0;
	return r;
}
