/*
 * Multiplication modulo an odd number in Montgomery's form (Montgomery,
 * "Modular multiplication without trial division", 1985): x stands as
 * x * R mod m with R = 2^(64 limbs).  On 4096 bits one product costs about
 * 60 % of a GMP product and division.
 */
#ifndef EXECUTOR_MATH_MONT_H
#define EXECUTOR_MATH_MONT_H

#include <gmp.h>
#include <stddef.h>

#define MONT_LIMBS_MAX 256 /* 16384 bits: n squared of an 8192-bit key */

struct mont {
	size_t limbs;
	mp_limb_t ninv; /* -1/m mod 2^64 */
	mp_limb_t m[MONT_LIMBS_MAX];
	mp_limb_t rr[MONT_LIMBS_MAX];  /* R^2 mod m */
	mp_limb_t one[MONT_LIMBS_MAX]; /* R mod m */
};

/*
 * m must be odd, at least 3, and fill its highest limb's word count: limbs
 * is the count of limbs of m.  ERR_INVALID otherwise.
 */
int mont_init(struct mont *, const mpz_t m);

/* r = a * b / R mod m; operands below m; r may be a or b. */
void mont_mul(
    const struct mont *, mp_limb_t *r, const mp_limb_t *a, const mp_limb_t *b);
void mont_sqr(const struct mont *, mp_limb_t *r, const mp_limb_t *a);
void mont_from_plain(const struct mont *, mp_limb_t *r, const mp_limb_t *a);
void mont_to_plain(const struct mont *, mp_limb_t *r, const mp_limb_t *a);

/*
 * inv[i] = 1 / a[i] for count elements in Montgomery form at distance limbs,
 * with one inversion and three products an element (Montgomery 1987).
 * inv and a must not overlap.  ERR_FORMAT when one has no inverse.
 */
int mont_invert_all(
    const struct mont *, mp_limb_t *inv, const mp_limb_t *a, size_t count);

#endif
