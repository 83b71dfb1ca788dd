/*
 * What metrics there are, and how they leave: numbers, curves, metadata.
 */
#include "executor/components/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

#define BIT(m) (1u << (m))

#define BINARY_METRICS                                                         \
	(BIT(M_AUC) | BIT(M_KS) | BIT(M_LIFT) | BIT(M_GAIN) |                  \
	    BIT(M_ACCURACY) | BIT(M_PRECISION) | BIT(M_RECALL) | BIT(M_ROC) |  \
	    BIT(M_CONFUSION_MAT) | BIT(M_PSI) | BIT(M_F1_SCORE) |              \
	    BIT(M_QUANTILE_PR))
#define MULTI_METRICS (BIT(M_ACCURACY) | BIT(M_PRECISION) | BIT(M_RECALL))
#define REGRESSION_METRICS                                                     \
	(BIT(M_EXPLAINED_VARIANCE) | BIT(M_MEAN_ABSOLUTE_ERROR) |              \
	    BIT(M_MEAN_SQUARED_ERROR) | BIT(M_MEDIAN_ABSOLUTE_ERROR) |         \
	    BIT(M_R2_SCORE) | BIT(M_ROOT_MEAN_SQUARED_ERROR))

static const struct eval_type {
	const char *name;
	enum evaluation_kind kind;
	unsigned defaults;
	unsigned allowed;
} eval_types[] = {
	{ "binary", EVALUATION_BINARY, BINARY_METRICS, BINARY_METRICS },
	{ "multi", EVALUATION_MULTI, MULTI_METRICS, MULTI_METRICS },
	{ "regression", EVALUATION_REGRESSION, REGRESSION_METRICS,
	    REGRESSION_METRICS | BIT(M_MEAN_SQUARED_LOG_ERROR) },
};

static const struct metric_name {
	const char *name;
	enum metric metric;
} metric_names[] = {
	{ "auc", M_AUC },
	{ "ks", M_KS },
	{ "lift", M_LIFT },
	{ "gain", M_GAIN },
	{ "accuracy", M_ACCURACY },
	{ "acc", M_ACCURACY },
	{ "precision", M_PRECISION },
	{ "recall", M_RECALL },
	{ "roc", M_ROC },
	{ "confusion_mat", M_CONFUSION_MAT },
	{ "psi", M_PSI },
	{ "f1_score", M_F1_SCORE },
	{ "quantile_pr", M_QUANTILE_PR },
	{ "explained_variance", M_EXPLAINED_VARIANCE },
	{ "mean_absolute_error", M_MEAN_ABSOLUTE_ERROR },
	{ "l1", M_MEAN_ABSOLUTE_ERROR },
	{ "mae", M_MEAN_ABSOLUTE_ERROR },
	{ "regression_l1", M_MEAN_ABSOLUTE_ERROR },
	{ "mean_squared_error", M_MEAN_SQUARED_ERROR },
	{ "l2", M_MEAN_SQUARED_ERROR },
	{ "mse", M_MEAN_SQUARED_ERROR },
	{ "regression_l2", M_MEAN_SQUARED_ERROR },
	{ "regression", M_MEAN_SQUARED_ERROR },
	{ "mean_squared_log_error", M_MEAN_SQUARED_LOG_ERROR },
	{ "msle", M_MEAN_SQUARED_LOG_ERROR },
	{ "median_absolute_error", M_MEDIAN_ABSOLUTE_ERROR },
	{ "r2_score", M_R2_SCORE },
	{ "r2", M_R2_SCORE },
	{ "root_mean_squared_error", M_ROOT_MEAN_SQUARED_ERROR },
	{ "l2_root", M_ROOT_MEAN_SQUARED_ERROR },
	{ "rmse", M_ROOT_MEAN_SQUARED_ERROR },
};

/* --- parameters --------------------------------------------------------------- */

static int
find_type(const char *name, const struct eval_type **out)
{
	size_t i;

	for (i = 0; i < sizeof(eval_types) / sizeof(eval_types[0]); i++)
		if (strcasecmp(eval_types[i].name, name) == 0) {
			*out = &eval_types[i];
			return 0;
		}
	if (strcasecmp(name, "clustering") == 0)
		return err_set(ERR_UNSUPPORTED, "eval_type clustering is not "
						"supported");
	return err_set(ERR_INVALID,
	    "eval_type is %s, must be binary, multi or "
	    "regression",
	    name);
}

static int
add_metric(const struct eval_type *type, const char *name, unsigned *metrics)
{
	size_t i;

	for (i = 0; i < sizeof(metric_names) / sizeof(metric_names[0]); i++)
		if (strcasecmp(metric_names[i].name, name) == 0)
			break;
	if (i == sizeof(metric_names) / sizeof(metric_names[0]))
		return err_set(ERR_INVALID, "there is no metric %s", name);
	if ((type->allowed & BIT(metric_names[i].metric)) == 0)
		return err_set(ERR_INVALID,
		    "metric %s is not one of eval_type "
		    "%s",
		    name, type->name);
	*metrics |= BIT(metric_names[i].metric);
	/* They are drawn together. */
	if (*metrics & (BIT(M_PRECISION) | BIT(M_RECALL)))
		*metrics |= BIT(M_PRECISION) | BIT(M_RECALL);
	return 0;
}

int
evaluation_kind(const char *eval_type, enum evaluation_kind *kind)
{
	const struct eval_type *type = NULL;
	int r;

	if ((r = find_type(eval_type, &type)) == 0)
		*kind = type->kind;
	return r;
}

int
evaluation_metrics(
    const char *eval_type, struct json_object *list, unsigned *metrics)
{
	const struct eval_type *type = NULL;
	struct json_object *v;
	size_t i, n = 0;
	int r;

	if ((r = find_type(eval_type, &type)) != 0)
		return r;
	if (json_object_is_type(list, json_type_array))
		n = json_object_array_length(list);
	*metrics = n == 0 ? type->defaults : 0;
	for (i = 0; i < n; i++) {
		v = json_object_array_get_idx(list, i);
		if (!json_object_is_type(v, json_type_string))
			return err_set(ERR_INVALID, "metrics must be names");
		if ((r = add_metric(
			 type, json_object_get_string(v), metrics)) != 0)
			return r;
	}
	return 0;
}

/* --- results ------------------------------------------------------------------------ */

double
evaluation_round(double v)
{
	if (!isfinite(v))
		return -9999999;
	v = nearbyint(v * 1e6) / 1e6;
	return v == 0 ? 0 : v; /* no minus zero */
}

static struct json_object *
object_in(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(o, key, &v)) {
		v = json_object_new_object();
		json_object_object_add(o, key, v);
	}
	return v;
}

int
evaluation_single(struct evaluation *e, const struct group *g,
    const char *metric, double value)
{
	struct json_object *set = object_in(e->summary, g->data_type);
	int r;

	value = evaluation_round(value);
	json_object_object_add(
	    object_in(set, g->ns), metric, json_object_new_double(value));
	if ((r = task_metric_named(
		 e->task, g->ns, g->data_type, metric, value)) != 0)
		return r;
	return task_metric_meta(e->task, g->ns, g->data_type, g->data_type,
	    "EVALUATION_SUMMARY", NULL);
}

int
curve_init(struct curve *c, size_t n)
{
	memset(c, 0, sizeof(*c));
	c->x = mem_array(n, sizeof(double));
	c->y = mem_array(n, sizeof(double));
	c->threshold = mem_array(n, sizeof(double));
	if (c->x != NULL && c->y != NULL && c->threshold != NULL)
		return 0;
	curve_fini(c);
	return ERR_NOMEM;
}

void
curve_fini(struct curve *c)
{
	free(c->x);
	free(c->y);
	free(c->threshold);
	memset(c, 0, sizeof(*c));
}

struct json_object *
evaluation_numbers(const double *v, size_t n)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_object_array_add(
		    list, json_object_new_double(evaluation_round(v[i])));
	return list;
}

static int
by_x(const void *a, const void *b)
{
	const struct metric_point *p = a, *q = b;

	if (p->key != q->key)
		return p->key < q->key ? -1 : 1;
	return (p->value > q->value) - (p->value < q->value);
}

static int
log_points(struct evaluation *e, const struct group *g, const char *name,
    const struct curve *c)
{
	struct metric_point *p = mem_array(c->n + 1, sizeof(*p));
	size_t i;
	int r;

	if (p == NULL)
		return ERR_NOMEM;
	for (i = 0; i < c->n; i++) {
		p[i].key = evaluation_round(c->x[i]);
		p[i].value = evaluation_round(c->y[i]);
	}
	qsort(p, c->n, sizeof(*p), by_x);
	r = task_metric_points(e->task, g->ns, name, p, c->n);
	free(p);
	return r;
}

static void
add_text(struct json_object *o, const char *key, const char *text)
{
	if (text != NULL)
		json_object_object_add(o, key, json_object_new_string(text));
}

int
evaluation_curve(struct evaluation *e, const struct group *g,
    const struct curve_meta *m, const struct curve *c)
{
	struct json_object *extra = json_object_new_object();
	char *name = xasprintf("%s_%s", g->data_type, m->suffix);
	char *curve = m->curve_suffix == NULL
			  ? xstrdup(g->data_type)
			  : xasprintf("%s_%s", g->data_type, m->curve_suffix);
	int r;

	add_text(extra, "unit_name", m->unit_name);
	add_text(extra, "ordinate_name", m->ordinate_name);
	add_text(extra, "curve_name", curve);
	if (m->has_pair)
		add_text(extra, "pair_type", g->data_type);
	if (c->threshold != NULL)
		json_object_object_add(extra, "thresholds",
		    evaluation_numbers(c->threshold, c->n));
	r = log_points(e, g, name, c);
	if (r == 0)
		r = task_metric_meta(
		    e->task, g->ns, name, name, m->type, extra);
	json_object_put(extra);
	free(curve);
	free(name);
	return r;
}

int
evaluation_meta(struct evaluation *e, const struct group *g, const char *suffix,
    const char *type, struct json_object *extra)
{
	char *name = xasprintf("%s_%s", g->data_type, suffix);
	int r = task_metric_meta(e->task, g->ns, name, name, type, extra);

	json_object_put(extra);
	free(name);
	return r;
}
