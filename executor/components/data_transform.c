/*
 * DataTransform: text rows become rows of numbers with label and match id.
 * Each member does it alone on its own table.
 *
 * Work: settings from the table's meta, from the parameters or, when there
 * is a model, from the model; a plan that says which part of a row goes
 * where (data_transform_dense.c, data_transform_sparse.c); up to two passes for statistics of missing values and outliers; the
 * pass that writes.  Messages name the row (counted from 1) and the column,
 * never what stands there: they may be read at other sites.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/data_transform.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

enum { PROGRESS_ROWS = 1 << 16 };

/* --- passes over the rows ------------------------------------------------- */

typedef int row_fn(struct transform *t, const struct row *row);

static int
for_rows(struct transform *t, const char *what, row_fn *fn)
{
	struct table_cursor *cursor;
	struct row row;
	int r;

	if ((r = table_scan(t->table, 0, UINT64_MAX, &cursor)) != 0)
		return r;
	while ((r = cursor_next(cursor, &row)) == 1) {
		if ((r = t->read(t, &row)) != 0 || (r = fn(t, &row)) != 0)
			break;
		if (row.number % PROGRESS_ROWS == PROGRESS_ROWS - 1 &&
		    (r = task_progress(t->task, row.number + 1,
			 table_count(t->table), what)) != 0)
			break;
	}
	cursor_free(cursor);
	return r;
}

/* --- statistics of columns -------------------------------------------------------- */

static void
count_value(struct repair *r, bool is_special, double v)
{
	if (is_special) {
		r->count++;
		return;
	}
	r->min = r->n == 0 || v < r->min ? v : r->min;
	r->max = r->n == 0 || v > r->max ? v : r->max;
	/* Running mean: a sum of large numbers loses digits. */
	r->mean += (v - r->mean) / (double)++r->n;
}

static int
count_missing(struct transform *t, const struct row *row)
{
	size_t i;

	(void)row;
	for (i = 0; i < t->n; i++)
		count_value(
		    &t->columns[i].missing, isnan(t->values[i]), t->values[i]);
	return 0;
}

static void
fill_missing(struct transform *t)
{
	size_t i;

	if (!t->settings.missing.is_on)
		return;
	for (i = 0; i < t->n; i++)
		if (isnan(t->values[i]))
			t->values[i] = t->columns[i].missing.replacement;
}

static int
count_outliers(struct transform *t, const struct row *row)
{
	size_t i;

	(void)row;
	fill_missing(t);
	for (i = 0; i < t->n; i++)
		if (!isnan(t->values[i]))
			count_value(&t->columns[i].outlier,
			    cell_set_has_number(
				&t->settings.outlier.values, t->values[i]),
			    t->values[i]);
	return 0;
}

static int
replacement(const struct repair_settings *s, const struct repair *r,
    const char *column, size_t i, double *out)
{
	if (s->method == REPAIR_DESIGNATED) {
		if (s->n_designated != 1 && i >= s->n_designated)
			return err_set(ERR_INVALID,
			    "%s has %zu values, but "
			    "there are more columns",
			    s->parameter, s->n_designated);
		*out = s->designated[s->n_designated == 1 ? 0 : i];
		return 0;
	}
	if (r->n == 0)
		return err_set(ERR_INVALID,
		    "column %s has no value from which "
		    "%s could be taken",
		    column, s->method_name);
	*out = s->method == REPAIR_MIN	 ? r->min
	       : s->method == REPAIR_MAX ? r->max
					 : r->mean;
	return 0;
}

static int
learn_missing(struct transform *t)
{
	size_t i;
	int r;

	if ((r = for_rows(t, "missing values", count_missing)) != 0)
		return r;
	for (i = 0; i < t->n && r == 0; i++)
		r = replacement(&t->settings.missing, &t->columns[i].missing,
		    t->columns[i].name, i, &t->columns[i].missing.replacement);
	return r;
}

static int
learn_outliers(struct transform *t)
{
	size_t i;
	int r;

	if ((r = for_rows(t, "outliers", count_outliers)) != 0)
		return r;
	for (i = 0; i < t->n && r == 0; i++)
		r = replacement(&t->settings.outlier, &t->columns[i].outlier,
		    t->columns[i].name, i, &t->columns[i].outlier.replacement);
	return r;
}

/* A model brings its replacements along. */
static int
learn(struct transform *t)
{
	int r;

	if (t->has_model)
		return model_replacements(t);
	if (t->settings.missing.is_on && (r = learn_missing(t)) != 0)
		return r;
	return t->settings.outlier.is_on ? learn_outliers(t) : 0;
}

/* --- the pass that writes -------------------------------------------------------------- */

static int
read_label(struct transform *t, struct row *out, uint64_t row)
{
	struct span cell = t->label;

	if (!t->has_label)
		return 0;
	if (cell.len == 0)
		return transform_bad_cell(row, t->label_name,
		    "the label is missing; every row needs "
		    "one");
	if (t->settings.label_kind == LABEL_TEXT) {
		out->flags |= ROW_LABEL_TEXT;
		out->label_text = cell;
		return 0;
	}
	if (!cell_number(cell, &out->label))
		return transform_bad_cell(row, t->label_name,
		    "the label is not a "
		    "number; label_type str keeps text");
	if (t->settings.label_kind == LABEL_INTEGER &&
	    out->label != floor(out->label))
		return transform_bad_cell(row, t->label_name,
		    "the label is not an "
		    "integer, as label_type wants it");
	out->flags |= ROW_LABEL;
	return 0;
}

static int
write_row(struct transform *t, const struct row *row)
{
	struct row out = { .kind = ROW_DENSE, .id = row->id };
	size_t i;
	int r;

	fill_missing(t);
	for (i = 0; t->settings.outlier.is_on && i < t->n; i++)
		if (cell_set_has_number(
			&t->settings.outlier.values, t->values[i]))
			t->values[i] = t->columns[i].outlier.replacement;
	/* What a sparse row would not store counts as nothing. */
	for (i = 0; t->settings.is_sparse_output && i < t->n; i++)
		if (fabs(t->values[i]) < 1e-8)
			t->values[i] = 0;
	if ((r = read_label(t, &out, row->number)) != 0)
		return r;
	if (t->has_match_id) {
		out.match_id = t->match_id;
		if (out.match_id.len == 0)
			return transform_bad_cell(row->number, t->match_name,
			    "the match "
			    "id is empty");
		out.flags |= ROW_MATCH_ID;
	}
	out.values = t->values;
	out.n_values = (uint32_t)t->n;
	if (t->settings.is_sparse_output || t->settings.format != FORMAT_DENSE)
		out.flags |= ROW_SPARSE;
	return table_append(t->writer, &out);
}

static struct json_object *
output_schema(struct transform *t)
{
	struct json_object *s = json_object_new_object();
	struct json_object *header = json_object_new_array();
	struct json_object *names = json_object_new_array();
	size_t i;
	char *name;

	for (i = 0; i < t->n; i++) {
		name = anonymous_name(t, t->columns[i].name, i);
		json_object_array_add(
		    header, json_object_new_string(t->columns[i].name));
		json_object_array_add(names, json_object_new_string(name));
		free(name);
	}
	json_object_object_add(s, "sid",
	    json_object_new_string(
		t->schema.sid[0] != '\0' ? t->schema.sid : "sid"));
	json_object_object_add(s, "header", header);
	json_object_object_add(s, "anonymous_header", names);
	if (t->has_label) {
		name = xasprintf(
		    "%s_%s_y", task_role(t->task), task_party_id(t->task));
		json_object_object_add(
		    s, "label_name", json_object_new_string(t->label_name));
		json_object_object_add(
		    s, "anonymous_label", json_object_new_string(name));
		free(name);
	}
	if (t->has_match_id)
		json_object_object_add(
		    s, "match_id_name", json_object_new_string(t->match_name));
	return s;
}

static int
write_rows(struct transform *t)
{
	struct json_object *schema;
	int r;

	if ((r = task_output_create(t->task, 0, &t->writer)) != 0 ||
	    (r = for_rows(t, "transforming", write_row)) != 0)
		return r;
	schema = output_schema(t);
	r = task_output_finish(t->task, 0, t->writer, schema, NULL);
	t->writer = NULL;
	json_object_put(schema);
	return r;
}

/* need_run false: the table goes through as it is. */
static int
pass_through(struct transform *t)
{
	struct table_cursor *cursor;
	struct row row;
	int r;

	if ((r = task_output_create(t->task, 0, &t->writer)) != 0 ||
	    (r = table_scan(t->table, 0, UINT64_MAX, &cursor)) != 0)
		return r;
	while ((r = cursor_next(cursor, &row)) == 1)
		if ((r = table_append(t->writer, &row)) != 0)
			break;
	cursor_free(cursor);
	if (r != 0)
		return r;
	r = task_output_finish(t->task, 0, t->writer, t->schema.json, NULL);
	t->writer = NULL;
	return r == 0 ? model_export(t) : r;
}

static int
transform(struct transform *t)
{
	const struct task_input *in = task_input(t->task, "data");
	int r;

	if (in == NULL)
		return err_set(ERR_INVALID, "DataTransform needs an input "
					    "under data");
	if ((r = task_open_table(t->task, in, &t->table)) != 0 ||
	    (r = schema_parse(table_stat(t->table)->schema_json,
		 in->id_delimiter, &t->schema)) != 0 ||
	    (r = settings_read(t, in)) != 0)
		return r;
	if (!t->settings.need_run)
		return pass_through(t);
	if (table_stat(t->table)->kind != ROW_TEXT)
		return err_set(ERR_INVALID, "the input of DataTransform is not "
					    "text: it was transformed before");
	r = t->settings.format == FORMAT_DENSE ? transform_plan_dense(t)
					       : transform_plan_sparse(t);
	if (r != 0 || (r = learn(t)) != 0 || (r = write_rows(t)) != 0 ||
	    (r = model_export(t)) != 0)
		return r;
	return model_summary(t);
}

static int
run(struct task *task)
{
	struct transform t = { .task = task };
	size_t i;
	int r = transform(&t);

	table_writer_free(t.writer);
	for (i = 0; i < t.n; i++)
		free(t.columns[i].name);
	free(t.columns);
	free(t.cells);
	free(t.values);
	free(t.places);
	name_set_free(t.tags);
	free(t.label_name);
	free(t.match_name);
	settings_fini(&t);
	if (t.schema.json != NULL)
		schema_fini(&t.schema);
	table_close(t.table);
	return r;
}

const struct component component_data_transform = {
	.module = "DataTransform",
	.roles = "guest host",
	.run = run,
	.sees_need_run = true,
};
