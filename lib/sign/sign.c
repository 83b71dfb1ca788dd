/*
 * What this federation signs and accepts.  Senders: lib/http; receivers:
 * fcgi-app, for every request of a partner.
 */
#include "lib/sign/sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/sign/digest.h"
#include "lib/sign/signature.h"

#define LABEL "sig1"
#define ALGORITHM "ed25519"
#define TAG "sluice"
#define N_PARTS 6
#define KEYID_SIZE (11 + 1 + KEYS_ID_SIZE)
#define NONCE_MIN 16 /* characters */

static const char *const required_params[] = {
	"created",
	"expires",
	"nonce",
	"keyid",
	"alg",
	"tag",
};
#define N_PARAMS (sizeof(required_params) / sizeof(required_params[0]))

/* Visible ASCII only: nothing may end a line of the base early. */
static bool
is_visible(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < 0x21 || *s > 0x7e)
			return false;
	return true;
}

static int
check_request(const struct sign_request *req)
{
	if (req->method == NULL || !str_is_name(req->method, 16))
		return err_set(ERR_INVALID, "method");
	if (req->path == NULL || req->path[0] != '/' ||
	    !is_visible(req->path) || strpbrk(req->path, "?#") != NULL)
		return err_set(ERR_INVALID, "path");
	if (req->query != NULL && !is_visible(req->query))
		return err_set(ERR_INVALID, "query");
	if (req->party == NULL || !str_is_party_id(req->party))
		return err_set(ERR_INVALID, "sender's party id");
	if (req->destination == NULL || !str_is_party_id(req->destination))
		return err_set(ERR_INVALID, "receiver's party id");
	if (req->digest == NULL || strpbrk(req->digest, "\r\n") != NULL)
		return err_set(ERR_INVALID, "digest");
	return 0;
}

/* query holds "?…" and must live as long as parts. */
static void
fill_parts(const struct sign_request *req, struct buf *query,
    struct signature_part parts[N_PARTS])
{
	buf_printf(query, "?%s", req->query != NULL ? req->query : "");
	parts[0] = (struct signature_part){ "@method", req->method };
	parts[1] = (struct signature_part){ "@path", req->path };
	parts[2] = (struct signature_part){ "@query", buf_str(query) };
	parts[3] = (struct signature_part){ "content-digest", req->digest };
	parts[4] = (struct signature_part){ "sluice-party", req->party };
	parts[5] =
	    (struct signature_part){ "sluice-destination", req->destination };
}

static void
make_keyid(const char *party, const uint8_t public_key[KEYS_PUBLIC_SIZE],
    char out[KEYID_SIZE])
{
	char id[KEYS_ID_SIZE];

	keys_id(public_key, id);
	(void)snprintf(out, KEYID_SIZE, "%s:%s", party, id);
}

static int
write_headers(const struct buf *params, const uint8_t signature[64],
    struct sign_headers *out)
{
	struct buf b64 = BUF_INIT;
	int n;

	n = snprintf(
	    out->input, sizeof(out->input), LABEL "=%s", buf_str(params));
	if (n < 0 || (size_t)n >= sizeof(out->input))
		return err_set(ERR_INVALID, "nonce is too long");
	str_base64(&b64, signature, KEYS_SIGNATURE_SIZE);
	(void)snprintf(
	    out->value, sizeof(out->value), LABEL "=:%s:", buf_str(&b64));
	buf_fini(&b64);
	return 0;
}

int
sign_request_at(const struct keys *keys, const struct sign_request *req,
    int64_t created_s, const char *nonce, struct sign_headers *out)
{
	struct signature_part parts[N_PARTS];
	char keyid[KEYID_SIZE];
	struct signature_params params = {
		.created_s = created_s,
		.expires_s = created_s + SIGN_LIFETIME_S,
		.nonce = nonce,
		.keyid = keyid,
		.alg = ALGORITHM,
		.tag = TAG,
	};
	struct buf query = BUF_INIT, text = BUF_INIT;
	struct buf base = BUF_INIT;
	uint8_t signature[KEYS_SIGNATURE_SIZE];
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = check_request(req)) != 0)
		goto out;
	fill_parts(req, &query, parts);
	make_keyid(req->party, keys_public(keys), keyid);
	r = signature_write_params(parts, N_PARTS, &params, &text);
	if (r != 0)
		goto out;
	signature_base(parts, N_PARTS, buf_str(&text), text.len, &base);
	keys_sign(keys, buf_str(&base), base.len, signature);
	r = write_headers(&text, signature, out);
out:
	buf_fini(&query);
	buf_fini(&text);
	buf_fini(&base);
	return r == 0 ? 0 : err_wrap("sign request");
}

int
sign_request(const struct keys *keys, const struct sign_request *req,
    struct sign_headers *out)
{
	char nonce[ID_RANDOM_SIZE];

	id_random(nonce);
	return sign_request_at(keys, req, clock_wall_ms() / 1000, nonce, out);
}

int
sign_keyid(const char *input, const char *party, char out[KEYS_ID_SIZE])
{
	struct sfv_dictionary *d = xcalloc(1, sizeof(*d));
	const struct sfv_member *m = NULL;
	const struct sfv_value *v = NULL;
	struct buf text = BUF_INIT;
	size_t n = strlen(party);
	int r;

	if ((r = sfv_parse(input, d)) == 0 &&
	    (m = sfv_member(d, LABEL)) != NULL &&
	    (v = sfv_param(&m->params, "keyid")) != NULL &&
	    v->type == SFV_STRING)
		sfv_string(v, &text);
	if (r == 0 && text.len == 0)
		r = err_set(ERR_FORMAT, "the signature names no key");
	else if (r == 0 &&
		 (text.len != n + KEYS_ID_SIZE ||
		     strncmp(text.data, party, n) != 0 || text.data[n] != ':'))
		r = err_set(ERR_AUTH, "keyid must be \"%s:\" and %d hex digits",
		    party, KEYS_ID_SIZE - 1);
	else if (r == 0)
		memcpy(out, text.data + n + 1, KEYS_ID_SIZE);
	buf_fini(&text);
	free(d);
	return r;
}

static int
check_times(const struct signature *s, int64_t now_s, struct sign_proof *out)
{
	int64_t expires_s;
	int r;

	if ((r = signature_integer(s, "created", &out->created_s)) != 0 ||
	    (r = signature_integer(s, "expires", &expires_s)) != 0)
		return r;
	if (expires_s <= out->created_s ||
	    expires_s - out->created_s > SIGN_LIFETIME_MAX_S)
		return err_set(ERR_AUTH, "signature must live 1 to %d s",
		    SIGN_LIFETIME_MAX_S);
	if (out->created_s > now_s + SIGN_SKEW_S)
		return err_set(ERR_CLOCK,
		    "signature is from the future: %lld s ahead of this "
		    "site's clock",
		    (long long)(out->created_s - now_s));
	if (expires_s < now_s - SIGN_SKEW_S)
		return err_set(ERR_CLOCK,
		    "signature is expired, %lld s ago by this site's clock",
		    (long long)(now_s - expires_s));
	out->expires_s = expires_s + SIGN_SKEW_S;
	return 0;
}

static int
check_text(const struct signature *s, const char *name, const char *wanted)
{
	char text[128];
	int r;

	if ((r = signature_string(s, name, text, sizeof(text))) != 0)
		return r;
	/* Public values all: no need for a constant time. */
	if (strcmp(text, wanted) != 0)
		return err_set(ERR_AUTH, "%s must be \"%s\"", name, wanted);
	return 0;
}

static int
check_nonce(const struct signature *s, struct sign_proof *out)
{
	int r;

	r = signature_string(s, "nonce", out->nonce, sizeof(out->nonce));
	if (r != 0)
		return r;
	if (strlen(out->nonce) < NONCE_MIN ||
	    !str_is_name(out->nonce, SIGN_NONCE_SIZE - 1))
		return err_set(ERR_AUTH,
		    "nonce must be %d to %d letters, "
		    "digits, - or _",
		    NONCE_MIN, SIGN_NONCE_SIZE - 1);
	return 0;
}

/* Everything that can be judged without the signature itself. */
static int
check_claims(const struct signature *s, const struct sign_request *req,
    const struct signature_part *parts, const uint8_t *public_key,
    int64_t now_s, struct sign_proof *out)
{
	char keyid[KEYID_SIZE];
	int r;

	if (!signature_covers(s, parts, N_PARTS))
		return err_set(ERR_AUTH, "not the required parts are signed");
	if (!signature_has_params(s, required_params, N_PARAMS))
		return err_set(ERR_AUTH, "created, expires, nonce, keyid, "
					 "alg, tag expected");
	make_keyid(req->party, public_key, keyid);
	if ((r = check_text(s, "alg", ALGORITHM)) != 0 ||
	    (r = check_text(s, "tag", TAG)) != 0 ||
	    (r = check_text(s, "keyid", keyid)) != 0 ||
	    (r = check_nonce(s, out)) != 0 ||
	    (r = check_times(s, now_s, out)) != 0)
		return r;
	return digest_parse(req->digest, out->digest);
}

int
sign_verify(const struct sign_request *req, const char *input,
    const char *value, const uint8_t public_key[KEYS_PUBLIC_SIZE],
    int64_t now_s, struct sign_proof *out)
{
	struct signature_part parts[N_PARTS];
	struct signature s = { 0 };
	struct buf query = BUF_INIT, base = BUF_INIT;
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = check_request(req)) != 0) {
		r = err_set(ERR_FORMAT, "signed request: bad %s", err_text());
		goto out;
	}
	fill_parts(req, &query, parts);
	if ((r = signature_parse(input, value, LABEL, &s)) != 0)
		goto out;
	r = check_claims(&s, req, parts, public_key, now_s, out);
	if (r != 0)
		goto out;
	/* The bytes as received: what was parsed is what is verified. */
	signature_base(
	    parts, N_PARTS, s.input->whole.at, s.input->whole.len, &base);
	r = keys_verify(public_key, buf_str(&base), base.len, s.bytes);
	if (r == 0)
		(void)snprintf(
		    out->party, sizeof(out->party), "%s", req->party);
out:
	signature_fini(&s);
	buf_fini(&query);
	buf_fini(&base);
	if (r != 0)
		memset(out, 0, sizeof(*out));
	return r;
}
