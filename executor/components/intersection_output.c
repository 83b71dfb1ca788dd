/*
 * What an intersection leaves: its table, its metrics, its summary.  Called
 * by intersection.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/intersection_impl.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"

enum { PROGRESS_ROWS = 1 << 16 };

struct output {
	struct intersection *x;
	struct table_writer *writer;
	struct table_cursor *cursor;
	double *missing; /* a row of them */
	int missing_flags;
};

/* A row of ours that is not there: missing values under every name. */
static int
prepare_missing(struct output *o)
{
	const struct schema *s = &o->x->schema;
	size_t i;

	o->missing = mem_array(s->n_header + 1, sizeof(*o->missing));
	if (o->missing == NULL)
		return err_code();
	for (i = 0; i < s->n_header; i++)
		o->missing[i] = NAN;
	o->missing_flags = ROW_MATCH_ID;
	if (s->label_name[0] != '\0')
		o->missing_flags |= ROW_LABEL;
	return 0;
}

static int
read_row(struct output *o, size_t i, struct row *row)
{
	const struct alignment *a = &o->x->out;
	int r;

	if (a->rows[i] == PSI_NO_ROW)
		*row = (struct row){ .kind = ROW_DENSE,
			.flags = o->missing_flags,
			.match_id = { "", 0 },
			.label = NAN,
			.values = o->missing,
			.n_values = (uint32_t)o->x->schema.n_header };
	else if ((r = cursor_at(o->cursor, a->rows[i], row)) != 0)
		return r;
	if (a->has_ids)
		row->id = row_ids_get(&a->ids, i);
	if (o->x->only_key) {
		row->flags = 0;
		row->n_values = 0;
		row->text.len = 0;
	}
	return 0;
}

static int
write_rows(struct output *o)
{
	size_t i, n = o->x->out.n;
	struct row row;
	int r = 0;

	for (i = 0; i < n && r == 0; i++) {
		if ((r = read_row(o, i, &row)) == 0)
			r = table_append(o->writer, &row);
		if (r == 0 && i % PROGRESS_ROWS == PROGRESS_ROWS - 1)
			r = task_progress(
			    o->x->task, 3 * n + i + 1, 4 * n, "writing");
	}
	return r;
}

/* Without values there are no columns to describe. */
static void
drop_columns(struct json_object *schema)
{
	json_object_object_del(schema, "label_name");
	json_object_object_del(schema, "anonymous_label");
	json_object_object_del(schema, "anonymous_header");
	json_object_object_del(schema, "original_index_info");
	json_object_object_del(schema, "match_id_name");
	json_add(schema, "header",
	    json_is_array(json_get(schema, "header"))
		? json_object_new_array()
		: json_object_new_string(""));
}

int
intersection_output(struct intersection *x)
{
	struct task_output_options opt = { .id_delimiter =
					       x->input->id_delimiter };
	struct output o = { .x = x };
	struct json_object *schema = NULL;
	int r;

	if ((r = json_parse_text(
		 table_stat(x->in.table)->schema_json, &schema)) != 0)
		return r;
	if (x->only_key)
		drop_columns(schema);
	if ((r = prepare_missing(&o)) == 0 &&
	    (r = table_scan(x->in.table, 0, 0, &o.cursor)) == 0 &&
	    (r = task_output_create(x->task, 0, &o.writer)) == 0 &&
	    (r = write_rows(&o)) == 0) {
		r = task_output_finish(x->task, 0, o.writer, schema, &opt);
		o.writer = NULL;
	}
	table_writer_free(o.writer);
	cursor_free(o.cursor);
	free(o.missing);
	json_object_put(schema);
	return r;
}

/* --- what people see -------------------------------------------------------------- */

static int
log_metrics(struct intersection *x, double c, double rate)
{
	double n = (double)x->in.ids.n;
	struct metric_point p[] = {
		{ .key_text = "intersect_count", .value = c },
		{ .key_text = "input_match_id_count", .value = n },
		{ .key_text = "intersect_rate", .value = rate },
		{ .key_text = "unmatched_count",
		    .value = x->known ? n - c : -1 },
		{ .key_text = "unmatched_rate",
		    .value = x->known ? 1 - rate : -1 },
		{ .key_text = "intersect_sample_id_count",
		    .value = x->known ? (double)x->out.n : -1 },
	};
	size_t points = sizeof(p) / sizeof(p[0]);
	struct json_object *o = json_object_new_object();
	int r;

	if (!x->conf.by_match)
		points--;
	json_add_str(o, "intersect_method", "ecdh");
	json_add_str(o, "join_method", x->join_method);
	if ((r = task_metric_points(
		 x->task, "train", "intersection", p, points)) == 0)
		r = task_metric_meta(x->task, "train", "intersection",
		    "intersection", "INTERSECTION", o);
	json_object_put(o);
	return r;
}

int
intersection_report(struct intersection *x)
{
	double n = (double)x->in.ids.n;
	double c = x->known ? (double)x->common : -1;
	double rate = !x->known ? -1 : n > 0 ? c / n : 0;
	struct json_object *o;
	int r;

	if ((r = log_metrics(x, c, rate)) != 0)
		return r;
	o = json_object_new_object();
	json_add_int(o, "intersect_num", (int64_t)c);
	json_add(o, "intersect_rate", json_double(rate));
	json_add_bool(o, "cardinality_only", x->conf.cardinality_only);
	json_add_int(o, "unique_id_num", (int64_t)n);
	r = task_summary(x->task, o);
	json_object_put(o);
	return r;
}
