/*
 * Holes are closed by allocating them: what is free is given out before the
 * heap's end is, from which one sees when there is nothing left.
 */
#include "supervisor/shepherd/heap.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "lib/base/mem.h"

/* From the largest pieces to the smallest that the allocator makes. */
#define LARGEST ((size_t)64 << 10)
#define SMALL ((size_t)1280) /* up to that each thread keeps some of a size */
#define STEP 16

struct hole {
	STAILQ_ENTRY(hole) link;
};

static STAILQ_HEAD(hole_list, hole) holes = STAILQ_HEAD_INITIALIZER(holes);

struct end {
	uintptr_t at; /* where the last free piece begins; 0: not known */
	size_t room;  /* no holes can be larger than all before it */
};

/*
 * Small pieces that were freed before the last one join it when something
 * large is asked for.  Only the GNU C library says where that is; with another
 * allocator in its place it says 0.
 */
static struct end
find_end(void)
{
	struct end e = { 0, 0 };
#ifdef __GLIBC__
	void *volatile large = xmalloc(LARGEST); /* not optimised away */
	struct mallinfo2 info;

	free(large);
	info = mallinfo2();
	if (info.keepcost != 0) {
		e.at = (uintptr_t)sbrk(0) - info.keepcost;
		e.room = info.arena;
	}
#endif
	return e;
}

/*
 * A small piece of the end is a hole, too: it would not join the end again if
 * it was freed at once, before those that the thread keeps of its size.
 */
static void
close_all_of(size_t size, struct end *end)
{
	bool is_last = false;
	struct hole *h;

	while (!is_last && end->room >= size) {
		h = xmalloc(size);
		end->room -= size;
		is_last = (uintptr_t)h >= end->at;
		if (is_last && size > SMALL)
			free(h);
		else
			STAILQ_INSERT_TAIL(&holes, h, link);
	}
}

void
heap_close_holes(void)
{
	struct end end = find_end();
	size_t size;

	if (end.at == 0)
		return;
	for (size = LARGEST; size > SMALL; size -= size / 8)
		close_all_of(size, &end);
	for (; size > 0; size -= size < STEP ? size : STEP)
		close_all_of(size, &end);
}

void
heap_open_holes(void)
{
	struct hole *h;

	while ((h = STAILQ_FIRST(&holes)) != NULL) {
		STAILQ_REMOVE_HEAD(&holes, link);
		free(h);
	}
}
