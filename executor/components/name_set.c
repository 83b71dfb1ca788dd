/*
 * Names with an open-addressing index.  Used by DataTransform.
 */
#include "executor/components/name_set.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"

struct name {
	size_t at; /* in text */
	size_t len;
};

struct name_set {
	struct buf text;
	struct name *names;
	size_t n;
	size_t cap;
	uint32_t *slot; /* number + 1; 0: free */
	size_t mask;	/* slots - 1, a power of two */
	unsigned char key[crypto_shorthash_KEYBYTES];
};

struct name_set *
name_set_new(void)
{
	struct name_set *s = xcalloc(1, sizeof(*s));

	s->mask = 63;
	s->slot = xcalloc(s->mask + 1, sizeof(*s->slot));
	crypto_shorthash_keygen(s->key);
	return s;
}

void
name_set_free(struct name_set *s)
{
	if (s == NULL)
		return;
	buf_fini(&s->text);
	free(s->names);
	free(s->slot);
	free(s);
}

size_t
name_set_count(const struct name_set *s)
{
	return s->n;
}

struct span
name_set_get(const struct name_set *s, uint32_t number)
{
	return (struct span){ s->text.data + s->names[number].at,
		s->names[number].len };
}

/* The slot of a name, or the free one where it would go. */
static size_t
find_slot(const struct name_set *s, struct span name)
{
	unsigned char hash[crypto_shorthash_BYTES];
	struct span have;
	uint64_t h;
	size_t i;

	crypto_shorthash(
	    hash, (const unsigned char *)name.data, name.len, s->key);
	memcpy(&h, hash, sizeof(h));
	for (i = h & s->mask; s->slot[i] != 0; i = (i + 1) & s->mask) {
		have = name_set_get(s, s->slot[i] - 1);
		if (have.len == name.len &&
		    memcmp(have.data, name.data, name.len) == 0)
			break;
	}
	return i;
}

static void
index_all(struct name_set *s)
{
	uint32_t i;

	memset(s->slot, 0, (s->mask + 1) * sizeof(*s->slot));
	for (i = 0; i < s->n; i++)
		s->slot[find_slot(s, name_set_get(s, i))] = i + 1;
}

static void
grow(struct name_set *s)
{
	s->mask = 2 * s->mask + 1;
	s->slot = xrealloc(s->slot, (s->mask + 1) * sizeof(*s->slot));
	index_all(s);
}

uint32_t
name_set_find(const struct name_set *s, struct span name)
{
	size_t i = find_slot(s, name);

	return s->slot[i] != 0 ? s->slot[i] - 1 : NAME_NONE;
}

uint32_t
name_set_add(struct name_set *s, struct span name, bool *is_new)
{
	size_t i = find_slot(s, name);

	*is_new = s->slot[i] == 0;
	if (!*is_new)
		return s->slot[i] - 1;
	if (s->n == s->cap) {
		s->cap = s->cap != 0 ? 2 * s->cap : 64;
		s->names = xrealloc(s->names, s->cap * sizeof(*s->names));
	}
	s->names[s->n] = (struct name){ s->text.len, name.len };
	/* A buffer that has room is never NULL, also for the empty name. */
	(void)buf_reserve(&s->text, name.len + 1);
	buf_append(&s->text, name.data, name.len);
	s->slot[i] = (uint32_t)++s->n;
	if (s->n > s->mask / 2)
		grow(s);
	return (uint32_t)s->n - 1;
}

static int
compare(const void *a, const void *b, void *ctx)
{
	const struct name *x = a, *y = b;
	const struct buf *text = ctx;
	int c = memcmp(text->data + x->at, text->data + y->at,
	    x->len < y->len ? x->len : y->len);

	return c != 0 ? c : (x->len > y->len) - (x->len < y->len);
}

void
name_set_sort(struct name_set *s)
{
	if (s->n == 0)
		return;
	qsort_r(s->names, s->n, sizeof(*s->names), compare, &s->text);
	index_all(s);
}
