/*
 * The cache of partners' keys.  Called by auth.c; one per worker.
 */
#include "fcgi-app/partners.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db_partner.h"

#define KEPT 64 /* partners; more only means more queries */
#define FRESH_MS 2000

struct entry {
	char party[11];
	uint8_t key[KEYS_PUBLIC_SIZE];
	int64_t read_ms;
};

struct partners {
	struct entry entries[KEPT];
	size_t next; /* the one to be replaced */
};

struct partners *
partners_new(void)
{
	return xcalloc(1, sizeof(struct partners));
}

void
partners_free(struct partners *p)
{
	free(p);
}

static struct entry *
lookup(struct partners *p, const char *party)
{
	size_t i;

	for (i = 0; i < KEPT; i++) {
		if (strcmp(p->entries[i].party, party) == 0)
			return &p->entries[i];
	}
	return NULL;
}

static int
read_key(struct db *db, const char *party, uint8_t key[KEYS_PUBLIC_SIZE])
{
	struct db_partner *row;
	struct arena *arena = arena_new();
	int r;

	r = db_partner_get(db, arena, party, &row);
	if (r == ERR_NOT_FOUND || (r == 0 && !row->enabled))
		r = err_set(
		    ERR_AUTH, "party %s is no partner of this site", party);
	if (r == 0)
		memcpy(key, row->sign_key, KEYS_PUBLIC_SIZE);
	arena_free(arena);
	return r;
}

int
partners_key(struct partners *p, struct db *db, const char *party,
    uint8_t key[KEYS_PUBLIC_SIZE])
{
	struct entry *e = lookup(p, party);
	int64_t now = clock_mono_ms();
	int r;

	if (e != NULL && now - e->read_ms < FRESH_MS) {
		memcpy(key, e->key, KEYS_PUBLIC_SIZE);
		return 0;
	}
	if ((r = read_key(db, party, key)) != 0) {
		if (e != NULL)
			memset(e, 0, sizeof(*e));
		return r;
	}
	if (e == NULL)
		e = &p->entries[p->next++ % KEPT];
	(void)snprintf(e->party, sizeof(e->party), "%s", party);
	memcpy(e->key, key, KEYS_PUBLIC_SIZE);
	e->read_ms = now;
	return 0;
}
