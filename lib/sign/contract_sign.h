/*
 * Signatures under a job's contract: Ed25519 over a few lines of text that
 * say for which job, revision and member the signer speaks, so that one
 * signature is good for nothing else.
 */
#ifndef LIB_SIGN_CONTRACT_SIGN_H
#define LIB_SIGN_CONTRACT_SIGN_H

#include <stdint.h>

#include "lib/sign/keys.h"

#define CONTRACT_SIGN_HASH_SIZE 32

struct contract_statement {
	const char *job_id;
	int64_t revision;
	const char *role; /* the member whose site signs */
	const char *party_id;
	int64_t signed_s;    /* since the epoch */
	const uint8_t *hash; /* SHA-256 of the contract's text */
};

void contract_sign(const struct keys *, const struct contract_statement *,
    uint8_t signature[KEYS_SIGNATURE_SIZE]);
/* ERR_AUTH when the signature is not this key's over the statement. */
int contract_verify(const uint8_t public_key[KEYS_PUBLIC_SIZE],
    const struct contract_statement *,
    const uint8_t signature[KEYS_SIGNATURE_SIZE]);

/*
 * What a person decided about a member's part in the job, signed by its
 * site: the statement above (signed_s: when it was decided) and who decided
 * what about which demand, why.
 */
struct decision_statement {
	struct contract_statement contract;
	int64_t rule;	      /* that demanded it */
	const char *subject;  /* what for, in words */
	const char *decision; /* approved, rejected, expired */
	const char *decided_by;
	const char *note;
};

void decision_sign(const struct keys *, const struct decision_statement *,
    uint8_t signature[KEYS_SIGNATURE_SIZE]);
int decision_verify(const uint8_t public_key[KEYS_PUBLIC_SIZE],
    const struct decision_statement *,
    const uint8_t signature[KEYS_SIGNATURE_SIZE]);

#endif
