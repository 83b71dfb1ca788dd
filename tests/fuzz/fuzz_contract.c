/*
 * Contracts as partners send them, and what is asked of them.  Input: two
 * documents with a newline between.
 *
 * Beside crashes: equal documents have one digest and no difference, others
 * have a difference that is told, and the digest is that of the text that
 * the canonical form makes of itself.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/json/canon.h"
#include "lib/model/contract.h"

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
promise(bool kept)
{
	if (!kept)
		abort();
}

static void
ask(struct json_object *o)
{
	char hex[CONTRACT_HEX_SIZE], again[CONTRACT_HEX_SIZE];
	struct buf text = BUF_INIT, difference = BUF_INIT;
	struct json_object *copy = NULL;
	int64_t a, b;

	(void)contract_egress(o, "hetero_lr_0", "guest", "9999", &a);
	(void)contract_validity(o, &a, &b);
	(void)contract_runs(o);
	if (json_canon(o, &text) == 0 &&
	    json_parse(text.data, text.len, INPUT_MAX, &copy) == 0) {
		promise(contract_digest(o, hex) == 0);
		promise(contract_digest(copy, again) == 0);
		promise(strcmp(hex, again) == 0);
		(void)contract_difference(o, "one", copy, "other", &difference);
	}
	json_object_put(copy);
	buf_fini(&text);
	buf_fini(&difference);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = memchr(text, '\n', size);
	size_t n = end != NULL ? (size_t)(end - text) : size;
	struct json_object *one = NULL, *other = NULL;
	struct buf difference = BUF_INIT;

	if (json_parse(text, n, INPUT_MAX, &one) == 0)
		ask(one);
	if (n < size &&
	    json_parse(text + n + 1, size - n - 1, INPUT_MAX, &other) == 0)
		(void)contract_difference(
		    one, "one", other, "other", &difference);
	json_object_put(one);
	json_object_put(other);
	buf_fini(&difference);
	return 0;
}
