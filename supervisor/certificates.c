/*
 * Fingerprints of partners' certificates.  Owned by refusals.c.
 */
#include "supervisor/certificates.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_partner_key.h"
#include "lib/http/tls_cert.h"

#define AGAIN_MS 500

struct known {
	unsigned char digest[DB_KEY_DIGEST_SIZE]; /* of the row */
	char fingerprint[TLS_CERT_SHA1_SIZE];
	const char *party_id;
};

struct certificates {
	struct arena *arena;
	struct known *list;
	size_t n;
	int64_t read_ms; /* 0: never */
};

struct certificates *
certificates_new(void)
{
	return xcalloc(1, sizeof(struct certificates));
}

void
certificates_free(struct certificates *c)
{
	if (c == NULL)
		return;
	arena_free(c->arena);
	free(c);
}

/* Rows never change: what was worked out for one holds. */
static const struct known *
old_one(const struct certificates *c, const unsigned char *digest)
{
	for (size_t i = 0; i < c->n; i++)
		if (memcmp(c->list[i].digest, digest, DB_KEY_DIGEST_SIZE) == 0)
			return &c->list[i];
	return NULL;
}

static int
take(struct certificates *c, const struct db_partner_key *row,
    struct known *out, struct arena *a)
{
	const struct known *old = old_one(c, row->digest);

	memcpy(out->digest, row->digest, sizeof(out->digest));
	out->party_id = arena_strdup(a, row->party_id);
	if (old == NULL)
		return tls_cert_sha1(row->material, out->fingerprint);
	memcpy(out->fingerprint, old->fingerprint, sizeof(out->fingerprint));
	return 0;
}

static int
read_rows(struct certificates *c, struct db *db)
{
	struct arena *rows_arena = arena_new(), *a = arena_new();
	struct db_partner_key *rows;
	struct known *list = NULL;
	size_t i, n = 0, found = 0;
	int r = db_partner_key_list(db, rows_arena, NULL, false, &rows, &n);

	if (r == 0 && n > 0)
		list = arena_alloc(a, n * sizeof(*list));
	for (i = 0; r == 0 && i < n; i++) {
		if (!str_eq(rows[i].kind, DB_KEY_TLS))
			continue;
		if (take(c, &rows[i], &list[found], a) == 0)
			found++;
		else
			log_err("party=%s certificate", rows[i].party_id);
	}
	arena_free(rows_arena);
	if (r != 0) {
		arena_free(a);
		return r;
	}
	arena_free(c->arena);
	*c = (struct certificates){
		.arena = a, .list = list, .n = found, .read_ms = clock_mono_ms()
	};
	return 0;
}

static const char *
look(const struct certificates *c, const char *fingerprint)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->list[i].fingerprint, fingerprint) == 0)
			return c->list[i].party_id;
	return NULL;
}

const char *
certificates_find(
    struct certificates *c, struct db *db, const char *fingerprint)
{
	const char *party = look(c, fingerprint);

	if (party != NULL ||
	    (c->read_ms != 0 && clock_mono_ms() - c->read_ms < AGAIN_MS))
		return party;
	if (read_rows(c, db) != 0) {
		log_err("partners' certificates");
		return NULL;
	}
	return look(c, fingerprint);
}
