/*
 * The queue of refused jobs.  Asked by the supervisor.
 */
#include "lib/db/db_queue.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/db/db_rows.h"

/* As many as the statement has places for. */
#define WAKE_AT_ONCE 8
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
	" AND b.queue_at < j.queue_at AND b.is_initiator = 1"
	" WHERE j.job_id = ? LIMIT ?) ahead" };

int
db_queue_rank(struct db *db, const char *job_id, int64_t limit, int64_t *n)
{
	return db_query_int(db, &rank, n, job_id, limit);
}

/* --- wake ----------------------------------------------------------------- */

struct first_row {
	const char *job_id;
	bool sleeps;
	bool leased;
};
static const struct db_col first_cols[] = {
	{ DB_STR, offsetof(struct first_row, job_id) },
	{ DB_BOOL, offsetof(struct first_row, sleeps) },
	{ DB_BOOL, offsetof(struct first_row, leased) },
};
static const struct db_shape first_shape =
    DB_SHAPE(struct first_row, first_cols);

/*
 * The order is the index's, so that as many rows are read as are woken: an
 * UPDATE with ORDER BY reads and sorts all who wait.
 */
#define FIRST(code, index, order)                                              \
	"(SELECT 1, job_id, next_look_at > NOW(6),"                            \
	" COALESCE(lease_until > NOW(6), 0) FROM job FORCE INDEX"              \
	" (" index ") WHERE wait_code = '" code "' AND wait_party = ?"         \
	" AND is_initiator = 1 ORDER BY " order " LIMIT ?)"
static const struct db_stmt first = { "queue.first", "sisisisi",
	FIRST("waiting_resources", "job_queue", "queue_at") " UNION ALL " FIRST(
	    "quota", "job_queue", "queue_at") " UNION ALL " FIRST("turn",
	    "job_queue", "queue_at") " UNION ALL " FIRST("waiting_resources",
	    "job_fits", "wait_cores, queue_at") };
/* Who is being looked at is not disturbed: its wake is kept. */
static const struct db_stmt wake_some = { "queue.wake", "ssssssss",
	"UPDATE job SET next_look_at = LEAST(next_look_at, NOW(6))"
	" WHERE job_id IN (?, ?, ?, ?, ?, ?, ?, ?) AND wait_code IN " QUEUED };

int
db_queue_first(struct db *db, struct arena *a, const char *party, int64_t limit,
    const char ***ids, size_t *count, int64_t *due)
{
	struct first_row *rows;
	size_t n;
	int r;

	*count = 0;
	*due = 0;
	if ((r = db_select(db, &first, &first_shape, a, &rows, &n, party, limit,
		 party, limit, party, limit, party, limit)) != 0)
		return r;
	*ids = arena_alloc(a, (n + 1) * sizeof(**ids));
	for (size_t i = 0; i < n; i++) {
		bool again = false;

		for (size_t k = 0; k < i && !again; k++)
			again = strcmp(rows[k].job_id, rows[i].job_id) == 0;
		if (again)
			continue;
		if (rows[i].sleeps)
			(*ids)[(*count)++] = rows[i].job_id;
		*due += !rows[i].sleeps && !rows[i].leased;
	}
	return 0;
}

int
db_queue_wake_these(
    struct db *db, const char *const *ids, size_t n, int64_t *woken)
{
	int64_t some, sum = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i += WAKE_AT_ONCE) {
		const char *id[WAKE_AT_ONCE];

		for (size_t k = 0; k < WAKE_AT_ONCE; k++)
			id[k] = i + k < n ? ids[i + k] : "";
		if ((r = db_exec(db, &wake_some, &some, id[0], id[1], id[2],
			 id[3], id[4], id[5], id[6], id[7])) == 0)
			sum += some;
	}
	*woken = sum;
	return r;
}

int
db_queue_wake(struct db *db, const char *party, int64_t limit, int64_t *woken)
{
	struct arena *a = arena_new();
	const char **ids;
	int64_t due = 0;
	size_t n;
	int r;

	*woken = 0;
	if ((r = db_queue_first(db, a, party, limit, &ids, &n, &due)) == 0)
		r = db_queue_wake_these(db, ids, n, woken);
	*woken += due;
	arena_free(a);
	return r;
}

/* --- who stands before ---------------------------------------------------- */

struct id_row {
	const char *id;
};
static const struct db_col id_cols[] = {
	{ DB_STR, offsetof(struct id_row, id) },
};
static const struct db_shape id_shape = DB_SHAPE(struct id_row, id_cols);

static const struct db_stmt longest = { "queue.longest", "s",
	"SELECT TIMESTAMPDIFF(MICROSECOND, wait_since, NOW(6)) DIV 1000"
	" FROM job FORCE INDEX (job_aged) WHERE wait_code = 'waiting_resources'"
	" AND wait_party = ? AND is_initiator = 1"
	" ORDER BY wait_since LIMIT 1" };
/*
 * Few stand before the first of the queue, and of many the longest waiting
 * most often does: the optimizer counts both ranges and reads the smaller.
 */
static const struct db_stmt ahead_of = {
	"queue.ahead", "ssi",
	"SELECT 1, b.job_id FROM job j JOIN job b"
	" USE INDEX (job_queue, job_aged)"
	" WHERE j.job_id = ? AND b.wait_code = 'waiting_resources'"
	" AND b.wait_party = ? AND b.queue_at < j.queue_at"
	" AND b.is_initiator = 1 AND b.wait_since <= NOW(6) - INTERVAL ? MICROSECOND LIMIT 1"
};
/* Few are due. */
static const struct db_stmt woken_ahead = { "queue.woken_ahead", "ss",
	"SELECT 1, b.job_id, b.wait_party FROM job j JOIN job b"
	" FORCE INDEX (job_schedule)"
	" WHERE j.job_id = ? AND b.is_initiator = 1 AND b.settled = 0"
	" AND b.next_look_at <= NOW(6) AND b.lease_until > NOW(6)"
	" AND b.wait_code = 'waiting_resources'"
	" AND FIND_IN_SET(b.wait_party, ?) > 0 AND b.queue_at < j.queue_at"
	" LIMIT 1" };

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

int
db_queue_longest(struct db *db, const char *party_id, int64_t *waited_ms)
{
	int r = db_query_int(db, &longest, waited_ms, party_id);

	if (r == ERR_NOT_FOUND) {
		err_clear();
		*waited_ms = -1;
		r = 0;
	}
	return r;
}

int
db_queue_ahead(struct db *db, struct arena *a, const char *job_id,
    const char *party_id, int64_t aged_ms, const char **ahead)
{
	struct id_row *row;
	int r;

	*ahead = NULL;
	r = db_select_one(db, &ahead_of, &id_shape, a, &row, job_id, party_id,
	    aged_ms * 1000);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r == 0)
		*ahead = row->id;
	return r;
}

int
db_queue_woken_ahead(struct db *db, struct arena *a, const char *job_id,
    const char *parties, const char **ahead, const char **party_id)
{
	struct ahead_row *row;
	int r;

	*ahead = NULL;
	r = db_select_one(
	    db, &woken_ahead, &ahead_shape, a, &row, job_id, parties);
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

static const struct db_stmt parties = { "queue.parties", "i",
	"SELECT 1, wait_party FROM job WHERE wait_code IN " QUEUED
	" AND is_initiator = 1 GROUP BY wait_code, wait_party LIMIT ?" };

/* The shape of an id row is that of a plain array of strings. */
int
db_queue_parties(
    struct db *db, struct arena *a, int64_t limit, const char ***ids, size_t *n)
{
	return db_select(db, &parties, &id_shape, a, ids, n, limit);
}
