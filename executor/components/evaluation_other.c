/*
 * Metrics of classifiers with several classes and of regressions.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/evaluation.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
mean(const double *v, size_t n)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += v[i];
	return sum / (double)n;
}

/* --- several classes ----------------------------------------------------------- */

struct classes {
	size_t n;
	double *value; /* ascending: labels and results */
	double *hit;   /* rows of this class, found */
	double *real;  /* rows of this class */
	double *said;  /* rows predicted as this class */
};

static size_t
class_of(const struct classes *c, double v)
{
	const double *p = bsearch(&v, c->value, c->n, sizeof(v), compare);

	return (size_t)(p - c->value); /* it is there: see classes_init() */
}

static void
classes_fini(struct classes *c)
{
	free(c->value);
	free(c->hit);
	free(c->real);
	free(c->said);
}

static int
classes_init(struct classes *c, const struct group *g)
{
	size_t i, k;

	memset(c, 0, sizeof(*c));
	if ((c->value = mem_array(2 * g->n + 1, sizeof(double))) == NULL)
		return ERR_NOMEM;
	memcpy(c->value, g->label, g->n * sizeof(double));
	memcpy(c->value + g->n, g->result, g->n * sizeof(double));
	qsort(c->value, 2 * g->n, sizeof(double), compare);
	for (i = 0; i < 2 * g->n; i++)
		if (c->n == 0 || c->value[c->n - 1] != c->value[i])
			c->value[c->n++] = c->value[i];
	c->hit = mem_array(c->n + 1, sizeof(double));
	c->real = mem_array(c->n + 1, sizeof(double));
	c->said = mem_array(c->n + 1, sizeof(double));
	if (c->hit == NULL || c->real == NULL || c->said == NULL)
		return ERR_NOMEM;
	for (i = 0; i < g->n; i++) {
		k = class_of(c, g->label[i]);
		c->real[k]++;
		c->hit[k] += g->label[i] == g->result[i];
		c->said[class_of(c, g->result[i])]++;
	}
	return 0;
}

static int
per_class(struct evaluation *e, const struct group *g, const char *metric,
    const struct curve_meta *meta, const struct classes *c, const double *whole)
{
	struct curve curve;
	size_t i;
	int r;

	if ((r = curve_init(&curve, c->n)) != 0)
		return r;
	for (i = 0; i < c->n; i++) {
		curve.x[i] = (double)i;
		curve.y[i] = whole[i] > 0 ? c->hit[i] / whole[i] : 0;
	}
	curve.n = c->n;
	free(curve.threshold);
	curve.threshold = NULL;
	r = evaluation_single(e, g, metric, mean(curve.y, c->n));
	if (r == 0 && !e->is_brief)
		r = evaluation_curve(e, g, meta, &curve);
	curve_fini(&curve);
	return r;
}

int
evaluate_multi(struct evaluation *e, const struct group *g)
{
	static const struct curve_meta precision = {
		.suffix = "precision", .type = "PRECISION_MULTI_EVALUATION",
		.ordinate_name = "Precision", .has_pair = true,
	}, recall = {
		.suffix = "recall", .type = "RECALL_MULTI_EVALUATION",
		.ordinate_name = "Recall", .has_pair = true,
	};
	struct classes c;
	double hits = 0;
	size_t i;
	int r;

	if ((r = classes_init(&c, g)) != 0)
		goto out;
	for (i = 0; i < c.n; i++)
		hits += c.hit[i];
	if (wants(e, M_ACCURACY))
		r = evaluation_single(e, g, "accuracy", hits / (double)g->n);
	if (r == 0 && wants(e, M_PRECISION))
		r = per_class(e, g, "precision", &precision, &c, c.said);
	if (r == 0 && wants(e, M_RECALL))
		r = per_class(e, g, "recall", &recall, &c, c.real);
out:
	classes_fini(&c);
	return r;
}

/* --- regression ------------------------------------------------------------------- */

struct errors {
	double absolute; /* means */
	double squared;
	double squared_log; /* NaN when a value is at or below -1 */
	double median;
	double r2;
	double explained;
};

static void
variances(const struct group *g, struct errors *out)
{
	double label_mean = mean(g->label, g->n), error_mean = 0;
	double label_var = 0, error_var = 0, squared = 0, d;
	size_t i;

	for (i = 0; i < g->n; i++)
		error_mean += (g->label[i] - g->score[i]) / (double)g->n;
	for (i = 0; i < g->n; i++) {
		d = g->label[i] - g->score[i];
		squared += d * d;
		error_var += (d - error_mean) * (d - error_mean);
		d = g->label[i] - label_mean;
		label_var += d * d;
	}
	/* Constant labels: perfect or worthless, nothing between. */
	out->r2 = label_var > 0 ? 1 - squared / label_var : squared == 0;
	out->explained =
	    label_var > 0 ? 1 - error_var / label_var : error_var == 0;
}

static int
errors_of(const struct group *g, struct errors *out)
{
	double *d = mem_array(g->n + 1, sizeof(double)), l;
	size_t i;

	memset(out, 0, sizeof(*out));
	if (d == NULL)
		return ERR_NOMEM;
	for (i = 0; i < g->n; i++) {
		d[i] = fabs(g->label[i] - g->score[i]);
		out->absolute += d[i] / (double)g->n;
		out->squared += d[i] * d[i] / (double)g->n;
		l = g->label[i] > -1 && g->score[i] > -1
			? log1p(g->label[i]) - log1p(g->score[i])
			: NAN;
		out->squared_log += l * l / (double)g->n;
	}
	qsort(d, g->n, sizeof(double), compare);
	out->median =
	    g->n % 2 == 1 ? d[g->n / 2] : (d[g->n / 2 - 1] + d[g->n / 2]) / 2;
	variances(g, out);
	free(d);
	return 0;
}

int
evaluate_regression(struct evaluation *e, const struct group *g)
{
	struct errors s;
	size_t i;
	int r;

	if ((r = errors_of(g, &s)) != 0)
		return r;
	const struct {
		enum metric metric;
		const char *name;
		double value;
	} all[] = {
		{ M_EXPLAINED_VARIANCE, "explained_variance", s.explained },
		{ M_MEAN_ABSOLUTE_ERROR, "mean_absolute_error", s.absolute },
		{ M_MEAN_SQUARED_ERROR, "mean_squared_error", s.squared },
		{ M_MEAN_SQUARED_LOG_ERROR, "mean_squared_log_error",
		    s.squared_log },
		{ M_MEDIAN_ABSOLUTE_ERROR, "median_absolute_error", s.median },
		{ M_R2_SCORE, "r2_score", s.r2 },
		{ M_ROOT_MEAN_SQUARED_ERROR, "root_mean_squared_error",
		    sqrt(s.squared) },
	};

	for (i = 0; i < sizeof(all) / sizeof(all[0]) && r == 0; i++)
		if (wants(e, all[i].metric))
			r = evaluation_single(e, g, all[i].name, all[i].value);
	return r;
}
