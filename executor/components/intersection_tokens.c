/*
 * Tokens with an open-addressing index.  Tokens are digests, so their own
 * bytes serve as hash: whoever could choose them would have to break the
 * group first.  Used by intersection_psi.c.
 */
#include "executor/components/intersection_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "executor/math/ecdh.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

struct token_list {
	size_t count;
	unsigned char *tokens;
	uint32_t *slot; /* place + 1; 0: free */
	size_t mask;	/* slots - 1, a power of two */
	uint32_t used;	/* by token_list_put() */
};

int
token_list_new(size_t count, struct token_list **out)
{
	struct token_list *t;
	size_t slots = 16;

	*out = NULL;
	if (count >= TOKEN_NONE)
		return err_set(ERR_LIMIT, "%zu ids are too many", count);
	while (slots < count * 2)
		slots *= 2;
	t = xcalloc(1, sizeof(*t));
	t->count = count;
	t->mask = slots - 1;
	t->tokens = mem_array(count == 0 ? 1 : count, ECDH_TOKEN);
	t->slot = mem_array(slots, sizeof(*t->slot));
	if (t->tokens == NULL || t->slot == NULL) {
		token_list_free(t);
		return err_code();
	}
	*out = t;
	return 0;
}

void
token_list_free(struct token_list *t)
{
	if (t == NULL)
		return;
	free(t->tokens);
	free(t->slot);
	free(t);
}

unsigned char *
token_list_at(struct token_list *t, size_t place)
{
	return t->tokens + place * ECDH_TOKEN;
}

/* The slot of a token, or the free one where it would go. */
static size_t
find_slot(const struct token_list *t, const unsigned char *token)
{
	uint64_t h;
	size_t i;

	memcpy(&h, token, sizeof(h));
	for (i = h & t->mask; t->slot[i] != 0; i = (i + 1) & t->mask)
		if (memcmp(t->tokens + (t->slot[i] - 1) * (size_t)ECDH_TOKEN,
			token, ECDH_TOKEN) == 0)
			break;
	return i;
}

int
token_list_index(struct token_list *t)
{
	size_t i, s;

	for (i = 0; i < t->count; i++) {
		s = find_slot(t, token_list_at(t, i));
		if (t->slot[s] != 0)
			return err_set(ERR_FORMAT, "an id is listed twice");
		t->slot[s] = (uint32_t)i + 1;
	}
	return 0;
}

uint32_t
token_list_put(struct token_list *t, const unsigned char *token)
{
	size_t s = find_slot(t, token);

	if (t->slot[s] != 0)
		return t->slot[s] - 1;
	memcpy(token_list_at(t, t->used), token, ECDH_TOKEN);
	t->slot[s] = ++t->used;
	return t->used - 1;
}

uint32_t
token_list_find(const struct token_list *t, const unsigned char *token)
{
	size_t s = find_slot(t, token);

	return t->slot[s] == 0 ? TOKEN_NONE : t->slot[s] - 1;
}
