/*
 * Partner sites; their keys are in db_partner_key.h.
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

/*
 * Insert or replace; its key and certificate join those of the party
 * (db_partner_key.h).  One that is disabled stays so: db_partner_enable().
 * ERR_DENIED: key or certificate was revoked.
 */
int db_partner_put(struct db *, const struct db_partner *);
/* ERR_NOT_FOUND when there is none. */
int db_partner_get(
    struct db *, struct arena *, const char *party_id, struct db_partner **out);
int db_partner_list(
    struct db *, struct arena *, struct db_partner **rows, size_t *n);
/* Its keys end, and stay for the sake of what they signed. */
int db_partner_delete(struct db *, const char *party_id);
/* What a partner that is not enabled asks is refused. */
int db_partner_enable(struct db *, const char *party_id, bool enabled);

/*
 * What is taken from a partner, and what is taken in of it, have an order:
 * both hold its row until their transaction ends.  lock: the one who takes;
 * also of a party that is none.  hold: the other one; ERR_DENIED when the
 * partner is disabled by now, or a key of either kind is lacking.
 */
int db_partner_lock(struct db *, const char *party_id);
int db_partner_hold(struct db *, const char *party_id);

/*
 * Remember a nonce until expires_s (seconds since the epoch); requests of
 * partners are remembered by db_partner_admit().
 * ERR_EXISTS: it was seen before, the request is a replay.
 */
int db_nonce_use(
    struct db *, const char *party_id, const char *nonce, int64_t expires_s);
/* Forget expired ones, at most limit; *n (may be NULL) is how many. */
int db_nonce_purge(struct db *, int64_t limit, int64_t *n);

#endif
