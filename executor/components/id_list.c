/*
 * Lists of rows between parties.  What is received comes from a stranger.
 */
#include "executor/components/id_list.h"

#include <endian.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

#define VERSION 1

int
row_ids_add(struct row_ids *ids, const struct row *row)
{
	size_t *at, cap = ids->cap != 0 ? 2 * ids->cap : 1024;

	if (ids->n == ID_LIST_MAX)
		return err_set(
		    ERR_LIMIT, "more than %u rows are too many", ID_LIST_MAX);
	if (ids->n == ids->cap) {
		at = reallocarray(ids->at, cap + 1, sizeof(*at));
		if (at == NULL)
			return err_set(ERR_NOMEM, "%zu ids", cap);
		ids->at = at;
		ids->cap = cap;
	}
	ids->at[ids->n++] = ids->text.len;
	buf_append(&ids->text, row->id.data, row->id.len);
	ids->at[ids->n] = ids->text.len;
	return 0;
}

struct span
row_ids_get(const struct row_ids *ids, size_t row)
{
	return (struct span){ ids->text.data + ids->at[row],
		ids->at[row + 1] - ids->at[row] };
}

void
row_ids_fini(struct row_ids *ids)
{
	free(ids->at);
	buf_fini(&ids->text);
	memset(ids, 0, sizeof(*ids));
}

static void
digest_row(const struct row_ids *ids, size_t row,
    const unsigned char key[ID_LIST_KEY], unsigned char *out)
{
	struct span id = row_ids_get(ids, row);

	crypto_generichash(out, ID_LIST_DIGEST, (const unsigned char *)id.data,
	    id.len, key, ID_LIST_KEY);
}

int
id_list_encode(const struct row_ids *ids, const uint32_t *rows, size_t n,
    void **message, size_t *size)
{
	unsigned char *m, *key, *p;
	uint32_t count = htole32((uint32_t)n);
	size_t i;

	*message = NULL;
	*size = ID_LIST_HEADER + ID_LIST_KEY + n * (size_t)ID_LIST_DIGEST;
	if (n > ID_LIST_MAX)
		return err_set(ERR_LIMIT,
		    "a list of %zu rows is too long, at most %u", n,
		    ID_LIST_MAX);
	if ((m = mem_array(*size, 1)) == NULL)
		return err_code();
	m[0] = VERSION;
	memcpy(m + 4, &count, sizeof(count));
	key = m + ID_LIST_HEADER;
	randombytes_buf(key, ID_LIST_KEY);
	p = key + ID_LIST_KEY;
	for (i = 0; i < n; i++, p += ID_LIST_DIGEST)
		digest_row(ids, rows[i], key, p);
	*message = m;
	return 0;
}

int
id_list_send(struct task *t, const char *name, const char *tag,
    const struct row_ids *ids, const uint32_t *rows, size_t n)
{
	void *message;
	size_t size;
	int r;

	if ((r = id_list_encode(ids, rows, n, &message, &size)) != 0)
		return r;
	r = task_remote_role(t, name, tag, "host", message, size);
	free(message);
	return r;
}

/* --- receiving ------------------------------------------------------------------ */

static int
check_message(const unsigned char *p, size_t size, size_t *n)
{
	uint32_t count;

	if (size < ID_LIST_HEADER + ID_LIST_KEY || p[0] != VERSION ||
	    p[1] != 0 || p[2] != 0 || p[3] != 0)
		return err_set(
		    ERR_FORMAT, "%zu bytes that are no list of rows", size);
	memcpy(&count, p + 4, sizeof(count));
	*n = le32toh(count);
	if (*n > ID_LIST_MAX ||
	    size != ID_LIST_HEADER + ID_LIST_KEY + *n * (size_t)ID_LIST_DIGEST)
		return err_set(
		    ERR_FORMAT, "%zu bytes for a list of %zu rows", size, *n);
	return 0;
}

struct entry {
	unsigned char digest[ID_LIST_DIGEST];
	uint32_t row;
};

static int
by_digest(const void *a, const void *b)
{
	return memcmp(a, b, ID_LIST_DIGEST);
}

static int
find_rows(const struct row_ids *ours, const unsigned char *key, uint32_t *rows,
    size_t n)
{
	struct entry *entries = mem_array(ours->n + 1, sizeof(*entries)), *hit;
	const unsigned char *digests = key + ID_LIST_KEY;
	size_t i, lacking = 0;

	if (entries == NULL)
		return err_code();
	for (i = 0; i < ours->n; i++) {
		digest_row(ours, i, key, entries[i].digest);
		entries[i].row = (uint32_t)i;
	}
	qsort(entries, ours->n, sizeof(*entries), by_digest);
	for (i = 0; i < n; i++) {
		hit = bsearch(digests + i * ID_LIST_DIGEST, entries, ours->n,
		    sizeof(*entries), by_digest);
		if (hit != NULL)
			rows[i] = hit->row;
		else
			lacking++;
	}
	free(entries);
	return lacking == 0
		   ? 0
		   : err_set(ERR_CONFLICT,
			 "%zu of the guest's %zu rows are not among our %zu; "
			 "run Intersection first",
			 lacking, n, ours->n);
}

static int
take_rows(bool *taken, const uint32_t *rows, size_t n)
{
	size_t i;

	for (i = 0; taken != NULL && i < n; i++) {
		if (taken[rows[i]])
			return err_set(ERR_FORMAT,
			    "a row stands in two lists, or twice in one");
		taken[rows[i]] = true;
	}
	return 0;
}

int
id_list_decode(const void *message, size_t size, const struct row_ids *ours,
    bool *taken, uint32_t **rows, size_t *n)
{
	const unsigned char *p = message;
	int r;

	*rows = NULL;
	if ((r = check_message(p, size, n)) != 0)
		return r;
	if ((*rows = mem_array(*n + 1, sizeof(**rows))) == NULL)
		return err_code();
	if ((r = find_rows(ours, p + ID_LIST_HEADER, *rows, *n)) == 0 &&
	    (r = take_rows(taken, *rows, *n)) == 0)
		return 0;
	free(*rows);
	*rows = NULL;
	return r;
}

int
id_list_receive(struct task *t, const char *name, const char *tag,
    const struct row_ids *ours, bool *taken, uint32_t **rows, size_t *n)
{
	struct object o = { 0 };
	int r;

	*rows = NULL;
	*n = 0;
	if ((r = task_get_max(t, name, tag, "guest", 0,
		 ID_LIST_HEADER + ID_LIST_KEY +
		     ID_LIST_MAX * (size_t)ID_LIST_DIGEST,
		 &o)) != 0)
		return r;
	r = id_list_decode(o.data, o.size, ours, taken, rows, n);
	object_free(&o);
	return r == 0 ? 0 : err_wrap("%s from the guest", name);
}
