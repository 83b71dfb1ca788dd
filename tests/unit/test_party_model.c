/*
 * The model of a training job at one member: staged from what its tasks put
 * out, sealed with the success, gone after any other end; and deployments.
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
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_checkpoint.h"
#include "lib/db/db_model.h"
#include "lib/db/db_resource.h"
#include "lib/model/model_object.h"
#include "lib/party/model_deploy.h"
#include "lib/party/model_load.h"
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
	    party_resource_apply(db, &guest, &member, 60000, NULL, NULL) == 0 &&
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
	    ERR_NOT_FOUND);
	assert_int_equal(stage(hash), 0);
	assert_int_equal(
	    party_job_success(db, &stranger, &member, members, 1, NULL),
	    ERR_NOT_FOUND);
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
	    party_resource_apply(db, &guest, &member, 60000, NULL, NULL), 0);
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
	    party_resource_apply(db, &guest, &member, 60000, NULL, NULL), 0);
	assert_int_equal(party_job_start(db, &guest, &member, NULL), 0);
	assert_int_equal(stage(second), 0);
	assert_int_equal(seal(second, NULL), 0);
	assert_int_equal(db_model_get(db, arena, &key, &m), 0);
	assert_memory_equal(m->manifest_hash, second, sizeof(second));
	assert_int_equal(db_model_part_all(db, arena, &key, &parts, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(parts[0].version, 1);
}

/* --- deployment --- */

#define CHILD "202601020000000000001"
#define DSL                                                                    \
	"{\"components\":{\"lr_0\":{\"module\":\"HeteroLR\",\"input\":{"       \
	"\"model\":[\"pipeline.lr_0.model\"]},\"output\":{\"data\":[\"d\"]}}}}"

static const struct db_model_key child_key = { MODEL, CHILD, "host",
	ROWS_HOST };

/* The trained version is sealed; its root goes to hex. */
static void
train(char hex[MODEL_HEX_SIZE])
{
	uint8_t hash[DB_HASH_SIZE];
	struct db_model *m;

	end_tasks();
	assert_int_equal(stage(hash), 0);
	assert_int_equal(seal(hash, NULL), 0);
	assert_int_equal(db_model_get(db, arena, &key, &m), 0);
	str_to_hex(m->root_hash, sizeof(m->root_hash), hex);
}

static struct json_object *
deploy_body(const char *root, const char *more)
{
	struct json_object *o;
	char *text =
	    xasprintf("{\"model_id\":\"" MODEL "\",\"model_version\":\"" J
		      "\",\"root\":\"%s\",\"child\":\"" CHILD
		      "\",\"inference_dsl\":" DSL "%s}",
		root, more);

	assert_int_equal(json_parse_text(text, &o), 0);
	free(text);
	return o;
}

static int
ask(errand_fn *fn, const struct party_caller *c, struct json_object *body,
    struct json_object **data)
{
	struct errand_ask a = { .db = db,
		.conf = &conf,
		.arena = arena,
		.caller = c,
		.role = "host",
		.party_id = ROWS_HOST,
		.body = body,
		.data = data };

	*data = NULL;
	return fn(&a);
}

static int
ask_stage(const struct party_caller *c, struct json_object *body,
    uint8_t hash[DB_HASH_SIZE])
{
	struct json_object *data;
	int r = ask(model_deploy_stage, c, body, &data);

	if (r == 0)
		assert_int_equal(
		    str_from_hex(json_get_str(data, "manifest_hash", ""), hash,
			DB_HASH_SIZE),
		    0);
	json_object_put(data);
	return r;
}

static int
ask_seal(struct json_object *body, const uint8_t hash[])
{
	struct model_member members[] = { { "arbiter", ROWS_HOST, { 1 } },
		{ "guest", ROWS_GUEST, { 2 } }, { "host", ROWS_HOST, { 0 } } };
	struct json_object *data;
	int r;

	memcpy(members[2].manifest_hash, hash, MODEL_HASH_SIZE);
	json_add(body, "members", model_members_json(members, 3));
	r = ask(model_deploy_seal, &guest, body, &data);
	json_object_put(data);
	return r;
}

static void
child_is_staged_then_sealed_with_the_parents_files(void **state)
{
	char root[MODEL_HEX_SIZE];
	struct db_model_part *parts;
	uint8_t hash[DB_HASH_SIZE], again[DB_HASH_SIZE];
	struct json_object *body;
	struct db_model *m;
	size_t n;

	(void)state;
	train(root);
	body = deploy_body(root, "");
	assert_int_equal(ask_stage(&guest, body, hash), 0);
	assert_int_equal(
	    db_model_get(db, arena, &child_key, &m), ERR_NOT_FOUND);
	assert_int_equal(ask_stage(&guest, body, again), 0);
	assert_memory_equal(hash, again, sizeof(hash));
	assert_int_equal(ask_seal(body, hash), 0);
	assert_int_equal(db_model_get(db, arena, &child_key, &m), 0);
	assert_false(m->is_parent);
	assert_string_equal(m->parent_version, J);
	/* What the root is of goes with an archive. */
	assert_non_null(m->members);
	assert_string_equal(m->job_id, J);
	assert_int_equal(
	    db_model_part_sealed(db, arena, &child_key, NULL, &parts, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(parts[0].component, "lr_0");
	assert_int_equal(parts[0].bytes, 7);
	/* Lost answers: asked again, nothing changes. */
	assert_int_equal(ask_seal(body, hash), 0);
	json_object_object_del(body, "members");
	assert_int_equal(ask_stage(&guest, body, again), 0);
	assert_memory_equal(hash, again, sizeof(hash));
	json_object_put(body);
}

static int64_t
stored(void)
{
	static const struct db_stmt bytes = { "bytes", "",
		"SELECT CAST(COALESCE(SUM(bytes), 0) AS SIGNED)"
		" FROM partner_stored" };
	int64_t n;

	assert_int_equal(db_query_int(db, &bytes, &n), 0);
	return n;
}

static void
what_a_deployment_stores_is_counted_once_and_given_back_with_it(void **state)
{
	static const struct party_caller self = { .party_id = ROWS_HOST,
		.is_site = true };
	char root[MODEL_HEX_SIZE];
	uint8_t hash[DB_HASH_SIZE];
	struct json_object *body, *data;
	int64_t before, with;

	(void)state;
	train(root);
	before = stored();
	body = deploy_body(root, "");
	assert_int_equal(ask_stage(&guest, body, hash), 0);
	with = stored();
	assert_true(with > before);
	assert_int_equal(ask_stage(&guest, body, hash), 0);
	assert_int_equal(stored(), with);
	assert_int_equal(ask(model_deploy_drop, &guest, body, &data), 0);
	assert_int_equal(stored(), before);
	assert_int_equal(ask(model_deploy_drop, &guest, body, &data), 0);
	assert_int_equal(stored(), before);
	/* Nobody came to seal or drop it. */
	assert_int_equal(ask_stage(&guest, body, hash), 0);
	assert_int_equal(db_model_drop_staged(db, &child_key), 0);
	assert_int_equal(stored(), before);
	/* What is sealed stays, and what this site deploys is its own. */
	assert_int_equal(ask_seal(body, hash), 0);
	assert_int_equal(stored(), with);
	assert_int_equal(ask(model_deploy_drop, &guest, body, &data), 0);
	assert_int_equal(stored(), with);
	assert_int_equal(db_model_delete(db, &child_key), 0);
	assert_int_equal(stored(), before);
	json_object_object_del(body, "members");
	assert_int_equal(ask_stage(&self, body, hash), 0);
	assert_int_equal(stored(), before);
	json_object_put(body);
}

static void
child_that_was_dropped_meanwhile_is_sealed_all_the_same(void **state)
{
	char root[MODEL_HEX_SIZE];
	uint8_t hash[DB_HASH_SIZE];
	struct json_object *body, *data;
	struct db_model *m;

	(void)state;
	train(root);
	body = deploy_body(root, "");
	assert_int_equal(ask_stage(&guest, body, hash), 0);
	assert_int_equal(ask(model_deploy_drop, &guest, body, &data), 0);
	assert_int_equal(
	    db_model_get_staged(db, arena, &child_key, &m), ERR_NOT_FOUND);
	assert_int_equal(ask(model_deploy_drop, &guest, body, &data), 0);
	assert_int_equal(ask_seal(body, hash), 0);
	assert_int_equal(db_model_get(db, arena, &child_key, &m), 0);
	/* What is sealed is not dropped. */
	assert_int_equal(ask(model_deploy_drop, &guest, body, &data), 0);
	assert_int_equal(db_model_get(db, arena, &child_key, &m), 0);
	json_object_put(body);
}

static void
deployment_of_strangers_or_of_other_roots_is_refused(void **state)
{
	char root[MODEL_HEX_SIZE];
	uint8_t hash[DB_HASH_SIZE];
	struct json_object *body;
	struct db_model *m;

	(void)state;
	train(root);
	body = deploy_body(root, "");
	assert_int_equal(ask_stage(&stranger, body, hash), ERR_NOT_FOUND);
	json_object_put(body);
	root[0] = root[0] == '0' ? '1' : '0';
	body = deploy_body(root, "");
	assert_int_equal(ask_stage(&guest, body, hash), ERR_DENIED);
	assert_non_null(strstr(err_text(), "do not belong together"));
	json_object_put(body);
	assert_int_equal(
	    db_model_get_staged(db, arena, &child_key, &m), ERR_NOT_FOUND);
}

static void
other_manifests_and_other_members_are_not_sealed(void **state)
{
	struct model_member few[] = { { "host", ROWS_HOST, { 0 } } };
	char root[MODEL_HEX_SIZE];
	uint8_t hash[DB_HASH_SIZE];
	struct json_object *body, *data;
	struct db_model *m;

	(void)state;
	train(root);
	body = deploy_body(root, "");
	assert_int_equal(ask_stage(&guest, body, hash), 0);
	memcpy(few[0].manifest_hash, hash, sizeof(hash));
	json_add(body, "members", model_members_json(few, 1));
	assert_int_equal(
	    ask(model_deploy_seal, &guest, body, &data), ERR_INVALID);
	hash[0] ^= 1;
	assert_int_equal(ask_seal(body, hash), ERR_DENIED);
	assert_int_equal(
	    db_model_get(db, arena, &child_key, &m), ERR_NOT_FOUND);
	json_object_put(body);
}

static void
version_that_exists_is_not_made_anew(void **state)
{
	char root[MODEL_HEX_SIZE];
	uint8_t hash[DB_HASH_SIZE];
	struct json_object *body;

	(void)state;
	train(root);
	/* The training's own version, or another job's. */
	body = deploy_body(root, "");
	json_add_str(body, "child", J);
	assert_int_equal(ask_stage(&guest, body, hash), ERR_EXISTS);
	/* A sealed child of another DSL. */
	json_add_str(body, "child", CHILD);
	assert_int_equal(ask_stage(&guest, body, hash), 0);
	assert_int_equal(ask_seal(body, hash), 0);
	json_object_object_del(body, "members");
	json_add(body, "inference_dsl",
	    json_tokener_parse(
		"{\"components\":{\"a\":{\"module\":\"Union\"}}}"));
	assert_int_equal(ask_stage(&guest, body, hash), ERR_EXISTS);
	/* A child has no children. */
	json_add_str(body, "model_version", CHILD);
	json_add_str(body, "child", "202601030000000000001");
	assert_int_equal(ask_stage(&guest, body, hash), ERR_UNSUPPORTED);
	json_object_put(body);
}

static void
deployment_waits_for_the_parents_seal(void **state)
{
	uint8_t hash[DB_HASH_SIZE];
	struct json_object *body = deploy_body(
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "");

	(void)state;
	assert_int_equal(ask_stage(&guest, body, hash), ERR_NOT_FOUND);
	end_tasks();
	assert_int_equal(stage(hash), 0);
	assert_int_equal(ask_stage(&stranger, body, hash), ERR_NOT_FOUND);
	assert_int_equal(ask_stage(&guest, body, hash), ERR_BUSY);
	json_object_put(body);
}

static void
checkpoint_takes_the_place_of_the_models_end(void **state)
{
	struct db_checkpoint cp = { .model_id = MODEL,
		.model_version = J,
		.role = "host",
		.party_id = ROWS_HOST,
		.component = "lr_0",
		.step_index = 3,
		.step_name = "round" };
	struct db_checkpoint_part part = {
		.buffer_name = "LRParam", .message = "LRModelParam", .bytes = 5
	};
	char root[MODEL_HEX_SIZE];
	struct db_model_part *parts;
	uint8_t hash[DB_HASH_SIZE];
	struct json_object *body;
	size_t n;

	(void)state;
	train(root);
	body =
	    deploy_body(root, ",\"checkpoints\":{\"lr_0\":{\"step_index\":3}}");
	assert_int_equal(ask_stage(&guest, body, hash), ERR_UNSUPPORTED);
	assert_non_null(strstr(err_text(), "there are: none"));
	assert_int_equal(model_object_keep(&conf, "early", 5, part.sha256), 0);
	assert_int_equal(db_checkpoint_put(db, NULL, &cp, &part, 1, 5), 0);
	assert_int_equal(ask_stage(&guest, body, hash), 0);
	assert_int_equal(ask_seal(body, hash), 0);
	assert_int_equal(
	    db_model_part_sealed(db, arena, &child_key, "lr_0", &parts, &n), 0);
	assert_int_equal(n, 1);
	assert_memory_equal(parts->sha256, part.sha256, sizeof(part.sha256));
	assert_string_equal(parts->alias, "model");
	json_object_put(body);
}

static void
loading_says_why_not(void **state)
{
	char root[MODEL_HEX_SIZE];
	struct json_object *body, *data;
	uint8_t hash[DB_HASH_SIZE];

	(void)state;
	train(root);
	body = deploy_body(root, "");
	assert_int_equal(
	    ask(model_load, &stranger, body, &data), ERR_UNSUPPORTED);
	assert_int_equal(ask(model_load, &guest, body, &data), ERR_UNSUPPORTED);
	assert_non_null(strstr(err_text(), "not deployed"));
	assert_int_equal(ask_stage(&guest, body, hash), 0);
	assert_int_equal(ask_seal(body, hash), 0);
	json_add_str(body, "model_version", CHILD);
	assert_int_equal(ask(model_load, &guest, body, &data), ERR_UNSUPPORTED);
	assert_non_null(strstr(err_text(), "no serving"));
	json_object_put(body);
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
		T(child_is_staged_then_sealed_with_the_parents_files),
		T(what_a_deployment_stores_is_counted_once_and_given_back_with_it),
		T(child_that_was_dropped_meanwhile_is_sealed_all_the_same),
		T(deployment_of_strangers_or_of_other_roots_is_refused),
		T(other_manifests_and_other_members_are_not_sealed),
		T(version_that_exists_is_not_made_anew),
		T(deployment_waits_for_the_parents_seal),
		T(checkpoint_takes_the_place_of_the_models_end),
		T(loading_says_why_not),
	};
#undef T

	log_init("test_party_model", LOG_ERROR_);
	return cmocka_run_group_tests_name("party_model", tests, NULL, NULL);
}
