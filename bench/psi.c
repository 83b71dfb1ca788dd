/*
 * Private set intersection: ids per second against what libsodium's scalar
 * multiplication allows on the same cores, measured in the same run.
 *
 * usage: psi [IDS]   ids at each party, half of them in common (20000);
 * both parties share two cores, so the table names what a million take too.
 */
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "executor/parallel.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"
#include "tests/lib/loopback.h"
#include "tests/lib/measure.h"

#define CORES 2
#define SAMPLE 20000 /* multiplications to measure the ceiling */

static void
check(int r)
{
	if (r != 0) {
		fprintf(stderr, "%s\n", err_text());
		exit(1);
	}
}

/* --- the ceiling ------------------------------------------------------------- */

static unsigned char hash[crypto_core_ristretto255_HASHBYTES];

static int
multiply(void *ctx, size_t from, size_t to, unsigned worker)
{
	unsigned char scalar[32], p[32], q[32];
	size_t i;

	(void)ctx;
	(void)worker;
	crypto_core_ristretto255_scalar_random(scalar);
	crypto_core_ristretto255_from_hash(p, hash);
	for (i = from; i < to; i++) {
		if (crypto_scalarmult_ristretto255(q, scalar, p) != 0)
			return err_set(ERR_CRYPTO, "scalar multiplication");
		memcpy(p, q, sizeof(p));
	}
	return 0;
}

static int
map(void *ctx, size_t from, size_t to, unsigned worker)
{
	unsigned char h[sizeof(hash)], p[32];
	size_t i;

	(void)ctx;
	(void)worker;
	memcpy(h, hash, sizeof(h));
	for (i = from; i < to; i++) {
		memcpy(h, &i, sizeof(i));
		crypto_core_ristretto255_from_hash(p, h);
	}
	return 0;
}

static double
seconds_each(struct parallel *pool, parallel_fn *fn)
{
	double v[3], t;
	int i;

	for (i = 0; i < 3; i++) {
		t = measure_seconds();
		check(parallel_for(pool, SAMPLE, SAMPLE / 16, fn, NULL));
		v[i] = (measure_seconds() - t) / SAMPLE;
	}
	return measure_median(v, 3);
}

/* Each party: its own ids once, the other's once; own ids hashed. */
static double
floor_seconds(struct parallel *pool, size_t n)
{
	return (double)n *
	       (4 * seconds_each(pool, multiply) + 2 * seconds_each(pool, map));
}

/* --- the component ------------------------------------------------------------- */

static struct member *
add(struct loopback *lb, const char *role, const char *party, size_t first,
    size_t n)
{
	struct member *m = loopback_add(lb, role, party, "{}");
	char *path = xasprintf("%s/%s", loopback_folder(lb), role);
	struct table_writer *w;
	char id[32];
	size_t i;

	check(table_create(&storage_standalone, path, &w));
	for (i = first; i < first + n; i++) {
		struct row row = { .kind = ROW_TEXT,
			.id = { id, 0 },
			.text = { "1,2,3", 5 } };

		row.id.len =
		    (size_t)snprintf(id, sizeof(id), "customer%010zu", i);
		check(table_append(w, &row));
	}
	check(table_seal(w, "{\"sid\":\"id\",\"header\":\"a,b,c\"}", 4));
	loopback_cores(m, CORES);
	loopback_input(m, "data", "reader_0", path);
	free(path);
	return m;
}

static double
intersect_seconds(size_t n)
{
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", 0, n);
	double t;

	add(lb, "host", "10000", n / 2, n);
	t = measure_seconds();
	check(loopback_run(lb));
	t = measure_seconds() - t;
	if (json_get_int(loopback_summary(guest), "intersect_num", -1) !=
	    (int64_t)(n - n / 2)) {
		fprintf(stderr, "wrong intersection\n");
		exit(1);
	}
	loopback_free(lb);
	return t;
}

int
main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	struct parallel *pool;
	struct measure *out;
	struct rusage use;
	double t, floor;

	if (n < 2 || n > 100000000 || sodium_init() < 0) {
		fprintf(stderr, "usage: psi [IDS]\n");
		return 2;
	}
	randombytes_buf(hash, sizeof(hash));
	pool = parallel_new(CORES);
	/* Before and after, for what else the machine does meanwhile. */
	floor = floor_seconds(pool, n) / 2;
	t = intersect_seconds(n);
	floor += floor_seconds(pool, n) / 2;
	parallel_free(pool);
	out = measure_new("psi");
	measure_add(out, "ids of each party per second", (double)n / t, "1/s",
	    (double)n / floor, 0.8 * (double)n / floor, "higher");
	measure_add(out, "share of it that is curve arithmetic", floor / t, "",
	    1, 0.8, "higher");
	(void)getrusage(RUSAGE_SELF, &use);
	/* Both parties and all messages under way are in this process. */
	measure_add(out, "peak memory of both parties",
	    (double)use.ru_maxrss / 1024, "MB", 0, 1024, "lower");
	return measure_end(out) == 0 ? 0 : 1;
}
