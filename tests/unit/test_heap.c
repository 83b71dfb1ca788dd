/*
 * supervisor/shepherd/heap.h: what a forked process allocates lies behind all
 * that its parent has.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "supervisor/shepherd/heap.h"

#define BLOCKS 2000

static void *blocks[BLOCKS];

static size_t
size_of(size_t i)
{
	return 20 + i * 7919 % 9000;
}

/* Every second one is free. */
static int
make_holes(void **state)
{
	(void)state;
	for (size_t i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(size_of(i));
	for (size_t i = 0; i < BLOCKS; i += 2)
		free(blocks[i]);
	return 0;
}

static int
free_blocks(void **state)
{
	(void)state;
	for (size_t i = 1; i < BLOCKS; i += 2)
		free(blocks[i]);
	return 0;
}

static uintptr_t
highest(void)
{
	uintptr_t end = 0;

	for (size_t i = 1; i < BLOCKS; i += 2)
		if ((uintptr_t)blocks[i] > end)
			end = (uintptr_t)blocks[i];
	return end;
}

/* How many allocations of all sizes lie before END. */
static size_t
count_before(uintptr_t end)
{
	void *more[BLOCKS / 2];
	size_t n = 0;

	for (size_t i = 0; i < BLOCKS / 2; i++) {
		more[i] = malloc(size_of(i * 2));
		n += (uintptr_t)more[i] < end;
	}
	for (size_t i = 0; i < BLOCKS / 2; i++)
		free(more[i]);
	return n;
}

static void
what_is_allocated_with_holes_closed_lies_behind_everything_else(void **state)
{
	(void)state;
	if (mallinfo2().keepcost == 0)
		skip(); /* another malloc(): a sanitizer's */
	heap_close_holes();
	assert_int_equal(count_before(highest()), 0);
	heap_open_holes();
}

static void
holes_that_are_open_again_are_used(void **state)
{
	(void)state;
	if (mallinfo2().keepcost == 0)
		skip();
	heap_close_holes();
	heap_open_holes();
	assert_true(count_before(highest()) > BLOCKS / 4);
}

/* A few of each small size may stay where they are, once. */
static void
closing_again_and_again_takes_hardly_more_memory(void **state)
{
	size_t before = mallinfo2().arena;

	(void)state;
	if (mallinfo2().keepcost == 0)
		skip();
	for (int i = 0; i < 300; i++) {
		heap_close_holes();
		heap_open_holes();
	}
	assert_in_range(mallinfo2().arena, 0, before + (512 << 10));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_is_allocated_with_holes_closed_lies_behind_everything_else),
		cmocka_unit_test(holes_that_are_open_again_are_used),
		cmocka_unit_test(
		    closing_again_and_again_takes_hardly_more_memory),
	};

	return cmocka_run_group_tests(tests, make_holes, free_blocks);
}
