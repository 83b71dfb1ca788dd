/*
 * Which tables a Reader of a partner's job may have: what was uploaded here,
 * and what came of jobs that the partner takes part in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/db/db_table.h"
#include "supervisor/shepherd/inputs.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define FOLDER "ab/0123456789abcdef0123456789abcdef"
#define THEIRS "202601010000000000001" /* 9999 and 10000 */
#define STRANGER "777"

static struct db *db;
static struct site_conf conf;
static struct arena *arena;

static void
put_table(const char *name, const char *origin, const char *job_id)
{
	assert_int_equal(db_table_put(db, arena,
			     &(struct db_table){ .table_namespace = "bank",
				 .name = name,
				 .engine = "STANDALONE",
				 .address = "{}",
				 .folder = FOLDER,
				 .partitions = 1,
				 .id_delimiter = ",",
				 .schema_json = "{}",
				 .origin = origin,
				 .job_id = job_id },
			     false, NULL),
	    0);
}

static int
set_up(void **state)
{
	struct rows_partner p;
	char *path;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	conf.home = xasprintf("%s/home", mariadb_folder());
	path = site_path(&conf, "%s/%s", SITE_TABLES, FOLDER);
	assert_int_equal(fd_mkdirs(path, 0700), 0);
	free(path);
	rows_partner_init(&p, THEIRS, "host");
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	put_table("uploaded", "upload", "202601010000000000009");
	put_table("made", "output", THEIRS);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	db_close(db);
	assert_int_equal(fd_remove_tree(conf.home), 0);
	free(conf.home);
	return 0;
}

static int
read_table(const char *initiator, bool is_ours, const char *name)
{
	struct json_object *parameters = json_object_new_object();
	struct json_object *table = json_object_new_object();
	struct db_attempt attempt = { .key = { .job_id = "20260202000000000000",
					  .component = "reader_0",
					  .role = "host",
					  .party_id = ROWS_HOST } };
	struct db_job job = { .job_id = attempt.key.job_id,
		.is_initiator = is_ours,
		.initiator_party = initiator };
	struct dsl_component component = { .name = "reader_0" };
	struct module module = { .name = "Reader" };
	struct subject subject = { .attempt = &attempt,
		.job = &job,
		.component = &component,
		.module = &module,
		.parameters = parameters };
	struct inputs in;
	int r;

	json_add_str(table, "namespace", "bank");
	json_add_str(table, "name", name);
	json_add(parameters, "table", table);
	r = inputs_resolve(arena, db, &conf, &subject, &in);
	if (r == 0)
		assert_int_equal(in.n_tables, 1);
	json_object_put(parameters);
	return r;
}

static void
uploads_are_for_every_partner(void **state)
{
	(void)state;
	assert_int_equal(read_table(STRANGER, false, "uploaded"), 0);
	assert_int_equal(read_table(ROWS_GUEST, false, "uploaded"), 0);
}

static void
outputs_are_for_who_took_part_in_their_job(void **state)
{
	(void)state;
	assert_int_equal(read_table(ROWS_GUEST, false, "made"), 0);
	assert_int_equal(read_table(ROWS_HOST, true, "made"), 0);
	assert_int_equal(read_table(STRANGER, false, "made"), ERR_NOT_FOUND);
	/* In the words for what is not there. */
	assert_non_null(strstr(err_text(), "has no table bank made"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    uploads_are_for_every_partner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    outputs_are_for_who_took_part_in_their_job, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
