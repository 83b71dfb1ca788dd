/*
 * Versions of models: staged, sealed, staged again by a rerun, dropped; and
 * the hashes that prove that halves belong together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_model.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_tx.h"
#include "lib/model/model_version.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"

static struct db *db;
static struct arena *arena;
static const struct db_model_key key = { "guest-9999#model", J1, "guest",
	ROWS_GUEST };

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

static struct db_model_part
part_of(const char *component, const char *buffer, int64_t version, int fill)
{
	struct db_model_part p = { .model_id = key.model_id,
		.model_version = key.model_version,
		.role = key.role,
		.party_id = key.party_id,
		.component = component,
		.alias = "model",
		.buffer_name = buffer,
		.message = "LRModelParam",
		.module = "HeteroLR",
		.version = version,
		.bytes = 10 };

	memset(p.sha256, fill, sizeof(p.sha256));
	return p;
}

static void
put_part(const struct db_model_part *p)
{
	assert_int_equal(db_model_part_put(db, p), 0);
}

static size_t
sealed_parts(struct db_model_part **rows)
{
	size_t n;

	assert_int_equal(
	    db_model_part_sealed(db, arena, &key, NULL, rows, &n), 0);
	return n;
}

static size_t
all_parts(struct db_model_part **rows)
{
	size_t n;

	assert_int_equal(db_model_part_all(db, arena, &key, rows, &n), 0);
	return n;
}

static size_t
newest_parts(const char *component, struct db_model_part **rows)
{
	size_t n;

	assert_int_equal(db_model_part_newest(db, arena, NULL, J1, key.role,
			     key.party_id, component, NULL, rows, &n),
	    0);
	return n;
}

static struct db_model
version_of(int manifest)
{
	struct db_model m = { .model_id = key.model_id,
		.model_version = key.model_version,
		.role = key.role,
		.party_id = key.party_id,
		.job_id = J1,
		.is_parent = true,
		.roles = "{\"guest\":[9999]}",
		.initiator_role = "guest",
		.initiator_party = ROWS_GUEST,
		.train_dsl = "{\"components\":{}}",
		.inference_dsl = "{}",
		.train_runtime_conf = "{}",
		.runtime_conf_on_party = "{}",
		.manifest = "{}",
		.size_bytes = 20 };

	memset(m.manifest_hash, manifest, sizeof(m.manifest_hash));
	return m;
}

static void
stage(int manifest, const struct db_model_part *parts, size_t n)
{
	struct db_model m = version_of(manifest);

	assert_int_equal(db_model_stage(db, &m, parts, n), 0);
}

static int
seal(int manifest, const struct db_model_part *parts, size_t n, bool *effective)
{
	unsigned char hash[DB_HASH_SIZE], root[DB_HASH_SIZE];

	memset(hash, manifest, sizeof(hash));
	memset(root, manifest + 100, sizeof(root));
	return db_model_seal(db, &key, hash, root, parts, n, effective);
}

/* Which manifest is sealed; 0 for none. */
static int
sealed(void)
{
	struct db_model *got;

	if (db_model_get(db, arena, &key, &got) == ERR_NOT_FOUND)
		return 0;
	assert_true(got->sealed);
	return got->manifest_hash[0];
}

static void
parts_of_the_newest_task_version_are_what_is_shown(void **state)
{
	struct db_model_part p = part_of("lr_0", "HeteroLRParam", 1, 1);
	struct db_model_part *rows;
	bool used;

	(void)state;
	put_part(&p);
	p = part_of("lr_0", "HeteroLRMeta", 0, 2);
	put_part(&p);
	assert_int_equal(newest_parts("lr_0", &rows), 1);
	assert_int_equal(rows->version, 1);
	assert_int_equal(rows->sha256[0], 1);
	/* The same version once more replaces. */
	p = part_of("lr_0", "HeteroLRParam", 1, 3);
	put_part(&p);
	assert_int_equal(newest_parts(NULL, &rows), 1);
	assert_int_equal(rows->sha256[0], 3);
	assert_int_equal(db_model_object_used(db, p.sha256, &used), 0);
	assert_true(used);
	memset(p.sha256, 1, sizeof(p.sha256));
	assert_int_equal(db_model_object_used(db, p.sha256, &used), 0);
	assert_false(used);
}

static void
staged_version_is_not_shown_until_it_is_sealed(void **state)
{
	struct db_model_part old = part_of("lr_0", "HeteroLRParam", 0, 1);
	struct db_model_part parts[] = {
		part_of("lr_0", "HeteroLRParam", 1, 2),
		part_of("pipeline", "Pipeline", 0, 3),
	};
	struct db_model *got;
	struct db_model_part *rows;
	bool effective;
	size_t n;

	(void)state;
	put_part(&old);
	put_part(&parts[0]);
	stage(7, &parts[1], 1);
	assert_int_equal(sealed(), 0);
	assert_int_equal(db_model_find(db, arena, J1, NULL, NULL, &got, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(sealed_parts(&rows), 0);
	assert_int_equal(db_model_get_staged(db, arena, &key, &got), 0);
	assert_false(got->sealed);
	/* Only as it was staged. */
	assert_int_equal(seal(8, parts, 2, &effective), ERR_CONFLICT);
	assert_int_equal(seal(7, parts, 2, &effective), 0);
	assert_true(effective);
	assert_int_equal(db_model_get(db, arena, &key, &got), 0);
	assert_int_equal(got->root_hash[0], 107);
	assert_string_equal(got->roles, "{\"guest\":[9999]}");
	assert_int_equal(sealed_parts(&rows), 2);
	assert_int_equal(rows[0].version, 1);
	assert_int_equal(all_parts(&rows), 2);
	assert_int_equal(seal(7, parts, 2, &effective), 0);
	assert_false(effective);
}

static void
sealed_version_stays_until_the_rerun_is_sealed_too(void **state)
{
	struct db_model_part first = part_of("lr_0", "HeteroLRParam", 0, 1);
	struct db_model_part again = part_of("lr_0", "HeteroLRParam", 1, 2);
	struct db_model_part missing = part_of("lr_0", "HeteroLRMeta", 1, 2);
	struct db_model_part *rows;
	struct db_model *got;
	size_t n;

	(void)state;
	stage(7, &first, 1);
	assert_int_equal(seal(7, &first, 1, NULL), 0);
	put_part(&again);
	stage(8, NULL, 0);
	assert_int_equal(sealed(), 7);
	assert_int_equal(sealed_parts(&rows), 1);
	assert_int_equal(rows->sha256[0], 1);
	/* A part that is not registered: nothing of the seal is done. */
	assert_int_equal(seal(8, &missing, 1, NULL), ERR_CONFLICT);
	assert_int_equal(sealed(), 7);
	assert_int_equal(sealed_parts(&rows), 1);
	assert_int_equal(seal(8, &again, 1, NULL), 0);
	assert_int_equal(sealed(), 8);
	assert_int_equal(sealed_parts(&rows), 1);
	assert_int_equal(rows->sha256[0], 2);
	assert_int_equal(
	    db_model_get_staged(db, arena, &key, &got), ERR_NOT_FOUND);
	assert_int_equal(
	    db_model_find(db, arena, J1, key.role, key.party_id, &got, &n), 0);
	assert_int_equal(n, 1);
}

static void
sealed_parts_cannot_be_replaced(void **state)
{
	struct db_model_part p = part_of("lr_0", "HeteroLRParam", 0, 1);
	struct db_model_part other = part_of("lr_0", "HeteroLRParam", 0, 9);
	struct db_model_part *rows;

	(void)state;
	stage(7, &p, 1);
	assert_int_equal(seal(7, &p, 1, NULL), 0);
	put_part(&other);
	assert_int_equal(sealed_parts(&rows), 1);
	assert_int_equal(rows->sha256[0], 1);
}

static void
what_is_not_sealed_can_be_dropped_and_leaves_the_rest(void **state)
{
	struct db_model_part first = part_of("lr_0", "HeteroLRParam", 0, 1);
	struct db_model_part again = part_of("lr_0", "HeteroLRParam", 1, 2);
	struct db_model_part pipeline = part_of("pipeline", "Pipeline", 1, 3);
	struct db_model_part *rows;

	(void)state;
	stage(7, &first, 1);
	assert_int_equal(seal(7, &first, 1, NULL), 0);
	put_part(&again);
	stage(8, &pipeline, 1);
	assert_int_equal(all_parts(&rows), 3);
	assert_int_equal(db_model_drop_staged(db, &key), 0);
	assert_int_equal(db_model_drop_staged(db, &key), 0);
	assert_int_equal(sealed(), 7);
	/* What the task put out stays with the job. */
	assert_int_equal(all_parts(&rows), 2);
	assert_int_equal(db_model_delete(db, &key), 0);
	assert_int_equal(sealed(), 0);
	assert_int_equal(all_parts(&rows), 0);
}

static size_t
abandoned(int64_t age_ms)
{
	struct db_model *rows;
	size_t n;

	assert_int_equal(db_model_abandoned(db, arena, age_ms, &rows, &n), 0);
	return n;
}

/* Two who stage the same version, for the same partner. */
struct stager {
	struct db *db;
	pthread_t thread;
	int result;
};

static void *
stage_it(void *arg)
{
	struct stager *s = arg;
	struct db_model m = version_of(1);

	m.stored_party = ROWS_GUEST;
	m.stored_bytes = 100;
	s->result = db_model_stage(s->db, &m, NULL, 0);
	return NULL;
}

/* Both are on their way before either can count. */
static int
let_both_wait(struct db *d, void *ctx)
{
	static const struct db_stmt waiting = { "waiting", "",
		"SELECT CAST(VARIABLE_VALUE AS SIGNED)"
		" FROM information_schema.GLOBAL_STATUS"
		" WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS'" };
	struct stager *both = ctx;
	struct db *other = mariadb_connect();
	int64_t n = 0;
	int r = db_quota_store(d, ROWS_GUEST, 0);

	for (int i = 0; r == 0 && i < 2; i++)
		assert_int_equal(
		    pthread_create(&both[i].thread, NULL, stage_it, &both[i]),
		    0);
	for (int i = 0; r == 0 && n < 2 && i < 2000; i++) {
		r = db_query_int(other, &waiting, &n);
		(void)usleep(1000);
	}
	db_close(other);
	return r;
}

static void
what_two_stage_at_once_is_counted_once(void **state)
{
	static const struct db_stmt stored = { "test.stored", "",
		"SELECT bytes FROM partner_stored" };
	struct stager both[2] = { { .db = mariadb_connect() },
		{ .db = mariadb_connect() } };
	int64_t bytes;

	(void)state;
	assert_int_equal(db_quota_store(db, ROWS_GUEST, 7), 0);
	assert_int_equal(db_tx(db, let_both_wait, both), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(both[i].thread, NULL), 0);
		assert_int_equal(both[i].result, 0);
		db_close(both[i].db);
	}
	assert_int_equal(db_query_int(db, &stored, &bytes), 0);
	assert_int_equal(bytes, 107);
}

static void
staged_versions_that_nobody_will_seal_are_found(void **state)
{
	struct db_model child = version_of(9);

	(void)state;
	assert_int_equal(rows_initiated(db, J1), 0);
	stage(7, NULL, 0);
	assert_int_equal(abandoned(0), 0);
	assert_int_equal(
	    db_job_move(db, J1, STATE_FAILED, 0, "a test", NULL), 0);
	assert_int_equal(abandoned(0), 1);
	/* A child has no job that could tell, only its age. */
	child.is_parent = false;
	child.parent_version = J1;
	assert_int_equal(db_model_stage(db, &child, NULL, 0), 0);
	assert_int_equal(abandoned(3600000), 0);
	assert_int_equal(abandoned(-1000), 1);
}

static void
versions_are_listed_by_what_is_known_of_them(void **state)
{
	const struct db_model_filter other = { .party_id = ROWS_HOST };
	const struct db_model_filter ours = {
		.model_id = key.model_id, .party_id = key.party_id, .job_id = J1
	};
	struct db_model *rows;
	size_t n;

	(void)state;
	stage(7, NULL, 0);
	assert_int_equal(db_model_list(db, arena, &ours, &rows, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(seal(7, NULL, 0, NULL), 0);
	assert_int_equal(db_model_list(db, arena, &ours, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(rows->model_version, J1);
	assert_null(rows->train_dsl);
	assert_int_equal(db_model_list(db, arena, &other, &rows, &n), 0);
	assert_int_equal(n, 0);
}

/* --- hashes --- */

static void
manifest_hash(const struct db_model_part *parts, size_t n, struct buf *text,
    uint8_t hash[])
{
	const struct model_manifest m = { .key = key,
		.contract_hash = parts[0].sha256,
		.parts = parts,
		.n = n };

	buf_clear(text);
	assert_int_equal(model_manifest_text(&m, text, hash), 0);
}

static void
manifest_is_the_same_for_the_same_parts_in_any_order(void **state)
{
	struct db_model_part parts[] = { part_of("a", "Param", 0, 1),
		part_of("b", "Meta", 2, 2), part_of("b", "Param", 2, 3) };
	struct db_model_part turned[] = { parts[0], parts[2], parts[1] };
	struct db_model_part *read;
	uint8_t first[MODEL_HASH_SIZE], second[MODEL_HASH_SIZE];
	struct buf text = BUF_INIT;
	size_t n;

	(void)state;
	manifest_hash(parts, 3, &text, first);
	assert_int_equal(
	    model_manifest_parts(buf_str(&text), arena, &read, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(read[1].component, "b");
	assert_string_equal(read[1].buffer_name, "Meta");
	assert_string_equal(read[1].model_version, J1);
	assert_int_equal(read[1].version, 2);
	assert_memory_equal(read[1].sha256, parts[1].sha256, DB_HASH_SIZE);
	assert_int_equal(model_manifest_contract(buf_str(&text), second), 0);
	assert_memory_equal(second, parts[0].sha256, DB_HASH_SIZE);
	manifest_hash(turned, 3, &text, second);
	assert_memory_equal(first, second, sizeof(first));
	turned[2].sha256[31] ^= 1;
	manifest_hash(turned, 3, &text, second);
	assert_memory_not_equal(first, second, sizeof(first));
	buf_fini(&text);
	assert_int_equal(
	    model_manifest_parts("{\"form\":2}", arena, &read, &n), ERR_FORMAT);
	assert_int_equal(model_manifest_parts(
			     "{\"form\":1,\"parts\":[{\"component\":\"a\"}]}",
			     arena, &read, &n),
	    ERR_FORMAT);
}

static void
root_changes_with_any_member(void **state)
{
	struct model_member members[] = { { "host", "10000", { 1 } },
		{ "guest", "9999", { 2 } } };
	struct model_member turned[] = { members[1], members[0] };
	struct model_member *read;
	uint8_t first[MODEL_HASH_SIZE], second[MODEL_HASH_SIZE];
	struct faults faults = FAULTS_INIT;
	struct json_object *o = model_members_json(members, 2);
	size_t n;

	(void)state;
	assert_int_equal(model_root(members, 2, first), 0);
	assert_int_equal(model_root(turned, 2, second), 0);
	assert_memory_equal(first, second, sizeof(first));
	assert_int_equal(
	    model_members_read(o, NULL, &faults, arena, &read, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(model_root(read, n, second), 0);
	assert_memory_equal(first, second, sizeof(first));
	assert_non_null(model_members_find(read, n, "guest", "9999"));
	assert_null(model_members_find(read, n, "guest", "10000"));
	turned[0].manifest_hash[0] = 3;
	assert_int_equal(model_root(turned, 2, second), 0);
	assert_memory_not_equal(first, second, sizeof(first));
	json_object_put(o);
	o = NULL;
	assert_int_equal(
	    json_parse_text("{\"guest\":{\"x\":\"00\"},\"host\":1}", &o), 0);
	assert_int_equal(model_members_read(o, NULL, &faults, arena, &read, &n),
	    ERR_INVALID);
	assert_int_equal(faults_count(&faults), 2);
	json_object_put(o);
	faults_fini(&faults);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(parts_of_the_newest_task_version_are_what_is_shown),
		T(staged_version_is_not_shown_until_it_is_sealed),
		T(sealed_version_stays_until_the_rerun_is_sealed_too),
		T(sealed_parts_cannot_be_replaced),
		T(what_is_not_sealed_can_be_dropped_and_leaves_the_rest),
		T(what_two_stage_at_once_is_counted_once),
		T(staged_versions_that_nobody_will_seal_are_found),
		T(versions_are_listed_by_what_is_known_of_them),
		T(manifest_is_the_same_for_the_same_parts_in_any_order),
		T(root_changes_with_any_member),
	};
#undef T

	log_init("test_db_model", LOG_ERROR_);
	return cmocka_run_group_tests_name("db_model", tests, NULL, NULL);
}
