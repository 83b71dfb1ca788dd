/*
 * lib/engine: delimited text as it comes from people, cells, and rows as
 * they are shown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/engine/cell.h"
#include "lib/engine/csv.h"
#include "lib/engine/render.h"
#include "lib/engine/schema.h"

static struct csv *
open_text(
    const char *text, size_t len, const struct csv_options *options, int *fd)
{
	struct csv *c;

	assert_int_equal(fd_memfd("csv", text, len, fd), 0);
	assert_int_equal(lseek(*fd, 0, SEEK_SET), 0);
	assert_int_equal(csv_open(*fd, options, &c), 0);
	return c;
}

/* All lines joined by "|", or the message of the error. */
static void
check_lines(const char *text, size_t len, bool is_quoted, const char *want)
{
	struct csv_options options = { ",", is_quoted, 0 };
	struct buf got = BUF_INIT;
	struct span line;
	struct csv *c;
	int fd, r;

	c = open_text(text, len, &options, &fd);
	while ((r = csv_line(c, &line)) == 1) {
		buf_append(&got, line.data, line.len);
		buf_putc(&got, '|');
	}
	if (r < 0)
		buf_puts(&got, err_text());
	assert_string_equal(buf_str(&got), want);
	buf_fini(&got);
	csv_free(c);
	close(fd);
}

#define LINES(text, want) check_lines(text, sizeof(text) - 1, false, want)
#define QUOTED(text, want) check_lines(text, sizeof(text) - 1, true, want)

static void
every_kind_of_line_end_is_understood(void **state)
{
	(void)state;
	LINES("a\nb\nc", "a|b|c|");
	LINES("a\nb\nc\n", "a|b|c|");
	LINES("a\r\nb\r\nc\r\n", "a|b|c|");
	LINES("a\rb\rc\r", "a|b|c|");
	LINES("a\rb\nc\r\nd", "a|b|c|d|");
	LINES("a\n\nb\n\n", "a||b||");
	LINES("a\r\r\nb", "a||b|");
	LINES("", "");
	LINES("\n", "|");
	LINES("a\r", "a|");
}

static void
a_byte_order_mark_is_dropped_only_in_front(void **state)
{
	(void)state;
	LINES("\xef\xbb\xbfid,x\n1,2", "id,x|1,2|");
	LINES("id,x\n\xef\xbb\xbf"
	      "1,2",
	    "id,x|\xef\xbb\xbf"
	    "1,2|");
	LINES("\xef\xbb\xbf", "");
}

static void
bytes_that_are_not_text_are_refused_naming_the_line(void **state)
{
	(void)state;
	LINES("a\nb\0c\n", "a|line 2 contains a NUL byte; is this a text "
			   "file?");
	LINES("a\nb\nc\xff\n", "a|b|line 3, column 1 is not UTF-8; "
			       "convert the file to UTF-8 (iconv does)");
	LINES("a,b\n\xc3\xa4,x\xe4,\xff\n",
	    "a,b|line 2, column 2 is not UTF-8; "
	    "convert the file to UTF-8 (iconv does)");
	LINES("a\nb\xc3\xa4\xe2\x82\xac\n", "a|b\xc3\xa4\xe2\x82\xac|");
	LINES("12345678\0"
	      "12345678\n",
	    "line 1 contains a NUL byte; is this "
	    "a text file?");
}

static void
without_quoting_a_quote_is_a_character(void **state)
{
	(void)state;
	LINES("a,\"b\nc\",d\n", "a,\"b|c\",d|");
}

static void
quoted_fields_may_contain_line_ends(void **state)
{
	(void)state;
	QUOTED("a,\"b\nc\",d\ne\n", "a,\"b\nc\",d|e|");
	QUOTED("\"a\"\"\r\n\"\r\nb", "\"a\"\"\r\n\"|b|");
	QUOTED("a\n\"b\nc", "a|line 2: a double quote is never closed");
}

static void
line_numbers_count_lines_inside_quotes(void **state)
{
	const char text[] = "a\n\"b\nc\"\nd\n";
	struct csv_options options = { ",", true, 0 };
	struct span line;
	struct csv *c;
	int fd;

	(void)state;
	c = open_text(text, sizeof(text) - 1, &options, &fd);
	assert_int_equal(csv_line(c, &line), 1);
	assert_int_equal(csv_line_number(c), 1);
	assert_int_equal(csv_line(c, &line), 1);
	assert_int_equal(csv_line(c, &line), 1);
	assert_int_equal(csv_line_number(c), 4);
	assert_int_equal(csv_bytes(c), sizeof(text) - 1);
	csv_free(c);
	close(fd);
}

static void
check_fields(
    const char *line, const char *delimiter, bool is_quoted, const char *want)
{
	struct csv_options options = { delimiter, is_quoted, 0 };
	const struct span *fields;
	struct buf got = BUF_INIT;
	struct csv *c;
	size_t i, n;
	int fd;

	c = open_text("x", 1, &options, &fd);
	assert_int_equal(
	    csv_split(c, (struct span){ line, strlen(line) }, &fields, &n), 0);
	for (i = 0; i < n; i++) {
		buf_putc(&got, '[');
		buf_append(&got, fields[i].data, fields[i].len);
		buf_putc(&got, ']');
	}
	assert_string_equal(buf_str(&got), want);
	if (!is_quoted)
		assert_int_equal(
		    csv_count(delimiter, (struct span){ line, strlen(line) }),
		    n);
	buf_fini(&got);
	csv_free(c);
	close(fd);
}

static void
fields_lie_between_delimiters(void **state)
{
	(void)state;
	check_fields("a,b,c", ",", false, "[a][b][c]");
	check_fields("", ",", false, "[]");
	check_fields(",", ",", false, "[][]");
	check_fields("a,,", ",", false, "[a][][]");
	check_fields("a||b|c||", "||", false, "[a][b|c][]");
	check_fields("a\tb", "\t", false, "[a][b]");
	check_fields("a,\"b,c\"", ",", false, "[a][\"b][c\"]");
	check_fields("a,\"b,c\",d", ",", true, "[a][b,c][d]");
	check_fields("\"a\"\"b\",\"\",\"\"\"\"", ",", true, "[a\"b][][\"]");
	check_fields("a\"b,\"c\"d,e", ",", true, "[a\"b][cd][e]");
	check_fields("\"{'0': 0.2, '1': 0.8}\",x", ",", true,
	    "[{'0': 0.2, '1': 0.8}][x]");
}

static void
long_lines_have_a_limit(void **state)
{
	struct csv_options options = { ",", false, 100 };
	char text[4000];
	struct span line;
	struct csv *c;
	int fd;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[100] = text[202] = '\n';
	c = open_text(text, sizeof(text), &options, &fd);
	assert_int_equal(csv_line(c, &line), 1);
	assert_int_equal(csv_line(c, &line), ERR_LIMIT);
	assert_non_null(strstr(err_text(), "line 2"));
	csv_free(c);
	close(fd);
}

/* Lines of all lengths, so that reads end at every place of some line. */
static void
lines_survive_the_borders_of_reads(void **state)
{
	static const char *const ends[] = { "\n", "\r\n", "\r" };
	struct csv_options options = { ",", false, 0 };
	struct buf text = BUF_INIT;
	struct span line;
	struct csv *c;
	size_t i, k, n = 0;
	int fd;

	(void)state;
	for (i = 0; text.len < 5u << 20; i++) {
		for (k = 0; k < i * 7919 % 3001; k++)
			buf_putc(&text, (char)('a' + k % 26));
		buf_puts(&text, ends[i % 3]);
	}
	c = open_text(text.data, text.len, &options, &fd);
	while (csv_line(c, &line) == 1) {
		/* An empty line after CR and before CR LF reads as one. */
		assert_int_equal(line.len, n * 7919 % 3001);
		n++;
	}
	assert_int_equal(n, i);
	csv_free(c);
	close(fd);
	buf_fini(&text);
}

static void
impossible_delimiters_are_refused(void **state)
{
	static const char *const bad[] = { "", "\n", ",\r",
		"01234567890123456" };
	struct csv_options options = { NULL, false, 0 };
	struct csv *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		options.delimiter = bad[i];
		assert_int_equal(csv_open(0, &options, &c), ERR_INVALID);
		assert_null(c);
	}
}

/* --- cells ------------------------------------------------------------------- */

static struct span
span(const char *s)
{
	return (struct span){ s, strlen(s) };
}

static void
numbers_are_read_exactly_as_libc_reads_them(void **state)
{
	static const char *const good[] = { "0", "1", "-1", "+1", ".5", "5.",
		"0.1", "123456789012345678", "9007199254740993", "1e22",
		"-1.5E-7", "0.000000000000000000000001", "4.9e-324",
		"1.7976931348623157e308", "3.141592653589793238",
		"0.30000000000000004", "-0" };
	static const char *const bad[] = { "", "-", ".", "1x", "0x10", "nan",
		"inf", "1e", "1e999", "1 2", "--1", "1.2.3", "1,5" };
	char text[64];
	double v, want;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(cell_number(span(good[i]), &v));
		want = strtod(good[i], NULL);
		assert_memory_equal(&v, &want, sizeof(v));
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(cell_number(span(bad[i]), &v));
	for (i = 0; i < 20000; i++) {
		(void)snprintf(text, sizeof(text), "%.*f", (int)(i % 18),
		    (double)rand() / (double)(1 + rand() % 1000));
		assert_true(cell_number(span(text), &v));
		want = strtod(text, NULL);
		assert_memory_equal(&v, &want, sizeof(v));
	}
}

static void
sets_match_numbers_written_differently(void **state)
{
	struct json_object *list = json_tokener_parse("[-999, \"x\", "
						      "null]");
	struct cell_set set = { NULL, 0 };

	(void)state;
	cell_set_add_json(&set, list);
	cell_set_add_json(&set, NULL);
	assert_true(cell_set_has(&set, span("-999.0")));
	assert_true(cell_set_has(&set, span("x")));
	assert_true(cell_set_has(&set, span("None")));
	assert_false(cell_set_has(&set, span("999")));
	assert_true(cell_set_has_number(&set, -999));
	assert_false(cell_set_has_number(&set, 0));
	cell_set_fini(&set);
	json_object_put(list);
}

static void
cells_are_counted_beyond_the_room_for_them(void **state)
{
	struct span cells[2];

	(void)state;
	assert_int_equal(cell_split(span(" a , b ,c"), ",", cells, 2), 3);
	assert_int_equal(cells[0].len, 1);
	assert_int_equal(cells[1].len, 1);
	assert_int_equal(cell_split(span(""), ",", cells, 2), 1);
}

/* --- rendering ------------------------------------------------------------------ */

static void
numbers_are_shown_short_and_exact(void **state)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{ 0.1, "0.1" },
		{ 1, "1.0" },
		{ -2.5, "-2.5" },
		{ 0.30000000000000004, "0.30000000000000004" },
		{ 1e-5, "1e-05" },
		{ 1e300, "1e+300" },
		{ NAN, "nan" },
		{ -INFINITY, "-inf" },
	};
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&b);
		render_double(&b, cases[i].v);
		assert_string_equal(b.data, cases[i].text);
	}
	buf_fini(&b);
}

static void
rows_are_shown_as_clients_read_them(void **state)
{
	const double values[] = { 0.5, 2, NAN };
	struct row dense = { .kind = ROW_DENSE,
		.id = span("7"),
		.flags = ROW_LABEL,
		.label = 1,
		.values = values,
		.n_values = 3 };
	struct row predict = { .kind = ROW_PREDICT,
		.id = span("7"),
		.result = 1,
		.score = 0.8,
		.detail = span("{\"0\": 0.2, \"1\": 0.8}"),
		.type = span("train") };
	struct row text = {
		.kind = ROW_TEXT, .id = span("7"), .text = span("a;;b")
	};
	struct json_object *o;
	struct buf b = BUF_INIT;

	(void)state;
	o = render_row_json(&dense, ",");
	assert_string_equal(
	    json_object_to_json_string_ext(o, 0), "[\"7\",1,0.5,2.0,null]");
	json_object_put(o);
	o = render_row_json(&predict, ",");
	assert_string_equal(
	    json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE),
	    "[\"7\",null,1,0.8,"
	    "\"{\\\"0\\\": 0.2, \\\"1\\\": 0.8}\",\"train\"]");
	json_object_put(o);
	o = render_row_json(&text, ";");
	assert_string_equal(
	    json_object_to_json_string_ext(o, 0), "[\"7\",\"a\",\"\",\"b\"]");
	json_object_put(o);
	render_row_csv(&b, &dense, ",");
	assert_string_equal(b.data, "7,1,0.5,2.0,nan");
	buf_clear(&b);
	render_row_csv(&b, &predict, ",");
	assert_string_equal(
	    b.data, "7,None,1,0.8,\"{'0': 0.2, '1': 0.8}\",train");
	/* However the detail was written, it reads as the platform's. */
	predict.detail = span("{\"a:b\":0.2,\"1\":0.8}");
	buf_clear(&b);
	render_row_csv(&b, &predict, ",");
	assert_string_equal(
	    b.data, "7,None,1,0.8,\"{'a:b': 0.2, '1': 0.8}\",train");
	buf_fini(&b);
}

static void
columns_have_the_names_of_their_cells(void **state)
{
	static const struct {
		const char *schema;
		const char *columns;
	} cases[] = {
		{ "{\"sid\":\"id\",\"header\":\"y,x0\"}",
		    "[\"id\",\"y\",\"x0\"]" },
		{ "{\"sid\":\"id\",\"header\":[\"x0\"],\"label_name\":\"y\"}",
		    "[\"id\",\"y\",\"x0\"]" },
		{ "{\"sid\":\"\",\"header\":\"\"}", "[]" },
		{ "{\"sid\":\"id\",\"header\":[\"a\",\"c\"],\"label_name\":"
		  "\"b\",\"original_index_info\":{\"header_index\":[0,2],"
		  "\"label_index\":1,\"match_id_index\":[]}}",
		    "[\"id\",\"a\",\"b\",\"c\"]" },
	};
	struct json_object *schema, *columns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		schema = json_tokener_parse(cases[i].schema);
		columns = render_columns(schema, ",");
		assert_string_equal(json_object_to_json_string_ext(
					columns, JSON_C_TO_STRING_PLAIN),
		    cases[i].columns);
		json_object_put(columns);
		json_object_put(schema);
	}
}

static void
meta_gives_columns_their_uses_and_anonymous_names(void **state)
{
	struct json_object *s, *v;

	(void)state;
	s = json_tokener_parse(
	    "{\"sid\":\"id\",\"header\":\"phone, a ,y,b\","
	    "\"meta\":{\"with_label\":true,\"label_name\":\"y\","
	    "\"with_match_id\":true}}");
	assert_int_equal(schema_generate(s, ","), 0);
	schema_prefix(s, "guest", "9999");
	(void)json_object_object_get_ex(s, "header", &v);
	assert_string_equal(
	    json_object_to_json_string_ext(v, 0), "[\"a\",\"b\"]");
	(void)json_object_object_get_ex(s, "anonymous_header", &v);
	assert_string_equal(json_object_to_json_string_ext(v, 0),
	    "[\"guest_9999_x0\",\"guest_9999_x1\"]");
	(void)json_object_object_get_ex(s, "anonymous_label", &v);
	assert_string_equal(json_object_get_string(v), "guest_9999_y");
	(void)json_object_object_get_ex(s, "match_id_name", &v);
	assert_string_equal(json_object_get_string(v), "phone");
	json_object_put(s);

	s = json_tokener_parse(
	    "{\"sid\":\"id\",\"header\":\"a\",\"meta\":"
	    "{\"with_label\":true,\"label_name\":\"target\"}}");
	assert_int_equal(schema_generate(s, ","), ERR_INVALID);
	assert_non_null(strstr(err_text(), "target"));
	json_object_put(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_line_end_is_understood),
		cmocka_unit_test(a_byte_order_mark_is_dropped_only_in_front),
		cmocka_unit_test(
		    bytes_that_are_not_text_are_refused_naming_the_line),
		cmocka_unit_test(without_quoting_a_quote_is_a_character),
		cmocka_unit_test(quoted_fields_may_contain_line_ends),
		cmocka_unit_test(line_numbers_count_lines_inside_quotes),
		cmocka_unit_test(fields_lie_between_delimiters),
		cmocka_unit_test(long_lines_have_a_limit),
		cmocka_unit_test(lines_survive_the_borders_of_reads),
		cmocka_unit_test(impossible_delimiters_are_refused),
		cmocka_unit_test(numbers_are_read_exactly_as_libc_reads_them),
		cmocka_unit_test(sets_match_numbers_written_differently),
		cmocka_unit_test(cells_are_counted_beyond_the_room_for_them),
		cmocka_unit_test(numbers_are_shown_short_and_exact),
		cmocka_unit_test(rows_are_shown_as_clients_read_them),
		cmocka_unit_test(columns_have_the_names_of_their_cells),
		cmocka_unit_test(
		    meta_gives_columns_their_uses_and_anonymous_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
