/*
 * Signed requests between sites: docs/internals.md says what is covered.
 * Built on RFC 9421 (HTTP Message Signatures) with Ed25519.
 *
 * Sender: sign_request() gives the values of Signature-Input and Signature;
 * the other three headers are what was signed (Content-Digest,
 * Sluice-Party, Sluice-Destination).
 * Receiver: sign_verify(), then its own checks of nonce (not seen before,
 * to be kept until proof.expires_s) and of the body against the digest.
 */
#ifndef LIB_SIGN_SIGN_H
#define LIB_SIGN_SIGN_H

#include <stdint.h>

#include "lib/sign/keys.h"

#define SIGN_LIFETIME_S 60     /* of a signature made here */
#define SIGN_LIFETIME_MAX_S 60 /* of one accepted */
#define SIGN_SKEW_S 30	       /* clocks may differ by this much */

/* What a signature covers; all borrowed. */
struct sign_request {
	const char *method; /* "POST" */
	const char *path;   /* as on the wire: "/v1/party/…" */
	const char *query;  /* without "?"; NULL or "" for none */
	const char *digest; /* value of Content-Digest */
	const char *party;  /* sender: value of Sluice-Party */
	/*
	 * Receiver.  A verifier puts its own id here, so that a request made
	 * for someone else never passes whatever its header says.
	 */
	const char *destination;
};

#define SIGN_INPUT_SIZE 384
#define SIGN_VALUE_SIZE 104
#define SIGN_NONCE_SIZE 65

struct sign_headers {
	char input[SIGN_INPUT_SIZE]; /* Signature-Input */
	char value[SIGN_VALUE_SIZE]; /* Signature */
};

/* What a good signature says. */
struct sign_proof {
	char party[11];
	char nonce[SIGN_NONCE_SIZE];
	int64_t created_s;
	int64_t expires_s;  /* after this it is refused: keep the nonce
				 * until then */
	uint8_t digest[32]; /* SHA-256 the body must have */
};

/*
 * Sign now, with a new nonce: call it again for every try.
 * Errors: ERR_INVALID when a part cannot stand in a header.
 */
int sign_request(
    const struct keys *, const struct sign_request *, struct sign_headers *out);
/* The same for a given time and nonce (tests). */
int sign_request_at(const struct keys *, const struct sign_request *,
    int64_t created_s, const char *nonce, struct sign_headers *out);

/*
 * Which key of party a request says it was signed with, before anything of
 * it is believed: keys_id() of the key.  ERR_FORMAT when it names none,
 * ERR_AUTH when the key is said to be another party's.
 */
int sign_keyid(const char *input, const char *party, char out[KEYS_ID_SIZE]);

/*
 * Check the two header values against the request and the public key that
 * the caller found for request->party, at now_s (seconds since the epoch).
 * Errors: ERR_FORMAT (malformed), ERR_AUTH (everything else: wrong key,
 * covered parts, algorithm, times, signature), ERR_CRYPTO.
 */
int sign_verify(const struct sign_request *, const char *input,
    const char *value, const uint8_t public_key[KEYS_PUBLIC_SIZE],
    int64_t now_s, struct sign_proof *out);

#endif
