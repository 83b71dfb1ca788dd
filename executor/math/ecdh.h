/*
 * Commutative blinding of identifiers in the group ristretto255 (RFC 9496)
 * for private set intersection: two parties raise hash(id) to their secret
 * exponents in turn, and equal ids give equal group elements (Huberman,
 * Franklin, Hogg 1999; Meadows 1986).
 *
 * Scalar multiplication is libsodium's, in constant time.  It refuses
 * encodings that are not of the group and results that are the identity, so
 * what a partner sends needs no other check; there are no small subgroups.
 */
#ifndef EXECUTOR_MATH_ECDH_H
#define EXECUTOR_MATH_ECDH_H

#include <stddef.h>

#define ECDH_POINT 32 /* bytes of an encoded group element */
#define ECDH_TOKEN 16 /* bytes of a doubly blinded one's digest */
#define ECDH_SALT_DIGEST 32

struct ecdh; /* a secret exponent and the salt's digest */

/*
 * A fresh exponent.  The salt separates jobs and may be empty.  NULL and
 * ERR_CRYPTO or ERR_NOMEM when libsodium has no memory to lock.
 */
struct ecdh *ecdh_new(const char *salt);
void ecdh_free(struct ecdh *); /* wipes; NULL is fine */

/* The blinded id: exponent * hash-to-group(SHA-512(domain, salt, id)). */
int ecdh_blind_id(const struct ecdh *, const void *id, size_t len,
    unsigned char out[ECDH_POINT]);
/*
 * The token of a partner's blinded id: the first bytes of BLAKE2b over
 * exponent * point.  With 16 bytes, two of 2^32 different elements agree
 * with probability 2^-65.  ERR_FORMAT when it is no element of the group.
 */
int ecdh_token(const struct ecdh *, const unsigned char point[ECDH_POINT],
    unsigned char out[ECDH_TOKEN]);

/* --- for evaluating one party's function on the other's ids ------------- */

#define ECDH_SECRET 32 /* bytes of an exponent */

/* The exponent, to be kept where only its owner reads. */
void ecdh_export(const struct ecdh *, unsigned char out[ECDH_SECRET]);
/*
 * An exponent that was exported.  NULL as with ecdh_new(), and ERR_FORMAT
 * when it is none.
 */
struct ecdh *ecdh_import(
    const unsigned char secret[ECDH_SECRET], const char *salt);
/* The exponent that undoes this one; NULL as with ecdh_new(). */
struct ecdh *ecdh_inverse(const struct ecdh *);
/* exponent * point.  ERR_FORMAT when it is no element of the group. */
int ecdh_multiply(const struct ecdh *, const unsigned char point[ECDH_POINT],
    unsigned char out[ECDH_POINT]);
/* The digest of ecdh_token() for a point that needs no exponent any more. */
int ecdh_digest(
    const unsigned char point[ECDH_POINT], unsigned char out[ECDH_TOKEN]);

#endif
