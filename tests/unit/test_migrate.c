/*
 * Party ids in messages of models.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/party/migrate_text.h"
#include "lib/party/model_migrate.h"
#include "proto/model/data_transform.pb-c.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

static struct json_object *was, *is;

static int
set_up(void **state)
{
	(void)state;
	assert_int_equal(
	    json_parse_text(
		"{\"guest\":[9999],\"host\":[10000,\"10001\"]}", &was),
	    0);
	assert_int_equal(
	    json_parse_text("{\"guest\":[1],\"host\":[2,3]}", &is), 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	json_object_put(was);
	json_object_put(is);
	return 0;
}

static void
names_of_old_members_get_the_new_party_and_others_stay(void **state)
{
	static const char *const names[][2] = {
		{ "guest_9999_x0", "guest_1_x0" },
		{ "host_10001_x3", "host_3_x3" },
		{ "host:10000", "host:2" },
		{ "host_9999_x0", "host_9999_x0" },
		{ "guest_99990_x0", "guest_99990_x0" },
		{ "guest_9999", "guest_9999" },
		{ "x9999_guest", "x9999_guest" },
		{ "", "" },
	};
	enum { N = sizeof(names) / sizeof(names[0]) };
	Sluice__Model__DataTransformParam
	    m = SLUICE__MODEL__DATA_TRANSFORM_PARAM__INIT,
	    *back;
	struct buf out = BUF_INIT;
	uint8_t data[1000];
	char *list[N];
	size_t len;

	(void)state;
	for (size_t i = 0; i < N; i++)
		list[i] = (char *)(uintptr_t)names[i][0];
	m.anonymous_header = list;
	m.n_anonymous_header = N;
	len = sluice__model__data_transform_param__pack(&m, data);
	assert_int_equal(
	    migrate_message(&sluice__model__data_transform_param__descriptor,
		data, len, was, is, &out),
	    0);
	back = sluice__model__data_transform_param__unpack(
	    NULL, out.len, (uint8_t *)out.data);
	assert_non_null(back);
	assert_int_equal(back->n_anonymous_header, N);
	for (size_t i = 0; i < N; i++)
		assert_string_equal(back->anonymous_header[i], names[i][1]);
	sluice__model__data_transform_param__free_unpacked(back, NULL);
	buf_fini(&out);
}

static void
bytes_that_are_no_message_are_refused(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(
	    migrate_message(&sluice__model__data_transform_param__descriptor,
		"\xff\xff\xff", 3, was, is, &out),
	    ERR_FORMAT);
	assert_int_equal(out.len, 0);
}

#define VERSION "202601010000000000001"

static struct site_conf conf;
static struct party_caller guest = { .party_id = ROWS_GUEST };

/* What a partner with a half of the version sends; roles is JSON. */
static int
asked(struct db *db, struct arena *a, const char *role, const char *migrate)
{
	struct json_object *body, *data = NULL;
	const struct db_model_filter all = { .model_version = VERSION };
	struct errand_ask ask = { .db = db,
		.conf = &conf,
		.arena = a,
		.caller = &guest,
		.role = "guest",
		.party_id = ROWS_GUEST,
		.data = &data };
	struct db_model *rows;
	char root[2 * DB_HASH_SIZE + 1];
	size_t n;
	int r;

	assert_int_equal(db_model_list(db, a, &all, &rows, &n), 0);
	assert_int_equal(n, 1);
	str_to_hex(rows[0].root_hash, DB_HASH_SIZE, root);
	assert_int_equal(
	    json_parse_text(arena_printf(a,
				"{\"model_id\":\"%s\",\"model_version\":"
				"\"" VERSION "\",\"root\":\"%s\","
				"\"new_version\":\"202601010000000000009\","
				"\"initiator_role\":\"guest\","
				"\"initiator_party\":1,\"role\":%s,"
				"\"migrate_role\":%s,\"write\":false}",
				rows[0].model_id, root, role, migrate),
		&body),
	    0);
	ask.body = body;
	r = model_migrate(&ask);
	json_object_put(data);
	json_object_put(body);
	return r;
}

static void
roles_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = { "{\"guest\":1}", "{\"guest\":null}",
		"{\"guest\":[]}", "{\"guest\":[\"x\"]}",
		"{\"guest\":[1],\"/../../x\":[2]}",
		"{\"guest\":[1],\"\":[2]}" };
	struct arena *a = arena_new();
	struct db *db;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	assert_int_equal(rows_model(db, VERSION, "sealed"), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
		    asked(db, a, "{\"guest\":[9999]}", bad[i]), ERR_INVALID);
		assert_int_equal(
		    asked(db, a, bad[i], "{\"guest\":[1]}"), ERR_INVALID);
	}
	db_close(db);
	arena_free(a);
}

static void
partners_cannot_fill_the_folder_of_archives(void **state)
{
	static const char role[] = "{\"guest\":[9999]}",
			  to[] = "{\"guest\":[1]}";
	struct arena *a = arena_new();
	struct db *db;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	conf.home = xasprintf("%s/home", mariadb_folder());
	assert_int_equal(rows_model(db, VERSION, "sealed"), 0);
	assert_int_equal(asked(db, a, role, to), 0);
	for (int i = 0; i < 64; i++) {
		char *dir = xasprintf("%s/models/migrated", conf.home);
		char *path = xasprintf("%s/%d.zip", dir, i);

		assert_int_equal(fd_mkdirs(dir, 0700), 0);
		assert_int_equal(fd_replace_file(path, "x", 1, 0600), 0);
		free(path);
		free(dir);
	}
	assert_int_equal(asked(db, a, role, to), ERR_LIMIT);
	guest.is_site = true;
	assert_int_equal(asked(db, a, role, to), 0);
	guest.is_site = false;
	assert_int_equal(fd_remove_tree(conf.home), 0);
	free(conf.home);
	conf.home = NULL;
	db_close(db);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    names_of_old_members_get_the_new_party_and_others_stay),
		cmocka_unit_test(bytes_that_are_no_message_are_refused),
		cmocka_unit_test(roles_that_are_none_are_refused),
		cmocka_unit_test(partners_cannot_fill_the_folder_of_archives),
	};

	return cmocka_run_group_tests_name("migrate", tests, set_up, tear_down);
}
