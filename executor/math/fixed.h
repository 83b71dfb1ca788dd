/*
 * Fixed-point numbers in the plaintexts of an additive cipher.
 *
 * A value x with f fraction bits stands as round(x * 2^f) modulo n, negative
 * ones as n - |x|.  f belongs to the message, not to the number, so nothing
 * about a number's size shows.  What is added and multiplied later must fit:
 * the helpers below count bits (sign apart), fixed_fits() decides.
 */
#ifndef EXECUTOR_MATH_FIXED_H
#define EXECUTOR_MATH_FIXED_H

#include <gmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * x at out (limbs limbs, modulo n).  ERR_LIMIT when x is not finite or
 * |x| * 2^frac_bits does not stay below 2^value_bits.
 */
int fixed_encode(double x, unsigned frac_bits, unsigned value_bits,
    const mp_limb_t *n, size_t limbs, mp_limb_t *out);

/*
 * The value at v, which must be below n.  ERR_LIMIT when it needs
 * value_bits or more bits: the sender or an overflow is to blame.
 */
int fixed_decode(const mp_limb_t *v, unsigned frac_bits, unsigned value_bits,
    const mp_limb_t *n, size_t limbs, double *out);

/* round(x * 2^frac_bits) as a small integer; ERR_LIMIT at 2^62. */
#define FIXED_INT_BITS 62
int fixed_int(double x, unsigned frac_bits, int64_t *out);

/* Bits of a sum of terms products of a_bits and b_bits bits. */
unsigned fixed_dot_bits(unsigned a_bits, unsigned b_bits, size_t terms);
/* Whether signed values of value_bits bits fit modulo a modulus_bits n. */
bool fixed_fits(unsigned value_bits, unsigned modulus_bits);

#endif
