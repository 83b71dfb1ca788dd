/*
 * Bucket multi-exponentiation.  Called by the learners for the products of
 * features with encrypted residuals.
 */
#include "executor/math/multiexp.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

#define WINDOW_MAX 12	 /* 2^11 buckets: 1 MB at 2048 bits */
#define BLOCK_ROWS 4096	 /* bases per unit of work */
#define INVERT_CHUNK 512 /* bases per inversion */

struct multiexp {
	const struct paillier_pub *pub;
	size_t rows;
	struct bigvec *base; /* Montgomery form */
	struct bigvec *inv;  /* their inverses */
};

static atomic_uint_fast64_t products;

uint64_t
multiexp_products(void)
{
	return atomic_load(&products);
}

/* --- bases ------------------------------------------------------------------ */

struct prepare {
	struct multiexp *me;
	const struct bigvec *from;
};

static int
prepare_some(void *ctx, size_t from, size_t to, unsigned worker)
{
	struct prepare *p = ctx;
	const struct mont *mt = paillier_mont(p->me->pub);
	size_t i;

	(void)worker;
	for (i = from; i < to; i++)
		mont_from_plain(
		    mt, bigvec_at(p->me->base, i), bigvec_at(p->from, i));
	return mont_invert_all(mt, bigvec_at(p->me->inv, from),
	    bigvec_at(p->me->base, from), to - from);
}

int
multiexp_new(const struct paillier_pub *pub, const struct bigvec *bases,
    struct parallel *pool, struct multiexp **out)
{
	struct multiexp *me = xcalloc(1, sizeof(*me));
	struct prepare p = { .me = me, .from = bases };
	int r;

	*out = NULL;
	me->pub = pub;
	me->rows = bases->count;
	if ((r = bigvec_new(me->rows, bases->limbs, &me->base)) != 0 ||
	    (r = bigvec_new(me->rows, bases->limbs, &me->inv)) != 0 ||
	    (r = parallel_for(
		 pool, me->rows, INVERT_CHUNK, prepare_some, &p)) != 0) {
		multiexp_free(me);
		return r;
	}
	*out = me;
	return 0;
}

void
multiexp_free(struct multiexp *me)
{
	if (me == NULL)
		return;
	bigvec_free(me->base);
	bigvec_free(me->inv);
	free(me);
}

/* --- one column over one block of bases ------------------------------------- */

struct unit {
	const struct multiexp *me;
	const struct mont *mt;
	const int64_t *x; /* exponents of this column and block */
	size_t first;	  /* base of x[0] */
	size_t rows;
	unsigned window; /* bits */
	unsigned windows;
	int16_t *digits;   /* [windows][rows] */
	mp_limb_t *bucket; /* of digit 1, 2, ... */
	bool *used;	   /* whether a bucket has one */
	uint64_t products;
};

static unsigned
max_bits(const int64_t *x, size_t rows)
{
	uint64_t all = 0;
	size_t i;

	for (i = 0; i < rows; i++)
		all |= (uint64_t)(x[i] < 0 ? -x[i] : x[i]);
	return all == 0 ? 0 : 64 - (unsigned)__builtin_clzll(all);
}

/*
 * Per window: a product per base, two per bucket (2^(w-1) of them), and w
 * squarings.  The carry out of signed digits may need one window more.
 */
static unsigned
best_window(unsigned bits, size_t rows)
{
	uint64_t cost, best = UINT64_MAX;
	unsigned w, found = 1;

	for (w = 1; w <= WINDOW_MAX; w++) {
		cost = (bits / w + 1) * ((uint64_t)rows + (1U << w) + w);
		if (cost < best) {
			best = cost;
			found = w;
		}
	}
	return found;
}

/* Digits in [-2^(w-1), 2^(w-1)], lowest window first. */
static void
split_digits(struct unit *u)
{
	int64_t half = (int64_t)1 << (u->window - 1);
	uint64_t mask = ((uint64_t)1 << u->window) - 1, a;
	int64_t d;
	size_t i;
	unsigned k;

	for (i = 0; i < u->rows; i++) {
		a = (uint64_t)(u->x[i] < 0 ? -u->x[i] : u->x[i]);
		for (k = 0; k < u->windows; k++) {
			d = (int64_t)(a & mask);
			a >>= u->window;
			if (d > half) {
				d -= (int64_t)mask + 1;
				a++;
			}
			u->digits[k * u->rows + i] =
			    (int16_t)(u->x[i] < 0 ? -d : d);
		}
	}
}

/* a *= b, where an unused a counts as one. */
static void
multiply(struct unit *u, mp_limb_t *a, bool *used, const mp_limb_t *b)
{
	if (*used) {
		mont_mul(u->mt, a, a, b);
		u->products++;
	} else
		memcpy(a, b, u->mt->limbs * sizeof(*a));
	*used = true;
}

static void
fill_buckets(struct unit *u, const int16_t *digits)
{
	const struct bigvec *from;
	size_t i, k;

	memset(u->used, 0, sizeof(*u->used) << (u->window - 1));
	for (i = 0; i < u->rows; i++) {
		if (digits[i] == 0)
			continue;
		from = digits[i] > 0 ? u->me->base : u->me->inv;
		k = (size_t)abs(digits[i]) - 1;
		multiply(u, u->bucket + k * u->mt->limbs, &u->used[k],
		    bigvec_at(from, u->first + i));
	}
}

/* acc *= prod_k bucket_k^k, by sums of sums from the highest down. */
static void
drain_buckets(struct unit *u, mp_limb_t *acc, bool *acc_used)
{
	mp_limb_t run[MONT_LIMBS_MAX];
	bool run_used = false;
	size_t k;

	for (k = (size_t)1 << (u->window - 1); k-- > 0;) {
		if (u->used[k])
			multiply(
			    u, run, &run_used, u->bucket + k * u->mt->limbs);
		if (run_used)
			multiply(u, acc, acc_used, run);
	}
}

static void
power_unit(struct unit *u, mp_limb_t *acc, bool *used)
{
	unsigned k, i;

	*used = false;
	split_digits(u);
	for (k = u->windows; k-- > 0;) {
		for (i = 0; *used && i < u->window; i++) {
			mont_sqr(u->mt, acc, acc);
			u->products++;
		}
		fill_buckets(u, u->digits + (size_t)k * u->rows);
		drain_buckets(u, acc, used);
	}
}

/* out (limbs limbs, Montgomery form) = the product; one when all are zero. */
static int
run_unit(struct unit *u, mp_limb_t *out)
{
	unsigned bits = max_bits(u->x, u->rows);
	size_t buckets;
	bool used;
	int r = 0;

	if (bits > 62)
		return err_set(ERR_LIMIT, "an exponent has more than 62 bits");
	u->window = best_window(bits, u->rows);
	u->windows = bits / u->window + 1;
	buckets = (size_t)1 << (u->window - 1);
	u->digits = mem_array(u->windows * u->rows, sizeof(*u->digits));
	u->bucket = mem_array(buckets, u->mt->limbs * sizeof(*u->bucket));
	u->used = mem_array(buckets, sizeof(*u->used));
	if (u->digits == NULL || u->bucket == NULL || u->used == NULL)
		r = err_code();
	else {
		power_unit(u, out, &used);
		if (!used)
			memcpy(out, u->mt->one, u->mt->limbs * sizeof(*out));
		atomic_fetch_add(&products, u->products);
	}
	free(u->digits);
	free(u->bucket);
	free(u->used);
	return r;
}

/* --- all columns ------------------------------------------------------------ */

struct run {
	const struct multiexp *me;
	const int64_t *x;
	size_t blocks;	     /* per column */
	struct bigvec *part; /* [cols][blocks] */
};

static int
run_some(void *ctx, size_t from, size_t to, unsigned worker)
{
	struct run *run = ctx;
	size_t i, col, block;
	int r;

	(void)worker;
	for (i = from; i < to; i++) {
		struct unit u = { .me = run->me,
			.mt = paillier_mont(run->me->pub) };

		col = i / run->blocks;
		block = i % run->blocks;
		u.first = block * BLOCK_ROWS;
		u.rows = run->me->rows - u.first;
		if (u.rows > BLOCK_ROWS)
			u.rows = BLOCK_ROWS;
		u.x = run->x + col * run->me->rows + u.first;
		if ((r = run_unit(&u, bigvec_at(run->part, i))) != 0)
			return r;
	}
	return 0;
}

/* Multiply the parts of each column and leave Montgomery's form. */
static void
join_parts(const struct run *run, struct bigvec *out)
{
	const struct mont *mt = paillier_mont(run->me->pub);
	mp_limb_t *acc;
	size_t col, block;

	for (col = 0; col < out->count; col++) {
		acc = bigvec_at(run->part, col * run->blocks);
		for (block = 1; block < run->blocks; block++)
			mont_mul(mt, acc, acc,
			    bigvec_at(run->part, col * run->blocks + block));
		mont_to_plain(mt, bigvec_at(out, col), acc);
	}
}

int
multiexp_run(const struct multiexp *me, const int64_t *x, size_t cols,
    struct parallel *pool, struct bigvec **out)
{
	struct run run = { .me = me, .x = x };
	size_t limbs = paillier_cipher_limbs(me->pub);
	int r;

	*out = NULL;
	atomic_store(&products, 0);
	run.blocks =
	    me->rows == 0 ? 1 : (me->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
	if ((r = bigvec_new(cols * run.blocks, limbs, &run.part)) != 0)
		return r;
	if ((r = parallel_for(pool, run.part->count, 1, run_some, &run)) == 0 &&
	    (r = bigvec_new(cols, limbs, out)) == 0)
		join_parts(&run, *out);
	bigvec_free(run.part);
	return r;
}
