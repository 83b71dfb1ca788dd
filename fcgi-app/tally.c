/*
 * Atomic counters, one block for each route.  Called by dispatch.c.
 */
#include "fcgi-app/tally.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "fcgi-app/route.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

/* Statuses that answers have; all others count under the last. */
static const int statuses[] = { 200, 210, 400, 403, 404, 408, 409, 413, 429,
	500, 502, 503, 0 };
#define STATUSES (sizeof(statuses) / sizeof(statuses[0]))

struct block {
	_Atomic uint64_t by_status[STATUSES];
	_Atomic uint64_t buckets[METRIC_BUCKETS + 1];
	_Atomic uint64_t sum_us;
};

struct tally {
	size_t n; /* routes, and one for what is none */
	int64_t since_ms;
	struct block blocks[];
};

static size_t
size_of(size_t n)
{
	return sizeof(struct tally) + n * sizeof(struct block);
}

int
tally_new(struct tally **out)
{
	size_t n;
	void *p;

	(void)route_table(&n);
	p = mmap(NULL, size_of(n + 1), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*out = NULL;
	if (p == MAP_FAILED)
		return err_set_errno(ERR_NOMEM, "shared memory");
	*out = p; /* zeroed by the kernel */
	(*out)->n = n + 1;
	(*out)->since_ms = clock_wall_ms();
	return 0;
}

void
tally_free(struct tally *t)
{
	if (t != NULL)
		(void)munmap(t, size_of(t->n));
}

static void
add(_Atomic uint64_t *at, uint64_t n)
{
	(void)atomic_fetch_add_explicit(at, n, memory_order_relaxed);
}

void
tally_count(struct tally *t, const struct route *route, int status, int64_t us)
{
	size_t n, i = 0, bucket = 0;
	struct block *b;

	if (t == NULL)
		return;
	b = &t->blocks[route != NULL ? (size_t)(route - route_table(&n))
				     : t->n - 1];
	while (i < STATUSES - 1 && statuses[i] != status)
		i++;
	while (bucket < METRIC_BUCKETS &&
	       (double)us > metric_buckets[bucket] * 1e6)
		bucket++;
	add(&b->by_status[i], 1);
	add(&b->buckets[bucket], 1);
	add(&b->sum_us, (uint64_t)us);
}

static void
render(const struct block *b, const char *path, const char *method,
    struct metrics *m)
{
	uint64_t buckets[METRIC_BUCKETS + 1], n;
	char code[8];
	size_t i;

	for (i = 0; i < STATUSES; i++) {
		if ((n = atomic_load(&b->by_status[i])) == 0)
			continue;
		(void)snprintf(code, sizeof(code), "%d", statuses[i]);
		metrics_add(m, METRIC_http_requests_total, (double)n, "route",
		    path, "method", method, "code",
		    statuses[i] != 0 ? code : "other", NULL);
	}
	for (i = 0; i <= METRIC_BUCKETS; i++)
		buckets[i] = atomic_load(&b->buckets[i]);
	metrics_histogram(m, METRIC_http_request_seconds, buckets,
	    (double)atomic_load(&b->sum_us) / 1e6, "route", path, "method",
	    method, NULL);
}

static bool
is_used(const struct block *b)
{
	size_t i;

	for (i = 0; i <= METRIC_BUCKETS; i++)
		if (atomic_load(&b->buckets[i]) != 0)
			return true;
	return false;
}

void
tally_metrics(const struct tally *t, struct metrics *m)
{
	const struct route *table;
	size_t i, n;

	if (t == NULL)
		return;
	table = route_table(&n);
	for (i = 0; i < t->n; i++)
		if (is_used(&t->blocks[i]))
			render(&t->blocks[i], i < n ? table[i].pattern : "none",
			    i < n ? table[i].method : "", m);
	metrics_set(m, METRIC_process_start_seconds, (double)t->since_ms / 1000,
	    "program", "fcgi", NULL);
}
