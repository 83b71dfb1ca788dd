/*
 * FeatureScale: every party brings its columns to one scale, alone.
 *
 * A fit learns bounds (and, for standard_scale, mean and deviation of the
 * values within the bounds); values beyond the bounds are cut to them, then
 * scaled.  With an input model nothing is learned.  Missing values take no
 * part in what is learned and stay missing.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/feature_scale.h"
#include "executor/math/summary.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

#define TINY 1e-6 /* ranges and deviations below count as 1 */

/* --- learning ------------------------------------------------------------------- */

/* What feat_upper or feat_lower says for a column; fallback for null. */
static int
bound(const struct scale *s, const char *parameter, size_t at, double fallback,
    double *out)
{
	struct json_object *v = task_param(s->task, parameter);

	if (json_object_is_type(v, json_type_array)) {
		if (json_object_array_length(v) != s->n_header)
			return err_set(ERR_INVALID,
			    "%s has %zu values, the table has %zu columns; "
			    "give one value for each, or a single number",
			    parameter, json_object_array_length(v),
			    s->n_header);
		v = json_object_array_get_idx(v, at);
	}
	*out = v != NULL ? json_object_get_double(v) : fallback;
	return 0;
}

static double
clamp(double v, double lower, double upper)
{
	return v > upper ? upper : v < lower ? lower : v;
}

/* mode cap: the bounds are quantiles. */
static int
learn_cap(
    const struct scale *s, struct scale_column *c, double *values, size_t n)
{
	double upper, lower;
	int r;

	if ((r = bound(s, "feat_upper", c->at, 1, &upper)) != 0 ||
	    (r = bound(s, "feat_lower", c->at, 0, &lower)) != 0)
		return r;
	if (!(lower >= 0 && lower <= upper && upper <= 1))
		return err_set(ERR_INVALID,
		    "column %s: mode cap needs 0 <= feat_lower <= feat_upper "
		    "<= 1, here are %g and %g",
		    c->name, lower, upper);
	summary_sort(values, n);
	c->upper = summary_quantile(values, n, upper);
	c->lower = summary_quantile(values, n, lower);
	return 0;
}

static int
learn_normal(const struct scale *s, struct scale_column *c,
    const double *values, size_t n)
{
	struct summary all;
	double upper, lower;
	int r;

	summary_of(values, n, &all);
	if ((r = bound(s, "feat_upper", c->at, INFINITY, &upper)) != 0 ||
	    (r = bound(s, "feat_lower", c->at, -INFINITY, &lower)) != 0)
		return r;
	if (lower > upper)
		return err_set(ERR_INVALID,
		    "column %s: feat_lower %g is above feat_upper %g", c->name,
		    lower, upper);
	c->upper = clamp(all.max, lower, upper);
	c->lower = clamp(all.min, lower, upper);
	return 0;
}

static void
learn_moments(
    const struct scale *s, struct scale_column *c, double *values, size_t n)
{
	struct summary cut;
	size_t i;

	for (i = 0; i < n; i++)
		values[i] = clamp(values[i], c->lower, c->upper);
	summary_of(values, n, &cut);
	c->mean = s->with_mean ? cut.mean : 0;
	c->std = s->with_std ? sqrt(cut.variance) : 1;
	if (c->std < TINY)
		c->std = 1;
}

static int
learn_column(void *ctx, size_t i, double *values, size_t rows)
{
	struct scale *s = ctx;
	struct scale_column *c = &s->columns[i];
	size_t n = summary_drop_nan(values, rows);
	int r;

	if (n == 0)
		return err_set(ERR_INVALID,
		    "column %s has no value in %zu rows, so it has no scale; "
		    "fill it or leave it out of scale_col_indexes",
		    c->name, rows);
	if (str_eq(task_param_string(s->task, "mode", "normal"), "cap"))
		r = learn_cap(s, c, values, n);
	else
		r = learn_normal(s, c, values, n);
	if (r == 0 && s->method == SCALE_STANDARD)
		learn_moments(s, c, values, n);
	return r;
}

static int
keep_header(struct scale *s)
{
	const struct schema *schema = &s->in.schema;
	size_t i;

	s->header = mem_array(schema->n_header + 1, sizeof(*s->header));
	if (s->header == NULL)
		return err_code();
	for (i = 0; i < schema->n_header; i++)
		s->header[s->n_header++] = xstrdup(schema->header[i]);
	return 0;
}

static int
choose_columns(struct scale *s, size_t **places)
{
	size_t i;
	int r;

	if ((r = table_in_pick(&s->in, "scale_col_indexes", "scale_names",
		 places, &s->n)) != 0)
		return r;
	if ((s->columns = mem_array(s->n + 1, sizeof(*s->columns))) == NULL) {
		s->n = 0;
		return err_code();
	}
	for (i = 0; i < s->n; i++) {
		s->columns[i].at = (*places)[i];
		s->columns[i].name = xstrdup(s->header[(*places)[i]]);
	}
	return 0;
}

static int
read_method(struct scale *s)
{
	const char *name = task_param_string(s->task, "method", "");

	if (str_eq(name, "standard_scale"))
		s->method = SCALE_STANDARD;
	else if (str_eq(name, "min_max_scale"))
		s->method = SCALE_MIN_MAX;
	else if (!str_eq(name, ""))
		return err_set(ERR_INVALID,
		    "method is %s, must be standard_scale, min_max_scale or "
		    "null",
		    name);
	s->with_mean = task_param_bool(s->task, "with_mean", true);
	s->with_std = task_param_bool(s->task, "with_std", true);
	return 0;
}

static int
fit(struct scale *s)
{
	size_t *places = NULL;
	int r;

	if ((r = read_method(s)) != 0 || (r = keep_header(s)) != 0)
		return r;
	if (!s->need_run || s->method == SCALE_NONE)
		return 0;
	if ((r = choose_columns(s, &places)) == 0)
		r = table_in_columns(&s->in, places, s->n, learn_column, s);
	free(places);
	return r;
}

/* --- scaling -------------------------------------------------------------------- */

static double
scaled(const struct scale *s, const struct scale_column *c, double v)
{
	double range = c->upper - c->lower;

	if (isnan(v))
		return v;
	v = clamp(v, c->lower, c->upper);
	if (s->method == SCALE_MIN_MAX)
		return (v - c->lower) / (range < TINY ? 1 : range);
	return (v - c->mean) / (c->std < TINY ? 1 : c->std);
}

static int
scale_row(void *ctx, const struct row *row)
{
	struct scale *s = ctx;
	struct row out = *row;
	size_t i;
	int r;

	if ((r = table_in_check_dense(&s->in, row)) != 0)
		return r;
	for (i = 0; i < s->n_header; i++)
		s->values[i] = row->values[s->from[i]];
	for (i = 0; i < s->n; i++)
		s->values[s->columns[i].at] =
		    scaled(s, &s->columns[i], s->values[s->columns[i].at]);
	out.values = s->values;
	out.n_values = (uint32_t)s->n_header;
	return table_append(s->writer, &out);
}

/* The output has the columns of the fit, in their order. */
static int
align(struct scale *s)
{
	size_t i;

	s->from = mem_array(s->n_header + 1, sizeof(*s->from));
	s->values = mem_array(s->n_header + 1, sizeof(*s->values));
	if (s->from == NULL || s->values == NULL)
		return err_code();
	for (i = 0; i < s->n_header; i++) {
		s->from[i] = schema_find(&s->in.schema, s->header[i]);
		if (s->from[i] == SIZE_MAX)
			return err_set(ERR_INVALID,
			    "the table has no column %s, which the model was "
			    "fitted with",
			    s->header[i]);
	}
	return 0;
}

static struct json_object *
output_schema(struct scale *s)
{
	struct json_object *schema = json_copy(s->in.schema.json);
	struct json_object *old = json_get(schema, "anonymous_header");
	struct json_object *header = json_object_new_array();
	struct json_object *anonymous = json_object_new_array();
	size_t i;

	for (i = 0; i < s->n_header; i++) {
		json_object_array_add(
		    header, json_object_new_string(s->header[i]));
		if (json_is_array(old) &&
		    s->from[i] < json_object_array_length(old))
			json_object_array_add(anonymous,
			    json_object_get(
				json_object_array_get_idx(old, s->from[i])));
	}
	json_add(schema, "header", header);
	if (old != NULL)
		json_add(schema, "anonymous_header", anonymous);
	else
		json_object_put(anonymous);
	return schema;
}

static int
write_table(struct scale *s)
{
	struct task_output_options options = {
		.partitions = table_stat(s->in.table)->partitions
	};
	struct json_object *schema;
	int r;

	if ((r = align(s)) != 0 ||
	    (r = task_output_create(s->task, 0, &s->writer)) != 0 ||
	    (r = table_in_each(&s->in, "scaling", scale_row, s)) != 0)
		return r;
	schema = output_schema(s);
	r = task_output_finish(s->task, 0, s->writer, schema, &options);
	s->writer = NULL;
	json_object_put(schema);
	return r;
}

/* --- what people see ------------------------------------------------------------ */

static int
log_method(struct scale *s)
{
	struct json_object *extra = json_object_new_object();
	int r;

	json_add_str(extra, "method",
	    s->method != SCALE_NONE ? scale_method_name(s->method) : NULL);
	json_add_str(extra, "curve_name", "scale");
	r = task_metric_meta(
	    s->task, "train", "scale", "scale", "SCALE", extra);
	json_object_put(extra);
	return r;
}

static int
summarise(struct scale *s)
{
	struct json_object *all = json_object_new_object(), *one;
	const struct scale_column *c;
	size_t i;
	int r;

	for (i = 0; i < s->n; i++) {
		c = &s->columns[i];
		one = json_object_new_object();
		json_add(one, "column_upper", json_double(c->upper));
		json_add(one, "column_lower", json_double(c->lower));
		if (s->method == SCALE_STANDARD) {
			json_add(one, "mean", json_double(c->mean));
			json_add(one, "std", json_double(c->std));
		}
		json_add(all, c->name, one);
	}
	r = task_summary(s->task, all);
	json_object_put(all);
	return r;
}

static int
run_scale(struct scale *s)
{
	bool has_model = task_has_model(s->task, TASK_MODEL);
	int r;

	if ((r = table_in_open(s->task, task_input(s->task, "data"), &s->in)) !=
	    0)
		return r;
	s->need_run = task_param_bool(s->task, "need_run", true);
	if ((r = has_model ? scale_model_get(s) : fit(s)) != 0)
		return r;
	if (!s->need_run || s->method == SCALE_NONE)
		r = table_in_copy(&s->in, 0);
	else
		r = write_table(s);
	if (r == 0 && !has_model)
		r = scale_model_put(s);
	if (r != 0 || !s->need_run)
		return r;
	return (r = log_method(s)) != 0 ? r : summarise(s);
}

static int
run(struct task *task)
{
	struct scale s = { .task = task };
	size_t i;
	int r = run_scale(&s);

	table_writer_free(s.writer);
	for (i = 0; i < s.n; i++)
		free(s.columns[i].name);
	for (i = 0; i < s.n_header; i++)
		free(s.header[i]);
	free(s.columns);
	free(s.header);
	free(s.from);
	free(s.values);
	table_in_close(&s.in);
	return r;
}

const struct component component_feature_scale = {
	.module = "FeatureScale",
	.roles = "guest host",
	.run = run,
	.sees_need_run = true,
};
