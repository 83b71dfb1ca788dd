/*
 * Origins of browsers' requests.  Called for those that a browser could make
 * for somebody else: by a session's cookie, without authentication, at log-in.
 */
#include "fcgi-app/origin.h"

#include <string.h>
#include <strings.h>

#include "fcgi-app/app.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"

/* "host:port" of a URL or of a Host header without its port. */
static bool
same_host(const char *a, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(a, name, len) == 0;
}

static bool
is_local_name(const char *host)
{
	size_t len =
	    host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	return same_host(host, len, "localhost") ||
	       same_host(host, len, "[::1]") ||
	       (len > 4 && strncmp(host, "127.", 4) == 0 &&
		   strspn(host, "0123456789.") == len);
}

static bool
is_own(const struct request *req, const char *origin, const char *host)
{
	const char *scheme =
	    req->listener == LISTENER_CLIENT_TLS ? "https://" : "http://";

	return host != NULL && str_starts(origin, scheme) &&
	       strcasecmp(origin + strlen(scheme), host) == 0;
}

int
origin_check(const struct request *req)
{
	const char *host = request_header(req, "HOST");
	const char *origin = request_header(req, "ORIGIN");
	const char *from = request_header(req, "SEC_FETCH_SITE");
	const char *board = req->app->conf->board_url;

	if (req->listener == LISTENER_CLIENT_LOOPBACK && host != NULL &&
	    !is_local_name(host))
		return err_set(ERR_AUTH, "host %s is not this machine", host);
	if (origin == NULL)
		return from == NULL || !str_eq(from, "cross-site")
			   ? 0
			   : err_set(ERR_AUTH,
				 "requests from pages of other sites are not "
				 "taken");
	if ((board[0] != '\0' && str_eq(origin, board)) ||
	    is_own(req, origin, host))
		return 0;
	return err_set(
	    ERR_AUTH, "requests from pages of %s are not taken", origin);
}
