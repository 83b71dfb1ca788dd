/*
 * Upload, Reader and DataTransform: from a file to rows of numbers, and what
 * they say about files that are not what their owner believes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "proto/model/data_transform.pb-c.h"
#include "tests/lib/loopback.h"

struct done {
	struct loopback *lb;
	struct member *m;
	int code;
};

static void
end(struct done *d)
{
	loopback_free(d->lb);
}

static struct done
upload_bytes(const char *bytes, size_t len, const char *parameters)
{
	struct done d = { .lb = loopback_new("Upload", "upload_0") };
	char *path = xasprintf("%s/file.csv", loopback_folder(d.lb));
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	d.m = loopback_add(d.lb, "local", "0", parameters);
	loopback_input_file(d.m, path);
	d.code = loopback_run(d.lb);
	free(path);
	return d;
}

#define UPLOAD(text, parameters)                                               \
	upload_bytes(text, sizeof(text) - 1,                                   \
	    "{\"namespace\":\"n\","                                            \
	    "\"name\":\"t\"" parameters "}")

static struct done
run_on(const char *module, const char *role, const char *folder,
    const char *parameters, const struct member *model)
{
	struct done d = { .lb = loopback_new(module, "component_0") };

	d.m = loopback_add(d.lb, role, "9999", parameters);
	loopback_input(d.m, "data", "reader_0", folder);
	if (model != NULL)
		loopback_model(d.m, TASK_MODEL, model);
	d.code = loopback_run(d.lb);
	return d;
}

static struct done
transform(const struct done *uploaded, const char *parameters,
    const struct done *model)
{
	assert_int_equal(uploaded->code, 0);
	return run_on("DataTransform", "guest",
	    loopback_output_folder(uploaded->m, 0), parameters,
	    model != NULL ? model->m : NULL);
}

static void
fails(struct done d, int code, const char *part)
{
	assert_int_equal(d.code, code);
	if (strstr(loopback_error(d.m), part) == NULL)
		fail_msg("\"%s\" does not contain \"%s\"", loopback_error(d.m),
		    part);
	assert_null(loopback_output(d.m, 0));
	end(&d);
}

static const char *
json(struct json_object *o)
{
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
}

static const char *
schema_of(const struct done *d)
{
	assert_int_equal(d->code, 0);
	assert_non_null(loopback_output(d->m, 0));
	return table_stat(loopback_output(d->m, 0))->schema_json;
}

/* --- Upload ------------------------------------------------------------------- */

static void
an_uploaded_file_becomes_a_table_with_its_header(void **state)
{
	struct done d = UPLOAD(
	    "id,y,x0\r\na,1,0.5\r\nb,0,\r\n", ",\"head\":1,\"partition\":3");

	(void)state;
	assert_string_equal(schema_of(&d), "{\"header\":\"y,x0\","
					   "\"sid\":\"id\"}");
	assert_int_equal(table_stat(loopback_output(d.m, 0))->partitions, 3);
	assert_string_equal(json(loopback_preview(d.m, 0)),
	    "[[\"a\",\"1\",\"0.5\"],[\"b\",\"0\",\"\"]]");
	assert_string_equal(json(loopback_metric(d.m, "upload", "data_access")),
	    "[[\"count\",2.0]]");
	assert_string_equal(json(loopback_meta(d.m, "upload", "data_access")),
	    "{\"name\":\"upload\",\"metric_type\":\"UPLOAD\"}");
	end(&d);
}

static void
without_head_the_first_line_is_a_row(void **state)
{
	struct done d = UPLOAD("a;1\nb;2\n", ",\"head\":0,"
					     "\"id_delimiter\":\";\"");

	(void)state;
	assert_string_equal(schema_of(&d), "{\"header\":\"\",\"sid\":\"\"}");
	assert_int_equal(table_count(loopback_output(d.m, 0)), 2);
	end(&d);
}

static void
extend_sid_makes_ids_of_a_prefix_and_the_row_number(void **state)
{
	struct done d = UPLOAD("name,x\np,1\np,2\n", ",\"extend_sid\":true");
	const char *first;

	(void)state;
	assert_string_equal(schema_of(&d), "{\"header\":\"name,x\","
					   "\"sid\":\"extend_sid\"}");
	first = json_object_get_string(json_object_array_get_idx(
	    json_object_array_get_idx(loopback_preview(d.m, 0), 0), 0));
	assert_int_equal(strlen(first), 33);
	assert_int_equal(first[32], '0');
	end(&d);

	d = UPLOAD("name,x\np,1\np,2\n", ",\"extend_sid\":true,"
					 "\"auto_increasing_sid\":true");
	assert_int_equal(d.code, 0);
	assert_string_equal(json(loopback_preview(d.m, 0)),
	    "[[\"0\",\"p\",\"1\"],[\"1\",\"p\",\"2\"]]");
	end(&d);
}

static void
meta_is_kept_and_names_the_columns(void **state)
{
	struct json_object *schema, *v;
	struct done d = UPLOAD("id|y|x0\na|1|2\n",
	    ",\"with_meta\":true,\"meta\":{\"delimiter\":\"|\","
	    "\"with_label\":true,\"id_list\":null}");

	(void)state;
	schema = json_tokener_parse(schema_of(&d));
	assert_true(json_object_object_get_ex(schema, "header", &v));
	assert_string_equal(json(v), "[\"x0\"]");
	assert_true(json_object_object_get_ex(schema, "label_name", &v));
	assert_string_equal(json_object_get_string(v), "y");
	assert_true(json_object_object_get_ex(schema, "meta", &v));
	assert_string_equal(json(v),
	    "{\"delimiter\":\"|\","
	    "\"with_label\":true,\"input_format\":\"dense\","
	    "\"tag_with_value\":false,\"tag_value_delimiter\":\":\","
	    "\"with_match_id\":false,\"id_range\":0,\"data_type\":\"float64\","
	    "\"label_name\":\"y\",\"label_type\":\"int\"}");
	json_object_put(schema);
	end(&d);
}

static void
dirty_files_are_refused_naming_the_line(void **state)
{
	(void)state;
	fails(UPLOAD("id,x\na,1\nb\n", ""), ERR_FORMAT,
	    "line 3 (row 2) has 1 columns, but the header has 2");
	fails(UPLOAD("id,x\na,1,2\n", ""), ERR_FORMAT,
	    "line 2 (row 1) has 3 columns");
	fails(UPLOAD("id,x\na,1\nb,2\na,3\n", ""), ERR_EXISTS,
	    "line 4 (row 3) has the same id as line 2 (row 1)");
	fails(UPLOAD("id,x\n,1\n", ""), ERR_FORMAT, "line 2 (row 1)");
	fails(UPLOAD("id,x\na,1\n\nb,2\n", ""), ERR_FORMAT,
	    "line 3 (row 2) is empty");
	fails(UPLOAD("id,x\na,1\nb,\0002\n", ""), ERR_FORMAT, "line 3");
	fails(UPLOAD("id,x\na,\xff\n", ""), ERR_FORMAT,
	    "line 2, column 2 is not UTF-8; convert");
}

static void
blank_lines_behind_the_last_row_are_fine(void **state)
{
	struct done all[] = {
		UPLOAD("id,x\na,1\n\n\n", ""),
		UPLOAD("id,x\r\na,1\r\n\r\n", ""),
		UPLOAD("id,x\r\na,1\r\n\r\n\r\n", ""),
		UPLOAD("id,x\na,1\n  \n \t\n", ""),
		UPLOAD("id,x\na,1\n  ", ""),
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		assert_int_equal(all[i].code, 0);
		assert_int_equal(table_count(loopback_output(all[i].m, 0)), 1);
		end(&all[i]);
	}
}

static void
quotes_are_refused_and_said_to_be_unsupported(void **state)
{
	(void)state;
	fails(UPLOAD("id,\"x\"\na,1\n", ""), ERR_FORMAT,
	    "the header, column 2 begins with a double quote; quotes are "
	    "not supported");
	fails(UPLOAD("id,x,z\na, \"1,5\"\n", ""), ERR_FORMAT,
	    "line 2 (row 1), column 2 begins with a double quote");
	fails(UPLOAD("\"a\",1\n", ",\"head\":0"), ERR_FORMAT,
	    "line 1 (row 1), column 1 begins with a double quote");
	fails(UPLOAD("id,x\na,1\nb,\"1,5\"\n", ""), ERR_FORMAT,
	    "line 3 (row 2) has 3 columns, but the header has 2; quotes are "
	    "not supported: the delimiter may not stand inside a field");
	fails(UPLOAD("id,x\na,1\nb,1,5\n", ""), ERR_FORMAT,
	    "has 3 columns, but the header has 2; all lines");
}

static void
a_header_needs_a_name_of_its_own_for_every_column(void **state)
{
	struct done d;

	(void)state;
	fails(UPLOAD("id,x,y,x\na,1,2,3\n", ""), ERR_INVALID,
	    "columns 2 and 4 of the header have the same name, x");
	fails(UPLOAD("id,x, x \na,1,2\n", ""), ERR_INVALID,
	    "columns 2 and 3 of the header have the same name");
	fails(UPLOAD("id,id\na,1\n", ""), ERR_INVALID, "columns 1 and 2");
	fails(UPLOAD("id,x,\na,1,\n", ""), ERR_INVALID,
	    "column 3 of the header has no name");
	fails(UPLOAD("id, ,x\na,1,2\n", ""), ERR_INVALID,
	    "column 2 of the header has no name");
	fails(UPLOAD(",x\na,1\n", ""), ERR_INVALID,
	    "column 1 of the header has no name; it is the id");
	d = UPLOAD(" id , y,x0\t\na,1,2\n", "");
	assert_string_equal(schema_of(&d), "{\"header\":\"y,x0\","
					   "\"sid\":\"id\"}");
	end(&d);
}

#define UMLAUTS_8 "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
#define UMLAUTS_64                                                             \
	UMLAUTS_8 UMLAUTS_8 UMLAUTS_8 UMLAUTS_8 UMLAUTS_8 UMLAUTS_8 UMLAUTS_8  \
	    UMLAUTS_8

static void
long_names_are_shown_in_part_and_no_character_is_cut(void **state)
{
	struct done d =
	    UPLOAD("id,x" UMLAUTS_64 ",x" UMLAUTS_64 "\na,1,2\n", "");

	(void)state;
	assert_true(
	    str_is_utf8(loopback_error(d.m), strlen(loopback_error(d.m))));
	fails(d, ERR_INVALID, "columns 2 and 3 of the header have the same");
	d = UPLOAD("id,x" UMLAUTS_64 "\na,1\n", "");
	assert_int_equal(d.code, 0);
	assert_true(str_is_utf8(loopback_log(d.m), strlen(loopback_log(d.m))));
	end(&d);
}

static void
a_header_with_another_delimiter_is_pointed_out(void **state)
{
	struct done d;

	(void)state;
	fails(UPLOAD("id;x\na;1\n", ""), ERR_INVALID,
	    "single column and contains \";\"; if that stands between the "
	    "columns, set id_delimiter to it (it is \",\" now)");
	fails(UPLOAD("id\tx\na\t1\n", ""), ERR_INVALID, "contains a tab");
	fails(UPLOAD("id|x\na|1\n", ""), ERR_INVALID, "contains \"|\"");
	fails(UPLOAD("id,x\na,1\n", ",\"id_delimiter\":\";\""), ERR_INVALID,
	    "contains \",\"");
	fails(UPLOAD("id,x\na,1\n",
		  ",\"with_meta\":true,\"meta\":{\"delimiter\":\";\"}"),
	    ERR_INVALID, "set meta.delimiter");
	d = UPLOAD("id\na\n", "");
	assert_int_equal(d.code, 0);
	end(&d);
}

static void
the_log_says_what_was_read(void **state)
{
	struct done d = UPLOAD("id,y,x0\na,1,2\nb,1,2\n", "");

	(void)state;
	assert_non_null(
	    strstr(loopback_log(d.m), "info 2 rows, id + 2 columns: y,x0\n"));
	end(&d);
	d = UPLOAD("id,a,b,c,d,e,f,g,h,i,j,k\n1,2,3,4,5,6,7,8,9,0,1,2\n", "");
	assert_non_null(strstr(loopback_log(d.m),
	    "info 1 row, id + 11 columns: a,b,c,d,e,f,g,h,i,j,…\n"));
	end(&d);
	d = UPLOAD("a,1\n", ",\"head\":0");
	assert_non_null(
	    strstr(loopback_log(d.m), "info 1 row, id + 1 column\n"));
	end(&d);
}

static void
ids_that_are_too_long_are_refused_naming_the_line(void **state)
{
	struct buf text = BUF_INIT;
	struct done d;
	int i;

	(void)state;
	buf_puts(&text, "id,x\na,1\n");
	for (i = 0; i < 512; i++)
		buf_putc(&text, 'i');
	buf_puts(&text, ",1\n");
	d = upload_bytes(text.data, text.len, "{}");
	buf_fini(&text);
	fails(d, ERR_FORMAT, "line 3 (row 2): the id has 512 bytes");
}

static void
impossible_uploads_say_what_would_be_right(void **state)
{
	(void)state;
	fails(UPLOAD("", ""), ERR_INVALID, "empty");
	fails(UPLOAD("id,x\n", ""), ERR_INVALID, "no rows");
	fails(UPLOAD("\na,1\n", ""), ERR_INVALID, "head");
	fails(UPLOAD("id\na\n", ",\"head\":2"), ERR_INVALID, "0 or 1");
	fails(UPLOAD("id\na\n", ",\"partition\":0"), ERR_INVALID, "1023");
	fails(UPLOAD("id\na\n", ",\"partition\":1024"), ERR_INVALID, "1023");
	fails(UPLOAD("id,x\na,1\n", ",\"with_meta\":true,"
				    "\"meta\":{\"with_label\":true}"),
	    ERR_INVALID, "column y");
}

static void
ragged_lines_are_fine_when_meta_says_tag(void **state)
{
	struct done d =
	    UPLOAD("a,red,blue\nb,red\n", ",\"head\":0,"
					  "\"with_meta\":true,\"meta\":"
					  "{\"input_format\":\"tag\"}");

	(void)state;
	assert_int_equal(d.code, 0);
	end(&d);
	/* Without header and meta nobody said that there are columns. */
	d = UPLOAD("a,red,blue\nb,red\n", ",\"head\":0");
	assert_int_equal(d.code, 0);
	assert_non_null(strstr(loopback_log(d.m), "line 2 (row 2)"));
	end(&d);
}

/* --- Reader ------------------------------------------------------------------------ */

static void
reader_hands_on_rows_and_puts_role_and_party_into_names(void **state)
{
	struct done u = UPLOAD("id,y,x0\na,1,7\nb,0,8\n",
	    ",\"with_meta\":"
	    "true,\"meta\":{\"with_label\":true}");
	struct done d = run_on(
	    "Reader", "guest", loopback_output_folder(u.m, 0), "{}", NULL);
	struct json_object *meta, *v;

	(void)state;
	assert_int_equal(d.code, 0);
	assert_int_equal(table_count(loopback_output(d.m, 0)), 2);
	assert_non_null(strstr(schema_of(&d), "guest_9999_x0"));
	meta = loopback_meta(d.m, "reader_namespace", "reader_name");
	assert_true(json_object_object_get_ex(meta, "metric_type", &v));
	assert_string_equal(json_object_get_string(v), "data_info");
	assert_true(json_object_object_get_ex(meta, "table_info", &v));
	assert_string_equal(json(v), "{\"y\":\"1,0\",\"x0\":\"7,8\"}");
	assert_true(json_object_object_get_ex(meta, "anonymous_info", &v));
	assert_string_equal(json(v), "{\"x0\":\"guest_9999_x0\","
				     "\"y\":\"guest_9999_y\"}");
	assert_true(json_object_object_get_ex(meta, "attribute_info", &v));
	assert_string_equal(json(v), "{\"y\":\"label\",\"x0\":\"feature\"}");
	assert_true(json_object_object_get_ex(meta, "count", &v));
	assert_int_equal(json_object_get_int(v), 2);
	end(&d);
	end(&u);
}

/* --- DataTransform ------------------------------------------------------------------ */

static void
cell_is(const struct done *d, const char *id, uint32_t i, double want)
{
	struct table_cursor *c;
	struct row row;

	assert_int_equal(
	    table_scan(loopback_output(d->m, 0), 0, UINT64_MAX, &c), 0);
	assert_int_equal(cursor_get(c, id, strlen(id), &row), 0);
	assert_true(i < row.n_values);
	if (isnan(want))
		assert_true(isnan(row.values[i]));
	else
		assert_true(row.values[i] == want);
	cursor_free(c);
}

static void
text_becomes_numbers_with_the_label_apart(void **state)
{
	struct done u = UPLOAD("id,x0,y,x1\na,0.5,1,2\nb, -1e3 ,0,NULL\n", "");
	struct done d = transform(&u,
	    "{\"with_label\":true,"
	    "\"label_name\":\"Y\"}",
	    NULL);

	(void)state;
	assert_string_equal(schema_of(&d),
	    "{\"sid\":\"id\",\"header\":"
	    "[\"x0\",\"x1\"],\"anonymous_header\":[\"guest_9999_x0\","
	    "\"guest_9999_x1\"],\"label_name\":\"y\",\"anonymous_label\":"
	    "\"guest_9999_y\"}");
	assert_string_equal(json(loopback_preview(d.m, 0)),
	    "[[\"a\",1,0.5,2.0],[\"b\",0,-1000.0,null]]");
	cell_is(&d, "b", 1, NAN);
	end(&d);
	end(&u);
}

static void
bad_cells_are_refused_naming_row_and_column_but_not_content(void **state)
{
	struct done u = UPLOAD("id,y,x\na,1,2\nb,1,secret\n", "");
	struct done d;

	(void)state;
	d = transform(&u, "{\"with_label\":true}", NULL);
	assert_int_equal(d.code, ERR_FORMAT);
	assert_non_null(strstr(loopback_error(d.m), "row 2, column x"));
	assert_null(strstr(loopback_error(d.m), "secret"));
	end(&d);
	end(&u);

	u = UPLOAD("id,y,x\na,1.5,2\n", "");
	fails(transform(&u, "{\"with_label\":true}", NULL), ERR_FORMAT,
	    "row 1, column y: the label is not an integer");
	fails(transform(&u, "{\"with_label\":true,\"label_name\":\"z\"}", NULL),
	    ERR_INVALID, "no column z (label_name); ");
	fails(transform(&u, "{\"data_type\":\"int\"}", NULL), ERR_FORMAT,
	    "row 1, column y: is not an integer");
	fails(transform(&u, "{\"data_type\":\"str\"}", NULL), ERR_UNSUPPORTED,
	    "column y");
	fails(transform(&u, "{\"input_format\":\"csv\"}", NULL), ERR_INVALID,
	    "svmlight");
	end(&u);

	u = UPLOAD("id,y,x\na,,2\n", "");
	fails(transform(&u, "{\"with_label\":true}", NULL), ERR_FORMAT,
	    "row 1, column y: the label is missing");
	end(&u);

	u = UPLOAD("a,1\n", ",\"head\":0");
	fails(transform(&u, "{}", NULL), ERR_INVALID, "no column names");
	end(&u);

	u = UPLOAD("id,x,z\na,1,2\n", ",\"schema\":{\"header\":\"x,x\"}");
	fails(transform(&u, "{}", NULL), ERR_INVALID, "column x twice");
	end(&u);
}

static void
missing_values_are_filled_as_the_method_says(void **state)
{
	static const struct {
		const char *parameters;
		double filled;
	} cases[] = {
		{ "{\"missing_fill\":true,\"missing_fill_method\":\"min\"}",
		    1 },
		{ "{\"missing_fill\":true,\"missing_fill_method\":\"max\"}",
		    6 },
		{ "{\"missing_fill\":true,\"missing_fill_method\":\"mean\"}",
		    3 },
		{ "{\"missing_fill\":true,\"default_value\":-7}", -7 },
		{ "{\"missing_fill\":true,\"missing_fill_method\":"
		  "\"designated\",\"default_value\":[4.5]}",
		    4.5 },
	};
	struct done u = UPLOAD("id,x\na,1\nb,\nc,6\nd,2\ne,NA\n", "");
	struct done d;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		d = transform(&u, cases[i].parameters, NULL);
		assert_int_equal(d.code, 0);
		cell_is(&d, "b", 0, cases[i].filled);
		cell_is(&d, "e", 0, cases[i].filled);
		cell_is(&d, "c", 0, 6);
		end(&d);
	}
	end(&u);
}

static void
filling_is_summarised_and_kept_in_the_model(void **state)
{
	struct done u = UPLOAD("id,x\na,1\nb,\nc,3\nd,-999\n", "");
	struct done d = transform(&u,
	    "{\"missing_fill\":true,"
	    "\"missing_fill_method\":\"mean\","
	    "\"missing_impute\":[\"\",-999]}",
	    NULL);
	const struct task_buffer *b;
	Sluice__Model__DataTransformParam *p;

	(void)state;
	assert_int_equal(d.code, 0);
	assert_string_equal(json(loopback_summary(d.m)),
	    "{\"missing_fill_info\":{\"missing_value\":[\"\",\"-999\"],"
	    "\"missing_impute_value\":{\"x\":2.0},"
	    "\"missing_impute_rate\":{\"x\":0.5}}}");
	b = loopback_model_buffer(d.m, "DataTransformParam");
	assert_non_null(b);
	p = sluice__model__data_transform_param__unpack(
	    NULL, b->size, b->content);
	assert_non_null(p);
	assert_int_equal(p->n_header, 1);
	assert_string_equal(p->header[0], "x");
	assert_string_equal(p->anonymous_header[0], "guest_9999_x0");
	assert_string_equal(
	    p->imputer_param->missing_replace_value[0]->value, "2.0");
	assert_true(p->imputer_param->missing_value_ratio[0]->value == 0.5);
	sluice__model__data_transform_param__free_unpacked(p, NULL);
	end(&d);
	end(&u);
}

static void
outliers_are_replaced_after_missing_values(void **state)
{
	struct done u = UPLOAD("id,x\na,1\nb,\nc,99\nd,3\n", "");
	struct done d = transform(&u,
	    "{\"missing_fill\":true,"
	    "\"default_value\":99,\"outlier_replace\":true,"
	    "\"outlier_impute\":[99],"
	    "\"outlier_replace_method\":\"max\"}",
	    NULL);

	(void)state;
	assert_int_equal(d.code, 0);
	cell_is(&d, "b", 0, 3);
	cell_is(&d, "c", 0, 3);
	end(&d);
	end(&u);
}

static void
a_model_reorders_columns_and_fills_with_what_it_learned(void **state)
{
	struct done train = UPLOAD("id,y,x0,x1\na,1,1,10\nb,0,3,\n", "");
	struct done test = UPLOAD("id,x1,extra,x0\nq,,5,6\n", "");
	struct done less = UPLOAD("id,x1\nq,1\n", "");
	struct done fit = transform(&train,
	    "{\"with_label\":true,"
	    "\"missing_fill\":true,"
	    "\"missing_fill_method\":\"mean\"}",
	    NULL);
	struct done d = transform(&test, "{}", &fit);

	(void)state;
	assert_string_equal(schema_of(&d),
	    "{\"sid\":\"id\",\"header\":"
	    "[\"x0\",\"x1\"],\"anonymous_header\":[\"guest_9999_x0\","
	    "\"guest_9999_x1\"]}");
	assert_string_equal(
	    json(loopback_preview(d.m, 0)), "[[\"q\",6.0,10.0]]");
	fails(transform(&less, "{}", &fit), ERR_INVALID, "no column x0");
	end(&d);
	end(&fit);
	end(&less);
	end(&test);
	end(&train);
}

static void
uploaded_meta_wins_over_parameters(void **state)
{
	struct done u = UPLOAD("sid,phone,x0,target\na,p1,1,yes\n",
	    ",\"with_meta\":true,\"meta\":{\"with_label\":true,"
	    "\"label_name\":\"target\",\"label_type\":\"str\","
	    "\"with_match_id\":true,\"id_list\":[\"phone\"]}");
	struct done d = transform(&u, "{\"with_label\":false}", NULL);

	(void)state;
	assert_int_equal(d.code, 0);
	assert_string_equal(
	    json(loopback_preview(d.m, 0)), "[[\"a\",\"p1\",\"yes\",1.0]]");
	assert_non_null(strstr(schema_of(&d), "\"match_id_name\":\"phone\""));
	end(&d);
	end(&u);
}

static void
need_run_false_passes_the_table_through(void **state)
{
	struct done u = UPLOAD("id,x\na,text\n", "");
	struct done d = transform(&u, "{\"need_run\":false}", NULL);
	const struct task_buffer *b;
	Sluice__Model__DataTransformMeta *m;

	(void)state;
	assert_int_equal(d.code, 0);
	assert_string_equal(
	    json(loopback_preview(d.m, 0)), "[[\"a\",\"text\"]]");
	b = loopback_model_buffer(d.m, "DataTransformMeta");
	m = sluice__model__data_transform_meta__unpack(
	    NULL, b->size, b->content);
	assert_non_null(m);
	assert_false(m->need_run);
	sluice__model__data_transform_meta__free_unpacked(m, NULL);
	end(&d);
	end(&u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    an_uploaded_file_becomes_a_table_with_its_header),
		cmocka_unit_test(without_head_the_first_line_is_a_row),
		cmocka_unit_test(
		    extend_sid_makes_ids_of_a_prefix_and_the_row_number),
		cmocka_unit_test(meta_is_kept_and_names_the_columns),
		cmocka_unit_test(dirty_files_are_refused_naming_the_line),
		cmocka_unit_test(blank_lines_behind_the_last_row_are_fine),
		cmocka_unit_test(quotes_are_refused_and_said_to_be_unsupported),
		cmocka_unit_test(
		    a_header_needs_a_name_of_its_own_for_every_column),
		cmocka_unit_test(
		    a_header_with_another_delimiter_is_pointed_out),
		cmocka_unit_test(
		    long_names_are_shown_in_part_and_no_character_is_cut),
		cmocka_unit_test(the_log_says_what_was_read),
		cmocka_unit_test(
		    ids_that_are_too_long_are_refused_naming_the_line),
		cmocka_unit_test(impossible_uploads_say_what_would_be_right),
		cmocka_unit_test(ragged_lines_are_fine_when_meta_says_tag),
		cmocka_unit_test(
		    reader_hands_on_rows_and_puts_role_and_party_into_names),
		cmocka_unit_test(text_becomes_numbers_with_the_label_apart),
		cmocka_unit_test(
		    bad_cells_are_refused_naming_row_and_column_but_not_content),
		cmocka_unit_test(missing_values_are_filled_as_the_method_says),
		cmocka_unit_test(filling_is_summarised_and_kept_in_the_model),
		cmocka_unit_test(outliers_are_replaced_after_missing_values),
		cmocka_unit_test(
		    a_model_reorders_columns_and_fills_with_what_it_learned),
		cmocka_unit_test(uploaded_meta_wins_over_parameters),
		cmocka_unit_test(need_run_false_passes_the_table_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
