/*
 * Paillier, fixed-point numbers and multi-exponentiation: algebra, edges,
 * and what partners may send instead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "executor/math/fixed.h"
#include "executor/math/multiexp.h"
#include "executor/math/paillier.h"
#include "lib/base/err.h"

#define BITS 1024 /* small for speed; keys of jobs have more */
#define FRAC 40

static struct paillier_key *key;
static struct paillier_pub *pub; /* as a partner would receive it */
static struct parallel *pool;

static int
make_key(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	pool = parallel_new(2);
	assert_int_equal(paillier_generate(BITS, &key), 0);
	paillier_pub_encode(paillier_key_pub(key), &b);
	assert_int_equal(paillier_pub_decode(b.data, b.len, &pub), 0);
	assert_int_equal(paillier_pub_prepare(pub, pool), 0);
	buf_fini(&b);
	return 0;
}

static int
drop_key(void **state)
{
	(void)state;
	paillier_pub_free(pub);
	paillier_key_free(key);
	parallel_free(pool);
	return 0;
}

static struct bigvec *
plain_of(const double *x, size_t n)
{
	struct bigvec *m;
	size_t i;

	assert_int_equal(paillier_plain_new(pub, n, &m), 0);
	for (i = 0; i < n; i++)
		assert_int_equal(fixed_encode(x[i], FRAC, 120, paillier_n(pub),
				     m->limbs, bigvec_at(m, i)),
		    0);
	return m;
}

static struct bigvec *
cipher_of(const double *x, size_t n)
{
	struct bigvec *m = plain_of(x, n), *c;

	assert_int_equal(paillier_encrypt(pub, m, pool, &c), 0);
	bigvec_free(m);
	return c;
}

static void
assert_decrypts_to(const struct bigvec *c, const double *want, size_t n,
    unsigned frac, double eps)
{
	struct bigvec *m;
	double x;
	size_t i;

	assert_int_equal(c->count, n);
	assert_int_equal(paillier_decrypt(key, c, pool, &m), 0);
	for (i = 0; i < n; i++) {
		assert_int_equal(fixed_decode(bigvec_at(m, i), frac, 300,
				     paillier_n(pub), m->limbs, &x),
		    0);
		if (fabs(x - want[i]) > eps)
			fail_msg("%zu: %.17g, not %.17g", i, x, want[i]);
	}
	bigvec_wipe_free(m);
}

static const double edges[] = { 0, 1, -1, 0.5, -0.25, 123456.789, -123456.789,
	0x1p-40, -0x1p-40, 0x1p62, -0x1p62, 1e-30 };
#define N_EDGES (sizeof(edges) / sizeof(edges[0]))

static void
what_was_encrypted_comes_back(void **state)
{
	struct bigvec *c = cipher_of(edges, N_EDGES);

	(void)state;
	assert_decrypts_to(c, edges, N_EDGES, FRAC, 0x1p-41);
	bigvec_free(c);
}

static void
two_encryptions_of_a_value_differ(void **state)
{
	double x[2] = { 7, 7 };
	struct bigvec *c = cipher_of(x, 2);

	(void)state;
	assert_memory_not_equal(
	    bigvec_at(c, 0), bigvec_at(c, 1), paillier_cipher_bytes(pub));
	bigvec_free(c);
}

static void
sums_of_ciphertexts_are_sums(void **state)
{
	double b[N_EDGES], sum[N_EDGES];
	struct bigvec *ca, *cb, *mb;
	size_t i;

	(void)state;
	for (i = 0; i < N_EDGES; i++) {
		b[i] = edges[N_EDGES - 1 - i] / 3;
		sum[i] = edges[i] + b[i];
	}
	ca = cipher_of(edges, N_EDGES);
	cb = cipher_of(b, N_EDGES);
	assert_int_equal(paillier_add(pub, ca, cb, pool), 0);
	assert_decrypts_to(ca, sum, N_EDGES, FRAC, 2048);
	mb = plain_of(b, N_EDGES);
	for (i = 0; i < N_EDGES; i++)
		sum[i] += b[i];
	assert_int_equal(paillier_add_plain(pub, ca, mb, pool), 0);
	assert_decrypts_to(ca, sum, N_EDGES, FRAC, 2048);
	for (i = 0; i < N_EDGES; i++)
		sum[i] += b[i];
	assert_int_equal(paillier_add_fresh(pub, ca, mb, pool), 0);
	assert_decrypts_to(ca, sum, N_EDGES, FRAC, 2048);
	bigvec_free(ca);
	bigvec_free(cb);
	bigvec_free(mb);
}

static void
adding_zero_afresh_changes_the_bytes_only(void **state)
{
	double zero[N_EDGES] = { 0 };
	struct bigvec *c = cipher_of(edges, N_EDGES), *z, *old;

	(void)state;
	assert_int_equal(bigvec_new(c->count, c->limbs, &old), 0);
	memcpy(old->v, c->v, bigvec_bytes(c));
	z = plain_of(zero, N_EDGES);
	assert_int_equal(paillier_add_fresh(pub, c, z, pool), 0);
	assert_memory_not_equal(old->v, c->v, bigvec_bytes(c));
	assert_decrypts_to(c, edges, N_EDGES, FRAC, 0x1p-41);
	bigvec_free(c);
	bigvec_free(z);
	bigvec_free(old);
}

static void
multiples_have_the_sign_of_the_factor(void **state)
{
	static const int64_t k[] = { 1, -1, 2, -3, 1000003, -(1LL << 40) };
	double x[3] = { 1.5, -2.25, 0 }, want[3];
	struct bigvec *c;
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(k) / sizeof(k[0]); i++) {
		c = cipher_of(x, 3);
		assert_int_equal(paillier_mul(pub, c, k[i]), 0);
		for (j = 0; j < 3; j++)
			want[j] = x[j] * (double)k[i];
		assert_decrypts_to(c, want, 3, FRAC, 0);
		bigvec_free(c);
	}
}

static void
a_uniform_mask_comes_off_again(void **state)
{
	struct bigvec *c = cipher_of(edges, N_EDGES), *mask, *m;
	mp_limb_t *v;
	double x;
	size_t i, nl = paillier_plain_limbs(pub);

	(void)state;
	assert_int_equal(paillier_plain_new(pub, N_EDGES, &mask), 0);
	paillier_random_plain(pub, mask);
	assert_int_equal(paillier_add_fresh(pub, c, mask, pool), 0);
	assert_int_equal(paillier_decrypt(key, c, pool, &m), 0);
	for (i = 0; i < N_EDGES; i++) {
		v = bigvec_at(m, i);
		if (mpn_sub_n(v, v, bigvec_at(mask, i), (mp_size_t)nl) != 0)
			mpn_add_n(v, v, paillier_n(pub), (mp_size_t)nl);
		assert_int_equal(
		    fixed_decode(v, FRAC, 120, paillier_n(pub), nl, &x), 0);
		assert_true(fabs(x - edges[i]) <= 0x1p-41);
	}
	bigvec_free(c);
	bigvec_free(mask);
	bigvec_free(m);
}

/* --- multi-exponentiation --------------------------------------------------- */

static void
check_multiexp(size_t rows, size_t cols, unsigned bits)
{
	double *d = calloc(rows + 1, sizeof(*d));
	double *want = calloc(cols, sizeof(*want));
	int64_t *x = calloc(rows * cols + 1, sizeof(*x));
	struct bigvec *c, *out;
	struct multiexp *me;
	size_t i, j;

	for (i = 0; i < rows; i++)
		d[i] = (double)((int)randombytes_uniform(2001) - 1000);
	for (i = 0; i < rows * cols; i++) {
		randombytes_buf(&x[i], sizeof(x[i]));
		x[i] = bits == 0 ? 0 : x[i] >> (63 - bits);
	}
	for (j = 0; j < cols; j++)
		for (i = 0; i < rows; i++)
			want[j] += d[i] * (double)x[j * rows + i];
	c = cipher_of(d, rows);
	assert_int_equal(multiexp_new(pub, c, pool, &me), 0);
	assert_int_equal(multiexp_run(me, x, cols, pool, &out), 0);
	assert_decrypts_to(out, want, cols, FRAC,
	    ldexp(1000.0 * (double)rows, (int)bits - 50));
	multiexp_free(me);
	bigvec_free(c);
	bigvec_free(out);
	free(d);
	free(want);
	free(x);
}

static void
multiexp_equals_sums_of_multiples(void **state)
{
	static const size_t rows[] = { 0, 1, 2, 17, 300 };
	static const unsigned bits[] = { 0, 1, 2, 7, 23, 30, 61 };
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (j = 0; j < sizeof(bits) / sizeof(bits[0]); j++)
			check_multiexp(rows[i], 3, bits[j]);
}

/* The same, bit by bit, against one power after the other. */
static void
multiexp_equals_the_naive_product(void **state)
{
	static const int64_t x[4] = { -((1LL << 62) - 1), (1LL << 61) + 12345,
		-32, 31 };
	double d[4] = { 3, -5, 7, 11 };
	struct bigvec *c = cipher_of(d, 4), *want, *p, *out;
	struct multiexp *me;
	size_t i, bytes = paillier_cipher_bytes(pub);

	(void)state;
	assert_int_equal(multiexp_new(pub, c, pool, &me), 0);
	assert_int_equal(multiexp_run(me, x, 1, pool, &out), 0);
	assert_int_equal(bigvec_new(1, c->limbs, &want), 0);
	assert_int_equal(bigvec_new(1, c->limbs, &p), 0);
	want->v[0] = 1;
	for (i = 0; i < 4; i++) {
		memcpy(p->v, bigvec_at(c, i), bytes);
		assert_int_equal(paillier_mul(pub, p, x[i]), 0);
		assert_int_equal(paillier_add(pub, want, p, pool), 0);
	}
	assert_memory_equal(want->v, out->v, bytes);
	multiexp_free(me);
	bigvec_free(c);
	bigvec_free(want);
	bigvec_free(p);
	bigvec_free(out);
}

static void
exponents_of_more_than_62_bits_are_refused(void **state)
{
	int64_t x[1] = { INT64_MIN + 1 };
	double d[1] = { 1 };
	struct bigvec *c = cipher_of(d, 1), *out;
	struct multiexp *me;

	(void)state;
	assert_int_equal(multiexp_new(pub, c, pool, &me), 0);
	assert_int_equal(multiexp_run(me, x, 1, pool, &out), ERR_LIMIT);
	assert_null(out);
	multiexp_free(me);
	bigvec_free(c);
}

/* --- what partners may send ------------------------------------------------- */

static void
bad_ciphertexts_are_refused(void **state)
{
	size_t bytes = paillier_cipher_bytes(pub);
	unsigned char *b = malloc(2 * bytes);
	struct bigvec *c;

	(void)state;
	memset(b, 0xff, 2 * bytes); /* above n^2 */
	assert_int_equal(
	    paillier_cipher_decode(pub, b, 2 * bytes, 2, &c), ERR_FORMAT);
	memset(b, 0, 2 * bytes); /* zero */
	assert_int_equal(
	    paillier_cipher_decode(pub, b, 2 * bytes, 2, &c), ERR_FORMAT);
	b[0] = b[bytes] = 1;
	assert_int_equal(
	    paillier_cipher_decode(pub, b, 2 * bytes - 1, 2, &c), ERR_FORMAT);
	assert_int_equal(
	    paillier_cipher_decode(pub, b, 2 * bytes, 3, &c), ERR_FORMAT);
	assert_int_equal(
	    paillier_cipher_decode(pub, b, 2 * bytes, SIZE_MAX / 8, &c),
	    ERR_FORMAT);
	assert_null(c);
	assert_int_equal(paillier_cipher_decode(pub, b, 2 * bytes, 2, &c), 0);
	bigvec_free(c);
	free(b);
}

static void
ciphertexts_sharing_a_factor_with_n_are_refused(void **state)
{
	struct bigvec *c, *m;
	struct multiexp *me;

	(void)state;
	assert_int_equal(bigvec_new(1, paillier_cipher_limbs(pub), &c), 0);
	memcpy(c->v, paillier_n(pub), paillier_cipher_bytes(pub) / 2);
	assert_int_equal(multiexp_new(pub, c, pool, &me), ERR_FORMAT);
	assert_null(me);
	assert_int_equal(paillier_decrypt(key, c, pool, &m), ERR_FORMAT);
	assert_null(m);
	bigvec_free(c);
}

static void
bad_public_keys_are_refused(void **state)
{
	struct buf b = BUF_INIT;
	struct paillier_pub *p;
	size_t i, n_bytes = BITS / 8;

	(void)state;
	paillier_pub_encode(paillier_key_pub(key), &b);
	for (i = 0; i < b.len; i += 37)
		assert_int_equal(
		    paillier_pub_decode(b.data, i, &p), ERR_FORMAT);
	b.data[4] ^= 1; /* n is even */
	assert_int_equal(paillier_pub_decode(b.data, b.len, &p), ERR_FORMAT);
	b.data[4] ^= 1;
	b.data[4 + n_bytes - 1] &= 0x7f; /* n is short */
	assert_int_equal(paillier_pub_decode(b.data, b.len, &p), ERR_FORMAT);
	b.data[4 + n_bytes - 1] |= (char)0x80;
	memset(b.data + 4 + n_bytes, 0xff, 2 * n_bytes);
	assert_int_equal(paillier_pub_decode(b.data, b.len, &p), ERR_FORMAT);
	memset(b.data + 4 + n_bytes, 0, 2 * n_bytes);
	b.data[4 + n_bytes] = 1; /* hs = 1 hides nothing */
	assert_int_equal(paillier_pub_decode(b.data, b.len, &p), ERR_FORMAT);
	memcpy(b.data + 4 + n_bytes, b.data + 4, n_bytes);
	assert_int_equal(paillier_pub_decode(b.data, b.len, &p), ERR_FORMAT);
	b.data[0] = 1; /* an odd length */
	assert_int_equal(paillier_pub_decode(b.data, b.len, &p), ERR_FORMAT);
	assert_null(p);
	buf_fini(&b);
}

static void
odd_key_lengths_are_refused(void **state)
{
	struct paillier_key *k;

	(void)state;
	assert_int_equal(paillier_generate(512, &k), ERR_INVALID);
	assert_int_equal(paillier_generate(2047, &k), ERR_INVALID);
	assert_int_equal(paillier_generate(16384, &k), ERR_INVALID);
	assert_null(k);
}

/* --- fixed point ------------------------------------------------------------ */

static void
values_that_do_not_fit_are_refused(void **state)
{
	mp_limb_t v[BITS / 64];
	size_t nl = paillier_plain_limbs(pub);
	const mp_limb_t *n = paillier_n(pub);
	double x;
	int64_t k;

	(void)state;
	assert_int_equal(fixed_encode(NAN, 20, 80, n, nl, v), ERR_LIMIT);
	assert_int_equal(fixed_encode(INFINITY, 20, 80, n, nl, v), ERR_LIMIT);
	assert_int_equal(fixed_encode(0x1p60, 20, 80, n, nl, v), ERR_LIMIT);
	assert_int_equal(fixed_encode(-0x1p59, 20, 80, n, nl, v), 0);
	assert_int_equal(fixed_decode(v, 20, 79, n, nl, &x), ERR_LIMIT);
	assert_int_equal(fixed_decode(v, 20, 80, n, nl, &x), 0);
	assert_true(x == -0x1p59);
	assert_int_equal(fixed_encode(1, 20, BITS, n, nl, v), ERR_LIMIT);
	assert_int_equal(fixed_int(0x1p39, 23, &k), ERR_LIMIT);
	assert_int_equal(fixed_int(NAN, 23, &k), ERR_LIMIT);
	assert_int_equal(fixed_int(-0x1p38, 23, &k), 0);
	assert_true(k == -(1LL << 61));
	assert_int_equal(fixed_int(1.5, 0, &k), 0);
	assert_true(k == 2);
}

static void
bits_of_sums_are_counted(void **state)
{
	(void)state;
	assert_int_equal(fixed_dot_bits(10, 20, 1), 30);
	assert_int_equal(fixed_dot_bits(10, 20, 2), 31);
	assert_int_equal(fixed_dot_bits(10, 20, 569), 40);
	assert_true(fixed_fits(1022, 1024));
	assert_false(fixed_fits(1023, 1024));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_encrypted_comes_back),
		cmocka_unit_test(two_encryptions_of_a_value_differ),
		cmocka_unit_test(sums_of_ciphertexts_are_sums),
		cmocka_unit_test(adding_zero_afresh_changes_the_bytes_only),
		cmocka_unit_test(multiples_have_the_sign_of_the_factor),
		cmocka_unit_test(a_uniform_mask_comes_off_again),
		cmocka_unit_test(multiexp_equals_sums_of_multiples),
		cmocka_unit_test(multiexp_equals_the_naive_product),
		cmocka_unit_test(exponents_of_more_than_62_bits_are_refused),
		cmocka_unit_test(bad_ciphertexts_are_refused),
		cmocka_unit_test(
		    ciphertexts_sharing_a_factor_with_n_are_refused),
		cmocka_unit_test(bad_public_keys_are_refused),
		cmocka_unit_test(odd_key_lengths_are_refused),
		cmocka_unit_test(values_that_do_not_fit_are_refused),
		cmocka_unit_test(bits_of_sums_are_counted),
	};

	return cmocka_run_group_tests(tests, make_key, drop_key);
}
