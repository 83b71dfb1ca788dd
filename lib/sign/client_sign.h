/*
 * Signatures of users' requests, as the classic platform's clients make them:
 * HMAC-SHA1 by a shared secret over time, nonce, key, target and body, sent
 * in the headers TIMESTAMP, NONCE, APP_KEY and SIGNATURE.
 *
 * The canonical text is six parts with one newline between them: TIMESTAMP,
 * NONCE, APP_KEY, the request target as sent (path, and "?" with the raw
 * query when there is one), the JSON body's bytes, the form's text fields.
 */
#ifndef LIB_SIGN_CLIENT_SIGN_H
#define LIB_SIGN_CLIENT_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

#define CLIENT_MAC_SIZE 20
#define CLIENT_WINDOW_MS 60000 /* how far TIMESTAMP may be off, both ways */
#define CLIENT_NONCE_MAX 255   /* bytes */

/* All borrowed; parts that are not there are "" (or NULL, 0). */
struct client_request {
	const char *timestamp; /* milliseconds since the epoch, decimal */
	const char *nonce;
	const char *app_key;
	const char *target; /* "/v1/…?…" */
	const void *body;   /* of a JSON request */
	size_t body_len;
	const char *form; /* k=v sorted by k, percent-encoded, '&' between */
};

void client_canonical(const struct client_request *, struct buf *out);

/* The signature's base64 text; appends.  ERR_CRYPTO. */
int client_sign(
    const char *secret, const struct client_request *, struct buf *out);

/*
 * Compare in constant time.  A body that is just "{}" may have been signed as
 * it is or as nothing: the classic clients differ in that, both readings hold.
 * A query of JSON that the client's HTTP library escaped a second time, after
 * signing, may have been signed as it was before.
 * Errors: ERR_AUTH when it is not this secret's, ERR_CRYPTO.
 */
int client_verify(
    const char *secret, const struct client_request *, const char *signature);

/* ERR_AUTH unless timestamp is a number within the window around now_ms. */
int client_check_time(const char *timestamp, int64_t now_ms, int64_t *out_ms);

#endif
