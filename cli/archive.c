/*
 * Unpacking with libarchive; the archive is another program's and may name
 * anything.
 */
#include "cli/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"

#define FOLDER_MODE 0750
#define FILE_MODE 0640

/* Where the archive goes. */
struct target {
	const char *folder;
	int dir;
	bool replace;
	size_t files;
};

static bool
stays_below(const char *name)
{
	const char *p = name;

	if (name == NULL || name[0] == '\0' || name[0] == '/')
		return false;
	while (*p != '\0') {
		size_t len = strcspn(p, "/");

		if (len == 2 && strncmp(p, "..", 2) == 0)
			return false;
		p += len + (p[len] == '/');
	}
	return true;
}

/*
 * Open a folder below the target, made if needed.  Step by step, so that no
 * link is one of them.
 */
static int
open_below(const struct target *t, const char *path, int *out)
{
	char *copy = xstrdup(path), *rest = copy, *step;
	int next, r = 0;

	*out = fcntl(t->dir, F_DUPFD_CLOEXEC, 0);
	if (*out < 0)
		r = err_set_errno(ERR_IO, "%s", t->folder);
	while (r == 0 && (step = strsep(&rest, "/")) != NULL) {
		if (*step == '\0')
			continue;
		next = -1;
		if ((mkdirat(*out, step, FOLDER_MODE) != 0 &&
			errno != EEXIST) ||
		    (next = openat(*out, step,
			 O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
			r = err_set_errno(
			    ERR_IO, "%s/%s: folder %s", t->folder, path, step);
		fd_close(out);
		*out = next;
	}
	free(copy);
	return r;
}

/* A new file of the entry's content; on errors there is none. */
static int
write_new(struct archive *a, int dir, const char *name)
{
	int r = 0;
	int fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);

	if (fd < 0 && errno == EEXIST)
		return err_set(ERR_EXISTS, "is there already");
	if (fd < 0)
		return err_set_errno(ERR_IO, "create");
	if (archive_read_data_into_fd(a, fd) != ARCHIVE_OK)
		r = err_set(ERR_FORMAT, "archive: %s", archive_error_string(a));
	fd_close(&fd);
	if (r != 0)
		(void)unlinkat(dir, name, 0);
	return r;
}

/* In place of what has the name, under another one until it is whole. */
static int
write_over(struct archive *a, int dir, const char *name)
{
	char id[ID_RANDOM_SIZE], *tmp;
	int r;

	id_random(id);
	tmp = xasprintf(".%s.tmp", id);
	r = write_new(a, dir, tmp);
	if (r == 0 && renameat(dir, tmp, dir, name) != 0) {
		r = err_set_errno(ERR_IO, "replace");
		(void)unlinkat(dir, tmp, 0);
	}
	free(tmp);
	return r;
}

static int
write_file(struct archive *a, struct target *t, const char *path)
{
	char *copy = xstrdup(path), *name = strrchr(copy, '/');
	int dir = -1, r;

	if (name != NULL)
		*name++ = '\0';
	r = open_below(t, name != NULL ? copy : "", &dir);
	if (name == NULL)
		name = copy;
	if (r == 0) {
		r = t->replace ? write_over(a, dir, name)
			       : write_new(a, dir, name);
		if (r != 0)
			(void)err_wrap("%s/%s", t->folder, path);
	}
	fd_close(&dir);
	free(copy);
	t->files += r == 0;
	return r;
}

static int
extract_entry(struct archive *a, struct archive_entry *e, struct target *t)
{
	const char *name = archive_entry_pathname(e);
	mode_t type = archive_entry_filetype(e);
	int dir = -1, r;

	if (!stays_below(name) || archive_entry_hardlink(e) != NULL ||
	    (type != AE_IFREG && type != AE_IFDIR))
		return err_set(ERR_DENIED, "archive holds \"%s\"",
		    name != NULL ? name : "");
	if (type == AE_IFREG)
		return write_file(a, t, name);
	r = open_below(t, name, &dir);
	fd_close(&dir);
	return r;
}

static int
open_target(struct target *t)
{
	int r = fd_mkdirs(t->folder, FOLDER_MODE);

	if (r != 0)
		return r;
	t->dir = open(t->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return t->dir >= 0 ? 0 : err_set_errno(ERR_IO, "%s", t->folder);
}

int
archive_extract(const void *data, size_t len, const char *folder, bool replace,
    size_t *files)
{
	struct target t = { .folder = folder, .dir = -1, .replace = replace };
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	int r, got;

	*files = 0;
	if (a == NULL)
		return err_set(ERR_NOMEM, "archive");
	if (archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_open_memory(a, data, len) != ARCHIVE_OK) {
		r = err_set(ERR_FORMAT, "archive: %s", archive_error_string(a));
		goto out;
	}
	r = open_target(&t);
	while (
	    r == 0 && (got = archive_read_next_header(a, &e)) != ARCHIVE_EOF) {
		if (got != ARCHIVE_OK)
			r = err_set(
			    ERR_FORMAT, "archive: %s", archive_error_string(a));
		else
			r = extract_entry(a, e, &t);
	}
	*files = t.files;
out:
	fd_close(&t.dir);
	(void)archive_read_free(a);
	return r;
}
