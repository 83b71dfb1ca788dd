/*
 * Archives, by libarchive.  Called by fcgi-app for what it sends and by who
 * puts models into the store.
 */
#include "lib/archive/archive_out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/archive/archive_load.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

#define BLOCK ((size_t)64 * 1024)
#define DEPTH_MAX 16
#define LEVEL "1" /* a worker is held meanwhile: time counts, not size */

struct archive_out {
	struct archive *a;
	struct archive_sink sink;
	int failed;    /* what the sink said */
	int64_t mtime; /* 0: now */
	uint64_t left; /* of the member */
};

static la_ssize_t
on_write(struct archive *a, void *ctx, const void *data, size_t len)
{
	struct archive_out *out = ctx;

	out->failed = out->sink.write(out->sink.ctx, data, len);
	if (out->failed != 0) {
		archive_set_error(a, EPIPE, "%s", err_text());
		return -1;
	}
	return (la_ssize_t)len;
}

static int
failed(struct archive_out *out)
{
	const char *why = archive_error_string(out->a);

	return err_set(out->failed != 0 ? out->failed : ERR_IO, "archive: %s",
	    why != NULL ? why : "unknown");
}

static int
set_tar_gz(struct archive *a)
{
	return archive_write_add_filter_gzip(a) == ARCHIVE_OK &&
		       archive_write_set_filter_option(a, "gzip",
			   "compression-level", LEVEL) == ARCHIVE_OK &&
		       archive_write_set_format_pax_restricted(a) ==
			   ARCHIVE_OK &&
		       archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK
		   ? 0
		   : -1;
}

static int
set_zip(struct archive *a)
{
	return archive_write_set_format_zip(a) == ARCHIVE_OK &&
		       archive_write_set_format_option(a, "zip",
			   "compression-level", LEVEL) == ARCHIVE_OK &&
		       archive_write_set_bytes_per_block(a, BLOCK) ==
			   ARCHIVE_OK &&
		       archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK
		   ? 0
		   : -1;
}

int
archive_open(const struct archive_sink *sink, enum archive_kind kind,
    struct archive_out **result)
{
	struct archive_out *out;
	int r;

	*result = NULL;
	if ((r = archive_load()) != 0)
		return r;
	out = xcalloc(1, sizeof(*out));
	out->sink = *sink;
	if ((out->a = archive_write_new()) == NULL) {
		free(out);
		return err_set(ERR_NOMEM, "archive");
	}
	if ((kind == ARCHIVE_KIND_ZIP ? set_zip(out->a) : set_tar_gz(out->a)) !=
		0 ||
	    archive_write_open2(out->a, out, NULL, on_write, NULL, NULL) !=
		ARCHIVE_OK) {
		r = failed(out);
		archive_abort(out);
		return r;
	}
	*result = out;
	return 0;
}

void
archive_set_time(struct archive_out *out, int64_t seconds)
{
	out->mtime = seconds;
}

static bool
safe_member(const char *name)
{
	return name[0] != '\0' && name[0] != '/' && strstr(name, "..") == NULL;
}

int
archive_member(struct archive_out *out, const char *name, uint64_t size)
{
	struct archive_entry *e;
	int r = 0;

	if (!safe_member(name))
		return err_set(ERR_INVALID, "archive member '%s'", name);
	if ((e = archive_entry_new()) == NULL)
		return err_set(ERR_NOMEM, "archive member");
	archive_entry_set_pathname(e, name);
	archive_entry_set_size(e, (int64_t)size);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_mtime(
	    e, out->mtime != 0 ? out->mtime : time(NULL), 0);
	/* This also pads the member before to its size. */
	if (archive_write_header(out->a, e) != ARCHIVE_OK)
		r = failed(out);
	out->left = size;
	archive_entry_free(e);
	return r;
}

int
archive_write(struct archive_out *out, const void *data, size_t len)
{
	if (len > out->left)
		return err_set(
		    ERR_INTERNAL, "an archive member is longer than announced");
	if (len != 0 && archive_write_data(out->a, data, len) < 0)
		return failed(out);
	out->left -= len;
	return 0;
}

int
archive_check(struct archive_out *out)
{
	return out->sink.check != NULL ? out->sink.check(out->sink.ctx) : 0;
}

int
archive_file(struct archive_out *out, const char *name, int fd)
{
	struct stat st;
	char *block;
	ssize_t n;
	int r;

	if (fstat(fd, &st) != 0)
		return err_set_errno(ERR_IO, "%s", name);
	if ((r = archive_member(out, name, (uint64_t)st.st_size)) != 0)
		return r;
	block = xmalloc(BLOCK);
	while (r == 0 && out->left > 0) {
		n = read(fd, block, out->left < BLOCK ? out->left : BLOCK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = err_set_errno(ERR_IO, "%s", name);
		if (n <= 0) /* shorter than it was: the rest is NULs */
			break;
		r = archive_write(out, block, (size_t)n);
	}
	free(block);
	return r;
}

/* --- trees ---------------------------------------------------------------- */

static int add_folder(
    struct archive_out *, int dir, const char *prefix, int depth);

static int
add_entry(struct archive_out *out, int dir, const char *name,
    const char *prefix, int depth)
{
	struct stat st;
	char *path;
	int fd, r = 0;

	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) /* a link, or gone meanwhile */
		return 0;
	path =
	    *prefix == '\0' ? xstrdup(name) : xasprintf("%s/%s", prefix, name);
	if (fstat(fd, &st) != 0)
		r = err_set_errno(ERR_IO, "%s", path);
	else if (S_ISDIR(st.st_mode))
		r = add_folder(out, fd, path, depth + 1);
	else if (S_ISREG(st.st_mode))
		r = archive_file(out, path, fd);
	free(path);
	fd_close(&fd);
	return r;
}

static int
is_shown(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* dir stays the caller's. */
static int
add_folder(struct archive_out *out, int dir, const char *prefix, int depth)
{
	struct dirent **names = NULL;
	int i, n, r = 0;

	if (depth > DEPTH_MAX)
		return 0;
	n = scandirat(dir, ".", &names, is_shown, alphasort);
	if (n < 0)
		return err_set_errno(ERR_IO, "folder %s", prefix);
	for (i = 0; i < n; i++) {
		if (r == 0)
			r = add_entry(
			    out, dir, names[i]->d_name, prefix, depth);
		free(names[i]);
	}
	free(names);
	return r;
}

int
archive_tree(struct archive_out *out, const char *folder)
{
	int dir, r;

	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set_errno(
		    errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s", folder);
	r = add_folder(out, dir, "", 0);
	fd_close(&dir);
	return r;
}

int
archive_end(struct archive_out *out)
{
	int r = 0;

	if (archive_write_close(out->a) != ARCHIVE_OK)
		r = failed(out);
	archive_abort(out);
	return r;
}

void
archive_abort(struct archive_out *out)
{
	if (out == NULL)
		return;
	if (out->a != NULL) {
		/* Without this, freeing would write a valid end and the
		 * client could not tell half an archive from a whole one. */
		(void)archive_write_fail(out->a);
		(void)archive_write_free(out->a);
	}
	free(out);
}
