/*
 * Runs calls: a curl multi handle whose sockets and timeout live in an event
 * loop.  The supervisor and shepherds have one each, the command line makes
 * one with a loop of its own.
 */
#include "lib/http/client.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/http/call.h"
#include "lib/http/curl_load.h"
#include "lib/http/pins.h"

#define KEPT_CONNECTIONS 64L
/* Per partner; more requests wait their turn, which beats new handshakes. */
#define CERT_MAX (64 * 1024) /* bytes of a PEM file */
#define HOST_CONNECTIONS 16L

struct http_client {
	struct loop *loop;
	struct loop *own_loop;	  /* NULL when borrowed */
	struct loop_timer *timer; /* curl's timeout */
	struct loop_timer *soon;  /* what ended while it was sent is told */
	CURLM *multi;
	struct call_tls tls;
	struct http_client_conf conf; /* strings owned, keys not */
	char *text[6];		      /* what conf points at */
	struct http_call *calls;
	size_t n_calls;
};

static void
unlink_call(struct http_call *c)
{
	struct http_client *cl = c->client;

	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		cl->calls = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	cl->n_calls--;
	(void)curl_multi_remove_handle(cl->multi, c->easy);
}

/* Deliver what curl has finished; callbacks may send and cancel. */
static void
deliver(struct http_client *cl)
{
	struct http_call *c;
	CURLMsg *msg;
	CURLcode code;
	CURL *easy;
	int left;

	while ((msg = curl_multi_info_read(cl->multi, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		/* msg is gone once its handle is removed. */
		easy = msg->easy_handle;
		code = msg->data.result;
		c = NULL;
		(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&c);
		call_finish(c, code);
		unlink_call(c);
		c->done(c->ctx, &c->reply);
		call_free(c);
	}
}

static void
drive(struct http_client *cl, curl_socket_t fd, int what)
{
	int running;
	CURLMcode code;

	code = curl_multi_socket_action(cl->multi, fd, what, &running);
	if (code != CURLM_OK)
		log_error("curl: %s", curl_multi_strerror(code));
	deliver(cl);
}

static void
on_soon(void *ctx)
{
	deliver(ctx);
}

/* What was added leaves now: the caller may have a lot to do before the loop
 * runs again. */
static void
push(struct http_client *cl)
{
	int running;
	CURLMcode code;

	code = curl_multi_socket_action(
	    cl->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	if (code != CURLM_OK)
		log_error("curl: %s", curl_multi_strerror(code));
	loop_timer_set(cl->soon, 0, 0);
}

static void
on_timer(void *ctx)
{
	drive(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void
on_socket(void *ctx, int fd, int events)
{
	int what = 0;

	if ((events & LOOP_READ) != 0)
		what |= CURL_CSELECT_IN;
	if ((events & LOOP_WRITE) != 0)
		what |= CURL_CSELECT_OUT;
	drive(ctx, fd, what);
}

/* curl tells what it waits for on a socket; data is that socket's watch. */
static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *data)
{
	struct http_client *cl = ctx;
	struct loop_fd *watch = data;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		loop_fd_del(watch);
		(void)curl_multi_assign(cl->multi, fd, NULL);
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= LOOP_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= LOOP_WRITE;
	if (watch != NULL)
		return loop_fd_set(watch, events) == 0 ? 0 : -1;
	if (loop_fd_add(cl->loop, fd, events, on_socket, cl, &watch) != 0) {
		log_err("http client");
		return -1;
	}
	(void)curl_multi_assign(cl->multi, fd, watch);
	return 0;
}

static int
set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http_client *cl = ctx;

	(void)multi;
	if (timeout_ms < 0)
		loop_timer_cancel(cl->timer);
	else
		loop_timer_set(cl->timer, timeout_ms, 0);
	return 0;
}

static int
multi_new(struct http_client *cl)
{
	if ((cl->multi = curl_multi_init()) == NULL)
		return err_set(ERR_NOMEM, "curl");
	if (curl_multi_setopt(
		cl->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) != CURLM_OK ||
	    curl_multi_setopt(cl->multi, CURLMOPT_SOCKETDATA, cl) != CURLM_OK ||
	    curl_multi_setopt(cl->multi, CURLMOPT_TIMERFUNCTION, set_timer) !=
		CURLM_OK ||
	    curl_multi_setopt(cl->multi, CURLMOPT_TIMERDATA, cl) != CURLM_OK ||
	    curl_multi_setopt(cl->multi, CURLMOPT_MAXCONNECTS,
		KEPT_CONNECTIONS) != CURLM_OK ||
	    curl_multi_setopt(cl->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
		HOST_CONNECTIONS) != CURLM_OK)
		return err_set(ERR_INTERNAL, "curl: multi handle");
	return 0;
}

static void
copy_conf(struct http_client *cl, const struct http_client_conf *conf)
{
	cl->conf.keys = conf->keys;
	cl->conf.party = cl->text[0] = xstrdup(conf->party);
	cl->conf.tls_cert = cl->text[1] = xstrdup(conf->tls_cert);
	cl->conf.tls_key = cl->text[2] = xstrdup(conf->tls_key);
	cl->conf.partners_pem = cl->text[3] = xstrdup(conf->partners_pem);
	cl->conf.ca_file = cl->text[4] = xstrdup(conf->ca_file);
	cl->conf.ca_host = cl->text[5] = xstrdup(conf->ca_host);
}

int
http_client_new(struct loop *loop, const struct http_client_conf *conf,
    struct http_client **out)
{
	struct http_client *cl;
	int r;

	*out = NULL;
	if ((r = curl_load()) != 0)
		return r;
	cl = xcalloc(1, sizeof(*cl));
	copy_conf(cl, conf);
	if (loop == NULL) {
		if ((r = loop_new(&cl->own_loop)) != 0)
			goto out;
		loop = cl->own_loop;
	}
	cl->loop = loop;
	cl->timer = loop_timer_new(loop, on_timer, cl);
	cl->soon = loop_timer_new(loop, on_soon, cl);
	if ((r = multi_new(cl)) != 0)
		goto out;
	if (conf->partners_pem != NULL &&
	    (r = pins_load(conf->partners_pem, &cl->tls.pins)) != 0)
		goto out;
	*out = cl;
	cl = NULL;
out:
	http_client_free(cl);
	return r == 0 ? 0 : err_wrap("http client");
}

int
http_client_new_site(struct loop *loop, const struct site_conf *site,
    struct keys *keys, struct http_client **out)
{
	char *cert = site_path(site, SITE_KEYS "/tls.crt");
	char *key = site_path(site, SITE_KEYS "/tls.key");
	char *partners = site_path(site, SITE_KEYS "/partners.pem");
	struct http_client_conf conf = {
		.party = site->party_id,
		.keys = keys,
		.tls_cert = cert,
		.tls_key = key,
		.partners_pem = partners,
	};
	int r;

	r = http_client_new(loop, &conf, out);
	free(cert);
	free(key);
	free(partners);
	return r;
}

void
http_client_free(struct http_client *cl)
{
	size_t i;

	if (cl == NULL)
		return;
	while (cl->calls != NULL)
		http_cancel(cl->calls);
	if (cl->multi != NULL)
		(void)curl_multi_cleanup(cl->multi);
	loop_timer_free(cl->timer);
	loop_timer_free(cl->soon);
	loop_free(cl->own_loop);
	pins_free(cl->tls.pins);
	buf_fini(&cl->tls.cert);
	for (i = 0; i < sizeof(cl->text) / sizeof(cl->text[0]); i++)
		free(cl->text[i]);
	free(cl);
}

/*
 * The site's own key and certificate, should others have taken their place.
 * Connections that showed the old certificate are not used again, for curl
 * compares what they were made with.
 */
static int
refresh_own(struct http_client *cl)
{
	struct buf text = BUF_INIT;
	struct stat now;
	int r;

	if (cl->conf.keys != NULL && (r = keys_refresh(cl->conf.keys)) != 0)
		return r;
	if (cl->conf.tls_cert == NULL ||
	    (cl->tls.cert.len != 0 && stat(cl->conf.tls_cert, &now) == 0 &&
		fd_same_file(&now, &cl->tls.cert_seen)))
		return 0;
	if (stat(cl->conf.tls_cert, &now) != 0)
		return err_set_errno(ERR_IO, "%s", cl->conf.tls_cert);
	if ((r = buf_read_file(&text, cl->conf.tls_cert, CERT_MAX)) != 0) {
		buf_fini(&text);
		return r;
	}
	buf_fini(&cl->tls.cert);
	cl->tls.cert = text;
	cl->tls.cert_seen = now;
	return 0;
}

int
http_send(struct http_client *cl, const struct http_request *req,
    http_done_fn *done, void *ctx, struct http_call **out)
{
	struct http_call *c;
	CURLMcode code;
	int r;

	if (out != NULL)
		*out = NULL;
	if (req->party != NULL && (r = refresh_own(cl)) != 0)
		return err_wrap("request");
	if ((r = call_new(&cl->conf, &cl->tls, req, &c)) != 0)
		return err_wrap("request");
	c->client = cl;
	c->done = done;
	c->ctx = ctx;
	code = curl_multi_add_handle(cl->multi, c->easy);
	if (code != CURLM_OK) {
		call_free(c);
		return err_set(
		    ERR_INTERNAL, "curl: %s", curl_multi_strerror(code));
	}
	c->next = cl->calls;
	if (c->next != NULL)
		c->next->prev = c;
	cl->calls = c;
	cl->n_calls++;
	if (out != NULL)
		*out = c;
	push(cl);
	return 0;
}

void
http_cancel(struct http_call *c)
{
	unlink_call(c);
	call_free(c);
}

struct fetch {
	struct http_reply *out;
	bool done;
};

static void
fetched(void *ctx, const struct http_reply *reply)
{
	struct fetch *f = ctx;

	*f->out = *reply;
	f->out->error_text = xstrdup(reply->error_text);
	f->out->cookie = xstrdup(reply->cookie);
	buf_init(&f->out->body);
	buf_append(&f->out->body, buf_str(&reply->body), reply->body.len);
	f->done = true;
}

int
http_fetch(struct http_client *cl, const struct http_request *req,
    struct http_reply *out)
{
	struct fetch f = { .out = out };
	struct http_call *call;
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = http_send(cl, req, fetched, &f, &call)) != 0)
		return r;
	while (!f.done) {
		if ((r = loop_once(cl->loop, -1)) != 0) {
			http_cancel(call);
			return r;
		}
	}
	if (out->error != 0)
		return err_set(out->error, "%s", out->error_text);
	return 0;
}

void
http_reply_fini(struct http_reply *reply)
{
	free(reply->error_text);
	reply->error_text = NULL;
	free(reply->cookie);
	reply->cookie = NULL;
	buf_fini(&reply->body);
}
