/*
 * Paillier at 2048 bits: encryption by table, decryption, and the products
 * of a matrix with an encrypted vector against one power after the other.
 * Floors are GMP's plain product and division for the same count of
 * products (its plain powers for decryption), measured in the same run.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/math/fixed.h"
#include "executor/math/multiexp.h"
#include "executor/math/paillier.h"
#include "lib/base/err.h"
#include "tests/lib/measure.h"

#define BITS 2048
#define ROWS 569
#define COLS 10
#define REPEATS 5
#define PRODUCTS 57 /* of one encryption */

static struct paillier_key *key;
static struct paillier_pub *pub;
static struct parallel *pool;

static void
check(int r)
{
	if (r != 0) {
		fprintf(stderr, "%s\n", err_text());
		exit(1);
	}
}

/* Seconds of one product modulo n^2 with mpz_mul() and mpz_mod(). */
static double
product_seconds(void)
{
	mpz_t a, b, n2;
	double v[REPEATS], t;
	int i, k;

	mpz_inits(a, b, n2, NULL);
	limbs_to_mpz(n2, paillier_mont(pub)->m, paillier_cipher_limbs(pub));
	mpz_sub_ui(a, n2, 12345);
	mpz_tdiv_q_ui(b, n2, 3);
	for (i = 0; i < REPEATS; i++) {
		t = measure_seconds();
		for (k = 0; k < 20000; k++) {
			mpz_mul(a, a, b);
			mpz_mod(a, a, n2);
		}
		v[i] = (measure_seconds() - t) / 20000;
	}
	mpz_clears(a, b, n2, NULL);
	return measure_median(v, REPEATS);
}

/* Seconds of the two half-size powers of a decryption, without hiding. */
static double
powers_seconds(void)
{
	mpz_t base, e, m;
	double v[REPEATS], t;
	int i, k;

	mpz_inits(base, e, m, NULL);
	limbs_to_mpz(m, paillier_n(pub), paillier_plain_limbs(pub));
	mpz_sub_ui(base, m, 12345);
	mpz_tdiv_q_2exp(e, m, BITS / 2);
	for (i = 0; i < REPEATS; i++) {
		t = measure_seconds();
		for (k = 0; k < 40; k++)
			mpz_powm(base, base, e, m);
		v[i] = (measure_seconds() - t) / 20;
	}
	mpz_clears(base, e, m, NULL);
	return measure_median(v, REPEATS);
}

static struct bigvec *
some_plaintexts(size_t n)
{
	struct bigvec *m;
	size_t i;

	check(paillier_plain_new(pub, n, &m));
	for (i = 0; i < n; i++)
		check(fixed_encode((double)i - 100.5, 48, 112, paillier_n(pub),
		    m->limbs, bigvec_at(m, i)));
	return m;
}

static void
bench_encrypt(struct measure *out, double product)
{
	struct bigvec *m = some_plaintexts(ROWS), *c;
	double v[REPEATS], t;
	int i;

	for (i = 0; i < REPEATS; i++) {
		t = measure_seconds();
		check(paillier_encrypt(pub, m, pool, &c));
		v[i] = (measure_seconds() - t) / ROWS * 1e3;
		bigvec_free(c);
	}
	measure_add(out, "encryption, one core", measure_median(v, REPEATS),
	    "ms", product * PRODUCTS * 1e3, 0.4, "lower");
	bigvec_free(m);
}

static void
bench_decrypt(struct measure *out)
{
	struct bigvec *m = some_plaintexts(20), *c, *d;
	double v[REPEATS], t;
	int i;

	check(paillier_encrypt(pub, m, pool, &c));
	for (i = 0; i < REPEATS; i++) {
		t = measure_seconds();
		check(paillier_decrypt(key, c, pool, &d));
		v[i] = (measure_seconds() - t) / 20 * 1e3;
		if (memcmp(d->v, m->v, bigvec_bytes(m)) != 0)
			exit(1);
		bigvec_free(d);
	}
	measure_add(out, "decryption, one core, constant time",
	    measure_median(v, REPEATS), "ms", powers_seconds() * 1e3, 6,
	    "lower");
	bigvec_free(m);
	bigvec_free(c);
}

static void
bench_multiexp(struct measure *out, double product)
{
	struct bigvec *m = some_plaintexts(ROWS), *c, *one, *sums;
	struct multiexp *me;
	int64_t x[ROWS * COLS];
	double v[REPEATS], t, naive;
	size_t i;
	int k;

	for (i = 0; i < ROWS * COLS; i++)
		x[i] = (int64_t)randombytes_uniform(1U << 25) - (1 << 24);
	check(paillier_encrypt(pub, m, pool, &c));
	for (k = 0; k < REPEATS; k++) {
		t = measure_seconds();
		check(multiexp_new(pub, c, pool, &me));
		check(multiexp_run(me, x, COLS, pool, &sums));
		v[k] = measure_seconds() - t;
		multiexp_free(me);
		bigvec_free(sums);
	}
	check(bigvec_new(1, c->limbs, &one));
	t = measure_seconds();
	for (i = 0; i < 100; i++) {
		memcpy(one->v, bigvec_at(c, i), bigvec_bytes(one));
		check(paillier_mul(pub, one, x[i]));
	}
	naive = (measure_seconds() - t) / 100 * ROWS * COLS;
	t = measure_median(v, REPEATS);
	measure_add(out, "569 x 10 sums by multi-exponentiation", t * 1e3, "ms",
	    product * (double)multiexp_products() * 1e3, 300, "lower");
	measure_add(out, "how much faster than power by power", naive / t, "x",
	    1, 4, "higher");
	bigvec_free(m);
	bigvec_free(c);
	bigvec_free(one);
}

int
main(void)
{
	struct buf b = BUF_INIT;
	struct measure *out;
	double product;

	pool = parallel_new(1);
	check(paillier_generate(BITS, &key));
	paillier_pub_encode(paillier_key_pub(key), &b);
	check(paillier_pub_decode(b.data, b.len, &pub));
	check(paillier_pub_prepare(pub, pool));
	out = measure_new("paillier");
	product = product_seconds();
	bench_encrypt(out, product);
	bench_decrypt(out);
	bench_multiexp(out, product);
	buf_fini(&b);
	paillier_pub_free(pub);
	paillier_key_free(key);
	parallel_free(pool);
	return measure_end(out) == 0 ? 0 : 1;
}
