/*
 * Ids of a table for intersection.  Equal match ids are found by a keyed
 * digest, so that nobody can choose ids that collide.
 */
#include "executor/components/intersection_ids.h"

#include <endian.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/intersection_tokens.h"
#include "executor/components/intersection_wire.h"
#include "executor/math/ecdh.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

struct load {
	struct psi_ids *ids;
	struct token_list *seen;
	uint32_t *last; /* row of an id that came last */
	unsigned char key[crypto_generichash_KEYBYTES];
};

static int
add_row(struct load *l, const struct row *row)
{
	struct psi_ids *ids = l->ids;
	unsigned char token[ECDH_TOKEN];
	uint32_t at = (uint32_t)row->number, id;

	if (!(row->flags & ROW_MATCH_ID) || row->match_id.len == 0)
		return err_set(ERR_FORMAT, "row %u has no match id", at + 1);
	crypto_generichash(token, sizeof(token),
	    (const unsigned char *)row->match_id.data, row->match_id.len,
	    l->key, sizeof(l->key));
	id = token_list_put(l->seen, token);
	if (id == ids->n) {
		ids->first[ids->n++] = at;
	} else {
		ids->next[l->last[id]] = at;
	}
	l->last[id] = at;
	ids->group[at] = id;
	ids->next[at] = PSI_NO_ROW;
	return 0;
}

static int
read_rows(struct load *l, struct table *table)
{
	struct table_cursor *cur;
	struct row row;
	int r;

	if ((r = table_scan(table, 0, l->ids->rows, &cur)) != 0)
		return r;
	while ((r = cursor_next(cur, &row)) == 1)
		if ((r = add_row(l, &row)) != 0)
			break;
	cursor_free(cur);
	return r;
}

int
psi_ids_load(struct table *table, bool by_match, struct psi_ids *out)
{
	struct load l = { .ids = out };
	uint64_t n = table_count(table);
	int r;

	memset(out, 0, sizeof(*out));
	out->by_match = by_match;
	out->rows = out->n = n;
	if (n > PSI_LIST_MAX)
		return err_set(ERR_LIMIT, "%llu rows are too many, at most %u",
		    (unsigned long long)n, PSI_LIST_MAX);
	if (!by_match)
		return 0;
	out->n = 0;
	randombytes_buf(l.key, sizeof(l.key));
	out->group = mem_array(n + 1, sizeof(*out->group));
	out->first = mem_array(n + 1, sizeof(*out->first));
	out->next = mem_array(n + 1, sizeof(*out->next));
	l.last = mem_array(n + 1, sizeof(*l.last));
	if (out->group == NULL || out->first == NULL || out->next == NULL ||
	    l.last == NULL)
		r = err_code();
	else if ((r = token_list_new(n, &l.seen)) == 0)
		r = read_rows(&l, table);
	token_list_free(l.seen);
	free(l.last);
	if (r != 0)
		psi_ids_fini(out);
	return r;
}

void
psi_ids_fini(struct psi_ids *ids)
{
	free(ids->group);
	free(ids->first);
	free(ids->next);
	memset(ids, 0, sizeof(*ids));
}

uint32_t
psi_ids_of_row(const struct psi_ids *ids, uint64_t row)
{
	return ids->by_match ? ids->group[row] : (uint32_t)row;
}

uint32_t
psi_ids_first_row(const struct psi_ids *ids, uint32_t id)
{
	return ids->by_match ? ids->first[id] : id;
}

uint32_t
psi_ids_next_row(const struct psi_ids *ids, uint32_t row)
{
	return ids->by_match ? ids->next[row] : PSI_NO_ROW;
}

struct span
psi_ids_text(const struct psi_ids *ids, const struct row *row)
{
	return ids->by_match ? row->match_id : row->id;
}

int
psi_ids_digest(
    const struct psi_ids *ids, struct table *table, unsigned char out[32])
{
	crypto_generichash_state st;
	struct table_cursor *cur;
	struct span text;
	struct row row;
	uint64_t len;
	int r;

	if ((r = table_scan(table, 0, ids->rows, &cur)) != 0)
		return r;
	crypto_generichash_init(&st, NULL, 0, 32);
	while ((r = cursor_next(cur, &row)) == 1) {
		text = psi_ids_text(ids, &row);
		len = htole64(text.len);
		crypto_generichash_update(
		    &st, (const unsigned char *)&len, sizeof(len));
		crypto_generichash_update(
		    &st, (const unsigned char *)text.data, text.len);
	}
	cursor_free(cur);
	crypto_generichash_final(&st, out, 32);
	return r;
}
