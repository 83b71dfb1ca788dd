/*
 * Reading, checking and writing partner bundles.
 */
#include "cli/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/http/tls_cert.h"
#include "lib/json/canon.h"

#define BUNDLE_MAX (64 * 1024)
#define URL_MAX 500	 /* partner.url */
#define NAME_MAX_LEN 100 /* partner.name */

void
bundle_fini(struct bundle *b)
{
	free(b->party_id);
	free(b->name);
	free(b->url);
	free(b->tls_cert);
	free(b->next.tls_cert);
	memset(b, 0, sizeof(*b));
}

int
bundle_check(const struct bundle *b)
{
	int r;

	if (!str_is_party_id(b->party_id))
		return err_set(ERR_INVALID, "party_id: 1 to 10 digits");
	if (!str_starts(b->url, "https://") || strlen(b->url) > URL_MAX ||
	    strpbrk(b->url + 8, "/?#@ \t\r\n\"\\") != NULL || b->url[8] == '\0')
		return err_set(ERR_INVALID, "url: https://HOST:PORT");
	if (strlen(b->name) > NAME_MAX_LEN)
		return err_set(
		    ERR_INVALID, "name: %d bytes at most", NAME_MAX_LEN);
	if ((r = tls_cert_check(b->tls_cert, b->party_id)) != 0)
		return err_wrap("tls_cert");
	if (b->next.tls_cert != NULL &&
	    (r = tls_cert_check(b->next.tls_cert, b->party_id)) != 0)
		return err_wrap("next.tls_cert");
	return 0;
}

/* --- what is next --------------------------------------------------------- */

static struct json_object *
next_json(const struct bundle *b)
{
	struct json_object *o = json_object_new_object();
	char key[KEYS_TEXT_SIZE];

	keys_public_text(b->next.sign_key, key);
	json_add_str(o, "sign_key", key);
	json_add_str(o, "tls_cert", b->next.tls_cert);
	json_add_int(o, "old_until", b->next.old_until_s);
	return o;
}

/*
 * What both keys sign: RFC 8785 text of who changes from what to what, and of
 * all else that the file says: whoever imports it takes that, too.
 */
static int
statement(const struct bundle *b, struct buf *out)
{
	struct json_object *o = json_object_new_object();
	char key[KEYS_TEXT_SIZE];
	int r;

	keys_public_text(b->sign_key, key);
	json_add_str(o, "statement", "sluice key change");
	json_add_str(o, "party_id", b->party_id);
	json_add_str(o, "name", b->name);
	json_add_str(o, "url", b->url);
	json_add_str(o, "sign_key", key);
	json_add_str(o, "tls_cert", b->tls_cert);
	json_add(o, "next", next_json(b));
	r = json_canon(o, out);
	json_object_put(o);
	return r;
}

int
bundle_sign_next(
    struct bundle *b, const struct keys *old, const struct keys *new_pair)
{
	struct buf text = BUF_INIT;
	int r;

	if ((r = statement(b, &text)) == 0) {
		keys_sign(old, text.data, text.len, b->next.by_old);
		keys_sign(new_pair, text.data, text.len, b->next.by_new);
	}
	buf_fini(&text);
	return r;
}

static int
read_signature(struct json_object *o, const char *name, uint8_t out[64])
{
	struct buf bytes = BUF_INIT;
	const char *text = json_get_str(o, name, "");
	int r;

	r = str_unbase64(&bytes, text, strlen(text));
	if (r != 0 || bytes.len != KEYS_SIGNATURE_SIZE)
		r = err_set(ERR_FORMAT, "next.%s is no signature", name);
	else
		memcpy(out, bytes.data, KEYS_SIGNATURE_SIZE);
	buf_fini(&bytes);
	return r;
}

static int
check_next(const struct bundle *b)
{
	struct buf text = BUF_INIT;
	int r;

	if ((r = statement(b, &text)) == 0 &&
	    ((r = keys_verify(
		  b->sign_key, text.data, text.len, b->next.by_old)) != 0 ||
		(r = keys_verify(b->next.sign_key, text.data, text.len,
		     b->next.by_new)) != 0))
		r = err_wrap("next");
	buf_fini(&text);
	return r;
}

static int
read_next(struct json_object *o, struct bundle *b)
{
	struct bundle_next *n = &b->next;
	int r;

	if (o == NULL)
		return 0;
	n->tls_cert = xstrdup(json_get_str(o, "tls_cert", ""));
	n->old_until_s = json_get_int(o, "old_until", 0);
	if ((r = keys_public_parse(
		 json_get_str(o, "sign_key", ""), n->sign_key)) != 0 ||
	    (r = read_signature(o, "by_old", n->by_old)) != 0 ||
	    (r = read_signature(o, "by_new", n->by_new)) != 0)
		return r;
	return check_next(b);
}

/* --- files ---------------------------------------------------------------- */

static int
read_text_file(const struct site_conf *conf, const char *name, struct buf *out)
{
	char *path = site_path(conf, SITE_KEYS "/%s", name);
	int r = buf_read_file(out, path, BUNDLE_MAX);

	free(path);
	return r;
}

int
bundle_of_site(const struct site_conf *conf, struct bundle *out)
{
	struct buf key = BUF_INIT, cert = BUF_INIT;
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = read_text_file(conf, "sign.pub", &key)) == 0 &&
	    (r = read_text_file(conf, "tls.crt", &cert)) == 0) {
		key.data[strcspn(key.data, "\r\n")] = '\0';
		r = keys_public_parse(key.data, out->sign_key);
	}
	if (r == 0) {
		out->party_id = xstrdup(conf->party_id);
		out->name = xstrdup("");
		out->url = xstrdup(conf->partner_url);
		out->tls_cert = buf_steal(&cert);
		r = bundle_check(out);
	}
	if (r != 0)
		bundle_fini(out);
	buf_fini(&key);
	buf_fini(&cert);
	return r;
}

int
bundle_read(const char *path, struct bundle *out)
{
	struct json_object *o = NULL;
	int r;

	memset(out, 0, sizeof(*out));
	r = json_parse_file(path, BUNDLE_MAX, &o);
	if (r == ERR_FORMAT)
		r = err_wrap("not a partner file, which \"sluice partner "
			     "export\" writes");
	if (r != 0)
		return r;
	if (json_get_int(o, "sluice_partner", 0) != 1) {
		r = err_set(ERR_FORMAT,
		    "not a partner file, which \"sluice partner export\" "
		    "writes");
	} else {
		out->party_id = xstrdup(json_get_str(o, "party_id", ""));
		out->name = xstrdup(json_get_str(o, "name", ""));
		out->url = xstrdup(json_get_str(o, "url", ""));
		out->tls_cert = xstrdup(json_get_str(o, "tls_cert", ""));
		if ((r = keys_public_parse(json_get_str(o, "sign_key", ""),
			 out->sign_key)) == 0 &&
		    (r = read_next(json_get(o, "next"), out)) == 0)
			r = bundle_check(out);
	}
	json_object_put(o);
	if (r != 0)
		bundle_fini(out);
	return r == 0 ? 0 : err_wrap("%s", path);
}

static void
add_signature(struct json_object *o, const char *name, const uint8_t bytes[64])
{
	struct buf text = BUF_INIT;

	str_base64(&text, bytes, KEYS_SIGNATURE_SIZE);
	json_add_str(o, name, buf_str(&text));
	buf_fini(&text);
}

struct json_object *
bundle_json(const struct bundle *b)
{
	struct json_object *o = json_object_new_object();
	struct json_object *next;
	char key[KEYS_TEXT_SIZE];

	keys_public_text(b->sign_key, key);
	json_add_int(o, "sluice_partner", 1);
	json_add_str(o, "party_id", b->party_id);
	json_add_str(o, "name", b->name);
	json_add_str(o, "url", b->url);
	json_add_str(o, "sign_key", key);
	json_add_str(o, "tls_cert", b->tls_cert);
	if (b->next.tls_cert != NULL) {
		next = next_json(b);
		add_signature(next, "by_old", b->next.by_old);
		add_signature(next, "by_new", b->next.by_new);
		json_add(o, "next", next);
	}
	return o;
}
