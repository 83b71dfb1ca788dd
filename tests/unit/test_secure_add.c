/*
 * Additive shares modulo 2^64, their messages, and the component that shows
 * a federation at work with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/ring_wire.h"
#include "executor/math/ring.h"
#include "lib/base/err.h"
#include "tests/lib/loopback.h"

/* --- numbers ---------------------------------------------------------------- */

static void
numbers_come_back_from_the_ring(void **state)
{
	static const double x[] = { 0, 1, -1, 0.5, -1e6, 123456.789 };
	uint64_t v, w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(x) / sizeof(x[0]); i++) {
		assert_int_equal(ring_encode(x[i], 30, 60, &v), 0);
		assert_true(fabs(ring_decode(v, 30) - x[i]) <= ldexp(1, -31));
	}
	assert_int_equal(ring_encode(-2.25, 8, 20, &v), 0);
	assert_int_equal(ring_encode(1.75, 8, 20, &w), 0);
	assert_true(ring_decode(v + w, 8) == -0.5);
}

static void
what_does_not_fit_the_ring_is_refused(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(ring_encode(NAN, 8, 63, &v), ERR_LIMIT);
	assert_int_equal(ring_encode(INFINITY, 8, 63, &v), ERR_LIMIT);
	assert_int_equal(ring_encode(-INFINITY, 8, 63, &v), ERR_LIMIT);
	assert_int_equal(ring_encode(4, 8, 10, &v), ERR_LIMIT);
	assert_int_equal(ring_encode(3.99, 8, 10, &v), 0);
	assert_int_equal(ring_encode(-4, 8, 10, &v), ERR_LIMIT);
}

static void
vectors_are_read_only_whole(void **state)
{
	static const uint64_t v[3] = { 1, UINT64_MAX, 1ULL << 40 };
	uint64_t got[3];
	struct buf b = BUF_INIT;
	size_t i, n;

	(void)state;
	ring_put(&b, v, 3, 32);
	assert_int_equal(b.len, RING_WIRE_SIZE(3));
	assert_int_equal(ring_get(b.data, b.len, 3, 32, got), 0);
	assert_memory_equal(got, v, sizeof(v));
	assert_int_equal(ring_get(b.data, b.len, 2, 32, got), ERR_FORMAT);
	assert_int_equal(ring_get(b.data, b.len, 3, 31, got), ERR_FORMAT);
	for (i = 0; i < b.len; i++)
		assert_int_equal(ring_get(b.data, i, 3, 32, got), ERR_FORMAT);
	memset(b.data + 4, 0xff, 4);
	assert_int_equal(ring_count(b.data, b.len, &n), ERR_FORMAT);
	buf_fini(&b);
}

/* --- the component ------------------------------------------------------------ */

static struct loopback *
two(const char *guest, const char *host, struct member *m[2])
{
	struct loopback *lb =
	    loopback_new("SecureAddExample", "secure_add_example_0");

	m[0] = loopback_add(lb, "guest", "9999", guest);
	m[1] = loopback_add(lb, "host", "10000", host);
	return lb;
}

static void
a_thousand_ones_of_each_make_two_thousand(void **state)
{
	struct member *m[2];
	struct loopback *lb = two("{\"seed\":123}", "{\"seed\":321}", m);
	const char *log;

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	log = loopback_log(m[0]);
	assert_non_null(strstr(log, "info secure_add_guest: host sum is "));
	assert_non_null(strstr(log, "info secure_add_guest: guest sum is "));
	assert_non_null(
	    strstr(log, "secure_add_guest: Secure Add Result is 2000.0000\n"));
	assert_null(strstr(loopback_log(m[1]), "Result"));
	loopback_free(lb);
}

/* The share that leaves a site is not near its numbers, nor seeded. */
static void
shares_look_random_and_differ_between_runs(void **state)
{
	struct member *m[2][2];
	struct loopback *lb[2];
	uint64_t v[2][100];
	const void *p;
	size_t i, size, high = 0, equal = 0;

	(void)state;
	for (i = 0; i < 2; i++) {
		lb[i] = two("{\"seed\":1,\"data_num\":100}",
		    "{\"data_num\":100}", m[i]);
		assert_int_equal(loopback_run(lb[i]), 0);
		p = loopback_sent_bytes(m[i][0], "guest_share", "0", &size);
		assert_int_equal(ring_get(p, size, 100, 32, v[i]), 0);
		assert_non_null(
		    strstr(loopback_log(m[i][0]), "Result is 200.0000\n"));
	}
	for (i = 0; i < 100; i++) {
		high += v[0][i] >> 63;
		equal += v[0][i] == v[1][i];
	}
	/* One in 10^15 runs is further off than this. */
	assert_in_range(high, 10, 90);
	assert_int_equal(equal, 0);
	loopback_free(lb[0]);
	loopback_free(lb[1]);
}

/* Either side may be the first to look: what it says is all that users see. */
static void
other_counts_at_the_partner_are_named_by_whoever_looks_first(void **state)
{
	struct member *m[2];
	struct loopback *lb = two("{\"data_num\":100}", "{\"data_num\":99}", m);
	size_t i, named = 0;
	const char *text;

	(void)state;
	assert_true(loopback_run(lb) != 0);
	for (i = 0; i < 2; i++) {
		text = loopback_error(m[i]);
		if (strstr(text, "_share") == NULL)
			continue; /* ended by the other */
		assert_non_null(strstr(text, "data_num"));
		named++;
	}
	assert_true(named > 0);
	loopback_free(lb);
}

static void
a_count_of_nothing_is_refused(void **state)
{
	struct member *m[2];
	struct loopback *lb = two("{\"data_num\":0}", "{}", m);

	(void)state;
	assert_int_equal(loopback_run(lb), ERR_INVALID);
	assert_non_null(strstr(loopback_error(m[0]), "data_num"));
	loopback_free(lb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_come_back_from_the_ring),
		cmocka_unit_test(what_does_not_fit_the_ring_is_refused),
		cmocka_unit_test(vectors_are_read_only_whole),
		cmocka_unit_test(a_thousand_ones_of_each_make_two_thousand),
		cmocka_unit_test(shares_look_random_and_differ_between_runs),
		cmocka_unit_test(
		    other_counts_at_the_partner_are_named_by_whoever_looks_first),
		cmocka_unit_test(a_count_of_nothing_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
