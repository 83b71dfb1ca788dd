/*
 * The vertical logistic regression: encrypted training against the same
 * formulas in the clear, the classic results, and hostile messages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/lr_wire.h"
#include "executor/math/rng.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"
#include "tests/lib/loopback.h"

#define COLS_MAX 32

/* --- data: two noisy classes, parts of the columns at each party ------------------ */

struct set {
	size_t n, cols;
	double *x; /* rows * cols */
	double *y; /* 0 or 1 */
};

static struct set *
set_new(size_t n, size_t cols, uint32_t seed)
{
	struct set *s = xcalloc(1, sizeof(*s));
	struct rng g;
	double score;
	size_t i, j;

	s->n = n;
	s->cols = cols;
	s->x = xcalloc(n * cols + 1, sizeof(double));
	s->y = xcalloc(n + 1, sizeof(double));
	rng_seed(&g, seed);
	for (i = 0; i < n; i++) {
		for (score = 0, j = 0; j < cols; j++) {
			s->x[i * cols + j] = rint(rng_normal(&g) * 1e6) / 1e6;
			score += s->x[i * cols + j] * (j % 2 ? 1 : -0.7);
		}
		s->y[i] = score + rng_normal(&g) > 0;
	}
	return s;
}

static void
set_free(struct set *s)
{
	free(s->x);
	free(s->y);
	free(s);
}

static int tables_made;

/* Columns [from, to) of the rows, in reverse order when asked for. */
static void
give_named(struct loopback *lb, struct member *m, const char *key,
    const char *ids, const struct set *s, size_t from, size_t to, bool label,
    bool reverse)
{
	char *path = xasprintf("%s/in-%d", loopback_folder(lb), tables_made++);
	struct buf schema = BUF_INIT;
	struct table_writer *w;
	char id[24];
	size_t i, k;

	assert_int_equal(table_create(&storage_standalone, path, &w), 0);
	for (k = 0; k < s->n; k++) {
		i = reverse ? s->n - 1 - k : k;
		struct row row = { .kind = ROW_DENSE,
			.flags = label ? ROW_LABEL : 0,
			.label = s->y[i],
			.values = s->x + i * s->cols + from,
			.n_values = (uint32_t)(to - from),
			.id = { id, 0 } };

		row.id.len = (size_t)snprintf(id, sizeof(id), "%s%zu", ids, i);
		assert_int_equal(table_append(w, &row), 0);
	}
	buf_puts(&schema, "{\"sid\":\"id\",\"header\":[");
	for (i = from; i < to; i++)
		buf_printf(
		    &schema, "%s\"x%zu\"", i == from ? "" : ",", i - from);
	buf_puts(&schema, "]}");
	assert_int_equal(table_seal(w, schema.data, 4), 0);
	loopback_input(m, key, "intersection_0", path);
	buf_fini(&schema);
	free(path);
}

/* Ids of different inputs are different. */
static void
give(struct loopback *lb, struct member *m, const char *key,
    const struct set *s, size_t from, size_t to, bool label, bool reverse)
{
	give_named(lb, m, key, key, s, from, to, label, reverse);
}

/* --- the same in the clear ------------------------------------------------------------ */

struct clear {
	size_t batch;
	unsigned iters;
	double lr, alpha, l1;
	double w[COLS_MAX]; /* all columns, then the intercept */
	double m[COLS_MAX];
	double loss[64];
};

static double
clear_loss(const struct clear *c, const struct set *s, size_t from, size_t to,
    double *z)
{
	double sum = 0, y;
	size_t i, j;

	for (i = from; i < to; i++) {
		z[i] = c->w[s->cols];
		for (j = 0; j < s->cols; j++)
			z[i] += c->w[j] * s->x[i * s->cols + j];
		y = s->y[i] == 1 ? 1 : -1;
		sum += -y * z[i] / 2 + z[i] * z[i] / 8;
	}
	sum = M_LN2 + sum / (double)(to - from);
	for (j = 0; j < s->cols; j++)
		sum += c->alpha / 2 * c->w[j] * c->w[j] + c->l1 * fabs(c->w[j]);
	return sum;
}

static void
clear_batch(struct clear *c, const struct set *s, size_t from, size_t to,
    unsigned t, const double *z)
{
	double g, d, lr = c->lr / sqrt(1.0 + t), by;
	size_t i, j;

	for (j = 0; j <= s->cols; j++) {
		for (g = 0, i = from; i < to; i++) {
			d = z[i] / 4 - (s->y[i] == 1 ? 0.5 : -0.5);
			g += d * (j < s->cols ? s->x[i * s->cols + j] : 1);
		}
		g /= (double)(to - from);
		if (j < s->cols)
			g += c->alpha * c->w[j];
		c->m[j] = 0.99 * c->m[j] + 0.01 * g * g;
		c->w[j] -= lr * g / sqrt(c->m[j] + 1e-6);
		by = c->l1 * c->lr / sqrt(t + 1.0);
		if (j < s->cols && c->l1 > 0)
			c->w[j] =
			    copysign(fmax(0, fabs(c->w[j]) - by), c->w[j]);
	}
}

static void
clear_train(struct clear *c, const struct set *s)
{
	double *z = xcalloc(s->n + 1, sizeof(*z));
	size_t from, to, batches;
	unsigned t;

	for (t = 0; t < c->iters; t++) {
		c->loss[t] = 0;
		for (batches = 0, from = 0; from < s->n; from = to) {
			to = from + c->batch < s->n ? from + c->batch : s->n;
			c->loss[t] += clear_loss(c, s, from, to, z);
			clear_batch(c, s, from, to, t, z);
			batches++;
		}
		c->loss[t] /= (double)batches;
	}
	free(z);
}

/* --- running the component ---------------------------------------------------------------- */

#define PARAMS(more)                                                           \
	"{\"penalty\":\"L2\",\"alpha\":0.01,\"optimizer\":\"rmsprop\","        \
	"\"learning_rate\":0.15,\"shuffle\":false,\"tol\":1e-9,"               \
	"\"init_param\":{\"init_method\":\"zeros\",\"fit_intercept\":true}"    \
	"," more "}"

static struct loopback *
three(const char *params, struct member *m[3])
{
	struct loopback *lb = loopback_new("HeteroLR", "hetero_lr_0");

	m[0] = loopback_add(lb, "guest", "9999", params);
	m[1] = loopback_add(lb, "host", "10000", params);
	m[2] = loopback_add(lb, "arbiter", "10000", params);
	loopback_cores(m[0], 2);
	loopback_cores(m[1], 2);
	return lb;
}

/* Each member tells every iteration, over all models that are trained. */
static void
assert_told(struct member *const m[], size_t members, const char *last,
    size_t iterations)
{
	size_t i, n;

	for (i = 0; i < members; i++) {
		if (strstr(loopback_log(m[i]), last) == NULL)
			fail_msg("no \"%s\" in %s", last, loopback_log(m[i]));
		assert_true(loopback_progress(m[i], &n) == 1);
		assert_int_equal(n, iterations);
	}
}

static double
series_at(struct member *m, size_t i)
{
	struct json_object *s = loopback_metric(m, "train", "loss");

	assert_non_null(s);
	assert_true(i < json_object_array_length(s));
	return json_object_get_double(
	    json_object_array_get_idx(json_object_array_get_idx(s, i), 1));
}

static double
coefficient(struct member *m, const char *name)
{
	return json_get_double(
	    json_get(loopback_summary(m), "coef"), name, NAN);
}

static void
assert_near(double got, double want, double eps)
{
	if (!(fabs(got - want) <= eps))
		fail_msg("%.12g, not %.12g", got, want);
}

/* Guest has the last g columns, the host the others, reversed. */
static void
check_training(
    const char *params, size_t n, size_t cols, size_t g, struct clear *c)
{
	struct set *s = set_new(n, cols, 5);
	struct member *m[3];
	struct loopback *lb = three(params, m);
	char name[16];
	size_t i;

	give(lb, m[0], "train_data", s, cols - g, cols, true, false);
	give(lb, m[1], "train_data", s, 0, cols - g, false, true);
	if (loopback_run(lb) != 0)
		fail_msg("%s | %s | %s", loopback_error(m[0]),
		    loopback_error(m[1]), loopback_error(m[2]));
	clear_train(c, s);
	for (i = 0; i < c->iters; i++)
		assert_near(series_at(m[2], i), c->loss[i],
		    1e-6 * fmax(1, fabs(c->loss[i])));
	for (i = 0; i < cols; i++) {
		snprintf(name, sizeof(name), "x%zu",
		    i < cols - g ? i : i - (cols - g));
		assert_near(
		    coefficient(m[i < cols - g ? 1 : 0], name), c->w[i], 1e-5);
	}
	assert_near(json_get_double(loopback_summary(m[0]), "intercept", NAN),
	    c->w[cols], 1e-5);
	loopback_free(lb);
	set_free(s);
}

static void
full_batches_train_as_in_the_clear(void **state)
{
	struct clear c = { .batch = 60, .iters = 4, .lr = 0.15, .alpha = 0.01 };

	(void)state;
	check_training(PARAMS("\"max_iter\":4"), 60, 5, 2, &c);
}

static void
masked_batches_train_as_in_the_clear(void **state)
{
	struct clear c = { .batch = 20, .iters = 3, .lr = 0.15, .alpha = 0.01 };

	(void)state;
	check_training(PARAMS("\"max_iter\":3,\"batch_size\":20,"
			      "\"masked_rate\":0.5"),
	    50, 5, 2, &c);
}

static void
plain_batches_train_as_in_the_clear(void **state)
{
	struct clear c = { .batch = 20, .iters = 3, .lr = 0.15, .alpha = 0.01 };

	(void)state;
	check_training(PARAMS("\"max_iter\":3,\"batch_size\":20,"
			      "\"masked_rate\":0"),
	    50, 5, 2, &c);
}

/* Three rows left over, three columns at the host: decoys make it safe. */
static void
a_short_last_batch_trains_as_in_the_clear(void **state)
{
	struct clear c = { .batch = 20, .iters = 3, .lr = 0.15, .alpha = 0.01 };

	(void)state;
	check_training(PARAMS("\"max_iter\":3,\"batch_size\":20,"
			      "\"masked_rate\":0"),
	    43, 5, 2, &c);
}

static void
l1_trains_as_in_the_clear(void **state)
{
	struct clear c = { .batch = 40, .iters = 3, .lr = 0.15, .l1 = 0.02 };

	(void)state;
	check_training("{\"penalty\":\"L1\",\"alpha\":0.02,\"shuffle\":false,"
		       "\"learning_rate\":0.15,\"tol\":1e-9,\"max_iter\":3,"
		       "\"init_param\":{\"init_method\":\"zeros\"}}",
	    40, 4, 1, &c);
}

static void
two_hosts_train_as_one_would(void **state)
{
	const char *p = PARAMS("\"max_iter\":3,\"early_stop\":"
			       "\"weight_diff\"");
	struct clear c = { .batch = 30, .iters = 3, .lr = 0.15, .alpha = 0.01 };
	struct set *s = set_new(30, 6, 8);
	struct member *m[3], *second;
	struct loopback *lb = three(p, m);

	(void)state;
	second = loopback_add(lb, "host", "10001", p);
	give(lb, m[0], "train_data", s, 4, 6, true, false);
	give(lb, m[1], "train_data", s, 0, 2, false, true);
	give(lb, second, "train_data", s, 2, 4, false, false);
	assert_int_equal(loopback_run(lb), 0);
	clear_train(&c, s);
	assert_near(coefficient(m[1], "x1"), c.w[1], 1e-5);
	assert_near(coefficient(second, "x0"), c.w[2], 1e-5);
	assert_near(coefficient(m[0], "x1"), c.w[5], 1e-5);
	assert_null(loopback_metric(m[2], "train", "loss"));
	loopback_free(lb);
	set_free(s);
}

static void
training_stops_when_the_loss_settles(void **state)
{
	struct set *s = set_new(40, 4, 3);
	struct member *m[3];
	struct loopback *lb =
	    three("{\"penalty\":\"L2\",\"alpha\":0.01,"
		  "\"tol\":0.5,\"max_iter\":50,\"optimizer\":\"sgd\","
		  "\"init_param\":{\"init_method\":\"zeros\"}}",
		m);

	(void)state;
	give(lb, m[0], "train_data", s, 2, 4, true, false);
	give(lb, m[1], "train_data", s, 0, 2, false, false);
	assert_int_equal(loopback_run(lb), 0);
	assert_int_equal(
	    json_object_array_length(loopback_metric(m[2], "train", "loss")),
	    2);
	assert_true(
	    json_get_bool(loopback_summary(m[0]), "is_converged", false));
	assert_true(
	    json_get_bool(loopback_summary(m[1]), "is_converged", false));
	loopback_free(lb);
	set_free(s);
}

/* --- the WDBC data set ------------------------------------------------------------- */

#define WDBC_ROWS 569

/* Columns of a file after its id (and label) into a set's columns. */
static bool
read_csv(const char *path, struct set *s, size_t first, size_t cols, bool label)
{
	FILE *f = fopen(path, "r");
	char line[1024], *p;
	size_t i, j;

	if (f == NULL)
		return false;
	assert_non_null(fgets(line, sizeof(line), f));
	for (i = 0; i < s->n; i++) {
		assert_non_null(fgets(line, sizeof(line), f));
		p = strchr(line, ',');
		if (label)
			s->y[i] = strtod(p + 1, &p);
		for (j = 0; j < cols; j++)
			s->x[i * s->cols + first + j] = strtod(p + 1, &p);
	}
	fclose(f);
	return true;
}

static struct set *
wdbc(void)
{
	struct set *s = set_new(WDBC_ROWS, 30, 1);

	if (read_csv("examples/data/breast_host.csv", s, 0, 20, false) &&
	    read_csv("examples/data/breast_guest.csv", s, 20, 10, true))
		return s;
	set_free(s);
	print_message("examples/data is not in this folder\n");
	skip();
	return NULL;
}

static void
check_wdbc(const char *params, const double *want, size_t n, double eps)
{
	struct set *s = wdbc();
	struct member *m[3];
	struct loopback *lb = three(params, m);
	size_t i;

	give(lb, m[0], "train_data", s, 20, 30, true, false);
	give(lb, m[1], "train_data", s, 0, 20, false, false);
	assert_int_equal(loopback_run(lb), 0);
	for (i = 0; i < n; i++)
		assert_near(series_at(m[2], i), want[i], eps);
	loopback_free(lb);
	set_free(s);
}

/* What the classic platform logs for these parameters, to its digits. */
static void
wdbc_in_full_batches_gives_the_classic_losses(void **state)
{
	static const double want[] = { 0.693147, 78.8756, 5.6951, 1.4786,
		0.7330, 0.5325, 0.4611 };

	(void)state;
	check_wdbc(PARAMS("\"max_iter\":7"), want, 7, 6e-5);
}

/* 320 rows in the order of the file. */
static void
wdbc_in_batches_gives_the_classic_losses(void **state)
{
	static const double want[] = { 38.7334, 4.8643, 1.1196 };

	(void)state;
	check_wdbc(PARAMS("\"max_iter\":3,\"batch_size\":320"), want, 3, 6e-5);
}

/* --- predictions ------------------------------------------------------------------------------ */

static void
assert_scores(struct member *m, const struct clear *c, const struct set *s,
    uint64_t first, const char *type)
{
	struct table *t = loopback_output(m, 0);
	struct table_cursor *cur;
	struct row row;
	double z;
	size_t i, j;

	assert_non_null(t);
	assert_int_equal(table_scan(t, first, first + s->n, &cur), 0);
	for (i = 0; i < s->n; i++) {
		assert_int_equal(cursor_next(cur, &row), 1);
		for (z = c->w[s->cols], j = 0; j < s->cols; j++)
			z += c->w[j] * s->x[i * s->cols + j];
		assert_near(row.score, 1 / (1 + exp(-z)), 1e-5);
		assert_true(row.result == (row.score > 0.5));
		assert_true(row.label == s->y[i]);
		assert_int_equal(row.type.len, strlen(type));
		assert_memory_equal(row.type.data, type, row.type.len);
	}
	cursor_free(cur);
}

/* Job files often validate on the training table itself. */
static void
rows_that_were_trained_on_are_told_once(void **state)
{
	struct set *s = set_new(40, 4, 3);
	struct member *m[3];
	struct loopback *lb = three(PARAMS("\"max_iter\":1"), m);
	const char *const names[] = { "train_data", "validate_data" };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		give_named(lb, m[0], names[i], "id", s, 2, 4, true, false);
		give_named(lb, m[1], names[i], "id", s, 0, 2, false, true);
	}
	assert_int_equal(loopback_run(lb), 0);
	assert_int_equal(table_count(loopback_output(m[0], 0)), 40);
	loopback_free(lb);
	set_free(s);
}

static void
predictions_follow_the_trained_model(void **state)
{
	const char *p = PARAMS("\"max_iter\":3");
	struct clear c = { .batch = 40, .iters = 3, .lr = 0.15, .alpha = 0.01 };
	struct set *s = set_new(40, 4, 3), *v = set_new(12, 4, 4);
	struct member *m[3], *k[3];
	struct loopback *lb = three(p, m), *again;
	int i;

	(void)state;
	give(lb, m[0], "train_data", s, 2, 4, true, false);
	give(lb, m[1], "train_data", s, 0, 2, false, true);
	give(lb, m[0], "validate_data", v, 2, 4, true, false);
	give(lb, m[1], "validate_data", v, 0, 2, false, true);
	assert_int_equal(loopback_run(lb), 0);
	clear_train(&c, s);
	assert_int_equal(table_count(loopback_output(m[0], 0)), 52);
	assert_scores(m[0], &c, s, 0, "train");
	assert_scores(m[0], &c, v, 40, "validate");
	assert_null(loopback_output(m[1], 0));
	assert_non_null(
	    loopback_model_buffer(m[2], "HeteroLogisticRegressionParam"));

	again = three(p, k);
	for (i = 0; i < 3; i++)
		loopback_model(k[i], TASK_MODEL, m[i]);
	give(again, k[0], "test_data", v, 2, 4, true, true);
	give(again, k[1], "test_data", v, 0, 2, false, false);
	assert_int_equal(loopback_run(again), 0);
	assert_int_equal(table_count(loopback_output(k[0], 0)), 12);
	loopback_free(again);
	loopback_free(lb);
	set_free(s);
	set_free(v);
}

#define SGD(iters)                                                             \
	"{\"optimizer\":\"sgd\",\"shuffle\":false,\"tol\":1e-9,"               \
	"\"max_iter\":" iters ",\"init_param\":{\"init_method\":\"zeros\"}}"

/* Plain steps have no memory: 2 + 2 iterations are 4. */
static void
a_warm_start_goes_on_from_the_model(void **state)
{
	static const char *const params[3] = { SGD("2"), SGD("4"), SGD("4") };
	struct set *s = set_new(40, 4, 3);
	struct member *m[3][3];
	struct loopback *lb[3];
	int i, j;

	(void)state;
	for (i = 0; i < 3; i++) {
		lb[i] = three(params[i], m[i]);
		give(lb[i], m[i][0], "train_data", s, 2, 4, true, false);
		give(lb[i], m[i][1], "train_data", s, 0, 2, false, true);
		for (j = 0; i == 1 && j < 3; j++)
			loopback_model(m[1][j], TASK_MODEL, m[0][j]);
		assert_int_equal(loopback_run(lb[i]), 0);
	}
	assert_near(
	    coefficient(m[1][0], "x0"), coefficient(m[2][0], "x0"), 1e-9);
	assert_near(
	    coefficient(m[1][1], "x1"), coefficient(m[2][1], "x1"), 1e-9);
	assert_int_equal(
	    json_object_array_length(loopback_metric(m[1][2], "train", "loss")),
	    2);
	for (i = 3; i-- > 0;)
		loopback_free(lb[i]);
	set_free(s);
}

/* --- several classes, looks, folds -------------------------------------------------------- */

/* Class k against the rest, as a set of its own. */
static struct set *
one_class(const struct set *s, double k)
{
	struct set *o = set_new(s->n, s->cols, 1);
	size_t i;

	memcpy(o->x, s->x, s->n * s->cols * sizeof(double));
	for (i = 0; i < s->n; i++)
		o->y[i] = s->y[i] == k;
	return o;
}

static double
clear_score(const struct clear *c, const struct set *s, size_t i)
{
	double z = c->w[s->cols];
	size_t j;

	for (j = 0; j < s->cols; j++)
		z += c->w[j] * s->x[i * s->cols + j];
	return 1 / (1 + exp(-z));
}

/* Every row gets the class whose own model is the surest. */
static void
assert_classes(struct member *m, const struct clear c[3], const struct set *s,
    const char *type)
{
	struct table *t = loopback_output(m, 0);
	struct table_cursor *cur;
	struct row row;
	double p[3];
	size_t i, k, best;

	assert_int_equal(table_count(t), s->n);
	assert_int_equal(table_scan(t, 0, s->n, &cur), 0);
	for (i = 0; i < s->n; i++) {
		assert_int_equal(cursor_next(cur, &row), 1);
		for (best = 0, k = 0; k < 3; k++) {
			p[k] = clear_score(&c[k], s, i);
			if (p[k] > p[best])
				best = k;
		}
		assert_near(row.score, p[best], 1e-5);
		assert_true(row.result == (double)best);
		assert_true(row.label == s->y[i]);
		assert_memory_equal(row.type.data, type, row.type.len);
		assert_non_null(
		    memmem(row.detail.data, row.detail.len, "\"2\":", 4));
	}
	cursor_free(cur);
}

static void
several_classes_are_a_model_each_against_the_rest(void **state)
{
	const char *p = PARAMS("\"max_iter\":3");
	struct clear c[3];
	struct set *s = set_new(45, 4, 3), *one;
	struct member *m[3], *k[3];
	struct loopback *lb = three(p, m), *again;
	struct json_object *sent;
	size_t i;

	(void)state;
	for (i = 0; i < s->n; i++)
		s->y[i] = (double)(i % 3);
	for (i = 0; i < 3; i++) {
		c[i] = (struct clear){
			.batch = 45, .iters = 3, .lr = 0.15, .alpha = 0.01
		};
		one = one_class(s, (double)i);
		clear_train(&c[i], one);
		set_free(one);
	}
	give(lb, m[0], "train_data", s, 2, 4, true, false);
	give(lb, m[1], "train_data", s, 0, 2, false, true);
	assert_int_equal(loopback_run(lb), 0);
	assert_classes(m[0], c, s, "train");
	assert_told(m, 3, "info m2.iteration 2 of at most 3 is done\n", 9);
	assert_non_null(loopback_metric(m[2], "train", "loss.m2"));
	assert_true(json_get_bool(
	    json_get(loopback_summary(m[0]), "2"), "one_vs_rest", false));
	/* The labels themselves stay with the guest. */
	sent = loopback_sent(m[0]);
	json_object_object_foreach(sent, name, bytes)
	{
		(void)bytes;
		assert_null(strstr(name, "aggregate_classes"));
	}
	json_object_put(sent);

	again = three(p, k);
	for (i = 0; i < 3; i++)
		loopback_model(k[i], TASK_MODEL, m[i]);
	give(again, k[0], "test_data", s, 2, 4, true, false);
	give(again, k[1], "test_data", s, 0, 2, false, false);
	assert_int_equal(loopback_run(again), 0);
	assert_classes(k[0], c, s, "predict");
	loopback_free(again);
	loopback_free(lb);
	set_free(s);
}

static struct json_object *
history(struct member *m, const char *ns, const char *metric)
{
	return json_get(
	    json_get(json_get(loopback_summary(m), "validation_metrics"), ns),
	    metric);
}

static void
looks_have_metrics_of_training_and_validation_rows(void **state)
{
	const char *p = PARAMS("\"max_iter\":4,\"callback_param\":{"
			       "\"callbacks\":[\"PerformanceEvaluate\"],"
			       "\"validation_freqs\":2}");
	struct set *s = set_new(60, 4, 3), *v = set_new(30, 4, 4);
	struct member *m[3];
	struct loopback *lb = three(p, m);

	(void)state;
	give(lb, m[0], "train_data", s, 2, 4, true, false);
	give(lb, m[1], "train_data", s, 0, 2, false, true);
	give(lb, m[0], "validate_data", v, 2, 4, true, false);
	give(lb, m[1], "validate_data", v, 0, 2, false, true);
	assert_int_equal(loopback_run(lb), 0);
	assert_int_equal(
	    json_object_array_length(history(m[0], "train", "auc")), 2);
	assert_int_equal(
	    json_object_array_length(history(m[0], "validate", "ks")), 2);
	assert_null(loopback_metric(m[0], "train", "iteration_0"));
	assert_non_null(loopback_metric(m[0], "train", "iteration_1"));
	assert_non_null(loopback_metric(m[0], "validate", "iteration_3"));
	assert_true(json_object_get_double(json_object_array_get_idx(
			history(m[0], "train", "auc"), 1)) > 0.8);
	loopback_free(lb);
	set_free(s);
	set_free(v);
}

/*
 * Validation labels are the training's turned around: every step makes it
 * worse, so the first model is the best and training ends after two looks.
 */
static void
early_stopping_gives_back_the_best_model(void **state)
{
	const char *p = PARAMS("\"max_iter\":20,\"validation_freqs\":1,"
			       "\"metrics\":[\"auc\"],"
			       "\"early_stopping_rounds\":2");
	const char *one = PARAMS("\"max_iter\":1");
	struct set *s = set_new(60, 4, 3), *v = set_new(60, 4, 3);
	struct member *m[3], *f[3];
	struct loopback *lb = three(p, m), *first = three(one, f);
	size_t i, looks;
	int64_t best;

	(void)state;
	for (i = 0; i < v->n; i++)
		v->y[i] = 1 - v->y[i];
	give(lb, m[0], "train_data", s, 2, 4, true, false);
	give(lb, m[1], "train_data", s, 0, 2, false, true);
	give(lb, m[0], "validate_data", v, 2, 4, true, false);
	give(lb, m[1], "validate_data", v, 0, 2, false, true);
	assert_int_equal(loopback_run(lb), 0);
	looks = json_object_array_length(history(m[0], "validate", "auc"));
	best = json_get_int(loopback_summary(m[0]), "best_iteration", -1);
	assert_true(best >= 0);
	assert_int_equal(looks, (size_t)best + 3);
	assert_true(looks < 20);
	for (i = 1; i < 3; i++)
		assert_int_equal(
		    json_get_int(loopback_summary(m[i]), "best_iteration", -1),
		    best);
	if (best == 0) { /* its weights are those after one iteration */
		give(first, f[0], "train_data", s, 2, 4, true, false);
		give(first, f[1], "train_data", s, 0, 2, false, true);
		assert_int_equal(loopback_run(first), 0);
		assert_near(
		    coefficient(m[1], "x0"), coefficient(f[1], "x0"), 1e-9);
		assert_near(
		    coefficient(m[0], "x1"), coefficient(f[0], "x1"), 1e-9);
	} else
		fail_msg("the best iteration is %lld", (long long)best);
	loopback_free(first);
	loopback_free(lb);
	set_free(s);
	set_free(v);
}

static void
folds_are_judged_by_rows_they_did_not_see(void **state)
{
	const char *p =
	    PARAMS("\"max_iter\":2,\"cv_param\":{\"need_cv\":true,"
		   "\"n_splits\":3,\"shuffle\":true,\"random_seed\":5}");
	struct set *s = set_new(50, 4, 3);
	struct member *m[3];
	struct loopback *lb = three(p, m);
	struct json_object *fold;
	struct table_cursor *cur;
	struct row row;
	size_t validate = 0, train = 0;

	(void)state;
	give(lb, m[0], "train_data", s, 2, 4, true, false);
	give(lb, m[1], "train_data", s, 0, 2, false, true);
	if (loopback_run(lb) != 0)
		fail_msg("%s | %s | %s", loopback_error(m[0]),
		    loopback_error(m[1]), loopback_error(m[2]));
	assert_told(m, 3, "info f2.iteration 1 of at most 2 is done\n", 6);
	fold = json_get(loopback_summary(m[0]), "fold_2");
	assert_non_null(json_get(json_get(fold, "validate"), "auc"));
	assert_non_null(loopback_metric(m[0], "validate", "fold_0"));
	assert_int_equal(
	    table_scan(loopback_output(m[0], 0), 0, UINT64_MAX, &cur), 0);
	while (cursor_next(cur, &row) == 1) {
		if (row.type.len == 8)
			validate++;
		else
			train++;
		assert_non_null(memmem(row.id.data, row.id.len, "#fold", 5));
	}
	cursor_free(cur);
	/* Each row is judged once, and learned from in the other two folds. */
	assert_int_equal(validate, 50);
	assert_int_equal(train, 100);
	loopback_free(lb);
	set_free(s);
}

static void
checkpoints_are_kept_by_all_members(void **state)
{
	const char *p = PARAMS("\"max_iter\":5,\"callback_param\":{"
			       "\"callbacks\":[\"ModelCheckpoint\"],"
			       "\"save_freq\":2}");
	struct set *s = set_new(40, 4, 3);
	struct member *m[3];
	struct loopback *lb = three(p, m);
	uint64_t step;
	size_t i;

	(void)state;
	give(lb, m[0], "train_data", s, 2, 4, true, false);
	give(lb, m[1], "train_data", s, 0, 2, false, true);
	assert_int_equal(loopback_run(lb), 0);
	for (i = 0; i < 3; i++) {
		assert_int_equal(loopback_checkpoints(m[i], &step), 2);
		assert_int_equal(step, 3);
	}
	loopback_free(lb);
	set_free(s);
}

/* --- refusals ---------------------------------------------------------------------------------- */

static void
expect(const char *params, struct set *s, size_t g, int member, int code,
    const char *text)
{
	struct member *m[3];
	struct loopback *lb = three(params, m);

	give(lb, m[0], "train_data", s, s->cols - g, s->cols, true, false);
	give(lb, m[1], "train_data", s, 0, s->cols - g, false, false);
	assert_int_equal(loopback_run(lb), code);
	if (strstr(loopback_error(m[member]), text) == NULL)
		fail_msg(
		    "\"%s\" does not say %s", loopback_error(m[member]), text);
	loopback_free(lb);
}

static void
what_cannot_be_learned_is_refused(void **state)
{
	struct set *s = set_new(40, 4, 3);

	(void)state;
	s->x[2] = NAN;
	expect("{}", s, 2, 0, ERR_FORMAT,
	    "row 1 has no value for x0; missing_fill of DataTransform");
	s->x[2] = 2e8;
	expect("{}", s, 2, 0, ERR_LIMIT, "normalise");
	s->x[2] = 0;
	/* The host talks to nobody before it refuses. */
	expect("{\"optimizer\":\"sqn\"}", s, 2, 1, ERR_UNSUPPORTED, "sqn");
	expect("{\"stepwise_param\":{\"need_stepwise\":true}}", s, 2, 2,
	    ERR_UNSUPPORTED, "need_stepwise");
	expect("{\"early_stopping_rounds\":2}", s, 2, 0, ERR_INVALID,
	    "validation_freqs");
	expect("{\"early_stopping_rounds\":2,\"validation_freqs\":1}", s, 2, 0,
	    ERR_INVALID, "validate_data");
	expect("{\"cv_param\":{\"need_cv\":true,\"n_splits\":41}}", s, 2, 0,
	    ERR_INVALID, "n_splits is 41 for 40 rows");
	expect("{\"batch_size\":5}", s, 2, 1, ERR_INVALID, "batch_size");
	set_free(s);
	s = set_new(40, 14, 3);
	expect("{\"batch_size\":10,\"masked_rate\":0}", s, 1, 1, ERR_DENIED,
	    "residuals");
	set_free(s);
}

static void
rows_the_host_lacks_are_counted(void **state)
{
	struct set *s = set_new(40, 4, 3);
	struct member *m[3];
	struct loopback *lb = three("{\"max_iter\":1}", m);

	(void)state;
	give(lb, m[0], "train_data", s, 2, 4, true, false);
	s->n = 37;
	give(lb, m[1], "train_data", s, 0, 2, false, false);
	assert_int_equal(loopback_run(lb), ERR_CONFLICT);
	assert_non_null(strstr(loopback_error(m[1]), "3 of the guest's 40"));
	loopback_free(lb);
	set_free(s);
}

/* --- hostile messages --------------------------------------------------------------------------- */

static void
numbers_must_be_finite_and_counted(void **state)
{
	double v[3] = { 1, NAN, 3 }, got[3];
	struct buf b = BUF_INIT;
	size_t i;

	(void)state;
	lr_put_numbers(&b, v, 3);
	assert_int_equal(lr_get_numbers(b.data, b.len, 3, got), ERR_FORMAT);
	buf_clear(&b);
	v[1] = 2;
	lr_put_numbers(&b, v, 3);
	assert_int_equal(lr_get_numbers(b.data, b.len, 3, got), 0);
	assert_int_equal(lr_get_numbers(b.data, b.len, 2, got), ERR_FORMAT);
	for (i = 0; i < b.len; i++)
		assert_int_equal(lr_get_numbers(b.data, i, 3, got), ERR_FORMAT);
	buf_fini(&b);
}

static void
places_must_be_in_range_and_distinct(void **state)
{
	static const uint32_t twice[3] = { 1, 2, 1 }, far[3] = { 0, 1, 9 };
	static const uint32_t good[3] = { 2, 0, 1 };
	struct buf b = BUF_INIT;
	uint32_t *got;

	(void)state;
	lr_put_places(&b, twice, 3);
	assert_int_equal(lr_get_places(b.data, b.len, 9, 3, &got), ERR_FORMAT);
	buf_clear(&b);
	lr_put_places(&b, far, 3);
	assert_int_equal(lr_get_places(b.data, b.len, 9, 3, &got), ERR_FORMAT);
	assert_null(got);
	buf_clear(&b);
	lr_put_places(&b, good, 3);
	assert_int_equal(lr_get_places(b.data, b.len, 9, 3, &got), 0);
	assert_memory_equal(got, good, sizeof(good));
	free(got);
	buf_fini(&b);
}

static void
plans_must_make_sense(void **state)
{
	static const struct lr_plan good = { .rows = 100,
		.batch_size = 30,
		.batch_count = 4,
		.list_size = 60,
		.has_loss = true };
	struct lr_plan p = good, got;
	struct buf b = BUF_INIT;
	int i;

	(void)state;
	lr_put_plan(&b, &p);
	assert_int_equal(lr_get_plan(b.data, b.len, &got), 0);
	assert_int_equal(lr_plan_rows(&got, 3), 10);
	assert_int_equal(lr_plan_list(&got, 3), 60);
	for (i = 0; i < 7; i++) {
		p = good;
		if (i == 0)
			p.rows = 0;
		if (i == 1)
			p.batch_size = 0;
		if (i == 2)
			p.batch_size = 101;
		if (i == 3)
			p.batch_count = UINT32_MAX;
		if (i == 4)
			p.list_size = 101;
		if (i == 5)
			p.list_size = 29;
		if (i == 6)
			p.is_async = true;
		buf_clear(&b);
		lr_put_plan(&b, &p);
		assert_int_equal(lr_get_plan(b.data, b.len, &got), ERR_FORMAT);
	}
	buf_fini(&b);
}

/* Random changes to a message of each kind: an error or a value, no crash. */
static void
garbled_messages_do_no_harm(void **state)
{
	const unsigned char *key, *digests;
	struct paillier_pub *pub;
	struct lr_plan plan = { .rows = 3, .batch_size = 3, .batch_count = 1 };
	struct buf b = BUF_INIT;
	struct rng g;
	uint32_t *places;
	unsigned char *copy, zero[LR_DIGEST_KEY] = { 0 };
	double v[3] = { 0 };
	size_t n, size;
	bool flag;
	int i;

	(void)state;
	rng_seed(&g, 1);
	for (i = 0; i < 20000; i++) {
		buf_clear(&b);
		switch (i % 4) {
		case 0:
			lr_put_plan(&b, &plan);
			break;
		case 1:
			lr_put_numbers(&b, v, 3);
			break;
		case 2:
			lr_put_samples(&b, zero, zero, 2);
			break;
		default:
			lr_put_flag(&b, true);
			break;
		}
		size = rng_next(&g) % (b.len + 1);
		copy = malloc(size + 1);
		memcpy(copy, b.data, size);
		if (size > 0)
			copy[rng_next(&g) % size] = (unsigned char)rng_next(&g);
		(void)lr_get_plan(copy, size, &plan);
		plan = (struct lr_plan){
			.rows = 3, .batch_size = 3, .batch_count = 1
		};
		(void)lr_get_numbers(copy, size, 3, v);
		memset(v, 0, sizeof(v));
		if (lr_get_places(copy, size, 5, 3, &places) == 0)
			free(places);
		(void)lr_get_flag(copy, size, &flag);
		if (lr_get_key(copy, size, &pub) == 0)
			paillier_pub_free(pub);
		if (lr_get_samples(copy, size, &key, &digests, &n) == 0)
			assert_true(
			    n * LR_DIGEST + LR_DIGEST_KEY + LR_HEADER == size);
		free(copy);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_batches_train_as_in_the_clear),
		cmocka_unit_test(masked_batches_train_as_in_the_clear),
		cmocka_unit_test(plain_batches_train_as_in_the_clear),
		cmocka_unit_test(a_short_last_batch_trains_as_in_the_clear),
		cmocka_unit_test(l1_trains_as_in_the_clear),
		cmocka_unit_test(two_hosts_train_as_one_would),
		cmocka_unit_test(training_stops_when_the_loss_settles),
		cmocka_unit_test(wdbc_in_full_batches_gives_the_classic_losses),
		cmocka_unit_test(wdbc_in_batches_gives_the_classic_losses),
		cmocka_unit_test(predictions_follow_the_trained_model),
		cmocka_unit_test(rows_that_were_trained_on_are_told_once),
		cmocka_unit_test(a_warm_start_goes_on_from_the_model),
		cmocka_unit_test(
		    several_classes_are_a_model_each_against_the_rest),
		cmocka_unit_test(
		    looks_have_metrics_of_training_and_validation_rows),
		cmocka_unit_test(early_stopping_gives_back_the_best_model),
		cmocka_unit_test(checkpoints_are_kept_by_all_members),
		cmocka_unit_test(folds_are_judged_by_rows_they_did_not_see),
		cmocka_unit_test(what_cannot_be_learned_is_refused),
		cmocka_unit_test(rows_the_host_lacks_are_counted),
		cmocka_unit_test(numbers_must_be_finite_and_counted),
		cmocka_unit_test(places_must_be_in_range_and_distinct),
		cmocka_unit_test(plans_must_make_sense),
		cmocka_unit_test(garbled_messages_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
