/*
 * The HTTP client against a real TLS server, and certificates of sites.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/http/client.h"
#include "lib/http/partner.h"
#include "lib/http/pins.h"
#include "lib/http/tls_cert.h"
#include "lib/json/json.h"
#include "lib/sign/sign.h"
#include "tests/lib/tls_server.h"

/* Party 9999 is this side, 10000 the server, 666 an intruder. */
struct world {
	char *folder;
	struct keys *keys;
	struct tls_server *server;
	struct http_client *client;
	char *url;
};

static char *
file_of(const struct world *w, const char *party, const char *what)
{
	return xasprintf("%s/%s.%s", w->folder, party, what);
}

static void
make_cert(const struct world *w, const char *party)
{
	char *key = file_of(w, party, "key");
	char *cert = file_of(w, party, "crt");

	assert_int_equal(tls_cert_make(party, key, cert), 0);
	free(key);
	free(cert);
}

/* partners.pem holding certificates of the given parties. */
static void
write_pins(const struct world *w, const char *const *parties, size_t n)
{
	char *path = xasprintf("%s/partners.pem", w->folder);
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < n; i++) {
		char *cert = file_of(w, parties[i], "crt");

		assert_int_equal(buf_read_file(&text, cert, 65536), 0);
		free(cert);
	}
	assert_int_equal(
	    fd_replace_file(path, buf_str(&text), text.len, 0644), 0);
	buf_fini(&text);
	free(path);
}

static void
start_server_for(struct world *w, const char *party, const char *client)
{
	char *key = file_of(w, party, "key");
	char *cert = file_of(w, party, "crt");

	w->server = tls_server_start(cert, key, client);
	w->url = xasprintf("https://127.0.0.1:%d", tls_server_port(w->server));
	free(key);
	free(cert);
}

static void
start_server(struct world *w, const char *party)
{
	char *client = file_of(w, "9999", "crt");

	start_server_for(w, party, client);
	free(client);
}

static void
make_client(struct world *w, const char *party)
{
	char *key = file_of(w, party, "key");
	char *cert = file_of(w, party, "crt");
	char *pins = xasprintf("%s/partners.pem", w->folder);
	struct http_client_conf conf = {
		.party = party,
		.keys = w->keys,
		.tls_cert = cert,
		.tls_key = key,
		.partners_pem = pins,
	};

	assert_int_equal(http_client_new(NULL, &conf, &w->client), 0);
	free(key);
	free(cert);
	free(pins);
}

static int
setup(void **state)
{
	static const char *const known[] = { "9999", "10000" };
	char template[] = "/tmp/sluice-http-XXXXXX";
	struct world *w = xcalloc(1, sizeof(*w));

	assert_non_null(mkdtemp(template));
	w->folder = xstrdup(template);
	make_cert(w, "9999");
	make_cert(w, "10000");
	make_cert(w, "666");
	write_pins(w, known, 2);
	assert_int_equal(keys_generate(&w->keys), 0);
	start_server(w, "10000");
	make_client(w, "9999");
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	http_client_free(w->client);
	tls_server_stop(w->server);
	keys_free(w->keys);
	(void)fd_remove_tree(w->folder);
	free(w->folder);
	free(w->url);
	free(w);
	return 0;
}

static int
fetch(struct world *w, const char *path, struct http_request req,
    struct http_reply *reply)
{
	char *url = xasprintf("%s%s", w->url, path);
	int r;

	req.url = url;
	if (req.party == NULL)
		req.party = "10000";
	r = http_fetch(w->client, &req, reply);
	free(url);
	return r;
}

static void
body_is_sent_and_the_answer_comes_back(void **state)
{
	struct http_reply reply;

	assert_int_equal(
	    fetch(*state, "/echo",
		(struct http_request){ .body = "hello", .body_len = 5 },
		&reply),
	    0);
	assert_int_equal(reply.status, 200);
	assert_string_equal(buf_str(&reply.body), "hello");
	assert_true(reply.elapsed_us > 0);
	http_reply_fini(&reply);
}

static void
file_between_head_and_tail_is_streamed(void **state)
{
	size_t size = 3 * 1024 * 1024 + 17, i;
	char *data = xmalloc(size);
	struct http_reply reply;
	int fd;

	for (i = 0; i < size; i++)
		data[i] = (char)(i * 2654435761U >> 13);
	assert_int_equal(fd_memfd("t", data, size, &fd), 0);
	assert_int_equal(fetch(*state, "/echo",
			     (struct http_request){ .method = "PUT",
				 .body = "<<",
				 .body_len = 2,
				 .body_fd = fd,
				 .body_size = size,
				 .tail = ">>",
				 .tail_len = 2,
				 .reply_max = 8 * 1024 * 1024 },
			     &reply),
	    0);
	assert_int_equal(reply.body.len, size + 4);
	assert_memory_equal(reply.body.data, "<<", 2);
	assert_memory_equal(reply.body.data + 2, data, size);
	assert_memory_equal(reply.body.data + 2 + size, ">>", 2);
	http_reply_fini(&reply);
	fd_close(&fd);
	free(data);
}

static void
file_shorter_than_promised_fails(void **state)
{
	struct http_reply reply = { 0 };
	int fd;

	assert_int_equal(fd_memfd("t", "abc", 3, &fd), 0);
	/* With a digest given, nothing reads the file before it is sent. */
	assert_int_equal(
	    fetch(*state, "/echo",
		(struct http_request){ .body_fd = fd,
		    .body_size = 100000,
		    .digest = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/"
			      "lF5HF9bvEF8FabDg=:" },
		&reply),
	    ERR_IO);
	http_reply_fini(&reply);
	assert_int_equal(
	    fetch(*state, "/echo",
		(struct http_request){ .body_fd = fd, .body_size = 100000 },
		&reply),
	    ERR_CLOSED);
	http_reply_fini(&reply);
	fd_close(&fd);
}

/* The value of a header in a request's head; the caller's. */
static char *
header_of(const char *head, const char *name)
{
	char *needle = xasprintf("\r\n%s: ", name);
	const char *at = strstr(head, needle);
	char *value = NULL;

	if (at != NULL) {
		at += strlen(needle);
		value = xstrndup(at, strcspn(at, "\r"));
	}
	free(needle);
	return value;
}

static void
what_is_sent_verifies_as_signed(void **state)
{
	struct world *w = *state;
	struct http_reply reply;
	struct sign_proof proof;
	char *input, *value, *digest, *to;

	assert_int_equal(
	    fetch(w, "/headers?a=%20&b",
		(struct http_request){ .body = "{}", .body_len = 2 }, &reply),
	    0);
	input = header_of(reply.body.data, "Signature-Input");
	value = header_of(reply.body.data, "Signature");
	digest = header_of(reply.body.data, "Content-Digest");
	to = header_of(reply.body.data, "Sluice-Destination");
	assert_non_null(input);
	assert_non_null(value);
	assert_string_equal(to, "10000");
	assert_true(str_starts(reply.body.data,
	    "POST /headers?a=%20&b HTTP/1.1\r\nHost: party-10000.sluice:"));
	assert_int_equal(sign_verify(&(struct sign_request){ .method = "POST",
					 .path = "/headers",
					 .query = "a=%20&b",
					 .digest = digest,
					 .party = "9999",
					 .destination = "10000" },
			     input, value, keys_public(w->keys),
			     clock_wall_ms() / 1000, &proof),
	    0);
	free(input);
	free(value);
	free(digest);
	free(to);
	http_reply_fini(&reply);
}

static void
connections_are_kept_and_used_again(void **state)
{
	struct world *w = *state;
	struct http_reply reply;
	int i;

	for (i = 0; i < 20; i++) {
		assert_int_equal(
		    fetch(w, "/echo",
			(struct http_request){ .body = "x", .body_len = 1 },
			&reply),
		    0);
		http_reply_fini(&reply);
	}
	assert_int_equal(tls_server_connections(w->server), 1);
	assert_int_equal(tls_server_requests(w->server), 20);
}

static void
closed_connection_is_replaced(void **state)
{
	struct world *w = *state;
	struct http_reply reply;
	int i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(
		    fetch(w, "/close",
			(struct http_request){ .body = "x", .body_len = 1 },
			&reply),
		    0);
		assert_string_equal(buf_str(&reply.body), "x");
		http_reply_fini(&reply);
	}
}

static void
deadline_ends_a_request_without_answer(void **state)
{
	struct http_reply reply;
	int64_t before = clock_mono_ms();

	assert_int_equal(
	    fetch(*state, "/never", (struct http_request){ .timeout_ms = 200 },
		&reply),
	    ERR_TIMEOUT);
	assert_true(clock_mono_ms() - before >= 190);
	assert_true(reply.sent); /* and may have been carried out */
	http_reply_fini(&reply);
}

static void
longer_answer_than_allowed_is_refused(void **state)
{
	struct http_reply reply;

	assert_int_equal(
	    fetch(*state, "/bytes/1000",
		(struct http_request){ .reply_max = 1000 }, &reply),
	    0);
	assert_int_equal(reply.body.len, 1000);
	http_reply_fini(&reply);
	assert_int_equal(
	    fetch(*state, "/bytes/1001",
		(struct http_request){ .reply_max = 1000 }, &reply),
	    ERR_LIMIT);
	http_reply_fini(&reply);
}

static void
status_and_retry_after_are_told(void **state)
{
	struct http_reply reply;

	assert_int_equal(fetch(*state, "/status/429",
			     (struct http_request){ .method = "GET" }, &reply),
	    0);
	assert_int_equal(reply.status, 429);
	assert_int_equal(reply.retry_after_s, 7);
	http_reply_fini(&reply);
	/* Nobody is put off for ever. */
	assert_int_equal(fetch(*state, "/status/507",
			     (struct http_request){ .method = "GET" }, &reply),
	    0);
	assert_int_equal(reply.retry_after_s, HTTP_RETRY_AFTER_MAX_S);
	http_reply_fini(&reply);
}

static void
nobody_listening_is_a_net_error(void **state)
{
	struct world *w = *state;
	struct http_reply reply;
	struct http_request req = {
		.url = "https://127.0.0.1:1/",
		.party = "10000",
	};

	assert_int_equal(http_fetch(w->client, &req, &reply), ERR_NET);
	assert_false(reply.sent);
	assert_non_null(reply.error_text);
	http_reply_fini(&reply);
}

static void
another_partys_certificate_is_refused(void **state)
{
	struct world *w = *state;
	static const char *const all[] = { "9999", "10000", "666" };
	struct http_reply reply;

	/* 666 is a partner, too, but must not answer for 10000. */
	write_pins(w, all, 3);
	tls_server_stop(w->server);
	free(w->url);
	start_server(w, "666");
	assert_int_equal(fetch(w, "/echo",
			     (struct http_request){ .party = "10000" }, &reply),
	    ERR_AUTH);
	http_reply_fini(&reply);
	assert_int_equal(
	    fetch(w, "/echo", (struct http_request){ .party = "666" }, &reply),
	    0);
	http_reply_fini(&reply);
	assert_int_equal(tls_server_requests(w->server), 1);
}

/* What curl makes of a site that must be `host`, reached at `address`. */
static int
ask_as_user(const struct world *w, const char *address, const char *host)
{
	char *cert = file_of(w, "10000", "crt");
	char *url = xasprintf(
	    "https://%s:%d/echo", address, tls_server_port(w->server));
	struct http_client_conf conf = { .ca_file = cert, .ca_host = host };
	struct http_request req = { .url = url };
	struct http_client *client;
	struct http_reply reply;
	int r;

	assert_int_equal(http_client_new(NULL, &conf, &client), 0);
	r = http_fetch(client, &req, &reply);
	http_reply_fini(&reply);
	http_client_free(client);
	free(cert);
	free(url);
	return r;
}

static void
a_site_is_known_by_its_certificate_at_whatever_address(void **state)
{
	static const char other[] = "[::ffff:127.0.0.1]";
	struct world *w = *state;
	char *cert = file_of(w, "10000", "crt");
	char *pins = xasprintf("%s/partners.pem", w->folder);
	char host[PINS_HOST_SIZE];

	tls_server_stop(w->server);
	free(w->url);
	w->url = NULL;
	start_server_for(w, "10000", NULL);
	/* The certificate has the one address and not the other. */
	assert_int_equal(ask_as_user(w, "127.0.0.1", NULL), 0);
	assert_int_not_equal(ask_as_user(w, other, NULL), 0);
	assert_int_equal(tls_cert_host(cert, host), 0);
	assert_string_equal(host, "party-10000.sluice");
	assert_int_equal(ask_as_user(w, other, host), 0);
	assert_int_not_equal(ask_as_user(w, other, "party-666.sluice"), 0);
	assert_int_not_equal(
	    ask_as_user(w, "127.0.0.1", "party-666.sluice"), 0);
	assert_int_equal(tls_server_requests(w->server), 2);
	/* Of several nobody knows which it is to be. */
	assert_int_equal(tls_cert_host(pins, host), ERR_FORMAT);
	free(cert);
	free(pins);
}

static void
party_without_certificate_is_not_called(void **state)
{
	struct world *w = *state;
	static const char *const all[] = { "9999", "10000", "666" };
	struct http_reply reply = { 0 };

	assert_int_equal(
	    fetch(w, "/echo", (struct http_request){ .party = "666" }, &reply),
	    ERR_NOT_FOUND);
	assert_int_equal(tls_server_connections(w->server), 0);
	/* Once it is in the file it is known, without a restart. */
	write_pins(w, all, 3);
	assert_int_equal(
	    fetch(w, "/echo", (struct http_request){ .party = "666" }, &reply),
	    ERR_AUTH);
	http_reply_fini(&reply);
}

static void
unknown_client_certificate_is_refused_by_the_server(void **state)
{
	struct world *w = *state;
	struct http_reply reply;

	http_client_free(w->client);
	make_client(w, "666");
	assert_int_equal(
	    fetch(w, "/echo", (struct http_request){ .method = "GET" }, &reply),
	    ERR_NET);
	http_reply_fini(&reply);
	assert_int_equal(tls_server_requests(w->server), 0);
}

static void
partners_are_never_called_without_tls(void **state)
{
	struct world *w = *state;
	struct http_reply reply = { 0 };
	struct http_request req = {
		.url = "http://127.0.0.1:1/",
		.party = "10000",
	};

	assert_int_equal(http_fetch(w->client, &req, &reply), ERR_INVALID);
}

static void
odd_urls_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"https://",
		"https:///x",
		"ftp://h/",
		"https://h:0/",
		"https://h:70000/",
		"https://h:/",
		"https://u@h/",
		"https://h/a b",
		"https://h/#x",
		"https://[::1/",
		"https://h:1x/",
		"https://h/\r\nX: y",
	};
	struct world *w = *state;
	struct http_reply reply = { 0 };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct http_request req = {
			.url = bad[i],
			.party = "10000",
		};

		if (http_fetch(w->client, &req, &reply) != ERR_INVALID)
			fail_msg("accepted: %s", bad[i]);
	}
}

/* --- in a loop ------------------------------------------------------------------ */

struct many {
	struct loop *loop;
	struct http_client *client;
	struct http_call *calls[8];
	int done;
	int expected;
	struct world *world;
};

static void
on_done(void *ctx, const struct http_reply *reply)
{
	struct many *m = ctx;

	assert_int_equal(reply->error, 0);
	if (++m->done == m->expected)
		loop_stop(m->loop);
}

static void
client_in_loop(struct world *w, struct many *m)
{
	char *key = file_of(w, "9999", "key");
	char *cert = file_of(w, "9999", "crt");
	char *pins = xasprintf("%s/partners.pem", w->folder);
	struct http_client_conf conf = {
		.party = "9999",
		.keys = w->keys,
		.tls_cert = cert,
		.tls_key = key,
		.partners_pem = pins,
	};

	memset(m, 0, sizeof(*m));
	m->world = w;
	assert_int_equal(loop_new(&m->loop), 0);
	assert_int_equal(http_client_new(m->loop, &conf, &m->client), 0);
	free(key);
	free(cert);
	free(pins);
}

static struct http_call *
send_one(struct many *m, const char *path, http_done_fn *fn)
{
	char *url = xasprintf("%s%s", m->world->url, path);
	struct http_request req = {
		.url = url,
		.party = "10000",
		.body = "{}",
		.body_len = 2,
	};
	struct http_call *call;

	assert_int_equal(http_send(m->client, &req, fn, m, &call), 0);
	free(url);
	return call;
}

static void
many_requests_are_under_way_at_once(void **state)
{
	struct many m;
	int i;

	client_in_loop(*state, &m);
	m.expected = 100;
	for (i = 0; i < m.expected; i++)
		(void)send_one(&m, "/echo", on_done);
	assert_int_equal(m.done, 0); /* never from inside http_send() */
	assert_int_equal(loop_run(m.loop), 0);
	assert_int_equal(m.done, 100);
	assert_in_range(tls_server_connections(m.world->server), 1, 16);
	http_client_free(m.client);
	loop_free(m.loop);
}

static void
a_request_leaves_without_a_turn_of_the_loop(void **state)
{
	struct world *w = *state;
	struct many m;

	client_in_loop(w, &m);
	m.expected = 1;
	(void)send_one(&m, "/echo", on_done);
	assert_int_equal(loop_run(m.loop), 0);
	/* The connection is open; the loop stands still from here. */
	m.expected = 2;
	(void)send_one(&m, "/echo", on_done);
	for (int i = 0; i < 5000 && tls_server_requests(w->server) < 2; i++)
		usleep(1000);
	assert_int_equal(tls_server_requests(w->server), 2);
	assert_int_equal(m.done, 1);
	assert_int_equal(loop_run(m.loop), 0);
	assert_int_equal(m.done, 2);
	http_client_free(m.client);
	loop_free(m.loop);
}

static void
cancel_the_rest(void *ctx, const struct http_reply *reply)
{
	struct many *m = ctx;
	int i;

	assert_int_equal(reply->error, 0);
	m->done++;
	for (i = 0; i < 8; i++)
		if (m->calls[i] != NULL)
			http_cancel(m->calls[i]);
	loop_stop(m->loop);
}

static void
canceled_requests_do_not_call_back(void **state)
{
	struct many m;
	int i;

	client_in_loop(*state, &m);
	for (i = 0; i < 8; i++)
		m.calls[i] = send_one(&m, "/never", on_done);
	(void)send_one(&m, "/echo", cancel_the_rest);
	assert_int_equal(loop_run(m.loop), 0);
	assert_int_equal(m.done, 1);
	/* One more under way when the client goes. */
	(void)send_one(&m, "/never", on_done);
	http_client_free(m.client);
	loop_free(m.loop);
}

struct partner_seen {
	struct loop *loop;
	int error;
	int status;
	int64_t retcode;
	char *retmsg;
	int64_t n;
};

static void
on_partner(void *ctx, const struct partner_reply *reply)
{
	struct partner_seen *seen = ctx;

	seen->error = reply->error;
	seen->status = reply->status;
	seen->retcode = reply->retcode;
	seen->retmsg = xstrdup(reply->retmsg);
	seen->n = json_get_int(reply->data, "n", -1);
	loop_stop(seen->loop);
}

/* Whoever reads them is at another site than who wrote them. */
static void
a_partners_words_name_its_site(void **state)
{
	struct world *w = *state;
	struct partner_seen seen = { .error = 0 };
	struct many m;

	client_in_loop(w, &m);
	seen.loop = m.loop;
	assert_int_equal(
	    partner_post(m.client, w->url, "10000", "/echo",
		"{\"retcode\":109,\"retmsg\":\"9999 is no partner of this "
		"site now\"}",
		5000, on_partner, &seen, NULL),
	    0);
	assert_int_equal(loop_run(m.loop), 0);
	assert_string_equal(
	    seen.retmsg, "9999 is no partner of party 10000 now");
	free(seen.retmsg);
	http_client_free(m.client);
	loop_free(m.loop);
}

static void
envelopes_of_partners_are_taken_apart(void **state)
{
	static const struct {
		const char *path, *body;
		int error;
		int64_t retcode, n;
	} cases[] = {
		{ "/echo",
		    "{\"retcode\":0,\"retmsg\":\"ok\",\"data\":"
		    "{\"n\":3}}",
		    0, 0, 3 },
		{ "/echo", "{\"retcode\":108,\"retmsg\":\"ok\"}", ERR_REMOTE,
		    108, -1 },
		{ "/echo", "{\"retmsg\":\"ok\"}", ERR_FORMAT, 0, -1 },
		{ "/echo", "{\"retcode\":\"0\"}", ERR_FORMAT, 0, -1 },
		{ "/echo", "<html>", ERR_FORMAT, 0, -1 },
		{ "/echo", "null", ERR_FORMAT, 0, -1 },
		{ "/status/503", "{}", ERR_REMOTE, 0, -1 },
	};
	struct world *w = *state;
	struct many m;
	size_t i;

	client_in_loop(w, &m);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct partner_seen seen = { .loop = m.loop };
		char *url = xasprintf("%s/", w->url);

		assert_int_equal(
		    partner_post(m.client, url, "10000", cases[i].path,
			cases[i].body, 5000, on_partner, &seen, NULL),
		    0);
		assert_int_equal(loop_run(m.loop), 0);
		assert_int_equal(seen.error, cases[i].error);
		assert_int_equal(seen.retcode, cases[i].retcode);
		assert_int_equal(seen.n, cases[i].n);
		assert_non_null(seen.retmsg);
		free(seen.retmsg);
		free(url);
	}
	http_client_free(m.client);
	loop_free(m.loop);
}

/* --- certificates ------------------------------------------------------------------- */

static void
certificates_are_checked_before_they_are_trusted(void **state)
{
	struct world *w = *state;
	char *path = file_of(w, "10000", "crt");
	char *key = file_of(w, "10000", "key");
	char finger[TLS_CERT_FINGERPRINT_SIZE];
	struct buf pem = BUF_INIT;
	struct stat st;

	assert_int_equal(buf_read_file(&pem, path, 65536), 0);
	assert_int_equal(tls_cert_check(buf_str(&pem), "10000"), 0);
	assert_int_equal(tls_cert_check(buf_str(&pem), "9999"), ERR_INVALID);
	assert_int_equal(tls_cert_check("", "10000"), ERR_FORMAT);
	assert_int_equal(tls_cert_fingerprint(buf_str(&pem), finger), 0);
	assert_int_equal(strlen(finger), 95);
	assert_int_equal(buf_read_file(&pem, path, 65536), 0);
	assert_int_equal(tls_cert_check(buf_str(&pem), "10000"), ERR_FORMAT);
	assert_int_equal(stat(key, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(tls_cert_make("10000", key, path), ERR_EXISTS);
	buf_fini(&pem);
	free(path);
	free(key);
}

static X509 *
read_cert(const struct world *w, const char *name)
{
	char *path = file_of(w, name, "crt");
	BIO *file = BIO_new_file(path, "r");
	X509 *cert = PEM_read_bio_X509(file, NULL, NULL, NULL);

	assert_non_null(cert);
	BIO_free(file);
	free(path);
	return cert;
}

static bool
is_trusted(X509 *cert, X509 *const anchors[2])
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool yes;

	for (int i = 0; i < 2; i++)
		assert_int_equal(X509_STORE_add_cert(store, anchors[i]), 1);
	assert_int_equal(X509_STORE_CTX_init(ctx, store, cert, NULL), 1);
	yes = X509_verify_cert(ctx) == 1;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return yes;
}

static void
old_and_new_certificate_of_a_site_are_trusted_in_either_order(void **state)
{
	struct world *w = *state;
	char *key = file_of(w, "new", "key"), *path = file_of(w, "new", "crt");
	X509 *certs[2], *turned[2];

	assert_int_equal(tls_cert_make("10000", key, path), 0);
	turned[1] = certs[0] = read_cert(w, "10000");
	turned[0] = certs[1] = read_cert(w, "new");
	for (int i = 0; i < 2; i++) {
		assert_true(is_trusted(certs[i], certs));
		assert_true(is_trusted(certs[i], turned));
	}
	X509_free(certs[0]);
	X509_free(certs[1]);
	free(path);
	free(key);
}

static void
damaged_pins_are_refused_and_two_of_a_party_are_both_kept(void **state)
{
	static const char *const twice[] = { "10000", "10000" };
	static const char *const none[] = { "10000" };
	struct world *w = *state;
	char *path = xasprintf("%s/partners.pem", w->folder);
	struct pins *pins;
	size_t len;

	write_pins(w, twice, 2);
	assert_int_equal(pins_load(path, &pins), 0);
	assert_non_null(
	    strstr(strstr(pins_get(pins, "10000", &len), "END"), "BEGIN"));
	pins_free(pins);
	write_pins(w, none, 0);
	assert_int_equal(pins_load(path, &pins), 0);
	assert_null(pins_get(pins, "10000", &len));
	/* Damage appears: what was known stays. */
	write_pins(w, none, 1);
	assert_int_equal(pins_refresh(pins), 0);
	assert_non_null(pins_get(pins, "10000", &len));
	assert_int_equal(fd_replace_file(path,
			     "-----BEGIN CERTIFICATE-----\nAAAA\n-----END "
			     "CERTIFICATE-----\n",
			     59, 0644),
	    0);
	assert_int_equal(pins_refresh(pins), ERR_FORMAT);
	assert_non_null(pins_get(pins, "10000", &len));
	pins_free(pins);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pins_load(path, &pins), ERR_NOT_FOUND);
	free(path);
}

#define WITH_WORLD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WORLD(body_is_sent_and_the_answer_comes_back),
		WITH_WORLD(file_between_head_and_tail_is_streamed),
		WITH_WORLD(file_shorter_than_promised_fails),
		WITH_WORLD(what_is_sent_verifies_as_signed),
		WITH_WORLD(connections_are_kept_and_used_again),
		WITH_WORLD(closed_connection_is_replaced),
		WITH_WORLD(deadline_ends_a_request_without_answer),
		WITH_WORLD(longer_answer_than_allowed_is_refused),
		WITH_WORLD(status_and_retry_after_are_told),
		WITH_WORLD(nobody_listening_is_a_net_error),
		WITH_WORLD(another_partys_certificate_is_refused),
		WITH_WORLD(
		    a_site_is_known_by_its_certificate_at_whatever_address),
		WITH_WORLD(party_without_certificate_is_not_called),
		WITH_WORLD(unknown_client_certificate_is_refused_by_the_server),
		WITH_WORLD(partners_are_never_called_without_tls),
		WITH_WORLD(odd_urls_are_refused),
		WITH_WORLD(many_requests_are_under_way_at_once),
		WITH_WORLD(a_request_leaves_without_a_turn_of_the_loop),
		WITH_WORLD(canceled_requests_do_not_call_back),
		WITH_WORLD(a_partners_words_name_its_site),
		WITH_WORLD(envelopes_of_partners_are_taken_apart),
		WITH_WORLD(certificates_are_checked_before_they_are_trusted),
		WITH_WORLD(
		    old_and_new_certificate_of_a_site_are_trusted_in_either_order),
		WITH_WORLD(
		    damaged_pins_are_refused_and_two_of_a_party_are_both_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
