/*
 * A line of logs/refused.log: what nginx refused by itself, in words of its
 * configuration (nginx/site.conf.in), numbers and an address:
 *
 *   1 SECONDS.MS LISTENER WHAT CERTIFICATE FINGERPRINT ADDRESS
 *
 * Nothing that a stranger wrote is in it, and what is not exactly so is not
 * taken for one.
 */
#ifndef SUPERVISOR_REFUSED_LINE_H
#define SUPERVISOR_REFUSED_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REFUSED_FINGERPRINT_SIZE 41 /* SHA-1 in hex */
#define REFUSED_ADDRESS_SIZE 46

enum refused_certificate {
	REFUSED_NONE,
	REFUSED_GOOD,
	REFUSED_UNKNOWN,
	REFUSED_EXPIRED,
	REFUSED_EARLY
};

struct refused_line {
	int64_t at_ms;
	const char
	    *listener; /* constants: partner client-tls client-loopback */
	const char *what;
	enum refused_certificate certificate;
	char fingerprint[REFUSED_FINGERPRINT_SIZE]; /* "": none was shown */
	char address[REFUSED_ADDRESS_SIZE];
};

/*
 * The same of a line of logs/nginx-tls.log, in which nginx says in its own
 * words what becomes of connections.  Strangers' words are in there as well:
 * what is taken begins and ends as only nginx writes it.  *port is the
 * listener's, for who knows which that is; out->listener is NULL, and at_ms
 * left to the caller.  false: it is about no TLS handshake that failed.
 */
bool refused_tls_parse(
    const char *text, size_t len, struct refused_line *out, int64_t *port);
#define REFUSED_PARTNER "partner"
#define REFUSED_CLIENT_TLS "client-tls"

/* len without the newline.  false: it is none. */
bool refused_line_parse(const char *text, size_t len, struct refused_line *out);

/*
 * Why that was, one of a few words that records and metrics name it by.
 * is_ours: the certificate is one that a partner has or had.
 */
const char *refused_reason(const struct refused_line *, bool is_ours);
/* For lines that are none. */
#define REFUSED_UNREADABLE "unreadable"
/* The same for people. */
const char *refused_text(const char *reason);

#endif
