/*
 * Virtual time, the events in it, and the one source of chance.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tests/sim/world.h"

/* A day for each seed, so that ids made from the clock differ. */
#define EPOCH_S INT64_C(1800000000)
#define DAY_S INT64_C(86400)
#define SEED_DAYS 3650

struct event {
	int64_t at_us;
	uint64_t order;
	sim_fn *fn;
	void *ctx;
};

static int64_t now_us = EPOCH_S * SECOND;
static struct event *heap;
static size_t heap_len, heap_cap;
static uint64_t orders, state, seed_now;

int64_t
sim_now(void)
{
	return now_us;
}

void
sim_tick(void)
{
	now_us++;
}

static bool
is_before(const struct event *a, const struct event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void
swap(size_t a, size_t b)
{
	struct event e = heap[a];

	heap[a] = heap[b];
	heap[b] = e;
}

void
sim_at(int64_t at_us, sim_fn *fn, void *ctx)
{
	size_t i = heap_len;

	if (heap_len == heap_cap) {
		heap_cap = heap_cap == 0 ? 256 : 2 * heap_cap;
		heap = xrealloc(heap, heap_cap * sizeof(*heap));
	}
	heap[heap_len++] = (struct event){ at_us < now_us ? now_us : at_us,
		orders++, fn, ctx };
	for (; i > 0 && is_before(&heap[i], &heap[(i - 1) / 2]);
	     i = (i - 1) / 2)
		swap(i, (i - 1) / 2);
}

static struct event
take_first(void)
{
	struct event first = heap[0];
	size_t i = 0, child;

	heap[0] = heap[--heap_len];
	while ((child = 2 * i + 1) < heap_len) {
		if (child + 1 < heap_len &&
		    is_before(&heap[child + 1], &heap[child]))
			child++;
		if (!is_before(&heap[child], &heap[i]))
			break;
		swap(i, child);
		i = child;
	}
	return first;
}

bool
sim_next(void)
{
	struct event e;

	if (heap_len == 0)
		return false;
	e = take_first();
	if (e.at_us > now_us) {
		now_us = e.at_us;
		world.same_time = 0;
	}
	e.fn(e.ctx);
	return true;
}

void
sim_time_clear(void)
{
	heap_len = 0;
}

void
sim_time_reset(uint64_t seed)
{
	heap_len = 0;
	orders = 0;
	seed_now = seed;
	state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	now_us = (EPOCH_S + (int64_t)(seed % SEED_DAYS) * DAY_S) * SECOND;
	for (int i = 0; i < 8; i++)
		(void)sim_random();
}

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom numbers). */
static uint64_t
mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t
sim_random(void)
{
	return mix(state += UINT64_C(0x9e3779b97f4a7c15));
}

int64_t
sim_draw(int64_t below)
{
	return below <= 0 ? 0 : (int64_t)(sim_random() % (uint64_t)below);
}

int64_t
sim_between(int64_t low, int64_t high)
{
	return low + sim_draw(high - low + 1);
}

bool
sim_chance(int64_t of_million)
{
	return of_million > 0 && sim_draw(1000000) < of_million;
}

uint64_t
sim_hash(const char *text)
{
	uint64_t h = seed_now + UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return mix(h);
}

int64_t
sim_pick(const char *text, int number, int64_t n)
{
	char key[64];

	(void)snprintf(key, sizeof(key), "%s %d", text, number);
	return (int64_t)(sim_hash(key) % (uint64_t)n);
}
