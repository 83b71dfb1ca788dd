/*
 * Caches of tasks: found by key and by what made them, of the newest version
 * only; over their time they say so and are collected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_cache.h"
#include "supervisor/shepherd/caches.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define A "0123456789abcdef0123456789abcdef"
#define B "1123456789abcdef0123456789abcdef"
#define JOB "202601010000000000001"
#define OTHER "202601010000000000002"

static struct db *db;
static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	db_close(db);
	return 0;
}

static void
put(const char *key, const char *job, int64_t version, int64_t ttl_s)
{
	struct db_cache c = { .cache_key = key,
		.key = { .job_id = job,
		    .component = "i_0",
		    .version = (int)version,
		    .role = "host",
		    .party_id = ROWS_HOST },
		.cache_name = "cache",
		.folder = "01/23",
		.meta_json = "{\"kind\":\"intersection\"}",
		.row_count = 3 };

	assert_int_equal(db_cache_put(db, &c, ttl_s), 0);
}

/* The next version of the intersection's task ends so; open when RUNNING. */
static void
task(const char *job, int64_t version, enum state how)
{
	struct db_task_key k = { job, "i_0", version, "host", ROWS_HOST };
	struct db_task_new t = { .component = "i_0",
		.version = version,
		.role = "host",
		.party_id = ROWS_HOST,
		.module = "Intersection",
		.run_here = true };

	assert_int_equal(db_task_insert(db, job, &t, 1), 0);
	assert_int_equal(db_task_move(db, &k,
			     &(struct db_task_move){
				 .status = STATE_NONE, .party_status = how },
			     NULL),
	    0);
}

static void
what_is_over_its_time_says_so_and_is_collected(void **state)
{
	struct db_cache *c;
	size_t n;

	(void)state;
	put(A, JOB, 0, -10);
	put(B, JOB, 1, 60);
	assert_int_equal(db_cache_get(db, arena, A, &c), 0);
	assert_true(c->is_expired);
	assert_int_equal(db_cache_expired(db, arena, 60, 10, &c, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_cache_expired(db, arena, 5, 10, &c, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(c->cache_key, A);
	assert_int_equal(db_cache_delete(db, A), 0);
	assert_int_equal(db_cache_get(db, arena, A, &c), ERR_NOT_FOUND);
}

/* --- what a CacheLoader may have ------------------------------------------------ */

static int
find(const char *parameters, const char *initiator, struct db_cache **out)
{
	struct db_attempt attempt = { .key = { .job_id = OTHER,
					  .component = "loader_0",
					  .role = "host",
					  .party_id = ROWS_HOST } };
	struct db_job job = { .job_id = OTHER,
		.is_initiator = initiator == NULL,
		.initiator_party = initiator };
	struct json_object *p = json_tokener_parse(parameters);
	struct subject s = {
		.attempt = &attempt, .job = &job, .parameters = p
	};
	int r = caches_find(db, arena, &s, "", NULL, out);

	json_object_put(p);
	return r;
}

static void
a_loader_finds_a_cache_of_its_own_role(void **state)
{
	struct db_cache *c;

	(void)state;
	assert_int_equal(rows_initiated(db, JOB), 0);
	task(JOB, 0, STATE_SUCCESS);
	put(A, JOB, 0, 60);
	assert_int_equal(find("{\"cache_key\":\"" A "\"}", NULL, &c), 0);
	assert_int_equal(find("{\"job_id\":\"" JOB "\",\"component_name\":"
			      "\"i_0\",\"cache_name\":\"cache\"}",
			     NULL, &c),
	    0);
	assert_string_equal(c->cache_key, A);
	assert_string_equal(c->meta_json, "{\"kind\":\"intersection\"}");
	assert_int_equal(
	    find("{\"cache_key\":\"" B "\"}", NULL, &c), ERR_NOT_FOUND);
	assert_int_equal(
	    find("{\"job_id\":\"" JOB "\"}", NULL, &c), ERR_INVALID);
}

static void
a_partner_gets_only_caches_it_helped_to_make(void **state)
{
	struct db_cache *c;

	(void)state;
	assert_int_equal(rows_initiated(db, JOB), 0);
	task(JOB, 0, STATE_SUCCESS);
	put(A, JOB, 0, 60);
	assert_int_equal(find("{\"cache_key\":\"" A "\"}", ROWS_GUEST, &c), 0);
	assert_int_equal(
	    find("{\"cache_key\":\"" A "\"}", "7777", &c), ERR_NOT_FOUND);
}

static void
an_expired_cache_is_not_used(void **state)
{
	struct db_cache *c;

	(void)state;
	assert_int_equal(rows_initiated(db, JOB), 0);
	task(JOB, 0, STATE_SUCCESS);
	put(A, JOB, 0, -10);
	assert_int_equal(
	    find("{\"cache_key\":\"" A "\"}", NULL, &c), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "expired"));
}

#define BY_JOB                                                                 \
	"{\"job_id\":\"" JOB                                                   \
	"\",\"component_name\":\"i_0\",\"cache_name\":\"cache\"}"

static void
only_the_newest_version_of_a_cache_is_used(void **state)
{
	struct db_cache *c;

	(void)state;
	assert_int_equal(rows_initiated(db, JOB), 0);
	task(JOB, 0, STATE_SUCCESS);
	put(A, JOB, 0, 60);
	task(JOB, 1, STATE_SUCCESS);
	put(B, JOB, 1, 60);
	assert_int_equal(find(BY_JOB, NULL, &c), 0);
	assert_string_equal(c->cache_key, B);
	assert_int_equal(find("{\"cache_key\":\"" B "\"}", NULL, &c), 0);
	assert_int_equal(
	    find("{\"cache_key\":\"" A "\"}", NULL, &c), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "version 1 has replaced it"));
}

static void
a_cache_is_stale_while_its_task_runs_again_and_when_that_failed(void **state)
{
	static const enum state how[] = { STATE_RUNNING, STATE_FAILED };
	struct db_cache *c;

	(void)state;
	assert_int_equal(rows_initiated(db, JOB), 0);
	task(JOB, 0, STATE_SUCCESS);
	put(A, JOB, 0, 60);
	for (int i = 0; i < 2; i++) {
		task(JOB, 1 + i, how[i]);
		assert_int_equal(find(BY_JOB, NULL, &c), ERR_CONFLICT);
		assert_non_null(strstr(err_text(), state_name(how[i])));
		assert_int_equal(
		    find("{\"cache_key\":\"" A "\"}", NULL, &c), ERR_CONFLICT);
	}
	/* One that succeeded without a cache has none, whatever was before. */
	task(JOB, 3, STATE_SUCCESS);
	assert_int_equal(find(BY_JOB, NULL, &c), ERR_NOT_FOUND);
}

static void
the_time_of_a_cleaned_tasks_cache_is_over(void **state)
{
	struct db_task_key k = { JOB, "i_0", 0, "host", ROWS_HOST };
	struct db_cache *c;
	int64_t n;
	size_t rows;

	(void)state;
	assert_int_equal(rows_initiated(db, JOB), 0);
	task(JOB, 0, STATE_SUCCESS);
	put(A, JOB, 0, 60);
	assert_int_equal(db_cache_expire(db, &k, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(find(BY_JOB, NULL, &c), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "expired"));
	assert_int_equal(db_cache_expired(db, arena, 0, 10, &c, &rows), 0);
	assert_int_equal(rows, 1);
	assert_int_equal(db_cache_expire(db, &k, &n), 0);
	assert_int_equal(n, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(what_is_over_its_time_says_so_and_is_collected),
		T(a_loader_finds_a_cache_of_its_own_role),
		T(a_partner_gets_only_caches_it_helped_to_make),
		T(an_expired_cache_is_not_used),
		T(only_the_newest_version_of_a_cache_is_used),
		T(a_cache_is_stale_while_its_task_runs_again_and_when_that_failed),
		T(the_time_of_a_cleaned_tasks_cache_is_over),
	};
#undef T

	log_init("test_db_cache", LOG_ERROR_);
	return cmocka_run_group_tests_name("db_cache", tests, NULL, NULL);
}
