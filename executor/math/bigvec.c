/*
 * Vectors of big integers and their bytes.  Used by the Paillier code and by
 * the messages of components that carry ciphertexts.
 */
#include "executor/math/bigvec.h"

#include <assert.h>
#include <endian.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

/* The byte order of messages is that of the limbs in memory. */
#if __BYTE_ORDER != __LITTLE_ENDIAN
#error "ciphertexts are copied as little-endian limbs"
#endif
_Static_assert(
    sizeof(mp_limb_t) == 8 && GMP_NAIL_BITS == 0, "64-bit limbs without nails");

int
bigvec_new(size_t count, size_t limbs, struct bigvec **out)
{
	struct bigvec *b;
	size_t n;

	*out = NULL;
	if (__builtin_mul_overflow(count, limbs, &n))
		return err_set(ERR_NOMEM, "%zu numbers are too many", count);
	b = xcalloc(1, sizeof(*b));
	b->count = count;
	b->limbs = limbs;
	if ((b->v = mem_array(n == 0 ? 1 : n, sizeof(mp_limb_t))) == NULL) {
		free(b);
		return err_code();
	}
	*out = b;
	return 0;
}

void
bigvec_free(struct bigvec *b)
{
	if (b == NULL)
		return;
	free(b->v);
	free(b);
}

void
bigvec_wipe_free(struct bigvec *b)
{
	if (b != NULL)
		sodium_memzero(b->v, bigvec_bytes(b));
	bigvec_free(b);
}

void
bigvec_encode(const struct bigvec *b, struct buf *out)
{
	buf_append(out, b->v, bigvec_bytes(b));
}

int
bigvec_decode(const void *data, size_t len, size_t count,
    const mp_limb_t *bound, size_t limbs, int min, struct bigvec **out)
{
	struct bigvec *b;
	size_t i, want;
	int r;

	*out = NULL;
	if (__builtin_mul_overflow(count, limbs * sizeof(mp_limb_t), &want) ||
	    len != want)
		return err_set(ERR_FORMAT,
		    "%zu bytes where %zu numbers of "
		    "%zu bytes should be",
		    len, count, limbs * sizeof(mp_limb_t));
	if ((r = bigvec_new(count, limbs, &b)) != 0)
		return r;
	if (len > 0)
		memcpy(b->v, data, len);
	for (i = 0; i < count; i++) {
		if (mpn_cmp(bigvec_at(b, i), bound, (mp_size_t)limbs) < 0 &&
		    (min == 0 ||
			!mpn_zero_p(bigvec_at(b, i), (mp_size_t)limbs)))
			continue;
		bigvec_free(b);
		return err_set(ERR_FORMAT, "number %zu is out of range", i);
	}
	*out = b;
	return 0;
}

void
limbs_from_mpz(mp_limb_t *p, size_t limbs, const mpz_t x)
{
	size_t n = mpz_size(x);

	assert(mpz_sgn(x) >= 0 && n <= limbs);
	if (n > 0)
		memcpy(p, mpz_limbs_read(x), n * sizeof(*p));
	memset(p + n, 0, (limbs - n) * sizeof(*p));
}

void
limbs_to_mpz(mpz_t x, const mp_limb_t *p, size_t limbs)
{
	mpz_import(x, limbs, -1, sizeof(*p), 0, 0, p);
}
