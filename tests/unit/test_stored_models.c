/*
 * Models of sealed versions as inputs of tasks: what a predict job reads,
 * what a ModelLoader may load, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_checkpoint.h"
#include "lib/db/db_model.h"
#include "lib/model/model_object.h"
#include "lib/model/model_version.h"
#include "supervisor/shepherd/inputs.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define TRAINING "202601010000000000001"
#define CHILD "202601010000000000002"
#define JOB "202602020000000000000"
#define MODEL_ID "arbiter-10000#guest-9999#host-10000#model"
#define STRANGER "777"

static struct db *db;
static struct site_conf conf;
static struct arena *arena;
static uint8_t root[DB_HASH_SIZE];
static struct db_model_key key = { MODEL_ID, CHILD, "host", ROWS_HOST };

static struct db_model_part
part(const char *component, const char *buffer, const char *content)
{
	struct db_model_part p = { .model_id = MODEL_ID,
		.model_version = CHILD,
		.role = "host",
		.party_id = ROWS_HOST,
		.component = component,
		.alias = "model",
		.buffer_name = buffer,
		.message = "LRModelParam",
		.module = "HeteroLR",
		.bytes = (int64_t)strlen(content) };

	assert_int_equal(
	    model_object_keep(&conf, content, strlen(content), p.sha256), 0);
	return p;
}

/* The host's half of a deployed version with two parts. */
static void
seal_version(void)
{
	struct db_model_part parts[2];
	struct model_member member = { .role = "host", .party_id = ROWS_HOST };
	struct db_model m = { .model_id = MODEL_ID,
		.model_version = CHILD,
		.role = "host",
		.party_id = ROWS_HOST,
		.job_id = TRAINING,
		.parent_version = TRAINING,
		.roles = "{\"guest\":[9999],\"host\":[10000]}",
		.initiator_role = "guest",
		.initiator_party = ROWS_GUEST,
		.train_dsl = "{}",
		.inference_dsl = "{}",
		.train_runtime_conf = "{}",
		.runtime_conf_on_party = "{}" };
	struct buf text = BUF_INIT;

	parts[0] = part("hetero_lr_0", "HeteroLRMeta", "meta");
	parts[1] = part("hetero_lr_0", "HeteroLRParam", "weights");
	assert_int_equal(
	    model_manifest_text(
		&(struct model_manifest){ .key = key, .parts = parts, .n = 2 },
		&text, member.manifest_hash),
	    0);
	m.manifest = buf_str(&text);
	memcpy(m.manifest_hash, member.manifest_hash, DB_HASH_SIZE);
	assert_int_equal(model_root(&member, 1, root), 0);
	assert_int_equal(db_model_stage(db, &m, parts, 2), 0);
	assert_int_equal(
	    db_model_seal(db, &key, member.manifest_hash, root, parts, 2, NULL),
	    0);
	buf_fini(&text);
}

static void
put_checkpoint(int64_t step, const char *name, const char *content)
{
	struct db_model_part p = part("hetero_lr_0", "HeteroLRParam", content);
	struct db_checkpoint c = { .model_id = MODEL_ID,
		.model_version = TRAINING,
		.role = "host",
		.party_id = ROWS_HOST,
		.component = "hetero_lr_0",
		.step_index = step,
		.step_name = name };
	struct db_checkpoint_part part_row = { .buffer_name = p.buffer_name,
		.message = p.message,
		.bytes = p.bytes };

	memcpy(part_row.sha256, p.sha256, sizeof(p.sha256));
	assert_int_equal(db_checkpoint_put(db, NULL, &c, &part_row, 1, 10), 0);
}

static int
set_up(void **state)
{
	struct rows_partner p;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	conf.home = xasprintf("%s/home", mariadb_folder());
	rows_partner_init(&p, TRAINING, "host");
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	seal_version();
	put_checkpoint(0, "epoch", "first");
	put_checkpoint(1, "epoch", "second");
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

/* The task of this site's host in a job that another party initiated. */
struct reader {
	struct db_attempt attempt;
	struct db_job job;
	struct dsl_stored stored;
	struct dsl_component component;
	struct module module;
	struct subject subject;
	struct inputs in;
};

static struct reader
reader(const char *module)
{
	struct reader r = { .attempt.key = { .job_id = JOB,
				.component = "hetero_lr_0",
				.role = "host",
				.party_id = ROWS_HOST },
		.job = { .job_id = JOB,
		    .initiator_party = ROWS_GUEST,
		    .model_id = MODEL_ID,
		    .model_version = CHILD },
		.component = { .name = "hetero_lr_0" },
		.module = { .name = module } };
	char hex[2 * DB_HASH_SIZE + 1];

	str_to_hex(root, sizeof(root), hex);
	r.job.contract =
	    arena_printf(arena, "{\"model\":{\"root_hash\":\"%s\"}}", hex);
	return r;
}

static int
resolve(struct reader *r)
{
	r->subject = (struct subject){ .attempt = &r->attempt,
		.job = &r->job,
		.component = &r->component,
		.module = &r->module,
		.parameters = r->subject.parameters };
	return inputs_resolve(arena, db, &conf, &r->subject, &r->in);
}

static int
predict(struct reader *r, const char *component, const char *alias)
{
	r->stored = (struct dsl_stored){ DSL_REF_MODEL, 0, component, alias };
	r->component.stored = &r->stored;
	r->component.n_stored = 1;
	return resolve(r);
}

/* With the parameters of a ModelLoader beside the model's id. */
static int
load(const char *initiator, const char *version, const char *more)
{
	struct reader r = reader("ModelLoader");
	char *text;
	int code;

	text = xasprintf("{\"model_id\":\"" MODEL_ID
			 "\",\"model_version\":\"%s\",%s}",
	    version, more);
	assert_int_equal(json_parse_text(text, &r.subject.parameters), 0);
	r.job.initiator_party = initiator;
	r.component.name = "model_loader_0";
	code = resolve(&r);
	if (code == 0)
		assert_int_equal(r.in.n_models, 1);
	json_object_put(r.subject.parameters);
	free(text);
	return code == 0 ? (int)r.in.models[0]->buffers[0]->content.len : code;
}

/* --- predict jobs ------------------------------------------------------------- */

static void
a_predict_job_gets_what_the_manifest_lists(void **state)
{
	struct reader r = reader("HeteroLR");

	(void)state;
	assert_int_equal(predict(&r, "hetero_lr_0", "model"), 0);
	assert_int_equal(r.in.n_models, 1);
	assert_string_equal(r.in.models[0]->kind, "model");
	assert_int_equal(r.in.models[0]->n_buffers, 2);
	assert_string_equal(r.in.models[0]->buffers[1]->name, "HeteroLRParam");
	assert_memory_equal(
	    r.in.models[0]->buffers[1]->content.data, "weights", 7);
	/* A component that left no model at this member. */
	r = reader("DataTransform");
	assert_int_equal(predict(&r, "data_transform_0", "model"), 0);
	assert_int_equal(r.in.n_models, 0);
}

static void
a_changed_file_is_refused(void **state)
{
	struct db_model_part p =
	    part("hetero_lr_0", "HeteroLRParam", "weights");
	struct reader r = reader("HeteroLR");
	char *path = model_object_path(&conf, p.sha256);

	(void)state;
	assert_int_equal(fd_replace_file(path, "Weights", 7, 0600), 0);
	assert_int_equal(predict(&r, "hetero_lr_0", "model"), ERR_FORMAT);
	assert_non_null(strstr(err_text(), "hetero_lr_0"));
	assert_int_equal(unlink(path), 0);
	assert_int_not_equal(predict(&r, "hetero_lr_0", "model"), 0);
	free(path);
}

static void
a_version_that_was_replaced_is_refused(void **state)
{
	struct reader r = reader("HeteroLR");

	(void)state;
	r.job.contract = "{\"model\":{\"root_hash\":\"00\"}}";
	assert_int_equal(predict(&r, "hetero_lr_0", "model"), ERR_DENIED);
	assert_non_null(strstr(err_text(), "another one than when the job"));
	r.job.contract = "{}";
	assert_int_equal(predict(&r, "hetero_lr_0", "model"), ERR_DENIED);
	r.job.model_version = TRAINING;
	assert_int_equal(predict(&r, "hetero_lr_0", "model"), ERR_NOT_FOUND);
}

static void
a_manifest_that_was_changed_is_refused(void **state)
{
	static const struct db_stmt change = { "test.change", "",
		"UPDATE model SET manifest = REPLACE(manifest, '\"bytes\":4',"
		" '\"bytes\":5')" };
	struct reader r = reader("HeteroLR");
	int64_t n;

	(void)state;
	assert_int_equal(db_exec(db, &change, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(predict(&r, "hetero_lr_0", "model"), ERR_FORMAT);
	assert_non_null(strstr(err_text(), "not the one that was sealed"));
}

/* --- ModelLoader --------------------------------------------------------------- */

#define LR "\"component_name\":\"hetero_lr_0\""

static void
a_loader_takes_a_model_or_a_checkpoint(void **state)
{
	(void)state;
	assert_int_equal(load(ROWS_GUEST, CHILD, LR), 4); /* "meta" */
	assert_int_equal(
	    load(ROWS_GUEST, CHILD, LR ",\"model_alias\":\"model\""), 4);
	assert_int_equal(
	    load(ROWS_GUEST, CHILD, LR ",\"model_alias\":\"other\""),
	    ERR_NOT_FOUND);
	/* That training was never sealed here: its newest checkpoint. */
	assert_int_equal(load(ROWS_GUEST, TRAINING, LR), 6); /* "second" */
	assert_int_equal(load(ROWS_GUEST, TRAINING, LR ",\"step_index\":0"), 5);
	assert_int_equal(
	    load(ROWS_GUEST, TRAINING, LR ",\"step_name\":\"epoch\""), 6);
	assert_int_equal(
	    load(ROWS_GUEST, TRAINING, LR ",\"step_index\":7"), ERR_NOT_FOUND);
	assert_non_null(strstr(err_text(), "no such checkpoint"));
}

static void
a_stranger_learns_nothing_of_models_of_others(void **state)
{
	char *there;

	(void)state;
	assert_int_equal(load(STRANGER, CHILD, LR), ERR_NOT_FOUND);
	there = xstrdup(err_text());
	assert_int_equal(
	    load(STRANGER, "202601010000000000009", LR), ERR_NOT_FOUND);
	/* The same words but for the version. */
	memcpy(strstr(there, CHILD), "202601010000000000009", strlen(CHILD));
	assert_string_equal(err_text(), there);
	free(there);
	assert_int_equal(load(STRANGER, TRAINING, LR), ERR_NOT_FOUND);
}

/* Who initiates a job gives it its id: that of another's version, too. */
static void
a_job_that_is_called_like_a_version_does_not_open_it(void **state)
{
	struct rows_partner p;

	(void)state;
	rows_partner_init(&p, CHILD, "host");
	p.job.initiator_party = STRANGER;
	for (size_t i = 0; i < p.job.nparties; i++)
		if (str_eq(p.job.parties[i].party_id, ROWS_GUEST))
			p.parties[i].party_id = STRANGER;
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	assert_int_equal(load(STRANGER, CHILD, LR), ERR_NOT_FOUND);
	assert_int_equal(load(ROWS_GUEST, CHILD, LR), 4);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_predict_job_gets_what_the_manifest_lists),
		TEST(a_changed_file_is_refused),
		TEST(a_version_that_was_replaced_is_refused),
		TEST(a_manifest_that_was_changed_is_refused),
		TEST(a_loader_takes_a_model_or_a_checkpoint),
		TEST(a_stranger_learns_nothing_of_models_of_others),
		TEST(a_job_that_is_called_like_a_version_does_not_open_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
