/*
 * What a signed head covers.  Called by the supervisor, which has the key, and
 * by whoever checks.
 */
#include "lib/audit/head.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/canon.h"

#define DOMAIN "sluice-audit-head-1\n"

static int
covered(const struct audit_head *h, enum head_kind kind, struct buf *out)
{
	struct json_object *o = json_object_new_object();
	char hex[2 * DIGEST_SIZE + 1];
	int r;

	str_to_hex(h->hash, DIGEST_SIZE, hex);
	json_add_str(o, "kind", kind == HEAD_OWN ? "own" : "seen");
	json_add_str(o, "job", h->job_id);
	json_add_str(o, "party", h->party_id);
	json_add_str(o, "peer", h->peer_id);
	json_add_int(o, "seq", h->seq);
	json_add_str(o, "hash", hex);
	buf_puts(out, DOMAIN);
	r = json_canon(o, out);
	json_object_put(o);
	return r;
}

int
audit_head_sign(const struct audit_head *h, enum head_kind kind,
    const struct keys *k, uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	struct buf b = BUF_INIT;
	int r = covered(h, kind, &b);

	if (r == 0)
		keys_sign(k, b.data, b.len, signature);
	buf_fini(&b);
	return r;
}

int
audit_head_verify(const struct audit_head *h, enum head_kind kind,
    const uint8_t public_key[KEYS_PUBLIC_SIZE],
    const uint8_t signature[KEYS_SIGNATURE_SIZE])
{
	struct buf b = BUF_INIT;
	int r = covered(h, kind, &b);

	if (r == 0)
		r = keys_verify(public_key, b.data, b.len, signature);
	buf_fini(&b);
	return r;
}
