/*
 * Encoding of vectors modulo 2^64.  Used by SecureAddExample and the secure
 * aggregation.
 */
#include "executor/components/ring_wire.h"

#include <endian.h>
#include <string.h>

#include "lib/base/err.h"

#define VERSION 1
#define KIND 'R'

static void
put32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_append(b, &v, sizeof(v));
}

static uint32_t
get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

void
ring_put(struct buf *b, const uint64_t *v, size_t n, unsigned frac)
{
	uint64_t le;
	size_t i;

	buf_putc(b, VERSION);
	buf_putc(b, KIND);
	buf_append(b, "\0\0", 2);
	put32(b, (uint32_t)n);
	put32(b, frac);
	for (i = 0; i < n; i++) {
		le = htole64(v[i]);
		buf_append(b, &le, sizeof(le));
	}
}

int
ring_count(const void *data, size_t size, size_t *out)
{
	const unsigned char *p = data;

	*out = 0;
	if (size < RING_WIRE_HEADER || p[0] != VERSION || p[1] != KIND ||
	    p[2] != 0 || p[3] != 0)
		return err_set(ERR_FORMAT,
		    "%zu bytes that are no vector of "
		    "version %d",
		    size, VERSION);
	if (size != RING_WIRE_SIZE(get32(p + 4)))
		return err_set(
		    ERR_FORMAT, "%zu bytes for %u items", size, get32(p + 4));
	*out = get32(p + 4);
	return 0;
}

int
ring_get(
    const void *data, size_t size, size_t count, unsigned frac, uint64_t *out)
{
	const unsigned char *p = data;
	size_t i, n;
	int r;

	if ((r = ring_count(data, size, &n)) != 0)
		return r;
	if (n != count)
		return err_set(
		    ERR_FORMAT, "%zu items where %zu are due", n, count);
	if (get32(p + 8) != frac)
		return err_set(ERR_FORMAT,
		    "numbers with %u fraction bits "
		    "where %u are due",
		    get32(p + 8), frac);
	memcpy(out, p + RING_WIRE_HEADER, count * sizeof(*out));
	for (i = 0; i < count; i++)
		out[i] = le64toh(out[i]);
	return 0;
}
