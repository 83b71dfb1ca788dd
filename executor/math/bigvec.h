/*
 * Vectors of non-negative integers of one width: limbs in one block, least
 * significant first.  Plaintexts of a Paillier key have the width of n,
 * ciphertexts that of n squared.
 */
#ifndef EXECUTOR_MATH_BIGVEC_H
#define EXECUTOR_MATH_BIGVEC_H

#include <gmp.h>
#include <stddef.h>

#include "lib/base/buf.h"

struct bigvec {
	size_t count;
	size_t limbs; /* of each element */
	mp_limb_t *v;
};

/*
 * count zeroes of limbs limbs each.  ERR_NOMEM when they cannot be had.
 * *out is the caller's, NULL on error.
 */
int bigvec_new(size_t count, size_t limbs, struct bigvec **out);
void bigvec_free(struct bigvec *);	/* NULL is fine */
void bigvec_wipe_free(struct bigvec *); /* for secrets; NULL is fine */

static inline mp_limb_t *
bigvec_at(const struct bigvec *b, size_t i)
{
	return b->v + i * b->limbs;
}

static inline size_t
bigvec_bytes(const struct bigvec *b)
{
	return b->count * b->limbs * sizeof(mp_limb_t);
}

/* Append every element, little-endian, limbs * 8 bytes each. */
void bigvec_encode(const struct bigvec *, struct buf *out);

/*
 * count elements from exactly len bytes, each in [min, bound) where bound
 * has limbs limbs and min is 0 or 1.  Data comes from a partner.
 * Errors: ERR_FORMAT (wrong length, element out of range), ERR_NOMEM.
 */
int bigvec_decode(const void *data, size_t len, size_t count,
    const mp_limb_t *bound, size_t limbs, int min, struct bigvec **out);

/* x reduced to limbs limbs at p; x must be in [0, 2^(64 limbs)). */
void limbs_from_mpz(mp_limb_t *p, size_t limbs, const mpz_t x);
void limbs_to_mpz(mpz_t x, const mp_limb_t *p, size_t limbs);

#endif
