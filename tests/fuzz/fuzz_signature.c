/*
 * The headers of signed requests: structured fields, Content-Digest, the
 * verifier.  Input: Signature-Input, Signature and Content-Digest, each
 * ended by a newline.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/sign/digest.h"
#include "lib/sign/sfv.h"
#include "lib/sign/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every span must lie within the text. */
static void
check_member(const struct sfv_member *m, const char *text, size_t len)
{
	size_t i;

	if (m->key.at < text || m->whole.at + m->whole.len > text + len)
		abort();
	for (i = 0; i < m->n_items; i++)
		if (m->items[i].value.type == SFV_STRING &&
		    m->items[i].value.text.at + m->items[i].value.text.len >
			text + len)
			abort();
}

static void
fuzz_dictionary(const char *text)
{
	struct sfv_dictionary *d = xcalloc(1, sizeof(*d));
	struct buf b = BUF_INIT;
	size_t i, j;

	if (sfv_parse(text, d) == 0) {
		for (i = 0; i < d->n; i++) {
			struct sfv_member *m = &d->members[i];

			check_member(m, text, strlen(text));
			for (j = 0; j < m->params.n; j++)
				if (m->params.p[j].value.type == SFV_STRING)
					sfv_string(&m->params.p[j].value, &b);
		}
	}
	buf_fini(&b);
	free(d);
}

static void
fuzz_verify(const char *input, const char *value, const char *digest)
{
	char keyid[KEYS_ID_SIZE];
	static const uint8_t key[KEYS_PUBLIC_SIZE];
	struct sign_request req = {
		.method = "POST",
		.path = "/v1/party/1/guest/9999/create",
		.query = "",
		.digest = digest,
		.party = "9999",
		.destination = "10000",
	};
	struct sign_proof proof;

	/* Nobody holds a key for all zeroes: nothing may pass. */
	(void)sign_keyid(input, req.party, keyid);
	if (sign_verify(&req, input, value, key, 1900000000, &proof) == 0)
		abort();
	if (proof.party[0] != '\0')
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size);
	char *value = text + strcspn(text, "\n");
	char *digest;
	uint8_t sum[DIGEST_SIZE];

	if (*value != '\0')
		*value++ = '\0';
	digest = value + strcspn(value, "\n");
	if (*digest != '\0')
		*digest++ = '\0';
	digest[strcspn(digest, "\n")] = '\0';
	fuzz_dictionary(text);
	fuzz_dictionary(value);
	(void)digest_parse(digest, sum);
	fuzz_verify(text, value, digest);
	free(text);
	return 0;
}
