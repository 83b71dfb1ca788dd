/*
 * Addresses that requests go to.
 */
#ifndef LIB_HTTP_URL_H
#define LIB_HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

#define URL_HOST_MAX 255

struct url {
	bool is_tls;
	char host[URL_HOST_MAX + 1]; /* [v6] keeps its brackets */
	int64_t port;
	char *path;  /* "/" at least */
	char *query; /* NULL without "?" */
};

/*
 * scheme://host[:port][/path][?query]; no user, no fragment.  url_fini() is
 * due on errors as well.  ERR_INVALID.
 */
int url_parse(const char *text, struct url *);
void url_fini(struct url *);

#endif
