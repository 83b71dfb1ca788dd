/*
 * Fuzz target: lines of refused.log and of nginx's log of TLS handshakes, that
 * strangers make nginx write.  What is taken for one has only what the audit
 * log may hold: words of ours, an address, a fingerprint.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/refused_line.h"

static void
promise(int kept)
{
	if (!kept)
		abort();
}

static void
check(const struct refused_line *l)
{
	const char *reason;

	promise(
	    strspn(l->address, "0123456789abcdef.:") == strlen(l->address) ||
	    strcmp(l->address, "unix:") == 0);
	promise(strspn(l->fingerprint, "0123456789abcdef") ==
		strlen(l->fingerprint));
	promise(l->at_ms >= 0);
	for (int is_ours = 0; is_ours < 2; is_ours++) {
		reason = refused_reason(l, is_ours);
		/* Each has a text for people. */
		promise(reason != NULL && refused_text(reason) != reason);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size); /* its end is the line's */
	struct refused_line l;
	int64_t port;

	promise(line != NULL || size == 0);
	if (size > 0)
		memcpy(line, data, size);
	if (size > 0 && refused_line_parse(line, size, &l)) {
		promise(l.listener != NULL);
		check(&l);
	}
	if (size > 0 && refused_tls_parse(line, size, &l, &port)) {
		promise(port > 0 && port <= UINT16_MAX);
		check(&l);
	}
	free(line);
	return 0;
}
