/*
 * One request inside lib/http: what is sent, what came back, and the curl
 * handle in between.  Private to client.c and call.c.
 */
#ifndef LIB_HTTP_CALL_H
#define LIB_HTTP_CALL_H

#include <stdbool.h>
#include <sys/stat.h>

#include "lib/base/log.h"
#include "lib/http/client.h"
#include "lib/http/curl_load.h"
#include "lib/http/pins.h"
#include "lib/sign/sign.h"

/* What partners are known by, and this site by them. */
struct call_tls {
	struct pins *pins;     /* NULL: no partners */
	struct buf cert;       /* the site's own, PEM */
	struct stat cert_seen; /* of the file it was read from */
};

struct http_call {
	struct http_client *client;
	struct http_call *prev, *next;
	http_done_fn *done;
	void *ctx;
	void *owned; /* freed with the call; may be NULL */

	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	char curl_error[CURL_ERROR_SIZE];

	/* The body: head, then file_size bytes of fd, then tail. */
	struct buf head, tail;
	int fd;
	uint64_t file_offset;
	uint64_t file_size;
	uint64_t sent; /* position in the whole */
	bool file_failed;
	bool was_sent;		       /* or begun to be */
	const struct keys *keys;       /* the client's */
	struct sign_request signed_as; /* its texts are the call's */

	struct http_reply reply;
	size_t reply_max;
	bool reply_too_long;
	int64_t started_us;
	char request_id[LOG_REQUEST_SIZE]; /* "" unless to a partner */
};

/* A curl handle ready to run. */
int call_new(const struct http_client_conf *, struct call_tls *,
    const struct http_request *, struct http_call **out);
void call_free(struct http_call *); /* NULL is fine */
/* Fill call->reply from how curl ended. */
void call_finish(struct http_call *, CURLcode);

#endif
