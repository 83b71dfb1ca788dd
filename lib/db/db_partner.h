/*
 * Partner sites and the nonces of their requests.
 */
#ifndef LIB_DB_DB_PARTNER_H
#define LIB_DB_DB_PARTNER_H

#include "lib/db/db.h"

#define DB_SIGN_KEY_SIZE 32 /* Ed25519 public key */

struct db_partner {
	const char *party_id;
	const char *name;
	const char *url; /* https://host:port */
	unsigned char sign_key[DB_SIGN_KEY_SIZE];
	const char *tls_cert; /* PEM */
	bool enabled;
	int64_t created_ms;
};

/* Insert or replace. */
int db_partner_put(struct db *, const struct db_partner *);
/* ERR_NOT_FOUND when there is none. */
int db_partner_get(
    struct db *, struct arena *, const char *party_id, struct db_partner **out);
int db_partner_list(
    struct db *, struct arena *, struct db_partner **rows, size_t *n);
int db_partner_delete(struct db *, const char *party_id);

/*
 * Remember a nonce until expires_s (seconds since the epoch).
 * ERR_EXISTS: it was seen before, the request is a replay.
 */
int db_nonce_use(
    struct db *, const char *party_id, const char *nonce, int64_t expires_s);
/* Forget expired ones, at most limit; *n (may be NULL) is how many. */
int db_nonce_purge(struct db *, int64_t limit, int64_t *n);

#endif
