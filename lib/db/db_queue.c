/*
 * The queue of refused jobs.  Asked by the supervisor.
 */
#include "lib/db/db_queue.h"

#include "lib/base/err.h"
#include "lib/db/db_rows.h"

#define QUEUED "('waiting_resources', 'quota', 'turn')"

bool
db_queue_has(enum wait_code code)
{
	return code == WAIT_WAITING_RESOURCES || code == WAIT_QUOTA ||
	       code == WAIT_TURN;
}

static const struct db_stmt rank = { "queue.rank", "si",
	"SELECT COUNT(*) FROM (SELECT 1 FROM job j JOIN job b"
	" ON b.wait_code = j.wait_code AND b.wait_party = j.wait_party"
	" AND b.queue_at < j.queue_at WHERE j.job_id = ? LIMIT ?) ahead" };

int
db_queue_rank(struct db *db, const char *job_id, int64_t limit, int64_t *n)
{
	return db_query_int(db, &rank, n, job_id, limit);
}

/* --- wake ----------------------------------------------------------------- */

/* Who is being looked at is not disturbed: its wake would be kept anyway. */
#define WAKE(order)                                                            \
	"UPDATE job SET next_look_at = LEAST(next_look_at, NOW(6))"            \
	" WHERE wait_code = ? AND wait_party = ? AND is_initiator = 1"         \
	" ORDER BY " order " LIMIT ?"
static const struct db_stmt wake_first = { "queue.wake_first", "ssi",
	WAKE("queue_at") };
static const struct db_stmt wake_fitting = { "queue.wake_fitting", "ssi",
	WAKE("wait_cores, queue_at") };

int
db_queue_wake(
    struct db *db, const char *party_id, int64_t limit, int64_t *total)
{
	static const enum wait_code codes[] = { WAIT_WAITING_RESOURCES,
		WAIT_QUOTA, WAIT_TURN };
	int64_t n, sum = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < 3; i++) {
		const char *code = wait_name(codes[i]);

		n = 0;
		if ((r = db_exec(db, &wake_first, &n, code, party_id, limit)) !=
		    0)
			break;
		sum += n;
		/* The rest is behind those: somebody may fit. */
		if (n == limit && codes[i] == WAIT_WAITING_RESOURCES &&
		    (r = db_exec(
			 db, &wake_fitting, &n, code, party_id, limit)) == 0)
			sum += n;
	}
	if (total != NULL)
		*total = sum;
	return r;
}

/* --- who stands before ---------------------------------------------------- */

struct ahead_row {
	const char *job_id;
	const char *party_id;
};
static const struct db_col ahead_cols[] = {
	{ DB_STR, offsetof(struct ahead_row, job_id) },
	{ DB_STR, offsetof(struct ahead_row, party_id) },
};
static const struct db_shape ahead_shape =
    DB_SHAPE(struct ahead_row, ahead_cols);

/*
 * One probe of the index for each party; the first there is the answer.  What
 * was woken while it is looked at asks again in a moment, and was meant first.
 */
static const struct db_stmt ahead_of = { "queue.ahead", "is",
	"SELECT 1, a.ahead, a.party_id FROM (SELECT p.party_id,"
	" (SELECT b.job_id FROM job b WHERE b.wait_code = 'waiting_resources'"
	"  AND b.wait_party = p.party_id AND b.queue_at < j.queue_at"
	"  AND (b.wait_since <= NOW(6) - INTERVAL ? MICROSECOND"
	"   OR (b.lease_until > NOW(6) AND b.next_look_at <= NOW(6)))"
	"  ORDER BY b.queue_at LIMIT 1) ahead"
	" FROM job j JOIN job_party p ON p.job_id = j.job_id"
	" WHERE j.job_id = ?) a WHERE a.ahead IS NOT NULL LIMIT 1" };

int
db_queue_ahead(struct db *db, struct arena *a, const char *job_id,
    int64_t aged_ms, const char **ahead, const char **party_id)
{
	struct ahead_row *row;
	int r;

	*ahead = *party_id = NULL;
	r = db_select_one(
	    db, &ahead_of, &ahead_shape, a, &row, aged_ms * 1000, job_id);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r == 0) {
		*ahead = row->job_id;
		*party_id = row->party_id;
	}
	return r;
}

struct id_row {
	const char *id;
};
static const struct db_col id_cols[] = {
	{ DB_STR, offsetof(struct id_row, id) },
};
static const struct db_shape id_shape = DB_SHAPE(struct id_row, id_cols);

static const struct db_stmt parties = { "queue.parties", "i",
	"SELECT 1, wait_party FROM job WHERE wait_code IN " QUEUED
	" GROUP BY wait_code, wait_party LIMIT ?" };

/* The shape of an id row is that of a plain array of strings. */
int
db_queue_parties(
    struct db *db, struct arena *a, int64_t limit, const char ***ids, size_t *n)
{
	return db_select(db, &parties, &id_shape, a, ids, n, limit);
}
