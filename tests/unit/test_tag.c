/*
 * Tags, through the handlers and a real database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "fcgi-app/app.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_tag.h"
#include "lib/json/json.h"
#include "tests/lib/api_call.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define V1 "202601010000000000001"
#define V2 "202601010000000000002"
#define NAME_100                                                               \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct site_conf conf;
static struct app app;
static struct api_answer a;

static int
set_up(void **state)
{
	static char home[] = "/nowhere", none[] = "";

	(void)state;
	mariadb_fresh();
	conf = *mariadb_conf();
	conf.home = home;
	conf.board_url = none;
	conf.fcgi_max_body = 1 << 20;
	conf.client_auth_off_on_loopback = true;
	app = (struct app){ .conf = &conf, .db = mariadb_connect() };
	assert_int_equal(rows_model(app.db, V1, "sealed"), 0);
	assert_int_equal(rows_model(app.db, V2, "staged"), 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	db_close(app.db);
	return 0;
}

static void
want(long retcode, const char *target, const char *json)
{
	api_want(&app, retcode, target, json, &a);
	api_answer_fini(&a);
}

/* The i-th of a list in data, or NULL. */
static struct json_object *
at(const char *list, size_t i)
{
	return json_object_array_get_idx(
	    json_path_get(a.json, "data", list), i);
}

static size_t
count(const char *list)
{
	return json_object_array_length(json_path_get(a.json, "data", list));
}

static void
a_tag_is_made_listed_renamed_and_destroyed(void **state)
{
	(void)state;
	want(0, "/v1/model/tag/create",
	    "{\"tag_name\":\"eins\",\"tag_desc\":\"the first\"}");
	want(0, "/v1/model/tag/create", "{\"tag_name\":\"zwei\"}");
	api_want(&app, 0, "/v1/model/tag/list", "{\"limit\":10}", &a);
	assert_int_equal(count("tags"), 2);
	assert_string_equal(
	    json_get_str(at("tags", 0), "description", ""), "the first");
	assert_int_equal(json_get_int(at("tags", 0), "model_count", -1), 0);
	api_answer_fini(&a);
	api_want(&app, 0, "/v1/model/tag/list", "{\"limit\":\"1\"}", &a);
	assert_int_equal(count("tags"), 1);
	api_answer_fini(&a);
	/* The description goes when none is sent. */
	want(0, "/v1/model/tag/update",
	    "{\"tag_name\":\"eins\",\"new_tag_name\":\"one\"}");
	api_want(&app, 0, "/v1/model/tag/retrieve", "{\"tag_name\":\"n\"}", &a);
	assert_int_equal(count("tags"), 1);
	assert_string_equal(json_get_str(at("tags", 0), "name", ""), "one");
	assert_null(json_get(at("tags", 0), "description"));
	assert_false(json_has(at("tags", 0), "model_count"));
	api_answer_fini(&a);
	want(0, "/v1/model/tag/destroy", "{\"tag_name\":\"one\"}");
	want(100, "/v1/model/tag/destroy", "{\"tag_name\":\"one\"}");
}

static void
a_name_is_searched_as_text_and_not_as_a_pattern(void **state)
{
	(void)state;
	want(0, "/v1/model/tag/create", "{\"tag_name\":\"a_b\"}");
	want(0, "/v1/model/tag/create", "{\"tag_name\":\"axb\"}");
	api_want(&app, 0, "/v1/model/tag/retrieve", "{\"tag_name\":\"_\"}", &a);
	assert_int_equal(count("tags"), 1);
	api_answer_fini(&a);
	want(100, "/v1/model/tag/retrieve", "{\"tag_name\":\"%\"}");
	want(100, "/v1/model/tag/retrieve", "{\"tag_name\":\"A_\"}");
}

static void
wrong_tags_are_refused_with_100(void **state)
{
	(void)state;
	want(0, "/v1/model/tag/create", "{\"tag_name\":\"eins\"}");
	want(0, "/v1/model/tag/create", "{\"tag_name\":\"zwei\"}");
	want(100, "/v1/model/tag/create", "{\"tag_name\":\"eins\"}");
	want(100, "/v1/model/tag/create", "{\"tag_name\":\"\"}");
	want(100, "/v1/model/tag/create", "{}");
	want(0, "/v1/model/tag/create", "{\"tag_name\":\"" NAME_100 "\"}");
	want(100, "/v1/model/tag/create", "{\"tag_name\":\"" NAME_100 "b\"}");
	want(100, "/v1/model/tag/update",
	    "{\"tag_name\":\"eins\",\"new_tag_name\":\"zwei\"}");
	want(100, "/v1/model/tag/update", "{\"tag_name\":\"eins\"}");
	want(100, "/v1/model/tag/update",
	    "{\"tag_name\":\"drei\",\"new_tag_name\":\"vier\"}");
	want(100, "/v1/model/tag/paint", "{\"tag_name\":\"eins\"}");
	want(100, "/v1/model/tag/list", "{\"limit\":\"many\"}");
	want(100, "/v1/model/tag/retrieve",
	    "{\"tag_name\":\"drei\",\"with_model\":true}");
}

static void
a_version_is_tagged_and_found_by_its_tag(void **state)
{
	(void)state;
	/* The tag is made when there is none. */
	want(0, "/v1/model/model_tag/create",
	    "{\"job_id\":\"" V1 "\",\"tag_name\":\"good\"}");
	want(100, "/v1/model/model_tag/create",
	    "{\"job_id\":\"" V1 "\",\"tag_name\":\"good\"}");
	api_want(&app, 0, "/v1/model/model_tag/retrieve",
	    "{\"job_id\":\"" V1 "\"}", &a);
	assert_int_equal(
	    json_get_int(json_get(a.json, "data"), "count", -1), 1);
	assert_string_equal(json_get_str(at("tags", 0), "name", ""), "good");
	api_answer_fini(&a);
	api_want(&app, 0, "/v1/model/tag/retrieve",
	    "{\"tag_name\":\"good\",\"with_model\":true}", &a);
	assert_int_equal(
	    json_get_int(json_get(a.json, "data"), "count", -1), 1);
	assert_string_equal(
	    json_get_str(at("models", 0), "model_version", ""), V1);
	assert_string_equal(
	    json_get_str(at("models", 0), "party_id", ""), ROWS_GUEST);
	assert_int_equal(json_get_int(at("models", 0), "model_size", -1), 2);
	api_answer_fini(&a);
	api_want(&app, 0, "/v1/model/tag/list", "{\"limit\":10}", &a);
	assert_int_equal(json_get_int(at("tags", 0), "model_count", -1), 1);
	api_answer_fini(&a);
	want(0, "/v1/model/model_tag/remove",
	    "{\"job_id\":\"" V1 "\",\"tag_name\":\"good\"}");
	want(100, "/v1/model/model_tag/remove",
	    "{\"job_id\":\"" V1 "\",\"tag_name\":\"good\"}");
}

static void
only_sealed_versions_are_tagged(void **state)
{
	struct arena *arena = arena_new();
	struct db_tag *tag;

	(void)state;
	want(100, "/v1/model/model_tag/create",
	    "{\"job_id\":\"" V2 "\",\"tag_name\":\"good\"}");
	want(100, "/v1/model/model_tag/create",
	    "{\"job_id\":\"20\",\"tag_name\":\"good\"}");
	want(100, "/v1/model/model_tag/create", "{\"tag_name\":\"good\"}");
	want(100, "/v1/model/model_tag/retrieve", "{\"job_id\":\"20\"}");
	want(100, "/v1/model/model_tag/wipe", "{\"job_id\":\"" V1 "\"}");
	/* A refusal makes no tag. */
	assert_int_equal(
	    db_tag_get(app.db, arena, "good", &tag), ERR_NOT_FOUND);
	arena_free(arena);
}

static void
a_destroyed_tag_leaves_the_versions_that_had_it(void **state)
{
	(void)state;
	want(0, "/v1/model/model_tag/create",
	    "{\"job_id\":\"" V1 "\",\"tag_name\":\"good\"}");
	want(0, "/v1/model/tag/destroy", "{\"tag_name\":\"good\"}");
	api_want(&app, 0, "/v1/model/model_tag/retrieve",
	    "{\"job_id\":\"" V1 "\"}", &a);
	assert_int_equal(count("tags"), 0);
	api_answer_fini(&a);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_tag_is_made_listed_renamed_and_destroyed),
		CASE(a_name_is_searched_as_text_and_not_as_a_pattern),
		CASE(wrong_tags_are_refused_with_100),
		CASE(a_version_is_tagged_and_found_by_its_tag),
		CASE(only_sealed_versions_are_tagged),
		CASE(a_destroyed_tag_leaves_the_versions_that_had_it),
	};

	return cmocka_run_group_tests_name("tag", tests, NULL, NULL);
}
