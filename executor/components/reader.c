/*
 * Reader: the first component of a job takes a table of its own site and
 * hands it on as its output, with anonymous column names that carry role and
 * party.  It describes the table for the dashboard of its own site; the
 * samples in that description never leave it.
 */
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/engine/render.h"
#include "lib/engine/schema.h"

enum { SAMPLE_ROWS = 100, SAMPLES = 5, PROGRESS_ROWS = 1 << 16 };

static int
copy_rows(struct task *task, struct table *table, struct table_writer *w)
{
	struct table_cursor *cursor;
	struct row row;
	uint64_t total = table_count(table);
	int r;

	if ((r = table_scan(table, 0, total, &cursor)) != 0)
		return r;
	while ((r = cursor_next(cursor, &row)) == 1) {
		if ((r = table_append(w, &row)) != 0)
			break;
		if ((row.number + 1) % PROGRESS_ROWS == 0 &&
		    (r = task_progress(
			 task, row.number + 1, total, "copying")) != 0)
			break;
	}
	cursor_free(cursor);
	return r;
}

/* Up to five different values of a column, from the first rows. */
struct samples {
	size_t n;
	struct buf text;
	struct json_object *seen;
};

static void
add_sample(struct samples *s, struct json_object *cell)
{
	const char *value =
	    cell != NULL ? json_object_get_string(cell) : "None";

	if (s->n == SAMPLES || json_object_object_get_ex(s->seen, value, NULL))
		return;
	json_object_object_add(s->seen, value, NULL);
	if (s->n++ > 0)
		buf_putc(&s->text, ',');
	buf_puts(&s->text, value);
}

static int
sample(struct table *table, const char *delimiter, struct samples *samples,
    size_t n)
{
	struct table_cursor *cursor;
	struct json_object *cells;
	struct row row;
	size_t i, have;
	int r;

	if ((r = table_scan(table, 0, SAMPLE_ROWS, &cursor)) != 0)
		return r;
	while ((r = cursor_next(cursor, &row)) == 1) {
		cells = render_row_json(&row, delimiter);
		have = json_object_array_length(cells);
		/* Column 0 is the id, of which no sample is shown. */
		for (i = 1; i < n && i < have; i++)
			add_sample(
			    &samples[i], json_object_array_get_idx(cells, i));
		json_object_put(cells);
	}
	cursor_free(cursor);
	return r;
}

static int
table_info(struct table *table, struct json_object *columns,
    const char *delimiter, struct json_object *out)
{
	size_t i, n = json_object_array_length(columns);
	struct samples *samples = calloc(n + 1, sizeof(*samples));
	struct json_object *name;
	int r;

	if (samples == NULL)
		return err_set(ERR_NOMEM, "%zu columns", n);
	for (i = 0; i < n; i++)
		samples[i].seen = json_object_new_object();
	r = sample(table, delimiter, samples, n);
	for (i = 0; i < n; i++) {
		name = json_object_array_get_idx(columns, i);
		if (i > 0 && name != NULL)
			json_object_object_add(out,
			    json_object_get_string(name),
			    json_object_new_string(buf_str(&samples[i].text)));
		json_object_put(samples[i].seen);
		buf_fini(&samples[i].text);
	}
	free(samples);
	return r;
}

static bool
names(struct json_object *schema, const char *key, const char *column)
{
	struct json_object *v;
	size_t i;

	if (!json_object_object_get_ex(schema, key, &v))
		return false;
	if (json_object_is_type(v, json_type_string))
		return str_eq(json_object_get_string(v), column);
	for (i = 0; json_object_is_type(v, json_type_array) &&
		    i < json_object_array_length(v);
	     i++)
		if (str_eq(
			json_object_get_string(json_object_array_get_idx(v, i)),
			column))
			return true;
	return false;
}

static void
anonymous_info(struct json_object *schema, struct json_object *out)
{
	struct json_object *header, *anonymous, *label, *name;
	size_t i;

	if (json_object_object_get_ex(schema, "header", &header) &&
	    json_object_is_type(header, json_type_array) &&
	    json_object_object_get_ex(schema, "anonymous_header", &anonymous) &&
	    json_object_is_type(anonymous, json_type_array))
		for (i = 0; i < json_object_array_length(header) &&
			    i < json_object_array_length(anonymous);
		     i++)
			json_object_object_add(out,
			    json_object_get_string(
				json_object_array_get_idx(header, i)),
			    json_object_get(
				json_object_array_get_idx(anonymous, i)));
	if (json_object_object_get_ex(schema, "label_name", &name) &&
	    json_object_object_get_ex(schema, "anonymous_label", &label) &&
	    json_object_is_type(name, json_type_string))
		json_object_object_add(
		    out, json_object_get_string(name), json_object_get(label));
}

static int
describe(struct task *task, const struct task_input *in, struct table *table,
    struct json_object *schema)
{
	struct json_object *extra = json_object_new_object();
	struct json_object *info = json_object_new_object();
	struct json_object *anonymous = json_object_new_object();
	struct json_object *attributes = json_object_new_object();
	struct json_object *columns = render_columns(schema, in->id_delimiter);
	const char *name;
	size_t i;
	int r;

	r = table_info(table, columns, in->id_delimiter, info);
	anonymous_info(schema, anonymous);
	for (i = 1; i < json_object_array_length(columns); i++) {
		name = json_object_get_string(
		    json_object_array_get_idx(columns, i));
		if (name != NULL)
			json_object_object_add(attributes, name,
			    json_object_new_string(
				names(schema, "label_name", name) ? "label"
				: names(schema, "match_id_name", name)
				    ? "match_id"
				    : "feature"));
	}
	json_object_object_add(
	    extra, "table_name", json_object_new_string(in->table_name));
	json_object_object_add(
	    extra, "namespace", json_object_new_string(in->table_namespace));
	json_object_object_add(extra, "partitions",
	    json_object_new_int64(table_stat(table)->partitions));
	json_object_object_add(
	    extra, "storage_engine", json_object_new_string("STANDALONE"));
	json_object_object_add(
	    extra, "count", json_object_new_int64((int64_t)table_count(table)));
	json_object_object_add(extra, "table_info", info);
	json_object_object_add(extra, "anonymous_info", anonymous);
	json_object_object_add(extra, "attribute_info", attributes);
	if (r == 0)
		r = task_metric_meta(task, "reader_namespace", "reader_name",
		    "reader", "data_info", extra);
	json_object_put(extra);
	json_object_put(columns);
	return r;
}

static int
run(struct task *task)
{
	const struct task_input *in = task_input_at(task, 0);
	struct task_output_options options = { 0 };
	struct json_object *schema = NULL;
	struct table_writer *w = NULL;
	struct table *table = NULL;
	int r;

	if (in == NULL)
		return err_set(ERR_INVALID, "the parameter table names no "
					    "table of this party");
	if ((r = task_open_table(task, in, &table)) != 0)
		return r;
	schema = json_tokener_parse(table_stat(table)->schema_json);
	if (!json_object_is_type(schema, json_type_object)) {
		r = err_set(ERR_FORMAT, "the schema of table %s %s is damaged",
		    in->table_namespace, in->table_name);
		goto out;
	}
	schema_prefix(schema, task_role(task), task_party_id(task));
	if ((r = task_output_create(task, 0, &w)) != 0 ||
	    (r = copy_rows(task, table, w)) != 0)
		goto out;
	options.partitions = table_stat(table)->partitions;
	options.id_delimiter = in->id_delimiter;
	r = task_output_finish(task, 0, w, schema, &options);
	w = NULL;
	if (r == 0)
		r = describe(task, in, table, schema);
out:
	table_writer_free(w);
	json_object_put(schema);
	table_close(table);
	return r;
}

const struct component component_reader = {
	.module = "Reader",
	.roles = "guest host",
	.run = run,
	.sees_need_run = true,
};
