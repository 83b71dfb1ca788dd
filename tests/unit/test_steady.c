/*
 * When leases that ran out mean something.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "supervisor/steady.h"

#define LEASE_MS 5000

/* Looks twice a second, both clocks even, for so long; the last answer. */
static bool
look_for(struct steady *s, int64_t *now, int64_t *db, int64_t ms)
{
	bool is = false;

	for (int64_t t = 0; t < ms; t += 500) {
		*now += 500;
		*db += 500;
		is = steady_note(s, *now, *db, LEASE_MS);
	}
	return is;
}

static void
a_start_waits_for_one_lease(void **state)
{
	struct steady s = { 0 };
	int64_t now = 1000, db = 1700000000000;

	(void)state;
	assert_false(look_for(&s, &now, &db, LEASE_MS));
	assert_true(look_for(&s, &now, &db, 500));
	assert_true(look_for(&s, &now, &db, 60000));
}

static void
a_database_that_was_away_gives_everybody_a_lease(void **state)
{
	struct steady s = { 0 };
	int64_t now = 1000, db = 1700000000000;

	(void)state;
	assert_true(look_for(&s, &now, &db, 2 * LEASE_MS));
	now += 500;
	assert_false(steady_note(&s, now, -1, LEASE_MS));
	db += 1000;
	assert_false(look_for(&s, &now, &db, LEASE_MS));
	assert_true(look_for(&s, &now, &db, 500));
}

static void
a_clock_that_was_set_gives_everybody_a_lease(void **state)
{
	static const int64_t jumps[] = { 3600000, -3600000, 1600, -1600 };

	(void)state;
	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		struct steady s = { 0 };
		int64_t now = 1000, db = 1700000000000;

		assert_true(look_for(&s, &now, &db, 2 * LEASE_MS));
		db += jumps[i];
		assert_false(look_for(&s, &now, &db, LEASE_MS));
		assert_true(look_for(&s, &now, &db, 500));
	}
}

/* Stopped, or on a machine that slept: others could not do their part. */
static void
a_process_that_stood_still_takes_nothing_at_once(void **state)
{
	struct steady s = { 0 };
	int64_t now = 1000, db = 1700000000000;

	(void)state;
	assert_true(look_for(&s, &now, &db, 2 * LEASE_MS));
	now += 2 * STEADY_GAP_MS;
	db += 2 * STEADY_GAP_MS;
	assert_false(look_for(&s, &now, &db, LEASE_MS));
	assert_true(look_for(&s, &now, &db, 500));
}

static void
a_slow_answer_is_no_jump(void **state)
{
	struct steady s = { 0 };
	int64_t now = 1000, db = 1700000000000;

	(void)state;
	assert_true(look_for(&s, &now, &db, 2 * LEASE_MS));
	now += 300;
	assert_true(steady_note(&s, now, db + 900, LEASE_MS));
	now += 1200;
	assert_true(steady_note(&s, now, db + 1500, LEASE_MS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_waits_for_one_lease),
		cmocka_unit_test(
		    a_database_that_was_away_gives_everybody_a_lease),
		cmocka_unit_test(a_clock_that_was_set_gives_everybody_a_lease),
		cmocka_unit_test(
		    a_process_that_stood_still_takes_nothing_at_once),
		cmocka_unit_test(a_slow_answer_is_no_jump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
