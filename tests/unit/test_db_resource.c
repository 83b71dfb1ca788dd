/*
 * The ledger of cores and memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_resource.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define CORES 16
#define MEMORY_MB 4000
#define LONG_MS 3600000
#define JOBS 12
#define STEPS 400

static struct db *db;
static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	return db_resource_set(db, DB_ENGINE_DEFAULT, CORES, MEMORY_MB);
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	db_close(db);
	return 0;
}

static struct db_grant
grant(const char *job, int64_t cores)
{
	return (struct db_grant){ .job_id = job,
		.role = "guest",
		.party_id = ROWS_GUEST,
		.engine = DB_ENGINE_DEFAULT,
		.cores = cores,
		.memory_mb = cores * 100 };
}

static int
apply(const char *job, int64_t cores)
{
	struct db_grant g = grant(job, cores);

	return db_resource_apply(db, &g, LONG_MS, NULL);
}

static int64_t
free_cores(void)
{
	struct db_resource *r;

	assert_int_equal(db_resource_get(db, arena, DB_ENGINE_DEFAULT, &r), 0);
	return r->free_cores;
}

static void
grants_are_taken_from_what_is_free(void **state)
{
	struct db_grant g = grant("j3", 1);

	(void)state;
	assert_int_equal(apply("j1", 10), 0);
	assert_int_equal(free_cores(), 6);
	assert_int_equal(apply("j2", 7), ERR_BUSY);
	assert_non_null(strstr(err_text(), "6 of 16 cores"));
	assert_int_equal(free_cores(), 6);
	assert_int_equal(apply("j2", 17), ERR_LIMIT);
	assert_int_equal(apply("j2", -1), ERR_INVALID);
	g.engine = "NONE";
	assert_int_equal(
	    db_resource_apply(db, &g, LONG_MS, NULL), ERR_NOT_FOUND);
	/* Memory counts as well. */
	g.engine = DB_ENGINE_DEFAULT;
	g.memory_mb = 3001;
	assert_int_equal(db_resource_apply(db, &g, LONG_MS, NULL), ERR_BUSY);
	g.memory_mb = 3000;
	assert_int_equal(db_resource_apply(db, &g, LONG_MS, NULL), 0);
}

static void
applying_and_returning_twice_count_once(void **state)
{
	bool returned;

	(void)state;
	assert_int_equal(apply("j1", 4), 0);
	assert_int_equal(apply("j1", 4), 0);
	assert_int_equal(free_cores(), 12);
	/* Even if the question changed meanwhile. */
	assert_int_equal(apply("j1", 9), 0);
	assert_int_equal(free_cores(), 12);
	assert_int_equal(
	    db_resource_return(db, "j1", "guest", ROWS_GUEST, "", &returned),
	    0);
	assert_true(returned);
	assert_int_equal(
	    db_resource_return(db, "j1", "guest", ROWS_GUEST, "", &returned),
	    0);
	assert_false(returned);
	assert_int_equal(free_cores(), 16);
	/* A job that waited may apply again. */
	assert_int_equal(apply("j1", 5), 0);
	assert_int_equal(free_cores(), 11);
}

static void
reservation_expires_unless_the_job_started(void **state)
{
	struct db_grant g = grant("j1", 4);
	int64_t n;

	(void)state;
	assert_int_equal(db_resource_apply(db, &g, -1, NULL), 0);
	g.job_id = "j2";
	assert_int_equal(db_resource_apply(db, &g, -1, NULL), 0);
	g.job_id = "j3";
	assert_int_equal(db_resource_apply(db, &g, LONG_MS, NULL), 0);
	assert_int_equal(db_resource_confirm(db, "j1", "guest", ROWS_GUEST), 0);
	/* A late apply does not give a confirmed grant an expiry again. */
	g.job_id = "j1";
	assert_int_equal(db_resource_apply(db, &g, -1, NULL), 0);
	assert_int_equal(db_resource_expire(db, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(free_cores(), 8);
	assert_int_equal(
	    db_resource_confirm(db, "j2", "guest", ROWS_GUEST), ERR_CONFLICT);
	assert_int_equal(db_resource_expire(db, &n), 0);
	assert_int_equal(n, 0);
}

/* Also of a reservation that it had: nothing of it runs out. */
static void
what_is_taken_stays_until_it_is_given_back(void **state)
{
	struct db_grant g = grant("j1", 4);
	int64_t n;

	(void)state;
	assert_int_equal(db_resource_take(db, &g, NULL), 0);
	g.job_id = "j2";
	assert_int_equal(db_resource_apply(db, &g, -1, NULL), 0);
	assert_int_equal(db_resource_take(db, &g, NULL), 0);
	assert_int_equal(db_resource_expire(db, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(free_cores(), 8);
	g.job_id = "j3";
	g.cores = 9;
	assert_int_equal(db_resource_take(db, &g, NULL), ERR_BUSY);
	assert_int_equal(
	    db_resource_return(db, "j1", "guest", ROWS_GUEST, "", NULL), 0);
	assert_int_equal(free_cores(), 12);
}

/* Hours since it was granted; it is about to run out. */
static void
set_granted(int64_t hours)
{
	static const struct db_stmt set = { "test.granted", "i",
		"UPDATE resource_grant SET granted_at = NOW(6) - INTERVAL ? HOUR,"
		" expires_at = IF(expires_at IS NULL, NULL, NOW(6))" };

	assert_int_equal(db_exec(db, &set, NULL, hours), 0);
}

static void
reservation_that_never_starts_runs_out_however_often_it_is_renewed(void **state)
{
	struct db_grant g = grant("j1", 4);
	int64_t n;

	(void)state;
	assert_int_equal(db_resource_apply(db, &g, LONG_MS, NULL), 0);
	set_granted(9);
	assert_int_equal(db_resource_apply(db, &g, LONG_MS, NULL), 0);
	assert_int_equal(db_resource_expire(db, &n), 0);
	assert_int_equal(n, 0);
	set_granted(10);
	assert_int_equal(db_resource_apply(db, &g, LONG_MS, NULL), 0);
	assert_int_equal(db_resource_expire(db, &n), 0);
	assert_int_equal(n, 1);
	/* It is asked for anew then, like everything. */
	assert_int_equal(db_resource_apply(db, &g, LONG_MS, NULL), 0);
	assert_int_equal(db_resource_expire(db, &n), 0);
	assert_int_equal(n, 0);
	/* What runs has no such limit. */
	assert_int_equal(db_resource_confirm(db, "j1", "guest", ROWS_GUEST), 0);
	set_granted(10);
	assert_int_equal(db_resource_apply(db, &g, LONG_MS, NULL), 0);
	assert_int_equal(db_resource_expire(db, &n), 0);
	assert_int_equal(n, 0);
}

static void
grants_of_ended_jobs_are_found(void **state)
{
	static const char job[] = "202601010000000000001";
	static const struct db_stmt end = { "end", "",
		"UPDATE job SET status = 'failed'" };
	int64_t n;

	(void)state;
	assert_int_equal(rows_initiated(db, job), 0);
	assert_int_equal(apply(job, 4), 0);
	assert_int_equal(db_resource_return_ended(db, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_exec(db, &end, NULL), 0);
	assert_int_equal(db_resource_return_ended(db, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(free_cores(), 16);
}

/* What the ledger holds must be what a plain count of the answers says. */
static void
free_is_total_minus_open_after_any_steps(void **state)
{
	int64_t held[JOBS] = { 0 }, open = 0, n;
	struct db_grant *rows;
	char job[20];
	size_t count, holders;
	bool returned;
	int k, r;

	(void)state;
	srand(7);
	for (int step = 0; step < STEPS; step++) {
		k = rand() % JOBS;
		(void)snprintf(job, sizeof(job), "j%d", k);
		if (rand() % 3 != 0) {
			int64_t want = rand() % 8;

			r = apply(job, want);
			if (held[k] > 0 || want <= CORES - open)
				assert_int_equal(r, 0);
			else
				assert_int_equal(r, ERR_BUSY);
			if (r == 0 && held[k] == 0) {
				/* 0 cores are a grant as well */
				held[k] = want + 1;
				open += want;
			}
		} else if (rand() % 8 != 0) {
			assert_int_equal(db_resource_return(db, job, "guest",
					     ROWS_GUEST, "", &returned),
			    0);
			assert_int_equal(returned, held[k] > 0);
			open -= held[k] > 0 ? held[k] - 1 : 0;
			held[k] = 0;
		} else {
			assert_int_equal(
			    db_resource_return_job(db, job, "", &n), 0);
			assert_int_equal(n, held[k] > 0);
			open -= held[k] > 0 ? held[k] - 1 : 0;
			held[k] = 0;
		}
		assert_true(open >= 0 && open <= CORES);
		assert_int_equal(free_cores(), CORES - open);
	}
	holders = 0;
	for (k = 0; k < JOBS; k++)
		holders += held[k] > 0;
	assert_int_equal(
	    db_grant_list(db, arena, NULL, true, &rows, &count), 0);
	assert_int_equal(count, holders);
	assert_int_equal(
	    db_grant_list(db, arena, "j0", false, &rows, &count), 0);
	assert_true(count <= 1);
}

struct worker {
	int number;
	int failures; /* answers other than granted or busy */
	int overdrawn;
};

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct arena *a = arena_new();
	struct db *d = mariadb_connect();
	struct db_resource *res;
	char job[20];
	int r;

	for (int i = 0; i < 40; i++) {
		(void)snprintf(job, sizeof(job), "w%d-%d", w->number, i % 3);
		struct db_grant g = grant(job, 5);

		r = db_resource_apply(d, &g, LONG_MS, NULL);
		w->failures += r != 0 && r != ERR_BUSY;
		if (db_resource_get(d, a, DB_ENGINE_DEFAULT, &res) != 0 ||
		    res->free_cores < 0)
			w->overdrawn++;
		if (i % 2 == 1)
			w->failures += db_resource_return(d, job, "guest",
					   ROWS_GUEST, "", NULL) != 0;
	}
	db_close(d);
	arena_free(a);
	return NULL;
}

static void
many_at_once_never_overdraw(void **state)
{
	struct worker w[4];
	pthread_t t[4];
	int64_t open = 0;
	struct db_grant *rows;
	size_t n;

	(void)state;
	for (int i = 0; i < 4; i++) {
		w[i] = (struct worker){ .number = i };
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(t[i], NULL), 0);
		assert_int_equal(w[i].failures, 0);
		assert_int_equal(w[i].overdrawn, 0);
	}
	assert_int_equal(db_grant_list(db, arena, NULL, true, &rows, &n), 0);
	for (size_t i = 0; i < n; i++)
		open += rows[i].cores;
	assert_int_equal(free_cores(), CORES - open);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(grants_are_taken_from_what_is_free),
		T(applying_and_returning_twice_count_once),
		T(reservation_expires_unless_the_job_started),
		T(what_is_taken_stays_until_it_is_given_back),
		T(reservation_that_never_starts_runs_out_however_often_it_is_renewed),
		T(grants_of_ended_jobs_are_found),
		T(free_is_total_minus_open_after_any_steps),
		T(many_at_once_never_overdraw),
	};
#undef T

	log_init("test_db_resource", LOG_ERROR_);
	return cmocka_run_group_tests_name("db_resource", tests, NULL, NULL);
}
