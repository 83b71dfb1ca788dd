/*
 * FeatureScale and DataStatistics against numpy and scipy: the expected
 * numbers come from tests/fixtures/columns_reference.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/math/summary.h"
#include "lib/base/err.h"
#include "lib/json/json.h"
#include "proto/model/feature_scale.pb-c.h"
#include "proto/model/statistics.pb-c.h"
#include "tests/lib/dense_table.h"

#define ROWS 8
#define COLUMNS 3
#define SCHEMA                                                                 \
	"{\"sid\":\"id\",\"header\":[\"x0\",\"x1\",\"x2\"],"                   \
	"\"anonymous_header\":[\"guest_9999_x0\",\"guest_9999_x1\","           \
	"\"guest_9999_x2\"],\"label_name\":\"y\"}"

static const struct dense_row table[ROWS] = {
	{ "a", 1, NULL, { 1, -1.5, 5 } },
	{ "b", 0, NULL, { 2, 0, 5 } },
	{ "c", 1, NULL, { 3, NAN, 5 } },
	{ "d", 0, NULL, { 4, 2.25, 5 } },
	{ "e", 1, NULL, { 5, 2.25, 5 } },
	{ "f", 0, NULL, { 6, -8, 5 } },
	{ "g", 1, NULL, { 7, 0.5, 5 } },
	{ "h", 0, NULL, { 100, 3, 5 } },
};

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
run_on(const char *module, const struct dense_row *rows, size_t n,
    const char *schema, const char *parameters, const struct done *model)
{
	struct done d = { .lb = loopback_new(module, "component_0") };

	d.m = loopback_add(d.lb, "guest", "9999", parameters);
	dense_input(
	    d.lb, d.m, "data", "intersection_0", rows, n, COLUMNS, schema);
	if (model != NULL)
		loopback_model(d.m, TASK_MODEL, model->m);
	d.code = loopback_run(d.lb);
	return d;
}

static struct done
scale(const char *parameters)
{
	return run_on("FeatureScale", table, ROWS, SCHEMA, parameters, NULL);
}

static void
fails(struct done d, int code, const char *part)
{
	assert_int_equal(d.code, code);
	if (strstr(loopback_error(d.m), part) == NULL)
		fail_msg("\"%s\" does not contain \"%s\"", loopback_error(d.m),
		    part);
	end(&d);
}

static const char *
json(struct json_object *o)
{
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
}

static void
near(double got, double want)
{
	if (isnan(want) ? !isnan(got)
			: !(fabs(got - want) <= 1e-12 * fmax(1, fabs(want))))
		fail_msg("%.17g is not %.17g", got, want);
}

static void
column_is(const struct done *d, unsigned column, const double want[ROWS])
{
	size_t i;

	assert_int_equal(d->code, 0);
	for (i = 0; i < ROWS; i++)
		near(dense_output(d->m, 0, table[i].id, column), want[i]);
}

static const double standard_x0[ROWS] = { -0.47163748572780773,
	-0.44019498667928719, -0.40875248763076671, -0.37730998858224618,
	-0.34586748953372565, -0.31442499048520517, -0.28298249143668464,
	2.6411699200757233 };
static const double standard_x1[ROWS] = { -0.3683069230046862,
	0.061384487167447696, NAN, 0.70592160242564861, 0.70592160242564861,
	-2.2303030337505998, 0.20461495722482567, 0.92076730751171554 };
static const double nothing[ROWS] = { 0 };

/* --- FeatureScale ---------------------------------------------------------------- */

static void
standard_scale_takes_the_mean_away_and_divides_by_the_deviation(void **state)
{
	struct done d = scale("{\"method\":\"standard_scale\"}");

	(void)state;
	column_is(&d, 0, standard_x0);
	column_is(&d, 1, standard_x1);
	column_is(&d, 2, nothing);
	assert_string_equal(json(loopback_meta(d.m, "train", "scale")),
	    "{\"method\":\"standard_scale\",\"curve_name\":\"scale\","
	    "\"name\":\"scale\",\"metric_type\":\"SCALE\"}");
	assert_string_equal(json(json_get(loopback_summary(d.m), "x2")),
	    "{\"column_upper\":5.0,\"column_lower\":5.0,\"mean\":5.0,"
	    "\"std\":1.0}");
	assert_string_equal(table_stat(loopback_output(d.m, 0))->schema_json,
	    "{\"sid\":\"id\",\"header\":[\"x0\",\"x1\",\"x2\"],"
	    "\"anonymous_header\":[\"guest_9999_x0\",\"guest_9999_x1\","
	    "\"guest_9999_x2\"],\"label_name\":\"y\"}");
	end(&d);
}

static void
min_max_scale_brings_every_column_between_nothing_and_one(void **state)
{
	static const double x1[ROWS] = { 0.59090909090909094,
		0.72727272727272729, NAN, 0.93181818181818177,
		0.93181818181818177, 0, 0.77272727272727271, 1 };
	struct done d = scale("{\"method\":\"min_max_scale\"}");

	(void)state;
	column_is(&d, 1, x1);
	column_is(&d, 2, nothing);
	assert_string_equal(json(json_get(loopback_summary(d.m), "x0")),
	    "{\"column_upper\":100.0,\"column_lower\":1.0}");
	end(&d);
}

static void
bounds_cut_values_before_the_mean_is_taken(void **state)
{
	static const double x1[ROWS] = { -1.189110052934127,
		-0.35673301588023815, NAN, 0.89183253970059528,
		0.89183253970059528, -1.4665690652854233, -0.07927400352894183,
		1.3080210582275398 };
	struct done d = scale("{\"method\":\"standard_scale\","
			      "\"feat_upper\":6,\"feat_lower\":-2}");
	struct json_object *x0;

	(void)state;
	column_is(&d, 1, x1);
	x0 = json_get(loopback_summary(d.m), "x0");
	near(json_get_double(x0, "column_upper", 0), 6);
	near(json_get_double(x0, "column_lower", 0), 1);
	near(json_get_double(x0, "mean", 0), 4.125);
	near(json_get_double(x0, "std", 0), 1.8328597873268975);
	end(&d);
	d = scale("{\"method\":\"min_max_scale\",\"feat_upper\":[6,1,9],"
		  "\"feat_lower\":[0,0,0]}");
	assert_int_equal(d.code, 0);
	near(dense_output(d.m, 0, "h", 0), 1);
	near(dense_output(d.m, 0, "f", 1), 0);
	near(dense_output(d.m, 0, "g", 1), 0.5);
	end(&d);
}

static void
mode_cap_takes_quantiles_as_bounds(void **state)
{
	struct done d = scale("{\"method\":\"min_max_scale\",\"mode\":\"cap\","
			      "\"feat_upper\":0.8,\"feat_lower\":0.2}");

	(void)state;
	assert_int_equal(d.code, 0);
	assert_string_equal(json(loopback_summary(d.m)),
	    "{\"x0\":{\"column_upper\":7.0,\"column_lower\":2.0},"
	    "\"x1\":{\"column_upper\":2.25,\"column_lower\":-1.5},"
	    "\"x2\":{\"column_upper\":5.0,\"column_lower\":5.0}}");
	near(dense_output(d.m, 0, "h", 0), 1);
	near(dense_output(d.m, 0, "c", 0), 0.2);
	end(&d);
}

static void
only_the_chosen_columns_are_scaled(void **state)
{
	struct done d = scale("{\"method\":\"standard_scale\","
			      "\"scale_col_indexes\":[0],"
			      "\"scale_names\":[\"x2\"]}");

	(void)state;
	column_is(&d, 0, standard_x0);
	column_is(&d, 2, nothing);
	near(dense_output(d.m, 0, "f", 1), -8);
	assert_null(json_get(loopback_summary(d.m), "x1"));
	end(&d);
}

static void
without_mean_or_deviation_the_other_half_is_left(void **state)
{
	struct done d = scale("{\"method\":\"standard_scale\","
			      "\"with_mean\":false}");

	(void)state;
	assert_int_equal(d.code, 0);
	near(dense_output(d.m, 0, "d", 0), 4 / 31.804087787578503);
	end(&d);
	d = scale("{\"method\":\"standard_scale\",\"with_std\":false}");
	assert_int_equal(d.code, 0);
	near(dense_output(d.m, 0, "d", 0), 4 - 16.0);
	end(&d);
}

static void
a_model_scales_other_rows_by_what_the_fit_has_seen(void **state)
{
	const struct task_buffer *got, *made;
	static const struct dense_row other[] = {
		{ "p", NAN, NULL, { 5, 4, 1000 } },
		{ "q", NAN, NULL, { 5, NAN, -70 } },
	};
	struct done fit = scale("{\"method\":\"standard_scale\"}");
	/* The columns come in another order, and one more. */
	struct done d = run_on("FeatureScale", other, 2,
	    "{\"sid\":\"id\",\"header\":[\"x2\",\"x0\",\"x1\"]}",
	    "{\"method\":\"min_max_scale\"}", &fit);

	(void)state;
	assert_int_equal(d.code, 0);
	assert_string_equal(table_stat(loopback_output(d.m, 0))->schema_json,
	    "{\"sid\":\"id\",\"header\":[\"x0\",\"x1\",\"x2\"]}");
	near(dense_output(d.m, 0, "p", 0), (4 - 16) / 31.804087787578503);
	/* Beyond what was seen: cut to the largest of the fit. */
	near(dense_output(d.m, 0, "p", 1), standard_x1[7]);
	near(dense_output(d.m, 0, "q", 1), standard_x1[5]);
	near(dense_output(d.m, 0, "q", 0), NAN);
	/* The model is handed on as it came. */
	got = loopback_model_buffer(d.m, "ScaleParam");
	made = loopback_model_buffer(fit.m, "ScaleParam");
	assert_non_null(got);
	assert_int_equal(got->size, made->size);
	assert_memory_equal(got->content, made->content, made->size);
	end(&d);
	fails(run_on("FeatureScale", other, 2,
		  "{\"sid\":\"id\",\"header\":[\"x2\",\"x0\",\"z\"]}", "{}",
		  &fit),
	    ERR_INVALID, "no column x1");
	end(&fit);
}

static void
the_scale_model_has_the_classic_fields(void **state)
{
	struct done d = scale("{\"method\":\"standard_scale\","
			      "\"scale_col_indexes\":[1],\"feat_upper\":6}");
	const struct task_buffer *b = loopback_model_buffer(d.m, "ScaleMeta");
	Sluice__Model__ScaleMeta *meta;
	Sluice__Model__ScaleParam *param;

	(void)state;
	assert_non_null(b);
	meta = sluice__model__scale_meta__unpack(NULL, b->size, b->content);
	assert_non_null(meta);
	assert_string_equal(meta->method, "standard_scale");
	assert_string_equal(meta->mode, "normal");
	assert_int_equal(meta->n_scale_column, 1);
	assert_string_equal(meta->scale_column[0], "x1");
	assert_string_equal(meta->feat_upper[0], "6");
	assert_string_equal(meta->feat_lower[0], "None");
	assert_true(meta->need_run && meta->with_mean && meta->with_std);
	sluice__model__scale_meta__free_unpacked(meta, NULL);
	b = loopback_model_buffer(d.m, "ScaleParam");
	assert_non_null(b);
	assert_string_equal(b->message, "ScaleParam");
	param = sluice__model__scale_param__unpack(NULL, b->size, b->content);
	assert_non_null(param);
	assert_int_equal(param->n_header, 3);
	assert_int_equal(param->n_col_scale_param, 1);
	assert_string_equal(param->col_scale_param[0]->key, "x1");
	near(param->col_scale_param[0]->value->column_upper, 3);
	near(param->col_scale_param[0]->value->column_lower, -8);
	sluice__model__scale_param__free_unpacked(param, NULL);
	end(&d);
}

static void
no_method_or_no_need_leaves_the_table_as_it_is(void **state)
{
	struct done d = scale("{\"method\":null}");

	(void)state;
	assert_int_equal(d.code, 0);
	near(dense_output(d.m, 0, "h", 0), 100);
	end(&d);
	d = scale("{\"method\":\"standard_scale\",\"need_run\":false}");
	assert_int_equal(d.code, 0);
	near(dense_output(d.m, 0, "h", 0), 100);
	assert_null(loopback_meta(d.m, "train", "scale"));
	end(&d);
}

static void
wrong_scale_settings_name_the_column_and_what_is_right(void **state)
{
	static const struct dense_row empty[] = {
		{ "p", NAN, NULL, { 5, NAN, 4 } },
		{ "q", NAN, NULL, { 5, NAN, -7 } },
	};

	(void)state;
	fails(scale("{\"method\":\"standard_scale\","
		    "\"scale_col_indexes\":[3]}"),
	    ERR_INVALID, "has 3, but the table's 3 columns");
	fails(scale("{\"method\":\"standard_scale\",\"scale_col_indexes\":[],"
		    "\"scale_names\":[\"x9\"]}"),
	    ERR_INVALID, "scale_names has x9");
	fails(scale("{\"method\":\"standard_scale\",\"feat_upper\":[1,2]}"),
	    ERR_INVALID, "feat_upper has 2 values, the table has 3 columns");
	fails(scale("{\"method\":\"standard_scale\",\"feat_upper\":1,"
		    "\"feat_lower\":2}"),
	    ERR_INVALID, "column x0: feat_lower 2 is above feat_upper 1");
	fails(scale("{\"method\":\"standard_scale\",\"mode\":\"cap\","
		    "\"feat_upper\":1.5}"),
	    ERR_INVALID, "column x0: mode cap needs");
	fails(run_on("FeatureScale", empty, 2, SCHEMA,
		  "{\"method\":\"standard_scale\"}", NULL),
	    ERR_INVALID, "column x1 has no value in 2 rows");
	fails(run_on("FeatureScale", table, ROWS,
		  "{\"sid\":\"id\",\"header\":[\"x0\",\"x1\"]}",
		  "{\"method\":\"standard_scale\"}", NULL),
	    ERR_FORMAT, "row 1 has 3 values, the header has 2 columns");
}

/* --- DataStatistics --------------------------------------------------------------- */

static struct done
statistics(const char *parameters)
{
	return run_on("DataStatistics", table, ROWS, SCHEMA, parameters, NULL);
}

static void
value_is(
    const struct done *d, const char *column, const char *name, double want)
{
	struct json_object *o = json_get(loopback_summary(d->m), column), *v;

	assert_int_equal(d->code, 0);
	assert_true(json_object_object_get_ex(o, name, &v));
	if (isnan(want))
		assert_null(v);
	else
		near(json_object_get_double(v), want);
}

static void
statistics_are_those_of_numpy_and_scipy(void **state)
{
	struct done d = statistics("{\"statistics\":\"summary\"}");

	(void)state;
	value_is(&d, "x0", "sum", 128);
	value_is(&d, "x0", "stddev", 31.804087787578503);
	value_is(&d, "x0", "median", 4);
	value_is(&d, "x0", "skewness", 2.2521097934407428);
	value_is(&d, "x0", "kurtosis", 3.1033991451251781);
	value_is(&d, "x0", "coefficient_of_variance", 1.9877554867236564);
	value_is(&d, "x1", "sum", -1.5);
	value_is(&d, "x1", "mean", -0.21428571428571427);
	value_is(&d, "x1", "stddev", 3.4908773237964001);
	value_is(&d, "x1", "median", 0.5);
	value_is(&d, "x1", "min", -8);
	value_is(&d, "x1", "max", 3);
	value_is(&d, "x1", "missing_count", 1);
	value_is(&d, "x1", "missing_ratio", 0.125);
	value_is(&d, "x1", "skewness", -1.3787223097970589);
	value_is(&d, "x1", "kurtosis", 0.71125562008207988);
	value_is(&d, "x1", "coefficient_of_variance", 16.2907608443832);
	value_is(&d, "x2", "stddev", 0);
	value_is(&d, "x2", "skewness", NAN);
	value_is(&d, "x2", "kurtosis", NAN);
	assert_null(loopback_output(d.m, 0));
	end(&d);
}

static void
a_quantile_is_the_value_of_its_rank(void **state)
{
	double v[100];
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		v[i] = i + 1;
	near(summary_quantile(v, 100, 0), 1);
	for (i = 1; i <= 100; i++)
		near(summary_quantile(v, 100, i / 100.0), i);
	near(summary_quantile(v, 3, 0.34), 2);
	near(summary_quantile(v, 0, 0.5), NAN);
}

static void
names_are_added_to_the_summary(void **state)
{
	struct done d = statistics("{\"statistics\":[\"count\",\"25%\",\"95%\","
				   "\"0%\",\"100%\",\"variance\",\"mean\"],"
				   "\"column_indexes\":[1]}");

	(void)state;
	value_is(&d, "x1", "mean", -0.21428571428571427);
	value_is(&d, "x1", "count", 7);
	value_is(&d, "x1", "variance", 12.186224489795917);
	value_is(&d, "x1", "25%", -1.5);
	value_is(&d, "x1", "95%", 3);
	value_is(&d, "x1", "0%", -8);
	value_is(&d, "x1", "100%", 3);
	assert_null(json_get(loopback_summary(d.m), "x0"));
	end(&d);
}

static void
without_bias_the_small_sample_estimates_are_given(void **state)
{
	struct done d =
	    statistics("{\"statistics\":\"summary\",\"bias\":false}");

	(void)state;
	value_is(&d, "x0", "skewness", 2.8088744148178302);
	value_is(&d, "x0", "kurtosis", 7.9171382047628747);
	value_is(&d, "x1", "skewness", -1.787028356980938);
	value_is(&d, "x1", "kurtosis", 3.507013488196991);
	end(&d);
}

static void
abnormal_values_count_as_missing(void **state)
{
	struct done d = statistics("{\"statistics\":\"count\","
				   "\"abnormal_list\":[100,\"-8\",5]}");

	(void)state;
	value_is(&d, "x0", "missing_count", 2);
	value_is(&d, "x0", "max", 7);
	value_is(&d, "x1", "min", -1.5);
	value_is(&d, "x1", "count", 6);
	/* Nothing is left of this one. */
	value_is(&d, "x2", "missing_ratio", 1);
	value_is(&d, "x2", "mean", NAN);
	value_is(&d, "x2", "median", NAN);
	end(&d);
}

static void
the_statistics_model_has_the_classic_fields(void **state)
{
	struct done d = statistics("{\"statistics\":\"count\","
				   "\"column_indexes\":[],"
				   "\"column_names\":[\"x1\",\"x0\"],"
				   "\"quantile_error\":0.001}");
	const struct task_buffer *b =
	    loopback_model_buffer(d.m, "StatisticMeta");
	Sluice__Model__StatisticSingleFeatureValue *last;
	Sluice__Model__StatisticMeta *meta;
	Sluice__Model__ModelParam *param;

	(void)state;
	assert_non_null(b);
	meta = sluice__model__statistic_meta__unpack(NULL, b->size, b->content);
	assert_non_null(meta);
	assert_int_equal(meta->n_statistics, 12);
	assert_string_equal(meta->statistics[11], "count");
	assert_string_equal(meta->static_columns[0], "x0");
	assert_int_equal(meta->n_static_columns, 2);
	near(meta->quantile_error, 0.001);
	sluice__model__statistic_meta__free_unpacked(meta, NULL);
	b = loopback_model_buffer(d.m, "StatisticParam");
	assert_non_null(b);
	assert_string_equal(b->message, "ModelParam");
	param = sluice__model__model_param__unpack(NULL, b->size, b->content);
	assert_non_null(param);
	assert_string_equal(param->model_name, "statistic_model");
	last = param->self_values->results[11];
	assert_string_equal(last->value_name, "count");
	assert_string_equal(last->col_names[1], "x1");
	near(last->values[1], 7);
	sluice__model__model_param__free_unpacked(param, NULL);
	end(&d);
}

static void
unknown_statistics_and_columns_are_refused(void **state)
{
	(void)state;
	fails(statistics("{\"statistics\":[\"mode\"]}"), ERR_INVALID,
	    "statistics has mode, must be summary");
	fails(statistics("{\"statistics\":\"101%\"}"), ERR_INVALID, "101%");
	fails(statistics("{\"statistics\":\"2.5%\"}"), ERR_INVALID, "2.5%");
	fails(statistics("{\"column_names\":[\"x7\"],\"column_indexes\":[]}"),
	    ERR_INVALID, "column_names has x7");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    standard_scale_takes_the_mean_away_and_divides_by_the_deviation),
		cmocka_unit_test(
		    min_max_scale_brings_every_column_between_nothing_and_one),
		cmocka_unit_test(bounds_cut_values_before_the_mean_is_taken),
		cmocka_unit_test(mode_cap_takes_quantiles_as_bounds),
		cmocka_unit_test(only_the_chosen_columns_are_scaled),
		cmocka_unit_test(
		    without_mean_or_deviation_the_other_half_is_left),
		cmocka_unit_test(
		    a_model_scales_other_rows_by_what_the_fit_has_seen),
		cmocka_unit_test(the_scale_model_has_the_classic_fields),
		cmocka_unit_test(
		    no_method_or_no_need_leaves_the_table_as_it_is),
		cmocka_unit_test(
		    wrong_scale_settings_name_the_column_and_what_is_right),
		cmocka_unit_test(statistics_are_those_of_numpy_and_scipy),
		cmocka_unit_test(a_quantile_is_the_value_of_its_rank),
		cmocka_unit_test(names_are_added_to_the_summary),
		cmocka_unit_test(
		    without_bias_the_small_sample_estimates_are_given),
		cmocka_unit_test(abnormal_values_count_as_missing),
		cmocka_unit_test(the_statistics_model_has_the_classic_fields),
		cmocka_unit_test(unknown_statistics_and_columns_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
