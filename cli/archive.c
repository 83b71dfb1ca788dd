/*
 * Unpacking with libarchive; the archive is another program's and may name
 * anything.
 */
#include "cli/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

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

static int
write_file(struct archive *a, const char *path)
{
	char *parent = xstrdup(path);
	int fd, r;

	r = fd_mkdirs(dirname(parent), 0755);
	free(parent);
	if (r != 0)
		return r;
	/* No link that lies there already is followed. */
	fd = open(
	    path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_set_errno(ERR_IO, "%s", path);
	if (archive_read_data_into_fd(a, fd) != ARCHIVE_OK)
		r = err_set(ERR_FORMAT, "archive: %s", archive_error_string(a));
	fd_close(&fd);
	return r;
}

static int
extract_entry(struct archive *a, struct archive_entry *e, const char *folder,
    size_t *files)
{
	const char *name = archive_entry_pathname(e);
	mode_t type = archive_entry_filetype(e);
	char *path;
	int r;

	if (!stays_below(name) || archive_entry_hardlink(e) != NULL ||
	    (type != AE_IFREG && type != AE_IFDIR))
		return err_set(ERR_DENIED, "archive holds \"%s\"",
		    name != NULL ? name : "");
	path = xasprintf("%s/%s", folder, name);
	if (type == AE_IFDIR) {
		r = fd_mkdirs(path, 0755);
	} else {
		r = write_file(a, path);
		(*files)++;
	}
	free(path);
	return r;
}

int
archive_extract(const void *data, size_t len, const char *folder, size_t *files)
{
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
	if ((r = fd_mkdirs(folder, 0755)) != 0)
		goto out;
	while (
	    r == 0 && (got = archive_read_next_header(a, &e)) != ARCHIVE_EOF) {
		if (got != ARCHIVE_OK)
			r = err_set(
			    ERR_FORMAT, "archive: %s", archive_error_string(a));
		else
			r = extract_entry(a, e, folder, files);
	}
out:
	(void)archive_read_free(a);
	return r;
}
