/*
 * Signing and checking of users' requests.  Called by fcgi-app/auth_client.c,
 * by the command line, and by tests with vectors of other implementations.
 */
#include "lib/sign/client_sign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

static const char *
text(const char *s)
{
	return s != NULL ? s : "";
}

void
client_canonical(const struct client_request *q, struct buf *out)
{
	buf_printf(out, "%s\n%s\n%s\n%s\n", text(q->timestamp), text(q->nonce),
	    text(q->app_key), text(q->target));
	if (q->body_len != 0)
		buf_append(out, q->body, q->body_len);
	buf_printf(out, "\n%s", text(q->form));
}

static int
mac(const char *secret, const struct client_request *q,
    uint8_t out[CLIENT_MAC_SIZE])
{
	struct buf canonical = BUF_INIT;
	unsigned int len = 0;
	int r = 0;

	client_canonical(q, &canonical);
	if (HMAC(EVP_sha1(), secret, (int)strlen(secret),
		(const unsigned char *)buf_str(&canonical), canonical.len, out,
		&len) == NULL ||
	    len != CLIENT_MAC_SIZE)
		r = err_set(ERR_CRYPTO, "HMAC-SHA1");
	buf_fini(&canonical);
	return r;
}

int
client_sign(const char *secret, const struct client_request *q, struct buf *out)
{
	uint8_t bytes[CLIENT_MAC_SIZE];
	int r;

	if ((r = mac(secret, q, bytes)) == 0)
		str_base64(out, bytes, sizeof(bytes));
	return r;
}

static int
matches(
    const char *secret, const struct client_request *q, const uint8_t *given)
{
	uint8_t bytes[CLIENT_MAC_SIZE];
	int r;

	if ((r = mac(secret, q, bytes)) != 0)
		return r;
	return sodium_memcmp(bytes, given, sizeof(bytes)) == 0
		   ? 0
		   : err_set(ERR_AUTH,
			 "SIGNATURE does not fit the request: sign TIMESTAMP, "
			 "NONCE, APP_KEY, target and body as sent, with the "
			 "secret of this APP_KEY");
}

/*
 * The target before its query was escaped a second time, that is, with each
 * "%25" a "%" again.  False when it was not.
 */
static bool
escaped_once(const char *target, struct buf *out)
{
	const char *query = strchr(target, '?'), *p;

	if (query == NULL || strncmp(query, "?%257B", 6) != 0)
		return false;
	buf_append(out, target, (size_t)(query - target));
	for (p = query; *p != '\0'; p++) {
		buf_putc(out, *p);
		if (*p != '%')
			continue;
		if (strncmp(p, "%25", 3) != 0)
			return false; /* not every one is escaped */
		p += 2;
	}
	return true;
}

int
client_verify(
    const char *secret, const struct client_request *q, const char *signature)
{
	struct client_request other = *q;
	struct buf given = BUF_INIT, once = BUF_INIT;
	int r;

	r = str_unbase64(&given, signature, strlen(signature));
	if (r != 0 || given.len != CLIENT_MAC_SIZE) {
		r = err_set(ERR_AUTH,
		    "SIGNATURE is not the base64 text of %d bytes",
		    CLIENT_MAC_SIZE);
		goto out;
	}
	r = matches(secret, q, (const uint8_t *)given.data);
	if (r == ERR_AUTH && q->body_len == 2 &&
	    memcmp(q->body, "{}", 2) == 0) {
		other.body_len = 0;
		r = matches(secret, &other, (const uint8_t *)given.data);
	} else if (r == ERR_AUTH && escaped_once(text(q->target), &once)) {
		other.target = buf_str(&once);
		r = matches(secret, &other, (const uint8_t *)given.data);
	}
out:
	buf_fini(&once);
	buf_fini(&given);
	return r;
}

int
client_check_time(const char *timestamp, int64_t now_ms, int64_t *out_ms)
{
	int64_t off;

	if (str_to_int64(timestamp, 0, INT64_C(1) << 53, out_ms) != 0)
		return err_set(ERR_AUTH,
		    "TIMESTAMP must be milliseconds since 1970, digits only");
	off = *out_ms - now_ms;
	if (off > CLIENT_WINDOW_MS || off < -CLIENT_WINDOW_MS)
		return err_set(ERR_AUTH,
		    "TIMESTAMP is %lld s %s this site's clock, at most %d s "
		    "are accepted: set the clock of the one that is wrong",
		    (long long)(off < 0 ? -off : off) / 1000,
		    off < 0 ? "behind" : "ahead of", CLIENT_WINDOW_MS / 1000);
	return 0;
}
