/*
 * The words of refused.log.  Called by refusals.c.
 */
#include "supervisor/refused_line.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

#define WORDS 7
#define WORD_SIZE 64
#define CERTIFICATE "certificate"
#define WITHDRAWN "certificate_withdrawn"
#define TLS_VERSION "handshake_version"
#define TLS_ALERT "handshake_broken_off"
#define TLS_FAILED "handshake_failed"

static const char *const listeners[] = { REFUSED_PARTNER, REFUSED_CLIENT_TLS,
	"client-loopback" };

/* As nginx says it, and what it means to people. */
static const struct reason {
	const char *word;
	const char *text;
} reasons[] = {
	{ CERTIFICATE, "the client certificate was refused" },
	{ "headers_too_large", "the headers were too large" },
	{ "plain_http", "plain HTTP came where HTTPS is spoken" },
	{ "malformed", "the request was malformed" },
	{ "no_such_path", "the path is none of this site" },
	{ "no_such_method", "the method is none that this site has" },
	{ "too_slow", "the request took too long" },
	{ "length_missing", "the body's length was not said" },
	{ "body_too_large", "the body was too large" },
	{ "uri_too_long", "the request line was too long" },
	{ "too_many", "there were too many requests or connections" },
	{ "other", "the front end refused it" },
	/* Made here. */
	{ "certificate_missing", "no client certificate was shown" },
	{ "certificate_unknown", "the client certificate is no partner's" },
	{ "certificate_expired", "the client certificate has expired" },
	{ "certificate_early", "the client certificate is not valid yet" },
	{ WITHDRAWN, "the client certificate does not count any more: it was "
		     "revoked or has ended, or its partner is disabled" },
	{ TLS_VERSION, "the other side of a TLS handshake speaks no version "
		       "that is spoken here" },
	{ TLS_ALERT, "the other side broke the TLS handshake off: mostly as "
		     "it does not take this site's certificate" },
	{ TLS_FAILED, "the TLS handshake failed" },
	{ REFUSED_UNREADABLE, "lines of refused.log that are none" },
};
#define FROM_NGINX 12
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

static const char *const certificates[] = {
	[REFUSED_NONE] = "none",
	[REFUSED_GOOD] = "good",
	[REFUSED_UNKNOWN] = "unknown",
	[REFUSED_EXPIRED] = "expired",
	[REFUSED_EARLY] = "early",
};
#define CERTIFICATES (sizeof(certificates) / sizeof(certificates[0]))

/* Exactly WORDS words with one blank between. */
static bool
split(const char *text, size_t len, char words[WORDS][WORD_SIZE])
{
	size_t i, n;

	for (i = 0; i < WORDS; i++) {
		const char *blank = memchr(text, ' ', len);

		if ((blank == NULL) != (i == WORDS - 1))
			return false;
		n = blank == NULL ? len : (size_t)(blank - text);
		if (n == 0 || n >= WORD_SIZE || memchr(text, '\0', n) != NULL)
			return false;
		memcpy(words[i], text, n);
		words[i][n] = '\0';
		text += n + 1;
		len -= blank == NULL ? n : n + 1;
	}
	return true;
}

/* "SECONDS.MS" */
static bool
take_time(char *word, int64_t *out)
{
	char *dot = strchr(word, '.');
	int64_t s, ms;

	if (dot == NULL || strlen(dot) != 4)
		return false;
	*dot = '\0';
	if (str_to_int64(word, 0, INT32_MAX, &s) != 0 ||
	    strspn(dot + 1, "0123456789") != 3 ||
	    str_to_int64(dot + 1, 0, 999, &ms) != 0)
		return false;
	*out = s * 1000 + ms;
	return true;
}

static bool
take_fingerprint(const char *word, char out[REFUSED_FINGERPRINT_SIZE])
{
	out[0] = '\0';
	if (str_eq(word, "-"))
		return true;
	if (strlen(word) != REFUSED_FINGERPRINT_SIZE - 1 ||
	    strspn(word, "0123456789abcdef") != REFUSED_FINGERPRINT_SIZE - 1)
		return false;
	memcpy(out, word, REFUSED_FINGERPRINT_SIZE);
	return true;
}

static bool
take_address(const char *word, char out[REFUSED_ADDRESS_SIZE])
{
	size_t n = strlen(word);

	if (n >= REFUSED_ADDRESS_SIZE ||
	    (!str_eq(word, "unix:") && strspn(word, "0123456789abcdef.:") != n))
		return false;
	memcpy(out, word, n + 1);
	return true;
}

bool
refused_line_parse(const char *text, size_t len, struct refused_line *out)
{
	char words[WORDS][WORD_SIZE];
	size_t i;

	*out = (struct refused_line){ .at_ms = 0 };
	if (!split(text, len, words) || !str_eq(words[0], "1") ||
	    !take_time(words[1], &out->at_ms))
		return false;
	for (i = 0; i < sizeof(listeners) / sizeof(listeners[0]); i++)
		if (str_eq(words[2], listeners[i]))
			out->listener = listeners[i];
	for (i = 0; i < FROM_NGINX; i++)
		if (str_eq(words[3], reasons[i].word))
			out->what = reasons[i].word;
	for (i = 0; i < CERTIFICATES; i++)
		if (str_eq(words[4], certificates[i]))
			break;
	out->certificate = (enum refused_certificate)i;
	return out->listener != NULL && out->what != NULL && i < CERTIFICATES &&
	       take_fingerprint(words[5], out->fingerprint) &&
	       take_address(words[6], out->address);
}

/* --- nginx's own words ---------------------------------------------------------- */

#define TLS_LINE_MAX 600
#define TLS_HEAD                                                               \
	"0000/00/00 00:00:00 [@] %#%: *% SSL_do_handshake() failed (SSL: "     \
	"error:"
#define TLS_CLIENT " while SSL handshaking, client: "
#define TLS_SERVER ", server: "
#define DIGITS "0123456789"

/* Behind what the pattern says: 0 a digit, % digits, @ letters; or NULL. */
static const char *
behind(const char *s, const char *pattern)
{
	size_t n;

	for (; *pattern != '\0'; pattern++, s += n) {
		if (*pattern == '0')
			n = *s >= '0' && *s <= '9';
		else if (*pattern == '%')
			n = strspn(s, DIGITS);
		else if (*pattern == '@')
			n = strspn(s, "abcdefghijklmnopqrstuvwxyz");
		else
			n = *s == *pattern;
		if (n == 0)
			return NULL;
	}
	return s;
}

/* OpenSSL's words, which differ by its version. */
static const char *
tls_reason(const char *words)
{
	if (strstr(words, "SSL alert number") != NULL)
		return TLS_ALERT;
	if (strstr(words, "unsupported protocol") != NULL ||
	    strstr(words, "version too low") != NULL ||
	    strstr(words, "wrong version") != NULL)
		return TLS_VERSION;
	return TLS_FAILED;
}

bool
refused_tls_parse(
    const char *text, size_t len, struct refused_line *out, int64_t *port)
{
	char line[TLS_LINE_MAX], *client, *server, *colon;
	const char *words;

	*out = (struct refused_line){ .certificate = REFUSED_NONE };
	if (len >= sizeof(line) || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(line, text, len);
	line[len] = '\0';
	if ((words = behind(line, TLS_HEAD)) == NULL ||
	    (client = strstr(line, TLS_CLIENT)) == NULL)
		return false;
	*client = '\0';
	client += strlen(TLS_CLIENT);
	if ((server = strstr(client, TLS_SERVER)) == NULL)
		return false;
	*server = '\0';
	server += strlen(TLS_SERVER);
	out->what = tls_reason(words);
	return (colon = strrchr(server, ':')) != NULL &&
	       str_to_int64(colon + 1, 1, UINT16_MAX, port) == 0 &&
	       take_address(client, out->address);
}

const char *
refused_reason(const struct refused_line *l, bool is_ours)
{
	if (!str_eq(l->what, CERTIFICATE))
		return l->what;
	switch (l->certificate) {
	case REFUSED_NONE:
		return "certificate_missing";
	case REFUSED_EXPIRED:
		return "certificate_expired";
	case REFUSED_EARLY:
		return "certificate_early";
	case REFUSED_UNKNOWN:
		return is_ours ? WITHDRAWN : "certificate_unknown";
	case REFUSED_GOOD:
		break;
	}
	return l->what;
}

const char *
refused_text(const char *reason)
{
	for (size_t i = 0; i < REASONS; i++)
		if (str_eq(reasons[i].word, reason))
			return reasons[i].text;
	return reason;
}
