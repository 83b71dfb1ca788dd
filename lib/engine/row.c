/*
 * Encoding and decoding of rows.  Called by storage.c for every row written
 * and read; what is decoded may come from a damaged or hostile file.
 */
#include "lib/engine/row.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"

enum {
	HEAD = 4,
	FLAGS_ALL = 31,
	PAIR = sizeof(uint32_t) + sizeof(double), /* of a sparse row */
};

static void
put_u16(struct buf *out, size_t v)
{
	uint16_t x = htole16((uint16_t)v);

	buf_append(out, &x, sizeof(x));
}

static void
put_u32(struct buf *out, uint32_t v)
{
	uint32_t x = htole32(v);

	buf_append(out, &x, sizeof(x));
}

static void
put_double(struct buf *out, double v)
{
	uint64_t x;

	memcpy(&x, &v, sizeof(x));
	x = htole64(x);
	buf_append(out, &x, sizeof(x));
}

static int
put_text(struct buf *out, struct span s, const char *what)
{
	if (s.len > UINT16_MAX)
		return err_set(ERR_FORMAT,
		    "%s has %zu bytes, at most %d are "
		    "possible",
		    what, s.len, UINT16_MAX);
	put_u16(out, s.len);
	buf_append(out, s.data, s.len);
	return 0;
}

static int
put_label(struct buf *out, const struct row *row)
{
	if (row->flags & ROW_LABEL)
		put_double(out, row->label);
	if (row->flags & ROW_LABEL_TEXT)
		return put_text(out, row->label_text, "the label");
	return 0;
}

/* Is it worth it? Count what is not 0; NaN is not. */
static bool
is_sparse(const struct row *row, uint32_t *n)
{
	uint32_t i;

	*n = 0;
	if (!(row->flags & ROW_SPARSE) || row->kind != ROW_DENSE)
		return false;
	for (i = 0; i < row->n_values; i++)
		*n += row->values[i] != 0;
	return (uint64_t)*n * PAIR + sizeof(uint32_t) <
	       (uint64_t)row->n_values * sizeof(double);
}

static void
put_values(struct buf *out, const struct row *row, bool sparse, uint32_t n)
{
	uint32_t i;

	put_u32(out, row->n_values);
	if (!sparse) {
		for (i = 0; i < row->n_values; i++)
			put_double(out, row->values[i]);
		return;
	}
	put_u32(out, n);
	for (i = 0; i < row->n_values; i++)
		if (row->values[i] != 0)
			put_u32(out, i);
	for (i = 0; i < row->n_values; i++)
		if (row->values[i] != 0)
			put_double(out, row->values[i]);
}

static int
encode_dense(struct buf *out, const struct row *row, bool sparse, uint32_t n)
{
	int r;

	if ((r = put_label(out, row)) != 0)
		return r;
	if (row->flags & ROW_WEIGHT)
		put_double(out, row->weight);
	if ((row->flags & ROW_MATCH_ID) &&
	    (r = put_text(out, row->match_id, "the match id")) != 0)
		return r;
	put_values(out, row, sparse, n);
	return 0;
}

static int
encode_predict(struct buf *out, const struct row *row)
{
	int r;

	if ((r = put_label(out, row)) != 0)
		return r;
	put_double(out, row->result);
	put_double(out, row->score);
	if ((r = put_text(out, row->type, "the type")) != 0)
		return r;
	buf_append(out, row->detail.data, row->detail.len);
	return 0;
}

int
row_encode(struct buf *out, const struct row *row)
{
	int flags = row->kind == ROW_TEXT ? 0 : row->flags & FLAGS_ALL;
	size_t room =
	    row->kind == ROW_DENSE ? row->n_values * sizeof(double) : 0;
	uint32_t n;
	bool sparse;

	if (row->id.len == 0)
		return err_set(ERR_FORMAT, "the id is empty");
	if (row->id.len > STORAGE_ID_MAX)
		return err_set(ERR_FORMAT,
		    "the id has %zu bytes, at most %d "
		    "are possible",
		    row->id.len, STORAGE_ID_MAX);
	if (row->kind == ROW_DENSE && row->n_values > STORAGE_VALUES_MAX)
		return err_set(ERR_FORMAT, "%u values, at most %d are possible",
		    row->n_values, STORAGE_VALUES_MAX);
	if ((sparse = is_sparse(row, &n)))
		room = (size_t)n * PAIR;
	else
		flags &= ~ROW_SPARSE;
	(void)buf_reserve(out, row->id.len + row->text.len + room + 64);
	buf_putc(out, (char)row->kind);
	buf_putc(out, (char)flags);
	put_u16(out, row->id.len);
	buf_append(out, row->id.data, row->id.len);
	switch (row->kind) {
	case ROW_TEXT:
		buf_append(out, row->text.data, row->text.len);
		return 0;
	case ROW_DENSE:
		return encode_dense(out, row, sparse, n);
	case ROW_PREDICT:
		return encode_predict(out, row);
	}
	return err_set(ERR_INTERNAL, "unknown kind of row %d", (int)row->kind);
}

struct span
row_encoded_id(const char *data, size_t len)
{
	struct span id = { NULL, 0 };
	uint16_t n;

	if (len < HEAD)
		return id;
	memcpy(&n, data + 2, sizeof(n));
	n = le16toh(n);
	if (n > len - HEAD)
		return id;
	id.data = data + HEAD;
	id.len = n;
	return id;
}

/* What is left to decode; bad once something did not fit. */
struct reader {
	const char *p;
	size_t left;
	bool is_bad;
};

static const char *
take(struct reader *r, size_t n)
{
	const char *p = r->p;

	if (r->is_bad || n > r->left) {
		r->is_bad = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static uint16_t
take_u16(struct reader *r)
{
	const char *p = take(r, sizeof(uint16_t));
	uint16_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t
take_u32(struct reader *r)
{
	const char *p = take(r, sizeof(uint32_t));
	uint32_t v = 0;

	if (p != NULL)
		memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static double
take_double(struct reader *r)
{
	const char *p = take(r, sizeof(uint64_t));
	uint64_t x = 0;
	double v;

	if (p != NULL)
		memcpy(&x, p, sizeof(x));
	x = le64toh(x);
	memcpy(&v, &x, sizeof(v));
	return v;
}

static struct span
take_text(struct reader *r)
{
	struct span s = { NULL, 0 };
	size_t n = take_u16(r);

	s.data = take(r, n);
	if (s.data != NULL)
		s.len = n;
	return s;
}

static struct span
take_rest(struct reader *r)
{
	struct span s = { r->p, r->left };

	(void)take(r, r->left);
	return s;
}

static void
take_label(struct reader *r, struct row *out)
{
	if (out->flags & ROW_LABEL)
		out->label = take_double(r);
	if (out->flags & ROW_LABEL_TEXT)
		out->label_text = take_text(r);
}

#if __BYTE_ORDER != __LITTLE_ENDIAN
#error "values and places are stored little-endian: swap them here"
#endif

static int
reserve_values(struct row_scratch *scratch, size_t n)
{
	if (n <= scratch->cap)
		return 0;
	free(scratch->values);
	scratch->cap = 0;
	scratch->is_used = false;
	scratch->n_places = 0;
	if ((scratch->values = calloc(n, sizeof(double))) == NULL)
		return err_set(ERR_NOMEM, "a row of %zu values", n);
	scratch->cap = n;
	return 0;
}

static int
reserve_places(struct row_scratch *scratch, size_t n)
{
	if (n <= scratch->places_cap)
		return 0;
	free(scratch->places);
	scratch->places_cap = 0;
	if ((scratch->places = calloc(n, sizeof(uint32_t))) == NULL)
		return err_set(ERR_NOMEM, "a row of %zu values", n);
	scratch->places_cap = n;
	return 0;
}

static void
clear_values(struct row_scratch *scratch)
{
	size_t i;

	if (scratch->is_used && scratch->cap > 0)
		memset(scratch->values, 0, scratch->cap * sizeof(double));
	else
		for (i = 0; i < scratch->n_places; i++)
			scratch->values[scratch->places[i]] = 0;
	scratch->is_used = false;
	scratch->n_places = 0;
}

static int
take_dense(struct reader *r, struct row_scratch *scratch, struct row *out)
{
	uint32_t n = take_u32(r);
	const char *p = take(r, (size_t)n * sizeof(double));
	int error;

	if (p == NULL)
		return 0; /* is_bad says it */
	if ((error = reserve_values(scratch, n)) != 0)
		return error;
	scratch->is_used = true;
	if (n > 0)
		memcpy(scratch->values, p, (size_t)n * sizeof(double));
	out->values = scratch->values;
	out->n_values = n;
	return 0;
}

static int
take_sparse(struct reader *r, struct row_scratch *scratch, struct row *out)
{
	uint32_t width = take_u32(r), n = take_u32(r), i, at;
	const char *p = take(r, (size_t)n * sizeof(at));
	const char *v = take(r, (size_t)n * sizeof(double));
	int error;

	if (p == NULL || v == NULL)
		return 0; /* is_bad says it */
	if (width > STORAGE_VALUES_MAX || n > width) {
		r->is_bad = true;
		return 0;
	}
	clear_values(scratch);
	if ((error = reserve_values(scratch, width)) != 0 ||
	    (error = reserve_places(scratch, n)) != 0)
		return error;
	for (i = 0; i < n; i++) {
		memcpy(&at, p + i * sizeof(at), sizeof(at));
		if (at >= width || (i > 0 && at <= scratch->places[i - 1])) {
			r->is_bad = true;
			return 0;
		}
		memcpy(&scratch->values[at], v + i * sizeof(double),
		    sizeof(double));
		scratch->places[i] = at;
		scratch->n_places = i + 1;
	}
	out->values = scratch->values;
	out->n_values = width;
	return 0;
}

void
row_scratch_fini(struct row_scratch *scratch)
{
	free(scratch->values);
	free(scratch->places);
	memset(scratch, 0, sizeof(*scratch));
}

int
row_decode(
    const void *data, size_t len, struct row_scratch *scratch, struct row *out)
{
	struct reader r = { data, len, false };
	const char *head;
	int error;

	memset(out, 0, sizeof(*out));
	if ((head = take(&r, 2)) == NULL)
		return err_set(ERR_FORMAT, "the row is damaged");
	out->flags = head[1] & FLAGS_ALL;
	out->id = take_text(&r);
	switch (head[0]) {
	case ROW_TEXT:
		out->kind = ROW_TEXT;
		out->text = take_rest(&r);
		break;
	case ROW_DENSE:
		out->kind = ROW_DENSE;
		take_label(&r, out);
		if (out->flags & ROW_WEIGHT)
			out->weight = take_double(&r);
		if (out->flags & ROW_MATCH_ID)
			out->match_id = take_text(&r);
		error = out->flags & ROW_SPARSE ? take_sparse(&r, scratch, out)
						: take_dense(&r, scratch, out);
		if (error != 0)
			return error;
		break;
	case ROW_PREDICT:
		out->kind = ROW_PREDICT;
		take_label(&r, out);
		out->result = take_double(&r);
		out->score = take_double(&r);
		out->type = take_text(&r);
		out->detail = take_rest(&r);
		break;
	default:
		r.is_bad = true;
	}
	if (r.is_bad || r.left != 0 || out->id.len == 0 ||
	    out->id.len > STORAGE_ID_MAX)
		return err_set(ERR_FORMAT, "the row is damaged");
	return 0;
}
