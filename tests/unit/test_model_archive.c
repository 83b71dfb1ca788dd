/*
 * Models out of a site and back in, through the handlers; and what is done
 * to archives on their way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/turns.h"
#include "lib/archive/yaml.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_checkpoint.h"
#include "lib/json/json.h"
#include "lib/model/model_object.h"
#include "lib/sign/digest.h"
#include "tests/lib/api_call.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/repack.h"
#include "tests/lib/rows.h"
#include "tests/lib/version.h"

#define PARAM "variables/data/lr_0/model/LRModelParam"
#define PIPELINE "variables/data/pipeline/pipeline/Pipeline"
#define KEY_JSON                                                               \
	"{\"role\":\"guest\",\"party_id\":9999,\"model_id\":\"" VERSION_MODEL  \
	"\",\"model_version\":\"" VERSION_ID "\"}"

static char home[] = "/tmp/sluice-archive-XXXXXX";
static char none[] = "", us[] = "9999";
static struct site_conf conf;
static struct app app;
static struct arena *arena;
static char *zip; /* what was exported */

static void
make_folders(void)
{
	static const char *const names[] = { "spool/upload", "models" };

	for (size_t i = 0; i < 2; i++) {
		char *path = xasprintf("%s/%s", home, names[i]);

		assert_int_equal(fd_mkdirs(path, 0750), 0);
		free(path);
	}
}

/* Export to a file. */
static void export(const char *path)
{
	struct api_answer a;

	api_call(&app, "GET", "/v1/model/export", KEY_JSON, &a);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(buf_str(&a.head),
	    "filename=guest#9999#" VERSION_MODEL "_" VERSION_ID ".zip\r\n"));
	assert_int_equal(
	    fd_replace_file(path, a.body.data, a.body.len, 0600), 0);
	api_answer_fini(&a);
}

static int
set_up(void **state)
{
	(void)state;
	mariadb_fresh();
	conf = *mariadb_conf();
	memcpy(home + strlen(home) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(home));
	conf.home = home;
	conf.mailbox_memory_dir = home;
	conf.board_url = none;
	conf.party_id = us;
	conf.fcgi_max_body = 1 << 20;
	conf.upload_max_mb = 1024;
	conf.client_auth_off_on_loopback = true;
	make_folders();
	app = (struct app){ .conf = &conf, .db = mariadb_connect() };
	assert_int_equal(turns_new(1, "downloads", &app.downloads), 0);
	arena = arena_new();
	version_make(app.db, &conf, arena);
	zip = xasprintf("%s/model.zip", home);
	export(zip);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	assert_int_equal(fd_remove_tree(home), 0);
	free(zip);
	arena_free(arena);
	turns_free(app.downloads);
	db_close(app.db);
	return 0;
}

/* --- imports --- */

/* A form as clients send it: two fields named file, one of them text. */
static void
import_as(const char *archive, const char *party, const char *more,
    struct api_answer *a)
{
	struct buf body = BUF_INIT;
	char *path = xasprintf("%s/spool/upload/form", home);

	buf_printf(&body,
	    "--b\r\nContent-Disposition: form-data; name=\"role\"\r\n\r\n"
	    "guest\r\n"
	    "--b\r\nContent-Disposition: form-data; name=\"party_id\"\r\n\r\n"
	    "%s\r\n"
	    "--b\r\nContent-Disposition: form-data; name=\"model_id\"\r\n\r\n" VERSION_MODEL
	    "\r\n"
	    "--b\r\nContent-Disposition: form-data; name=\"model_version\""
	    "\r\n\r\n" VERSION_ID "\r\n"
	    "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"
	    "/home/me/model.zip\r\n%s"
	    "--b\r\nContent-Disposition: form-data; name=\"file\"; "
	    "filename=\"model.zip\"\r\n\r\n",
	    party, more);
	assert_int_equal(buf_read_file(&body, archive, 1 << 28), 0);
	buf_puts(&body, "\r\n--b--\r\n");
	assert_int_equal(fd_replace_file(path, body.data, body.len, 0600), 0);
	api_call_file(&app, "/v1/model/import",
	    "multipart/form-data; boundary=b", path, a);
	buf_fini(&body);
	free(path);
}

#define FORCE                                                                  \
	"--b\r\nContent-Disposition: form-data; name=\"force_update\""         \
	"\r\n\r\n1\r\n"

static void
want_import(long status, long retcode, const char *archive, const char *more,
    const char *words)
{
	struct api_answer a;

	import_as(archive, us, more, &a);
	if (a.status != status || a.retcode != retcode ||
	    (words != NULL && strstr(buf_str(&a.body), words) == NULL))
		fail_msg("wanted %ld %ld '%s', got %ld %ld %s", status, retcode,
		    words != NULL ? words : "", a.status, a.retcode,
		    buf_str(&a.body));
	api_answer_fini(&a);
}

static void
forget(void)
{
	assert_int_equal(db_model_delete(app.db, &version_key), 0);
	assert_int_equal(db_checkpoint_delete(app.db, VERSION_MODEL, VERSION_ID,
			     "guest", VERSION_PARTY),
	    0);
}

static struct db_model *
version(void)
{
	struct db_model *m;

	assert_int_equal(db_model_get(app.db, arena, &version_key, &m), 0);
	return m;
}

static void
a_version_that_went_out_comes_back_the_same(void **state)
{
	struct db_model *before = version(), *after;
	struct db_checkpoint_part *parts;
	struct db_model_part *p;
	size_t n;
	char *models = xasprintf("%s/models", home);

	(void)state;
	forget();
	assert_int_equal(fd_remove_tree(models), 0);
	want_import(200, 0, zip, "", "\"job_id\":\"" VERSION_ID "\"");
	after = version();
	assert_memory_equal(
	    before->manifest_hash, after->manifest_hash, DB_HASH_SIZE);
	assert_memory_equal(before->root_hash, after->root_hash, DB_HASH_SIZE);
	assert_string_equal(before->manifest, after->manifest);
	assert_string_equal(before->members, after->members);
	assert_string_equal(before->train_dsl, after->train_dsl);
	assert_string_equal(
	    before->train_runtime_conf, after->train_runtime_conf);
	assert_string_equal(before->initiator_party, after->initiator_party);
	assert_int_equal(before->size_bytes, after->size_bytes);
	assert_true(after->imported && after->has_archive);
	assert_true(after->is_parent);
	assert_int_equal(
	    db_model_part_sealed(app.db, arena, &version_key, NULL, &p, &n), 0);
	assert_int_equal(n, 5);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(model_object_check(&conf, &p[i]), 0);
	assert_int_equal(
	    db_checkpoint_parts(app.db, arena, VERSION_MODEL, VERSION_ID,
		"guest", VERSION_PARTY, "lr_1", &parts, &n),
	    0);
	assert_int_equal(n, 1);
	free(models);
}

static void
the_same_version_makes_the_same_archive(void **state)
{
	char *again = xasprintf("%s/again.zip", home);
	struct buf a = BUF_INIT, b = BUF_INIT;

	(void)state;
	export(again);
	assert_int_equal(buf_read_file(&a, zip, 1 << 24), 0);
	assert_int_equal(buf_read_file(&b, again, 1 << 24), 0);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	buf_fini(&a);
	buf_fini(&b);
	free(again);
}

static void
a_version_that_is_here_is_replaced_only_by_force(void **state)
{
	(void)state;
	want_import(409, 409, zip, "", "force_update");
	assert_false(version()->imported);
	want_import(200, 0, zip, FORCE, NULL);
	assert_true(version()->imported);
}

static void
a_tar_of_the_same_members_is_taken_too(void **state)
{
	char *tar = xasprintf("%s/model.tar.gz", home);

	(void)state;
	repack(zip, tar, &(struct repack){ .tar = true });
	forget();
	want_import(200, 0, tar, "", NULL);
	free(tar);
}

static void
a_version_that_its_job_still_makes_is_left_alone(void **state)
{
	(void)state;
	assert_int_equal(rows_initiated(app.db, VERSION_ID), 0);
	want_import(409, 409, zip, FORCE, "has to end first");
	assert_false(version()->imported);
}

static void
halves_of_others_are_refused(void **state)
{
	struct api_answer a;

	(void)state;
	forget();
	import_as(zip, "10000", "", &a);
	assert_int_equal(a.status, 400);
	assert_non_null(strstr(buf_str(&a.body), "site of party 9999"));
	api_answer_fini(&a);
}

static void
a_request_that_names_another_hash_is_refused(void **state)
{
	char sum[2 * DIGEST_SIZE + 1], *more;
	unsigned char digest[DIGEST_SIZE];
	struct buf data = BUF_INIT;

	(void)state;
	forget();
	want_import(200, 100, zip,
	    "--b\r\nContent-Disposition: form-data; name=\"hash\"\r\n\r\n"
	    "00ff\r\n",
	    "not 00ff");
	assert_int_equal(buf_read_file(&data, zip, 1 << 24), 0);
	assert_int_equal(digest_memory(data.data, data.len, digest), 0);
	str_to_hex(digest, DIGEST_SIZE, sum);
	more = xasprintf("--b\r\nContent-Disposition: form-data; "
			 "name=\"hash\"\r\n\r\n%s\r\n",
	    sum);
	want_import(200, 0, zip, more, NULL);
	free(more);
	buf_fini(&data);
}

/* --- what is done to archives --- */

static const struct {
	struct repack how;
	const char *words;
} harmed[] = {
	{ { .flip = PARAM }, "member " PARAM " is not what the manifest says: "
			     "expected SHA-256" },
	{ { .flip = PIPELINE }, "member " PIPELINE " is not what" },
	{ { .drop = PARAM }, "member " PARAM " is missing" },
	{ { .drop = PIPELINE }, "member " PIPELINE " is missing" },
	{ { .add = "variables/data/lr_9/model/X", .content = "x" },
	    "variables/data/lr_9/model/X is none that the manifest names" },
	{ { .add = "evil.sh", .content = "x" }, "evil.sh is none that" },
	{ { .rename = PARAM, .to = "variables/data/lr_0/model/Other" },
	    "is missing" },
	{ { .twice = PARAM }, "it is in the archive twice" },
	{ { .twice = "manifest.json" }, "twice" },
	{ { .add = "../../etc/passwd", .content = "x" }, "such a name" },
	{ { .add = "/etc/passwd", .content = "x" }, "such a name" },
	{ { .add = "a/./b", .content = "x" }, "such a name" },
	{ { .add = "a//b", .content = "x" }, "such a name" },
	{ { .add = "a\\..\\b", .content = "x" }, "such a name" },
	{ { .add = "a\001b", .content = "x" }, "such a name" },
	{ { .add = "run_parameters/link/run_parameters.json",
	      .link = "/etc/passwd" },
	    "it is a link" },
	{ { .add = "run_parameters/bomb/run_parameters.json",
	      .zeros = (size_t)200 << 20 },
	    "times as large" },
	{ { .add = "run_parameters/bomb/run_parameters.json",
	      .zeros = (size_t)200 << 20,
	      .tar = true },
	    "times as large" },
	{ { .cut = 100 }, "" },
	{ { .cut = 100, .tar = true }, "" },
	{ { .replace = "manifest.json",
	      .from = "\"form\":1",
	      .by = "\"form\":2" },
	    "not of form 1" },
	{ { .replace = "manifest.json",
	      .from = VERSION_ID,
	      .by = "202601010000000000009" },
	    "the archive is of version '202601010000000000009'" },
	{ { .replace = "manifest.json",
	      .from = "\"role\":\"guest\"",
	      .by = "\"role\":\"host\"" },
	    "the archive is of role 'host'" },
	{ { .replace = "manifest.json",
	      .from = "\"message\":\"LRModelMeta\"",
	      .by = "\"message\":\"LRModelParam\"" },
	    "the manifest was changed" },
	{ { .replace = "manifest.json",
	      .from = "\"root\":\"",
	      .by = "\"root\":\"00" },
	    "no SHA-256" },
	{ { .replace = "manifest.json",
	      .from = "\"host\":{\"10000\":\"07",
	      .by = "\"host\":{\"10000\":\"08" },
	    "the root is not that" },
	{ { .replace = "manifest.json",
	      .from = "\"component\":\"lr_0\"",
	      .by = "\"component\":\"../x\"" },
	    "can be no component" },
	{ { .replace = "manifest.json", .from = "{", .by = "[" }, "" },
};

static void
a_harmed_archive_is_refused_with_the_reason_and_changes_nothing(void **state)
{
	char *path = xasprintf("%s/harmed", home);
	struct db_model *rows;
	size_t n;

	(void)state;
	forget();
	for (size_t i = 0; i < sizeof(harmed) / sizeof(harmed[0]); i++) {
		repack(zip, path, &harmed[i].how);
		want_import(200, 100, path, FORCE, harmed[i].words);
		assert_int_equal(
		    db_model_list(app.db, arena,
			&(struct db_model_filter){ .limit = 10 }, &rows, &n),
		    0);
		assert_int_equal(n, 0);
	}
	/* After all that the good one is taken. */
	want_import(200, 0, zip, "", NULL);
	free(path);
}

static void
a_bomb_costs_neither_memory_nor_disk(void **state)
{
	char *path = xasprintf("%s/bomb.zip", home);
	struct rusage before, after;

	(void)state;
	repack(zip, path,
	    &(struct repack){ .add = "run_parameters/b/run_parameters.json",
		.zeros = (size_t)1 << 30 });
	(void)getrusage(RUSAGE_SELF, &before);
	want_import(200, 100, path, FORCE, "times as large");
	(void)getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_maxrss - before.ru_maxrss < 16 * 1024);
	free(path);
}

static void
an_archive_without_a_manifest_is_taken_with_its_root_unknown(void **state)
{
	static const unsigned char zero[DB_HASH_SIZE];
	char *path = xasprintf("%s/classic.zip", home);
	struct db_model_part *parts;
	struct db_model *m;
	size_t n;

	(void)state;
	repack(zip, path, &(struct repack){ .drop = "manifest.json" });
	forget();
	want_import(200, 0, path, "", "without partners only");
	m = version();
	assert_memory_equal(m->root_hash, zero, DB_HASH_SIZE);
	assert_string_equal(m->initiator_party, VERSION_PARTY);
	assert_int_equal(db_model_part_sealed(
			     app.db, arena, &version_key, "lr_0", &parts, &n),
	    0);
	assert_int_equal(n, 2);
	assert_string_equal(parts[1].message, "LRModelParam");
	assert_string_equal(parts[1].module, "HeteroLR");
	free(path);
}

static const struct {
	struct repack how;
	const char *words;
} classic[] = {
	{ { .rename = "define/define_meta.yaml", .to = "x.json" },
	    "no archive of a model" },
	{ { .replace = "define/define_meta.yaml",
	      .from = "lr_1:",
	      .by = "lr_7:" },
	    "does not say of which module" },
	{ { .replace = "define/define_meta.yaml",
	      .from = "lr_1:",
	      .by = "- x" },
	    "line " },
	{ { .add = "variables/data/lr_2/model/X", .content = "x" },
	    "does not say of which module" },
};

static void
an_archive_without_a_manifest_must_say_what_its_buffers_are(void **state)
{
	char *bare = xasprintf("%s/bare.zip", home);
	char *path = xasprintf("%s/classic.zip", home);

	(void)state;
	repack(zip, bare, &(struct repack){ .drop = "manifest.json" });
	forget();
	for (size_t i = 0; i < sizeof(classic) / sizeof(classic[0]); i++) {
		repack(bare, path, &classic[i].how);
		want_import(200, 100, path, "", classic[i].words);
	}
	free(bare);
	free(path);
}

/* --- exports --- */

static void
what_is_not_here_or_is_damaged_is_not_exported(void **state)
{
	struct db_model_part *parts;
	struct api_answer a;
	size_t n;
	char *path;

	(void)state;
	assert_int_equal(db_model_part_sealed(
			     app.db, arena, &version_key, "lr_0", &parts, &n),
	    0);
	path = model_object_path(&conf, parts[1].sha256);
	assert_int_equal(fd_replace_file(path, "xx", 2, 0640), 0);
	api_call(&app, "POST", "/v1/model/export", KEY_JSON, &a);
	assert_int_equal(a.status, 500);
	assert_non_null(strstr(buf_str(&a.body), "LRModelParam is damaged"));
	api_answer_fini(&a);
	free(path);
	forget();
	api_call(&app, "POST", "/v1/model/export", KEY_JSON, &a);
	assert_int_equal(a.status, 404);
	api_answer_fini(&a);
	api_want(&app, 101, "/v1/model/export", "{\"role\":\"guest\"}", &a);
	assert_non_null(strstr(buf_str(&a.body), "model_id"));
	api_answer_fini(&a);
}

static void
an_import_without_a_file_or_names_is_refused(void **state)
{
	char *path = xasprintf("%s/spool/upload/form", home);
	static const char nothing[] =
	    "--b\r\nContent-Disposition: form-data; name=\"role\"\r\n\r\n"
	    "guest\r\n--b--\r\n";
	static const char nameless[] =
	    "--b\r\nContent-Disposition: form-data; name=\"file\"; "
	    "filename=\"x\"\r\n\r\nx\r\n--b--\r\n";
	struct api_answer a;

	(void)state;
	api_want(&app, 400, "/v1/model/import", "{}", &a);
	assert_int_equal(a.status, 400);
	api_answer_fini(&a);
	assert_int_equal(
	    fd_replace_file(path, nothing, strlen(nothing), 0600), 0);
	api_call_file(&app, "/v1/model/import",
	    "multipart/form-data; boundary=b", path, &a);
	assert_int_equal(a.status, 400);
	api_answer_fini(&a);
	assert_int_equal(
	    fd_replace_file(path, nameless, strlen(nameless), 0600), 0);
	api_call_file(&app, "/v1/model/import",
	    "multipart/form-data; boundary=b", path, &a);
	assert_int_equal(a.retcode, 101);
	assert_non_null(
	    strstr(buf_str(&a.body), "role,party_id,model_id,model_version"));
	api_answer_fini(&a);
	free(path);
}

/* --- yaml --- */

static void
mappings_are_read_as_they_were_written(void **state)
{
	static const char text[] = "a:\n"
				   "  b: c\n"
				   "  'd e': {}\n"
				   "f:\n"
				   "  g:\n"
				   "    h: i:j\n";
	struct json_object *o;
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(yaml_parse(text, strlen(text), &o), 0);
	assert_string_equal(json_text(o),
	    "{\"a\":{\"b\":\"c\",\"d e\":{}},\"f\":{\"g\":{\"h\":\"i:j\"}}}");
	yaml_write(o, &out);
	json_object_put(o);
	assert_int_equal(yaml_parse(out.data, out.len, &o), 0);
	assert_string_equal(json_get_str(json_get(o, "a"), "b", ""), "c");
	json_object_put(o);
	buf_fini(&out);
}

static void
what_is_not_a_plain_mapping_is_refused_with_its_line(void **state)
{
	static const char *const bad[] = { "- a", "a: [b]", "a: &x b", "a: *x",
		"a: |\n  b", "a: !!python/object x", "a", "a: b: c",
		"a:\n  b: c\n d: e", "a: b\na: c", "\ta: b", "a: \"b\\n\"",
		"? a", "a: {b: c}", "a: b #", "a: 'b'c'" };
	static const char deep[] = "a:\n b:\n  c:\n   d:\n    e:\n     f:\n"
				   "      g:\n       h:\n        i: j\n";
	struct json_object *o;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (yaml_parse(bad[i], strlen(bad[i]), &o) != ERR_FORMAT)
			fail_msg("taken: %s", bad[i]);
		assert_non_null(strstr(err_text(), "line "));
	}
	assert_int_equal(yaml_parse(deep, strlen(deep), &o), ERR_LIMIT);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(a_version_that_went_out_comes_back_the_same),
		T(the_same_version_makes_the_same_archive),
		T(a_version_that_is_here_is_replaced_only_by_force),
		T(a_tar_of_the_same_members_is_taken_too),
		T(a_version_that_its_job_still_makes_is_left_alone),
		T(halves_of_others_are_refused),
		T(a_request_that_names_another_hash_is_refused),
		T(a_harmed_archive_is_refused_with_the_reason_and_changes_nothing),
		T(a_bomb_costs_neither_memory_nor_disk),
		T(an_archive_without_a_manifest_is_taken_with_its_root_unknown),
		T(an_archive_without_a_manifest_must_say_what_its_buffers_are),
		T(what_is_not_here_or_is_damaged_is_not_exported),
		T(an_import_without_a_file_or_names_is_refused),
		cmocka_unit_test(mappings_are_read_as_they_were_written),
		cmocka_unit_test(
		    what_is_not_a_plain_mapping_is_refused_with_its_line),
	};

	return cmocka_run_group_tests_name("model archive", tests, NULL, NULL);
}
