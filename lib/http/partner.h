/*
 * JSON commands to partner sites and the envelope of their answers
 * ({"retcode": N, "retmsg": "…", "data": …}).
 */
#ifndef LIB_HTTP_PARTNER_H
#define LIB_HTTP_PARTNER_H

#include <json-c/json.h>

#include "lib/http/client.h"

struct partner_reply {
	int error;  /* 0, http_reply's, ERR_FORMAT,
					 * ERR_REMOTE when retcode != 0 or the
					 * HTTP status is no success */
	bool sent;  /* the request has left, or a part of it */
	int status; /* HTTP status, 0 without an answer */
	int64_t retry_after_s;
	int64_t retcode;
	/* never NULL; also says what failed.  In a partner's words "this site"
	 * is that party's (fault_named()) */
	const char *retmsg;
	json_object *data; /* borrowed, may be NULL */
};

/* Called once from the loop; the reply is valid only inside. */
typedef void partner_done_fn(void *ctx, const struct partner_reply *);

/*
 * POST body (JSON text, "{}" when NULL) to url + path, signed for party.
 * url is the partner's "https://host:port", a "/" at its end is dropped.
 * Errors: as http_send().
 */
int partner_post(struct http_client *, const char *url, const char *party,
    const char *path, const char *body, int64_t timeout_ms,
    partner_done_fn *done, void *ctx, struct http_call **out);

/* Take an answer's envelope apart; *root must be put by the caller. */
int partner_parse(
    const struct http_reply *, struct partner_reply *out, json_object **root);

#endif
