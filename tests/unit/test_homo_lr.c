/*
 * The horizontal logistic regression: masks, averages, training against
 * NumPy's numbers (tests/fixtures/homo_lr_reference.py), and members that
 * cheat, differ or leave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/homo_lr_impl.h"
#include "executor/components/ring_wire.h"
#include "executor/components/secure_aggregation.h"
#include "executor/math/mask.h"
#include "executor/math/ring.h"
#include "executor/math/rng.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"
#include "proto/model/lr.pb-c.h"
#include "tests/lib/loopback.h"

#define CSV "examples/data/breast_guest.csv"
#define ROWS 569
#define COLS 10
#define WEIGHTS (COLS + 1)

static void
assert_near(double got, double want, double eps)
{
	if (!(fabs(got - want) <= eps))
		fail_msg("%.12g, not %.12g", got, want);
}

/* --- masks -------------------------------------------------------------------- */

static void
acquaint(struct mask *m[], size_t n)
{
	size_t i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++)
			if (i != j)
				assert_int_equal(
				    mask_peer(m[i], j, mask_public(m[j])), 0);
}

/* More than one piece of a stream, and not a whole one. */
#define LONG 1300

static void
masks_of_all_members_cancel(void **state)
{
	struct mask *m[4];
	uint64_t *v = xcalloc(LONG, sizeof(*v));
	uint64_t *sum = xcalloc(LONG, sizeof(*sum));
	uint64_t round;
	size_t i, k;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_non_null(m[i] = mask_new(i, 4, "task"));
	acquaint(m, 4);
	for (round = 0; round < 3; round++) {
		memset(sum, 0, LONG * sizeof(*sum));
		for (i = 0; i < 4; i++) {
			for (k = 0; k < LONG; k++)
				v[k] = (i + 1) * k;
			assert_int_equal(mask_apply(m[i], round, v, LONG), 0);
			for (k = 0; k < LONG; k++)
				assert_true(v[k] != (i + 1) * k);
			ring_add(sum, v, LONG);
		}
		for (k = 0; k < LONG; k++)
			assert_true(sum[k] == 10 * k);
	}
	for (i = 0; i < 4; i++)
		mask_free(m[i]);
	free(v);
	free(sum);
}

static void
masks_of_another_task_do_not_cancel(void **state)
{
	struct mask *m[2] = { mask_new(0, 2, "task 1"),
		mask_new(1, 2, "task 2") };
	uint64_t a = 5, b = 7;

	(void)state;
	acquaint(m, 2);
	assert_int_equal(mask_apply(m[0], 0, &a, 1), 0);
	assert_int_equal(mask_apply(m[1], 0, &b, 1), 0);
	assert_true(a + b != 12);
	mask_free(m[0]);
	mask_free(m[1]);
}

static void
a_round_has_its_masks_once_and_from_all(void **state)
{
	struct mask *m[3];
	uint64_t v = 0;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		m[i] = mask_new(i, 3, "task");
	assert_int_equal(mask_peer(m[0], 1, mask_public(m[1])), 0);
	assert_int_equal(mask_apply(m[0], 0, &v, 1), ERR_INVALID);
	assert_int_equal(mask_peer(m[0], 2, mask_public(m[2])), 0);
	assert_int_equal(mask_apply(m[0], 4, &v, 1), 0);
	assert_int_equal(mask_apply(m[0], 4, &v, 1), ERR_INVALID);
	assert_int_equal(mask_apply(m[0], 3, &v, 1), ERR_INVALID);
	assert_int_equal(mask_apply(m[0], 5, &v, 1), 0);
	for (i = 0; i < 3; i++)
		mask_free(m[i]);
}

static void
keys_without_a_secret_are_refused(void **state)
{
	static const unsigned char zero[MASK_PUBLIC], one[MASK_PUBLIC] = { 1 };
	struct mask *m = mask_new(0, 3, "task"), *o = mask_new(1, 3, "task");

	(void)state;
	assert_int_equal(mask_peer(m, 1, zero), ERR_FORMAT);
	assert_int_equal(mask_peer(m, 1, one), ERR_FORMAT);
	assert_int_equal(mask_peer(m, 1, mask_public(m)), ERR_FORMAT);
	assert_int_equal(mask_peer(m, 0, mask_public(o)), ERR_INVALID);
	assert_int_equal(mask_peer(m, 3, mask_public(o)), ERR_INVALID);
	assert_int_equal(mask_peer(m, 1, mask_public(o)), 0);
	assert_int_equal(mask_peer(m, 1, mask_public(o)), ERR_INVALID);
	mask_free(m);
	mask_free(o);
}

/* --- data ------------------------------------------------------------------------ */

struct rows {
	double x[ROWS][COLS];
	double y[ROWS];
};

static struct rows *rows;

static int
read_rows(void **state)
{
	FILE *f = fopen(CSV, "r");
	char line[1024], *p;
	size_t i, j;

	(void)state;
	if (f == NULL) {
		print_error("no %s in this folder\n", CSV);
		return -1;
	}
	rows = xcalloc(1, sizeof(*rows));
	p = fgets(line, sizeof(line), f);
	for (i = 0; i < ROWS && fgets(line, sizeof(line), f) != NULL; i++) {
		p = strchr(line, ',');
		rows->y[i] = strtod(p + 1, &p);
		for (j = 0; j < COLS; j++)
			rows->x[i][j] = strtod(p + 1, &p);
	}
	fclose(f);
	return i == ROWS ? 0 : -1;
}

static int
free_rows(void **state)
{
	(void)state;
	free(rows);
	return 0;
}

static int tables_made;

static void
give(struct loopback *lb, struct member *m, const char *key, size_t from,
    size_t to, size_t cols)
{
	char *path = xasprintf("%s/in-%d", loopback_folder(lb), tables_made++);
	struct buf schema = BUF_INIT;
	struct table_writer *w;
	char id[24];
	size_t i;

	assert_int_equal(table_create(&storage_standalone, path, &w), 0);
	for (i = from; i < to; i++) {
		struct row row = { .kind = ROW_DENSE,
			.flags = ROW_LABEL,
			.label = rows->y[i],
			.values = rows->x[i],
			.n_values = (uint32_t)cols,
			.id = { id, 0 } };

		row.id.len = (size_t)snprintf(id, sizeof(id), "%zu", i);
		assert_int_equal(table_append(w, &row), 0);
	}
	buf_puts(&schema, "{\"sid\":\"id\",\"header\":[");
	for (i = 0; i < cols; i++)
		buf_printf(&schema, "%s\"x%zu\"", i == 0 ? "" : ",", i);
	buf_puts(&schema, "]}");
	assert_int_equal(table_seal(w, schema.data, 4), 0);
	loopback_input(m, key, "data_transform_0", path);
	buf_fini(&schema);
	free(path);
}

/* --- running -------------------------------------------------------------------------- */

/* Guest, arbiter, then the hosts. */
static struct loopback *
members(const char *params, size_t hosts, struct member *m[])
{
	static const char *const parties[] = { "10000", "10001", "10002" };
	struct loopback *lb = loopback_new("HomoLR", "homo_lr_0");
	size_t i;

	m[0] = loopback_add(lb, "guest", "9999", params);
	m[1] = loopback_add(lb, "arbiter", "10000", params);
	for (i = 0; i < hosts; i++)
		m[2 + i] = loopback_add(lb, "host", parties[i], params);
	return lb;
}

/* Rows up to cuts[0] to the guest, up to cuts[1] to the first host, … */
static void
deal(struct loopback *lb, struct member *m[], const size_t *cuts, size_t hosts)
{
	size_t i;

	give(lb, m[0], "train_data", 0, cuts[0], COLS);
	for (i = 0; i < hosts; i++)
		give(lb, m[2 + i], "train_data", cuts[i],
		    i + 1 < hosts ? cuts[i + 1] : ROWS, COLS);
}

static void
run_well(struct loopback *lb, struct member *m[], size_t n)
{
	struct buf b = BUF_INIT;
	size_t i;

	if (loopback_run(lb) == 0)
		return;
	for (i = 0; i < n; i++)
		buf_printf(&b, "%s | ", loopback_error(m[i]));
	fail_msg("%s", buf_str(&b));
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

static size_t
series_length(struct member *m)
{
	struct json_object *s = loopback_metric(m, "train", "loss");

	return s == NULL ? 0 : json_object_array_length(s);
}

static void
assert_weights(struct member *m, const double *want, double eps)
{
	struct json_object *coef = json_get(loopback_summary(m), "coef");
	char name[8];
	size_t i;

	for (i = 0; i < COLS; i++) {
		snprintf(name, sizeof(name), "x%zu", i);
		assert_near(json_get_double(coef, name, NAN), want[i], eps);
	}
	assert_near(json_get_double(loopback_summary(m), "intercept", NAN),
	    want[COLS], eps);
}

struct reference {
	const char *params;
	size_t cuts[2];
	size_t hosts;
	size_t n_losses;
	double losses[6];
	double guest[6];
	double w[WEIGHTS];
};

/* Weights move by 2^-37 a meeting and member at most, losses by 2^-31. */
#define EPS 2e-9

static void
check_reference(const struct reference *ref)
{
	struct member *m[4];
	struct loopback *lb = members(ref->params, ref->hosts, m);
	size_t i;

	deal(lb, m, ref->cuts, ref->hosts);
	run_well(lb, m, 2 + ref->hosts);
	assert_int_equal(series_length(m[0]), ref->n_losses);
	assert_int_equal(series_length(m[1]), ref->n_losses);
	assert_int_equal(series_length(m[2]), ref->n_losses);
	for (i = 0; i < ref->n_losses; i++) {
		assert_near(series_at(m[1], i), ref->losses[i], EPS);
		assert_near(series_at(m[0], i), ref->guest[i], EPS);
	}
	for (i = 0; i < 2 + ref->hosts; i++)
		assert_weights(m[i], ref->w, EPS);
	loopback_free(lb);
}

#define PARAMS(more)                                                           \
	"{\"init_param\":{\"init_method\":\"zeros\",\"fit_intercept\":true},"  \
	"\"tol\":1e-9," more "}"

static void
two_clients_train_as_numpy_does(void **state)
{
	static const struct reference ref = {
		PARAMS("\"optimizer\":\"sgd\",\"learning_rate\":0.5,"
		       "\"penalty\":\"L2\",\"alpha\":0.01,\"max_iter\":5"),
		{ 350 }, 1, 6,
		{ 0.661378025515, 0.351675905075, 0.300853690409,
		    0.275357985205, 0.259015948526, 0.247266638659 },
		{ 0.656804171068, 0.3513870628, 0.300666947066, 0.274904377434,
		    0.258228969944, 0.246143940757 },
		{ -0.345013121904, -0.206485012147, -0.343547593613,
		    -0.321434294775, -0.164931879996, -0.215511952473,
		    -0.25415190411, -0.33097474237, -0.159240726312,
		    -0.0953132312502, 0.53234121785 }
	};

	(void)state;
	check_reference(&ref);
}

static void
three_clients_in_batches_train_as_numpy_does(void **state)
{
	static const struct reference ref = {
		PARAMS("\"optimizer\":\"rmsprop\",\"learning_rate\":0.05,"
		       "\"penalty\":\"L2\",\"alpha\":0.1,\"max_iter\":6,"
		       "\"batch_size\":64,\"aggregate_iters\":2"),
		{ 200, 350 }, 2, 4,
		{ 0.174357261253, 0.176794616992, 0.177011652504,
		    0.176919535787 },
		{ 0.159862678611, 0.163453152375, 0.163766076869,
		    0.163718194086 },
		{ -0.585090347382, -0.394822622608, -0.560395087272,
		    -0.522823729439, -0.216210178698, -0.198397638836,
		    -0.284154211285, -0.466798241619, -0.211676159929,
		    -0.0324863014395, 0.644875993719 }
	};

	(void)state;
	check_reference(&ref);
}

static void
adam_and_l1_train_as_numpy_does(void **state)
{
	static const struct reference ref = {
		PARAMS("\"optimizer\":\"adam\",\"learning_rate\":0.1,"
		       "\"penalty\":\"L1\",\"alpha\":0.02,\"max_iter\":5,"
		       "\"batch_size\":100,\"aggregate_iters\":3"),
		{ 200, 350 }, 2, 2, { 0.224191360964, 0.165692621573 },
		{ 0.204326411426, 0.13976562713 },
		{ -0.610792527482, -0.578282319637, -0.602453371682,
		    -0.605216136939, -0.435118740872, -0.448154619482,
		    -0.498352247334, -0.565648826396, -0.418015191737,
		    -0.231897029697, 0.697118080262 }
	};

	(void)state;
	check_reference(&ref);
}

/* --- averages and what the arbiter sees ------------------------------------------------- */

static void
averaged_weights_are_the_plain_average(void **state)
{
	static const char *const seeded[3] = {
		"{\"max_iter\":1,\"init_param\":{\"random_seed\":1}}",
		"{\"max_iter\":1,\"init_param\":{\"random_seed\":2}}",
		"{\"max_iter\":1,\"init_param\":{\"random_seed\":3}}"
	};
	static const size_t cuts[2] = { 100, 400 };
	double want[WEIGHTS] = { 0 }, got[WEIGHTS];
	struct loopback *lb = loopback_new("HomoLR", "homo_lr_0");
	struct member *m[4];
	struct rng g;
	const void *p;
	size_t i, k, size;

	(void)state;
	m[0] = loopback_add(lb, "guest", "9999", seeded[0]);
	m[1] = loopback_add(lb, "arbiter", "10001", seeded[0]);
	m[2] = loopback_add(lb, "host", "10000", seeded[1]);
	m[3] = loopback_add(lb, "host", "10001", seeded[2]);
	deal(lb, m, cuts, 2);
	run_well(lb, m, 4);
	for (k = 1; k <= 3; k++)
		for (rng_seed(&g, (uint32_t)k), i = 0; i < WEIGHTS; i++)
			want[i] += rng_uniform(&g) / 3;
	p = loopback_sent_bytes(m[1], "aggregated_model", "0", &size);
	assert_non_null(p);
	assert_int_equal(lr_get_numbers(p, size, WEIGHTS, got), 0);
	/* Three roundings of half a unit each, and the doubles' own. */
	for (i = 0; i < WEIGHTS; i++)
		assert_near(got[i], want[i], 1.6 * ldexp(1, -HOMO_FRAC));
	loopback_free(lb);
}

static void
masked_vector(struct member *m, const char *name, const char *tag, uint64_t *v)
{
	size_t size;
	const void *p = loopback_sent_bytes(m, name, tag, &size);

	assert_non_null(p);
	assert_int_equal(ring_get(p, size, WEIGHTS + 1, HOMO_FRAC, v), 0);
}

static unsigned
bits_apart(const uint64_t *a, const uint64_t *b, size_t n)
{
	unsigned bits = 0;
	size_t i;

	for (i = 0; i < n; i++)
		bits += (unsigned)__builtin_popcountll(a[i] ^ b[i]);
	return bits;
}

/*
 * A learning rate of zero leaves the weights alone, so that the same numbers
 * are sent in rounds 1 and 2; at first, ones of two clients are one half each.
 * Of 768 random bits, fewer than 284 or more than 484 differ once in 10^12.
 */
static void
the_arbiter_sees_single_models_masked(void **state)
{
	static const size_t cuts[1] = { 300 };
	uint64_t plain[WEIGHTS + 1], v[3][WEIGHTS + 1], other[WEIGHTS + 1];
	struct member *m[3];
	struct loopback *lb = members("{\"max_iter\":2,\"learning_rate\":0,"
				      "\"penalty\":null,\"early_stop\":"
				      "\"abs\",\"tol\":0,\"init_param\":"
				      "{\"init_method\":\"ones\"}}",
	    1, m);
	size_t i, j;

	(void)state;
	deal(lb, m, cuts, 1);
	run_well(lb, m, 3);
	for (i = 0; i < WEIGHTS; i++)
		assert_int_equal(
		    ring_encode(0.5, HOMO_FRAC, HOMO_BITS, &plain[i]), 0);
	plain[WEIGHTS] = 1;
	masked_vector(m[0], "guest_model", "0", v[0]);
	masked_vector(m[0], "guest_model", "1", v[1]);
	masked_vector(m[0], "guest_model", "2", v[2]);
	masked_vector(m[2], "host_model", "0", other);
	for (i = 0; i < 3; i++) {
		assert_in_range(bits_apart(v[i], plain, WEIGHTS + 1), 284, 484);
		for (j = 0; j < i; j++)
			assert_in_range(
			    bits_apart(v[i], v[j], WEIGHTS + 1), 284, 484);
	}
	/* And yet they add up: one half and one half. */
	for (i = 0; i < WEIGHTS; i++)
		assert_true(ring_decode(v[0][i] + other[i], HOMO_FRAC) == 1);
	assert_true(v[0][WEIGHTS] + other[WEIGHTS] == 2);
	loopback_free(lb);
}

/* --- when to stop ------------------------------------------------------------------------- */

#define SGD(more)                                                              \
	"{\"optimizer\":\"sgd\",\"learning_rate\":0.5,\"penalty\":\"L2\","     \
	"\"alpha\":0.01,\"init_param\":{\"init_method\":\"zeros\"}," more "}"

static void
check_stop(const char *params, size_t n_losses, bool is_converged)
{
	static const size_t cuts[1] = { 350 };
	struct member *m[3];
	struct loopback *lb = members(params, 1, m);
	size_t i;

	deal(lb, m, cuts, 1);
	run_well(lb, m, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(series_length(m[i]), n_losses);
		assert_int_equal(json_get_bool(loopback_summary(m[i]),
				     "is_converged", !is_converged),
		    is_converged);
	}
	loopback_free(lb);
}

static void
each_client_looks_at_the_model_by_its_own_rows(void **state)
{
	static const size_t cuts[1] = { 300 };
	struct member *m[3];
	struct loopback *lb =
	    members(SGD("\"max_iter\":4,\"validation_freqs\":2"), 1, m);
	struct json_object *auc;
	size_t i;

	(void)state;
	deal(lb, m, cuts, 1);
	run_well(lb, m, 3);
	for (i = 0; i < 3; i += 2) {
		auc = json_get(json_get(json_get(loopback_summary(m[i]),
					    "validation_metrics"),
				   "train"),
		    "auc");
		assert_int_equal(json_object_array_length(auc), 2);
		assert_true(json_object_get_double(
				json_object_array_get_idx(auc, 1)) > 0.9);
	}
	assert_non_null(loopback_metric(m[0], "train", "iteration_3"));
	assert_null(loopback_metric(m[1], "train", "iteration_3"));
	loopback_free(lb);
}

/* Losses as in the first reference: 0.661, 0.352, 0.301, 0.275, ... */
static void
training_stops_as_early_stop_says(void **state)
{
	(void)state;
	check_stop(SGD("\"max_iter\":9,\"tol\":0.03"), 4, true);
	check_stop(SGD("\"max_iter\":9,\"early_stop\":\"abs\",\"tol\":0.302"),
	    3, true);
	check_stop(
	    SGD("\"max_iter\":9,\"early_stop\":\"weight_diff\",\"tol\":9"), 2,
	    true);
	check_stop(SGD("\"max_iter\":2,\"tol\":1e-9"), 3, false);
}

/* --- models and predictions -------------------------------------------------------------- */

static void
check_model(struct member *m, const char *first, unsigned iters)
{
	const struct task_buffer *b;
	Sluice__Lr__LRModelParam *p;
	Sluice__Lr__LRModelMeta *meta;

	b = loopback_model_buffer(m, "HomoLogisticRegressionParam");
	assert_non_null(b);
	assert_string_equal(b->message, "LRModelParam");
	p = sluice__lr__lrmodel_param__unpack(NULL, b->size, b->content);
	assert_non_null(p);
	assert_int_equal(p->n_header, COLS);
	assert_string_equal(p->header[0], first);
	assert_int_equal(p->n_weight, COLS);
	assert_int_equal(p->iters, iters);
	assert_int_equal(p->n_loss_history, iters + 1);
	sluice__lr__lrmodel_param__free_unpacked(p, NULL);
	b = loopback_model_buffer(m, "HomoLogisticRegressionMeta");
	assert_non_null(b);
	meta = sluice__lr__lrmodel_meta__unpack(NULL, b->size, b->content);
	assert_non_null(meta);
	assert_string_equal(meta->module, "HomoLR");
	assert_int_equal(meta->re_encrypt_batches, 2);
	assert_true(meta->fit_intercept);
	sluice__lr__lrmodel_meta__free_unpacked(meta, NULL);
}

static void
assert_predictions(
    struct member *m, size_t from, size_t n, uint64_t first, const char *type)
{
	struct json_object *s = loopback_summary(m), *coef;
	struct table *t = loopback_output(m, 0);
	struct table_cursor *cur;
	struct row row;
	char name[8];
	double z;
	size_t i, j;

	coef = json_get(s, "coef");
	assert_non_null(t);
	assert_int_equal(table_scan(t, first, first + n, &cur), 0);
	for (i = from; i < from + n; i++) {
		assert_int_equal(cursor_next(cur, &row), 1);
		z = json_get_double(s, "intercept", NAN);
		for (j = 0; j < COLS; j++) {
			snprintf(name, sizeof(name), "x%zu", j);
			z += json_get_double(coef, name, NAN) * rows->x[i][j];
		}
		assert_near(row.score, 1 / (1 + exp(-z)), 1e-12);
		assert_true(row.result == (row.score > 0.5));
		assert_true(row.label == rows->y[i]);
		assert_int_equal(row.type.len, strlen(type));
		assert_memory_equal(row.type.data, type, row.type.len);
	}
	cursor_free(cur);
}

static void
every_client_has_its_rows_and_the_common_model(void **state)
{
	static const size_t cuts[1] = { 350 };
	struct member *m[3], *k[3];
	struct loopback *lb = members(SGD("\"max_iter\":3"), 1, m), *again;
	size_t i;

	(void)state;
	deal(lb, m, cuts, 1);
	give(lb, m[0], "validate_data", 400, 420, COLS);
	give(lb, m[2], "validate_data", 10, 25, COLS);
	run_well(lb, m, 3);
	assert_int_equal(table_count(loopback_output(m[0], 0)), 370);
	assert_int_equal(table_count(loopback_output(m[2], 0)), 234);
	assert_null(loopback_output(m[1], 0));
	assert_predictions(m[0], 0, 350, 0, "train");
	assert_predictions(m[0], 400, 20, 350, "validate");
	assert_predictions(m[2], 350, 219, 0, "train");
	assert_predictions(m[2], 10, 15, 219, "validate");
	for (i = 0; i < 3; i++)
		check_model(m[i], "x0", 3);
	assert_string_equal(json_get_str(loopback_meta(m[1], "train", "loss"),
				"metric_type", ""),
	    "LOSS");

	again = members(SGD("\"max_iter\":3"), 1, k);
	for (i = 0; i < 3; i++)
		loopback_model(k[i], TASK_MODEL, m[i]);
	give(again, k[0], "test_data", 0, 9, COLS);
	give(again, k[2], "test_data", 9, 12, COLS);
	run_well(again, k, 3);
	assert_int_equal(table_count(loopback_output(k[0], 0)), 9);
	assert_int_equal(table_count(loopback_output(k[2], 0)), 3);
	assert_null(
	    loopback_sent_bytes(k[2], "dh_ciphertext_host", "keys", &i));
	loopback_free(again);
	loopback_free(lb);
}

/* Plain steps have no memory: 2 + 3 iterations are 5. */
static void
a_warm_start_goes_on_from_the_model(void **state)
{
	static const size_t cuts[1] = { 350 };
	static const double want[WEIGHTS] = { -0.345013121904, -0.206485012147,
		-0.343547593613, -0.321434294775, -0.164931879996,
		-0.215511952473, -0.25415190411, -0.33097474237,
		-0.159240726312, -0.0953132312502, 0.53234121785 };
	struct member *m[3], *k[3];
	struct loopback *lb = members(SGD("\"max_iter\":2,\"tol\":0"), 1, m);
	struct loopback *again = members(SGD("\"max_iter\":5,\"tol\":0"), 1, k);
	size_t i;

	(void)state;
	deal(lb, m, cuts, 1);
	run_well(lb, m, 3);
	for (i = 0; i < 3; i++)
		loopback_model(k[i], TASK_MODEL, m[i]);
	deal(again, k, cuts, 1);
	run_well(again, k, 3);
	assert_weights(k[0], want, EPS);
	assert_weights(k[1], want, EPS);
	assert_weights(k[2], want, EPS);
	loopback_free(again);
	loopback_free(lb);
}

/* --- refusals ------------------------------------------------------------------------------- */

static bool
somebody_says(struct member *m[], size_t n, const char *text)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strstr(loopback_error(m[i]), text) != NULL)
			return true;
	return false;
}

static void
expect(const char *params, int code, const char *text)
{
	static const size_t cuts[1] = { 350 };
	struct member *m[3];
	struct loopback *lb = members(params, 1, m);

	deal(lb, m, cuts, 1);
	assert_int_equal(loopback_run(lb), code);
	if (!somebody_says(m, 3, text))
		fail_msg("\"%s\" does not say %s", loopback_error(m[0]), text);
	loopback_free(lb);
}

static void
what_cannot_be_learned_is_refused(void **state)
{
	double x = rows->x[3][4];

	(void)state;
	expect("{\"encrypt_param\":{\"method\":\"Paillier\"}}", ERR_UNSUPPORTED,
	    "Paillier");
	expect("{\"use_proximal\":true}", ERR_UNSUPPORTED, "use_proximal");
	expect("{\"optimizer\":\"sqn\"}", ERR_UNSUPPORTED, "sqn");
	expect("{\"batch_size\":5}", ERR_INVALID, "batch_size");
	expect("{\"aggregate_iters\":0}", ERR_INVALID, "aggregate_iters");
	rows->x[3][4] = NAN;
	expect("{}", ERR_FORMAT, "row 4 has no value for x4");
	rows->x[3][4] = 2e8;
	expect("{}", ERR_LIMIT, "normalise");
	rows->x[3][4] = x;
	expect(SGD("\"max_iter\":30,\"alpha\":0,\"decay\":0,"
		   "\"learning_rate\":1e10"),
	    ERR_LIMIT, "beyond 1e+08");
}

static void
clients_that_differ_are_named(void **state)
{
	static const char *const other[2] = { "{\"max_iter\":3}",
		"{\"max_iter\":4}" };
	struct member *m[3];
	struct loopback *lb = members("{}", 1, m);

	(void)state;
	give(lb, m[0], "train_data", 0, 300, COLS);
	give(lb, m[2], "train_data", 300, ROWS, COLS - 1);
	assert_int_equal(loopback_run(lb), ERR_CONFLICT);
	assert_true(somebody_says(m, 3, "has other columns"));
	loopback_free(lb);

	lb = loopback_new("HomoLR", "homo_lr_0");
	m[0] = loopback_add(lb, "guest", "9999", other[0]);
	m[1] = loopback_add(lb, "arbiter", "10000", other[0]);
	m[2] = loopback_add(lb, "host", "10000", other[1]);
	give(lb, m[0], "train_data", 0, 300, COLS);
	give(lb, m[2], "train_data", 300, ROWS, COLS);
	assert_int_equal(loopback_run(lb), ERR_CONFLICT);
	assert_true(somebody_says(m, 3, "max_iter"));
	loopback_free(lb);
}

static void
other_labels_at_a_client_are_named(void **state)
{
	struct member *m[3];
	struct loopback *lb = members("{}", 1, m);
	size_t i;

	(void)state;
	for (i = 300; i < ROWS; i++)
		rows->y[i] -= rows->y[i] == 0 ? 1 : 0;
	give(lb, m[0], "train_data", 0, 300, COLS);
	give(lb, m[2], "train_data", 300, ROWS, COLS);
	assert_int_equal(loopback_run(lb), ERR_CONFLICT);
	assert_true(somebody_says(m, 3, "has other labels"));
	loopback_free(lb);
	for (i = 300; i < ROWS; i++)
		rows->y[i] += rows->y[i] < 0 ? 1 : 0;
}

/* --- several classes and folds -------------------------------------------------------- */

/* Rows of the third class are those far out in the first column. */
static void
three_classes(double *kept)
{
	size_t i;

	memcpy(kept, rows->y, ROWS * sizeof(*kept));
	for (i = 0; i < ROWS; i++)
		if (rows->x[i][0] > 0.5)
			rows->y[i] = 2;
}

static size_t
count_hits(struct member *m, size_t *n)
{
	struct table *t = loopback_output(m, 0);
	struct table_cursor *cur;
	struct row row;
	size_t hits = 0;

	*n = 0;
	assert_int_equal(table_scan(t, 0, UINT64_MAX, &cur), 0);
	while (cursor_next(cur, &row) == 1) {
		hits += row.result == row.label;
		(*n)++;
	}
	cursor_free(cur);
	return hits;
}

/* A column of amounts, say, that was taken for the label. */
static void
many_classes_are_warned_of(void **state)
{
	static const size_t cuts[1] = { 300 };
	double kept[ROWS];
	struct member *m[3];
	size_t n, i;

	(void)state;
	memcpy(kept, rows->y, sizeof(kept));
	for (n = LR_CLASSES_USUAL; n <= LR_CLASSES_USUAL + 1; n++) {
		struct loopback *lb = members(SGD("\"max_iter\":1"), 1, m);

		for (i = 0; i < ROWS; i++)
			rows->y[i] = (double)(i % n);
		deal(lb, m, cuts, 1);
		run_well(lb, m, 3);
		assert_int_equal(strstr(loopback_log(m[0]),
				     "warn the label has 21 ") != NULL,
		    n > LR_CLASSES_USUAL);
		loopback_free(lb);
	}
	memcpy(rows->y, kept, sizeof(kept));
}

static void
several_classes_are_averaged_each_for_itself(void **state)
{
	static const size_t cuts[1] = { 300 };
	double kept[ROWS];
	struct member *m[3];
	struct loopback *lb = members(SGD("\"max_iter\":30"), 1, m);
	struct json_object *coef[3];
	size_t i, n;

	(void)state;
	three_classes(kept);
	deal(lb, m, cuts, 1);
	run_well(lb, m, 3);
	for (i = 0; i < 3; i++) {
		assert_non_null(loopback_metric(m[i], "train", "loss.m2"));
		coef[i] =
		    json_get(json_get(loopback_summary(m[i]), "2"), "coef");
		assert_non_null(coef[i]);
	}
	/* The model is common to all clients, and it is a good one. */
	assert_true(json_object_equal(coef[0], coef[2]));
	assert_true(count_hits(m[0], &n) > n * 8 / 10);
	assert_int_equal(n, 300);
	assert_true(count_hits(m[2], &n) > n * 8 / 10);
	loopback_free(lb);
	memcpy(rows->y, kept, sizeof(kept));
}

static void
each_client_cuts_its_own_rows_into_folds(void **state)
{
	static const size_t cuts[1] = { 300 };
	struct member *m[3];
	struct loopback *lb =
	    members(SGD("\"max_iter\":5,\"cv_param\":{\"need_cv\":true,"
			"\"n_splits\":3}"),
		1, m);
	size_t i, n;

	(void)state;
	deal(lb, m, cuts, 1);
	run_well(lb, m, 3);
	for (i = 0; i < 3; i++) {
		assert_non_null(strstr(loopback_log(m[i]),
		    "info f2.iteration 0 of at most 5 is done\n"));
		assert_true(loopback_progress(m[i], &n) > 2.0 / 3);
	}
	for (i = 0; i < 3; i += 2) {
		assert_true(
		    json_get_double(
			json_get(json_get(loopback_summary(m[i]), "fold_1"),
			    "validate"),
			"auc", 0) > 0.9);
		count_hits(m[i], &n);
		assert_int_equal(n, 3 * (i == 0 ? 300 : ROWS - 300));
	}
	loopback_free(lb);
}

static void
checkpoints_are_kept_by_all_members(void **state)
{
	static const size_t cuts[1] = { 300 };
	struct member *m[3];
	struct loopback *lb =
	    members(SGD("\"max_iter\":4,\"callback_param\":{"
			"\"callbacks\":[\"ModelCheckpoint\"],\"save_freq\":2}"),
		1, m);
	uint64_t step;
	size_t i;

	(void)state;
	deal(lb, m, cuts, 1);
	run_well(lb, m, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(loopback_checkpoints(m[i], &step), 2);
		assert_int_equal(step, 3);
	}
	loopback_free(lb);
}

/* --- members who cheat or leave ------------------------------------------------------------- */

/* Labels as the guest has them. */
static int
tell_classes(struct task *t)
{
	static const double classes[2] = { 0, 1 };
	struct buf b = BUF_INIT;
	int r;

	lr_put_numbers(&b, classes, 2);
	r = task_remote_role(
	    t, "host_classes", "train", "guest", b.data, b.len);
	buf_fini(&b);
	return r;
}

/* Send what the guest says about itself as our own: it cannot object. */
static int
join_as_the_guest_does(struct task *t)
{
	unsigned char hello[4 + MASK_PUBLIC + SECAGG_NOTE] = { 1 };
	struct mask *mask = mask_new(1, 2, "another task");
	struct object o = { 0 };
	int r;

	if ((r = tell_classes(t)) == 0 &&
	    (r = task_get(t, "dh_ciphertext_guest", "keys", "guest", 0, &o)) ==
		0) {
		memcpy(hello, o.data, sizeof(hello));
		memcpy(hello + 4, mask_public(mask), MASK_PUBLIC);
		r = task_remote_role(t, "dh_ciphertext_host", "keys", "guest",
		    hello, sizeof(hello));
	}
	object_free(&o);
	mask_free(mask);
	return r;
}

static int
send_vector(
    struct task *t, const char *name, const char *tag, size_t n, unsigned frac)
{
	uint64_t *v = xcalloc(n, sizeof(*v));
	struct buf b = BUF_INIT;
	int r;

	v[n - 1] = 1;
	ring_put(&b, v, n, frac);
	r = lr_send(t, name, tag, "arbiter", 0, &b);
	buf_fini(&b);
	free(v);
	return r;
}

/* Wait for what never comes: the others end first. */
static int
wait_for_the_end(struct task *t)
{
	struct object o = { 0 };
	int r = task_get(t, "guest_model", "never", "guest", 0, &o);

	object_free(&o);
	return r;
}

static int
host_without_masks(struct task *t)
{
	int r;

	if ((r = join_as_the_guest_does(t)) == 0 &&
	    (r = send_vector(t, "host_party_weight", "rows", 2, 0)) == 0)
		r = wait_for_the_end(t);
	return r;
}

static int
host_with_long_vectors(struct task *t)
{
	int r;

	if ((r = join_as_the_guest_does(t)) == 0 &&
	    (r = send_vector(t, "host_party_weight", "rows", 3, 0)) == 0)
		r = wait_for_the_end(t);
	return r;
}

static int
host_with_garbage(struct task *t)
{
	struct buf b = BUF_INIT;
	int r;

	if ((r = join_as_the_guest_does(t)) != 0)
		return r;
	buf_puts(&b, "twenty-eight bytes of nothing");
	b.len = 28;
	if ((r = lr_send(t, "host_party_weight", "rows", "arbiter", 0, &b)) ==
	    0)
		r = wait_for_the_end(t);
	buf_fini(&b);
	return r;
}

static int
host_without_a_key(struct task *t)
{
	unsigned char hello[4 + MASK_PUBLIC + SECAGG_NOTE] = { 1 };
	int r;

	if ((r = tell_classes(t)) == 0)
		r = task_remote_role(t, "dh_ciphertext_host", "keys", "guest",
		    hello, sizeof(hello));
	return r != 0 ? r : wait_for_the_end(t);
}

static int
host_that_leaves(struct task *t)
{
	int r = join_as_the_guest_does(t);

	return r != 0 ? r : err_set(ERR_IO, "the disk is gone");
}

static void
expect_of_host(
    int (*host)(struct task *), int code, size_t victim, const char *text)
{
	struct member *m[3];
	struct loopback *lb = members("{\"max_iter\":3}", 1, m);

	give(lb, m[0], "train_data", 0, 300, COLS);
	loopback_behave(m[2], host);
	assert_int_equal(loopback_run(lb), code);
	if (strstr(loopback_error(m[victim]), text) == NULL)
		fail_msg(
		    "\"%s\" does not say %s", loopback_error(m[victim]), text);
	loopback_free(lb);
}

static void
hosts_that_cheat_are_found_out(void **state)
{
	(void)state;
	expect_of_host(host_without_masks, ERR_CONFLICT, 1, "do not cancel");
	expect_of_host(host_with_long_vectors, ERR_LIMIT, 1,
	    "host_party_weight of host 10000");
	expect_of_host(host_with_garbage, ERR_FORMAT, 1,
	    "host_party_weight from host 10000");
	expect_of_host(host_without_a_key, ERR_FORMAT, 0, "key of host 10000");
}

static void
without_one_member_there_is_no_sum(void **state)
{
	(void)state;
	/* Whose vector the arbiter waits for then is a matter of timing. */
	expect_of_host(
	    host_that_leaves, ERR_IO, 1, "without which there is no sum");
	expect_of_host(host_that_leaves, ERR_IO, 2, "the disk is gone");
}

static double arbiter_says[WEIGHTS + 1];
static size_t arbiter_count;

static int
arbiter_that_lies(struct task *t)
{
	struct buf b = BUF_INIT;
	int r;

	lr_put_numbers(&b, arbiter_says, arbiter_count);
	if ((r = task_remote_role(
		 t, "aggregated_model", "rows", "guest", b.data, b.len)) == 0 &&
	    (r = task_remote_role(
		 t, "aggregated_model", "rows", "host", b.data, b.len)) == 0)
		r = wait_for_the_end(t);
	buf_fini(&b);
	return r;
}

static void
expect_of_arbiter(double says, size_t count, int code, const char *text)
{
	static const size_t cuts[1] = { 300 };
	struct member *m[3];
	struct loopback *lb = members("{\"max_iter\":3}", 1, m);

	deal(lb, m, cuts, 1);
	loopback_behave(m[1], arbiter_that_lies);
	arbiter_says[0] = says;
	arbiter_count = count;
	assert_int_equal(loopback_run(lb), code);
	if (!somebody_says(m, 3, text))
		fail_msg("\"%s\" does not say %s", loopback_error(m[0]), text);
	loopback_free(lb);
}

static void
arbiters_that_lie_are_found_out(void **state)
{
	(void)state;
	expect_of_arbiter(NAN, 1, ERR_FORMAT, "not finite");
	expect_of_arbiter(INFINITY, 1, ERR_FORMAT, "not finite");
	expect_of_arbiter(12, 1, ERR_FORMAT, "we alone have");
	expect_of_arbiter(600, 2, ERR_LIMIT, "aggregated_model");
	expect_of_arbiter(600, 0, ERR_FORMAT, "aggregated_model from arbiter");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masks_of_all_members_cancel),
		cmocka_unit_test(masks_of_another_task_do_not_cancel),
		cmocka_unit_test(a_round_has_its_masks_once_and_from_all),
		cmocka_unit_test(keys_without_a_secret_are_refused),
		cmocka_unit_test(two_clients_train_as_numpy_does),
		cmocka_unit_test(three_clients_in_batches_train_as_numpy_does),
		cmocka_unit_test(adam_and_l1_train_as_numpy_does),
		cmocka_unit_test(averaged_weights_are_the_plain_average),
		cmocka_unit_test(the_arbiter_sees_single_models_masked),
		cmocka_unit_test(training_stops_as_early_stop_says),
		cmocka_unit_test(
		    each_client_looks_at_the_model_by_its_own_rows),
		cmocka_unit_test(
		    every_client_has_its_rows_and_the_common_model),
		cmocka_unit_test(a_warm_start_goes_on_from_the_model),
		cmocka_unit_test(what_cannot_be_learned_is_refused),
		cmocka_unit_test(clients_that_differ_are_named),
		cmocka_unit_test(other_labels_at_a_client_are_named),
		cmocka_unit_test(several_classes_are_averaged_each_for_itself),
		cmocka_unit_test(many_classes_are_warned_of),
		cmocka_unit_test(each_client_cuts_its_own_rows_into_folds),
		cmocka_unit_test(checkpoints_are_kept_by_all_members),
		cmocka_unit_test(hosts_that_cheat_are_found_out),
		cmocka_unit_test(without_one_member_there_is_no_sum),
		cmocka_unit_test(arbiters_that_lie_are_found_out),
	};

	return cmocka_run_group_tests(tests, read_rows, free_rows);
}
