/*
 * What a person who is to approve a partner's job is told of it, through the
 * handlers and a real database.
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
#include "lib/db/db_approval.h"
#include "lib/json/json.h"
#include "tests/lib/api_call.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define JOB "202601010000000000010"
#define BODY "{\"job_id\": \"" JOB "\"}"

static struct site_conf conf;
static struct app app;
static struct api_answer a;

static void
run_sql(const char *sql)
{
	if (db_run_script_statement(app.db, sql, strlen(sql)) != 0)
		fail_msg("%s", err_text());
}

/* A partner's job with two components waits for mia. */
static int
set_up(void **state)
{
	static char home[] = "/nowhere", none[] = "";
	const struct db_approval asked = { .job_id = JOB,
		.role = "host",
		.party_id = ROWS_HOST,
		.permission_id = 1,
		.subject = "dataset a b",
		.approval_by = "mia" };
	struct rows_partner p;
	bool created;

	(void)state;
	mariadb_fresh();
	conf = *mariadb_conf();
	conf.home = home;
	conf.board_url = none;
	conf.fcgi_max_body = 1 << 20;
	conf.client_auth_off_on_loopback = true;
	app = (struct app){ .conf = &conf, .db = mariadb_connect() };
	rows_partner_init(&p, JOB, "host");
	assert_int_equal(db_job_insert(app.db, &p.job, &created), 0);
	assert_int_equal(db_approval_ask(app.db, &asked, 3600), 0);
	run_sql("UPDATE job SET status = 'waiting'");
	run_sql("UPDATE task SET module = 'Reader', parameters ="
		" '{\"table\": {\"namespace\": \"a\", \"name\": \"b\"}}'"
		" WHERE component = 'reader_0'");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	db_close(app.db);
	return 0;
}

static struct json_object *
asked_of(size_t i)
{
	struct json_object *row =
	    json_object_array_get_idx(json_get(a.json, "data"), 0);

	return json_object_array_get_idx(json_get(row, "asks"), i);
}

static void
a_table_that_cannot_be_read_says_so_and_the_others_are_listed(void **state)
{
	const char *why;

	(void)state;
	/* Another name for one that the row does not tell. */
	run_sql("INSERT INTO data_table (namespace, name, engine, address,"
		" table_schema_json, origin) VALUES ('a', 'b', 'STANDALONE',"
		" '{', '{}', 'table_bind')");
	api_want(&app, 0, "/v1/approval/query", BODY, &a);
	assert_string_equal(
	    json_get_str(asked_of(0), "component", ""), "reader_0");
	why = json_get_str(asked_of(0), "missing", "");
	assert_non_null(strstr(why, "the table cannot be read: table a b is "));
	assert_string_equal(json_get_str(asked_of(1), "component", ""), "lr_0");
	assert_null(json_get_str(asked_of(1), "missing", NULL));
	api_answer_fini(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_table_that_cannot_be_read_says_so_and_the_others_are_listed),
	};

	return cmocka_run_group_tests_name("asks", tests, NULL, NULL);
}
