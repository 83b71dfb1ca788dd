/*
 * Union: rows of several tables of one party under one roof.
 *
 * Tables come in the order of the DSL; of rows with the same id the first
 * one wins, unless keep_duplicate gives every row an id of its own.  With
 * allow_missing the columns are those of all tables, and a row has no value
 * (NaN) where its own table has no such column.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/table_in.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

struct union_input {
	struct table_in in;
	char *key; /* intersection_0.data */
	size_t rows;
	size_t *from; /* column i of the output is from[i] here, or SIZE_MAX */
	struct table_cursor *lookup; /* does it have an id? */
};

struct union_run {
	struct task *task;
	bool allow_missing;
	bool keep_duplicate;
	struct union_input *inputs;
	size_t n;
	size_t first; /* with rows; its schema is the model; n for none */

	char **header; /* names inside the inputs' schemas */
	struct json_object *anonymous;
	size_t n_header;
	double *values;
	struct table_writer *writer;
	size_t current;
	struct buf id;
};

/* --- inputs --------------------------------------------------------------------- */

/* Is there more than one input with this upstream and data key? */
static bool
is_list(const struct task *t, const struct task_input *in)
{
	const struct task_input *other;
	size_t i, n = 0;

	for (i = 0; i < task_input_count(t); i++) {
		other = task_input_at(t, i);
		n += str_eq(other->component, in->component) &&
		     str_eq(other->data_key, in->data_key);
	}
	return n > 1;
}

static char *
input_key(const struct task *t, size_t at)
{
	const struct task_input *in = task_input_at(t, at), *other;
	size_t i, index = 0;

	if (!is_list(t, in))
		return xasprintf("%s.%s", in->component, in->data_key);
	for (i = 0; i < at; i++) {
		other = task_input_at(t, i);
		index += str_eq(other->component, in->component) &&
			 str_eq(other->data_key, in->data_key);
	}
	return xasprintf("%s.%s.%zu", in->component, in->data_key, index);
}

static int
open_inputs(struct union_run *u)
{
	struct union_input *in;
	size_t i, n = task_input_count(u->task);
	int r;

	if (n < 2)
		return err_set(ERR_INVALID,
		    "Union needs at least two tables under data, here %s",
		    n == 0 ? "is none" : "is one");
	u->inputs = xcalloc(n, sizeof(*u->inputs));
	for (i = 0; i < n; i++, u->n++) {
		in = &u->inputs[i];
		if ((r = table_in_open(
			 u->task, task_input_at(u->task, i), &in->in)) != 0)
			return r;
		in->key = input_key(u->task, i);
		in->rows = table_count(in->in.table);
	}
	for (u->first = 0; u->first < n && u->inputs[u->first].rows == 0;)
		u->first++;
	return 0;
}

/* --- do they fit? ---------------------------------------------------------------- */

static int
check_name(const struct union_input *a, const struct union_input *b,
    const char *what, const char *x, const char *y)
{
	if (strcmp(x, y) == 0)
		return 0;
	return err_set(ERR_INVALID,
	    "the %s of %s is \"%s\", that of %s is \"%s\"; they must be the "
	    "same",
	    what, a->key, x, b->key, y);
}

static int
check_header(const struct union_input *a, const struct union_input *b)
{
	const struct schema *x = &a->in.schema, *y = &b->in.schema;
	size_t i;

	for (i = 0; i < x->n_header && i < y->n_header; i++)
		if (strcmp(x->header[i], y->header[i]) != 0)
			return err_set(ERR_INVALID,
			    "column %zu of %s is %s, that of %s is %s; "
			    "headers must be the same unless allow_missing",
			    i, a->key, x->header[i], b->key, y->header[i]);
	if (x->n_header == y->n_header)
		return 0;
	return err_set(ERR_INVALID,
	    "%s has %zu columns, %s has %zu; headers must be the same unless "
	    "allow_missing",
	    a->key, x->n_header, b->key, y->n_header);
}

static int
check_kind(const struct union_run *u, const struct union_input *a,
    const struct union_input *b)
{
	enum row_kind x = table_stat(a->in.table)->kind;
	enum row_kind y = table_stat(b->in.table)->kind;

	if (x != y)
		return err_set(ERR_INVALID,
		    "%s and %s are of different kinds; text, transformed "
		    "tables and predictions do not mix",
		    a->key, b->key);
	if (u->allow_missing && x != ROW_DENSE)
		return check_header(a, b);
	return u->allow_missing ? 0 : check_header(a, b);
}

static int
check_inputs(const struct union_run *u)
{
	const struct union_input *a = &u->inputs[u->first], *b;
	size_t i;
	int r;

	for (i = u->first + 1; i < u->n; i++) {
		b = &u->inputs[i];
		if (b->rows == 0)
			continue;
		if ((r = check_name(a, b, "id column", a->in.schema.sid,
			 b->in.schema.sid)) != 0 ||
		    (r = check_name(a, b, "label", a->in.schema.label_name,
			 b->in.schema.label_name)) != 0 ||
		    (r = check_name(a, b, "match id",
			 a->in.schema.match_id_name,
			 b->in.schema.match_id_name)) != 0 ||
		    (r = check_kind(u, a, b)) != 0)
			return r;
	}
	return 0;
}

/* --- columns of the output -------------------------------------------------------- */

static size_t
find_column(const struct union_run *u, const char *name)
{
	size_t i;

	for (i = 0; i < u->n_header; i++)
		if (strcmp(u->header[i], name) == 0)
			return i;
	return SIZE_MAX;
}

static void
add_columns(struct union_run *u, const struct union_input *in)
{
	struct json_object *names =
	    json_get(in->in.schema.json, "anonymous_header");
	size_t i;

	for (i = 0; i < in->in.schema.n_header; i++) {
		if (find_column(u, in->in.schema.header[i]) != SIZE_MAX)
			continue;
		u->header[u->n_header++] = in->in.schema.header[i];
		if (json_is_array(names) && i < json_object_array_length(names))
			json_object_array_add(u->anonymous,
			    json_object_get(
				json_object_array_get_idx(names, i)));
	}
}

static int
make_header(struct union_run *u)
{
	size_t i, j, max = 0;

	for (i = 0; i < u->n; i++)
		max += u->inputs[i].in.schema.n_header;
	u->anonymous = json_object_new_array();
	u->header = mem_array(max + 1, sizeof(*u->header));
	u->values = mem_array(max + 1, sizeof(*u->values));
	if (u->header == NULL || u->values == NULL)
		return err_code();
	for (i = 0; i < u->n; i++)
		if (u->inputs[i].rows > 0)
			add_columns(u, &u->inputs[i]);
	for (i = 0; i < u->n; i++) {
		struct union_input *in = &u->inputs[i];

		in->from = mem_array(u->n_header + 1, sizeof(*in->from));
		if (in->from == NULL)
			return err_code();
		for (j = 0; j < u->n_header; j++)
			in->from[j] = schema_find(&in->in.schema, u->header[j]);
	}
	return 0;
}

static struct json_object *
output_schema(struct union_run *u)
{
	size_t i, first = u->first < u->n ? u->first : 0;
	struct json_object *schema = json_copy(u->inputs[first].in.schema.json);
	struct json_object *header;

	if (!u->allow_missing || u->n_header == 0 ||
	    !json_is_array(json_get(schema, "header")))
		return schema;
	header = json_object_new_array();
	for (i = 0; i < u->n_header; i++)
		json_object_array_add(
		    header, json_object_new_string(u->header[i]));
	json_add(schema, "header", header);
	if (json_object_array_length(u->anonymous) == u->n_header)
		json_add(
		    schema, "anonymous_header", json_object_get(u->anonymous));
	else
		json_object_object_del(schema, "anonymous_header");
	return schema;
}

/* --- rows ----------------------------------------------------------------------- */

/* 1 when a table before the current one has the id, 0 when none. */
static int
is_known(struct union_run *u, struct span id)
{
	struct row row;
	size_t i;
	int r;

	for (i = 0; i < u->current; i++) {
		if (u->inputs[i].rows == 0)
			continue;
		r = cursor_get(u->inputs[i].lookup, id.data, id.len, &row);
		if (r != ERR_NOT_FOUND)
			return r == 0 ? 1 : r;
		err_clear();
	}
	return 0;
}

static int
rename_row(struct union_run *u, struct row *row)
{
	buf_clear(&u->id);
	buf_append(&u->id, row->id.data, row->id.len);
	buf_putc(&u->id, '_');
	buf_puts(&u->id, u->inputs[u->current].key);
	if (u->id.len > STORAGE_ID_MAX)
		return err_set(ERR_LIMIT,
		    "row %llu of %s: with keep_duplicate its id has %zu "
		    "bytes, at most %d are possible",
		    (unsigned long long)row->number + 1,
		    u->inputs[u->current].key, u->id.len, STORAGE_ID_MAX);
	row->id = (struct span){ u->id.data, u->id.len };
	return 0;
}

static int
add_row(void *ctx, const struct row *row)
{
	struct union_run *u = ctx;
	const struct union_input *in = &u->inputs[u->current];
	struct row out = *row;
	size_t i;
	int r;

	r = u->keep_duplicate ? rename_row(u, &out) : is_known(u, row->id);
	if (r != 0)
		return r == 1 ? 0 : r;
	if (row->kind == ROW_DENSE) {
		if ((r = table_in_check_dense(&in->in, row)) != 0)
			return r;
		for (i = 0; i < u->n_header; i++)
			u->values[i] = in->from[i] != SIZE_MAX
					   ? row->values[in->from[i]]
					   : NAN;
		out.values = u->values;
		out.n_values = (uint32_t)u->n_header;
	}
	return table_append(u->writer, &out);
}

static int
add_tables(struct union_run *u)
{
	struct union_input *in;
	int r;

	for (u->current = 0; u->current < u->n; u->current++) {
		in = &u->inputs[u->current];
		if (in->rows == 0) {
			task_log(
			    u->task, TASK_WARNING, "%s has no rows", in->key);
			continue;
		}
		if ((r = table_scan(
			 in->in.table, 0, UINT64_MAX, &in->lookup)) != 0 ||
		    (r = table_in_each(&in->in, "joining", add_row, u)) != 0)
			return r;
	}
	return 0;
}

static int
write_union(struct union_run *u, uint64_t *total)
{
	struct task_output_options options = {
		.id_delimiter = u->inputs[0].in.input->id_delimiter
	};
	struct json_object *schema;
	int r;

	if ((r = task_output_create(u->task, 0, &u->writer)) != 0 ||
	    (r = add_tables(u)) != 0)
		return r;
	*total = table_writer_rows(u->writer);
	schema = output_schema(u);
	r = task_output_finish(u->task, 0, u->writer, schema, &options);
	u->writer = NULL;
	json_object_put(schema);
	return r;
}

/* --- what people see ------------------------------------------------------------- */

static int
report(struct union_run *u, uint64_t total)
{
	struct metric_point *p = xcalloc(u->n + 1, sizeof(*p));
	struct json_object *summary = json_object_new_object();
	size_t i;
	int r;

	for (i = 0; i < u->n; i++) {
		p[i].key_text = u->inputs[i].key;
		p[i].value = (double)u->inputs[i].rows;
		json_add_int(
		    summary, u->inputs[i].key, (int64_t)u->inputs[i].rows);
	}
	p[i].key_text = "Total";
	p[i].value = (double)total;
	json_add_int(summary, "Total", (int64_t)total);
	if ((r = task_metric_points(u->task, "train", "union", p, u->n + 1)) ==
		0 &&
	    (r = task_metric_meta(
		 u->task, "train", "union", "union", "UNION", NULL)) == 0)
		r = task_summary(u->task, summary);
	json_object_put(summary);
	free(p);
	return r;
}

static int
unite(struct union_run *u)
{
	uint64_t total;
	int r;

	if ((r = open_inputs(u)) != 0)
		return r;
	if (!task_param_bool(u->task, "need_run", true))
		return table_in_copy(&u->inputs[0].in, 0);
	u->allow_missing = task_param_bool(u->task, "allow_missing", false);
	u->keep_duplicate = task_param_bool(u->task, "keep_duplicate", false);
	if ((r = check_inputs(u)) != 0 || (r = make_header(u)) != 0 ||
	    (r = write_union(u, &total)) != 0)
		return r;
	return report(u, total);
}

static int
run(struct task *task)
{
	struct union_run u = { .task = task };
	size_t i;
	int r = unite(&u);

	table_writer_free(u.writer);
	for (i = 0; i < u.n; i++) {
		cursor_free(u.inputs[i].lookup);
		table_in_close(&u.inputs[i].in);
		free(u.inputs[i].key);
		free(u.inputs[i].from);
	}
	free(u.inputs);
	free(u.header);
	free(u.values);
	buf_fini(&u.id);
	json_object_put(u.anonymous);
	return r;
}

const struct component component_union = {
	.module = "Union",
	.roles = "guest host",
	.run = run,
	.sees_need_run = true,
};
