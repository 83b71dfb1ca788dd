/*
 * Texts that workers keep: never stale whichever worker or program writes,
 * never more than was allowed.  Two workers, each with a connection and a
 * cache of its own; this program writes as shepherds and initiators do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/text_cache.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db_job.h"
#include "lib/db/db_metric.h"
#include "lib/json/json.h"
#include "tests/lib/api_call.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"
#define J2 "202601010000000000002"
#define J3 "202601010000000000003"
#define WORKERS 2

static struct db *db;
static struct app workers[WORKERS];
static struct site_conf conf;
static const struct db_task_key v0 = { J1, "lr_0", 0, "guest", ROWS_GUEST };
static const struct db_task_key v1 = { J1, "lr_0", 1, "guest", ROWS_GUEST };

static int
set_up(void **state)
{
	static char party[] = ROWS_GUEST, none[] = "";

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	db_set_actor(db, "test");
	conf = *mariadb_conf();
	conf.party_id = party;
	conf.client_auth_off_on_loopback = true;
	conf.fcgi_max_body = 1 << 20;
	conf.board_url = none;
	for (int i = 0; i < WORKERS; i++)
		workers[i] = (struct app){ .conf = &conf,
			.db = mariadb_connect(),
			.texts = text_cache_new(TEXT_CACHE_BYTES) };
	return rows_initiated(db, J1);
}

static int
tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < WORKERS; i++) {
		text_cache_free(workers[i].texts);
		db_close(workers[i].db);
	}
	db_close(db);
	return 0;
}

/* --- what is read is what is there -------------------------------------------- */

/* Every worker answers this, and again when it has kept what it made. */
static void
all_answer(const char *target, const char *body, const char *want)
{
	struct api_answer a;

	for (int i = 0; i < 2 * WORKERS; i++) {
		api_want(&workers[i % WORKERS], 0, target, body, &a);
		assert_string_equal(json_text(json_get(a.json, "data")), want);
		api_answer_fini(&a);
	}
}

static void
metrics_are(const char *want)
{
	all_answer("/v1/tracking/component/metric/all",
	    "{\"job_id\":\"" J1 "\",\"component_name\":\"lr_0\",\"role\":"
	    "\"guest\",\"party_id\":" ROWS_GUEST "}",
	    want);
}

static void
add(const struct db_task_key *k, const char *ns, const char *meta, double at,
    const char *value)
{
	struct db_series s = {
		.key = *k, .metric_namespace = ns, .name = "loss", .meta = meta
	};
	struct db_point p = { .sort_key = at, .point_value = value };
	char key[32];

	(void)snprintf(key, sizeof(key), "%g", at);
	p.point_key = key;
	assert_int_equal(db_metric_add(db, &s, &p, 1), 0);
}

static void
a_point_is_seen_by_every_worker_as_soon_as_it_is_written(void **state)
{
	struct db_series meta = { .key = v0,
		.metric_namespace = "train",
		.name = "loss",
		.meta = "{\"name\":\"x\"}" };

	(void)state;
	metrics_are("{}");
	add(&v0, "train", NULL, 0, "0.5");
	metrics_are("{\"train\":{\"loss\":{\"data\":[[0,0.5]],"
		    "\"meta\":{\"name\":\"loss\"}}}}");
	add(&v0, "train", NULL, 1, "0.25");
	metrics_are("{\"train\":{\"loss\":{\"data\":[[0,0.5],[1,0.25]],"
		    "\"meta\":{\"name\":\"loss\"}}}}");
	/* The same number of points, one of them another. */
	add(&v0, "train", NULL, 1, "\"last\"");
	metrics_are("{\"train\":{\"loss\":{\"data\":[[0,0.5],[1,\"last\"]],"
		    "\"meta\":{\"name\":\"loss\"}}}}");
	assert_int_equal(db_metric_add(db, &meta, NULL, 0), 0);
	metrics_are("{\"train\":{\"loss\":{\"data\":[[0,0.5],[1,\"last\"]],"
		    "\"meta\":{\"name\":\"x\"}}}}");
	add(&v0, "valid", NULL, 7, "1");
	metrics_are("{\"train\":{\"loss\":{\"data\":[[0,0.5],[1,\"last\"]],"
		    "\"meta\":{\"name\":\"x\"}}},"
		    "\"valid\":{\"loss\":{\"data\":[[7,1]],"
		    "\"meta\":{\"name\":\"loss\"}}}}");
}

static void
deleted_metrics_are_gone_and_those_of_a_rerun_are_its_own(void **state)
{
	(void)state;
	add(&v0, "train", NULL, 0, "0.5");
	metrics_are("{\"train\":{\"loss\":{\"data\":[[0,0.5]],"
		    "\"meta\":{\"name\":\"loss\"}}}}");
	add(&v1, "train", NULL, 0, "0.125");
	metrics_are("{\"train\":{\"loss\":{\"data\":[[0,0.125]],"
		    "\"meta\":{\"name\":\"loss\"}}}}");
	assert_int_equal(db_metric_delete_task(db, &v1, NULL), 0);
	metrics_are("{\"train\":{\"loss\":{\"data\":[[0,0.5]],"
		    "\"meta\":{\"name\":\"loss\"}}}}");
	assert_int_equal(db_metric_delete_job(db, J1, NULL), 0);
	metrics_are("{}");
	/* The same series again, written as often. */
	add(&v0, "train", NULL, 0, "0.75");
	metrics_are("{\"train\":{\"loss\":{\"data\":[[0,0.75]],"
		    "\"meta\":{\"name\":\"loss\"}}}}");
}

/* What every worker's first page says of the job under this name. */
static void
page_says(const char *name, const char *want)
{
	struct json_object *jobs;
	struct api_answer a;

	for (int i = 0; i < 3 * WORKERS; i++) {
		if (i >= WORKERS)
			workers[i % WORKERS].pages_without_marks = 0;
		api_want(&workers[i % WORKERS], 0, "/v1/job/list/job",
		    "{\"limit\":20,\"page\":1}", &a);
		jobs = json_path_get(a.json, "data", "jobs");
		assert_int_equal(json_object_array_length(jobs), 1);
		assert_string_equal(
		    json_text(
			json_get(json_object_array_get_idx(jobs, 0), name)),
		    want);
		api_answer_fini(&a);
	}
}

static void
a_page_shows_what_was_changed_by_anybody(void **state)
{
	struct db_party_new p = { .role = "guest",
		.party_id = ROWS_GUEST,
		.is_local = true,
		.party_conf = "{\"own\":2}",
		.cores = 3 };
	struct rows_partner other;

	(void)state;
	page_says("description", "\"\"");
	assert_int_equal(db_job_set_description(db, J1, "a note"), 0);
	page_says("description", "\"a note\"");
	page_says("runtime_conf", "{\"dsl_version\":2}");
	/* Other parameters, as a rerun brings them. */
	rows_partner_init(&other, J1, "guest");
	other.job.revision = 1;
	other.job.runtime_conf = "{\"dsl_version\":2,\"x\":1}";
	other.job.parties = &p;
	other.job.nparties = 1;
	other.job.ntasks = 0;
	assert_int_equal(db_job_revise(db, &other.job), 0);
	page_says("runtime_conf", "{\"dsl_version\":2,\"x\":1}");
	page_says("runtime_conf_on_party", "{\"own\":2}");
	page_says("cores", "3");
}

static const struct db_stmt end_long_ago = { "test.end_long_ago", "s",
	"UPDATE job SET status = 'success', wait_code = '', settled = 1,"
	" started_at = NOW(6) - INTERVAL 2 DAY,"
	" ended_at = NOW(6) - INTERVAL 1 DAY,"
	" updated_at = NOW(6) - INTERVAL 1 DAY WHERE job_id = ?" };
static const struct db_stmt change_secretly = { "test.change_secretly", "ss",
	"UPDATE job SET description = ?, updated_at = updated_at"
	" WHERE job_id = ?" };
static const struct db_stmt end_now = { "test.end_now", "s",
	"UPDATE job SET updated_at = NOW(6) WHERE job_id = ?" };
static const struct db_stmt run_again = { "test.run_again", "s",
	"UPDATE job SET status = 'waiting', wait_code = 'creating',"
	" settled = 0, ended_at = NULL WHERE job_id = ?" };

static void
change(const struct db_stmt *s)
{
	assert_int_equal(db_exec(db, s, NULL, J1), 0);
}

static void
secretly(const char *note)
{
	assert_int_equal(db_exec(db, &change_secretly, NULL, note, J1), 0);
}

static void
what_is_still_is_shown_from_memory_until_its_row_changes(void **state)
{
	(void)state;
	change(&end_long_ago);
	page_says("status", "\"success\"");
	/* Nobody changes a row so: it shows where the page comes from. */
	secretly("not looked at");
	page_says("description", "\"\"");
	assert_int_equal(db_job_set_description(db, J1, "a note"), 0);
	page_says("description", "\"a note\"");
	change(&end_long_ago);
	page_says("description", "\"a note\"");
	change(&run_again);
	page_says("status", "\"waiting\"");
}

static void
what_changed_a_moment_ago_is_looked_at_again(void **state)
{
	(void)state;
	change(&end_long_ago);
	change(&end_now);
	page_says("description", "\"\"");
	/* Somebody else's statement of the same instant. */
	secretly("a note");
	page_says("description", "\"a note\"");
}

static void
a_page_is_the_same_with_and_without_what_was_kept(void **state)
{
	static const char *const pages[] = { "{\"limit\":20,\"page\":1}",
		"{\"limit\":1,\"page\":2}", "{\"limit\":1,\"page\":3}",
		"{\"limit\":2,\"page\":2,\"order_by\":\"create_time\","
		"\"order\":\"asc\"}" };
	struct app none = workers[0];
	struct api_answer a;
	char *want;

	(void)state;
	none.texts = NULL;
	assert_int_equal(rows_initiated(db, J2), 0);
	assert_int_equal(rows_initiated(db, J3), 0);
	change(&end_long_ago);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		api_want(&none, 0, "/v1/job/list/job", pages[i], &a);
		want = xstrdup(json_text(json_get(a.json, "data")));
		api_answer_fini(&a);
		assert_non_null(strstr(want, "\"partners\":[10000]"));
		assert_non_null(strstr(want, "\"count\":3}"));
		all_answer("/v1/job/list/job", pages[i], want);
		free(want);
	}
	assert_true(text_cache_bytes(workers[0].texts) > 0);
}

/* --- the cache itself ------------------------------------------------------------ */

static void
the_least_used_goes_when_there_is_no_room(void **state)
{
	struct text_cache *c = text_cache_new(4000);
	char text[700], key[16];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		text_cache_put(c, key, text);
		assert_true(text_cache_bytes(c) <= 4000);
		text_cache_put(c, key, text); /* in place of itself */
		assert_non_null(text_cache_get(c, "k0"));
	}
	assert_string_equal(text_cache_get(c, "k99"), text);
	assert_non_null(text_cache_get(c, "k98"));
	assert_null(text_cache_get(c, "k1"));
	assert_null(text_cache_get(c, "k50"));
	text_cache_free(c);
}

static void
a_text_that_would_push_out_all_others_is_not_kept(void **state)
{
	struct text_cache *c = text_cache_new(4000);
	char text[1001];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	text_cache_put(c, "small", "1");
	text_cache_put(c, "large", "before");
	text_cache_put(c, "large", text);
	assert_null(text_cache_get(c, "large"));
	assert_string_equal(text_cache_get(c, "small"), "1");
	text_cache_free(c);
}

static void
no_cache_keeps_nothing(void **state)
{
	(void)state;
	text_cache_put(NULL, "k", "text");
	assert_null(text_cache_get(NULL, "k"));
	text_cache_free(NULL);
}

int
main(void)
{
#define DB_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DB_TEST(
		    a_point_is_seen_by_every_worker_as_soon_as_it_is_written),
		DB_TEST(
		    deleted_metrics_are_gone_and_those_of_a_rerun_are_its_own),
		DB_TEST(a_page_shows_what_was_changed_by_anybody),
		DB_TEST(
		    what_is_still_is_shown_from_memory_until_its_row_changes),
		DB_TEST(what_changed_a_moment_ago_is_looked_at_again),
		DB_TEST(a_page_is_the_same_with_and_without_what_was_kept),
		cmocka_unit_test(the_least_used_goes_when_there_is_no_room),
		cmocka_unit_test(
		    a_text_that_would_push_out_all_others_is_not_kept),
		cmocka_unit_test(no_cache_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
