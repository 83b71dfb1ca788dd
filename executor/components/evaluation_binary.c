/*
 * Metrics of binary classifiers.  Thresholds, points and names are those of
 * the platform's Evaluation component.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/evaluation.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define TINY 1e-6 /* instead of zero in denominators */

static double
ratio(double part, double whole, double if_empty)
{
	return whole > 0 ? part / whole : if_empty;
}

static int
roc(struct evaluation *e, const struct group *g, const struct ranking *r)
{
	static const struct curve_meta meta = {
		.suffix = "roc",
		.type = "ROC_EVALUATION",
		.unit_name = "fpr",
		.ordinate_name = "tpr",
	};
	struct curve c;
	struct roc all;
	size_t i, at, last = SIZE_MAX;
	int error;

	if ((error = ranking_roc(r, &all)) != 0)
		return error;
	if ((error = curve_init(&c, CUTS + 1)) != 0)
		goto out;
	for (i = 0; i < CUTS; i++) {
		at = all.n * i / CUTS;
		if (at == last)
			continue;
		last = at;
		c.x[c.n] = all.fpr[at];
		c.y[c.n] = all.tpr[at];
		c.threshold[c.n++] = all.threshold[at];
	}
	if (c.x[c.n - 1] != 1 || c.y[c.n - 1] != 1) {
		c.x[c.n] = c.y[c.n] = 1;
		c.threshold[c.n++] = all.threshold[all.n - 1];
	}
	error = evaluation_curve(e, g, &meta, &c);
	curve_fini(&c);
out:
	roc_fini(&all);
	return error;
}

static int
ks_curve(struct evaluation *e, const struct group *g, const struct ranking *r,
    bool is_tpr)
{
	static const struct curve_meta metas[] = {
		{ .suffix = "ks_fpr",
		    .type = "KS_EVALUATION",
		    .curve_suffix = "fpr",
		    .has_pair = true },
		{ .suffix = "ks_tpr",
		    .type = "KS_EVALUATION",
		    .curve_suffix = "tpr",
		    .has_pair = true },
	};
	double pos = (double)ranking_positives(r);
	double neg = (double)ranking_size(r) - pos;
	struct confusion m;
	struct cuts cuts;
	struct curve c;
	size_t i;
	int error;

	if ((error = curve_init(&c, CUTS + 1)) != 0)
		return error;
	cuts_by_index(r, &cuts);
	for (i = 0; i < cuts.n; i++) {
		m = ranking_at(r, cuts.threshold[i]);
		c.x[i] = cuts.cut[i];
		c.y[i] = is_tpr ? (double)m.tp / pos : (double)m.fp / neg;
		c.threshold[i] = cuts.threshold[i];
	}
	c.x[i] = c.y[i] = 1;
	c.threshold[i] = ranking_score(r, ranking_size(r) - 1);
	c.n = i + 1;
	error = evaluation_curve(e, g, &metas[is_tpr], &c);
	curve_fini(&c);
	return error;
}

/* One point per x, the highest. */
static void
add_highest(struct curve *c, double x, double y, double threshold)
{
	size_t i;

	for (i = 0; i < c->n && c->x[i] != x; i++)
		;
	if (i < c->n && c->y[i] >= y)
		return;
	if (i == c->n)
		c->n++;
	c->x[i] = x;
	c->y[i] = y;
	c->threshold[i] = threshold;
}

static int
lift_or_gain(struct evaluation *e, const struct group *g,
    const struct ranking *r, bool is_gain)
{
	static const struct curve_meta metas[] = {
		{ .suffix = "lift", .type = "LIFT_EVALUATION" },
		{ .suffix = "gain", .type = "GAIN_EVALUATION" },
	};
	double n = (double)ranking_size(r), y;
	double pos = (double)ranking_positives(r);
	struct confusion m;
	struct cuts cuts;
	struct curve c;
	size_t i;
	int error;

	if ((error = curve_init(&c, CUTS + 2)) != 0)
		return error;
	cuts_by_step(r, false, &cuts);
	for (i = 0; i < cuts.n; i++) {
		m = ranking_at(r, cuts.threshold[i]);
		if (is_gain)
			y = ratio((double)m.tp, pos, 0);
		else if (pos == 0)
			y = DBL_MAX;
		else
			y = ratio((double)m.tp, (double)(m.tp + m.fp), 1) /
			    (pos / n);
		add_highest(
		    &c, (double)(m.tp + m.fp) / n, y, cuts.threshold[i]);
	}
	add_highest(&c, 1, 1, ranking_score(r, ranking_size(r) - 1));
	error = evaluation_curve(e, g, &metas[is_gain], &c);
	curve_fini(&c);
	return error;
}

static int
accuracy(struct evaluation *e, const struct group *g, const struct ranking *r)
{
	static const struct curve_meta meta = {
		.suffix = "accuracy",
		.type = "ACCURACY_EVALUATION",
	};
	struct confusion m;
	struct cuts cuts;
	struct curve c;
	int error;

	if ((error = curve_init(&c, CUTS + 1)) != 0)
		return error;
	cuts_by_step(r, true, &cuts);
	for (c.n = 0; c.n < cuts.n; c.n++) {
		m = ranking_at(r, cuts.threshold[c.n]);
		c.x[c.n] = cuts.cut[c.n];
		c.y[c.n] = (double)(m.tp + m.tn) / (double)ranking_size(r);
		c.threshold[c.n] = cuts.threshold[c.n];
	}
	error = evaluation_curve(e, g, &meta, &c);
	curve_fini(&c);
	return error;
}

static int
precision_recall(
    struct evaluation *e, const struct group *g, const struct ranking *r)
{
	static const struct curve_meta precision_meta = {
		.suffix = "precision", .type = "PRECISION_BINARY_EVALUATION",
		.ordinate_name = "Precision", .has_pair = true,
	}, recall_meta = {
		.suffix = "recall", .type = "RECALL_BINARY_EVALUATION",
		.ordinate_name = "Recall", .has_pair = true,
	};
	double pos = (double)ranking_positives(r);
	struct curve best, precision, recall;
	struct confusion m;
	struct cuts cuts;
	size_t i, k;
	int error;

	memset(&precision, 0, sizeof(precision));
	memset(&recall, 0, sizeof(recall));
	if ((error = curve_init(&best, CUTS + 1)) != 0 ||
	    (error = curve_init(&precision, CUTS + 1)) != 0 ||
	    (error = curve_init(&recall, CUTS + 1)) != 0)
		goto out;
	cuts_by_step(r, true, &cuts);
	/* Per recall the highest precision; its threshold tells the cut. */
	for (i = 0; i < cuts.n; i++) {
		m = ranking_at(r, cuts.threshold[i]);
		add_highest(&best, ratio((double)m.tp, pos, 1),
		    ratio((double)m.tp, (double)(m.tp + m.fp), 1),
		    cuts.threshold[i]);
	}
	for (i = 0; i < best.n; i++) {
		for (k = 0; cuts.threshold[k] != best.threshold[i]; k++)
			;
		precision.x[i] = recall.x[i] = cuts.cut[k];
		precision.y[i] = best.y[i];
		recall.y[i] = best.x[i];
		precision.threshold[i] = recall.threshold[i] =
		    best.threshold[i];
	}
	precision.n = recall.n = best.n;
	if ((error = evaluation_curve(e, g, &precision_meta, &precision)) == 0)
		error = evaluation_curve(e, g, &recall_meta, &recall);
out:
	curve_fini(&best);
	curve_fini(&precision);
	curve_fini(&recall);
	return error;
}

static void
push(struct json_object *list, uint64_t v)
{
	json_object_array_add(list, json_object_new_int64((int64_t)v));
}

static int
confusion_mat(
    struct evaluation *e, const struct group *g, const struct ranking *r)
{
	struct json_object *extra = json_object_new_object();
	struct json_object *tp = json_object_new_array();
	struct json_object *tn = json_object_new_array();
	struct json_object *fp = json_object_new_array();
	struct json_object *fn = json_object_new_array();
	struct confusion m;
	struct cuts cuts;
	size_t i;

	cuts_fixed(&cuts);
	for (i = 0; i < cuts.n; i++) {
		m = ranking_at(r, cuts.threshold[i]);
		push(tp, m.tp);
		push(tn, m.tn);
		push(fp, m.fp);
		push(fn, m.fn);
	}
	json_object_object_add(extra, "tp", tp);
	json_object_object_add(extra, "tn", tn);
	json_object_object_add(extra, "fp", fp);
	json_object_object_add(extra, "fn", fn);
	json_object_object_add(
	    extra, "thresholds", evaluation_numbers(cuts.threshold, cuts.n));
	return evaluation_meta(e, g, "confusion_mat", "CONFUSION_MAT", extra);
}

static double
or_tiny(double v)
{
	return v > 0 ? v : TINY;
}

static int
f1_score(struct evaluation *e, const struct group *g, const struct ranking *r)
{
	struct json_object *extra = json_object_new_object();
	struct confusion m;
	struct cuts cuts;
	double f1[CUTS], precision, recall;
	size_t i;

	cuts_fixed(&cuts);
	for (i = 0; i < cuts.n; i++) {
		m = ranking_at(r, cuts.threshold[i]);
		precision = (double)m.tp / or_tiny((double)(m.tp + m.fp));
		recall = (double)m.tp / or_tiny((double)(m.tp + m.fn));
		f1[i] = 2 * precision * recall / or_tiny(precision + recall);
	}
	json_object_object_add(
	    extra, "f1_scores", evaluation_numbers(f1, cuts.n));
	json_object_object_add(
	    extra, "thresholds", evaluation_numbers(cuts.threshold, cuts.n));
	return evaluation_meta(e, g, "f1_score", "F1_SCORE", extra);
}

/* [[0, v], …]: one value per class, of which the first is not computed. */
static void
push_pair(struct json_object *list, double v)
{
	double pair[2] = { 0, v };

	json_object_array_add(list, evaluation_numbers(pair, 2));
}

static int
quantile_pr(
    struct evaluation *e, const struct group *g, const struct ranking *r)
{
	struct json_object *extra = json_object_new_object();
	struct json_object *p = json_object_new_array();
	struct json_object *q = json_object_new_array();
	double pos = (double)ranking_positives(r);
	double ascending[QUANTILES];
	struct confusion m;
	struct cuts cuts;
	size_t i;

	cuts_by_quantile(r, &cuts);
	for (i = 0; i < cuts.n; i++) {
		ascending[i] = cuts.threshold[cuts.n - 1 - i];
		m = ranking_at(r, ascending[i]);
		push_pair(p, ratio((double)m.tp, (double)(m.tp + m.fp), 1));
		push_pair(q, ratio((double)m.tp, pos, 1));
	}
	json_object_object_add(extra, "p_scores", p);
	json_object_object_add(extra, "r_scores", q);
	json_object_object_add(
	    extra, "thresholds", evaluation_numbers(ascending, cuts.n));
	return evaluation_meta(e, g, "quantile_pr", "QUANTILE_PR", extra);
}

/* --- population stability --------------------------------------------------------- */

struct bins {
	size_t n;
	double edge[QUANTILES]; /* n + 1, ascending */
	double count[QUANTILES];
	double share[QUANTILES];    /* of all rows; tiny instead of 0 */
	double positive[QUANTILES]; /* share of positives in the bin */
};

/* Rows outside the edges belong to no bin, the last bin has both ends. */
static void
fill_bins(struct bins *b, const struct group *g)
{
	double positives[QUANTILES] = { 0 };
	size_t i, k;

	memset(b->count, 0, sizeof(b->count));
	for (i = 0; i < g->n; i++) {
		for (k = 0; k < b->n; k++)
			if (g->score[i] >= b->edge[k] &&
			    (g->score[i] < b->edge[k + 1] ||
				(k + 1 == b->n &&
				    g->score[i] == b->edge[b->n])))
				break;
		if (k == b->n)
			continue;
		b->count[k]++;
		positives[k] += g->is_positive[i];
	}
	for (k = 0; k < b->n; k++) {
		b->positive[k] = ratio(positives[k], b->count[k], 0);
		b->count[k] = or_tiny(b->count[k]);
		b->share[k] = b->count[k] / (double)g->n;
	}
}

static void
make_edges(struct bins *b, const struct ranking *r)
{
	struct cuts cuts;
	size_t i;

	cuts_by_quantile(r, &cuts);
	b->n = 0;
	b->edge[0] = cuts.threshold[cuts.n - 1];
	for (i = cuts.n - 1; i-- > 0;)
		if (cuts.threshold[i] != b->edge[b->n])
			b->edge[++b->n] = cuts.threshold[i];
}

static struct json_object *
intervals(const struct bins *b)
{
	struct json_object *list = json_object_new_array();
	char text[80];
	size_t i;

	for (i = 0; i < b->n; i++) {
		(void)snprintf(text, sizeof(text), "[%.6g, %.6g%c", b->edge[i],
		    b->edge[i + 1], i + 1 == b->n ? ']' : ')');
		json_object_array_add(list, json_object_new_string(text));
	}
	return list;
}

static struct json_object *
psi_meta(const struct bins *expected, const struct bins *actual)
{
	struct json_object *o = json_object_new_object();
	double psi[QUANTILES], total = 0;
	size_t i, n = expected->n;

	for (i = 0; i < n; i++) {
		psi[i] = (actual->share[i] - expected->share[i]) *
			 log(actual->share[i] / expected->share[i]);
		total += psi[i];
	}
	json_object_object_add(o, "psi_scores", evaluation_numbers(psi, n));
	json_object_object_add(
	    o, "total_psi", json_object_new_double(evaluation_round(total)));
	json_object_object_add(
	    o, "expected_interval", evaluation_numbers(expected->count, n));
	json_object_object_add(
	    o, "expected_percentage", evaluation_numbers(expected->share, n));
	json_object_object_add(
	    o, "actual_interval", evaluation_numbers(actual->count, n));
	json_object_object_add(
	    o, "actual_percentage", evaluation_numbers(actual->share, n));
	json_object_object_add(o, "intervals", intervals(expected));
	json_object_object_add(
	    o, "train_pos_perc", evaluation_numbers(expected->positive, n));
	json_object_object_add(
	    o, "validate_pos_perc", evaluation_numbers(actual->positive, n));
	return o;
}

int
evaluate_psi(struct evaluation *e, const struct group *expected,
    const struct group *actual)
{
	struct ranking *r =
	    ranking_new(expected->score, expected->is_positive, expected->n);
	struct bins b, a;

	if (r == NULL)
		return ERR_NOMEM;
	memset(&b, 0, sizeof(b));
	make_edges(&b, r);
	ranking_free(r);
	a = b;
	fill_bins(&b, expected);
	fill_bins(&a, actual);
	return evaluation_meta(e, actual, "psi", "PSI", psi_meta(&b, &a));
}

/* --- all of them ---------------------------------------------------------------------- */

static int
check_classes(struct evaluation *e, const struct ranking *r)
{
	uint64_t pos = ranking_positives(r);

	if (pos > 0 && pos < ranking_size(r))
		return 0;
	if (!wants(e, M_AUC) && !wants(e, M_KS) && !wants(e, M_ROC))
		return 0;
	return err_set(ERR_INVALID,
	    "all %zu labels are %s: auc, ks and roc "
	    "need both classes (see pos_label)",
	    ranking_size(r), pos > 0 ? "positive" : "negative");
}

static int
curves(struct evaluation *e, const struct group *g, const struct ranking *r)
{
	int error = 0;

	if (wants(e, M_ROC))
		error = roc(e, g, r);
	if (error == 0 && wants(e, M_KS) &&
	    (error = ks_curve(e, g, r, false)) == 0)
		error = ks_curve(e, g, r, true);
	if (error == 0 && wants(e, M_LIFT))
		error = lift_or_gain(e, g, r, false);
	if (error == 0 && wants(e, M_GAIN))
		error = lift_or_gain(e, g, r, true);
	if (error == 0 && wants(e, M_ACCURACY))
		error = accuracy(e, g, r);
	if (error == 0 && wants(e, M_PRECISION))
		error = precision_recall(e, g, r);
	if (error == 0 && wants(e, M_CONFUSION_MAT))
		error = confusion_mat(e, g, r);
	if (error == 0 && wants(e, M_F1_SCORE))
		error = f1_score(e, g, r);
	if (error == 0 && wants(e, M_QUANTILE_PR))
		error = quantile_pr(e, g, r);
	return error;
}

int
evaluate_binary(struct evaluation *e, const struct group *g)
{
	struct ranking *r = ranking_new(g->score, g->is_positive, g->n);
	int error;

	if (r == NULL)
		return ERR_NOMEM;
	error = check_classes(e, r);
	if (error == 0 && wants(e, M_AUC))
		error = evaluation_single(e, g, "auc", ranking_auc(r));
	if (error == 0 && wants(e, M_KS))
		error = evaluation_single(e, g, "ks", ranking_ks(r));
	if (error == 0 && !e->is_brief)
		error = curves(e, g, r);
	ranking_free(r);
	return error;
}
