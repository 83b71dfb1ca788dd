/*
 * Heads of chains that their sites signed, and the countersignatures of those
 * who were given them: after that, nobody can tell another history up to there.
 *
 * What is signed (Ed25519, the site's key) is the RFC 8785 text of
 *   {"job", "kind", "party", "peer", "seq", "hash"}
 * behind "sluice-audit-head-1\n": by `kind` "own" party says to peer that its
 * chain has hash at seq, at the end of job; by "seen" peer says that it was
 * told so.  Neither text can stand for the other, nor for a request.
 */
#ifndef LIB_AUDIT_HEAD_H
#define LIB_AUDIT_HEAD_H

#include "lib/audit/record.h"
#include "lib/sign/keys.h"

enum head_kind { HEAD_OWN, HEAD_SEEN };

struct audit_head {
	const char *job_id;
	const char *party_id; /* whose chain it is */
	const char *peer_id;  /* who was told */
	int64_t seq;	      /* its last record then */
	uint8_t hash[DIGEST_SIZE];
};

int audit_head_sign(const struct audit_head *, enum head_kind,
    const struct keys *, uint8_t signature[KEYS_SIGNATURE_SIZE]);
/* ERR_AUTH: not signed by that key. */
int audit_head_verify(const struct audit_head *, enum head_kind,
    const uint8_t public_key[KEYS_PUBLIC_SIZE],
    const uint8_t signature[KEYS_SIGNATURE_SIZE]);

#endif
