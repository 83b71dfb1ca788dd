/*
 * Commands to partners and their envelopes.  Called by the supervisor and by
 * shepherds.
 */
#include "lib/http/partner.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/http/call.h"
#include "lib/json/json.h"
#include "lib/model/fault.h"

#define ENVELOPE_MAX (8 * 1024 * 1024) /* also http_request.reply_max */

/* Belongs to its call and ends with it, answered or canceled. */
struct waiting {
	partner_done_fn *done;
	void *ctx;
	char party[]; /* whose words the answer has */
};

static int
fail(struct partner_reply *out, int error, const char *text)
{
	out->error = error;
	out->retmsg = text;
	return error;
}

/* {"retcode": integer, "retmsg": …, "data": …} */
static int
parse_envelope(
    const struct buf *body, struct partner_reply *out, json_object **root)
{
	json_object *retcode;

	if (json_parse(buf_str(body), body->len, ENVELOPE_MAX, root) != 0)
		return fail(
		    out, ERR_FORMAT, "the partner's answer is not JSON");
	retcode = json_get(*root, "retcode");
	if (!json_object_is_type(retcode, json_type_int))
		return fail(
		    out, ERR_FORMAT, "the partner's answer has no retcode");
	out->retcode = json_object_get_int64(retcode);
	out->retmsg = json_get_str(*root, "retmsg", "");
	out->data = json_get(*root, "data");
	return 0;
}

int
partner_parse(const struct http_reply *reply, struct partner_reply *out,
    json_object **root)
{
	int r;

	*root = NULL;
	*out = (struct partner_reply){
		.sent = reply->sent,
		.status = reply->status,
		.retmsg = "",
		.retry_after_s = reply->retry_after_s,
	};
	if (reply->error != 0)
		return fail(out, reply->error, reply->error_text);
	if ((r = parse_envelope(&reply->body, out, root)) != 0) {
		/* A front end's own page says less than its status. */
		if (out->status < 200 || out->status > 299)
			out->error = r = ERR_REMOTE;
		return r;
	}
	if (out->retcode != 0 || out->status < 200 || out->status > 299)
		out->error = ERR_REMOTE;
	return out->error;
}

static void
answered(void *ctx, const struct http_reply *http)
{
	struct waiting *w = ctx;
	struct arena *arena = arena_new();
	struct partner_reply reply;
	json_object *root;

	(void)partner_parse(http, &reply, &root);
	/* Of what was not answered the words are our own. */
	if (reply.status != 0)
		reply.retmsg = fault_named(arena, reply.retmsg, w->party);
	w->done(w->ctx, &reply);
	json_object_put(root);
	arena_free(arena);
}

int
partner_post(struct http_client *cl, const char *url, const char *party,
    const char *path, const char *body, int64_t timeout_ms,
    partner_done_fn *done, void *ctx, struct http_call **out)
{
	size_t len = strlen(url), named = strlen(party) + 1;
	struct waiting *w = xcalloc(1, sizeof(*w) + named);
	struct http_call *call;
	char *whole;
	struct http_request req = {
		.party = party,
		.timeout_ms = timeout_ms,
		.body = body != NULL ? body : "{}",
		.body_len = body != NULL ? strlen(body) : 2,
		.reply_max = ENVELOPE_MAX,
	};
	int r;

	w->done = done;
	w->ctx = ctx;
	memcpy(w->party, party, named);
	if (len != 0 && url[len - 1] == '/')
		len--;
	whole = xasprintf("%.*s%s", (int)len, url, path);
	req.url = whole;
	if (out != NULL)
		*out = NULL;
	if ((r = http_send(cl, &req, answered, w, &call)) != 0) {
		free(w);
	} else {
		call->owned = w;
		if (out != NULL)
			*out = call;
	}
	free(whole);
	return r;
}
