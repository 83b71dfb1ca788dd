/*
 * Turns a struct http_request into a curl handle and curl's outcome into a
 * struct http_reply.  Called by client.c, which runs the handles.
 */
#include "lib/http/call.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/log_repeat.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/http/url.h"
#include "lib/sign/digest.h"
#include "lib/sign/sign.h"

#define TIMEOUT_MS 10000
#define REPLY_MAX (1024 * 1024)
#define UPLOAD_CHUNK (256 * 1024L)
#define COOKIE_MAX 4096 /* a longer one is passed over */

/* --- the body ------------------------------------------------------------------ */

static uint64_t
body_size(const struct http_call *c)
{
	return c->head.len + c->file_size + c->tail.len;
}

static size_t
body_piece(struct http_call *c, char *out, size_t room)
{
	uint64_t at = c->sent;
	const struct buf *b = &c->head;
	ssize_t n;

	if (at >= c->head.len && at < c->head.len + c->file_size) {
		uint64_t in_file = at - c->head.len;
		uint64_t left = c->file_size - in_file;

		do
			n = pread(c->fd, out, left < room ? (size_t)left : room,
			    (off_t)(c->file_offset + in_file));
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			c->file_failed = true;
		return n > 0 ? (size_t)n : 0;
	}
	if (at >= c->head.len) {
		b = &c->tail;
		at -= c->head.len + c->file_size;
	}
	if (room > b->len - at)
		room = b->len - at;
	if (room != 0)
		memcpy(out, b->data + at, room);
	return room;
}

static size_t
on_read(char *out, size_t size, size_t n, void *ctx)
{
	struct http_call *c = ctx;
	size_t got;

	if (c->sent == body_size(c))
		return 0;
	got = body_piece(c, out, size * n);
	if (got == 0)
		return CURL_READFUNC_ABORT;
	c->sent += got;
	return got;
}

/* curl starts over when a kept connection turns out to be closed. */
static int
on_seek(void *ctx, curl_off_t offset, int origin)
{
	struct http_call *c = ctx;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > body_size(c))
		return CURL_SEEKFUNC_FAIL;
	c->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static size_t
on_write(char *data, size_t size, size_t n, void *ctx)
{
	struct http_call *c = ctx;

	if (size * n > c->reply_max - c->reply.body.len) {
		c->reply_too_long = true;
		return 0;
	}
	buf_append(&c->reply.body, data, size * n);
	return size * n;
}

/* Without what stands behind it: that is for browsers. */
static size_t
on_header(char *line, size_t size, size_t n, void *ctx)
{
	static const char name[] = "Set-Cookie:";
	struct http_call *c = ctx;
	size_t len = size * n, at = sizeof(name) - 1, end;

	if (len <= at || len > COOKIE_MAX || strncasecmp(line, name, at) != 0 ||
	    c->reply.cookie != NULL)
		return len;
	while (at < len && line[at] == ' ')
		at++;
	end = at;
	while (end < len && strchr("; \r\n", line[end]) == NULL)
		end++;
	c->reply.cookie = xstrndup(line + at, end - at);
	return len;
}

static int
take_body(struct http_call *c, const struct http_request *req)
{
	c->fd = -1;
	if (req->body_len != 0)
		buf_append(&c->head, req->body, req->body_len);
	if (req->tail_len != 0)
		buf_append(&c->tail, req->tail, req->tail_len);
	if (req->body_size == 0)
		return 0;
	c->file_size = req->body_size;
	c->file_offset = req->body_offset;
	if ((c->fd = fcntl(req->body_fd, F_DUPFD_CLOEXEC, 3)) < 0)
		return err_set_errno(ERR_IO, "body's descriptor");
	return 0;
}

/* --- headers ---------------------------------------------------------------------- */

static int
add_header(struct http_call *c, const char *name, const char *value)
{
	struct curl_slist *list;
	char *line;

	if (strpbrk(value, "\r\n") != NULL)
		return err_set(ERR_INVALID, "header %s has a line end", name);
	line = value[0] != '\0' ? xasprintf("%s: %s", name, value)
				: xasprintf("%s:", name);
	list = curl_slist_append(c->headers, line);
	free(line);
	if (list == NULL)
		return err_set(ERR_NOMEM, "headers");
	c->headers = list;
	return 0;
}

static int
add_more_headers(struct http_call *c, const char *text)
{
	char *line, *value;
	size_t len;
	int r = 0;

	while (text != NULL && *text != '\0' && r == 0) {
		len = strcspn(text, "\n");
		line = xstrndup(text, len);
		if ((value = strstr(line, ": ")) == NULL) {
			r = err_set(ERR_INVALID, "header without \": \"");
		} else {
			*value = '\0';
			r = add_header(c, line, value + 2);
		}
		free(line);
		text += len + (text[len] == '\n');
	}
	return r;
}

static int
make_digest(const struct http_call *c, char out[DIGEST_TEXT_SIZE])
{
	struct digest *d;
	uint8_t sum[DIGEST_SIZE];
	int r;

	if ((r = digest_begin(&d)) != 0)
		return r;
	if ((r = digest_add(d, c->head.data, c->head.len)) != 0 ||
	    (r = digest_add_fd(d, c->fd, c->file_offset, c->file_size)) != 0 ||
	    (r = digest_add(d, c->tail.data, c->tail.len)) != 0) {
		digest_free(d);
		return r;
	}
	if ((r = digest_end(d, sum)) == 0)
		digest_text(sum, out);
	return r;
}

static int
add_signature(struct http_call *c, const struct http_client_conf *conf,
    const struct http_request *req, const char *method, const struct url *u)
{
	char made[DIGEST_TEXT_SIZE];
	struct sign_request s = {
		.method = method,
		.path = u->path,
		.query = u->query,
		.digest = req->digest,
		.party = conf->party,
		.destination = req->party,
	};
	struct sign_headers h;
	int r;

	if (s.digest == NULL) {
		if ((r = make_digest(c, made)) != 0)
			return r;
		s.digest = made;
	}
	c->keys = conf->keys;
	c->signed_as = (struct sign_request){ .method = xstrdup(method),
		.path = xstrdup(s.path),
		.query = s.query != NULL ? xstrdup(s.query) : NULL,
		.digest = xstrdup(s.digest),
		.party = xstrdup(s.party),
		.destination = xstrdup(s.destination) };
	/* What is done for a user's request has its id. */
	if (*log_request_id() != '\0')
		(void)snprintf(c->request_id, sizeof(c->request_id), "%s",
		    log_request_id());
	else
		id_random(c->request_id);
	if ((r = sign_request(conf->keys, &s, &h)) != 0 ||
	    (r = add_header(c, "Sluice-Request-Id", c->request_id)) != 0 ||
	    (r = add_header(c, "Content-Digest", s.digest)) != 0 ||
	    (r = add_header(c, "Sluice-Party", s.party)) != 0 ||
	    (r = add_header(c, "Sluice-Destination", s.destination)) != 0 ||
	    (r = add_header(c, "Signature-Input", h.input)) != 0 ||
	    (r = add_header(c, "Signature", h.value)) != 0)
		return r;
	return 0;
}

/* --- the handle ------------------------------------------------------------------- */

/*
 * Every setting of a call.  The first refusal is kept; strings are copied by
 * curl.
 */
struct setting {
	CURL *easy;
	CURLcode code;
};

#define SET(s, option, value)                                                  \
	do {                                                                   \
		if ((s)->code == CURLE_OK)                                     \
			(s)->code =                                            \
			    curl_easy_setopt((s)->easy, option, value);        \
	} while (0)

static int
setting_end(const struct setting *s)
{
	if (s->code == CURLE_OK)
		return 0;
	return err_set(
	    s->code == CURLE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INTERNAL,
	    "curl: %s", curl_easy_strerror(s->code));
}

/* In its place in the list: curl has that already. */
static int
replace_header(struct http_call *c, const char *name, const char *value)
{
	size_t len = strlen(name);
	struct curl_slist *h;

	for (h = c->headers; h != NULL; h = h->next)
		if (strncmp(h->data, name, len) == 0 && h->data[len] == ':') {
			free(h->data);
			h->data = xasprintf("%s: %s", name, value);
			return 0;
		}
	return err_set(ERR_INTERNAL, "no header %s", name);
}

/*
 * When a kept connection ends without an answer, curl sends the request again
 * on another one.  What is signed counts once: the partner may have carried it
 * out, and would take the same bytes for a replay.
 */
static int
before_sending(void *ctx, char *to, char *from, int to_port, int from_port)
{
	struct http_call *c = ctx;
	struct sign_headers h;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	if (c->was_sent &&
	    (sign_request(c->keys, &c->signed_as, &h) != 0 ||
		replace_header(c, "Signature-Input", h.input) != 0 ||
		replace_header(c, "Signature", h.value) != 0)) {
		log_err("request=%s sign anew", c->request_id);
		return CURL_PREREQFUNC_ABORT;
	}
	c->was_sent = true;
	return CURL_PREREQFUNC_OK;
}

static int
set_common(struct http_call *c, const struct http_request *req)
{
	struct setting s = { c->easy, CURLE_OK };
	long timeout_ms =
	    req->timeout_ms > 0 ? (long)req->timeout_ms : TIMEOUT_MS;

	SET(&s, CURLOPT_PRIVATE, c);
	SET(&s, CURLOPT_ERRORBUFFER, c->curl_error);
	SET(&s, CURLOPT_NOSIGNAL, 1L);
	SET(&s, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(&s, CURLOPT_PROXY, ""); /* whatever the environment says */
	SET(&s, CURLOPT_FOLLOWLOCATION, 0L);
	SET(&s, CURLOPT_PATH_AS_IS, 1L); /* what is signed is sent */
	SET(&s, CURLOPT_TIMEOUT_MS, timeout_ms);
	SET(&s, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
	SET(&s, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(&s, CURLOPT_WRITEFUNCTION, on_write);
	SET(&s, CURLOPT_WRITEDATA, c);
	if (req->take_cookie) {
		SET(&s, CURLOPT_HEADERFUNCTION, on_header);
		SET(&s, CURLOPT_HEADERDATA, c);
	}
	SET(&s, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)c->reply_max);
	SET(&s, CURLOPT_HTTPHEADER, c->headers);
	if (req->party != NULL) {
		SET(&s, CURLOPT_PREREQFUNCTION, before_sending);
		SET(&s, CURLOPT_PREREQDATA, c);
	}
	return setting_end(&s);
}

/*
 * A body in memory is handed over whole, so that headers and body leave in
 * one packet; one with a file is read piece by piece.
 */
static int
set_body(struct http_call *c, const char *method)
{
	struct setting s = { c->easy, CURLE_OK };

	if (strcmp(method, "GET") == 0 && body_size(c) == 0) {
		SET(&s, CURLOPT_HTTPGET, 1L);
		return setting_end(&s);
	}
	SET(&s, CURLOPT_POST, 1L);
	SET(&s, CURLOPT_CUSTOMREQUEST, method);
	SET(&s, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_size(c));
	if (c->file_size == 0 && c->tail.len == 0) {
		SET(&s, CURLOPT_POSTFIELDS, buf_str(&c->head));
		return setting_end(&s);
	}
	SET(&s, CURLOPT_READFUNCTION, on_read);
	SET(&s, CURLOPT_READDATA, c);
	SET(&s, CURLOPT_SEEKFUNCTION, on_seek);
	SET(&s, CURLOPT_SEEKDATA, c);
	SET(&s, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_CHUNK);
	return setting_end(&s);
}

/*
 * host is who the other must be, and so the host of the URL; the connection
 * goes where u says.
 */
static int
set_named_target(struct http_call *c, const char *host, const struct url *u)
{
	struct setting s = { c->easy, CURLE_OK };
	char *text;

	text = xasprintf(
	    "%s:%" PRId64 ":%s:%" PRId64, host, u->port, u->host, u->port);
	c->connect_to = curl_slist_append(NULL, text);
	free(text);
	if (c->connect_to == NULL)
		return err_set(ERR_NOMEM, "connection target");
	SET(&s, CURLOPT_CONNECT_TO, c->connect_to);
	text = xasprintf("https://%s:%" PRId64 "%s%s%s", host, u->port, u->path,
	    u->query != NULL ? "?" : "", u->query != NULL ? u->query : "");
	SET(&s, CURLOPT_URL, text);
	free(text);
	return setting_end(&s);
}

static int
set_client_url(struct http_call *c, const char *host, const char *url)
{
	struct setting s = { c->easy, CURLE_OK };
	struct url u;
	int r;

	if (host == NULL || !str_starts(url, "https:")) {
		SET(&s, CURLOPT_URL, url);
		return setting_end(&s);
	}
	if ((r = url_parse(url, &u)) == 0)
		r = set_named_target(c, host, &u);
	url_fini(&u);
	return r;
}

static int
set_client_target(
    struct http_call *c, const struct http_client_conf *conf, const char *url)
{
	struct setting s = { c->easy, CURLE_OK };
	int r;

	if ((r = set_client_url(c, conf->ca_host, url)) != 0)
		return r;
	SET(&s, CURLOPT_PROTOCOLS_STR, "http,https");
	if (conf->ca_file != NULL) {
		SET(&s, CURLOPT_CAINFO, conf->ca_file);
		SET(&s, CURLOPT_CAPATH, NULL);
	}
	SET(&s, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(&s, CURLOPT_SSL_VERIFYHOST, 2L);
	/* Of partners' clients they are for partners only. */
	if (conf->tls_cert != NULL && conf->partners_pem == NULL) {
		SET(&s, CURLOPT_SSLCERT, conf->tls_cert);
		SET(&s, CURLOPT_SSLKEY, conf->tls_key);
	}
	return setting_end(&s);
}

/* Trust this partner's certificate and no other; show ours. */
static int
set_partner_tls(struct http_call *c, const struct http_client_conf *conf,
    const struct buf *cert, const char *pem, size_t pem_len)
{
	struct setting s = { c->easy, CURLE_OK };
	struct curl_blob blob = {
		.data = xstrndup(pem, pem_len),
		.len = pem_len,
		.flags = CURL_BLOB_COPY,
	};
	struct curl_blob own = {
		.data = cert->data,
		.len = cert->len,
		.flags = CURL_BLOB_COPY,
	};

	SET(&s, CURLOPT_PROTOCOLS_STR, "https");
	SET(&s, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	SET(&s, CURLOPT_CAINFO_BLOB, &blob);
	SET(&s, CURLOPT_CAPATH, NULL);
	SET(&s, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(&s, CURLOPT_SSL_VERIFYHOST, 2L);
	SET(&s, CURLOPT_SSLCERT_BLOB, &own);
	SET(&s, CURLOPT_SSLKEY, conf->tls_key);
	free(blob.data);
	return setting_end(&s);
}

static int
set_partner(struct http_call *c, const struct http_client_conf *conf,
    struct call_tls *tls, const struct http_request *req, const char *method)
{
	struct url u;
	const char *pem;
	size_t pem_len = 0;
	char host[PINS_HOST_SIZE];
	int r;

	if (tls->pins == NULL || conf->keys == NULL)
		return err_set(ERR_INVALID, "this client has no partners");
	if ((r = pins_refresh(tls->pins)) != 0)
		return r;
	if ((pem = pins_get(tls->pins, req->party, &pem_len)) == NULL)
		return err_set(
		    ERR_NOT_FOUND, "no certificate of party %s", req->party);
	/* Which its certificate names, whatever its address. */
	pins_host(req->party, host);
	if ((r = url_parse(req->url, &u)) == 0 && !u.is_tls)
		r = err_set(ERR_INVALID, "partners are reached by https only");
	if (r == 0 &&
	    (r = set_partner_tls(c, conf, &tls->cert, pem, pem_len)) == 0 &&
	    (r = set_named_target(c, host, &u)) == 0)
		r = add_signature(c, conf, req, method, &u);
	url_fini(&u);
	return r;
}

static int
prepare(struct http_call *c, const struct http_client_conf *conf,
    struct call_tls *tls, const struct http_request *req)
{
	const char *method = req->method != NULL ? req->method : "POST";
	const char *type =
	    req->content_type != NULL ? req->content_type : "application/json";
	int r;

	if ((r = take_body(c, req)) != 0)
		return r;
	if (body_size(c) != 0 && (r = add_header(c, "Content-Type", type)) != 0)
		return r;
	/* No waiting for "100 Continue" before a large body. */
	if ((r = add_header(c, "Expect", "")) != 0 ||
	    (r = add_more_headers(c, req->headers)) != 0)
		return r;
	if (req->party != NULL)
		r = set_partner(c, conf, tls, req, method);
	else
		r = set_client_target(c, conf, req->url);
	if (r != 0 || (r = set_common(c, req)) != 0)
		return r;
	return set_body(c, method);
}

int
call_new(const struct http_client_conf *conf, struct call_tls *tls,
    const struct http_request *req, struct http_call **out)
{
	struct http_call *c = xcalloc(1, sizeof(*c));
	int r;

	*out = NULL;
	c->fd = -1;
	c->started_us = clock_mono_us();
	c->reply_max = req->reply_max != 0 ? req->reply_max : REPLY_MAX;
	if ((c->easy = curl_easy_init()) == NULL)
		r = err_set(ERR_NOMEM, "curl handle");
	else
		r = prepare(c, conf, tls, req);
	if (r != 0) {
		call_free(c);
		return r;
	}
	*out = c;
	return 0;
}

static void
signed_fini(struct sign_request *s)
{
	const char *const texts[] = { s->method, s->path, s->query, s->digest,
		s->party, s->destination };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free((char *)(uintptr_t)texts[i]);
}

void
call_free(struct http_call *c)
{
	if (c == NULL)
		return;
	if (c->easy != NULL)
		curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	curl_slist_free_all(c->connect_to);
	buf_fini(&c->head);
	buf_fini(&c->tail);
	fd_close(&c->fd);
	http_reply_fini(&c->reply);
	signed_fini(&c->signed_as);
	free(c->owned);
	free(c);
}

static int
error_of(const struct http_call *c, CURLcode code)
{
	if (code == CURLE_OK)
		return 0;
	if (c->reply_too_long || code == CURLE_FILESIZE_EXCEEDED)
		return ERR_LIMIT;
	if (c->file_failed)
		return ERR_IO;
	if (code == CURLE_OPERATION_TIMEDOUT)
		return ERR_TIMEOUT;
	if (code == CURLE_PEER_FAILED_VERIFICATION ||
	    code == CURLE_SSL_ISSUER_ERROR)
		return ERR_AUTH;
	return ERR_NET;
}

/*
 * The receiver's lines about this request have the same id.  Of one that
 * answers no request, not each is told.
 */
static void
log_trouble(const struct http_call *c)
{
	static const char place[] = "a request without an answer";
	const struct http_reply *reply = &c->reply;
	const char *url = NULL;
	int held;

	if (c->request_id[0] == '\0' ||
	    (reply->error == 0 && reply->status < 500))
		return;
	if ((held = log_repeat(place, clock_mono_ms())) < 0)
		return;
	(void)curl_easy_getinfo(c->easy, CURLINFO_EFFECTIVE_URL, &url);
	log_info("request=%s to %s: %d %s (%d like it before)", c->request_id,
	    url != NULL ? url : "?", reply->status,
	    reply->error_text != NULL ? reply->error_text : "", held);
}

void
call_finish(struct http_call *c, CURLcode code)
{
	struct http_reply *reply = &c->reply;
	curl_off_t retry_after = 0;
	long status = 0, sent = 0;

	(void)curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &sent);
	reply->sent = sent > 0;
	reply->error = error_of(c, code);
	reply->elapsed_us = clock_mono_us() - c->started_us;
	if (reply->error != 0) {
		if (reply->error == ERR_LIMIT)
			reply->error_text =
			    xasprintf("the answer is longer than %zu bytes",
				c->reply_max);
		else
			reply->error_text =
			    xstrdup(c->curl_error[0] != '\0'
					? c->curl_error
					: curl_easy_strerror(code));
		log_trouble(c);
		return;
	}
	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after);
	reply->status = (int)status;
	reply->retry_after_s = retry_after < HTTP_RETRY_AFTER_MAX_S
				   ? retry_after
				   : HTTP_RETRY_AFTER_MAX_S;
	log_trouble(c);
}
