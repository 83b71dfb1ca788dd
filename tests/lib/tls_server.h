/*
 * A small HTTPS server with client certificates, in threads of the test: the
 * partner that lib/http talks to.
 *
 *   GET or POST /echo      answers with the request's body
 *   /headers               answers with the request's head as it came
 *   /bytes/N               answers with N bytes
 *   /status/N              answers with that status, Retry-After: 7
 *   /anew                  the first time 401, Retry-After: 7; then as /echo
 *   /never                 does not answer
 *   /close                 answers and closes the connection
 */
#ifndef TESTS_LIB_TLS_SERVER_H
#define TESTS_LIB_TLS_SERVER_H

struct tls_server;

/* Client certificates are checked against client_pem (NULL: not asked). */
struct tls_server *tls_server_start(
    const char *cert, const char *key, const char *client_pem);
void tls_server_stop(struct tls_server *);

int tls_server_port(const struct tls_server *);
int tls_server_connections(struct tls_server *); /* accepted so far */
int tls_server_requests(struct tls_server *);

#endif
