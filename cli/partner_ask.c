/*
 * Called by doctor_partners.c and rotate_ask.c.
 */
#include "cli/partner_ask.h"

#include <stdlib.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/party/errand.h"

#define TIMEOUT_MS 10000
#define TRIES 3
#define PAUSE_MS 1100 /* the times of signatures are whole seconds */

static enum partner_word
word_of(int r, const struct partner_reply *reply)
{
	if (r == 0)
		return PARTNER_HEARD;
	if (reply->status == 0)
		return PARTNER_UNREACHABLE;
	/* One that is welcome when it is signed again: its database forgot. */
	if (reply->status == 401 && reply->retry_after_s > 0)
		return PARTNER_NOT_NOW;
	if (reply->status == 429 || reply->status >= 500)
		return PARTNER_BUSY;
	if (reply->status == 401 || reply->status == 403 ||
	    reply->retcode == err_retcode(ERR_AUTH) ||
	    reply->retcode == err_retcode(ERR_DENIED))
		return PARTNER_REFUSES;
	return PARTNER_STRANGE;
}

static int
ask_once(struct http_client *client, const struct db_partner *p,
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
	out->word = word_of(r, &out->reply);
	free(url);
	return r;
}

int
partner_ask(struct http_client *client, const struct db_partner *p,
    const char *errand, struct partner_asked *out)
{
	const struct timespec pause = { PAUSE_MS / 1000,
		PAUSE_MS % 1000 * 1000000L };
	int r, left = TRIES;

	while ((r = ask_once(client, p, errand, out)) != 0 &&
	       out->word == PARTNER_NOT_NOW && --left > 0) {
		partner_asked_fini(out);
		err_clear();
		(void)nanosleep(&pause, NULL);
	}
	return r;
}

void
partner_asked_fini(struct partner_asked *a)
{
	json_object_put(a->root);
	http_reply_fini(&a->http);
}
