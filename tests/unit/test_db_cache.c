/*
 * Caches of tasks: found by key and by what made them, the newest version
 * first; over their time they say so and are collected.
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

static void
the_newest_version_is_found_by_what_made_it(void **state)
{
	struct db_cache *c;

	(void)state;
	put(A, JOB, 0, 60);
	put(B, JOB, 1, 60);
	assert_int_equal(db_cache_newest(db, arena, JOB, "i_0", "host",
			     ROWS_HOST, "cache", &c),
	    0);
	assert_string_equal(c->cache_key, B);
	assert_string_equal(c->meta_json, "{\"kind\":\"intersection\"}");
	assert_false(c->is_expired);
	assert_int_equal(db_cache_newest(db, arena, JOB, "i_0", "guest",
			     ROWS_HOST, "cache", &c),
	    ERR_NOT_FOUND);
	assert_int_equal(db_cache_get(db, arena, A, &c), 0);
	assert_int_equal(c->key.version, 0);
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
	put(A, JOB, 0, 60);
	assert_int_equal(find("{\"cache_key\":\"" A "\"}", NULL, &c), 0);
	assert_int_equal(find("{\"job_id\":\"" JOB "\",\"component_name\":"
			      "\"i_0\",\"cache_name\":\"cache\"}",
			     NULL, &c),
	    0);
	assert_string_equal(c->cache_key, A);
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
	put(A, JOB, 0, -10);
	assert_int_equal(
	    find("{\"cache_key\":\"" A "\"}", NULL, &c), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "expired"));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(the_newest_version_is_found_by_what_made_it),
		T(what_is_over_its_time_says_so_and_is_collected),
		T(a_loader_finds_a_cache_of_its_own_role),
		T(a_partner_gets_only_caches_it_helped_to_make),
		T(an_expired_cache_is_not_used),
	};
#undef T

	log_init("test_db_cache", LOG_ERROR_);
	return cmocka_run_group_tests_name("db_cache", tests, NULL, NULL);
}
