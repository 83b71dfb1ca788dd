/*
 * Pairwise masks that cancel in a sum (Bonawitz et al., CCS 2017, without
 * recovery of members who drop out).
 *
 * Each pair of members agrees on a secret: X25519, then BLAKE2b over the
 * shared point, both public keys, both names and a context, so that keys of
 * one task are of no use in another.  The pair's stream for a round is
 * ChaCha20 under that secret with the round as its nonce; the member with the
 * lower place adds it, the other takes it off.
 */
#ifndef EXECUTOR_MATH_MASK_H
#define EXECUTOR_MATH_MASK_H

#include <stddef.h>
#include <stdint.h>

#define MASK_PUBLIC 32

struct mask;

/*
 * A fresh key for member number self of n; the context says what the masks
 * are for and who we all are.  NULL with ERR_CRYPTO or ERR_NOMEM.
 */
struct mask *mask_new(size_t self, size_t n, const char *context);
void mask_free(struct mask *); /* NULL is fine; wipes */
const unsigned char *mask_public(const struct mask *);

/*
 * Another member's public key.  ERR_FORMAT for one that makes no secret
 * (points of small order) and for our own.
 */
int mask_peer(struct mask *, size_t peer, const unsigned char key[MASK_PUBLIC]);

/*
 * Add our masks of a round to v modulo 2^64.  A round is used once: ERR_INVALID
 * for one that is not above those before, and while peers are missing.
 */
int mask_apply(struct mask *, uint64_t round, uint64_t *v, size_t n);

#endif
