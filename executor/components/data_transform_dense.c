/*
 * DataTransform's dense tables: a plan that says which cell of a row goes
 * where, and the reading of cells.  Called by data_transform.c; the other
 * formats read their values here, too.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/data_transform.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/render.h"

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

/* All columns are named by "sluice table info": partners hear this as well. */
static int
no_label(const struct settings *s, const struct schema *text)
{
	const char *near = str_nearest(
	    s->label_name, (const char *const *)text->header, text->n_header);

	return err_set(ERR_INVALID,
	    "with_label is true, but the table has no column %s (label_name); "
	    "%s%s%s",
	    s->label_name,
	    near != NULL ? "did you mean "
			 : "\"sluice table info\" shows those it has",
	    near != NULL ? near : "", near != NULL ? "?" : "");
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
		t->has_label = true;
		return 0;
	}
	/* Rows to predict need not have a label. */
	if (t->has_model)
		return 0;
	return no_label(s, text);
}

static size_t
n_match_ids(const struct transform *t)
{
	struct json_object *list;

	return json_object_object_get_ex(
		   t->schema.json, "match_id_name", &list) &&
		       json_object_is_type(list, json_type_array)
		   ? json_object_array_length(list)
		   : 0;
}

static int
plan_match_id(struct transform *t, const struct schema *text)
{
	const char *name = task_param_string(t->task, "match_id_name", "");

	t->match_at = SIZE_MAX;
	if (!t->settings.with_match_id)
		return 0;
	if (name[0] == '\0' && n_match_ids(t) > 1)
		return err_set(ERR_INVALID,
		    "the table has several match ids (%s and more); choose "
		    "one with match_id_name",
		    t->schema.match_id_name);
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
	t->has_match_id = true;
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

int
transform_column_type(const struct transform *t, struct column *c)
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
		if ((r = transform_column_type(t, &t->columns[i])) != 0)
			return r;
	return 0;
}

static int
check_names(const struct schema *text)
{
	struct name_set *seen = name_set_new();
	struct span name;
	bool is_new;
	size_t i;
	int r = 0;

	for (i = 0; i < text->n_header && r == 0; i++) {
		name =
		    (struct span){ text->header[i], strlen(text->header[i]) };
		(void)name_set_add(seen, name, &is_new);
		if (!is_new)
			r = err_set(ERR_INVALID,
			    "the header names column %s twice",
			    text->header[i]);
	}
	name_set_free(seen);
	return r;
}

static int
read_dense(struct transform *t, const struct row *row)
{
	size_t n, i;
	int r = 0;

	n = cell_split(row->text, t->delimiter, t->cells, t->n_cells);
	if (n != t->n_cells)
		return err_set(ERR_FORMAT,
		    "row %" PRIu64 " has %zu columns, the header %zu",
		    row->number + 1, n, t->n_cells);
	if (t->label_at != SIZE_MAX)
		t->label = t->cells[t->label_at];
	if (t->match_at != SIZE_MAX)
		t->match_id = t->cells[t->match_at];
	for (i = 0; i < t->n && r == 0; i++)
		r = transform_read_cell(t, &t->columns[i],
		    t->cells[t->columns[i].at], row->number, &t->values[i]);
	return r;
}

int
transform_plan_dense(struct transform *t)
{
	struct schema text;
	int r;

	t->read = read_dense;
	if ((r = text_columns(t, &text)) == 0 &&
	    (r = check_names(&text)) == 0 && (r = plan_label(t, &text)) == 0 &&
	    (r = plan_match_id(t, &text)) == 0)
		r = plan_columns(t, &text);
	t->n_cells = text.n_header;
	t->cells = xcalloc(t->n_cells, sizeof(t->cells[0]));
	t->values = xcalloc(t->n, sizeof(t->values[0]));
	schema_fini(&text);
	return r;
}

/* --- cells -------------------------------------------------------------------- */

int
transform_bad_cell(uint64_t row, const char *column, const char *what)
{
	return err_set(ERR_FORMAT, "row %" PRIu64 ", column %s: %s", row + 1,
	    column, what);
}

int
transform_read_cell(struct transform *t, const struct column *c,
    struct span cell, uint64_t row, double *out)
{
	if (cell_number(cell, out)) {
		if (t->missing_numbers &&
		    cell_set_has_number(&t->settings.missing.values, *out)) {
			*out = NAN;
			return 0;
		}
		if (c->is_integer && *out != floor(*out))
			return transform_bad_cell(row, c->name,
			    "is not an integer, as data_type wants it; "
			    "data_type float takes any number");
		return 0;
	}
	if (!cell_set_has(&t->settings.missing.values, cell) &&
	    !cell_equals(cell, "nan") && !cell_equals(cell, "NaN"))
		return transform_bad_cell(row, c->name,
		    cell.len == 0
			? "is empty; missing_fill can fill it"
			: "is not a number such as 1 or -2.5e3; texts that "
			  "stand for a missing value belong in "
			  "missing_impute, with missing_fill");
	*out = NAN;
	return 0;
}
