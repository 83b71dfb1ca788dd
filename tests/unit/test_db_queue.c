/*
 * Quotas of initiators, reasons to wait in rows, and the queue of jobs that
 * were refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/db/db_job.h"
#include "lib/db/db_queue.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_resource.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define LONG_MS 3600000
#define JOBS 60

static struct db *db;
static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	return db_resource_set(db, DB_ENGINE_DEFAULT, 16, 4000);
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	db_close(db);
	return 0;
}

static const char *
id_of(int i)
{
	return arena_printf(arena, "2026010100000000%05d", i);
}

static int
apply(int i, int64_t cores, struct wait *why)
{
	struct db_grant g = { .job_id = id_of(i),
		.role = "guest",
		.party_id = ROWS_GUEST,
		.engine = DB_ENGINE_DEFAULT,
		.cores = cores };

	return db_resource_apply(db, &g, LONG_MS, why);
}

static struct db_job *
job(int i)
{
	struct db_job *j;

	assert_int_equal(db_job_get_brief(db, arena, id_of(i), &j), 0);
	return j;
}

/* --- quotas --------------------------------------------------------------- */

static void
a_quota_bounds_cores_and_jobs_of_its_initiator(void **state)
{
	struct db_quota q = { ROWS_GUEST, 6, 2, 0, 0 };
	struct wait why;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(rows_initiated(db, id_of(i)), 0);
	assert_int_equal(db_quota_put(db, &q), 0);
	assert_int_equal(apply(0, 7, &why), ERR_LIMIT);
	assert_int_equal(why.code, WAIT_NONE);
	assert_int_equal(apply(0, 4, &why), 0);
	assert_int_equal(apply(1, 3, &why), ERR_BUSY);
	assert_int_equal(why.code, WAIT_QUOTA);
	assert_string_equal(why.on, "cores");
	assert_int_equal(why.n[WAIT_N_USED], 4);
	assert_int_equal(why.n[WAIT_N_LIMIT], 6);
	assert_int_equal(apply(1, 1, &why), 0);
	assert_int_equal(apply(2, 1, &why), ERR_BUSY);
	assert_string_equal(why.on, "running jobs");
	/* Asking again for what is held changes nothing. */
	assert_int_equal(apply(1, 1, &why), 0);
	assert_int_equal(db_resource_return_job(db, id_of(0), "test", NULL), 0);
	assert_int_equal(apply(2, 1, &why), 0);
}

static void
the_quota_of_partners_is_not_for_own_jobs(void **state)
{
	struct db_quota q = { DB_QUOTA_PARTNERS, 1, 0, 1, 0 };
	struct wait why;

	(void)state;
	assert_int_equal(rows_initiated(db, id_of(0)), 0);
	assert_int_equal(db_quota_put(db, &q), 0);
	assert_int_equal(apply(0, 4, &why), 0);
	assert_int_equal(db_quota_check_waiting(db, ROWS_GUEST, true, &why), 0);
	assert_int_equal(
	    db_quota_check_waiting(db, ROWS_GUEST, false, &why), ERR_BUSY);
	assert_string_equal(why.on, "waiting jobs");
	assert_int_equal(db_quota_check_waiting(db, "777", false, &why), 0);
	/* A party's own row counts, not that of all. */
	q = (struct db_quota){ ROWS_GUEST, 0, 0, 2, 0 };
	assert_int_equal(db_quota_put(db, &q), 0);
	assert_int_equal(
	    db_quota_check_waiting(db, ROWS_GUEST, false, &why), 0);
}

/* --- reasons -------------------------------------------------------------- */

static void
a_waiting_row_without_a_reason_is_refused_by_the_database(void **state)
{
	static const struct db_stmt forget = { "forget", "",
		"UPDATE job SET wait_code = ''" };

	(void)state;
	assert_int_equal(rows_initiated(db, id_of(0)), 0);
	assert_string_equal(job(0)->wait.code, "creating");
	assert_int_not_equal(db_exec(db, &forget, NULL), 0);
	err_clear();
}

static void
the_same_wait_goes_on_and_another_begins(void **state)
{
	struct wait w = wait_of(WAIT_WAITING_RESOURCES);
	struct db_job *before, *after;
	bool stored;

	(void)state;
	assert_int_equal(rows_initiated(db, id_of(0)), 0);
	w.role = "host";
	w.party = "10000";
	w.text = "host 10000: 4 asked for";
	wait_set(&w, WAIT_N_CORES_FREE, 1);
	assert_int_equal(db_wait_set_job(db, id_of(0), &w, 0, &stored), 0);
	assert_true(stored);
	before = job(0);
	assert_string_equal(before->wait.numbers, "{\"cores_free\":1}");
	assert_string_equal(before->reason, w.text);
	assert_false(db_wait_differs(&before->wait, &w, before->reason));
	wait_set(&w, WAIT_N_CORES_FREE, 2);
	assert_true(db_wait_differs(&before->wait, &w, before->reason));
	assert_int_equal(db_wait_set_job(db, id_of(0), &w, 0, NULL), 0);
	after = job(0);
	assert_true(before->wait.since_ms == after->wait.since_ms);
	/* A job that runs waits for nothing. */
	assert_int_equal(
	    db_job_move(db, id_of(0), STATE_RUNNING, 0, NULL, NULL), 0);
	assert_string_equal(job(0)->wait.code, "");
	assert_int_equal(db_wait_set_job(db, id_of(0), &w, 0, &stored), 0);
	assert_false(stored);
}

static int64_t
tasks_that_wait_for(const char *code)
{
	static const struct db_stmt count = { "count", "s",
		"SELECT COUNT(*) FROM task WHERE wait_code = ?" };
	int64_t n;

	assert_int_equal(db_query_int(db, &count, &n, code), 0);
	return n;
}

static void
who_lost_the_lease_changes_no_reason_of_a_task(void **state)
{
	struct wait w = wait_of(WAIT_PARALLELISM_LIMIT);
	struct db_job_claim *claims;
	size_t n;

	(void)state;
	assert_int_equal(rows_initiated(db, id_of(0)), 0);
	assert_int_equal(
	    db_job_claim(db, arena, "test", LONG_MS, 1, &claims, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
	    db_wait_set_task(db, id_of(0), "lr_0", 0, &w, claims->fence + 1),
	    0);
	assert_int_equal(tasks_that_wait_for("parallelism_limit"), 0);
	assert_int_equal(
	    db_wait_set_task(db, id_of(0), "lr_0", 0, &w, claims->fence), 0);
	assert_int_equal(tasks_that_wait_for("parallelism_limit"), 3);
}

/* --- the queue ------------------------------------------------------------ */

static void
wait_for_cores(int i, int64_t cores)
{
	struct wait w = wait_of(WAIT_WAITING_RESOURCES);

	w.role = "host";
	w.party = ROWS_HOST;
	wait_set(&w, WAIT_N_CORES_ASKED, cores);
	assert_int_equal(db_wait_set_job(db, id_of(i), &w, 0, NULL), 0);
}

static bool
is_due(int i)
{
	static const struct db_stmt due = { "due", "s",
		"SELECT next_look_at <= NOW(6) FROM job WHERE job_id = ?" };
	int64_t yes;

	assert_int_equal(db_query_int(db, &due, &yes, id_of(i)), 0);
	return yes;
}

/* JOBS jobs in a row, the last asks for least, none is due. */
static void
fill(void)
{
	static const struct db_stmt sleep = { "sleep", "",
		"UPDATE job SET next_look_at = NOW(6) + INTERVAL 1 HOUR" };

	for (int i = 0; i < JOBS; i++) {
		assert_int_equal(rows_initiated(db, id_of(i)), 0);
		wait_for_cores(i, i == JOBS - 1 ? 1 : 4);
	}
	assert_int_equal(db_exec(db, &sleep, NULL), 0);
}

static int64_t
wake(const char *party)
{
	int64_t woken;

	assert_int_equal(db_queue_wake(db, party, 2, &woken), 0);
	return woken;
}

static void
what_becomes_free_wakes_the_first_and_the_smallest(void **state)
{
	int64_t n;

	(void)state;
	fill();
	assert_int_equal(wake("777"), 0);
	assert_int_equal(wake(ROWS_HOST), 3);
	/* They are due, and who looks is told so; nobody else is woken. */
	assert_int_equal(wake(ROWS_HOST), 3);
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(is_due(i), i < 2 || i == JOBS - 1);
	assert_int_equal(db_queue_rank(db, id_of(0), 8, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_queue_rank(db, id_of(5), 8, &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(db_queue_rank(db, id_of(20), 8, &n), 0);
	assert_int_equal(n, 8);
}

/* Rows that this connection has read so far, by index or otherwise. */
static int64_t
rows_read(void)
{
	static const struct db_stmt status = { "status", "",
		"SELECT CAST(SUM(variable_value) AS SIGNED)"
		" FROM information_schema.session_status"
		" WHERE variable_name IN ('HANDLER_READ_NEXT',"
		"  'HANDLER_READ_RND_NEXT', 'HANDLER_READ_RND',"
		"  'HANDLER_ICP_ATTEMPTS')" };
	int64_t n;

	assert_int_equal(db_query_int(db, &status, &n), 0);
	return n;
}

static void
who_has_room_for_many_more_is_not_counted_again_at_once(void **state)
{
	struct db_quota q = { ROWS_GUEST, 0, 0, 10000, 0 };
	struct wait why;
	int64_t before, cost, idle;

	(void)state;
	fill();
	before = rows_read();
	idle = rows_read() - before;
	assert_int_equal(db_quota_put(db, &q), 0);
	for (int i = 0; i < 5; i++) {
		before = rows_read();
		assert_int_equal(
		    db_quota_check_waiting(db, ROWS_GUEST, true, &why), 0);
		cost = rows_read() - before - idle;
		assert_true(i == 0 ? cost >= JOBS : cost < JOBS / 2);
	}
	/* Another's are counted by themselves. */
	q = (struct db_quota){ "777", 0, 0, 1, 0 };
	assert_int_equal(db_quota_put(db, &q), 0);
	assert_int_equal(db_quota_check_waiting(db, "777", true, &why), 0);
	/* Near the limit each is. */
	q = (struct db_quota){ ROWS_GUEST, 0, 0, JOBS, 0 };
	assert_int_equal(db_quota_put(db, &q), 0);
	assert_int_equal(
	    db_quota_check_waiting(db, ROWS_GUEST, true, &why), ERR_BUSY);
}

static void
waking_and_asking_who_is_ahead_read_a_few_of_those_who_wait(void **state)
{
	const char *ahead;
	int64_t idle, before, cost;

	(void)state;
	fill();
	before = rows_read();
	idle = rows_read() - before;
	before = rows_read();
	(void)wake(ROWS_HOST);
	cost = rows_read() - before - idle;
	assert_true(cost < JOBS / 2);
	before = rows_read();
	/* None has waited long; of those who have, none stands before. */
	assert_int_equal(db_queue_ahead(db, arena, id_of(JOBS - 1), ROWS_HOST,
			     LONG_MS, &ahead),
	    0);
	assert_null(ahead);
	assert_int_equal(
	    db_queue_ahead(db, arena, id_of(0), ROWS_HOST, 0, &ahead), 0);
	cost = rows_read() - before - idle;
	assert_null(ahead);
	assert_true(cost < JOBS / 2);
}

static void
nobody_passes_who_has_waited_long(void **state)
{
	const char *ahead;
	int64_t waited;

	(void)state;
	assert_int_equal(db_queue_longest(db, ROWS_HOST, &waited), 0);
	assert_int_equal(waited, -1);
	fill();
	assert_int_equal(db_queue_longest(db, ROWS_HOST, &waited), 0);
	assert_in_range(waited, 0, LONG_MS);
	assert_int_equal(
	    db_queue_ahead(db, arena, id_of(9), ROWS_HOST, LONG_MS, &ahead), 0);
	assert_null(ahead);
	assert_int_equal(
	    db_queue_ahead(db, arena, id_of(9), ROWS_HOST, 0, &ahead), 0);
	assert_non_null(ahead);
	assert_true(strcmp(ahead, id_of(9)) < 0);
	assert_int_equal(
	    db_queue_ahead(db, arena, id_of(9), ROWS_GUEST, 0, &ahead), 0);
	assert_null(ahead);
	assert_int_equal(
	    db_queue_ahead(db, arena, id_of(0), ROWS_HOST, 0, &ahead), 0);
	assert_null(ahead);
}

static void
who_was_woken_while_it_asked_is_not_passed_by_who_was_woken_with_it(
    void **state)
{
	static const struct db_stmt rest = { "rest", "s",
		"UPDATE job SET next_look_at = NOW(6) WHERE job_id = ?" };
	struct db_job_claim *claims;
	const char *ahead, *at;
	size_t n;

	(void)state;
	fill();
	assert_int_equal(db_exec(db, &rest, NULL, id_of(0)), 0);
	assert_int_equal(
	    db_job_claim(db, arena, "s", LONG_MS, 10, &claims, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_queue_woken_ahead(db, arena, id_of(1),
			     "777," ROWS_HOST, &ahead, &at),
	    0);
	assert_null(ahead);
	(void)wake(ROWS_HOST);
	assert_int_equal(db_queue_woken_ahead(db, arena, id_of(1),
			     "777," ROWS_HOST, &ahead, &at),
	    0);
	assert_string_equal(ahead, id_of(0));
	assert_string_equal(at, ROWS_HOST);
	/* Those that are claimed together ask in their order. */
	assert_int_equal(
	    db_job_release(db, id_of(0), claims[0].fence, LONG_MS, 0), 0);
	assert_int_equal(
	    db_job_claim(db, arena, "s", LONG_MS, 10, &claims, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(claims[0].job_id, id_of(0));
	assert_int_equal(db_queue_woken_ahead(db, arena, id_of(1),
			     "777," ROWS_HOST, &ahead, &at),
	    0);
	assert_null(ahead);
}

static void
priority_is_a_head_start_of_minutes(void **state)
{
	static const struct db_stmt late = { "late", "ss",
		"UPDATE job SET priority = 5,"
		" queue_at = queue_at - INTERVAL 5 MINUTE WHERE job_id = ? OR"
		" job_id = ?" };
	int64_t n;

	(void)state;
	fill();
	assert_int_equal(db_exec(db, &late, NULL, id_of(20), ""), 0);
	assert_int_equal(db_queue_rank(db, id_of(20), 8, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_queue_rank(db, id_of(0), 8, &n), 0);
	assert_int_equal(n, 1);
}

static int64_t
head_start_s(const char *id)
{
	static const struct db_stmt head_start = { "head_start", "s",
		"SELECT TIMESTAMPDIFF(SECOND, queue_at, NOW(6)) FROM job"
		" WHERE job_id = ?" };
	int64_t s = -1;

	assert_int_equal(db_query_int(db, &head_start, &s, id), 0);
	return s;
}

static void
a_job_has_its_head_start_in_each_of_its_runs(void **state)
{
	struct rows_partner p;
	bool done;

	(void)state;
	rows_partner_init(&p, id_of(1), "host");
	p.job.priority = 5;
	assert_int_equal(db_job_insert(db, &p.job, &done), 0);
	assert_in_range(head_start_s(id_of(1)), 300, 420);
	assert_int_equal(
	    db_job_move(db, id_of(1), STATE_CANCELED, 0, "", &done), 0);
	assert_int_equal(
	    db_job_move(db, id_of(1), STATE_WAITING, 0, "again", &done), 0);
	assert_in_range(head_start_s(id_of(1)), 300, 420);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void
what_partners_store_is_counted_and_bounded(void **state)
{
	struct db_quota q = { DB_QUOTA_PARTNERS, 0, 0, 0, 1000 };
	struct db_count *rows;
	struct wait why = wait_of(WAIT_NONE);
	size_t n;

	(void)state;
	assert_int_equal(db_quota_put(db, &q), 0);
	assert_int_equal(
	    db_quota_check_stored(db, arena, "777", 1000, &why), 0);
	assert_int_equal(
	    db_quota_check_stored(db, arena, "777", 1001, &why), ERR_LIMIT);
	assert_int_equal(db_quota_store(db, "777", 600), 0);
	assert_int_equal(db_quota_store(db, "777", 100), 0);
	assert_int_equal(db_quota_store(db, "777", -50), 0);
	assert_int_equal(db_quota_check_stored(db, arena, "777", 350, &why), 0);
	assert_int_equal(
	    db_quota_check_stored(db, arena, "777", 351, &why), ERR_BUSY);
	assert_int_equal(why.code, WAIT_QUOTA);
	assert_string_equal(why.on, "stored bytes");
	assert_int_equal(why.n[WAIT_N_USED], 650);
	assert_int_equal(why.n[WAIT_N_LIMIT], 1000);
	assert_int_equal(db_quota_check_stored(db, arena, "778", 351, &why), 0);
	/* Its own quota, without a limit of these. */
	q = (struct db_quota){ "777", 1, 0, 0, 0 };
	assert_int_equal(db_quota_put(db, &q), 0);
	assert_int_equal(
	    db_quota_check_stored(db, arena, "777", 1001, &why), 0);
	assert_int_equal(db_count_stored(db, arena, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].name, "777");
	assert_int_equal(rows[0].n, 650);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_quota_bounds_cores_and_jobs_of_its_initiator),
		T(the_quota_of_partners_is_not_for_own_jobs),
		T(what_partners_store_is_counted_and_bounded),
		T(a_waiting_row_without_a_reason_is_refused_by_the_database),
		T(the_same_wait_goes_on_and_another_begins),
		T(who_lost_the_lease_changes_no_reason_of_a_task),
		T(what_becomes_free_wakes_the_first_and_the_smallest),
		T(who_has_room_for_many_more_is_not_counted_again_at_once),
		T(waking_and_asking_who_is_ahead_read_a_few_of_those_who_wait),
		T(nobody_passes_who_has_waited_long),
		T(who_was_woken_while_it_asked_is_not_passed_by_who_was_woken_with_it),
		T(priority_is_a_head_start_of_minutes),
		T(a_job_has_its_head_start_in_each_of_its_runs),
	};

	return cmocka_run_group_tests_name("db_queue", tests, NULL, NULL);
}
