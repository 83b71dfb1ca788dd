/*
 * HTTP requests from an event loop: many at once, connections kept alive,
 * bounded in time and size.  HTTP/1.1, TLS 1.3, no proxies, no redirects.
 *
 * Requests to partners (request.party set) are signed by lib/sign and go
 * over mutual TLS: the partner must show the very certificate that
 * keys/partners.pem holds for that party id, so one partner cannot answer
 * for another.  Requests without a party are plain, for the client API.
 */
#ifndef LIB_HTTP_CLIENT_H
#define LIB_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/conf/site_conf.h"
#include "lib/event/loop.h"
#include "lib/sign/keys.h"

struct http_client;
struct http_call; /* a request under way */

struct http_client_conf {
	const char *party;    /* this site's id */
	struct keys *keys;    /* borrowed, kept fresh; NULL: no partners */
	const char *tls_cert; /* paths; shown to partners, or, without
			       * partners_pem, to whom it talks */
	const char *tls_key;
	const char *partners_pem; /* read again when it changes */
	/* For https without a party; NULL: the system's authorities. */
	const char *ca_file;
	/* The name that is looked for in the certificate, whatever address the
	 * other is reached at; NULL: the host of the URL. */
	const char *ca_host;
};

/* A body is: body_len bytes of body, body_size bytes of body_fd, tail_len
 * bytes of tail; each may be missing.  Memory is copied, the descriptor
 * duplicated and read with pread from body_offset. */
struct http_request {
	const char *method;	  /* NULL: POST */
	const char *url;	  /* with path and query, encoded */
	const char *party;	  /* receiving party, or NULL */
	const char *content_type; /* NULL: application/json */
	const char *headers;	  /* more "Name: value\n" lines, or NULL */
	const void *body;
	size_t body_len;
	int body_fd;	      /* looked at when body_size > 0 */
	uint64_t body_offset; /* of the body in body_fd */
	uint64_t body_size;
	const void *tail;
	size_t tail_len;
	const char *digest; /* Content-Digest when known already */
	int64_t timeout_ms; /* of the whole; 0: 10 s */
	size_t reply_max;   /* bytes; 0: 1 MB */
	bool take_cookie;   /* reply.cookie is wanted */
};

/* However much longer is asked for. */
#define HTTP_RETRY_AFTER_MAX_S 60

struct http_reply {
	/*
	 * 0 when an answer came whatever its status; ERR_NET, ERR_TIMEOUT,
	 * ERR_LIMIT (answer too long), ERR_AUTH (not the partner's
	 * certificate), ERR_IO (the body's file could not be read).
	 */
	int error;
	char *error_text;      /* NULL when error is 0 */
	bool sent;	       /* the request has left, or a part of it */
	int status;	       /* HTTP status, 0 without an answer */
	int64_t retry_after_s; /* 0 when not said; at most that */
	int64_t elapsed_us;
	char *cookie; /* NAME=VALUE of the first that was set; NULL: none */
	struct buf body;
};

/* Called once per call from the loop; reply is valid only inside. */
typedef void http_done_fn(void *ctx, const struct http_reply *);

/*
 * loop is borrowed; NULL makes a private one for http_fetch().  The process
 * ignores SIGPIPE from then on.
 * Errors: ERR_NET, ERR_IO, ERR_FORMAT (certificates).
 */
int http_client_new(
    struct loop *, const struct http_client_conf *, struct http_client **out);
/* The same from a site's files; keys are borrowed. */
int http_client_new_site(struct loop *, const struct site_conf *, struct keys *,
    struct http_client **out);
/*
 * Calls under way are dropped without their callbacks.  Not from inside a
 * callback of this client.
 */
void http_client_free(struct http_client *); /* NULL is fine */

/*
 * Start a request; it leaves at once when a connection is open.  On success
 * done runs later, never from inside.  *out
 * (may be NULL when it is not wanted) is valid until then.
 * Errors: ERR_INVALID, ERR_NOT_FOUND (no certificate of that party), ERR_IO.
 */
int http_send(struct http_client *, const struct http_request *,
    http_done_fn *done, void *ctx, struct http_call **out);
/* Drop a call; its callback does not run. */
void http_cancel(struct http_call *);

/*
 * Send and wait, for clients made without a loop.  Returns 0 when an answer
 * came (whatever its status); reply is the caller's on either outcome, end
 * with http_reply_fini().
 */
int http_fetch(
    struct http_client *, const struct http_request *, struct http_reply *out);
void http_reply_fini(struct http_reply *);

#endif
