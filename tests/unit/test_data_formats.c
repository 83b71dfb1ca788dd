/*
 * DataTransform on sparse and tag rows: columns, labels, match ids, values
 * that are missing, and what a model does with features it does not know.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "executor/components/name_set.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"
#include "proto/model/data_transform.pb-c.h"
#include "tests/lib/loopback.h"

struct done {
	struct loopback *lb;
	struct member *m;
	int code;
};

/* Rows r1, r2, … of these texts, transformed. */
static struct done
transform(const char *const *rows, const char *schema, const char *parameters,
    const struct done *model)
{
	struct done d = { .lb = loopback_new("DataTransform", "dt_0") };
	char *path = xasprintf("%s/text", loopback_folder(d.lb));
	struct table_writer *w;
	char id[16];
	size_t i;

	assert_int_equal(table_create(&storage_standalone, path, &w), 0);
	for (i = 0; rows[i] != NULL; i++) {
		struct row row = { .kind = ROW_TEXT,
			.id = { id, 0 },
			.text = { rows[i], strlen(rows[i]) } };

		row.id.len = (size_t)snprintf(id, sizeof(id), "r%zu", i + 1);
		assert_int_equal(table_append(w, &row), 0);
	}
	assert_int_equal(table_seal(w, schema, 4), 0);
	d.m = loopback_add(d.lb, "guest", "9999", parameters);
	loopback_input(d.m, "data", "reader_0", path);
	if (model != NULL)
		loopback_model(d.m, TASK_MODEL, model->m);
	d.code = loopback_run(d.lb);
	free(path);
	return d;
}

#define PLAIN "{\"header\":\"\",\"sid\":\"\"}"
#define ROWS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* "label|match: v v v" of a row, nan for missing ones. */
static void
assert_row(const struct done *d, uint64_t number, const char *want)
{
	struct table *t = loopback_output(d->m, 0);
	struct buf text = BUF_INIT;
	struct table_cursor *c;
	struct row row;
	uint32_t i;

	if (t == NULL)
		fail_msg("no output: %s", loopback_error(d->m));
	assert_int_equal(table_scan(t, 0, 0, &c), 0);
	assert_int_equal(cursor_at(c, number, &row), 0);
	if (row.flags & ROW_LABEL)
		buf_printf(&text, "%g", row.label);
	if (row.flags & ROW_MATCH_ID)
		buf_printf(
		    &text, "|%.*s", (int)row.match_id.len, row.match_id.data);
	buf_puts(&text, ":");
	for (i = 0; i < row.n_values; i++)
		buf_printf(&text, " %g", row.values[i]);
	assert_string_equal(buf_str(&text), want);
	buf_fini(&text);
	cursor_free(c);
}

static void
assert_header(const struct done *d, const char *want)
{
	struct json_object *schema;

	assert_non_null(loopback_output(d->m, 0));
	assert_int_equal(
	    json_parse_text(
		table_stat(loopback_output(d->m, 0))->schema_json, &schema),
	    0);
	assert_string_equal(json_text(json_get(schema, "header")), want);
	json_object_put(schema);
}

static void
fails(struct done d, int code, const char *part)
{
	assert_int_equal(d.code, code);
	if (strstr(loopback_error(d.m), part) == NULL)
		fail_msg("\"%s\" does not contain \"%s\"", loopback_error(d.m),
		    part);
	loopback_free(d.lb);
}

/* --- sparse ----------------------------------------------------------------- */

#define SVM                                                                    \
	"{\"input_format\":\"sparse\",\"delimitor\":\" \","                    \
	"\"with_label\":true}"

static void
places_become_columns(void **state)
{
	struct done d =
	    transform(ROWS("1 0:0.5 3:2", "0 1:-1", "1"), PLAIN, SVM, NULL);

	(void)state;
	assert_header(&d, "[\"x0\",\"x1\",\"x2\",\"x3\"]");
	assert_row(&d, 0, "1: 0.5 0 0 2");
	assert_row(&d, 1, "0: 0 -1 0 0");
	assert_row(&d, 2, "1: 0 0 0 0");
	loopback_free(d.lb);
}

static void
a_model_drops_places_that_it_does_not_know(void **state)
{
	struct done d = transform(ROWS("1 0:1 2:3"), PLAIN, SVM, NULL);
	struct done p = transform(ROWS("0:4 7:1", "1:2"), PLAIN, "{}", &d);

	(void)state;
	assert_header(&p, "[\"x0\",\"x1\",\"x2\"]");
	assert_row(&p, 0, ": 4 0 0"); /* no label: rows to predict */
	assert_row(&p, 1, ": 0 2 0");
	loopback_free(p.lb);
	p = transform(ROWS("1 0:4"), PLAIN, "{}", &d);
	assert_row(&p, 0, "1: 4 0 0");
	loopback_free(p.lb);
	loopback_free(d.lb);
}

static void
bad_places_name_their_row(void **state)
{
	(void)state;
	fails(transform(ROWS("1 0:1", "1 a:1"), PLAIN, SVM, NULL), ERR_FORMAT,
	    "row 2");
	fails(transform(ROWS("1 0:1", "1 7"), PLAIN, SVM, NULL), ERR_FORMAT,
	    "row 2");
	fails(transform(ROWS("1 :1"), PLAIN, SVM, NULL), ERR_FORMAT, "row 1");
	fails(transform(ROWS("1 -1:1"), PLAIN, SVM, NULL), ERR_FORMAT, "row 1");
	fails(transform(ROWS("1 99999999999999999999:1"), PLAIN, SVM, NULL),
	    ERR_LIMIT, "row 1");
	fails(transform(ROWS("1 1:x"), PLAIN, SVM, NULL), ERR_FORMAT,
	    "row 1, column x1");
	fails(transform(ROWS("1 1:1 2:2 1:3"), PLAIN, SVM, NULL), ERR_FORMAT,
	    "two values");
}

static void
the_tables_meta_says_where_match_ids_and_label_stand(void **state)
{
	const char *schema =
	    "{\"header\":\"\",\"sid\":\"\",\"meta\":{\"input_format\":"
	    "\"svmlight\",\"delimiter\":\",\",\"with_match_id\":true,"
	    "\"id_range\":2,\"with_label\":true,\"label_type\":\"int\"}}";
	struct done d = transform(ROWS("p1,q1,1,0:5", "p2,q2,0,1:6"), schema,
	    "{\"match_id_index\":1}", NULL);

	(void)state;
	assert_row(&d, 0, "1|q1: 5 0");
	assert_row(&d, 1, "0|q2: 0 6");
	assert_non_null(strstr(
	    table_stat(loopback_output(d.m, 0))->schema_json, "match_id1"));
	loopback_free(d.lb);
	fails(transform(
		  ROWS("p1,q1,1,0:5"), schema, "{\"match_id_index\":2}", NULL),
	    ERR_INVALID, "match_id_index");
}

/* --- tags -------------------------------------------------------------------- */

#define TAG "{\"input_format\":\"tag\",\"delimitor\":\";\"}"
#define VALUES                                                                 \
	"\"input_format\":\"tag\",\"delimitor\":\";\",\"tag_with_value\":true"

static void
tags_become_columns_in_order(void **state)
{
	struct done d =
	    transform(ROWS("news;cars", "", "art;news;news"), PLAIN, TAG, NULL);

	(void)state;
	assert_header(&d, "[\"art\",\"cars\",\"news\"]");
	assert_row(&d, 0, ": 0 1 1");
	assert_row(&d, 1, ": 0 0 0");
	assert_row(&d, 2, ": 1 0 1");
	loopback_free(d.lb);
}

static void
tags_with_values_keep_them(void **state)
{
	struct done d =
	    transform(ROWS("b:2;a:0.5", "c:-1"), PLAIN, "{" VALUES "}", NULL);
	struct done p = transform(ROWS("c:9;zzz:1", "a:1"), PLAIN, "{}", &d);

	(void)state;
	assert_header(&d, "[\"a\",\"b\",\"c\"]");
	assert_row(&d, 0, ": 0.5 2 0");
	assert_row(&d, 1, ": 0 0 -1");
	/* Tags that the model never saw are dropped. */
	assert_header(&p, "[\"a\",\"b\",\"c\"]");
	assert_row(&p, 0, ": 0 0 9");
	assert_row(&p, 1, ": 1 0 0");
	loopback_free(p.lb);
	loopback_free(d.lb);
	fails(transform(ROWS("a:1", "b"), PLAIN, "{" VALUES "}", NULL),
	    ERR_FORMAT, "row 2: a tag has no value");
	fails(transform(ROWS("a:1;a:2"), PLAIN, "{" VALUES "}", NULL),
	    ERR_FORMAT, "column a: has two values");
}

static void
missing_tags_are_filled_when_asked_for(void **state)
{
	struct done d = transform(ROWS("a:1;b:4", "a:3", "b:NA"), PLAIN,
	    "{" VALUES ",\"missing_fill\":true,"
	    "\"missing_fill_method\":\"mean\"}",
	    NULL);
	struct done p = transform(ROWS("a:8"), PLAIN, "{}", &d);

	(void)state;
	assert_row(&d, 0, ": 1 4");
	assert_row(&d, 1, ": 3 4");
	assert_row(&d, 2, ": 2 4");
	assert_row(&p, 0, ": 8 4"); /* what was learned is used */
	loopback_free(p.lb);
	loopback_free(d.lb);
}

static void
another_delimiter_may_stand_between_tag_and_value(void **state)
{
	struct done d = transform(ROWS("1;u:x=2"), PLAIN,
	    "{" VALUES ",\"with_label\":true,\"tag_value_delimitor\":\"=\"}",
	    NULL);

	(void)state;
	assert_header(&d, "[\"u:x\"]");
	assert_row(&d, 0, "1: 2");
	loopback_free(d.lb);
}

static void
the_model_says_how_rows_were_read(void **state)
{
	struct done d = transform(ROWS("1;a=2"), PLAIN,
	    "{" VALUES ",\"with_label\":true,\"tag_value_delimitor\":\"=\"}",
	    NULL);
	const struct task_buffer *b =
	    loopback_model_buffer(d.m, "DataTransformMeta");
	Sluice__Model__DataTransformMeta *meta;

	(void)state;
	assert_non_null(b);
	meta = sluice__model__data_transform_meta__unpack(
	    NULL, b->size, b->content);
	assert_non_null(meta);
	assert_string_equal(meta->input_format, "tag");
	assert_true(meta->tag_with_value);
	assert_string_equal(meta->tag_value_delimitor, "=");
	assert_string_equal(meta->delimitor, ";");
	sluice__model__data_transform_meta__free_unpacked(meta, NULL);
	loopback_free(d.lb);
}

static off_t
bytes_of_output(const struct done *d)
{
	char *path = xasprintf("%s/data.mdb", loopback_output_folder(d->m, 0));
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	free(path);
	return st.st_size;
}

/* "t0;t1;…", as many as wanted from number first. */
static char *
tags_from(size_t first, size_t wanted)
{
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < wanted; i++)
		buf_printf(&text, "%st%zu", i == 0 ? "" : ";", first + i);
	return buf_steal(&text);
}

/* A hundred thousand tags, each in one row of three hundred. */
static void
many_tags_take_little_room(void **state)
{
	enum { N = 300, EACH = 334 };
	char *rows[N + 1] = { NULL };
	struct json_object *schema;
	struct done d;
	size_t i;

	(void)state;
	for (i = 0; i < N; i++)
		rows[i] = tags_from(i * EACH, EACH);
	d = transform((const char *const *)rows, PLAIN, TAG, NULL);
	assert_int_equal(d.code, 0);
	assert_int_equal(table_count(loopback_output(d.m, 0)), N);
	assert_int_equal(
	    json_parse_text(
		table_stat(loopback_output(d.m, 0))->schema_json, &schema),
	    0);
	assert_int_equal(
	    json_object_array_length(json_get(schema, "header")), N * EACH);
	/* A value for each tag in each row would take 240 million. */
	assert_true(bytes_of_output(&d) < 16 * 1000 * 1000);
	json_object_put(schema);
	for (i = 0; i < N; i++)
		free(rows[i]);
	loopback_free(d.lb);
}

/* --- names --------------------------------------------------------------------- */

static void
names_are_numbered_and_sorted(void **state)
{
	struct name_set *s = name_set_new();
	char text[16];
	bool is_new;
	uint32_t i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		struct span name = { text, 0 };

		name.len = (size_t)snprintf(text, sizeof(text), "n%u", i % 500);
		assert_int_equal(name_set_add(s, name, &is_new), i % 500);
		assert_int_equal(is_new, i < 500);
	}
	name_set_sort(s);
	assert_int_equal(name_set_count(s), 500);
	assert_int_equal(name_set_find(s, (struct span){ "n0", 2 }), 0);
	assert_int_equal(name_set_find(s, (struct span){ "n1", 2 }), 1);
	assert_int_equal(name_set_find(s, (struct span){ "n10", 3 }), 2);
	assert_int_equal(name_set_find(s, (struct span){ "n", 1 }), NAME_NONE);
	name_set_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_become_columns),
		cmocka_unit_test(a_model_drops_places_that_it_does_not_know),
		cmocka_unit_test(bad_places_name_their_row),
		cmocka_unit_test(
		    the_tables_meta_says_where_match_ids_and_label_stand),
		cmocka_unit_test(tags_become_columns_in_order),
		cmocka_unit_test(tags_with_values_keep_them),
		cmocka_unit_test(missing_tags_are_filled_when_asked_for),
		cmocka_unit_test(
		    another_delimiter_may_stand_between_tag_and_value),
		cmocka_unit_test(the_model_says_how_rows_were_read),
		cmocka_unit_test(many_tags_take_little_room),
		cmocka_unit_test(names_are_numbered_and_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
