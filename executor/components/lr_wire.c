/*
 * Encoding of the learners' messages.  Used by the guest's, host's and
 * arbiter's halves; everything read here comes from another site.
 */
#include "executor/components/lr_wire.h"

#include <endian.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

#define VERSION 1

enum kind {
	KIND_KEY = 1,
	KIND_CIPHERS,
	KIND_PLAINS,
	KIND_NUMBERS,
	KIND_PLACES,
	KIND_FLAG,
	KIND_PLAN,
	KIND_SAMPLES
};

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

static void
put_header(struct buf *b, enum kind kind, size_t count, unsigned frac)
{
	buf_putc(b, VERSION);
	buf_putc(b, (char)kind);
	buf_append(b, "\0\0", 2);
	put32(b, (uint32_t)count);
	put32(b, frac);
}

/* Header against expectation; *count is what it says. */
static int
get_header(const void *data, size_t size, enum kind kind, unsigned frac,
    uint32_t *count)
{
	const unsigned char *p = data;

	*count = 0;
	if (size < LR_HEADER)
		return err_set(ERR_FORMAT, "a message of %zu bytes", size);
	if (p[0] != VERSION || p[2] != 0 || p[3] != 0)
		return err_set(ERR_FORMAT,
		    "a message of version %d, known "
		    "is %d",
		    p[0], VERSION);
	if (p[1] != kind)
		return err_set(ERR_FORMAT,
		    "a message of kind %d where %d is "
		    "due",
		    p[1], (int)kind);
	if (get32(p + 8) != frac)
		return err_set(ERR_FORMAT,
		    "numbers with %u fraction bits "
		    "where %u are due",
		    get32(p + 8), frac);
	*count = get32(p + 4);
	return 0;
}

/* A list of exactly want items of item_size bytes. */
static int
get_list(const void *data, size_t size, enum kind kind, unsigned frac,
    size_t want, size_t item_size)
{
	uint32_t count;
	int r;

	if ((r = get_header(data, size, kind, frac, &count)) != 0)
		return r;
	if (count != want)
		return err_set(
		    ERR_FORMAT, "%u items where %zu are due", count, want);
	if ((size - LR_HEADER) / item_size != want ||
	    (size - LR_HEADER) % item_size != 0)
		return err_set(ERR_FORMAT, "%zu bytes for %zu items",
		    size - LR_HEADER, want);
	return 0;
}

static const unsigned char *
payload(const void *data)
{
	return (const unsigned char *)data + LR_HEADER;
}

void
lr_put_key(struct buf *b, const struct paillier_pub *pub)
{
	put_header(b, KIND_KEY, 1, 0);
	paillier_pub_encode(pub, b);
}

int
lr_get_key(const void *data, size_t size, struct paillier_pub **out)
{
	uint32_t count;
	int r;

	*out = NULL;
	if ((r = get_header(data, size, KIND_KEY, 0, &count)) != 0)
		return r;
	if (count != 1)
		return err_set(ERR_FORMAT, "%u keys where one is due", count);
	return paillier_pub_decode(payload(data), size - LR_HEADER, out);
}

void
lr_put_ciphers(struct buf *b, const struct bigvec *v, unsigned frac)
{
	put_header(b, KIND_CIPHERS, v->count, frac);
	bigvec_encode(v, b);
}

size_t
lr_ciphers_size(const struct paillier_pub *pub, size_t count)
{
	return LR_HEADER + count * paillier_cipher_bytes(pub);
}

int
lr_get_ciphers(const void *data, size_t size, const struct paillier_pub *pub,
    size_t count, unsigned frac, struct bigvec **out)
{
	int r;

	*out = NULL;
	if ((r = get_list(data, size, KIND_CIPHERS, frac, count,
		 paillier_cipher_bytes(pub))) != 0)
		return r;
	return paillier_cipher_decode(
	    pub, payload(data), size - LR_HEADER, count, out);
}

void
lr_put_plains(struct buf *b, const struct bigvec *v)
{
	put_header(b, KIND_PLAINS, v->count, 0);
	bigvec_encode(v, b);
}

size_t
lr_plains_size(const struct paillier_pub *pub, size_t count)
{
	return LR_HEADER +
	       count * paillier_plain_limbs(pub) * sizeof(mp_limb_t);
}

int
lr_get_plains(const void *data, size_t size, const struct paillier_pub *pub,
    size_t count, struct bigvec **out)
{
	int r;

	*out = NULL;
	if ((r = get_list(data, size, KIND_PLAINS, 0, count,
		 paillier_plain_limbs(pub) * sizeof(mp_limb_t))) != 0)
		return r;
	return paillier_plain_decode(
	    pub, payload(data), size - LR_HEADER, count, out);
}

void
lr_put_numbers(struct buf *b, const double *v, size_t n)
{
	put_header(b, KIND_NUMBERS, n, 0);
	buf_append(b, v, n * sizeof(*v));
}

int
lr_get_numbers(const void *data, size_t size, size_t count, double *out)
{
	size_t i;
	int r;

	if ((r = get_list(data, size, KIND_NUMBERS, 0, count, sizeof(*out))) !=
	    0)
		return r;
	memcpy(out, payload(data), count * sizeof(*out));
	for (i = 0; i < count; i++)
		if (!isfinite(out[i]))
			return err_set(
			    ERR_FORMAT, "number %zu is not finite", i);
	return 0;
}

void
lr_put_places(struct buf *b, const uint32_t *v, size_t n)
{
	size_t i;

	put_header(b, KIND_PLACES, n, 0);
	for (i = 0; i < n; i++)
		put32(b, v[i]);
}

static int
check_places(const uint32_t *v, size_t n, uint32_t bound)
{
	bool *seen = mem_array((size_t)bound + 1, sizeof(*seen));
	size_t i;
	int r = 0;

	if (seen == NULL)
		return err_code();
	for (i = 0; i < n && r == 0; i++) {
		if (v[i] >= bound || seen[v[i]])
			r = err_set(ERR_FORMAT,
			    "place %u of %u is listed "
			    "wrongly or twice",
			    v[i], bound);
		else
			seen[v[i]] = true;
	}
	free(seen);
	return r;
}

int
lr_get_places(
    const void *data, size_t size, uint32_t bound, size_t count, uint32_t **out)
{
	uint32_t *v;
	size_t i;
	int r;

	*out = NULL;
	if ((r = get_list(data, size, KIND_PLACES, 0, count, sizeof(*v))) != 0)
		return r;
	if ((v = mem_array(count + 1, sizeof(*v))) == NULL)
		return err_code();
	for (i = 0; i < count; i++)
		v[i] = get32(payload(data) + i * sizeof(*v));
	if ((r = check_places(v, count, bound)) != 0) {
		free(v);
		return r;
	}
	*out = v;
	return 0;
}

void
lr_put_flag(struct buf *b, bool flag)
{
	put_header(b, KIND_FLAG, 1, 0);
	buf_putc(b, flag);
}

int
lr_get_flag(const void *data, size_t size, bool *out)
{
	int r;

	*out = false;
	if ((r = get_list(data, size, KIND_FLAG, 0, 1, 1)) != 0)
		return r;
	if (*payload(data) > 1)
		return err_set(ERR_FORMAT, "a flag of %d", *payload(data));
	*out = *payload(data) == 1;
	return 0;
}

void
lr_put_plan(struct buf *b, const struct lr_plan *p)
{
	put_header(b, KIND_PLAN, 1, 0);
	put32(b, p->rows);
	put32(b, p->batch_size);
	put32(b, p->batch_count);
	put32(b, p->list_size);
	put32(b, (p->is_mutable ? 1U : 0) | (p->is_async ? 2U : 0) |
		     (p->has_loss ? 4U : 0));
}

static bool
plan_is_sound(const struct lr_plan *p)
{
	uint32_t batches;

	if (p->rows == 0 || p->rows > LR_ROWS_MAX || p->batch_size == 0 ||
	    p->batch_size > p->rows || p->list_size > p->rows ||
	    (p->list_size != 0 && p->list_size < p->batch_size))
		return false;
	batches = p->is_mutable ? 1 : (p->rows - 1) / p->batch_size + 1;
	return p->batch_count == batches && !(p->is_async && p->list_size != 0);
}

int
lr_get_plan(const void *data, size_t size, struct lr_plan *out)
{
	const unsigned char *p;
	uint32_t flags;
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = get_list(
		 data, size, KIND_PLAN, 0, 1, LR_PLAN_SIZE - LR_HEADER)) != 0)
		return r;
	p = payload(data);
	flags = get32(p + 16);
	*out = (struct lr_plan){ .rows = get32(p),
		.batch_size = get32(p + 4),
		.batch_count = get32(p + 8),
		.list_size = get32(p + 12),
		.is_mutable = flags & 1,
		.is_async = flags & 2,
		.has_loss = flags & 4 };
	if (flags > 7 || !plan_is_sound(out))
		return err_set(ERR_FORMAT,
		    "batches of %u of %u rows make no "
		    "sense",
		    out->batch_size, out->rows);
	return 0;
}

uint32_t
lr_plan_list(const struct lr_plan *p, uint32_t batch)
{
	return p->list_size != 0 ? p->list_size : lr_plan_rows(p, batch);
}

uint32_t
lr_plan_rows(const struct lr_plan *p, uint32_t batch)
{
	uint32_t left;

	if (p->is_mutable)
		return p->batch_size;
	left = p->rows - batch * p->batch_size;
	return left < p->batch_size ? left : p->batch_size;
}

void
lr_put_samples(struct buf *b, const unsigned char key[LR_DIGEST_KEY],
    const unsigned char *digests, size_t n)
{
	put_header(b, KIND_SAMPLES, n, 0);
	buf_append(b, key, LR_DIGEST_KEY);
	buf_append(b, digests, n * LR_DIGEST);
}

int
lr_get_samples(const void *data, size_t size, const unsigned char **key,
    const unsigned char **digests, size_t *n)
{
	uint32_t count;
	int r;

	*key = *digests = NULL;
	*n = 0;
	if ((r = get_header(data, size, KIND_SAMPLES, 0, &count)) != 0)
		return r;
	if (count > LR_ROWS_MAX ||
	    size != LR_HEADER + LR_DIGEST_KEY + (size_t)count * LR_DIGEST)
		return err_set(
		    ERR_FORMAT, "%zu bytes for %u samples", size, count);
	*key = payload(data);
	*digests = *key + LR_DIGEST_KEY;
	*n = count;
	return 0;
}
