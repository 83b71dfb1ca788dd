/*
 * The cache of partners' keys.  Called by auth.c; one per worker.
 */
#include "fcgi-app/partners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/http/tls_cert.h"

#define SLOTS 4096  /* a power of two */
#define ENOUGH 3072 /* partners; then all are asked for again */
#define KEYS_KEPT 8 /* of each kind and party, the newest */

struct sign_entry {
	char id[KEYS_ID_SIZE];
	uint8_t key[KEYS_PUBLIC_SIZE];
	uint8_t digest[DB_KEY_DIGEST_SIZE];
	const char *state;
};

struct tls_entry {
	unsigned char der_sum[32];
	char *shown; /* as nginx last wrote it; NULL: not seen yet */
	uint8_t digest[DB_KEY_DIGEST_SIZE];
	const char *state;
};

struct entry {
	char party[11];
	struct sign_entry sign[KEYS_KEPT];
	struct tls_entry tls[KEYS_KEPT];
	size_t n_sign, n_tls;
};

struct partners {
	struct entry *slots[SLOTS];
	size_t n;
};

struct partners *
partners_new(void)
{
	return xcalloc(1, sizeof(struct partners));
}

static void
entry_free(struct entry *e)
{
	if (e == NULL)
		return;
	while (e->n_tls != 0)
		free(e->tls[--e->n_tls].shown);
	free(e);
}

static void
drop_all(struct partners *p)
{
	for (size_t i = 0; i < SLOTS; i++) {
		entry_free(p->slots[i]);
		p->slots[i] = NULL;
	}
	p->n = 0;
}

void
partners_free(struct partners *p)
{
	if (p != NULL)
		drop_all(p);
	free(p);
}

/* Where the party is, or where it belongs; there is always room. */
static struct entry **
slot_of(struct partners *p, const char *party)
{
	uint32_t hash = 2166136261; /* FNV-1a */
	const char *c;
	size_t i;

	for (c = party; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619;
	for (i = hash % SLOTS; p->slots[i] != NULL; i = (i + 1) % SLOTS)
		if (strcmp(p->slots[i]->party, party) == 0)
			break;
	return &p->slots[i];
}

void
partners_forget(struct partners *p, const char *party)
{
	struct entry *e = *slot_of(p, party);

	/* Its place stays taken: others may stand behind it. */
	if (e == NULL)
		return;
	while (e->n_tls != 0)
		free(e->tls[--e->n_tls].shown);
	e->n_sign = 0;
}

/* --- reading ------------------------------------------------------------ */

static void
take_row(struct entry *e, const struct db_partner_key *row)
{
	struct sign_entry *s = &e->sign[e->n_sign];
	struct tls_entry *t = &e->tls[e->n_tls];

	if (strcmp(row->kind, DB_KEY_SIGN) == 0 && e->n_sign < KEYS_KEPT &&
	    keys_public_parse(row->material, s->key) == 0) {
		keys_id(s->key, s->id);
		memcpy(s->digest, row->digest, sizeof(s->digest));
		s->state = db_partner_key_state(row);
		e->n_sign++;
	} else if (strcmp(row->kind, DB_KEY_TLS) == 0 && e->n_tls < KEYS_KEPT &&
		   tls_cert_digest(row->material, t->der_sum) == 0) {
		memcpy(t->digest, row->digest, sizeof(t->digest));
		t->state = db_partner_key_state(row);
		t->shown = NULL;
		e->n_tls++;
	}
}

static int
read_entry(struct partners *p, struct db *db, const char *party)
{
	struct arena *arena = arena_new();
	struct db_partner_key *rows;
	struct entry **at;
	size_t i, n;
	int r;

	r = db_partner_key_list(db, arena, party, false, &rows, &n);
	if (r == 0 && n == 0)
		r = err_set(
		    ERR_AUTH, "party %s is no partner of this site", party);
	if (r == 0) {
		if (p->n >= ENOUGH)
			drop_all(p);
		at = slot_of(p, party);
		if (*at == NULL) {
			*at = xcalloc(1, sizeof(**at));
			(void)snprintf(
			    (*at)->party, sizeof((*at)->party), "%s", party);
			p->n++;
		}
		partners_forget(p, party);
		for (i = 0; i < n; i++)
			take_row(*at, &rows[i]);
	}
	arena_free(arena);
	return r;
}

/* --- asking --------------------------------------------------------------- */

static int
judge(const char *what, const char *party, const char *state)
{
	if (state == NULL)
		return err_set(ERR_AUTH,
		    "party %s is not known with this %s: its operator sends "
		    "a new partner file",
		    party, what);
	if (strcmp(state, "revoked") == 0 || strcmp(state, "ended") == 0)
		return err_set(ERR_AUTH, "this %s of party %s %s", what, party,
		    strcmp(state, "ended") == 0 ? "has ended" : "is revoked");
	return 0;
}

/* The certificate as text is compared at once when it came before. */
static struct tls_entry *
find_tls(struct entry *e, const char *shown)
{
	unsigned char sum[32];
	struct buf pem = BUF_INIT;
	size_t i;

	for (i = 0; i < e->n_tls; i++)
		if (e->tls[i].shown != NULL &&
		    strcmp(e->tls[i].shown, shown) == 0)
			return &e->tls[i];
	str_percent_decode(&pem, shown, strlen(shown));
	if (tls_cert_digest(buf_str(&pem), sum) != 0) {
		err_clear();
		i = e->n_tls;
	} else {
		for (i = 0; i < e->n_tls; i++)
			if (memcmp(e->tls[i].der_sum, sum, sizeof(sum)) == 0)
				break;
	}
	buf_fini(&pem);
	if (i == e->n_tls)
		return NULL;
	free(e->tls[i].shown);
	e->tls[i].shown = xstrdup(shown);
	return &e->tls[i];
}

static int
find(struct entry *e, const char *key_id, const char *cert,
    struct partner_proof *out)
{
	const struct sign_entry *s = NULL;
	const struct tls_entry *t;
	size_t i;
	int r;

	for (i = 0; i < e->n_sign; i++)
		if (strcmp(e->sign[i].id, key_id) == 0)
			s = &e->sign[i];
	t = find_tls(e, cert);
	if ((r = judge("key", e->party, s != NULL ? s->state : NULL)) != 0 ||
	    (r = judge("certificate", e->party, t != NULL ? t->state : NULL)) !=
		0)
		return r;
	memcpy(out->key, s->key, sizeof(out->key));
	memcpy(out->sign_digest, s->digest, sizeof(out->sign_digest));
	memcpy(out->tls_digest, t->digest, sizeof(out->tls_digest));
	return 0;
}

int
partners_find(struct partners *p, struct db *db, const char *party,
    const char *key_id, const char *cert, struct partner_proof *out)
{
	struct entry *e = *slot_of(p, party);
	int r;

	if (e != NULL && find(e, key_id, cert, out) == 0)
		return 0;
	/* Perhaps it has a new one since. */
	if ((r = read_entry(p, db, party)) != 0)
		return r;
	return find(*slot_of(p, party), key_id, cert, out);
}
