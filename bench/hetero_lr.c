/*
 * One epoch of the vertical logistic regression: 569 rows, 10 columns at the
 * guest and 20 at the host, Paillier at 2048 bits, all three parties on the
 * same two cores.  The floor is the big-number arithmetic of one epoch done
 * in a row by the same functions on two threads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/math/fixed.h"
#include "executor/math/multiexp.h"
#include "executor/math/paillier.h"
#include "executor/math/rng.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "tests/lib/loopback.h"
#include "tests/lib/measure.h"

#define BITS 2048
#define ROWS 569
#define GUEST_COLS 10
#define HOST_COLS 20
#define CORES 2
#define FEW 2  /* epochs of the short run */
#define MANY 8 /* and of the long one */
#define FRAC 23
#define ROUNDS 5

static double values[ROWS][GUEST_COLS + HOST_COLS];
static double labels[ROWS];

static void
check(int r)
{
	if (r != 0) {
		fprintf(stderr, "%s\n", err_text());
		exit(1);
	}
}

static void
make_values(void)
{
	struct rng g;
	int i, j;

	rng_seed(&g, 1);
	for (i = 0; i < ROWS; i++) {
		labels[i] = 0;
		for (j = 0; j < GUEST_COLS + HOST_COLS; j++) {
			values[i][j] = rng_normal(&g);
			labels[i] += values[i][j];
		}
		labels[i] = labels[i] + rng_normal(&g) > 0;
	}
}

/* --- epochs of the component ------------------------------------------------- */

static void
give(struct loopback *lb, struct member *m, int from, int to, int flags)
{
	char *path = xasprintf("%s/%d", loopback_folder(lb), from);
	struct buf schema = BUF_INIT;
	struct table_writer *w;
	char id[16];
	int i;

	check(table_create(&storage_standalone, path, &w));
	for (i = 0; i < ROWS; i++) {
		struct row row = { .kind = ROW_DENSE,
			.flags = flags,
			.label = labels[i],
			.values = &values[i][from],
			.n_values = (uint32_t)(to - from),
			.id = { id, 0 } };

		row.id.len = (size_t)snprintf(id, sizeof(id), "%d", i);
		check(table_append(w, &row));
	}
	buf_puts(&schema, "{\"sid\":\"id\",\"header\":[");
	for (i = from; i < to; i++)
		buf_printf(&schema, "%s\"x%d\"", i == from ? "" : ",", i);
	buf_puts(&schema, "]}");
	check(table_seal(w, schema.data, 1));
	loopback_input(m, "train_data", "intersection_0", path);
	buf_fini(&schema);
	free(path);
}

static double
train_seconds(int epochs)
{
	char *params = xasprintf("{\"max_iter\":%d,\"tol\":0,"
				 "\"learning_rate\":0.15,\"alpha\":0.01,"
				 "\"penalty\":\"L2\",\"init_param\":"
				 "{\"init_method\":\"zeros\"}}",
	    epochs);
	struct loopback *lb = loopback_new("HeteroLR", "hetero_lr_0");
	struct member *guest = loopback_add(lb, "guest", "9999", params);
	struct member *host = loopback_add(lb, "host", "10000", params);
	struct member *arbiter = loopback_add(lb, "arbiter", "10000", params);
	double t;

	loopback_cores(guest, CORES);
	loopback_cores(host, CORES);
	loopback_cores(arbiter, CORES);
	give(lb, guest, HOST_COLS, HOST_COLS + GUEST_COLS, ROW_LABEL);
	give(lb, host, 0, HOST_COLS, 0);
	t = measure_seconds();
	if (loopback_run(lb) != 0) {
		fprintf(stderr, "%s %s %s\n", loopback_error(guest),
		    loopback_error(host), loopback_error(arbiter));
		exit(1);
	}
	t = measure_seconds() - t;
	loopback_free(lb);
	free(params);
	return t;
}

/* --- the arithmetic alone ------------------------------------------------------ */

struct floor {
	struct parallel *pool;
	struct paillier_key *key;
	struct paillier_pub *pub;
	struct bigvec *m; /* ROWS plaintexts */
	int64_t x[ROWS * (GUEST_COLS + HOST_COLS + 2)];
};

static void
floor_init(struct floor *f)
{
	struct buf b = BUF_INIT;
	size_t i, j;

	f->pool = parallel_new(CORES);
	check(paillier_generate(BITS, &f->key));
	paillier_pub_encode(paillier_key_pub(f->key), &b);
	check(paillier_pub_decode(b.data, b.len, &f->pub));
	check(paillier_pub_prepare(f->pub, f->pool));
	check(paillier_plain_new(f->pub, ROWS, &f->m));
	for (i = 0; i < ROWS; i++)
		check(fixed_encode(values[i][0], 48, 112, paillier_n(f->pub),
		    f->m->limbs, bigvec_at(f->m, i)));
	for (j = 0; j < GUEST_COLS + HOST_COLS; j++)
		for (i = 0; i < ROWS; i++)
			check(
			    fixed_int(values[i][j], FRAC, &f->x[j * ROWS + i]));
	for (i = 0; i < ROWS; i++) { /* intercept and loss of the guest */
		f->x[(GUEST_COLS + HOST_COLS) * ROWS + i] = 1 << FRAC;
		check(fixed_int(values[i][0] / ROWS, 40,
		    &f->x[(GUEST_COLS + HOST_COLS + 1) * ROWS + i]));
	}
	buf_fini(&b);
}

/* One party: encrypt its scores, sum over columns, mask. */
static void
party(struct floor *f, const int64_t *x, size_t cols)
{
	struct bigvec *c, *sums, *mask;
	struct multiexp *me;

	check(paillier_encrypt(f->pub, f->m, f->pool, &c));
	check(multiexp_new(f->pub, c, f->pool, &me));
	check(multiexp_run(me, x, cols, f->pool, &sums));
	check(paillier_plain_new(f->pub, cols, &mask));
	paillier_random_plain(f->pub, mask);
	check(paillier_add_fresh(f->pub, sums, mask, f->pool));
	bigvec_free(mask);
	check(paillier_decrypt(f->key, sums, f->pool, &mask));
	multiexp_free(me);
	bigvec_free(c);
	bigvec_free(sums);
	bigvec_free(mask);
}

static double
floor_seconds(struct floor *f)
{
	double t = measure_seconds();

	party(f, f->x, HOST_COLS);
	party(f, f->x + HOST_COLS * ROWS, GUEST_COLS + 2);
	return measure_seconds() - t;
}

/*
 * Floor and epoch in turns, so that whatever else the machine does falls on
 * both alike.
 */
int
main(void)
{
	static struct floor f;
	struct measure *out;
	double epochs[ROUNDS], floors[ROUNDS], epoch, least;
	int i;

	make_values();
	floor_init(&f);
	for (i = 0; i < ROUNDS; i++) {
		floors[i] = floor_seconds(&f);
		epochs[i] =
		    (train_seconds(MANY) - train_seconds(FEW)) / (MANY - FEW);
		floors[i] = (floors[i] + floor_seconds(&f)) / 2;
	}
	epoch = measure_median(epochs, ROUNDS);
	least = measure_median(floors, ROUNDS);
	out = measure_new("hetero_lr");
	measure_add(out, "epoch of 569 x 30, full batch", epoch, "s", least, 1,
	    "lower");
	measure_add(out, "share of it that is arithmetic", least / epoch, "", 1,
	    0.7, "higher");
	paillier_pub_free(f.pub);
	paillier_key_free(f.key);
	bigvec_free(f.m);
	parallel_free(f.pool);
	return measure_end(out) == 0 ? 0 : 1;
}
