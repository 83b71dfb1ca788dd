/*
 * DataStatistics: what a party's columns look like, for its own eyes.
 * There is no output table; the numbers are in the model and the summary.
 *
 * Quantiles are exact, which every quantile_error allows.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/model_io.h"
#include "executor/components/table_in.h"
#include "executor/math/summary.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/cell.h"
#include "lib/json/json.h"
#include "proto/model/statistics.pb-c.h"

#define META_BUFFER "StatisticMeta"
#define PARAM_BUFFER "StatisticParam"
#define MODEL_NAME "statistic_model"
#define EPSILON 1e-8 /* a mean that is smaller divides as this */

enum statistic {
	S_SUM,
	S_MEAN,
	S_STDDEV,
	S_MEDIAN,
	S_MIN,
	S_MAX,
	S_MISSING_RATIO,
	S_MISSING_COUNT,
	S_SKEWNESS,
	S_KURTOSIS,
	S_COEFFICIENT_OF_VARIANCE,
	S_IN_SUMMARY, /* those before are what "summary" stands for */
	S_COUNT = S_IN_SUMMARY,
	S_VARIANCE,
	S_NAMED,
	S_PERCENTILE = S_NAMED, /* S_PERCENTILE + p is p% */
	S_END = S_PERCENTILE + 101
};

static const char *const names[S_NAMED] = { [S_SUM] = "sum",
	[S_MEAN] = "mean",
	[S_STDDEV] = "stddev",
	[S_MEDIAN] = "median",
	[S_MIN] = "min",
	[S_MAX] = "max",
	[S_MISSING_RATIO] = "missing_ratio",
	[S_MISSING_COUNT] = "missing_count",
	[S_SKEWNESS] = "skewness",
	[S_KURTOSIS] = "kurtosis",
	[S_COEFFICIENT_OF_VARIANCE] = "coefficient_of_variance",
	[S_COUNT] = "count",
	[S_VARIANCE] = "variance" };

struct statistics {
	struct task *task;
	struct table_in in;
	struct cell_set abnormal;
	bool is_biased;

	struct wanted {
		char *name;
		unsigned what;
	} wanted[S_END];
	size_t n_wanted;

	size_t *places;
	size_t n;
	double *values; /* of statistic i and column j at i * n + j */
};

/* --- parameters ----------------------------------------------------------------- */

/* "0%" to "100%", whole numbers; S_END for anything else. */
static unsigned
percentile(const char *name)
{
	int64_t p;
	size_t len = strlen(name);
	char digits[4];

	if (len < 2 || len > 4 || name[len - 1] != '%' ||
	    !isdigit((unsigned char)name[0]))
		return S_END;
	memcpy(digits, name, len - 1);
	digits[len - 1] = '\0';
	if (str_to_int64(digits, 0, 100, &p) != 0) {
		err_clear();
		return S_END;
	}
	return S_PERCENTILE + (unsigned)p;
}

static unsigned
statistic_find(const char *name)
{
	unsigned i;

	for (i = 0; i < S_NAMED; i++)
		if (str_eq(names[i], name))
			return i;
	return percentile(name);
}

static int
want(struct statistics *s, const char *name)
{
	unsigned what = statistic_find(name);
	size_t i;

	if (str_eq(name, "summary"))
		return 0; /* is there in any case */
	if (what == S_END)
		return err_set(ERR_INVALID,
		    "statistics has %s, must be summary, count, sum, mean, "
		    "stddev, median, min, max, variance, "
		    "coefficient_of_variance, missing_count, missing_ratio, "
		    "skewness, kurtosis, or 0%% to 100%%",
		    name);
	for (i = 0; i < s->n_wanted; i++)
		if (s->wanted[i].what == what)
			return 0;
	s->wanted[s->n_wanted++] = (struct wanted){ xstrdup(name), what };
	return 0;
}

static int
read_parameters(struct statistics *s)
{
	struct json_object *v = task_param(s->task, "statistics"), *one;
	bool is_list = json_object_is_type(v, json_type_array);
	size_t i, n = is_list ? json_object_array_length(v) : v != NULL;
	int r = 0;

	for (i = 0; i < S_IN_SUMMARY; i++)
		(void)want(s, names[i]);
	for (i = 0; r == 0 && i < n; i++) {
		one = is_list ? json_object_array_get_idx(v, i) : v;
		r = want(s, one != NULL ? json_object_get_string(one) : "null");
	}
	cell_set_add_json(&s->abnormal, task_param(s->task, "abnormal_list"));
	s->is_biased = task_param_bool(s->task, "bias", true);
	return r;
}

/* --- numbers --------------------------------------------------------------------- */

static double
value_of(const struct statistics *s, unsigned what, const struct summary *m,
    const double *sorted, size_t rows)
{
	double lacking = (double)(rows - m->n), mean;

	switch (what) {
	case S_SUM:
		return m->sum;
	case S_MEAN:
		return m->mean;
	case S_STDDEV:
		return sqrt(m->variance);
	case S_MEDIAN:
		return summary_quantile(sorted, m->n, 0.5);
	case S_MIN:
		return m->min;
	case S_MAX:
		return m->max;
	case S_MISSING_RATIO:
		return rows > 0 ? lacking / (double)rows : 0;
	case S_MISSING_COUNT:
		return lacking;
	case S_SKEWNESS:
		return summary_skewness(m, s->is_biased);
	case S_KURTOSIS:
		return summary_kurtosis(m, s->is_biased);
	case S_COEFFICIENT_OF_VARIANCE:
		mean = fabs(m->mean) < EPSILON ? EPSILON : m->mean;
		return fabs(sqrt(m->variance) / mean);
	case S_COUNT:
		return (double)m->n;
	case S_VARIANCE:
		return m->variance;
	}
	return summary_quantile(sorted, m->n, (what - S_PERCENTILE) / 100.0);
}

static int
measure_column(void *ctx, size_t column, double *values, size_t rows)
{
	struct statistics *s = ctx;
	struct summary m;
	size_t i, n;

	for (i = 0; i < rows && s->abnormal.n > 0; i++)
		if (!isnan(values[i]) &&
		    cell_set_has_number(&s->abnormal, values[i]))
			values[i] = NAN;
	n = summary_drop_nan(values, rows);
	summary_of(values, n, &m);
	summary_sort(values, n);
	for (i = 0; i < s->n_wanted; i++)
		s->values[i * s->n + column] =
		    value_of(s, s->wanted[i].what, &m, values, rows);
	return 0;
}

/* --- model and summary ------------------------------------------------------------ */

static Sluice__Model__StatisticOnePartyResult *
results(struct statistics *s, struct arena *a, char **columns)
{
	Sluice__Model__StatisticOnePartyResult *all =
	    arena_alloc(a, sizeof(*all));
	Sluice__Model__StatisticSingleFeatureValue *one;
	size_t i;

	sluice__model__statistic_one_party_result__init(all);
	all->results = arena_alloc(a, (s->n_wanted + 1) * sizeof(void *));
	for (i = 0; i < s->n_wanted; i++) {
		one = arena_alloc(a, sizeof(*one));
		sluice__model__statistic_single_feature_value__init(one);
		one->value_name = s->wanted[i].name;
		one->col_names = columns;
		one->n_col_names = s->n;
		one->values = s->values + i * s->n;
		one->n_values = s->n;
		all->results[all->n_results++] = one;
	}
	return all;
}

/* Without need_run nothing was measured and s->values is NULL. */
static int
put_model(struct statistics *s, bool need_run)
{
	Sluice__Model__StatisticMeta meta = SLUICE__MODEL__STATISTIC_META__INIT;
	Sluice__Model__ModelParam param = SLUICE__MODEL__MODEL_PARAM__INIT;
	struct arena *a = arena_new();
	char **columns = arena_alloc(a, (s->n + 1) * sizeof(char *));
	size_t i;
	int r;

	for (i = 0; i < s->n; i++)
		columns[i] = s->in.schema.header[s->places[i]];
	meta.statistics = arena_alloc(a, (s->n_wanted + 1) * sizeof(char *));
	for (i = 0; i < s->n_wanted; i++)
		meta.statistics[meta.n_statistics++] = s->wanted[i].name;
	meta.static_columns = columns;
	meta.n_static_columns = s->n;
	meta.quantile_error =
	    task_param_number(s->task, "quantile_error", 0.0001);
	meta.need_run = need_run;
	if (s->values != NULL)
		param.self_values = results(s, a, columns);
	param.model_name = arena_strdup(a, MODEL_NAME);
	r = model_put(
	    s->task, META_BUFFER, &meta.base, PARAM_BUFFER, &param.base);
	arena_free(a);
	return r;
}

static int
summarise(struct statistics *s)
{
	struct json_object *all = json_object_new_object(), *one;
	size_t i, j;
	int r;

	for (j = 0; j < s->n; j++) {
		one = json_object_new_object();
		for (i = 0; i < s->n_wanted; i++)
			json_add(one, s->wanted[i].name,
			    json_double(s->values[i * s->n + j]));
		json_add(all, s->in.schema.header[s->places[j]], one);
	}
	r = task_summary(s->task, all);
	json_object_put(all);
	return r;
}

static int
measure(struct statistics *s)
{
	int r;

	if ((r = table_in_open(s->task, task_input(s->task, "data"), &s->in)) !=
	    0)
		return r;
	if (!task_param_bool(s->task, "need_run", true)) {
		r = table_in_copy(&s->in, 0);
		return r != 0 ? r : put_model(s, false);
	}
	if ((r = read_parameters(s)) != 0 ||
	    (r = table_in_pick(&s->in, "column_indexes", "column_names",
		 &s->places, &s->n)) != 0)
		return r;
	s->values = mem_array(s->n_wanted * s->n + 1, sizeof(*s->values));
	if (s->values == NULL)
		return err_code();
	if ((r = table_in_columns(
		 &s->in, s->places, s->n, measure_column, s)) != 0 ||
	    (r = put_model(s, true)) != 0)
		return r;
	return summarise(s);
}

static int
run(struct task *task)
{
	struct statistics s = { .task = task };
	size_t i;
	int r = measure(&s);

	for (i = 0; i < s.n_wanted; i++)
		free(s.wanted[i].name);
	cell_set_fini(&s.abnormal);
	free(s.places);
	free(s.values);
	table_in_close(&s.in);
	return r;
}

const struct component component_data_statistics = {
	.module = "DataStatistics",
	.roles = "guest host",
	.run = run,
	.sees_need_run = true,
};
