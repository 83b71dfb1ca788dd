/*
 * Statements of detectors and of a supervisor's start.
 */
#include "lib/db/db_recover.h"

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_often.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

#define FOLLOW_AGAIN_MS 1000 /* after a failure */
#define FOLLOW_MS 10000 /* how long the database's time is trusted to run */

struct text_row {
	const char *text;
};
static const struct db_col text_cols[] = {
	{ DB_STR, offsetof(struct text_row, text) },
};
static const struct db_shape text_shape = DB_SHAPE(struct text_row, text_cols);

static const struct db_stmt take_over = { "job.take_over", "ss",
	"UPDATE job SET lease_until = NULL, next_look_at = NOW(6)"
	" WHERE is_initiator = 1 AND settled = 0 AND lease_owner IS NOT NULL"
	" AND LOCATE(?, lease_owner) = 1 AND lease_owner <> ?" };
static const struct db_stmt backlog = { "task.report_backlog", "i",
	"SELECT COUNT(*) FROM task WHERE report_due = 1"
	" AND updated_at <= NOW(6) - INTERVAL ? MICROSECOND" };
static const struct db_stmt stuck = { "job.stuck", "iii",
	"SELECT 1, j.job_id FROM job j WHERE j.is_initiator = 1"
	" AND j.settled = 0 AND j.status = 'running'"
	" AND j.started_at <= NOW(6) - INTERVAL ? MICROSECOND"
	" AND NOT EXISTS (SELECT 1 FROM task t WHERE t.job_id = j.job_id"
	" AND (t.party_status = 'running'"
	" OR t.updated_at > NOW(6) - INTERVAL ? MICROSECOND)) LIMIT ?" };
static const struct db_stmt clock_now = { "clock", "",
	"SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000 AS SIGNED)" };

struct taking {
	const char *prefix;
	const char *owner;
};

static int
take_over_tx(struct db *db, void *ctx)
{
	const struct taking *t = ctx;

	return db_exec(db, &take_over, NULL, t->prefix, t->owner);
}

/* A transaction because shepherds write meanwhile: it may deadlock. */
int
db_job_take_over(struct db *db, const char *prefix, const char *owner)
{
	struct taking t = { prefix, owner };

	return db_tx(db, take_over_tx, &t);
}

int
db_report_backlog(struct db *db, int64_t age_ms, int64_t *n)
{
	return db_query_int(db, &backlog, n, age_ms * 1000);
}

/* The shape of a text row is that of a plain array of strings. */
int
db_job_stuck(struct db *db, struct arena *a, int64_t age_ms, int64_t limit,
    const char ***ids, size_t *n)
{
	return db_select(db, &stuck, &text_shape, a, ids, n, age_ms * 1000,
	    age_ms * 1000, limit);
}

int
db_clock_ms(struct db *db, int64_t *ms)
{
	return db_query_int(db, &clock_now, ms);
}

void
db_clock_follow(struct db *db)
{
	static int64_t asked_ms;
	int64_t now = clock_mono_ms(), before, ms;

	if (asked_ms != 0 && now - asked_ms < FOLLOW_MS)
		return;
	before = clock_mono_us();
	if (db_clock_ms(db, &ms) != 0) {
		log_err("the database's time");
		asked_ms = now - FOLLOW_MS + FOLLOW_AGAIN_MS;
		return;
	}
	asked_ms = now;
	/* Half way between question and answer it was that late. */
	clock_anchor(ms * 1000 + (clock_mono_us() - before) / 2);
}

const struct db_stmt *const db_recover_often[] = { &clock_now, NULL };
