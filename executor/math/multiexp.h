/*
 * Many products of powers of the same bases: out_j = prod_i base_i^x_ij.
 *
 * On Paillier ciphertexts that is the product of a matrix of small integers
 * with an encrypted vector, which is what gradients are made of.  Buckets
 * after Pippenger (1976; see Bernstein, Doumen, Lange, Oosterwijk 2012) with
 * signed digits: inverses of the bases are had for three products each.
 */
#ifndef EXECUTOR_MATH_MULTIEXP_H
#define EXECUTOR_MATH_MULTIEXP_H

#include <stddef.h>
#include <stdint.h>

#include "executor/math/paillier.h"

struct multiexp;

/*
 * Prepare the ciphertexts as bases; they are not needed afterwards.
 * Errors: ERR_FORMAT when one has no inverse, ERR_NOMEM.
 */
int multiexp_new(const struct paillier_pub *, const struct bigvec *bases,
    struct parallel *pool, struct multiexp **out);
void multiexp_free(struct multiexp *); /* NULL is fine */

/*
 * One ciphertext for each of cols columns.  x holds the columns one after
 * the other, each with one exponent per base, |x| < 2^62.  The results carry
 * no fresh randomness: add some before one leaves (paillier_add_fresh).
 */
int multiexp_run(const struct multiexp *, const int64_t *x, size_t cols,
    struct parallel *pool, struct bigvec **out);

/* Products modulo n^2 that the last call on any object took, for benches. */
uint64_t multiexp_products(void);

#endif
