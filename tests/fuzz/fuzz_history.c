/*
 * Fuzz target: what other sites' operators send to be compared: two exports of
 * audit chains, apart by an empty line, and the same lines as an access log.
 *
 * Beside crashes it looks for broken promises: findings have words, and counts
 * are of what was there.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/audit/compare.h"
#include "lib/audit/history.h"
#include "lib/base/err.h"

#define LINES_MAX 2000 /* checks sort and search: keep a run short */

static void
promise(int kept)
{
	if (!kept)
		abort();
}

static void
check_findings(const struct history *h, int64_t lines)
{
	const struct history_finding *f;
	size_t n;

	f = history_findings(h, &n);
	for (size_t i = 0; i < n; i++)
		promise(f[i].text != NULL && *f[i].text != '\0');
	promise(history_records(h) >= 0 && history_records(h) <= lines);
	promise(history_party(h) != NULL || lines >= 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct history *one = history_new(), *other = history_new(), *at = one;
	struct compare *log = compare_new("9999", "10000", NULL);
	struct compare_result result = { .rows = 0 };
	const char *p = (const char *)data, *end = p + size, *eol;
	int64_t lines = 0, good = 0;

	for (; p < end && lines < LINES_MAX; p = eol + 1, lines++) {
		eol = memchr(p, '\n', (size_t)(end - p));
		if (eol == NULL)
			eol = end;
		if (eol == p)
			at = other;
		good += history_line(at, p, (size_t)(eol - p)) == 0;
		compare_add_line(log, p, (size_t)(eol - p));
	}
	if (good > 0) {
		history_check(one);
		history_check(other);
		history_compare(one, other);
	}
	compare_finish(log, &result);
	promise(result.rows == 0 && result.unreadable <= lines);
	check_findings(one, lines);
	check_findings(other, lines);
	compare_free(log);
	history_free(one);
	history_free(other);
	err_clear();
	return 0;
}
