/*
 * Files of sessions.  Called by api.c and login.c.
 */
#include "cli/session.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/secret_input.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

#define SESSION_MAX 8192

/* ERR_NOT_FOUND when the account has no place for such things. */
static int
folder(char **out)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state != NULL && *state == '/')
		*out = xasprintf("%s/sluice", state);
	else if (home != NULL && *home == '/')
		*out = xasprintf("%s/.local/state/sluice", home);
	else
		return err_set(ERR_NOT_FOUND,
		    "no place to keep a session: HOME is not set");
	return 0;
}

/* "https://a:1" as "https___a_1.session": the file says which it is, too. */
static int
path_of(const char *url, char **out)
{
	char *name, *at, *dir;
	int r;

	*out = NULL;
	if ((r = folder(&dir)) != 0)
		return r;
	name = xstrdup(url);
	for (at = name; *at != '\0'; at++)
		if (!isalnum((unsigned char)*at) && strchr(".-", *at) == NULL)
			*at = '_';
	*out = xasprintf("%s/%.200s.session", dir, name);
	free(name);
	free(dir);
	return 0;
}

static int
check_mode(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? err_set(ERR_NOT_FOUND, "no session")
				       : err_set_errno(ERR_IO, "%s", path);
	if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_set(ERR_DENIED,
		    "%s: mode %04o lets others in, 0600 is needed", path,
		    (unsigned)(st.st_mode & 07777));
	return 0;
}

static int
read_file(const char *path, const char *url, struct session *out)
{
	struct json_object *o = NULL;
	int r;

	if ((r = check_mode(path)) != 0 ||
	    (r = json_parse_file(path, SESSION_MAX, &o)) != 0)
		return r;
	if (!str_eq(json_get_str(o, "url", ""), url)) {
		json_object_put(o);
		return err_set(ERR_NOT_FOUND, "no session");
	}
	out->name = xstrdup(json_get_str(o, "name", NULL));
	out->cookie = xstrdup(json_get_str(o, "cookie", NULL));
	out->token = xstrdup(json_get_str(o, "csrf_token", NULL));
	json_object_put(o);
	if (out->name != NULL && out->cookie != NULL && out->token != NULL)
		return 0;
	return err_set(ERR_FORMAT, "%s is no session: remove it", path);
}

int
session_load(const char *url, struct session *out)
{
	char *path;
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = path_of(url, &path)) == 0)
		r = read_file(path, url, out);
	free(path);
	return r;
}

static int
write_file(const char *path, const char *url, const struct session *s)
{
	struct json_object *o = json_object_new_object();
	char *line;
	int r;

	json_add_str(o, "url", url);
	json_add_str(o, "name", s->name);
	json_add_str(o, "cookie", s->cookie);
	json_add_str(o, "csrf_token", s->token);
	line = xasprintf("%s\n", json_text(o));
	r = fd_replace_file(path, line, strlen(line), 0600);
	secret_input_free(line);
	json_object_put(o);
	return r;
}

int
session_store(const char *url, const struct session *s)
{
	char *dir = NULL, *path = NULL;
	int r;

	if ((r = folder(&dir)) == 0 && (r = fd_mkdirs(dir, 0700)) == 0 &&
	    (r = path_of(url, &path)) == 0)
		r = write_file(path, url, s);
	free(path);
	free(dir);
	return r;
}

int
session_remove(const char *url)
{
	char *path;
	int r;

	if ((r = path_of(url, &path)) == 0 && unlink(path) != 0 &&
	    errno != ENOENT)
		r = err_set_errno(ERR_IO, "%s", path);
	free(path);
	return r;
}

void
session_fini(struct session *s)
{
	free(s->name);
	secret_input_free(s->cookie);
	secret_input_free(s->token);
	memset(s, 0, sizeof(*s));
}
