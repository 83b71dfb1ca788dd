/*
 * The model of a training job at one member: staged from what its tasks put
 * out, sealed with the success, gone after any other end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/db/db_model.h"
#include "lib/db/db_resource.h"
#include "lib/model/model_object.h"
#include "lib/party/party.h"
#include "proto/model/pipeline.pb-c.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J "202601010000000000001" /* initiated by 9999, we are 10000 */
#define MODEL "arbiter-10000#guest-9999#host-10000#model"

static struct db *db;
static struct arena *arena;
static char home[] = "/tmp/test_party_model.XXXXXX";
static struct site_conf conf = { .home = home };

static const struct party_caller guest = { .party_id = ROWS_GUEST };
static const struct party_caller stranger = { .party_id = "555" };
static const struct party_member member = { J, "host", ROWS_HOST };
static const struct db_model_key key = { MODEL, J, "host", ROWS_HOST };

static int
set_up(void **state)
{
	struct rows_partner p;

	(void)state;
	memcpy(home + strlen(home) - 6, "XXXXXX", 6);
	if (mkdtemp(home) == NULL)
		return -1;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	rows_partner_init(&p, J, "host");
	if (db_resource_set(db, DB_ENGINE_DEFAULT, 8, 1000) == 0 &&
	    rows_allow(db, ROWS_GUEST) == 0 &&
	    party_job_create(db, &guest, &member, &p.job, NULL, NULL) == 0 &&
	    party_resource_apply(db, &guest, &member, 60000, NULL) == 0 &&
	    party_job_start(db, &guest, &member, NULL) == 0)
		return 0;
	print_error("%s\n", err_text());
	return -1;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	db_close(db);
	return fd_remove_tree(home);
}

/* A version of a task ends, and has put out this buffer. */
static void
end_task(const char *component, int64_t version, const char *content)
{
	const struct db_task_key k = { J, component, version, "host",
		ROWS_HOST };
	struct db_task_move move = { .status = STATE_NONE,
		.party_status = STATE_SUCCESS };
	struct db_model_part p = { .model_id = MODEL,
		.model_version = J,
		.role = "host",
		.party_id = ROWS_HOST,
		.component = component,
		.alias = "model",
		.buffer_name = "LRParam",
		.message = "LRModelParam",
		.module = "HeteroLR",
		.version = version };

	assert_int_equal(db_task_move(db, &k, &move, NULL), 0);
	if (content == NULL)
		return;
	p.bytes = (int64_t)strlen(content);
	assert_int_equal(
	    model_object_keep(&conf, content, strlen(content), p.sha256), 0);
	assert_int_equal(db_model_part_put(db, &p), 0);
}

static void
end_tasks(void)
{
	end_task("reader_0", 0, NULL);
	end_task("lr_0", 0, "weights");
}

static int
stage(uint8_t hash[])
{
	return party_job_model(db, &conf, &guest, &member, hash, NULL);
}

static int
seal(const uint8_t hash[], bool *effective)
{
	struct model_member members[] = { { "arbiter", ROWS_HOST, { 1 } },
		{ "guest", ROWS_GUEST, { 2 } }, { "host", ROWS_HOST, { 0 } } };

	memcpy(members[2].manifest_hash, hash, MODEL_HASH_SIZE);
	return party_job_success(db, &guest, &member, members, 3, effective);
}

static enum state
job_status(void)
{
	struct db_job *j;

	assert_int_equal(db_job_get_brief(db, arena, J, &j), 0);
	return j->status;
}

static void
half_is_staged_and_sealed_with_the_success(void **state)
{
	uint8_t hash[DB_HASH_SIZE], again[DB_HASH_SIZE];
	struct db_model_part *parts;
	struct db_model *m;
	bool effective;
	size_t n;

	(void)state;
	end_tasks();
	assert_int_equal(stage(hash), 0);
	assert_int_equal(db_model_get(db, arena, &key, &m), ERR_NOT_FOUND);
	/* A lost answer: the same once more. */
	assert_int_equal(stage(again), 0);
	assert_memory_equal(hash, again, sizeof(hash));
	assert_int_equal(seal(hash, &effective), 0);
	assert_true(effective);
	assert_int_equal(job_status(), STATE_SUCCESS);
	assert_int_equal(db_model_get(db, arena, &key, &m), 0);
	assert_memory_equal(m->manifest_hash, hash, sizeof(hash));
	assert_true(m->is_parent);
	assert_string_equal(m->initiator_party, ROWS_GUEST);
	assert_int_equal(
	    db_model_part_sealed(db, arena, &key, NULL, &parts, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(parts[0].component, "lr_0");
	assert_string_equal(parts[1].component, "pipeline");
	assert_int_equal(m->size_bytes, 7 + parts[1].bytes);
	assert_int_equal(seal(hash, &effective), 0);
	assert_false(effective);
	/* Late, and answered as before. */
	assert_int_equal(stage(again), 0);
	assert_memory_equal(hash, again, sizeof(hash));
}

static void
pipeline_message_says_what_the_row_says(void **state)
{
	Sluice__Model__Pipeline *p;
	struct db_model_part *parts;
	struct buf content = BUF_INIT;
	uint8_t hash[DB_HASH_SIZE];
	size_t n;

	(void)state;
	end_tasks();
	assert_int_equal(stage(hash), 0);
	assert_int_equal(seal(hash, NULL), 0);
	assert_int_equal(
	    db_model_part_sealed(db, arena, &key, "pipeline", &parts, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
	    model_object_read(&conf, parts, MODEL_OBJECT_MAX, &content), 0);
	p = sluice__model__pipeline__unpack(
	    NULL, content.len, (const uint8_t *)content.data);
	assert_non_null(p);
	assert_string_equal(p->model_id, MODEL);
	assert_string_equal(p->model_version, J);
	assert_true(p->parent);
	assert_string_equal(p->initiator_role, "guest");
	assert_int_equal(p->initiator_party_id, 9999);
	assert_memory_equal(
	    p->train_runtime_conf.data, "{\"dsl_version\":2}", 17);
	sluice__model__pipeline__free_unpacked(p, NULL);
	buf_fini(&content);
}

static void
nothing_is_staged_while_a_task_has_not_ended_well(void **state)
{
	uint8_t hash[DB_HASH_SIZE];
	struct db_model *m;

	(void)state;
	end_task("reader_0", 0, NULL);
	assert_int_equal(stage(hash), ERR_CONFLICT);
	assert_non_null(strstr(err_text(), "lr_0"));
	assert_int_equal(
	    db_model_get_staged(db, arena, &key, &m), ERR_NOT_FOUND);
}

static void
only_the_initiator_has_a_model_staged_or_sealed(void **state)
{
	const struct model_member members[] = { { "host", ROWS_HOST, { 1 } } };
	uint8_t hash[DB_HASH_SIZE];

	(void)state;
	end_tasks();
	assert_int_equal(
	    party_job_model(db, &conf, &stranger, &member, hash, NULL),
	    ERR_DENIED);
	assert_int_equal(stage(hash), 0);
	assert_int_equal(
	    party_job_success(db, &stranger, &member, members, 1, NULL),
	    ERR_DENIED);
	assert_int_equal(job_status(), STATE_RUNNING);
}

static void
damaged_or_missing_part_is_named_and_nothing_is_staged(void **state)
{
	struct db_model_part *parts;
	uint8_t hash[DB_HASH_SIZE];
	struct db_model *m;
	char *path;
	size_t n;

	(void)state;
	end_tasks();
	assert_int_equal(db_model_part_all(db, arena, &key, &parts, &n), 0);
	path = model_object_path(&conf, parts[0].sha256);
	assert_int_equal(fd_replace_file(path, "WEIGHTS", 7, 0640), 0);
	assert_int_equal(stage(hash), ERR_FORMAT);
	assert_non_null(strstr(err_text(), "lr_0.model LRParam"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(stage(hash), ERR_FORMAT);
	assert_int_equal(
	    db_model_get_staged(db, arena, &key, &m), ERR_NOT_FOUND);
	free(path);
}

static void
only_what_was_staged_is_sealed_and_for_all_members(void **state)
{
	const struct model_member few[] = { { "host", ROWS_HOST, { 1 } },
		{ "guest", ROWS_GUEST, { 2 } } };
	uint8_t hash[DB_HASH_SIZE];
	struct db_model *m;

	(void)state;
	end_tasks();
	assert_int_equal(stage(hash), 0);
	assert_int_equal(
	    party_job_success(db, &guest, &member, few, 2, NULL), ERR_INVALID);
	assert_int_equal(
	    party_job_success(db, &guest, &member, &few[1], 1, NULL),
	    ERR_INVALID);
	/* A success that forgets the model is none. */
	assert_int_equal(
	    party_job_status(db, &guest, &member, STATE_SUCCESS, NULL, NULL),
	    ERR_INVALID);
	hash[5] ^= 1;
	assert_int_equal(seal(hash, NULL), ERR_DENIED);
	assert_int_equal(job_status(), STATE_RUNNING);
	assert_int_equal(db_model_get(db, arena, &key, &m), ERR_NOT_FOUND);
	hash[5] ^= 1;
	assert_int_equal(seal(hash, NULL), 0);
}

static void
another_end_drops_what_was_staged_and_keeps_the_parts(void **state)
{
	struct db_model_part *parts;
	uint8_t hash[DB_HASH_SIZE];
	struct db_model *m;
	size_t n;

	(void)state;
	end_tasks();
	assert_int_equal(stage(hash), 0);
	assert_int_equal(party_job_stop(db, &guest, &member, STATE_FAILED,
			     "guest 9999: x", NULL),
	    0);
	assert_int_equal(
	    db_model_get_staged(db, arena, &key, &m), ERR_NOT_FOUND);
	assert_int_equal(db_model_part_all(db, arena, &key, &parts, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(parts[0].component, "lr_0");
	assert_int_equal(seal(hash, NULL), ERR_DENIED);
	assert_int_equal(stage(hash), ERR_CONFLICT);
}

/* The job runs again from lr_0. */
static void
run_again(void)
{
	const struct db_task_new t = { .component = "lr_0",
		.version = 1,
		.role = "host",
		.party_id = ROWS_HOST,
		.seq = 1,
		.module = "HeteroLR",
		.run_here = true,
		.need_run = true };

	assert_int_equal(
	    party_job_status(db, &guest, &member, STATE_WAITING, "rerun", NULL),
	    0);
	assert_int_equal(
	    party_task_create(db, &guest, &member, &t, NULL, NULL), 0);
	assert_int_equal(
	    party_resource_apply(db, &guest, &member, 60000, NULL), 0);
	assert_int_equal(party_job_start(db, &guest, &member, NULL), 0);
}

static void
rerun_makes_a_new_manifest_and_a_failed_one_keeps_the_old(void **state)
{
	uint8_t first[DB_HASH_SIZE], second[DB_HASH_SIZE];
	struct db_model_part *parts;
	struct db_model *m;
	size_t n;

	(void)state;
	end_tasks();
	assert_int_equal(stage(first), 0);
	assert_int_equal(seal(first, NULL), 0);
	run_again();
	assert_int_equal(stage(second), ERR_CONFLICT);
	end_task("lr_0", 1, "other weights");
	assert_int_equal(stage(second), 0);
	assert_memory_not_equal(first, second, sizeof(first));
	assert_int_equal(db_model_get(db, arena, &key, &m), 0);
	assert_memory_equal(m->manifest_hash, first, sizeof(first));
	assert_int_equal(party_job_stop(db, &guest, &member, STATE_CANCELED,
			     "by hand", NULL),
	    0);
	assert_int_equal(db_model_get(db, arena, &key, &m), 0);
	assert_memory_equal(m->manifest_hash, first, sizeof(first));
	assert_int_equal(
	    db_model_part_sealed(db, arena, &key, "lr_0", &parts, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(parts[0].version, 0);

	assert_int_equal(
	    party_job_status(db, &guest, &member, STATE_WAITING, "rerun", NULL),
	    0);
	assert_int_equal(
	    party_resource_apply(db, &guest, &member, 60000, NULL), 0);
	assert_int_equal(party_job_start(db, &guest, &member, NULL), 0);
	assert_int_equal(stage(second), 0);
	assert_int_equal(seal(second, NULL), 0);
	assert_int_equal(db_model_get(db, arena, &key, &m), 0);
	assert_memory_equal(m->manifest_hash, second, sizeof(second));
	assert_int_equal(db_model_part_all(db, arena, &key, &parts, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(parts[0].version, 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(half_is_staged_and_sealed_with_the_success),
		T(pipeline_message_says_what_the_row_says),
		T(nothing_is_staged_while_a_task_has_not_ended_well),
		T(only_the_initiator_has_a_model_staged_or_sealed),
		T(damaged_or_missing_part_is_named_and_nothing_is_staged),
		T(only_what_was_staged_is_sealed_and_for_all_members),
		T(another_end_drops_what_was_staged_and_keeps_the_parts),
		T(rerun_makes_a_new_manifest_and_a_failed_one_keeps_the_old),
	};
#undef T

	log_init("test_party_model", LOG_ERROR_);
	return cmocka_run_group_tests_name("party_model", tests, NULL, NULL);
}
