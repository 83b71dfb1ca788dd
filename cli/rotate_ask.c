/*
 * Do partners take this site's next keys already?  Each is asked with them: a
 * request signed with the next key, over a connection with the next
 * certificate, is heard by who has imported both.  Called by rotate.c.
 */
#include <stdlib.h>

#include "cli/partner_ask.h"
#include "cli/rotate_ask.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_partner.h"
#include "lib/http/client.h"

/* One partner's word is added to said unless it was heard. */
static void
ask(struct http_client *client, const struct db_partner *p, struct buf *said)
{
	struct partner_asked a;

	if (partner_ask(client, p, "ping", &a) != 0)
		buf_printf(said, "%sparty %s (%.200s)",
		    said->len > 0 ? "; " : "", p->party_id, a.said);
	err_clear();
	partner_asked_fini(&a);
}

static int
ask_all(struct site *s, struct http_client *client, struct buf *said)
{
	struct db_partner *rows;
	size_t i, n;
	int r = db_partner_list(s->db, s->arena, &rows, &n);

	for (i = 0; r == 0 && i < n; i++)
		if (rows[i].enabled &&
		    !str_eq(rows[i].party_id, s->conf->party_id))
			ask(client, &rows[i], said);
	return r;
}

int
rotate_ask(struct site *s, const char *folder)
{
	char *sign = site_path(s->conf, "%s/sign.key", folder);
	char *cert = site_path(s->conf, "%s/tls.crt", folder);
	char *key = site_path(s->conf, "%s/tls.key", folder);
	char *partners = site_path(s->conf, SITE_KEYS "/partners.pem");
	struct http_client_conf conf = {
		.party = s->conf->party_id,
		.tls_cert = cert,
		.tls_key = key,
		.partners_pem = partners,
	};
	struct http_client *client = NULL;
	struct keys *keys = NULL;
	struct buf said = BUF_INIT;
	int r;

	if ((r = keys_load(sign, &keys)) == 0) {
		conf.keys = keys;
		if ((r = http_client_new(NULL, &conf, &client)) == 0)
			r = ask_all(s, client, &said);
	}
	if (r == 0 && said.len > 0)
		r = err_set(ERR_CONFLICT,
		    "not heard with the new keys: %s.  Let each import the "
		    "file that announces them; --force switches all the same, "
		    "and those refuse this site until they have",
		    buf_str(&said));
	http_client_free(client);
	keys_free(keys);
	buf_fini(&said);
	free(sign);
	free(cert);
	free(key);
	free(partners);
	return r;
}
