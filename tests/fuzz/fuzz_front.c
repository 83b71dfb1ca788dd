/*
 * Fuzz target: lines of nginx's logs, which have strangers' words in them.
 * What is taken for a refusal is one in words that are known.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
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
	for (int ours = 0; ours < 2; ours++) {
		const char *reason = refused_reason(l, ours != 0);

		promise(str_is_name(reason, 30));
		promise(strcmp(refused_text(reason), reason) != 0);
	}
	promise(strspn(l->address, "0123456789abcdef.:unix") ==
		strlen(l->address));
	promise(strlen(l->address) < sizeof(l->address));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct refused_line l;
	int64_t port = 0;

	if (refused_line_parse(text, size, &l)) {
		check(&l);
		promise(l.listener != NULL);
		promise(l.fingerprint[0] == '\0' ||
			strlen(l.fingerprint) == sizeof(l.fingerprint) - 1);
	}
	if (refused_tls_parse(text, size, &l, &port)) {
		check(&l);
		promise(l.fingerprint[0] == '\0' && l.listener == NULL);
		promise(port > 0 && port <= UINT16_MAX);
	}
	err_clear();
	return 0;
}
