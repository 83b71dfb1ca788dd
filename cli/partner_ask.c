/*
 * Called by doctor_partners.c and rotate_ask.c.
 */
#include "cli/partner_ask.h"

#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/party/errand.h"

#define TIMEOUT_MS 10000

int
partner_ask(struct http_client *client, const struct db_partner *p,
    const char *errand, struct partner_asked *out)
{
	char *url = xasprintf(
	    "%s" ERRAND_PATH "/%s/guest/%s", p->url, errand, p->party_id);
	struct http_request req = { .url = url,
		.party = p->party_id,
		.body = "{}",
		.body_len = 2,
		.timeout_ms = TIMEOUT_MS };
	int r;

	*out = (struct partner_asked){ 0 };
	if ((r = http_fetch(client, &req, &out->http)) == 0)
		r = partner_parse(&out->http, &out->reply, &out->root);
	out->said = out->root != NULL		   ? out->reply.retmsg
		    : out->http.error_text != NULL ? out->http.error_text
						   : err_text();
	free(url);
	return r;
}

void
partner_asked_fini(struct partner_asked *a)
{
	json_object_put(a->root);
	http_reply_fini(&a->http);
}
