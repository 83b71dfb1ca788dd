/*
 * Evaluation: predicted rows become numbers and curves.  No partners: each
 * member that has predictions evaluates its own.
 *
 * Rows are grouped by their type (train, validate, predict), which becomes
 * the metrics' namespace; the upstream component is their name.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/evaluation.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/cell.h"

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
add_row(struct evaluation *e, const char *data_type, enum evaluation_kind kind,
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
	if (kind != EVALUATION_BINARY && (row->flags & ROW_LABEL) == 0)
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
load_rows(struct evaluation *e, enum evaluation_kind kind,
    const char *data_type, struct table_cursor *cursor, uint64_t *unlabelled)
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
load(struct evaluation *e, enum evaluation_kind kind,
    const struct task_input *in)
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
evaluate_group(
    struct evaluation *e, enum evaluation_kind kind, const struct group *g)
{
	const struct group *train;
	int r;

	if (kind == EVALUATION_MULTI)
		return evaluate_multi(e, g);
	if (kind == EVALUATION_REGRESSION)
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
	const char *type = task_param_string(e->task, "eval_type", "binary");
	enum evaluation_kind kind = EVALUATION_BINARY;
	size_t i;
	int r;

	if ((r = evaluation_kind(type, &kind)) != 0 ||
	    (r = evaluation_metrics(
		 type, task_param(e->task, "metrics"), &e->metrics)) != 0)
		return r;
	if (task_param_bool(e->task, "unfold_multi_result", false))
		task_log(e->task, TASK_WARNING,
		    "unfold_multi_result is not "
		    "supported and left out");
	for (i = 0; i < task_input_count(e->task); i++)
		if ((r = load(e, kind, task_input_at(e->task, i))) != 0)
			return r;
	for (i = 0; i < e->n_groups; i++)
		if ((r = evaluate_group(e, kind, &e->groups[i])) != 0)
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
