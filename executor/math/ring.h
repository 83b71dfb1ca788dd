/*
 * Fixed-point numbers modulo 2^64, the ring in which vectors are shared and
 * masked: uniform elements hide a number perfectly, and sums come out right
 * as long as the sum itself fits.
 *
 * A value x with f fraction bits stands as round(x * 2^f) modulo 2^64,
 * negative ones in two's complement.  f belongs to the message.
 */
#ifndef EXECUTOR_MATH_RING_H
#define EXECUTOR_MATH_RING_H

#include <stddef.h>
#include <stdint.h>

/*
 * ERR_LIMIT when x is not finite or |x| * 2^frac is not below 2^bits, bits at
 * most 63.  Callers choose bits so that sums stay below 2^63.
 */
int ring_encode(double x, unsigned frac, unsigned bits, uint64_t *out);
double ring_decode(uint64_t v, unsigned frac);

/* Uniform elements by the kernel's generator. */
void ring_random(uint64_t *v, size_t n);
uint64_t ring_sum(const uint64_t *v, size_t n);
void ring_add(uint64_t *to, const uint64_t *v, size_t n);

#endif
