/*
 * What a task leaves in its output folder: good tables are moved, and nothing
 * that points elsewhere is ever followed or kept.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/storage.h"
#include "lib/json/json.h"
#include "supervisor/shepherd/outputs.h"

static struct site_conf conf;
static char *out_dir;
static struct outputs *outputs;
static const char *names[] = { "train", "validate" };
static struct dsl_component component = { .name = "split_0",
	.out_data = names,
	.n_out_data = 2,
	.out_model = "model" };
static struct db_attempt attempt = { .key = { .job_id = "202611010000000000001",
					 .component = "split_0",
					 .version = 0,
					 .role = "guest",
					 .party_id = "9999" } };
static struct db_job job = { .job_id = "202611010000000000001",
	.job_type = "train",
	.model_id = "guest-9999#model",
	.model_version = "202611010000000000001" };
static struct module module = { .name = "Split" };
static struct subject subject = { .attempt = &attempt,
	.job = &job,
	.component = &component,
	.module = &module };

static int
set_up(void **state)
{
	char dir[] = "/tmp/sluice-outputs-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	memset(&conf, 0, sizeof(conf));
	conf.home = xstrdup(dir);
	out_dir = xasprintf("%s/out", dir);
	assert_int_equal(fd_mkdirs(out_dir, 0700), 0);
	outputs = outputs_new(&conf, &subject, out_dir);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	outputs_free(outputs);
	assert_int_equal(fd_remove_tree(conf.home), 0);
	free(conf.home);
	free(out_dir);
	return 0;
}

static char *
make_folder(const char *name)
{
	char *dir = xasprintf("%s/%s", out_dir, name);
	struct table_writer *w;
	struct row row = {
		.kind = ROW_TEXT, .id = { "a", 1 }, .text = { "1", 1 }
	};

	assert_int_equal(table_create(&storage_standalone, dir, &w), 0);
	assert_int_equal(table_append(w, &row), 0);
	assert_int_equal(table_seal(w, "{}", 1), 0);
	return dir;
}

static int
announce(const char *data_name, const char *folder)
{
	Sluice__Executor__OutputTable m = SLUICE__EXECUTOR__OUTPUT_TABLE__INIT;

	m.data_name = (char *)(uintptr_t)data_name;
	m.folder = (char *)(uintptr_t)folder;
	m.schema_json = (char *)(uintptr_t) "{}";
	m.preview_json = (char *)(uintptr_t) "[]";
	m.rows = 7;
	m.partitions = 2;
	return outputs_table(outputs, &m);
}

static void
a_cache_is_kept_apart_from_tables(void **state)
{
	static const char *caches[] = { "cache" };
	Sluice__Executor__OutputTable m = SLUICE__EXECUTOR__OUTPUT_TABLE__INIT;
	const struct output_row *rows;
	size_t n;

	(void)state;
	component.out_cache = caches;
	component.n_out_cache = 1;
	free(make_folder("cache"));
	m.data_name = (char *)(uintptr_t) "train"; /* no name of a cache */
	m.folder = (char *)(uintptr_t) "cache";
	m.schema_json = (char *)(uintptr_t) "{}";
	m.preview_json = (char *)(uintptr_t) "[]";
	m.partitions = 1;
	m.is_cache = true;
	assert_int_equal(outputs_table(outputs, &m), 0);
	m.data_name = (char *)(uintptr_t) "cache";
	m.table_name = (char *)(uintptr_t) "mine";
	assert_int_equal(outputs_table(outputs, &m), ERR_DENIED);
	m.table_name = (char *)(uintptr_t) "";
	assert_int_equal(outputs_table(outputs, &m), 0);
	assert_int_equal(outputs_seal(outputs), 0);
	rows = outputs_rows(outputs, &n);
	component.n_out_cache = 0;
	assert_int_equal(n, 1);
	assert_true(rows[0].is_cache);
	assert_string_equal(rows[0].data_name, "cache");
	assert_int_equal(strlen(rows[0].table.name), 32);
}

static void
a_table_moves_to_its_place(void **state)
{
	const struct output_row *rows;
	struct stat st;
	char *path;
	size_t n;

	(void)state;
	free(make_folder("table-0"));
	assert_int_equal(announce("validate", "table-0"), 0);
	assert_int_equal(outputs_seal(outputs), 0);
	rows = outputs_rows(outputs, &n);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].data_name, "validate");
	assert_int_equal(rows[0].position, 1);
	assert_int_equal(rows[0].table.row_count, 7);
	assert_string_equal(rows[0].table.table_namespace,
	    "output_data_202611010000000000001_split_0_0");
	assert_int_equal(strlen(rows[0].table.folder), 35);
	path = site_path(
	    &conf, "%s/%s/data.mdb", SITE_TABLES, rows[0].table.folder);
	assert_int_equal(stat(path, &st), 0);
	/* A second seal, after a database that was away, changes nothing. */
	assert_int_equal(outputs_seal(outputs), 0);
	assert_int_equal(stat(path, &st), 0);
	outputs_discard(outputs);
	assert_int_equal(stat(path, &st), -1);
	free(path);
}

static int
announce_named(const char *space, const char *name, bool replace)
{
	Sluice__Executor__OutputTable m = SLUICE__EXECUTOR__OUTPUT_TABLE__INIT;

	m.data_name = (char *)(uintptr_t) "train";
	m.folder = (char *)(uintptr_t) "table-0";
	m.schema_json = (char *)(uintptr_t) "{}";
	m.preview_json = (char *)(uintptr_t) "[]";
	m.partitions = 1;
	m.table_namespace = (char *)(uintptr_t)space;
	m.table_name = (char *)(uintptr_t)name;
	m.replace = replace;
	return outputs_table(outputs, &m);
}

static void
only_an_upload_names_its_table_and_only_the_one_it_was_asked_for(void **state)
{
	static struct module upload = { .name = "Upload" };
	struct json_object *p = json_object_new_object();

	(void)state;
	json_add_str(p, "namespace", "bank");
	json_add_str(p, "name", "labels");
	subject.parameters = p;
	job.is_initiator = true;
	assert_int_equal(announce_named("bank", "labels", false), ERR_DENIED);
	assert_int_equal(announce_named("bank", "labels", true), ERR_DENIED);
	subject.module = &upload;
	assert_int_equal(announce_named("bank", "other", false), ERR_DENIED);
	assert_int_equal(announce_named("other", "labels", false), ERR_DENIED);
	assert_int_equal(announce_named("bank", "labels", true), ERR_DENIED);
	json_add_bool(p, "destroy", true);
	job.is_initiator = false;
	assert_int_equal(announce_named("bank", "labels", true), ERR_DENIED);
	job.is_initiator = true;
	assert_int_equal(announce_named("bank", "labels", true), 0);
	subject.module = &module;
	subject.parameters = NULL;
	json_object_put(p);
}

static void
a_writer_names_its_target_and_replaces_nothing(void **state)
{
	static struct module writer = { .name = "Writer" };
	struct json_object *p = json_object_new_object();

	(void)state;
	json_add_str(p, "namespace", "from");
	json_add_str(p, "name", "this");
	json_add_str(p, "output_namespace", "bank");
	json_add_str(p, "output_name", "copy");
	json_add_bool(p, "destroy", true);
	subject.parameters = p;
	subject.module = &writer;
	job.is_initiator = true;
	assert_int_equal(announce_named("from", "this", false), ERR_DENIED);
	assert_int_equal(announce_named("bank", "copy", true), ERR_DENIED);
	job.is_initiator = false;
	assert_int_equal(announce_named("bank", "copy", false), ERR_DENIED);
	assert_non_null(strstr(err_text(), "a partner's Writer"));
	job.is_initiator = true;
	assert_int_equal(announce_named("bank", "copy", false), 0);
	subject.module = &module;
	subject.parameters = NULL;
	json_object_put(p);
}

static void
a_table_that_nobody_named_is_not_kept(void **state)
{
	size_t n;

	(void)state;
	free(make_folder("table-0"));
	assert_int_equal(announce("other", "table-0"), 0);
	assert_int_equal(outputs_seal(outputs), 0);
	(void)outputs_rows(outputs, &n);
	assert_int_equal(n, 0);
}

static void
a_folder_is_announced_once(void **state)
{
	(void)state;
	assert_int_equal(announce("train", "table-0"), 0);
	assert_int_equal(announce("validate", "table-0"), ERR_EXISTS);
}

static void
a_missing_or_empty_folder_is_refused(void **state)
{
	char *dir = xasprintf("%s/table-0", out_dir);

	(void)state;
	assert_int_equal(announce("train", "table-0"), 0);
	assert_int_equal(outputs_seal(outputs), ERR_FORMAT);
	assert_int_equal(fd_mkdirs(dir, 0700), 0);
	assert_int_equal(outputs_seal(outputs), ERR_FORMAT);
	free(dir);
}

static void
a_folder_that_is_a_link_is_refused(void **state)
{
	char *real = make_folder("real");
	char *link = xasprintf("%s/table-0", out_dir);

	(void)state;
	assert_int_equal(symlink(real, link), 0);
	assert_int_equal(announce("train", "table-0"), 0);
	assert_int_equal(outputs_seal(outputs), ERR_FORMAT);
	free(real);
	free(link);
}

/* Make something bad in a good folder; the seal must refuse it. */
static void
assert_refused_with(int (*make)(const char *path, const char *secret))
{
	char *dir = make_folder("table-0");
	char *path = xasprintf("%s/extra", dir);
	char *secret = xasprintf("%s/secret", conf.home);

	assert_int_equal(fd_replace_file(secret, "s", 1, 0600), 0);
	assert_int_equal(make(path, secret), 0);
	assert_int_equal(announce("train", "table-0"), 0);
	assert_int_equal(outputs_seal(outputs), ERR_FORMAT);
	free(dir);
	free(path);
	free(secret);
}

static int
make_symlink(const char *path, const char *secret)
{
	return symlink(secret, path);
}

static int
make_hard_link(const char *path, const char *secret)
{
	return link(secret, path);
}

static int
make_fifo(const char *path, const char *secret)
{
	(void)secret;
	return mkfifo(path, 0600);
}

static int
make_subfolder(const char *path, const char *secret)
{
	(void)secret;
	return mkdir(path, 0700);
}

static void
a_symbolic_link_among_the_files_is_refused(void **state)
{
	(void)state;
	assert_refused_with(make_symlink);
}

static void
a_file_with_a_second_name_is_refused(void **state)
{
	(void)state;
	assert_refused_with(make_hard_link);
}

static void
a_fifo_is_refused_without_waiting_for_it(void **state)
{
	(void)state;
	assert_refused_with(make_fifo);
}

static void
a_folder_in_a_table_is_refused(void **state)
{
	(void)state;
	assert_refused_with(make_subfolder);
}

static void
a_file_that_lmdb_must_not_open_is_refused(void **state)
{
	const uint64_t far = 1 << 20;
	char *dir = make_folder("table-0");
	char *file = xasprintf("%s/data.mdb", dir);
	int page, fd = open(file, O_WRONLY);

	(void)state;
	/* The main trees' roots, in both of the first pages. */
	for (page = 0; page < 2; page++)
		assert_int_equal(
		    pwrite(fd, &far, sizeof(far), page * 4096 + 128), 8);
	(void)close(fd);
	assert_int_equal(announce("train", "table-0"), 0);
	assert_int_equal(outputs_seal(outputs), ERR_FORMAT);
	free(file);
	free(dir);
}

static void
a_model_is_kept_under_the_hash_of_its_content(void **state)
{
	Sluice__Executor__NamedBuffer b = SLUICE__EXECUTOR__NAMED_BUFFER__INIT;
	Sluice__Executor__NamedBuffer *list[] = { &b };
	Sluice__Executor__OutputModel m = SLUICE__EXECUTOR__OUTPUT_MODEL__INIT;
	const struct db_model_part *parts;
	struct stat st;
	char hex[65], *path;
	size_t n;

	(void)state;
	b.name = (char *)(uintptr_t) "Param";
	b.message = (char *)(uintptr_t) "LRModelParam";
	b.content.data = (uint8_t *)(uintptr_t) "abc";
	b.content.len = 3;
	m.alias = (char *)(uintptr_t) "model";
	m.buffers = list;
	m.n_buffers = 1;
	assert_int_equal(outputs_model(outputs, &m), 0);
	assert_int_equal(outputs_model(outputs, &m), 0);
	parts = outputs_parts(outputs, &n);
	assert_int_equal(n, 1);
	assert_string_equal(parts[0].buffer_name, "Param");
	str_to_hex(parts[0].sha256, 32, hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
				 "b00361a396177a9cb410ff61f20015ad");
	path = site_path(&conf, "%s/objects/ba/%s", SITE_MODELS, hex);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 3);
	free(path);
	m.alias = (char *)(uintptr_t) "another";
	assert_int_equal(outputs_model(outputs, &m), ERR_INVALID);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Work folders are a host's own; the tables are on what all hosts share. */
static void
a_table_is_copied_to_a_shared_folder_elsewhere(void **state)
{
	char shared[] = "/dev/shm/sluice-outputs-XXXXXX", *path;
	struct stat here, there, st;
	const struct output_row *rows;
	struct table *t;
	size_t n;

	(void)state;
	assert_non_null(mkdtemp(shared));
	if (stat(shared, &there) != 0 || stat(conf.home, &here) != 0 ||
	    here.st_dev == there.st_dev) {
		(void)rmdir(shared);
		skip(); /* all of this machine is one file system */
	}
	conf.shared = shared;
	free(make_folder("a"));
	assert_int_equal(announce("train", "a"), 0);
	assert_int_equal(outputs_seal(outputs), 0);
	rows = outputs_rows(outputs, &n);
	assert_int_equal(n, 1);
	path = site_path(&conf, "%s/%s", SITE_TABLES, rows[0].table.folder);
	assert_true(str_starts(path, shared));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0770);
	assert_int_equal(table_open(&storage_standalone, path, &t), 0);
	table_close(t);
	outputs_discard(outputs);
	assert_int_equal(stat(path, &st), -1);
	free(path);
	assert_int_equal(fd_remove_tree(shared), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_table_moves_to_its_place),
		TEST(a_table_is_copied_to_a_shared_folder_elsewhere),
		TEST(a_cache_is_kept_apart_from_tables),
		TEST(
		    only_an_upload_names_its_table_and_only_the_one_it_was_asked_for),
		TEST(a_writer_names_its_target_and_replaces_nothing),
		TEST(a_table_that_nobody_named_is_not_kept),
		TEST(a_folder_is_announced_once),
		TEST(a_missing_or_empty_folder_is_refused),
		TEST(a_folder_that_is_a_link_is_refused),
		TEST(a_symbolic_link_among_the_files_is_refused),
		TEST(a_file_with_a_second_name_is_refused),
		TEST(a_fifo_is_refused_without_waiting_for_it),
		TEST(a_folder_in_a_table_is_refused),
		TEST(a_file_that_lmdb_must_not_open_is_refused),
		TEST(a_model_is_kept_under_the_hash_of_its_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
