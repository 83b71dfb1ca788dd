/*
 * Montgomery arithmetic on GMP's limb functions.  Under the Paillier
 * encryption tables and the multi-exponentiation; operands are ciphertexts,
 * so no effort is made to hide them in time.
 */
#include "executor/math/mont.h"

#include <string.h>

#include "executor/math/bigvec.h"
#include "lib/base/err.h"

int
mont_init(struct mont *mt, const mpz_t m)
{
	mpz_t t;
	mp_limb_t x, m0;
	int i;

	memset(mt, 0, sizeof(*mt));
	mt->limbs = mpz_size(m);
	if (mpz_cmp_ui(m, 3) < 0 || mpz_even_p(m) || mt->limbs > MONT_LIMBS_MAX)
		return err_set(ERR_INVALID,
		    "a modulus must be odd and of at most %d bits",
		    MONT_LIMBS_MAX * 64);
	limbs_from_mpz(mt->m, mt->limbs, m);
	/* Newton: each step doubles the bits of 1/m0 that are right. */
	m0 = mt->m[0];
	for (x = m0, i = 0; i < 6; i++)
		x *= 2 - m0 * x;
	mt->ninv = -x;
	mpz_init(t);
	mpz_setbit(t, mt->limbs * 64);
	mpz_mod(t, t, m);
	limbs_from_mpz(mt->one, mt->limbs, t);
	mpz_mul(t, t, t);
	mpz_mod(t, t, m);
	limbs_from_mpz(mt->rr, mt->limbs, t);
	mpz_clear(t);
	return 0;
}

/* r = t / R mod m, t of 2 * limbs limbs is destroyed. */
static void
reduce(const struct mont *mt, mp_limb_t *r, mp_limb_t *t)
{
	mp_size_t n = (mp_size_t)mt->limbs, i;
	mp_limb_t carry;

	/* Row i clears t[i]; its carry belongs at i + n and waits in t[i]. */
	for (i = 0; i < n; i++)
		t[i] = mpn_addmul_1(t + i, mt->m, n, t[i] * mt->ninv);
	carry = mpn_add_n(r, t + n, t, n);
	if (carry != 0 || mpn_cmp(r, mt->m, n) >= 0)
		mpn_sub_n(r, r, mt->m, n);
}

void
mont_mul(
    const struct mont *mt, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b)
{
	mp_limb_t t[2 * MONT_LIMBS_MAX];

	mpn_mul_n(t, a, b, (mp_size_t)mt->limbs);
	reduce(mt, r, t);
}

void
mont_sqr(const struct mont *mt, mp_limb_t *r, const mp_limb_t *a)
{
	mp_limb_t t[2 * MONT_LIMBS_MAX];

	mpn_sqr(t, a, (mp_size_t)mt->limbs);
	reduce(mt, r, t);
}

void
mont_from_plain(const struct mont *mt, mp_limb_t *r, const mp_limb_t *a)
{
	mont_mul(mt, r, a, mt->rr);
}

void
mont_to_plain(const struct mont *mt, mp_limb_t *r, const mp_limb_t *a)
{
	mp_limb_t t[2 * MONT_LIMBS_MAX];

	memcpy(t, a, mt->limbs * sizeof(*t));
	memset(t + mt->limbs, 0, mt->limbs * sizeof(*t));
	reduce(mt, r, t);
}

/* r = 1 / a in Montgomery form. */
static int
invert(const struct mont *mt, mp_limb_t *r, const mp_limb_t *a)
{
	mpz_t x, m;
	int ok;

	mpz_inits(x, m, NULL);
	limbs_to_mpz(x, a, mt->limbs);
	limbs_to_mpz(m, mt->m, mt->limbs);
	if ((ok = mpz_invert(x, x, m)) != 0) {
		/* 1/(aR); two factors R^2/R bring it to R/a. */
		limbs_from_mpz(r, mt->limbs, x);
		mont_mul(mt, r, r, mt->rr);
		mont_mul(mt, r, r, mt->rr);
	}
	mpz_clears(x, m, NULL);
	return ok ? 0 : err_set(ERR_FORMAT, "a number has no inverse");
}

int
mont_invert_all(
    const struct mont *mt, mp_limb_t *inv, const mp_limb_t *a, size_t count)
{
	mp_limb_t acc[MONT_LIMBS_MAX];
	size_t n = mt->limbs, i;
	int r;

	if (count == 0)
		return 0;
	/* inv[i] first holds the product of all before i. */
	memcpy(acc, mt->one, n * sizeof(*acc));
	for (i = 0; i < count; i++) {
		memcpy(inv + i * n, acc, n * sizeof(*acc));
		mont_mul(mt, acc, acc, a + i * n);
	}
	if ((r = invert(mt, acc, acc)) != 0)
		return r;
	for (i = count; i-- > 0;) {
		mont_mul(mt, inv + i * n, inv + i * n, acc);
		mont_mul(mt, acc, acc, a + i * n);
	}
	return 0;
}
