/*
 * One thread accepts, one per connection serves.  Stopping shuts all sockets
 * down, so that every thread ends and is joined.
 */
#include "tests/lib/tls_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define CONNECTIONS_MAX 64

struct connection {
	struct tls_server *server;
	pthread_t thread;
	int fd;
};

struct tls_server {
	SSL_CTX *ctx;
	int fd;
	int port;
	pthread_t acceptor;
	struct connection conns[CONNECTIONS_MAX];
	atomic_int n_conns;
	atomic_int n_requests;
	atomic_int n_anew;
};

static int
write_all(SSL *ssl, const char *data, size_t len)
{
	while (len != 0) {
		int n = SSL_write(ssl, data, len < 16384 ? (int)len : 16384);

		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Head and body of one request; body is what lies behind *head_len. */
static int
read_request(SSL *ssl, struct buf *b, size_t *head_len)
{
	const char *end, *length;
	int64_t body = 0;
	int n;

	for (;;) {
		end = strstr(buf_str(b), "\r\n\r\n");
		if (end != NULL) {
			*head_len = (size_t)(end - b->data) + 4;
			length = strcasestr(b->data, "content-length: ");
			if (length != NULL && length < end)
				body = strtoll(length + 16, NULL, 10);
			if (b->len >= *head_len + (size_t)body)
				return 0;
		}
		n = SSL_read(ssl, buf_reserve(b, 65536), 65536);
		if (n <= 0)
			return -1;
		b->len += (size_t)n;
		b->data[b->len] = '\0';
	}
}

static int
answer(SSL *ssl, int status, const char *body, size_t len)
{
	char *head = xasprintf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\n"
			       "Retry-After: %s\r\n\r\n",
	    status, len, status == 507 ? "9223372036854775807" : "7");
	int r = write_all(ssl, head, strlen(head));

	free(head);
	return r == 0 ? write_all(ssl, body, len) : r;
}

static int
answer_bytes(SSL *ssl, size_t n)
{
	char *body = xcalloc(n, 1);
	int r = answer(ssl, 200, body, n);

	free(body);
	return r;
}

/* Whether the connection goes on. */
static int
serve_one(SSL *ssl, atomic_int *anew, const struct buf *b, size_t head_len)
{
	const char *path = strchr(b->data, ' ') + 1;

	if (str_starts(path, "/headers"))
		return answer(ssl, 200, b->data, head_len) == 0;
	if (str_starts(path, "/bytes/"))
		return answer_bytes(ssl, strtoul(path + 7, NULL, 10)) == 0;
	if (str_starts(path, "/status/"))
		return answer(ssl, atoi(path + 8), "{}", 2) == 0;
	if (str_starts(path, "/anew") && atomic_fetch_add(anew, 1) == 0)
		return answer(ssl, 401, "{}", 2) == 0;
	if (str_starts(path, "/never")) {
		char byte;

		(void)SSL_read(ssl, &byte, 1); /* until the client gives up */
		return 0;
	}
	(void)answer(ssl, 200, b->data + head_len, b->len - head_len);
	return !str_starts(path, "/close");
}

static void *
serve(void *arg)
{
	struct connection *c = arg;
	SSL *ssl = SSL_new(c->server->ctx);
	struct buf b = BUF_INIT;
	size_t head_len;
	int more = 1;

	(void)SSL_set_fd(ssl, c->fd);
	if (SSL_accept(ssl) == 1) {
		while (more && read_request(ssl, &b, &head_len) == 0) {
			atomic_fetch_add(&c->server->n_requests, 1);
			more = serve_one(ssl, &c->server->n_anew, &b, head_len);
			buf_clear(&b);
		}
		(void)SSL_shutdown(ssl);
	}
	SSL_free(ssl);
	ERR_clear_error();
	buf_fini(&b);
	(void)shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

static void *
accept_all(void *arg)
{
	struct tls_server *s = arg;
	struct connection *c;
	int fd, n, on = 1;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		n = atomic_load(&s->n_conns);
		assert(n < CONNECTIONS_MAX);
		c = &s->conns[n];
		c->server = s;
		c->fd = fd;
		if (pthread_create(&c->thread, NULL, serve, c) != 0)
			abort();
		atomic_store(&s->n_conns, n + 1);
	}
	return NULL;
}

static int
client_must_show(int ok, X509_STORE_CTX *ctx)
{
	(void)ctx;
	return ok;
}

struct tls_server *
tls_server_start(const char *cert, const char *key, const char *client_pem)
{
	struct tls_server *s = xcalloc(1, sizeof(*s));
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	socklen_t len = sizeof(sa);

	s->ctx = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_file(s->ctx, cert, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(s->ctx, key, SSL_FILETYPE_PEM) != 1)
		abort();
	if (client_pem != NULL) {
		if (SSL_CTX_load_verify_file(s->ctx, client_pem) != 1)
			abort();
		SSL_CTX_set_verify(s->ctx,
		    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
		    client_must_show);
	}
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 ||
	    listen(s->fd, 64) != 0 ||
	    getsockname(s->fd, (struct sockaddr *)&sa, &len) != 0 ||
	    pthread_create(&s->acceptor, NULL, accept_all, s) != 0)
		abort();
	s->port = ntohs(sa.sin_port);
	return s;
}

void
tls_server_stop(struct tls_server *s)
{
	int i;

	(void)shutdown(s->fd, SHUT_RDWR); /* accept() returns */
	(void)pthread_join(s->acceptor, NULL);
	for (i = 0; i < atomic_load(&s->n_conns); i++) {
		(void)shutdown(s->conns[i].fd, SHUT_RDWR);
		(void)pthread_join(s->conns[i].thread, NULL);
		(void)close(s->conns[i].fd);
	}
	(void)close(s->fd);
	SSL_CTX_free(s->ctx);
	free(s);
}

int
tls_server_port(const struct tls_server *s)
{
	return s->port;
}

int
tls_server_connections(struct tls_server *s)
{
	return atomic_load(&s->n_conns);
}

int
tls_server_requests(struct tls_server *s)
{
	return atomic_load(&s->n_requests);
}
