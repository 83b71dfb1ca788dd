/*
 * Where the files of a site are: its own folder, or the one that its hosts
 * share.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"

#define SHARED_MARK "site.id" /* in the shared folder: whose it is */

void
site_host(const struct site_conf *c, char out[SITE_HOST_SIZE])
{
	out[SITE_HOST_SIZE - 1] = '\0';
	if (c->host != NULL && c->host[0] != '\0')
		(void)snprintf(out, SITE_HOST_SIZE, "%s", c->host);
	else if (gethostname(out, SITE_HOST_SIZE - 1) != 0)
		(void)snprintf(out, SITE_HOST_SIZE, "localhost");
}

static bool
has_shared(const struct site_conf *c)
{
	return c->shared != NULL && c->shared[0] != '\0';
}

static bool
is_in(const char *below, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(below, folder, n) == 0 &&
	       (below[n] == '/' || below[n] == '\0');
}

/* What any host of the site may have to read or remove. */
static bool
is_shared(const char *below)
{
	return is_in(below, "data") || is_in(below, SITE_MODELS) ||
	       is_in(below, SITE_MAILBOX) || is_in(below, SITE_UPLOADS) ||
	       (is_in(below, SITE_LOGS) &&
		   strcspn(below + strlen(SITE_LOGS), "0123456789") == 1);
}

char *
site_path(const struct site_conf *c, const char *fmt, ...)
{
	va_list ap;
	char *below, *path;

	va_start(ap, fmt);
	below = xvasprintf(fmt, ap);
	va_end(ap);
	path = xasprintf("%s/%s",
	    has_shared(c) && is_shared(below) ? c->shared : c->home, below);
	free(below);
	return path;
}

char *
site_job_logs(const struct site_conf *c)
{
	return xasprintf("%s/" SITE_LOGS, has_shared(c) ? c->shared : c->home);
}

bool
site_has_hosts(const struct site_conf *c)
{
	return c->wake_address != NULL && c->wake_address[0] != '\0';
}

/* --- the shared folder --------------------------------------------------- */

static char *
shared_mark(const struct site_conf *c)
{
	return xasprintf("%s/" SHARED_MARK, c->shared);
}

int
site_shared_check(const struct site_conf *c)
{
	struct buf b = BUF_INIT;
	char *path;
	int r;

	if (!has_shared(c))
		return 0;
	path = shared_mark(c);
	r = buf_read_file(&b, path, 64);
	if (r != 0)
		r = err_wrap("[site] shared: not mounted, or \"sluice site "
			     "share\" was not run");
	else if (!str_starts(buf_str(&b), c->party_id) ||
		 !str_eq(buf_str(&b) + strlen(c->party_id), "\n"))
		r = err_set(ERR_INVALID,
		    "[site] shared: %s is the folder of another party",
		    c->shared);
	buf_fini(&b);
	free(path);
	return r;
}

int
site_shared_make(const struct site_conf *c)
{
	static const char *const folders[] = { SITE_TABLES, SITE_UPLOADS,
		SITE_MAILBOX, SITE_MODELS "/objects", SITE_LOGS };
	char *path, *text;
	int r = 0;

	if (!has_shared(c))
		return err_set(ERR_INVALID, "[site] shared is not set");
	for (size_t i = 0; r == 0 && i < sizeof(folders) / sizeof(folders[0]);
	     i++) {
		path = xasprintf("%s/%s", c->shared, folders[i]);
		r = fd_mkdirs(path, 0750);
		free(path);
	}
	path = shared_mark(c);
	text = xasprintf("%s\n", c->party_id);
	/* Once only: whoever comes later finds out whose it is. */
	if (r == 0 && access(path, F_OK) != 0)
		r = fd_replace_file(path, text, strlen(text), 0644);
	free(text);
	free(path);
	return r == 0 ? site_shared_check(c) : r;
}
