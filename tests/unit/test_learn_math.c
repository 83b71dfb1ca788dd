/*
 * Optimisers, random numbers and dense products against numbers that NumPy
 * computed from the same formulas.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/math/dense.h"
#include "executor/math/optimizer.h"
#include "executor/math/rng.h"
#include "lib/base/err.h"

static void
assert_close(double got, double want, double eps)
{
	if (!(fabs(got - want) <= eps))
		fail_msg("%.17g, not %.17g", got, want);
}

static void
uniform_draws_are_those_of_numpy(void **state)
{
	static const double want[4] = { 0.3745401188473625, 0.9507143064099162,
		0.7319939418114051, 0.5986584841970366 };
	struct rng g;
	int i;

	(void)state;
	rng_seed(&g, 42);
	for (i = 0; i < 4; i++)
		assert_close(rng_uniform(&g), want[i], 0);
	/* The normal draws go on in the same stream. */
	assert_close(rng_normal(&g), -0.23415337472333597, 1e-15);
	assert_close(rng_normal(&g), -0.23413695694918055, 1e-15);
	assert_close(rng_normal(&g), 1.5792128155073915, 1e-15);
}

static void
normal_draws_are_those_of_numpy(void **state)
{
	static const double want[4] = { 1.690525703800356, -0.4659373705408328,
		0.0328201636785844, 0.40751628299650783 };
	struct rng g;
	int i;

	(void)state;
	rng_seed(&g, 7);
	for (i = 0; i < 4; i++)
		assert_close(rng_normal(&g), want[i], 1e-15);
}

static void
a_secret_shuffle_keeps_every_item(void **state)
{
	uint32_t v[1000];
	char seen[1000] = { 0 };
	unsigned i, moved = 0;

	(void)state;
	for (i = 0; i < 1000; i++)
		v[i] = i;
	rng_shuffle_secret(v, 1000);
	for (i = 0; i < 1000; i++) {
		assert_true(v[i] < 1000 && !seen[v[i]]);
		seen[v[i]] = 1;
		moved += v[i] != i;
	}
	assert_true(moved > 900);
}

/* Three steps at lr 0.1, decay 0.5, from zero weights. */
static void
check_optimizer(const char *name, const double want[3])
{
	static const double g[3][3] = { { 1, -2, 0.5 }, { 0.3, 0.1, -4 },
		{ -0.2, 0, 2 } };
	struct optimizer_conf conf = { .name = name,
		.learning_rate = 0.1,
		.decay = 0.5,
		.decay_sqrt = true };
	struct optimizer *o;
	double w[3] = { 0 }, step[3];
	unsigned t, i;

	assert_int_equal(optimizer_new(&conf, 3, &o), 0);
	for (t = 0; t < 3; t++) {
		optimizer_step(o, t, g[t], step);
		for (i = 0; i < 3; i++)
			w[i] -= step[i];
	}
	for (i = 0; i < 3; i++)
		assert_close(w[i], want[i], 1e-14);
	optimizer_free(o);
}

static void
optimisers_step_as_numpy_does(void **state)
{
	static const struct {
		const char *name;
		double want[3];
	} all[] = {
		{ "sgd", { -0.11035276180410084, 0.19183503419072276,
			     0.13517727613378094 } },
		{ "nesterov_momentum_sgd",
		    { -0.38341111434433534, 0.6656729426568586,
			0.4444317168747671 } },
		{ "RMSProp", { -1.1013677965326265, 0.9590092276084835,
				 -0.5051056646237579 } },
		{ "adagrad", { -0.1101580435096977, 0.09592260585417871,
				 -0.05040779999750676 } },
		{ "adam", { -0.20729605126638384, 0.1861532098769434,
			      -0.034492519343524645 } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		check_optimizer(all[i].name, all[i].want);
}

static void
rates_decay_with_and_without_root(void **state)
{
	struct optimizer_conf conf = { .name = "sgd",
		.learning_rate = 0.8,
		.decay = 1,
		.decay_sqrt = true };
	struct optimizer *o;

	(void)state;
	assert_int_equal(optimizer_new(&conf, 1, &o), 0);
	assert_close(optimizer_rate(o, 0), 0.8, 0);
	assert_close(optimizer_rate(o, 3), 0.4, 0);
	optimizer_free(o);
	conf.decay_sqrt = false;
	assert_int_equal(optimizer_new(&conf, 1, &o), 0);
	assert_close(optimizer_rate(o, 3), 0.2, 0);
	optimizer_free(o);
}

static void
l1_shrinks_towards_zero_and_stops_there(void **state)
{
	struct optimizer_conf conf = {
		.name = "sgd", .learning_rate = 0.2, .decay_sqrt = true
	};
	struct optimizer *o;
	double w[3] = { 1, -1, 0.05 };

	(void)state;
	assert_int_equal(optimizer_new(&conf, 3, &o), 0);
	optimizer_l1_shrink(o, 3, 2, w, 3); /* by 2 * 0.2 / 2 */
	assert_close(w[0], 0.8, 1e-15);
	assert_close(w[1], -0.8, 1e-15);
	assert_close(w[2], 0, 0);
	optimizer_free(o);
}

static void
unknown_optimisers_are_refused_by_name(void **state)
{
	struct optimizer_conf conf = { .name = "sqn" };
	struct optimizer *o;

	(void)state;
	assert_int_equal(optimizer_new(&conf, 1, &o), ERR_UNSUPPORTED);
	assert_non_null(strstr(err_text(), "sqn"));
	conf.name = "newton";
	assert_int_equal(optimizer_new(&conf, 1, &o), ERR_INVALID);
	assert_non_null(strstr(err_text(), "newton"));
	assert_null(o);
}

static void
products_take_the_picked_rows(void **state)
{
	static const double x[6] = { 1, 2, 3, 4, 5, 6 };
	static const double w[2] = { 10, 1 }, d[2] = { 2, -1 };
	static const uint32_t pick[2] = { 2, 0 };
	struct dense *m;
	double out[3];

	(void)state;
	assert_int_equal(dense_new(3, 2, &m), 0);
	memcpy(m->v, x, sizeof(x));
	dense_times(m, NULL, 3, w, out);
	assert_close(out[0], 12, 0);
	assert_close(out[2], 56, 0);
	dense_times(m, pick, 2, w, out);
	assert_close(out[0], 56, 0);
	assert_close(out[1], 12, 0);
	dense_transposed_times(m, pick, 2, d, out);
	assert_close(out[0], 9, 0);  /* 2 * 5 - 1 */
	assert_close(out[1], 10, 0); /* 2 * 6 - 2 */
	dense_free(m);
	assert_int_equal(dense_new(SIZE_MAX, 2, &m), ERR_NOMEM);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uniform_draws_are_those_of_numpy),
		cmocka_unit_test(normal_draws_are_those_of_numpy),
		cmocka_unit_test(a_secret_shuffle_keeps_every_item),
		cmocka_unit_test(optimisers_step_as_numpy_does),
		cmocka_unit_test(rates_decay_with_and_without_root),
		cmocka_unit_test(l1_shrinks_towards_zero_and_stops_there),
		cmocka_unit_test(unknown_optimisers_are_refused_by_name),
		cmocka_unit_test(products_take_the_picked_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
