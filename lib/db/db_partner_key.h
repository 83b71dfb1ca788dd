/*
 * Keys of partners over time: which count, which are about to end, which are
 * over.  The site's own are among them, under its own party id.
 *
 * A key is known by the SHA-256 of its material; people and signatures know
 * signing keys by keys_id() of the public key, which callers work out.
 * Rows are never deleted: whoever checks an old signature looks among all
 * rows of the signer (db_partner_key_list()) and compares when it was made
 * with valid_from_ms, valid_until_ms and revoked_ms.
 */
#ifndef LIB_DB_DB_PARTNER_KEY_H
#define LIB_DB_DB_PARTNER_KEY_H

#include "lib/db/db.h"

#define DB_KEY_SIGN "sign"
#define DB_KEY_TLS "tls"
#define DB_KEY_DIGEST_SIZE 32
#define DB_KEY_KINDS 2

/* In SQL: does the row count now?  k: the table's name and a dot, or "". */
#define DB_KEY_VALID(k)                                                        \
	k "revoked_at IS NULL AND (" k "valid_until IS NULL OR " k             \
	  "valid_until > NOW(6))"

struct db_partner_key {
	const char *party_id;
	const char *kind; /* DB_KEY_SIGN, DB_KEY_TLS */
	unsigned char digest[DB_KEY_DIGEST_SIZE];
	const char *material; /* "ed25519:BASE64", or a certificate's PEM */
	int64_t valid_from_ms;
	int64_t valid_until_ms; /* 0: no end */
	int64_t revoked_ms;	/* 0: not revoked */
	const char *reason;	/* of the revocation */
	bool is_valid;		/* neither revoked nor past its end, now */
	bool is_partners;	/* of a partner that is enabled */
};

/* "active", "ending" (valid, with an end), "ended", or "revoked". */
const char *db_partner_key_state(const struct db_partner_key *);

/* SHA-256 of the material, the key's name in this table. */
void db_partner_key_digest(
    const char *material, unsigned char out[DB_KEY_DIGEST_SIZE]);

/*
 * Make it one of the party's keys, from now on and without an end; one that
 * counts already stays as it is, its end included.
 * ERR_DENIED: that key was revoked.
 */
int db_partner_key_add(
    struct db *, const char *party_id, const char *kind, const char *material);
/*
 * Of one party, or (party_id NULL) of all; the newest first.  usable_only:
 * what may be used now, of enabled partners.
 */
int db_partner_key_list(struct db *, struct arena *, const char *party_id,
    bool usable_only, struct db_partner_key **rows, size_t *n);
/*
 * All keys of that kind but this one end at until_s (seconds since the
 * epoch), those that would have ended earlier excepted.
 */
int db_partner_key_end_others(struct db *, const char *party_id,
    const char *kind, const char *material, int64_t until_s);
/* From now on it proves nothing.  ERR_NOT_FOUND, ERR_EXISTS: it was before. */
int db_partner_key_revoke(
    struct db *, const struct db_partner_key *, const char *reason);
/*
 * Why nothing that the party sends can be taken: no signing key of it counts,
 * or no certificate.  *why is "" when it can prove who it is (disabled or
 * not), and of a party without any key here; in the arena.
 */
int db_partner_key_lack(
    struct db *, struct arena *, const char *party_id, const char **why);
/* All of a party's end now. */
int db_partner_key_end_all(struct db *, const char *party_id);

#endif
