/*
 * Keys that must fit each other.  Called by site_conf_load().
 */
#include "lib/conf/site_check.h"

#include <string.h>

#include "lib/base/str.h"

struct check {
	const struct site_conf *conf;
	site_conf_fault_fn *fault;
	void *ctx;
};

static void
fault(const struct check *k, const char *section, const char *key,
    const char *what)
{
	k->fault(k->ctx, section, key, what);
}

static bool
is_this_machine(const char *host)
{
	return str_eq(host, "localhost") || str_eq(host, "::1") ||
	       str_starts(host, "127.");
}

/* Is path below folder, or the folder itself? */
static bool
is_below(const char *path, const char *folder, size_t n)
{
	while (n > 1 && folder[n - 1] == '/')
		n--;
	return strncmp(path, folder, n) == 0 &&
	       (path[n] == '/' || path[n] == '\0' || n == 1);
}

/* Clients name files below the roots: keys and spools must not be there. */
static void
check_file_roots(const struct check *k)
{
	const char *s = k->conf->file_roots;
	size_t n;

	for (; *s != '\0'; s += n + (s[n] == ':')) {
		n = strcspn(s, ":");
		if (is_below(k->conf->home, s, n) ||
		    is_below(k->conf->shared, s, n))
			fault(k, "data", "file_roots",
			    "may not hold the site's own folder");
	}
}

/* What one host receives may be for a task on another. */
static void
check_shared(const struct check *k)
{
	const struct site_conf *c = k->conf;

	if (c->shared[0] == '\0') {
		if (c->wake_address[0] != '\0')
			fault(k, "site", "wake_address",
			    "is for hosts that share a folder: shared is "
			    "missing");
		return;
	}
	if (!is_below(c->mailbox_memory_dir, c->shared, strlen(c->shared)))
		fault(k, "mailbox", "memory_dir",
		    "must be below [site] shared, when there is one");
}

static void
check_store(const struct check *k)
{
	const struct site_conf *c = k->conf;
	bool redis = str_eq(c->store_engine, "redis");

	if (!c->store_enabled)
		return;
	if (!redis && !str_eq(c->store_engine, "mysql"))
		fault(k, "model_store", "engine", "must be mysql or redis");
	if (c->store_socket[0] == '\0' && c->store_host[0] == '\0')
		fault(
		    k, "model_store", "socket", "a socket or a host is needed");
	if (!redis && c->store_name[0] == '\0')
		fault(k, "model_store", "name",
		    "the name of a database is needed");
	if (c->store_socket[0] != '\0' || is_this_machine(c->store_host))
		return;
	if (redis)
		fault(k, "model_store", "host",
		    "models do not travel unencrypted: redis is reached by its "
		    "socket, or on this machine (a TLS tunnel may listen "
		    "there)");
	else if (c->store_tls_ca[0] == '\0')
		fault(k, "model_store", "tls_ca",
		    "a server on another machine is reached by TLS only: name "
		    "the file with the authority of its certificate");
}

bool
site_is_loopback_url(const char *url)
{
	const char *host = url + strlen("http://");
	size_t len = strcspn(host, ":/?");

	if (str_starts(host, "[::1]"))
		return strchr(":/?", host[5]) != NULL;
	return (len == 9 && strncmp(host, "localhost", 9) == 0) ||
	       (strncmp(host, "127.", 4) == 0 &&
		   strspn(host, "0123456789.") == len);
}

static void
check_hook_url(const struct check *k, const char *name, const char *url)
{
	if (url[0] == '\0')
		return;
	if (strpbrk(url, "# \t@\\\"") != NULL ||
	    (!str_starts(url, "http://") && !str_starts(url, "https://")))
		fault(k, "hooks", name, "must be https://HOST:PORT/PATH");
	else if (str_starts(url, "http://") && !site_is_loopback_url(url))
		fault(k, "hooks", name,
		    "a service on another machine is asked by https only");
}

static void
check_hooks(const struct check *k)
{
	const struct site_conf *c = k->conf;

	check_hook_url(k, "client_auth_url", c->hook_client_url);
	check_hook_url(k, "site_auth_url", c->hook_site_url);
	check_hook_url(k, "permission_url", c->hook_permission_url);
	if (c->hook_client_alone && c->hook_client_url[0] == '\0')
		fault(k, "hooks", "client_auth_url_decides_alone",
		    "needs a client_auth_url");
	if ((c->hook_cert_file[0] == '\0') != (c->hook_key_file[0] == '\0'))
		fault(k, "hooks", "key_file",
		    "a certificate and its key belong together");
}

void
site_conf_check(const struct site_conf *c, site_conf_fault_fn *tell, void *ctx)
{
	const struct check check = { c, tell, ctx }, *k = &check;

	if (c->db_socket[0] == '\0' && c->db_host[0] == '\0')
		fault(k, "database", "socket", "a socket or a host is needed");
	if (c->db_socket[0] == '\0' && c->db_host[0] != '\0' &&
	    !is_this_machine(c->db_host) && c->db_tls_ca[0] == '\0')
		fault(k, "database", "tls_ca",
		    "a server on another machine is reached by TLS only: name "
		    "the file with the authority of its certificate");
	if ((c->db_fcgi_user[0] == '\0') != (c->db_supervisor_user[0] == '\0'))
		fault(k, "database", "supervisor_user",
		    "both programs have an account of their own, or none has");
	check_file_roots(k);
	check_shared(k);
	check_store(k);
	check_hooks(k);
	if (c->heartbeat_ms * 2 > c->lease_ms)
		fault(k, "supervisor", "lease_ms",
		    "must be at least twice heartbeat_ms");
}
