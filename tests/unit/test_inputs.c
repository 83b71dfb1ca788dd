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
#include "lib/db/db_model.h"
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

/* --- outputs of the job's own components ----------------------------------- */

#define LR_DSL                                                                   \
	"{\"components\":{\"reader_0\":{\"module\":\"Reader\",\"output\":"       \
	"{\"data\":[\"data\"],\"model\":[\"model\"]}},\"lr_0\":{\"module\":"     \
	"\"HeteroLR\",\"input\":{\"data\":{\"train_data\":[\"reader_0.data\"]}," \
	"\"isometric_model\":[\"reader_0.model\"]}}}}"

static void
reader_ends(int64_t version, enum state how)
{
	struct db_task_key k = { THEIRS, "reader_0", version, "host",
		ROWS_HOST };
	struct db_task_new t = { .component = "reader_0",
		.version = version,
		.role = "host",
		.party_id = ROWS_HOST,
		.module = "Reader",
		.run_here = true };

	assert_int_equal(db_task_insert(db, THEIRS, &t, 1), 0);
	assert_int_equal(db_task_move(db, &k,
			     &(struct db_task_move){
				 .status = STATE_NONE, .party_status = how },
			     NULL),
	    0);
}

static void
reader_made(int64_t version, const char *table)
{
	struct db_output o = { .key = { THEIRS, "reader_0", version, "host",
				   ROWS_HOST },
		.data_name = "data",
		.table_namespace = "bank",
		.name = table };

	assert_int_equal(db_output_put(db, &o), 0);
}

static int
read_of_lr(struct inputs *in)
{
	struct db_attempt attempt = { .key = { THEIRS, "lr_0", 0, "host",
					  ROWS_HOST } };
	struct db_job job = { .job_id = THEIRS, .model_version = THEIRS };
	struct module module = { .name = "HeteroLR" };
	struct faults faults = FAULTS_INIT;
	struct subject subject = {
		.attempt = &attempt, .job = &job, .module = &module
	};
	struct json_object *json;
	int r;

	assert_int_equal(json_parse_text(LR_DSL, &json), 0);
	if (dsl_parse(json, NULL, NULL, &faults, &subject.dsl) != 0)
		fail_msg(
		    "%s: %s", faults.items[0].pointer, faults.items[0].message);
	subject.component =
	    &subject.dsl->components[dsl_find(subject.dsl, "lr_0")];
	r = inputs_resolve(arena, db, &conf, &subject, in);
	dsl_free(subject.dsl);
	json_object_put(json);
	return r;
}

static void
only_the_newest_version_of_an_input_is_read(void **state)
{
	struct inputs in;

	(void)state;
	reader_ends(0, STATE_SUCCESS);
	reader_made(0, "made");
	assert_int_equal(read_of_lr(&in), 0);
	assert_int_equal(in.n_tables, 1);
	assert_string_equal(in.tables[0]->table_name, "made");
	/* A newer one that made nothing does not bring the old one back. */
	reader_ends(1, STATE_SUCCESS);
	assert_int_equal(read_of_lr(&in), 0);
	assert_int_equal(in.n_tables, 0);
	reader_made(1, "uploaded");
	assert_int_equal(read_of_lr(&in), 0);
	assert_string_equal(in.tables[0]->table_name, "uploaded");
}

static void
an_input_that_did_not_succeed_or_is_gone_is_an_error(void **state)
{
	struct inputs in;

	(void)state;
	reader_ends(0, STATE_SUCCESS);
	reader_made(0, "made");
	reader_ends(1, STATE_FAILED);
	reader_made(1, "made");
	assert_int_equal(read_of_lr(&in), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "reader_0 is failed"));
	reader_ends(2, STATE_SUCCESS);
	reader_made(2, "removed");
	assert_int_equal(read_of_lr(&in), ERR_NOT_FOUND);
	assert_non_null(strstr(err_text(), "run reader_0 again"));
}

static void
parts_of_a_model_from_an_older_version_are_left_out(void **state)
{
	struct db_model_part p = { .model_id = "m",
		.model_version = THEIRS,
		.role = "host",
		.party_id = ROWS_HOST,
		.component = "reader_0",
		.alias = "model",
		.buffer_name = "OldParam",
		.message = "x",
		.module = "Reader",
		.version = 0 };
	struct inputs in;

	(void)state;
	assert_int_equal(db_model_part_put(db, &p), 0);
	reader_ends(0, STATE_SUCCESS);
	/* Its file is not there: it is looked for. */
	assert_int_not_equal(read_of_lr(&in), 0);
	reader_ends(1, STATE_SUCCESS);
	assert_int_equal(read_of_lr(&in), 0);
	assert_int_equal(in.n_models, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    uploads_are_for_every_partner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    only_the_newest_version_of_an_input_is_read, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    an_input_that_did_not_succeed_or_is_gone_is_an_error,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    parts_of_a_model_from_an_older_version_are_left_out, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    outputs_are_for_who_took_part_in_their_job, set_up,
		    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
