/*
 * Evaluation: its numbers against those of scikit-learn, its names and
 * curves against what dashboards read.
 *
 * The numbers come from tests/fixtures/evaluation_reference.py, which draws
 * the same rows from the same generator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

#include <cmocka.h>

#include "executor/ranking.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "tests/lib/loopback.h"

#define close_to(a, b) assert_true(fabs((a) - (b)) < 1e-6)

enum { TRAIN = 500, VALIDATE = 300, MULTI = 200, REGRESSION = 101 };

static uint64_t state_of_draw;

static double
draw(void)
{
	state_of_draw = state_of_draw * UINT64_C(6364136223846793005) +
			UINT64_C(1442695040888963407);
	return (double)(state_of_draw >> 33) / 2147483648.0;
}

static struct {
	double score[TRAIN + VALIDATE];
	unsigned char label[TRAIN + VALIDATE];
	double multi_label[MULTI], multi_result[MULTI];
	double real_label[REGRESSION], real_score[REGRESSION];
} data;

static int
draw_data(void **state)
{
	double s;
	int i;

	(void)state;
	state_of_draw = 12345;
	for (i = 0; i < TRAIN + VALIDATE; i++) {
		data.label[i] = draw() < 0.4;
		s = 0.6 * draw();
		s = s + (data.label[i] ? 0.4 * draw() : 0) +
		    (i < TRAIN ? 0.0 : 0.02);
		data.score[i] = floor(s * 50) / 50;
	}
	for (i = 0; i < MULTI; i++)
		data.multi_label[i] = floor(draw() * 3);
	for (i = 0; i < MULTI; i++)
		data.multi_result[i] =
		    draw() < 0.4 ? floor(draw() * 4) : data.multi_label[i];
	for (i = 0; i < REGRESSION; i++)
		data.real_label[i] = 10 * draw();
	for (i = 0; i < REGRESSION; i++)
		data.real_score[i] = data.real_label[i] + draw() - 0.4;
	return 0;
}

/* --- a run ----------------------------------------------------------------------- */

struct run {
	struct loopback *lb;
	struct member *m;
	char *folder;
	struct table_writer *w;
	size_t n;
};

static struct run
begin(const char *parameters)
{
	struct run r = { .lb = loopback_new("Evaluation", "evaluation_0") };

	r.folder = xasprintf("%s/in", loopback_folder(r.lb));
	assert_int_equal(table_create(&storage_standalone, r.folder, &r.w), 0);
	r.m = loopback_add(r.lb, "guest", "9999", parameters);
	return r;
}

static void
add(struct run *r, int flags, double label, double result, double score,
    const char *type)
{
	char id[32];
	struct row row = { .kind = ROW_PREDICT,
		.flags = flags,
		.label = label,
		.result = result,
		.score = score,
		.type = { type, strlen(type) } };

	row.id = (struct span){ id,
		(size_t)snprintf(id, sizeof(id), "%zu", r->n++) };
	assert_int_equal(table_append(r->w, &row), 0);
}

static int
run(struct run *r)
{
	assert_int_equal(table_seal(r->w, "{}", 1), 0);
	loopback_input(r->m, "data", "hetero_lr_0", r->folder);
	return loopback_run(r->lb);
}

static void
end(struct run *r)
{
	loopback_free(r->lb);
	free(r->folder);
}

static struct run
binary(const char *parameters)
{
	struct run r = begin(parameters);
	int i;

	for (i = 0; i < TRAIN + VALIDATE; i++)
		add(&r, ROW_LABEL, data.label[i], data.score[i] > 0.5,
		    data.score[i], i < TRAIN ? "train" : "validate");
	assert_int_equal(run(&r), 0);
	return r;
}

static double
number_at(struct json_object *list, size_t i)
{
	assert_non_null(list);
	assert_true(i < json_object_array_length(list));
	return json_object_get_double(json_object_array_get_idx(list, i));
}

/* The value of a named point of a series. */
static double
named(const struct run *r, const char *ns, const char *series, const char *key)
{
	struct json_object *s = loopback_metric(r->m, ns, series), *p;
	size_t i;

	assert_non_null(s);
	for (i = 0; i < json_object_array_length(s); i++) {
		p = json_object_array_get_idx(s, i);
		if (strcmp(
			json_object_get_string(json_object_array_get_idx(p, 0)),
			key) == 0)
			return number_at(p, 1);
	}
	fail_msg("no point %s in %s/%s", key, ns, series);
	return 0;
}

static struct json_object *
extra(const struct run *r, const char *ns, const char *series, const char *key)
{
	struct json_object *meta = loopback_meta(r->m, ns, series), *v;

	assert_non_null(meta);
	if (!json_object_object_get_ex(meta, key, &v))
		fail_msg("meta of %s has no %s", series, key);
	return v;
}

/* y of the point with this x. */
static double
y_at(const struct run *r, const char *series, double x)
{
	struct json_object *s = loopback_metric(r->m, "train", series), *p;
	size_t i;

	assert_non_null(s);
	for (i = 0; i < json_object_array_length(s); i++) {
		p = json_object_array_get_idx(s, i);
		if (fabs(number_at(p, 0) - x) < 1e-9)
			return number_at(p, 1);
	}
	fail_msg("%s has no point at %f", series, x);
	return 0;
}

/* --- binary ---------------------------------------------------------------------- */

static void
auc_and_ks_are_those_of_the_reference(void **state)
{
	struct run r = binary("{}");
	struct json_object *v, *t;

	(void)state;
	close_to(named(&r, "train", "hetero_lr_0", "auc"), 0.776197);
	close_to(named(&r, "train", "hetero_lr_0", "ks"), 0.397552);
	close_to(named(&r, "validate", "hetero_lr_0", "auc"), 0.719699);
	assert_string_equal(json_object_get_string(extra(
				&r, "train", "hetero_lr_0", "metric_type")),
	    "EVALUATION_SUMMARY");
	assert_true(json_object_object_get_ex(
	    loopback_summary(r.m), "hetero_lr_0", &v));
	assert_true(json_object_object_get_ex(v, "train", &t));
	assert_true(json_object_object_get_ex(t, "auc", &v));
	close_to(json_object_get_double(v), 0.776197);
	end(&r);
}

static void
the_roc_curve_is_that_of_the_reference(void **state)
{
	struct run r = binary("{\"metrics\":[\"roc\"]}");
	struct json_object *s =
	    loopback_metric(r.m, "train", "hetero_lr_0_roc");
	struct ranking *k = ranking_new(data.score, data.label, TRAIN);
	struct roc roc;

	(void)state;
	assert_int_equal(ranking_roc(k, &roc), 0);
	assert_int_equal(roc.n, 44);
	close_to(roc.tpr[1], 0.005051);
	close_to(roc.threshold[2], 0.9);
	close_to(roc.tpr[10], 0.212121);
	close_to(roc.fpr[42], 0.956954);
	roc_fini(&roc);
	ranking_free(k);
	/* All 44 points fit into 100 cuts; the last one is (1, 1). */
	assert_int_equal(json_object_array_length(s), 44);
	close_to(number_at(json_object_array_get_idx(s, 43), 0), 1);
	close_to(number_at(json_object_array_get_idx(s, 43), 1), 1);
	assert_string_equal(json_object_get_string(extra(
				&r, "train", "hetero_lr_0_roc", "unit_name")),
	    "fpr");
	assert_string_equal(json_object_get_string(extra(
				&r, "train", "hetero_lr_0_roc", "metric_type")),
	    "ROC_EVALUATION");
	assert_int_equal(json_object_array_length(extra(
			     &r, "train", "hetero_lr_0_roc", "thresholds")),
	    44);
	/* Nothing but what was asked for. */
	assert_null(loopback_metric(r.m, "train", "hetero_lr_0"));
	end(&r);
}

static void
ks_is_drawn_as_a_pair_of_curves(void **state)
{
	struct run r = binary("{}");
	struct json_object *fpr =
	    loopback_metric(r.m, "train", "hetero_lr_0_ks_fpr");
	struct json_object *tpr =
	    loopback_metric(r.m, "train", "hetero_lr_0_ks_tpr");
	double d, best = 0;
	size_t i;

	(void)state;
	assert_int_equal(json_object_array_length(fpr), 101);
	assert_int_equal(json_object_array_length(tpr), 101);
	for (i = 0; i < 101; i++) {
		d = number_at(json_object_array_get_idx(tpr, i), 1) -
		    number_at(json_object_array_get_idx(fpr, i), 1);
		best = d > best ? d : best;
	}
	assert_true(fabs(best - 0.397552) < 2e-6);
	assert_string_equal(json_object_get_string(extra(&r, "train",
				"hetero_lr_0_ks_tpr", "pair_type")),
	    "hetero_lr_0");
	assert_string_equal(json_object_get_string(extra(&r, "train",
				"hetero_lr_0_ks_tpr", "curve_name")),
	    "hetero_lr_0_tpr");
	end(&r);
}

static void
curves_over_steps_are_those_of_the_reference(void **state)
{
	struct run r = binary("{}");

	(void)state;
	close_to(y_at(&r, "hetero_lr_0_accuracy", 0), 0.604);
	close_to(y_at(&r, "hetero_lr_0_accuracy", 0.37), 0.73);
	close_to(y_at(&r, "hetero_lr_0_accuracy", 0.99), 0.422);
	close_to(y_at(&r, "hetero_lr_0_accuracy", 1), 0.396);
	close_to(y_at(&r, "hetero_lr_0_gain", 0), 0);
	close_to(y_at(&r, "hetero_lr_0_gain", 0.126), 0.318182);
	close_to(y_at(&r, "hetero_lr_0_gain", 0.974), 1);
	close_to(y_at(&r, "hetero_lr_0_gain", 1), 1);
	close_to(y_at(&r, "hetero_lr_0_lift", 0.126), 2.525253);
	close_to(y_at(&r, "hetero_lr_0_lift", 0.974), 1.026694);
	close_to(y_at(&r, "hetero_lr_0_lift", 1), 1);
	/* The threshold of cut 0.37 is first met at 0.36: 63 rows of 63. */
	close_to(y_at(&r, "hetero_lr_0_precision", 0.36), 1);
	close_to(y_at(&r, "hetero_lr_0_recall", 0.36), 0.318182);
	end(&r);
}

static void
counts_at_fixed_thresholds_are_those_of_the_reference(void **state)
{
	struct run r = binary("{}");
	const char *name = "hetero_lr_0_confusion_mat";

	(void)state;
	close_to(number_at(extra(&r, "train", name, "tp"), 30), 166);
	close_to(number_at(extra(&r, "train", name, "tn"), 30), 156);
	close_to(number_at(extra(&r, "train", name, "fp"), 30), 146);
	close_to(number_at(extra(&r, "train", name, "fn"), 30), 32);
	close_to(number_at(extra(&r, "train", name, "tp"), 50), 97);
	close_to(number_at(extra(&r, "train", name, "fn"), 50), 101);
	name = "hetero_lr_0_f1_score";
	close_to(
	    number_at(extra(&r, "train", name, "f1_scores"), 30), 0.650980);
	close_to(
	    number_at(extra(&r, "train", name, "f1_scores"), 50), 0.559078);
	assert_int_equal(
	    json_object_array_length(extra(&r, "train", name, "thresholds")),
	    100);
	assert_null(loopback_metric(r.m, "train", name));
	end(&r);
}

static void
quantiles_are_those_of_the_reference(void **state)
{
	struct run r = binary("{}");
	const char *name = "hetero_lr_0_quantile_pr";
	struct json_object *p = extra(&r, "train", name, "p_scores");
	struct json_object *q = extra(&r, "train", name, "r_scores");
	struct json_object *t = extra(&r, "train", name, "thresholds");

	(void)state;
	assert_int_equal(json_object_array_length(t), 21);
	close_to(number_at(t, 0), 0);
	close_to(number_at(t, 7), 0.28);
	close_to(number_at(t, 20), 0.96);
	close_to(number_at(json_object_array_get_idx(p, 7), 1), 0.518519);
	close_to(number_at(json_object_array_get_idx(q, 7), 1), 0.848485);
	close_to(number_at(json_object_array_get_idx(p, 10), 1), 0.597458);
	close_to(number_at(json_object_array_get_idx(p, 20), 1), 1);
	close_to(number_at(json_object_array_get_idx(q, 20), 1), 0);
	end(&r);
}

static void
population_stability_is_that_of_the_reference(void **state)
{
	struct run r = binary("{}");

	(void)state;
	close_to(json_object_get_double(
		     extra(&r, "validate", "hetero_lr_0_psi", "total_psi")),
	    0.151105);
	close_to(number_at(
		     extra(&r, "validate", "hetero_lr_0_psi", "psi_scores"), 0),
	    0.045923);
	assert_int_equal(json_object_array_length(extra(
			     &r, "validate", "hetero_lr_0_psi", "intervals")),
	    20);
	assert_null(loopback_meta(r.m, "train", "hetero_lr_0_psi"));
	end(&r);
}

static void
pos_label_says_which_label_is_positive(void **state)
{
	struct run r = binary("{\"pos_label\":0,\"metrics\":[\"AUC\"]}");

	(void)state;
	close_to(named(&r, "train", "hetero_lr_0", "auc"), 1 - 0.776197);
	end(&r);
}

static void
auc_is_exact_at_the_extremes(void **state)
{
	const double scores[] = { 0.1, 0.2, 0.3, 0.4 };
	const double ties[] = { 0.5, 0.5, 0.5, 0.5 };
	const unsigned char up[] = { 0, 0, 1, 1 }, one[] = { 1, 1, 1, 1 };
	const unsigned char down[] = { 1, 1, 0, 0 };
	const struct {
		const double *scores;
		const unsigned char *labels;
		double auc;
	} cases[] = {
		{ scores, up, 1 },
		{ scores, down, 0 },
		{ ties, up, 0.5 },
		{ scores, one, NAN },
	};
	struct ranking *k;
	double auc;
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		k = ranking_new(cases[i].scores, cases[i].labels, 4);
		auc = ranking_auc(k);
		if (isnan(cases[i].auc))
			assert_true(isnan(auc) && isnan(ranking_ks(k)));
		else
			assert_true(auc == cases[i].auc);
		ranking_free(k);
	}
}

/* --- several classes, regression ---------------------------------------------------- */

static void
several_classes_are_scored_like_the_reference(void **state)
{
	struct run r = begin("{\"eval_type\":\"multi\"}");
	struct json_object *p;
	int i;

	(void)state;
	for (i = 0; i < MULTI; i++)
		add(&r, ROW_LABEL, data.multi_label[i], data.multi_result[i],
		    0.9, "predict");
	assert_int_equal(run(&r), 0);
	close_to(named(&r, "predict", "hetero_lr_0", "accuracy"), 0.73);
	close_to(named(&r, "predict", "hetero_lr_0", "precision"), 0.622370);
	close_to(named(&r, "predict", "hetero_lr_0", "recall"), 0.558936);
	p = loopback_metric(r.m, "predict", "hetero_lr_0_precision");
	assert_int_equal(json_object_array_length(p), 4);
	assert_true(fabs(number_at(json_object_array_get_idx(p, 1), 1) -
			 0.879310) < 1e-6);
	close_to(number_at(json_object_array_get_idx(p, 3), 1), 0);
	end(&r);
}

static void
regressions_are_scored_like_the_reference(void **state)
{
	struct run r = begin("{\"eval_type\":\"regression\","
			     "\"metrics\":[\"explained_variance\",\"mae\","
			     "\"mse\",\"msle\",\"median_absolute_error\","
			     "\"r2\",\"rmse\"]}");
	int i;

	(void)state;
	for (i = 0; i < REGRESSION; i++)
		add(&r, ROW_LABEL, data.real_label[i], data.real_score[i],
		    data.real_score[i], "predict");
	assert_int_equal(run(&r), 0);
#define SCORE(name, want)                                                      \
	close_to(named(&r, "predict", "hetero_lr_0", name), want)
	SCORE("explained_variance", 0.991068);
	SCORE("mean_absolute_error", 0.229925);
	SCORE("mean_squared_error", 0.073338);
	SCORE("mean_squared_log_error", 0.005625);
	SCORE("median_absolute_error", 0.207981);
	SCORE("r2_score", 0.990301);
	SCORE("root_mean_squared_error", 0.270810);
	end(&r);
}

/* --- what cannot be evaluated --------------------------------------------------------- */

static void
refused(struct run r, int code, const char *part)
{
	assert_int_equal(run(&r), code);
	if (strstr(loopback_error(r.m), part) == NULL)
		fail_msg("\"%s\" does not contain \"%s\"", loopback_error(r.m),
		    part);
	end(&r);
}

static void
rows_that_cannot_be_evaluated_are_refused(void **state)
{
	struct run r;

	(void)state;
	r = begin("{}");
	add(&r, ROW_LABEL, 1, 1, 0.5, "train");
	refused(r, ERR_INVALID, "both classes");
	r = begin("{}");
	add(&r, 0, 0, 1, 0.5, "train");
	refused(r, ERR_INVALID, "row 1 of hetero_lr_0 has no label");
	r = begin("{}");
	add(&r, ROW_LABEL, 1, 1, NAN, "train");
	refused(r, ERR_INVALID, "row 1");
	r = begin("{\"metrics\":[\"r2_score\"]}");
	add(&r, ROW_LABEL, 1, 1, 0.5, "train");
	refused(r, ERR_INVALID, "not one of eval_type binary");
	r = begin("{\"metrics\":[\"acu\"]}");
	add(&r, ROW_LABEL, 1, 1, 0.5, "train");
	refused(r, ERR_INVALID, "no metric acu");
	r = begin("{\"eval_type\":\"clustering\"}");
	add(&r, ROW_LABEL, 1, 1, 0.5, "train");
	refused(r, ERR_UNSUPPORTED, "clustering");
}

static void
predictions_without_labels_are_no_mistake(void **state)
{
	struct run r = begin("{}");

	(void)state;
	add(&r, 0, 0, 1, 0.5, "predict");
	add(&r, 0, 0, 0, 0.4, "predict");
	assert_int_equal(run(&r), 0);
	assert_non_null(strstr(loopback_log(r.m), "have no labels"));
	assert_null(loopback_summary(r.m));
	end(&r);
	/* But it is one when only some are there. */
	r = begin("{}");
	add(&r, ROW_LABEL, 1, 1, 0.5, "predict");
	add(&r, 0, 0, 0, 0.4, "predict");
	refused(r, ERR_INVALID, "1 of the 2 rows of hetero_lr_0 have no label");
}

static void
one_class_is_enough_for_metrics_that_need_no_order(void **state)
{
	struct run r = begin("{\"metrics\":[\"accuracy\",\"lift\","
			     "\"gain\",\"precision\",\"f1_score\"]}");

	(void)state;
	add(&r, ROW_LABEL, 0, 1, 0.5, "train");
	add(&r, ROW_LABEL, 0, 0, 0.4, "train");
	assert_int_equal(run(&r), 0);
	close_to(y_at(&r, "hetero_lr_0_accuracy", 1), 0);
	end(&r);
}

static void
members_without_predictions_have_nothing_to_do(void **state)
{
	struct loopback *lb = loopback_new("Evaluation", "evaluation_0");
	struct member *m = loopback_add(lb, "host", "10000", "{}");

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_null(loopback_summary(m));
	loopback_free(lb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(auc_and_ks_are_those_of_the_reference),
		cmocka_unit_test(the_roc_curve_is_that_of_the_reference),
		cmocka_unit_test(ks_is_drawn_as_a_pair_of_curves),
		cmocka_unit_test(curves_over_steps_are_those_of_the_reference),
		cmocka_unit_test(
		    counts_at_fixed_thresholds_are_those_of_the_reference),
		cmocka_unit_test(quantiles_are_those_of_the_reference),
		cmocka_unit_test(population_stability_is_that_of_the_reference),
		cmocka_unit_test(pos_label_says_which_label_is_positive),
		cmocka_unit_test(auc_is_exact_at_the_extremes),
		cmocka_unit_test(several_classes_are_scored_like_the_reference),
		cmocka_unit_test(regressions_are_scored_like_the_reference),
		cmocka_unit_test(rows_that_cannot_be_evaluated_are_refused),
		cmocka_unit_test(predictions_without_labels_are_no_mistake),
		cmocka_unit_test(
		    one_class_is_enough_for_metrics_that_need_no_order),
		cmocka_unit_test(
		    members_without_predictions_have_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, draw_data, NULL);
}
