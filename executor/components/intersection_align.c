/*
 * Output rows of an intersection, and the list by which the owner of sample
 * ids tells them.  Called by intersection.c; what is received comes from a
 * stranger.
 */
#include "executor/components/intersection_align.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/intersection_wire.h"
#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define VERSION 1
#define HEADER 20
#define ENTRY 6 /* bytes besides the id */
#define BLOCK_BYTES                                                            \
	(HEADER + ALIGN_BLOCK_ENTRIES * (size_t)(ENTRY + STORAGE_ID_MAX))

void
alignment_fini(struct alignment *a)
{
	free(a->rows);
	free(a->refs);
	row_ids_fini(&a->ids);
	memset(a, 0, sizeof(*a));
}

static int
reserve(struct alignment *a, size_t n)
{
	a->rows = mem_array(n + 1, sizeof(*a->rows));
	a->refs = mem_array(n + 1, sizeof(*a->refs));
	return a->rows != NULL && a->refs != NULL ? 0 : err_code();
}

int
align_rows(const uint32_t *common, size_t n, struct alignment *out)
{
	if ((out->rows = mem_array(n + 1, sizeof(*out->rows))) == NULL)
		return err_code();
	if (n > 0)
		memcpy(out->rows, common, n * sizeof(*out->rows));
	out->n = n;
	return 0;
}

/* --- the owner -------------------------------------------------------------- */

static void
put(struct alignment *a, uint32_t row, uint32_t ref)
{
	a->rows[a->n] = row;
	a->refs[a->n++] = ref;
}

static void
put_common(struct alignment *a, const struct psi_ids *ids,
    const uint32_t *common, size_t n)
{
	uint32_t row;
	size_t i;

	for (i = 0; i < n; i++)
		for (row = psi_ids_first_row(ids, common[i]); row != PSI_NO_ROW;
		     row = psi_ids_next_row(ids, row))
			put(a, row, (uint32_t)i);
}

static int
put_all(struct alignment *a, const struct psi_ids *ids, const uint32_t *common,
    size_t n)
{
	uint32_t *refs = mem_array(ids->n + 1, sizeof(*refs));
	size_t i;

	if (refs == NULL)
		return err_code();
	for (i = 0; i < ids->n; i++)
		refs[i] = ALIGN_NONE;
	for (i = 0; i < n; i++)
		refs[common[i]] = (uint32_t)i;
	for (i = 0; i < ids->rows; i++)
		put(a, (uint32_t)i, refs[psi_ids_of_row(ids, i)]);
	free(refs);
	return 0;
}

/* What the rows are called: their own ids, or new ones. */
static int
name_rows(struct alignment *a, struct table *table, bool new_ids)
{
	char prefix[ID_RANDOM_SIZE], text[ID_RANDOM_SIZE + 24];
	struct table_cursor *cur;
	struct row row;
	size_t i;
	int r;

	a->has_ids = true;
	id_random(prefix);
	if ((r = table_scan(table, 0, 0, &cur)) != 0)
		return r;
	for (i = 0; i < a->n && r == 0; i++) {
		if (new_ids && a->refs[i] == ALIGN_NONE) {
			row.id.data = text;
			row.id.len = (size_t)snprintf(
			    text, sizeof(text), "%s%zu", prefix, i);
		} else if ((r = cursor_at(cur, a->rows[i], &row)) != 0) {
			break;
		}
		r = row_ids_add(&a->ids, &row);
	}
	cursor_free(cur);
	return r;
}

int
align_own(const struct psi_input *in, const uint32_t *common, size_t n,
    bool left_join, bool new_ids, struct alignment *out)
{
	int r;

	if ((r = reserve(out, in->ids.rows)) != 0)
		return r;
	if (left_join)
		r = put_all(out, &in->ids, common, n);
	else
		put_common(out, &in->ids, common, n);
	return r == 0 ? name_rows(out, in->table, new_ids) : r;
}

static void
put32(struct buf *out, uint32_t v)
{
	v = htole32(v);
	buf_append(out, &v, sizeof(v));
}

static void
encode_block(
    struct buf *out, const struct alignment *a, uint32_t number, size_t first)
{
	size_t i, end = first + psi_block_count(a->n, number);
	struct span id;
	uint16_t len;

	buf_append(out, "\1\0\0\0", 4);
	put32(out, number);
	put32(out, (uint32_t)(end - first));
	put32(out, (uint32_t)a->n);
	put32(out, (uint32_t)((uint64_t)a->n >> 32));
	for (i = first; i < end; i++) {
		id = row_ids_get(&a->ids, i);
		len = htole16((uint16_t)id.len);
		put32(out, a->refs[i]);
		buf_append(out, &len, sizeof(len));
		buf_append(out, id.data, id.len);
	}
}

_Static_assert(
    ALIGN_BLOCK_ENTRIES == PSI_BLOCK_ITEMS, "psi_block_count() counts entries");

int
align_send(struct task *t, const struct alignment *a, const char *name,
    const char *role, size_t index)
{
	const struct task_party *to = task_member(t, role, index);
	struct buf out = BUF_INIT;
	char tag[48];
	uint64_t i;
	int r = 0;

	for (i = 0; i < psi_blocks(a->n) && r == 0; i++) {
		buf_clear(&out);
		encode_block(&out, a, (uint32_t)i, i * ALIGN_BLOCK_ENTRIES);
		(void)snprintf(
		    tag, sizeof(tag), "%zu.%llu", index, (unsigned long long)i);
		r = task_remote(t, name, tag, to, 1, out.data, out.len);
	}
	buf_fini(&out);
	return r;
}

/* --- the others ------------------------------------------------------------- */

static uint32_t
get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static int
take_entry(struct alignment *a, const unsigned char **p, size_t *left,
    size_t n_common, bool left_join)
{
	struct row row = { 0 };
	uint32_t ref;
	uint16_t len;

	if (*left < ENTRY)
		return err_set(ERR_FORMAT, "a list of sample ids ends early");
	ref = get32(*p);
	memcpy(&len, *p + 4, sizeof(len));
	len = le16toh(len);
	row.id = (struct span){ (const char *)*p + ENTRY, len };
	if (len == 0 || len > STORAGE_ID_MAX || len > *left - ENTRY ||
	    memchr(row.id.data, '\0', len) != NULL ||
	    !str_is_utf8(row.id.data, len))
		return err_set(ERR_FORMAT, "a sample id that cannot be one");
	if (ref >= n_common && (ref != ALIGN_NONE || !left_join))
		return err_set(ERR_FORMAT,
		    "a sample id belongs to common id %u of %zu", ref,
		    n_common);
	*p += ENTRY + len;
	*left -= (size_t)ENTRY + len;
	a->refs[a->n++] = ref;
	return row_ids_add(&a->ids, &row);
}

int
align_decode(const void *message, size_t size, uint32_t number, uint64_t *total,
    size_t n_common, bool left_join, struct alignment *into)
{
	const unsigned char *p = message;
	uint64_t all;
	uint32_t i, count;
	int r = 0;

	if (size < HEADER || p[0] != VERSION || p[1] != 0 || p[2] != 0 ||
	    p[3] != 0)
		return err_set(
		    ERR_FORMAT, "%zu bytes that list no sample ids", size);
	count = get32(p + 8);
	all = get32(p + 12) | (uint64_t)get32(p + 16) << 32;
	if (all > PSI_LIST_MAX || get32(p + 4) != number ||
	    number >= psi_blocks(all) || (number > 0 && all != *total) ||
	    count != psi_block_count(all, number))
		return err_set(ERR_FORMAT,
		    "block %u of sample ids does not follow the one before",
		    number);
	if (number == 0 && (r = reserve(into, all)) != 0)
		return r;
	*total = all;
	p += HEADER;
	size -= HEADER;
	for (i = 0; i < count && r == 0; i++)
		r = take_entry(into, &p, &size, n_common, left_join);
	if (r == 0 && size != 0)
		r = err_set(ERR_FORMAT, "%zu bytes behind sample ids", size);
	return r;
}

int
align_receive(struct task *t, const struct psi_input *in,
    const uint32_t *common, size_t n, bool left_join, const char *name,
    const char *role, struct alignment *out)
{
	size_t me = task_is(t, "host") ? task_index(t) : 0;
	struct object o = { 0 };
	uint64_t total = 0;
	uint32_t i;
	char tag[48];
	size_t k;
	int r = 0;

	out->has_ids = true;
	for (i = 0; r == 0 && (i == 0 || i < psi_blocks(total)); i++) {
		(void)snprintf(tag, sizeof(tag), "%zu.%u", me, i);
		if ((r = task_get_max(
			 t, name, tag, role, 0, BLOCK_BYTES, &o)) != 0)
			break;
		r = align_decode(o.data, o.size, i, &total, n, left_join, out);
		object_free(&o);
	}
	if (r != 0)
		return err_wrap("%s from the %s", name, role);
	for (k = 0; k < out->n; k++)
		out->rows[k] =
		    out->refs[k] == ALIGN_NONE
			? PSI_NO_ROW
			: psi_ids_first_row(&in->ids, common[out->refs[k]]);
	return 0;
}
