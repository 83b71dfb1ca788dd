/*
 * Reading input tables.  Used by FeatureScale, DataStatistics, the splits,
 * Union, LabelTransform and FederatedSample.
 */
#include "executor/components/table_in.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

#define PROGRESS_ROWS (1 << 16)
#define BATCH_BYTES ((size_t)64 << 20) /* of column values held at a time */

int
table_in_open(
    struct task *t, const struct task_input *input, struct table_in *out)
{
	int r;

	memset(out, 0, sizeof(*out));
	out->task = t;
	if (input == NULL)
		return err_set(ERR_INVALID, "%s needs an input under data",
		    task_module(t));
	out->input = input;
	if ((r = task_open_table(t, input, &out->table)) != 0)
		return r;
	r = schema_parse(table_stat(out->table)->schema_json,
	    input->id_delimiter, &out->schema);
	if (r != 0) {
		out->schema.json = NULL;
		table_in_close(out);
		return err_wrap("%s of %s", input->data_name, input->component);
	}
	return 0;
}

void
table_in_close(struct table_in *in)
{
	if (in->schema.json != NULL)
		schema_fini(&in->schema);
	in->schema.json = NULL;
	table_close(in->table);
	in->table = NULL;
}

int
table_in_each(struct table_in *in, const char *doing,
    int (*fn)(void *ctx, const struct row *), void *ctx)
{
	uint64_t total = table_count(in->table);
	struct table_cursor *cursor;
	struct row row;
	int r, got = 0;

	if ((r = table_scan(in->table, 0, total, &cursor)) != 0)
		return r;
	while (r == 0 && (got = cursor_next(cursor, &row)) == 1) {
		r = fn(ctx, &row);
		if (r == 0 && (row.number + 1) % PROGRESS_ROWS == 0)
			r = task_progress(
			    in->task, row.number + 1, total, doing);
	}
	cursor_free(cursor);
	return r != 0 ? r : got;
}

int
table_in_check_dense(const struct table_in *in, const struct row *row)
{
	if (row->kind == ROW_DENSE && row->n_values == in->schema.n_header)
		return 0;
	if (row->kind == ROW_DENSE)
		return err_set(ERR_FORMAT,
		    "row %llu has %u values, the header has %zu columns",
		    (unsigned long long)row->number + 1, row->n_values,
		    in->schema.n_header);
	return err_set(ERR_INVALID,
	    "the input of %s is %s; it works on what DataTransform puts out",
	    task_module(in->task),
	    row->kind == ROW_TEXT ? "text" : "a table of predictions");
}

static int
append_to(void *writer, const struct row *row)
{
	return table_append(writer, row);
}

int
table_in_copy(struct table_in *in, size_t output)
{
	struct task_output_options options = {
		.partitions = table_stat(in->table)->partitions,
		.id_delimiter = in->input->id_delimiter
	};
	struct table_writer *w;
	int r;

	if ((r = task_output_create(in->task, output, &w)) != 0)
		return r;
	if ((r = table_in_each(in, "copying", append_to, w)) != 0) {
		table_writer_free(w);
		return r;
	}
	return task_output_finish(
	    in->task, output, w, in->schema.json, &options);
}

/*
 * Rows mostly come in ascending order: reading on is cheaper than looking
 * up, as long as the gap is small.
 */
#define GAP_ROWS 32

int
table_in_rows(struct table_in *in, const uint32_t *rows, size_t n,
    int (*fn)(void *ctx, const struct row *), void *ctx)
{
	uint64_t total = table_count(in->table), next = UINT64_MAX;
	struct table_cursor *cursor = NULL;
	struct row row;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		if (next > rows[i] || rows[i] - next > GAP_ROWS) {
			cursor_free(cursor);
			cursor = NULL;
			r = table_scan(in->table, rows[i], total, &cursor);
			next = rows[i];
		}
		for (; r == 0 && next <= rows[i]; next++) {
			r = cursor_next(cursor, &row);
			r = r == 1   ? 0
			    : r != 0 ? r
				     : err_set(ERR_FORMAT, "row %u is missing",
					   rows[i] + 1);
		}
		if (r == 0)
			r = fn(ctx, &row);
	}
	cursor_free(cursor);
	return r;
}

int
table_in_copy_rows(
    struct table_in *in, const uint32_t *rows, size_t n, size_t output)
{
	struct task_output_options options = {
		.partitions = table_stat(in->table)->partitions,
		.id_delimiter = in->input->id_delimiter
	};
	struct table_writer *w;
	int r;

	if ((r = task_output_create(in->task, output, &w)) != 0)
		return r;
	if ((r = table_in_rows(in, rows, n, append_to, w)) != 0) {
		table_writer_free(w);
		return r;
	}
	return task_output_finish(
	    in->task, output, w, in->schema.json, &options);
}

/* --- choosing columns ---------------------------------------------------------- */

static int
pick_index(const struct table_in *in, const char *parameter,
    struct json_object *v, bool *chosen)
{
	int64_t i = json_object_is_type(v, json_type_int)
			? json_object_get_int64(v)
			: -1;

	if (i < 0 || (uint64_t)i >= in->schema.n_header)
		return err_set(ERR_INVALID,
		    "%s has %s, but the table's %zu columns have the "
		    "indexes from 0",
		    parameter, json_object_to_json_string(v),
		    in->schema.n_header);
	chosen[i] = true;
	return 0;
}

static int
pick_name(const struct table_in *in, const char *parameter,
    struct json_object *v, bool *chosen)
{
	const char *name = v != NULL ? json_object_get_string(v) : "null";
	size_t i = schema_find(&in->schema, name);

	if (i == SIZE_MAX)
		return err_set(ERR_INVALID,
		    "%s has %s, but the table has no such column", parameter,
		    name);
	chosen[i] = true;
	return 0;
}

static int
pick_list(const struct table_in *in, const char *parameter, bool *chosen,
    int (*pick)(
	const struct table_in *, const char *, struct json_object *, bool *))
{
	struct json_object *list = task_param(in->task, parameter);
	size_t i;
	int r = 0;

	if (!json_object_is_type(list, json_type_array))
		return 0;
	for (i = 0; r == 0 && i < json_object_array_length(list); i++)
		r = pick(
		    in, parameter, json_object_array_get_idx(list, i), chosen);
	return r;
}

static int
is_all(const struct table_in *in, const char *indexes, bool *all)
{
	struct json_object *v = task_param(in->task, indexes);

	*all = v == NULL || !json_object_is_type(v, json_type_array);
	if (v != NULL && *all && json_object_get_int64(v) != -1)
		return err_set(ERR_INVALID,
		    "%s is %s, must be -1 (all) or a list of indexes", indexes,
		    json_object_to_json_string(v));
	return 0;
}

/* -1 stands for all columns, also beside names. */
static void
warn_of_names(const struct table_in *in, const char *indexes, const char *names)
{
	struct json_object *list = task_param(in->task, names);

	if (json_object_is_type(list, json_type_array) &&
	    json_object_array_length(list) > 0)
		task_log(in->task, TASK_WARNING,
		    "%s is -1, so all columns are taken, not only %s; give a "
		    "list ([] for none) to choose",
		    indexes, names);
}

int
table_in_pick(const struct table_in *in, const char *indexes, const char *names,
    size_t **out, size_t *n)
{
	size_t i, columns = in->schema.n_header;
	bool *chosen = mem_array(columns + 1, sizeof(*chosen));
	bool all = false;
	int r;

	*n = 0;
	*out = mem_array(columns + 1, sizeof(**out));
	if (chosen == NULL || *out == NULL)
		r = err_code();
	else if ((r = is_all(in, indexes, &all)) == 0 &&
		 (r = pick_list(in, indexes, chosen, pick_index)) == 0 &&
		 (r = pick_list(in, names, chosen, pick_name)) == 0)
		for (i = 0; i < columns; i++)
			if (all || chosen[i])
				(*out)[(*n)++] = i;
	free(chosen);
	if (r == 0 && all)
		warn_of_names(in, indexes, names);
	if (r != 0) {
		free(*out);
		*out = NULL;
	}
	return r;
}

/* --- whole columns -------------------------------------------------------------- */

struct batch {
	struct table_in *in;
	const size_t *places;
	size_t n;
	size_t rows;
	double *values; /* n columns of rows values */
};

static int
keep_row(void *ctx, const struct row *row)
{
	struct batch *b = ctx;
	size_t i;
	int r;

	if ((r = table_in_check_dense(b->in, row)) != 0)
		return r;
	for (i = 0; i < b->n; i++)
		b->values[i * b->rows + row->number] =
		    row->values[b->places[i]];
	return 0;
}

int
table_in_columns(struct table_in *in, const size_t *places, size_t n,
    int (*fn)(void *ctx, size_t i, double *values, size_t rows), void *ctx)
{
	size_t rows = table_count(in->table), first, i;
	size_t at_once = BATCH_BYTES / sizeof(double) / (rows + 1) + 1;
	struct batch b = { .in = in, .rows = rows };
	int r = 0;

	if (at_once > n)
		at_once = n;
	if ((b.values = mem_array(at_once * rows + 1, sizeof(double))) == NULL)
		return err_code();
	for (first = 0; r == 0 && first < n; first += b.n) {
		b.places = places + first;
		b.n = n - first < at_once ? n - first : at_once;
		r = table_in_each(in, "reading columns", keep_row, &b);
		for (i = 0; r == 0 && i < b.n; i++)
			r = fn(ctx, first + i, b.values + i * rows, rows);
	}
	free(b.values);
	return r;
}
