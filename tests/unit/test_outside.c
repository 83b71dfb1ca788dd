/*
 * Tables that are kept outside, as components see them: a Reader's text, and
 * the files that Writer and Download leave.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/data/export.h"
#include "lib/engine/render.h"
#include "tests/lib/loopback.h"

/* The reading end of a pipe that holds the text and then ends. */
static int
piped(const char *text)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fd_write_all(ends[1], text, strlen(text)), 0);
	(void)close(ends[1]);
	return ends[0];
}

struct reading {
	const char *text;
	const char *schema;
	const char *delimiter;
	bool no_head;
	bool extend_sid;
	const char *engine;
};

static struct loopback *
read_text(const struct reading *r, struct member **m)
{
	struct loopback *lb = loopback_new("Reader", "reader_0");

	*m = loopback_add(lb, "guest", "9999", "{}");
	loopback_input_text(*m, piped(r->text),
	    r->schema != NULL ? r->schema : "{}",
	    r->delimiter != NULL ? r->delimiter : ",", !r->no_head);
	loopback_input_at(*m, 0)->extend_sid = r->extend_sid;
	loopback_input_at(*m, 0)->auto_increasing_sid = r->extend_sid;
	if (r->engine != NULL)
		loopback_input_at(*m, 0)->engine = r->engine;
	(void)loopback_run(lb);
	return lb;
}

/* "HEAD|row|row" of output 0 as a download would have it. */
static void
reads(const struct reading *r, const char *want)
{
	struct table_cursor *cursor;
	struct json_object *schema, *names;
	struct buf got = BUF_INIT;
	struct loopback *lb;
	struct member *m;
	struct table *t;
	struct row row;
	size_t i;

	lb = read_text(r, &m);
	if (loopback_code(m) != 0)
		fail_msg("%s", loopback_error(m));
	t = loopback_output(m, 0);
	assert_non_null(t);
	schema = json_tokener_parse(table_stat(t)->schema_json);
	names = render_columns(schema, ",");
	for (i = 0; i < json_object_array_length(names); i++)
		buf_printf(&got, "%s%s", i > 0 ? "," : "",
		    json_object_get_string(
			json_object_array_get_idx(names, i)));
	assert_int_equal(table_scan(t, 0, UINT64_MAX, &cursor), 0);
	while (cursor_next(cursor, &row) == 1) {
		buf_putc(&got, '|');
		render_row_csv(&got, &row, ",");
	}
	assert_string_equal(buf_str(&got), want);
	cursor_free(cursor);
	buf_fini(&got);
	json_object_put(names);
	json_object_put(schema);
	loopback_free(lb);
}

static void
fails(const struct reading *r, int code, const char *words)
{
	struct member *m;
	struct loopback *lb = read_text(r, &m);

	assert_int_equal(loopback_code(m), code);
	if (strstr(loopback_error(m), words) == NULL)
		fail_msg("'%s' lacks '%s'", loopback_error(m), words);
	assert_non_null(strstr(loopback_error(m), "table test outside"));
	loopback_free(lb);
}

static void
text_becomes_what_it_would_when_uploaded(void **state)
{
	(void)state;
	reads(&(struct reading){ .text = "id,y,x0\na,1,7\nb,0,8\n" },
	    "id,y,x0|a,1,7|b,0,8");
	reads(&(struct reading){ .text = "a,1\nb,2\n", .no_head = true },
	    "|a,1|b,2");
	reads(&(struct reading){ .text = "id,x\n5,6\n",
		  .extend_sid = true,
		  .schema = "{\"sid\":\"extend_sid\"}" },
	    "extend_sid,id,x|0,5,6");
}

static void
bound_names_choose_and_order_columns(void **state)
{
	static const char text[] = "y,x0,id,x1\n1,2,a,3\n0,4,b,5\n";

	(void)state;
	reads(&(struct reading){ .text = text,
		  .schema = "{\"sid\":\"id\",\"header\":\"x1,y\"}" },
	    "id,x1,y|a,3,1|b,5,0");
	/* The id's name alone: the others follow. */
	reads(&(struct reading){ .text = text,
		  .schema = "{\"sid\":\"id\",\"header\":\"\"}" },
	    "id,y,x0,x1|a,1,2,3|b,0,4,5");
	reads(&(struct reading){ .text = text,
		  .extend_sid = true,
		  .schema = "{\"sid\":\"extend_sid\",\"header\":\"id,x1\"}" },
	    "extend_sid,id,x1|0,a,3|1,b,5");
	fails(&(struct reading){ .text = text,
		  .schema = "{\"sid\":\"id\",\"header\":\"z\"}" },
	    ERR_INVALID, "'z'");
	fails(&(struct reading){ .text = text,
		  .schema = "{\"sid\":\"key\",\"header\":\"y\"}" },
	    ERR_INVALID, "'key'");
}

/* Of rows that may be ragged some have none of the columns that were bound. */
static void
a_ragged_line_without_a_bound_column_is_refused(void **state)
{
	(void)state;
	fails(&(struct reading){ .text = "id,a,b,c\nr1,1:1,2:1,3:1\nr2,1:1\n",
		  .schema = "{\"sid\":\"id\",\"header\":\"c,a\",\"meta\":"
			    "{\"input_format\":\"sparse\"}}" },
	    ERR_FORMAT, "line 3 (row 2)");
}

static void
without_a_head_bound_names_name_all_columns(void **state)
{
	static const char schema[] = "{\"sid\":\"id\",\"header\":\"x0,x1\"}";

	(void)state;
	reads(
	    &(struct reading){
		.text = "a,1,2\n", .schema = schema, .no_head = true },
	    "id,x0,x1|a,1,2");
	fails(
	    &(struct reading){
		.text = "a,1\n", .schema = schema, .no_head = true },
	    ERR_FORMAT, "line 1 (row 1)");
}

static void
rows_that_are_not_as_their_owner_believes_are_named(void **state)
{
	(void)state;
	fails(&(struct reading){ .text = "id,x\na,1\nb\n" }, ERR_FORMAT,
	    "line 3 (row 2)");
	fails(&(struct reading){ .text = "id,x\na,1\na,2\n" }, ERR_EXISTS,
	    "line 3");
	fails(&(struct reading){ .text = "id,x\n" }, ERR_INVALID, "no rows");
	fails(&(struct reading){ .text = "" }, ERR_INVALID, "empty");
	fails(&(struct reading){ .text = "id,x\na,\"1\"\n" }, ERR_FORMAT,
	    "quotes");
	/* A server's values are what they are. */
	reads(&(struct reading){ .text = "id,x\na,\"1\"\n", .engine = "MYSQL" },
	    "id,x|a,\"1\"");
}

static void
only_a_reader_takes_text(void **state)
{
	struct loopback *lb = loopback_new("Download", "download_0");
	struct member *m =
	    loopback_add(lb, "local", "0", "{\"output_path\":\"x\"}");

	(void)state;
	loopback_input_text(m, piped("id,x\na,1\n"), "{}", ",", true);
	assert_int_equal(loopback_run(lb), ERR_UNSUPPORTED);
	assert_non_null(strstr(loopback_error(m), "a Reader takes it in"));
	loopback_free(lb);
}

/* --- files out ------------------------------------------------------------------ */

/* A table of one row in the loopback's folder, as input of the member. */
static void
give(struct loopback *lb, struct member *m, const struct row *row,
    const char *schema)
{
	char *path = xasprintf("%s/table", loopback_folder(lb));
	struct table_writer *w;

	assert_int_equal(table_create(&storage_standalone, path, &w), 0);
	assert_int_equal(table_append(w, row), 0);
	assert_int_equal(table_seal(w, schema, 1), 0);
	loopback_input(m, "data", "", path);
	free(path);
}

static void
exports(const struct row *row, const char *schema, const char *delimiter,
    const char *want)
{
	struct loopback *lb = loopback_new("Download", "download_0");
	char *parameters = xasprintf(
	    "{\"output_path\":\"x\",\"delimiter\":\"%s\"}", delimiter);
	struct member *m = loopback_add(lb, "local", "0", parameters);
	struct buf got = BUF_INIT;
	struct json_object *v;

	give(lb, m, row, schema);
	if (loopback_run(lb) != 0)
		fail_msg("%s", loopback_error(m));
	assert_int_equal(
	    buf_read_file(&got, loopback_output_file(m), 1 << 20), 0);
	assert_string_equal(buf_str(&got), want);
	assert_true(json_object_object_get_ex(
	    loopback_meta(m, "download", "data_access"), "metric_type", &v));
	assert_string_equal(json_object_get_string(v), "DOWNLOAD");
	buf_fini(&got);
	free(parameters);
	loopback_free(lb);
}

static void
an_export_has_the_names_and_can_be_read_back(void **state)
{
	const struct row plain = {
		.kind = ROW_TEXT, .id = { "a", 1 }, .text = { "1,x\"y", 5 }
	};
	const struct row predict = { .kind = ROW_PREDICT,
		.id = { "b", 1 },
		.result = 1,
		.score = 0.75,
		.type = { "train", 5 },
		.detail = { "{\"0\": 0.25, \"1\": 0.75}", 22 } };
	const double values[] = { 0.5, 2 };
	const struct row dense = { .kind = ROW_DENSE,
		.id = { "c", 1 },
		.flags = ROW_LABEL,
		.label = 1,
		.values = values,
		.n_values = 2 };

	(void)state;
	exports(&plain, "{\"sid\":\"id\",\"header\":\"n,t\"}", ",",
	    "id,n,t\na,1,\"x\"\"y\"\n");
	exports(&plain, "{\"sid\":\"id\",\"header\":\"n,t\"}", ";",
	    "id;n;t\na;1;\"x\"\"y\"\n");
	/* No names: they are made up. */
	exports(&plain, "{\"sid\":\"\",\"header\":\"\"}", ",",
	    "id,column1,column2\na,1,\"x\"\"y\"\n");
	exports(&predict,
	    "{\"sid\":\"id\",\"header\":[\"label\",\"predict_result\","
	    "\"predict_score\",\"predict_detail\",\"type\"]}",
	    ",",
	    "id,label,predict_result,predict_score,predict_detail,type\n"
	    "b,,1,0.75,\"{'0': 0.25, '1': 0.75}\",train\n");
	exports(&dense,
	    "{\"sid\":\"id\",\"label_name\":\"y\","
	    "\"header\":[\"x0\",\"x1\"]}",
	    ",", "id,y,x0,x1\nc,1,0.5,2.0\n");
}

static void
a_writer_copies_or_exports_as_its_parameters_say(void **state)
{
	const struct row row = {
		.kind = ROW_TEXT, .id = { "a", 1 }, .text = { "1", 1 }
	};
	struct loopback *lb = loopback_new("Writer", "writer_0");
	struct member *m = loopback_add(lb, "guest", "9999",
	    "{\"output_namespace\":\"n\",\"output_name\":\"t\"}");

	(void)state;
	give(lb, m, &row, "{\"sid\":\"id\",\"header\":\"x\"}");
	assert_int_equal(loopback_run(lb), 0);
	assert_int_equal(table_count(loopback_output(m, 0)), 1);
	assert_null(loopback_output_file(m));
	loopback_free(lb);

	lb = loopback_new("Writer", "writer_0");
	m = loopback_add(lb, "local", "0",
	    "{\"storage_engine\":\"MYSQL\",\"address\":{\"name\":\"t\"}}");
	give(lb, m, &row, "{\"sid\":\"id\",\"header\":\"x\"}");
	assert_int_equal(loopback_run(lb), 0);
	assert_null(loopback_output(m, 0));
	assert_non_null(loopback_output_file(m));
	assert_non_null(loopback_metric(m, "writer", "writer"));
	loopback_free(lb);
}

/* --- the folder for exports --------------------------------------------------------- */

static void
is_path(const struct site_conf *c, const char *given, const char *want)
{
	char *path;

	assert_int_equal(export_path(c, given, &path), 0);
	assert_string_equal(path, want);
	free(path);
}

static void
paths_of_exports_stay_in_their_folder(void **state)
{
	struct site_conf c = { .export_root = (char *)(uintptr_t) "/e/x" };
	static const char *const denied[] = { "..", "../a", "a/../../b",
		"/e/xy", "/etc/passwd", "/e/x/../y", "a/.." };
	static const char *const invalid[] = { "", "a/", "/e/x/", "a//b", "./a",
		"a/.", "a\nb", "a\x7f", " ", "a/ ", " /a" };
	char *path;
	size_t i;

	(void)state;
	is_path(&c, "a", "a");
	is_path(&c, "a/b.csv", "a/b.csv");
	is_path(&c, "/e/x/a/b", "a/b");
	for (i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		assert_int_equal(export_path(&c, denied[i], &path), ERR_DENIED);
	for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		assert_int_equal(
		    export_path(&c, invalid[i], &path), ERR_INVALID);
	/* What a client made absolute at home keeps its name. */
	assert_int_equal(
	    export_path_of_client(&c, "/home/me/out.csv", &path), 0);
	assert_string_equal(path, "out.csv");
	free(path);
	assert_int_equal(
	    export_path_of_client(&c, "/home/me/..", &path), ERR_DENIED);
}

static void
content_is(const char *path, const char *want)
{
	struct buf got = BUF_INIT;

	assert_int_equal(buf_read_file(&got, path, 1000), 0);
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
}

static void
an_export_is_there_whole_or_not_at_all(void **state)
{
	char dir[] = "/tmp/sluice-export-XXXXXX";
	struct site_conf c = { 0 };
	struct export_file *x;
	char *path, *link;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	c.export_root = xasprintf("%s/root", dir);
	path = xasprintf("%s/a/b", c.export_root);
	link = xasprintf("%s/way", c.export_root);
	assert_int_equal(export_begin(&c, "a/b", &x), 0);
	assert_int_equal(export_write(x, "one", 3), 0);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(export_end(x), 0);
	content_is(path, "one");
	/* Given up: the old content stays, and nothing beside it. */
	assert_int_equal(export_begin(&c, "a/b", &x), 0);
	assert_int_equal(export_write(x, "two", 3), 0);
	export_abort(x);
	content_is(path, "one");
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	/* A link is no folder of ours. */
	assert_int_equal(symlink(dir, link), 0);
	assert_true(export_begin(&c, "way/out", &x) != 0);
	assert_null(x);
	assert_int_equal(fd_remove_tree(dir), 0);
	free(path);
	free(link);
	free(c.export_root);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_becomes_what_it_would_when_uploaded),
		cmocka_unit_test(bound_names_choose_and_order_columns),
		cmocka_unit_test(
		    a_ragged_line_without_a_bound_column_is_refused),
		cmocka_unit_test(without_a_head_bound_names_name_all_columns),
		cmocka_unit_test(
		    rows_that_are_not_as_their_owner_believes_are_named),
		cmocka_unit_test(only_a_reader_takes_text),
		cmocka_unit_test(an_export_has_the_names_and_can_be_read_back),
		cmocka_unit_test(
		    a_writer_copies_or_exports_as_its_parameters_say),
		cmocka_unit_test(paths_of_exports_stay_in_their_folder),
		cmocka_unit_test(an_export_is_there_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
