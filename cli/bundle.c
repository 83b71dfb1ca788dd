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
	return 0;
}

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
		if ((r = keys_public_parse(
			 json_get_str(o, "sign_key", ""), out->sign_key)) == 0)
			r = bundle_check(out);
	}
	json_object_put(o);
	if (r != 0)
		bundle_fini(out);
	return r == 0 ? 0 : err_wrap("%s", path);
}

struct json_object *
bundle_json(const struct bundle *b)
{
	struct json_object *o = json_object_new_object();
	char key[KEYS_TEXT_SIZE];

	keys_public_text(b->sign_key, key);
	json_add_int(o, "sluice_partner", 1);
	json_add_str(o, "party_id", b->party_id);
	json_add_str(o, "name", b->name);
	json_add_str(o, "url", b->url);
	json_add_str(o, "sign_key", key);
	json_add_str(o, "tls_cert", b->tls_cert);
	return o;
}
