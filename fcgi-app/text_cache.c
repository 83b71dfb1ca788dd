/*
 * A hash table whose entries also stand in a list, the latest used first.
 */
#include "fcgi-app/text_cache.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "lib/base/mem.h"

#define BUCKETS 1024
#define SHARE 4 /* one text takes at most this part of all */

struct entry {
	LIST_ENTRY(entry) same_bucket;
	TAILQ_ENTRY(entry) by_use;
	uint32_t hash;
	size_t bytes;
	const char *text; /* behind the key */
	char key[];
};

struct text_cache {
	size_t max_bytes;
	size_t bytes;
	TAILQ_HEAD(entry_list, entry) used; /* the latest first */
	LIST_HEAD(, entry) buckets[BUCKETS];
};

/* FNV-1a, 32 bits */
static uint32_t
hash_of(const char *key)
{
	uint32_t h = 2166136261U;

	for (; *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * 16777619U;
	return h;
}

struct text_cache *
text_cache_new(size_t max_bytes)
{
	struct text_cache *c = xcalloc(1, sizeof(*c));
	size_t i;

	c->max_bytes = max_bytes;
	TAILQ_INIT(&c->used);
	for (i = 0; i < BUCKETS; i++)
		LIST_INIT(&c->buckets[i]);
	return c;
}

static void
drop(struct text_cache *c, struct entry *e)
{
	TAILQ_REMOVE(&c->used, e, by_use);
	LIST_REMOVE(e, same_bucket);
	c->bytes -= e->bytes;
	free(e);
}

void
text_cache_free(struct text_cache *c)
{
	struct entry *e;

	if (c == NULL)
		return;
	while ((e = TAILQ_FIRST(&c->used)) != NULL)
		drop(c, e);
	free(c);
}

static struct entry *
find(struct text_cache *c, const char *key, uint32_t hash)
{
	struct entry *e;

	LIST_FOREACH(e, &c->buckets[hash % BUCKETS], same_bucket)
	{
		if (e->hash == hash && strcmp(e->key, key) == 0)
			return e;
	}
	return NULL;
}

const char *
text_cache_get(struct text_cache *c, const char *key)
{
	struct entry *e;

	if (c == NULL || (e = find(c, key, hash_of(key))) == NULL)
		return NULL;
	TAILQ_REMOVE(&c->used, e, by_use);
	TAILQ_INSERT_HEAD(&c->used, e, by_use);
	return e->text;
}

static struct entry *
entry_new(const char *key, size_t nkey, const char *text, size_t ntext)
{
	size_t bytes = sizeof(struct entry) + nkey + 1 + ntext + 1;
	struct entry *e = xmalloc(bytes);

	memset(e, 0, sizeof(*e));
	e->bytes = bytes;
	memcpy(e->key, key, nkey + 1);
	e->text = memcpy(e->key + nkey + 1, text, ntext + 1);
	return e;
}

void
text_cache_put(struct text_cache *c, const char *key, const char *text)
{
	uint32_t hash = hash_of(key);
	size_t nkey = strlen(key), ntext = strlen(text), most;
	struct entry *e;

	if (c == NULL)
		return;
	if ((e = find(c, key, hash)) != NULL)
		drop(c, e);
	most = c->max_bytes / SHARE;
	if (nkey > most || ntext > most || sizeof(*e) + nkey + ntext + 2 > most)
		return;
	e = entry_new(key, nkey, text, ntext);
	e->hash = hash;
	while (c->bytes + e->bytes > c->max_bytes)
		drop(c, TAILQ_LAST(&c->used, entry_list));
	c->bytes += e->bytes;
	TAILQ_INSERT_HEAD(&c->used, e, by_use);
	LIST_INSERT_HEAD(&c->buckets[hash % BUCKETS], e, same_bucket);
}

size_t
text_cache_bytes(const struct text_cache *c)
{
	return c->bytes;
}
