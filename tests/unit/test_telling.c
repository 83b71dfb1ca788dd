/*
 * What is told to initiators, and how it rests when they are in trouble.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "supervisor/partners.h"
#include "supervisor/telling.h"

/* More than there are buckets. */
#define MANY 3000
/* Rests begin this far from each other. */
#define PACE_MS 20
#define PACED 30

struct fixture {
	struct loop *loop;
	struct tellings tellings;
	struct loop_timer *pace;
	struct telling *paced[PACED];
	size_t n;	    /* those that rest */
	int64_t last_ms;    /* when the last one's rest began */
	size_t looks, over; /* those that no rest kept from a look */
};

static const char *
key_of(size_t i)
{
	static char key[40];

	(void)snprintf(key, sizeof(key), "202601010000000000001 %zu", i);
	return key;
}

/* A look tells again what does not rest, and is heard. */
static void
look(void *ctx)
{
	struct fixture *f = ctx;

	f->looks++;
	for (size_t i = 0; i < f->n; i++)
		if (f->paced[i] != NULL &&
		    !tellings_has(&f->tellings, key_of(i))) {
			f->over++;
			f->paced[i] = NULL;
			telling_drop(tellings_add(
			    &f->tellings, key_of(i), sizeof(struct telling)));
		}
}

static void
rest_next(void *ctx)
{
	static const struct partner_reply trouble = { .status = 500 };
	struct fixture *f = ctx;

	assert_true(telling_rests(f->paced[f->n++], &trouble));
	f->last_ms = clock_mono_ms();
	if (f->n == PACED)
		loop_timer_cancel(f->pace);
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	assert_int_equal(loop_new(&f->loop), 0);
	tellings_init(&f->tellings, f->loop, look, f);
	f->pace = loop_timer_new(f->loop, rest_next, f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	loop_timer_free(f->pace);
	tellings_fini(&f->tellings);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void
rests_end_together_and_cost_one_look(void **state)
{
	struct fixture *f = *state;
	int64_t first, steps;

	for (size_t i = 0; i < PACED; i++)
		f->paced[i] = tellings_add(
		    &f->tellings, key_of(i), sizeof(struct telling));
	first = clock_mono_ms();
	loop_timer_set(f->pace, PACE_MS, PACE_MS);
	while (f->over < PACED)
		assert_int_equal(loop_once(f->loop, 10000), 0);
	/* None ended before its time, and each step had one look. */
	assert_true(clock_mono_ms() - f->last_ms >= TELLING_REST_MIN_MS);
	steps = (f->last_ms - first) / TELLING_STEP_MS + 2;
	assert_in_range(f->looks, 1, (uintmax_t)steps);
}

static void
each_of_many_is_known_by_its_own_key(void **state)
{
	struct fixture *f = *state;
	struct telling *all[MANY];

	for (size_t i = 0; i < MANY; i++) {
		assert_false(tellings_has(&f->tellings, key_of(i)));
		all[i] = tellings_add(
		    &f->tellings, key_of(i), sizeof(struct telling));
	}
	for (size_t i = 0; i < MANY; i += 2)
		telling_drop(all[i]);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(
		    tellings_has(&f->tellings, key_of(i)), i % 2 == 1);
}

static void
the_longest_of_all_rests_is_not_forgotten_for_shorter_ones(void **state)
{
	static const struct partner_reply trouble = { .status = 500 };
	struct fixture *f = *state;
	int64_t began;

	/* The first one's second rest is twice as long as the other's. */
	began = clock_mono_ms();
	f->paced[0] =
	    tellings_add(&f->tellings, key_of(0), sizeof(struct telling));
	assert_true(telling_rests(f->paced[0], &trouble));
	assert_true(telling_rests(f->paced[0], &trouble));
	f->paced[1] =
	    tellings_add(&f->tellings, key_of(1), sizeof(struct telling));
	assert_true(telling_rests(f->paced[1], &trouble));
	f->n = 2;
	while (f->over < 1)
		assert_int_equal(loop_once(f->loop, 10000), 0);
	assert_null(f->paced[1]);
	while (f->over < 2)
		assert_int_equal(loop_once(f->loop, 10000), 0);
	assert_true(clock_mono_ms() - began >= 2 * TELLING_REST_MIN_MS);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(rests_end_together_and_cost_one_look),
		T(each_of_many_is_known_by_its_own_key),
		T(the_longest_of_all_rests_is_not_forgotten_for_shorter_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
