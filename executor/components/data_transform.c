/*
 * DataTransform: text rows become rows of numbers with label and match id.
 * Each member does it alone on its own table.
 *
 * Work: settings from the table's meta, from the parameters or, when there
 * is a model, from the model; a plan that says which cell of a row goes
 * where; up to two passes for statistics of missing values and outliers; the
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
#include "lib/engine/render.h"

enum { PROGRESS_ROWS = 1 << 16 };

/* --- the plan: which cell goes where ------------------------------------- */

static size_t
find_column(const struct schema *s, const char *name)
{
	size_t i = schema_find(s, name);

	/* Names in parameters count without regard to case. */
	for (size_t k = 0; i == SIZE_MAX && k < s->n_header; k++)
		if (strcasecmp(s->header[k], name) == 0)
			i = k;
	return i;
}

/* Text columns of a row in order, whether the schema has meta or not. */
static int
text_columns(struct transform *t, struct schema *out)
{
	struct json_object *names =
	    render_columns(t->schema.json, t->delimiter);
	size_t i, n = json_object_array_length(names);
	const char *name;
	int r = 0;

	memset(out, 0, sizeof(*out));
	out->header = xcalloc(n, sizeof(out->header[0]));
	/* The first is the id, unless the schema does not name it. */
	for (i = t->schema.sid[0] != '\0' ? 1 : 0; i < n; i++) {
		name =
		    json_object_get_string(json_object_array_get_idx(names, i));
		if (name == NULL) {
			r = err_set(ERR_FORMAT,
			    "the schema leaves column %zu "
			    "without a name",
			    i);
			break;
		}
		out->header[out->n_header++] = xstrdup(name);
	}
	json_object_put(names);
	if (r == 0 && out->n_header == 0)
		r = err_set(ERR_INVALID,
		    "the table has no column names: "
		    "upload it with head 1 or with a schema");
	return r;
}

static int
plan_label(struct transform *t, const struct schema *text)
{
	const struct settings *s = &t->settings;

	t->label_at = SIZE_MAX;
	if (!s->with_label)
		return 0;
	t->label_at = find_column(text, s->label_name);
	if (t->label_at != SIZE_MAX) {
		t->label_name = xstrdup(text->header[t->label_at]);
		return 0;
	}
	/* Rows to predict need not have a label. */
	if (t->has_model)
		return 0;
	return err_set(ERR_INVALID,
	    "with_label is true, but the table has no "
	    "column %s (label_name)",
	    s->label_name);
}

static int
plan_match_id(struct transform *t, const struct schema *text)
{
	const char *name = task_param_string(t->task, "match_id_name", "");

	t->match_at = SIZE_MAX;
	if (!t->settings.with_match_id)
		return 0;
	if (name[0] == '\0')
		name = t->schema.match_id_name;
	t->match_at = name[0] != '\0' ? find_column(text, name) : 0;
	if (t->match_at == SIZE_MAX)
		return err_set(ERR_INVALID,
		    "with_match_id is true, but the "
		    "table has no column %s",
		    name);
	if (t->match_at == t->label_at)
		return err_set(ERR_INVALID,
		    "column %s cannot be both label "
		    "and match id",
		    text->header[t->match_at]);
	t->match_name = xstrdup(text->header[t->match_at]);
	return 0;
}

/* Is this text column a match id that was not chosen? */
static bool
is_other_match_id(const struct transform *t, const char *name)
{
	struct json_object *list;
	size_t i;

	if (!json_object_object_get_ex(
		t->schema.json, "match_id_name", &list) ||
	    !json_object_is_type(list, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(list); i++)
		if (str_eq(json_object_get_string(
			       json_object_array_get_idx(list, i)),
			name))
			return true;
	return false;
}

static int
column_type(const struct transform *t, struct column *c)
{
	const struct settings *s = &t->settings;
	const char *type = s->data_type;
	size_t i;

	for (i = 0; i < s->n_exclusive; i++)
		if (strcasecmp(s->exclusive[i].column, c->name) == 0)
			type = s->exclusive[i].type;
	if (str_eq(type, "str"))
		return err_set(ERR_UNSUPPORTED,
		    "column %s is declared as str, "
		    "but rows are made of numbers; leave the column out",
		    c->name);
	c->is_integer = settings_is_integer(type);
	return 0;
}

static int
plan_columns(struct transform *t, const struct schema *text)
{
	size_t i, at;
	int r;

	t->columns =
	    xcalloc(text->n_header + t->n_model_header, sizeof(t->columns[0]));
	if (t->has_model) {
		for (i = 0; i < t->n_model_header; i++) {
			at = schema_find(text, t->model_header[i]);
			if (at == SIZE_MAX)
				return err_set(ERR_INVALID,
				    "the table has no "
				    "column %s, which the model was made with",
				    t->model_header[i]);
			t->columns[t->n++] = (struct column){ .at = at,
				.name = xstrdup(t->model_header[i]) };
		}
	} else {
		for (i = 0; i < text->n_header; i++)
			if (i != t->label_at && i != t->match_at &&
			    !is_other_match_id(t, text->header[i]))
				t->columns[t->n++] = (struct column){ .at = i,
					.name = xstrdup(text->header[i]) };
	}
	for (i = 0; i < t->n; i++)
		if ((r = column_type(t, &t->columns[i])) != 0)
			return r;
	return 0;
}

static int
make_plan(struct transform *t)
{
	struct schema text;
	size_t i, k;
	int r;

	r = text_columns(t, &text);
	for (i = 0; r == 0 && i < text.n_header; i++)
		for (k = 0; k < i && text.n_header < 4096; k++)
			if (str_eq(text.header[i], text.header[k]))
				r = err_set(ERR_INVALID,
				    "the header names "
				    "column %s twice",
				    text.header[i]);
	if (r == 0 && (r = plan_label(t, &text)) == 0 &&
	    (r = plan_match_id(t, &text)) == 0)
		r = plan_columns(t, &text);
	t->n_cells = text.n_header;
	t->cells = xcalloc(t->n_cells, sizeof(t->cells[0]));
	t->values = xcalloc(t->n, sizeof(t->values[0]));
	schema_fini(&text);
	return r;
}

/* --- rows --------------------------------------------------------------------- */

static int
bad_cell(uint64_t row, const char *column, const char *what)
{
	return err_set(ERR_FORMAT, "row %" PRIu64 ", column %s: %s", row + 1,
	    column, what);
}

/* The value of a cell, NaN when it counts as missing. */
static int
read_cell(
    struct transform *t, const struct column *c, uint64_t row, double *out)
{
	struct span cell = t->cells[c->at];

	if (cell_number(cell, out)) {
		if (t->missing_numbers &&
		    cell_set_has_number(&t->settings.missing.values, *out)) {
			*out = NAN;
			return 0;
		}
		if (c->is_integer && *out != floor(*out))
			return bad_cell(row, c->name,
			    "is not an integer, as data_type wants it; "
			    "data_type float takes any number");
		return 0;
	}
	if (!cell_set_has(&t->settings.missing.values, cell) &&
	    !cell_equals(cell, "nan") && !cell_equals(cell, "NaN"))
		return bad_cell(row, c->name,
		    cell.len == 0
			? "is empty; missing_fill can fill it"
			: "is not a number such as 1 or -2.5e3; texts that "
			  "stand for a missing value belong in "
			  "missing_impute, with missing_fill");
	*out = NAN;
	return 0;
}

typedef int row_fn(struct transform *t, const struct row *row);

static int
for_rows(struct transform *t, const char *what, row_fn *fn)
{
	struct table_cursor *cursor;
	struct row row;
	size_t i, n;
	int r;

	if ((r = table_scan(t->table, 0, UINT64_MAX, &cursor)) != 0)
		return r;
	while ((r = cursor_next(cursor, &row)) == 1) {
		n = cell_split(row.text, t->delimiter, t->cells, t->n_cells);
		if (n != t->n_cells) {
			r = err_set(ERR_FORMAT,
			    "row %" PRIu64 " has %zu "
			    "columns, the header %zu",
			    row.number + 1, n, t->n_cells);
			break;
		}
		for (i = 0, r = 0; i < t->n && r == 0; i++)
			r = read_cell(
			    t, &t->columns[i], row.number, &t->values[i]);
		if (r != 0 || (r = fn(t, &row)) != 0)
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
	struct span cell;

	if (t->label_at == SIZE_MAX)
		return 0;
	cell = t->cells[t->label_at];
	if (cell.len == 0)
		return bad_cell(row, t->label_name,
		    "the label is missing; every row needs "
		    "one");
	if (t->settings.label_kind == LABEL_TEXT) {
		out->flags |= ROW_LABEL_TEXT;
		out->label_text = cell;
		return 0;
	}
	if (!cell_number(cell, &out->label))
		return bad_cell(row, t->label_name,
		    "the label is not a "
		    "number; label_type str keeps text");
	if (t->settings.label_kind == LABEL_INTEGER &&
	    out->label != floor(out->label))
		return bad_cell(row, t->label_name,
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
	if (t->match_at != SIZE_MAX) {
		out.match_id = t->cells[t->match_at];
		if (out.match_id.len == 0)
			return bad_cell(row->number, t->match_name,
			    "the match "
			    "id is empty");
		out.flags |= ROW_MATCH_ID;
	}
	out.values = t->values;
	out.n_values = (uint32_t)t->n;
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
	if (t->label_at != SIZE_MAX) {
		name = xasprintf(
		    "%s_%s_y", task_role(t->task), task_party_id(t->task));
		json_object_object_add(
		    s, "label_name", json_object_new_string(t->label_name));
		json_object_object_add(
		    s, "anonymous_label", json_object_new_string(name));
		free(name);
	}
	if (t->match_at != SIZE_MAX)
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
	if ((r = make_plan(t)) != 0 || (r = learn(t)) != 0 ||
	    (r = write_rows(t)) != 0 || (r = model_export(t)) != 0)
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
};
