/*
 * Numbers modulo 2^64.  Used by additive sharing and secure aggregation.
 */
#include "executor/math/ring.h"

#include <math.h>
#include <sodium.h>

#include "lib/base/err.h"

int
ring_encode(double x, unsigned frac, unsigned bits, uint64_t *out)
{
	double scaled = ldexp(x, (int)frac);

	*out = 0;
	if (!(fabs(scaled) < ldexp(1, (int)bits)))
		return err_set(ERR_LIMIT,
		    "%g does not fit into %u bits with "
		    "%u for its fraction",
		    x, bits, frac);
	*out = (uint64_t)(int64_t)rint(scaled);
	return 0;
}

double
ring_decode(uint64_t v, unsigned frac)
{
	return ldexp((double)(int64_t)v, -(int)frac);
}

void
ring_random(uint64_t *v, size_t n)
{
	randombytes_buf(v, n * sizeof(*v));
}

uint64_t
ring_sum(const uint64_t *v, size_t n)
{
	uint64_t s = 0;
	size_t i;

	for (i = 0; i < n; i++)
		s += v[i];
	return s;
}

void
ring_add(uint64_t *to, const uint64_t *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] += v[i];
}
