/*
 * Reader: the first component of a job takes a table of its own site and
 * hands it on as its output, with anonymous column names that carry role and
 * party.  A table that is kept outside comes as text and becomes what the
 * same text becomes when it is uploaded.  It describes the table for the dashboard of its own site; the
 * samples in that description never leave it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "executor/component.h"
#include "executor/components/text_table.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
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
	    extra, "storage_engine", json_object_new_string(in->engine));
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

/* --- from the site's own storage ------------------------------------------------ */

/* What the site knows of a table may be newer than what the table says. */
static int
own_schema(const struct task_input *in, struct json_object **out)
{
	*out = json_tokener_parse(in->schema_json);
	if (json_object_is_type(*out, json_type_object))
		return 0;
	return err_set(ERR_FORMAT, "the schema of table %s %s is damaged",
	    in->table_namespace, in->table_name);
}

static int
read_own(struct task *task, const struct task_input *in)
{
	struct task_output_options options = { 0 };
	struct json_object *schema = NULL;
	struct table_writer *w = NULL;
	struct table *table = NULL;
	int r;

	if ((r = task_open_table(task, in, &table)) != 0 ||
	    (r = own_schema(in, &schema)) != 0)
		goto out;
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

/* --- from outside ---------------------------------------------------------------- */

/* Members of the schema that say how the text is to be read are taken out. */
struct outside {
	struct json_object *schema; /* as bound; owned */
	struct json_object *meta;   /* owned, may be NULL */
	char *id_column;
	char *columns;
	struct text_table_options o;
	struct text_table *text;
};

static char *
take_text(struct json_object *schema, const char *key)
{
	struct json_object *v;
	char *text = NULL;

	if (json_object_object_get_ex(schema, key, &v) &&
	    json_object_is_type(v, json_type_string))
		text = xstrdup(json_object_get_string(v));
	json_object_object_del(schema, key);
	return text;
}

static int
open_text(struct task *task, const struct task_input *in, struct outside *x)
{
	struct json_object *given;
	struct stat st;
	int r;

	if ((r = own_schema(in, &x->schema)) != 0)
		return r;
	if (json_object_object_get_ex(x->schema, "meta", &given)) {
		x->meta = text_table_meta(given, in->extend_sid);
		json_object_object_del(x->schema, "meta");
	}
	x->id_column = take_text(x->schema, "sid");
	x->columns = take_text(x->schema, "header");
	x->o = (struct text_table_options){
		.what = "bound text",
		.fd = task_input_fd(task),
		.format = { in->id_delimiter, "id_delimiter" },
		.has_head = in->have_head,
		.makes_ids = in->extend_sid,
		.counts_ids = in->auto_increasing_sid,
		.is_plain = str_eq(in->engine, "MYSQL"),
		.schema = x->schema,
		.meta = x->meta,
		.id_column = x->id_column,
		.columns = x->columns,
	};
	if (x->o.fd < 0 || fstat(x->o.fd, &st) != 0)
		return err_set(ERR_FORMAT, "the text of the table is missing");
	if (S_ISREG(st.st_mode))
		x->o.size = (uint64_t)st.st_size;
	return text_table_open(task, &x->o, &x->text);
}

static int
describe_output(
    struct task *task, const struct task_input *in, struct json_object *schema)
{
	struct table *table = NULL;
	int r;

	r = task_output_open(task, 0, &table);
	if (r == ERR_NOT_FOUND) /* a Reader whose output has no name */
		return 0;
	if (r == 0)
		r = describe(task, in, table, schema);
	table_close(table);
	return r;
}

static int
read_text(struct task *task, const struct task_input *in, struct outside *x)
{
	struct task_output_options options = { .partitions = in->partitions,
		.id_delimiter = in->id_delimiter };
	struct json_object *schema;
	struct table_writer *w = NULL;
	int r;

	if ((r = open_text(task, in, x)) != 0 ||
	    (r = task_output_create(task, 0, &w)) != 0)
		return r;
	if ((r = text_table_copy(x->text, w)) != 0) {
		table_writer_free(w);
		return r;
	}
	schema = text_table_schema(x->text);
	schema_prefix(schema, task_role(task), task_party_id(task));
	r = task_output_finish(task, 0, w, schema, &options);
	return r == 0 ? describe_output(task, in, schema) : r;
}

static int
read_outside(struct task *task, const struct task_input *in)
{
	struct outside x = { 0 };
	int r = read_text(task, in, &x);

	text_table_free(x.text);
	json_object_put(x.schema);
	json_object_put(x.meta);
	free(x.id_column);
	free(x.columns);
	return r == 0 ? 0
		      : err_wrap(
			    "table %s %s", in->table_namespace, in->table_name);
}

static int
run(struct task *task)
{
	const struct task_input *in = task_input_at(task, 0);

	if (in == NULL)
		return err_set(ERR_INVALID, "the parameter table names no "
					    "table of this party");
	return in->is_text ? read_outside(task, in) : read_own(task, in);
}

const struct component component_reader = {
	.module = "Reader",
	.roles = "guest host",
	.run = run,
	.sees_need_run = true,
};
