/*
 * Evaluation: predicted rows become numbers and curves.  No partners: each
 * member that has predictions evaluates its own.
 *
 * Rows are grouped by their type (train, validate, predict), which becomes
 * the metrics' namespace; the upstream component is their name.
 */
#include "executor/components/evaluation.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/cell.h"

#define BIT(m) (1u << (m))

enum kind { BINARY, MULTI, REGRESSION };

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
	enum kind kind;
	unsigned defaults;
	unsigned allowed;
} eval_types[] = {
	{ "binary", BINARY, BINARY_METRICS, BINARY_METRICS },
	{ "multi", MULTI, MULTI_METRICS, MULTI_METRICS },
	{ "regression", REGRESSION, REGRESSION_METRICS,
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

static int
read_metrics(
    const struct eval_type *type, struct json_object *list, unsigned *metrics)
{
	struct json_object *v;
	size_t i, n = 0;
	int r;

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

int
evaluation_metrics(
    const char *eval_type, struct json_object *list, unsigned *metrics)
{
	const struct eval_type *type;
	int r;

	if ((r = find_type(eval_type, &type)) != 0)
		return r;
	return read_metrics(type, list, metrics);
}

/* --- rows ------------------------------------------------------------------------ */

static struct group *
find_group(struct evaluation *e, const char *data_type, struct span ns)
{
	struct group *g;
	size_t i;

	for (i = 0; i < e->n_groups; i++)
		if (str_eq(e->groups[i].data_type, data_type) &&
		    cell_equals(ns, e->groups[i].ns))
			return &e->groups[i];
	e->groups = xrealloc(e->groups, (e->n_groups + 1) * sizeof(*g));
	g = &e->groups[e->n_groups++];
	*g = (struct group){ .data_type = xstrdup(data_type),
		.ns = xstrndup(ns.data, ns.len) };
	return g;
}

static int
grow(struct group *g)
{
	size_t cap = g->cap != 0 ? 2 * g->cap : 1024;
	void *label = realloc(g->label, cap * sizeof(double));
	void *result, *score, *positive;

	if (label != NULL)
		g->label = label;
	if ((result = realloc(g->result, cap * sizeof(double))) != NULL)
		g->result = result;
	if ((score = realloc(g->score, cap * sizeof(double))) != NULL)
		g->score = score;
	if ((positive = realloc(g->is_positive, cap)) != NULL)
		g->is_positive = positive;
	if (label == NULL || result == NULL || score == NULL ||
	    positive == NULL)
		return err_set(ERR_NOMEM, "%zu rows", cap);
	g->cap = cap;
	return 0;
}

/* pos_label may be a number or a text, and so may labels. */
struct positive {
	const char *text;
	double number;
	bool is_number;
};

static struct positive
read_positive(const struct evaluation *e)
{
	struct json_object *v = task_param(e->task, "pos_label");
	struct positive p = { "1", 1, true };

	if (v == NULL)
		return p;
	p.text = json_object_get_string(v);
	p.is_number =
	    cell_number((struct span){ p.text, strlen(p.text) }, &p.number);
	return p;
}

static bool
is_positive(const struct positive *p, const struct row *row)
{
	if (row->flags & ROW_LABEL_TEXT)
		return cell_equals(row->label_text, p->text);
	return p->is_number && row->label == p->number;
}

static int
add_row(struct evaluation *e, const char *data_type, enum kind kind,
    const struct positive *positive, const struct row *row)
{
	struct group *g;
	int r;

	if (row->kind != ROW_PREDICT || row->type.len == 0)
		return err_set(ERR_INVALID,
		    "the rows of %s are not "
		    "predictions",
		    data_type);
	if ((row->flags & (ROW_LABEL | ROW_LABEL_TEXT)) == 0)
		return err_set(ERR_INVALID,
		    "row %" PRIu64 " of %s has no "
		    "label to compare with",
		    row->number + 1, data_type);
	if (kind != BINARY && (row->flags & ROW_LABEL) == 0)
		return err_set(ERR_INVALID,
		    "row %" PRIu64 " of %s: the label "
		    "is not a number",
		    row->number + 1, data_type);
	if (!isfinite(row->score) || !isfinite(row->result) ||
	    !isfinite(row->label))
		return err_set(ERR_INVALID,
		    "row %" PRIu64 " of %s: a score or "
		    "label is not a finite number",
		    row->number + 1, data_type);
	g = find_group(e, data_type, row->type);
	if (g->n == g->cap && (r = grow(g)) != 0)
		return r;
	g->label[g->n] = row->label;
	g->is_positive[g->n] = is_positive(positive, row);
	g->result[g->n] = row->result;
	g->score[g->n++] = row->score;
	return 0;
}

/* A prediction of what nobody knows yet. */
static bool
is_unlabelled(const struct row *row)
{
	return row->kind == ROW_PREDICT &&
	       (row->flags & (ROW_LABEL | ROW_LABEL_TEXT)) == 0 &&
	       cell_equals(row->type, "predict");
}

/*
 * Predictions without any label are no mistake, there is just nothing to
 * compare them with.  Where only some have one, the others are missing.
 */
static int
judge_unlabelled(
    struct evaluation *e, const char *data_type, uint64_t n, uint64_t all)
{
	if (n < all)
		return err_set(ERR_INVALID,
		    "%" PRIu64 " of the %" PRIu64 " rows of %s have no label "
		    "to compare with",
		    n, all, data_type);
	task_log(e->task, TASK_WARNING,
	    "%s: these predictions have no labels, so nothing is evaluated",
	    data_type);
	return 0;
}

static int
load_rows(struct evaluation *e, enum kind kind, const char *data_type,
    struct table_cursor *cursor, uint64_t *unlabelled)
{
	struct positive positive = read_positive(e);
	struct row row;
	int r;

	while ((r = cursor_next(cursor, &row)) == 1) {
		if (is_unlabelled(&row))
			++*unlabelled;
		else if ((r = add_row(e, data_type, kind, &positive, &row)) !=
			 0)
			return r;
	}
	return r;
}

static int
load(struct evaluation *e, enum kind kind, const struct task_input *in)
{
	struct table_cursor *cursor = NULL;
	uint64_t unlabelled = 0;
	struct table *table;
	int r;

	if ((r = task_open_table(e->task, in, &table)) != 0)
		return r;
	if ((r = table_scan(table, 0, UINT64_MAX, &cursor)) == 0)
		r = load_rows(e, kind, in->component, cursor, &unlabelled);
	if (r == 0 && unlabelled > 0)
		r = judge_unlabelled(
		    e, in->component, unlabelled, table_count(table));
	cursor_free(cursor);
	table_close(table);
	return r;
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

/* --- the component ------------------------------------------------------------------- */

static const struct group *
other_group(const struct evaluation *e, const struct group *g, const char *ns)
{
	size_t i;

	for (i = 0; i < e->n_groups; i++)
		if (str_eq(e->groups[i].data_type, g->data_type) &&
		    str_eq(e->groups[i].ns, ns))
			return &e->groups[i];
	return NULL;
}

static int
evaluate_group(struct evaluation *e, enum kind kind, const struct group *g)
{
	const struct group *train;
	int r;

	if (kind == MULTI)
		return evaluate_multi(e, g);
	if (kind == REGRESSION)
		return evaluate_regression(e, g);
	if ((r = evaluate_binary(e, g)) != 0 || !wants(e, M_PSI))
		return r;
	train = other_group(e, g, "train");
	return train != NULL && str_eq(g->ns, "validate")
		   ? evaluate_psi(e, train, g)
		   : 0;
}

static int
evaluate(struct evaluation *e)
{
	const struct eval_type *type = NULL;
	size_t i;
	int r;

	if ((r = find_type(task_param_string(e->task, "eval_type", "binary"),
		 &type)) != 0 ||
	    (r = read_metrics(
		 type, task_param(e->task, "metrics"), &e->metrics)) != 0)
		return r;
	if (task_param_bool(e->task, "unfold_multi_result", false))
		task_log(e->task, TASK_WARNING,
		    "unfold_multi_result is not "
		    "supported and left out");
	for (i = 0; i < task_input_count(e->task); i++)
		if ((r = load(e, type->kind, task_input_at(e->task, i))) != 0)
			return r;
	for (i = 0; i < e->n_groups; i++)
		if ((r = evaluate_group(e, type->kind, &e->groups[i])) != 0)
			return err_wrap("%s, rows of type %s",
			    e->groups[i].data_type, e->groups[i].ns);
	return e->n_groups > 0 ? task_summary(e->task, e->summary) : 0;
}

static int
run(struct task *task)
{
	struct evaluation e = { .task = task };
	size_t i;
	int r;

	if (!task_param_bool(task, "need_run", true))
		return 0;
	e.summary = json_object_new_object();
	r = evaluate(&e);
	for (i = 0; i < e.n_groups; i++) {
		free(e.groups[i].data_type);
		free(e.groups[i].ns);
		free(e.groups[i].label);
		free(e.groups[i].is_positive);
		free(e.groups[i].result);
		free(e.groups[i].score);
	}
	free(e.groups);
	json_object_put(e.summary);
	return r;
}

const struct component component_evaluation = {
	.module = "Evaluation",
	.roles = "guest host arbiter",
	.run = run,
	.sees_need_run = true,
};
