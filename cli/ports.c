/*
 * Picks ports.  Sites that are set up but not started do not hold theirs,
 * so their site.conf files are asked as well.
 */
#include "cli/ports.h"

#include <arpa/inet.h>
#include <glob.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"

/* Below 32768, where Linux takes ports for outgoing connections from. */
#define LOWEST 20000
#define HIGHEST 32000
#define TRIES 2000

struct taken {
	int port[256];
	size_t n;
};

static void
take_url(struct taken *t, const char *url)
{
	const char *colon = strrchr(url, ':');
	int64_t port;

	if (colon != NULL && t->n < sizeof(t->port) / sizeof(t->port[0]) &&
	    str_to_int64(colon + 1, 1, 65535, &port) == 0)
		t->port[t->n++] = (int)port;
}

static void
take_sites(struct taken *t, char *pattern)
{
	struct site_conf *conf;
	glob_t found = { 0 };
	size_t i;

	if (glob(pattern, 0, NULL, &found) == 0) {
		for (i = 0; i < found.gl_pathc; i++) {
			if (site_conf_load(found.gl_pathv[i], &conf) != 0)
				continue; /* not one of ours */
			take_url(t, conf->client_url);
			take_url(t, conf->client_tls_url);
			take_url(t, conf->partner_url);
			site_conf_free(conf);
		}
	}
	globfree(&found);
	free(pattern);
}

/* Of the same federation, and of federations beside it. */
static void
take_neighbours(struct taken *t, const char *home)
{
	take_sites(t, xasprintf("%s/../*/site.conf", home));
	take_sites(t, xasprintf("%s/../../*/*/site.conf", home));
}

static bool
is_taken(const struct taken *t, int port)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->port[i] == port)
			return true;
	return false;
}

static bool
can_listen(int port)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) },
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (fd < 0)
		return false;
	ok = bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0;
	(void)close(fd);
	return ok;
}

int
ports_pick(const char *home, int *ports, size_t n)
{
	struct taken t = { .n = 0 };
	size_t picked = 0;
	int tries, port;

	take_neighbours(&t, home);
	for (tries = 0; tries < TRIES && picked < n; tries++) {
		port = LOWEST + (int)randombytes_uniform(HIGHEST - LOWEST);
		if (is_taken(&t, port) || !can_listen(port))
			continue;
		ports[picked++] = port;
		if (t.n < sizeof(t.port) / sizeof(t.port[0]))
			t.port[t.n++] = port;
	}
	return picked == n ? 0 : err_set(ERR_BUSY, "no free ports");
}
