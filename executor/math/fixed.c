/*
 * Conversion between doubles and fixed-point residues.  Called by the
 * learners around encryption and decryption.
 */
#include "executor/math/fixed.h"

#include <math.h>
#include <sodium.h>
#include <string.h>

#include "executor/math/mont.h"
#include "lib/base/err.h"

/* p += m * 2^shift for a p of zeroes; the caller knows that it fits. */
static void
put_shifted(mp_limb_t *p, size_t limbs, uint64_t m, unsigned shift)
{
	size_t at = shift / 64;
	unsigned low = shift % 64;

	p[at] = m << low;
	if (low > 0 && at + 1 < limbs)
		p[at + 1] = m >> (64 - low);
}

int
fixed_encode(double x, unsigned frac_bits, unsigned value_bits,
    const mp_limb_t *n, size_t limbs, mp_limb_t *out)
{
	double s = ldexp(x, (int)frac_bits), a;
	int e;

	memset(out, 0, limbs * sizeof(*out));
	if (!isfinite(s) || value_bits + 1 >= limbs * 64 ||
	    (a = rint(fabs(s))) >= ldexp(1, (int)value_bits))
		return err_set(ERR_LIMIT,
		    "a value is too big for %u bits; "
		    "are the features scaled?",
		    value_bits);
	if (a < 0x1p53)
		put_shifted(out, limbs, (uint64_t)a, 0);
	else {
		a = frexp(a, &e);
		put_shifted(
		    out, limbs, (uint64_t)ldexp(a, 53), (unsigned)e - 53);
	}
	if (s < 0 && !mpn_zero_p(out, (mp_size_t)limbs))
		mpn_sub_n(out, n, out, (mp_size_t)limbs);
	return 0;
}

/* The bits of v below its highest one; 0 for zero. */
static unsigned
bit_length(const mp_limb_t *v, size_t limbs)
{
	while (limbs > 0 && v[limbs - 1] == 0)
		limbs--;
	if (limbs == 0)
		return 0;
	return (unsigned)(limbs * 64) - (unsigned)__builtin_clzll(v[limbs - 1]);
}

/* The highest 64 bits are more than a double holds. */
static double
to_double(const mp_limb_t *v, unsigned bits, int frac_bits)
{
	uint64_t m;
	size_t at;
	unsigned low;

	if (bits <= 64)
		return ldexp((double)v[0], -frac_bits);
	at = (bits - 64) / 64;
	low = (bits - 64) % 64;
	m = v[at] >> low;
	if (low > 0)
		m |= v[at + 1] << (64 - low);
	return ldexp((double)m, (int)(bits - 64) - frac_bits);
}

int
fixed_decode(const mp_limb_t *v, unsigned frac_bits, unsigned value_bits,
    const mp_limb_t *n, size_t limbs, double *out)
{
	mp_limb_t neg[MONT_LIMBS_MAX];
	const mp_limb_t *p = v;
	unsigned bits;
	int r = 0;

	*out = 0;
	/* The smaller of v and n - v is the magnitude. */
	mpn_sub_n(neg, n, v, (mp_size_t)limbs);
	if (mpn_cmp(neg, v, (mp_size_t)limbs) < 0)
		p = neg;
	bits = bit_length(p, limbs);
	if (bits > value_bits)
		r = err_set(ERR_LIMIT,
		    "a decrypted value of %u bits where at "
		    "most %u can be",
		    bits, value_bits);
	else {
		*out = to_double(p, bits, (int)frac_bits);
		if (p == neg)
			*out = -*out;
	}
	sodium_memzero(neg, limbs * sizeof(*neg));
	return r;
}

int
fixed_int(double x, unsigned frac_bits, int64_t *out)
{
	double s = rint(ldexp(x, (int)frac_bits));

	*out = 0;
	if (!isfinite(s) || fabs(s) >= ldexp(1, FIXED_INT_BITS))
		return err_set(ERR_LIMIT,
		    "a value is too big for fixed point "
		    "with %u fraction bits; are the features scaled?",
		    frac_bits);
	*out = (int64_t)s;
	return 0;
}

unsigned
fixed_dot_bits(unsigned a_bits, unsigned b_bits, size_t terms)
{
	unsigned log = 0;

	while (log < 63 && ((size_t)1 << log) < terms)
		log++;
	return a_bits + b_bits + log;
}

bool
fixed_fits(unsigned value_bits, unsigned modulus_bits)
{
	return value_bits + 2 <= modulus_bits;
}
