/*
 * Public keys of partners, kept by each worker: a message must not cost a
 * query.  What is kept only says which key a signature is checked with;
 * whether that key still counts is asked of the database for every request,
 * in the statement that remembers its nonce (db_partner_admit()).
 */
#ifndef FCGI_APP_PARTNERS_H
#define FCGI_APP_PARTNERS_H

#include <stdint.h>

#include "lib/db/db.h"
#include "lib/db/db_partner_key.h"
#include "lib/sign/keys.h"

struct partners;

struct partners *partners_new(void);
void partners_free(struct partners *); /* NULL is fine */

/* What a request is checked with. */
struct partner_proof {
	uint8_t key[KEYS_PUBLIC_SIZE];
	uint8_t sign_digest[DB_KEY_DIGEST_SIZE]; /* names in partner_key */
	uint8_t tls_digest[DB_KEY_DIGEST_SIZE];
};

/*
 * The key of that id (keys_id()) and the certificate (as nginx hands it
 * over: PEM, percent-encoded) among those of the party.
 * Errors: ERR_AUTH with what is wrong (no partner, unknown, ended, revoked),
 * ERR_DB.
 */
int partners_find(struct partners *, struct db *, const char *party,
    const char *key_id, const char *cert, struct partner_proof *out);
/* The database said something else: ask it again next time. */
void partners_forget(struct partners *, const char *party);

#endif
