/*
 * Files for export.  Paths are judged by fcgi-app when a job is made and by
 * shepherds when the file is written; the kernel has the last word.
 */
#include "lib/data/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/beneath.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define PART_MAX 255

struct export_file {
	int dir;
	int fd;
	char *name; /* in dir */
	char temporary[ID_RANDOM_SIZE + 16];
};

/* Parts of a relative path: none is empty, "." or "..". */
static int
check_parts(const char *path)
{
	const unsigned char *p = (const unsigned char *)path;
	size_t n;

	for (; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f)
			return err_set(ERR_INVALID,
			    "the path of an export has a control character");
	for (;; path += n + 1) {
		n = strcspn(path, "/");
		if (n == 2 && memcmp(path, "..", 2) == 0)
			return err_set(ERR_DENIED,
			    "'..' may not stand in the path of an export");
		if (strspn(path, " ") >= n || n > PART_MAX ||
		    (n == 1 && path[0] == '.'))
			return err_set(ERR_INVALID,
			    "the path of an export must name a file");
		if (path[n] == '\0')
			return 0;
	}
}

int
export_path(const struct site_conf *c, const char *path, char **out)
{
	const char *rest = beneath_rest(c->export_root, path);
	int r;

	*out = NULL;
	if (rest == NULL)
		return err_set(ERR_DENIED,
		    "'%.200s' is not in the folder for exports: this site's "
		    "setting [data] export_root is %s; give a path relative "
		    "to it",
		    path, c->export_root);
	if ((r = check_parts(rest)) == 0)
		*out = xstrdup(rest);
	return r;
}

int
export_path_of_client(const struct site_conf *c, const char *path, char **out)
{
	const char *rest = beneath_rest(c->export_root, path);
	const char *slash;

	if (rest == NULL && (slash = strrchr(path, '/')) != NULL)
		path = slash + 1;
	return export_path(c, path, out);
}

/* Open the folder of the file, making what is not there; *name: the file. */
static int
open_folder(const char *root, const char *path, int *out, const char **name)
{
	char *part;
	size_t n;
	int next, r = 0;

	if ((r = fd_mkdirs(root, 0750)) != 0)
		return r;
	*out = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*out < 0)
		return err_set_errno(ERR_IO, "%s", root);
	while (path[n = strcspn(path, "/")] == '/') {
		part = xstrndup(path, n);
		if (mkdirat(*out, part, 0750) != 0 && errno != EEXIST)
			r = err_set_errno(ERR_IO, "folder %s", part);
		else
			r = beneath_open_at(*out, part,
			    O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, &next);
		free(part);
		fd_close(out);
		if (r != 0)
			return r;
		*out = next;
		path += n + 1;
	}
	*name = path;
	return 0;
}

int
export_begin(
    const struct site_conf *c, const char *path, struct export_file **out)
{
	struct export_file *x;
	const char *name = NULL;
	char id[ID_RANDOM_SIZE];
	int dir = -1, r;

	*out = NULL;
	if ((r = open_folder(c->export_root, path, &dir, &name)) != 0) {
		fd_close(&dir);
		return err_wrap("export '%.200s'", path);
	}
	x = xcalloc(1, sizeof(*x));
	x->dir = dir;
	x->name = xstrdup(name);
	id_random(id);
	(void)snprintf(x->temporary, sizeof(x->temporary), ".%s.part", id);
	x->fd = openat(dir, x->temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (x->fd < 0) {
		r = err_set_errno(ERR_IO, "export '%.200s'", path);
		export_abort(x);
		return r;
	}
	*out = x;
	return 0;
}

int
export_write(struct export_file *x, const void *data, size_t len)
{
	return fd_write_all(x->fd, data, len);
}

static void
export_free(struct export_file *x)
{
	fd_close(&x->fd);
	fd_close(&x->dir);
	free(x->name);
	free(x);
}

int
export_end(struct export_file *x)
{
	int dir, r;

	if (fsync(x->fd) != 0 ||
	    renameat(x->dir, x->temporary, x->dir, x->name) != 0) {
		r = err_set_errno(ERR_IO, "export '%.200s'", x->name);
		export_abort(x);
		return r;
	}
	/* A folder that is only a path cannot be synced. */
	dir = openat(x->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = dir >= 0 && fsync(dir) == 0
		? 0
		: err_set_errno(ERR_IO, "folder of export '%.200s'", x->name);
	fd_close(&dir);
	export_free(x);
	return r;
}

void
export_abort(struct export_file *x)
{
	if (x == NULL)
		return;
	if (x->fd >= 0)
		(void)unlinkat(x->dir, x->temporary, 0);
	export_free(x);
}
