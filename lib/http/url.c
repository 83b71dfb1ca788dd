/*
 * Taking addresses apart.  Called by call.c.
 */
#include "lib/http/url.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

static int
parse_port(const char *text, size_t len, struct url *u)
{
	char port[8];

	if (len == 0) {
		u->port = u->is_tls ? 443 : 80;
		return 0;
	}
	if (text[0] != ':' || len - 1 >= sizeof(port))
		return err_set(ERR_INVALID, "URL: bad port");
	memcpy(port, text + 1, len - 1);
	port[len - 1] = '\0';
	return str_to_int64(port, 1, 65535, &u->port);
}

static int
parse_authority(const char *text, size_t len, struct url *u)
{
	size_t host_len;

	if (len != 0 && text[0] == '[') {
		const char *end = memchr(text, ']', len);

		host_len = end != NULL ? (size_t)(end - text) + 1 : 0;
	} else {
		host_len = strcspn(text, ":/?#");
	}
	if (host_len == 0 || host_len > len || host_len > URL_HOST_MAX ||
	    memchr(text, '@', len) != NULL)
		return err_set(ERR_INVALID, "URL: bad host");
	memcpy(u->host, text, host_len);
	u->host[host_len] = '\0';
	return parse_port(text + host_len, len - host_len, u);
}

void
url_fini(struct url *u)
{
	free(u->path);
	free(u->query);
}

int
url_parse(const char *text, struct url *u)
{
	const char *rest, *end, *query;

	memset(u, 0, sizeof(*u));
	u->is_tls = str_starts(text, "https://");
	if (!u->is_tls && !str_starts(text, "http://"))
		return err_set(ERR_INVALID, "URL: http or https expected");
	if (strpbrk(text, "# \t\r\n\\\"") != NULL)
		return err_set(ERR_INVALID, "URL: stray character");
	rest = text + (u->is_tls ? 8 : 7);
	end = rest + strcspn(rest, "/?");
	query = strchr(end, '?');
	u->path =
	    query != NULL ? xstrndup(end, (size_t)(query - end)) : xstrdup(end);
	u->query = query != NULL ? xstrdup(query + 1) : NULL;
	if (u->path[0] == '\0') {
		free(u->path);
		u->path = xstrdup("/");
	}
	return parse_authority(rest, (size_t)(end - rest), u);
}
