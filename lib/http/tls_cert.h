/*
 * TLS certificates of sites: made here, self-signed, exchanged by hand, and
 * trusted one by one.
 */
#ifndef LIB_HTTP_TLS_CERT_H
#define LIB_HTTP_TLS_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http/pins.h"

#define TLS_CERT_DAYS 730

/*
 * Make a P-256 key (PEM, mode 0600) and a certificate for it: common name
 * the party id; names party-ID.sluice, localhost, 127.0.0.1; no authority;
 * for servers and clients; valid for TLS_CERT_DAYS.
 * Errors: ERR_EXISTS when either file is there, ERR_CRYPTO, ERR_IO.
 */
int tls_cert_make(
    const char *party, const char *key_path, const char *cert_path);

/*
 * Check a partner's certificate before it is trusted: exactly one, common
 * name the party id, the site's host name in it, no authority, not expired.
 * Errors: ERR_FORMAT, ERR_INVALID.
 */
int tls_cert_check(const char *pem, const char *party);

/*
 * The name that stands for a site, as pins_host() gives it, in the one
 * certificate of a file that is a site's own.
 * Errors: ERR_IO, ERR_FORMAT, ERR_INVALID (somebody else's).
 */
int tls_cert_host(const char *path, char out[PINS_HOST_SIZE]);

/* Days until it ends, negative when it has.  Errors: ERR_FORMAT. */
int tls_cert_days(const char *pem, int64_t *days);

/*
 * Does it name its own key as its issuer's (authority key id)?  One that does
 * not, of before version 1.0, can be taken for its successor by whoever trusts
 * both.  Errors: ERR_FORMAT.
 */
int tls_cert_names_issuer(const char *pem, bool *out);

/* SHA-256 of the certificate (its DER form). */
int tls_cert_digest(const char *pem, unsigned char out[32]);
/* The same as other programs show it. */
#define TLS_CERT_FINGERPRINT_SIZE 96 /* 32 pairs with ":" between */
int tls_cert_fingerprint(const char *pem, char out[TLS_CERT_FINGERPRINT_SIZE]);
/* SHA-1 in hex, the name that nginx gives it ($ssl_client_fingerprint). */
#define TLS_CERT_SHA1_SIZE 41
int tls_cert_sha1(const char *pem, char out[TLS_CERT_SHA1_SIZE]);

#endif
