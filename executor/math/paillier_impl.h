/*
 * What paillier.c and paillier_key.c share; nobody else looks inside keys.
 */
#ifndef EXECUTOR_MATH_PAILLIER_IMPL_H
#define EXECUTOR_MATH_PAILLIER_IMPL_H

#include <stdbool.h>

#include "executor/math/paillier.h"

struct paillier_pub {
	unsigned bits;	 /* of n */
	size_t nl, cl;	 /* limbs of n and of n^2 */
	unsigned r_bits; /* of the random exponent */
	mpz_t n, n2, hs;
	mp_limb_t n_limbs[MONT_LIMBS_MAX / 2];
	struct mont mont; /* modulo n^2 */
	mp_limb_t *table; /* NULL until prepared */
};

/* Takes copies; the numbers have been checked by the caller. */
int paillier_pub_new(
    unsigned bits, const mpz_t n, const mpz_t hs, struct paillier_pub **out);

#endif
