/*
 * Passwords of people: argon2id by libsodium's crypto_pwhash_str(), which
 * keeps salt and cost beside the hash (the PHC string format).
 */
#ifndef LIB_SIGN_PASSWORD_H
#define LIB_SIGN_PASSWORD_H

#include <stdbool.h>
#include <stdint.h>

#define PASSWORD_MIN 12
#define PASSWORD_MAX 128
#define PASSWORD_HASH_SIZE 128 /* crypto_pwhash_STRBYTES */

/* What one check costs; at least libsodium's "interactive" (2 and 64 MB). */
struct password_cost {
	int64_t ops; /* passes over the memory */
	int64_t memory_mb;
};

/*
 * May somebody of that name have it: PASSWORD_MIN to PASSWORD_MAX bytes of
 * UTF-8 without control characters, not made of one character or the name.
 * ERR_INVALID says what is wrong, without showing it.
 */
int password_acceptable(const char *password, const char *name);

/* Takes as long as a check.  Errors: ERR_CRYPTO, ERR_NOMEM. */
int password_hash(const char *password, const struct password_cost *,
    char out[PASSWORD_HASH_SIZE]);
/* 0, or ERR_AUTH without saying more; ERR_CRYPTO. */
int password_verify(const char *hash, const char *password);
/* Was it made at another cost? */
bool password_is_outdated(const char *hash, const struct password_cost *);

/*
 * A hash of nothing that anybody could type, at that cost and at once: what
 * an unknown name is checked against, so that time does not tell it from a
 * known one.
 */
int password_dummy(const struct password_cost *, char out[PASSWORD_HASH_SIZE]);

#endif
