/*
 * Reading archives, by libarchive.  Called by the import of models.
 */
#include "lib/archive/archive_in.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

#define BLOCK ((size_t)64 * 1024)

struct archive_in {
	struct archive *a;
	int fd;
	uint64_t offset, len; /* the archive within the file */
	uint64_t at;	      /* within the archive */
	int failed;	      /* reading the file itself */
	uint64_t unpacked;    /* bytes handed out or passed over */
	size_t members;
	struct json_object *names; /* those seen, as keys */
	char *name;		   /* of the member; owned */
	bool has_size;		   /* the member says how long it is: */
	uint64_t left;		   /* what is left of it */
	char block[BLOCK];
};

/* --- the file, as libarchive reads it ------------------------------------------- */

static la_ssize_t
on_read(struct archive *a, void *ctx, const void **data)
{
	struct archive_in *in = ctx;
	uint64_t left = in->len - in->at;
	ssize_t n;

	*data = in->block;
	do {
		n = pread(in->fd, in->block, left < BLOCK ? left : BLOCK,
		    (off_t)(in->offset + in->at));
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		in->failed = err_set_errno(ERR_IO, "read the archive");
		archive_set_error(a, errno, "%s", err_text());
		return -1;
	}
	in->at += (uint64_t)n;
	return n;
}

static la_int64_t
on_seek(struct archive *a, void *ctx, la_int64_t offset, int whence)
{
	struct archive_in *in = ctx;
	int64_t base = whence == SEEK_CUR   ? (int64_t)in->at
		       : whence == SEEK_END ? (int64_t)in->len
					    : 0;

	(void)a;
	if (offset < -base || offset > (int64_t)in->len - base)
		return ARCHIVE_FATAL;
	in->at = (uint64_t)(base + offset);
	return (la_int64_t)in->at;
}

static la_int64_t
on_skip(struct archive *a, void *ctx, la_int64_t request)
{
	struct archive_in *in = ctx;
	int64_t left = (int64_t)(in->len - in->at);
	int64_t n = request < left ? request : left;

	(void)a;
	if (n < 0)
		return 0;
	in->at += (uint64_t)n;
	return n;
}

static int
failed(struct archive_in *in, const char *where)
{
	const char *why = archive_error_string(in->a);

	if (in->failed != 0)
		return in->failed;
	return err_set(ERR_FORMAT, "%s: %s", where,
	    why != NULL ? why : "the archive is damaged");
}

/* --- limits ---------------------------------------------------------------------- */

static int
count_bytes(struct archive_in *in, uint64_t n)
{
	in->unpacked =
	    n > UINT64_MAX - in->unpacked ? UINT64_MAX : in->unpacked + n;
	if (in->unpacked > ARCHIVE_IN_BYTES)
		return err_set(ERR_LIMIT,
		    "%s: the archive holds more than %llu bytes",
		    in->name != NULL ? in->name : "archive",
		    (unsigned long long)ARCHIVE_IN_BYTES);
	if (in->unpacked > ARCHIVE_IN_FREE_BYTES &&
	    in->unpacked / ARCHIVE_IN_RATIO > in->len)
		return err_set(ERR_LIMIT,
		    "%s: unpacked the archive is more than %d times as large "
		    "as it is, which no model is",
		    in->name != NULL ? in->name : "archive", ARCHIVE_IN_RATIO);
	return 0;
}

/* --- members ---------------------------------------------------------------------- */

static bool
is_part(const char *s, size_t n)
{
	return n > 0 && !(n == 1 && s[0] == '.') &&
	       !(n == 2 && s[0] == '.' && s[1] == '.');
}

/* Relative, parts between single slashes, none of which climbs. */
static bool
is_safe(const char *name)
{
	size_t n, i;

	for (i = 0; name[i] != '\0'; i++)
		if (name[i] <= 0x20 || name[i] > 0x7e || name[i] == '\\')
			return false;
	if (i == 0 || i > ARCHIVE_IN_NAME)
		return false;
	for (;; name += n + 1) {
		n = strcspn(name, "/");
		if (!is_part(name, n))
			return false;
		if (name[n] == '\0')
			return true;
	}
}

/* What the name looks like, for a message: cut, and nothing odd in it. */
static char *
shown(const char *name)
{
	char *s = xstrndup(name != NULL ? name : "?", 200);

	for (char *p = s; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	return s;
}

static int
refuse(const char *name, const char *why)
{
	char *s = shown(name);
	int r = err_set(ERR_FORMAT, "member '%s': %s", s, why);

	free(s);
	return r;
}

static int
take_name(struct archive_in *in, const char *name)
{
	if (name == NULL || !is_safe(name))
		return refuse(name,
		    "such a name is not taken: it must be relative, without "
		    "\"..\", of printable ASCII");
	if (json_object_object_get_ex(in->names, name, NULL))
		return refuse(name, "it is in the archive twice");
	(void)json_object_object_add(in->names, name, NULL);
	in->name = xstrdup(name);
	return 0;
}

static int
take_entry(struct archive_in *in, struct archive_entry *e)
{
	const char *name = archive_entry_pathname(e);
	int r;

	if (archive_entry_is_encrypted(e))
		return refuse(name, "it is encrypted");
	if (archive_entry_filetype(e) != AE_IFREG ||
	    archive_entry_hardlink(e) != NULL)
		return refuse(name, "it is a link or no plain file");
	if ((r = take_name(in, name)) != 0)
		return r;
	in->has_size =
	    archive_entry_size_is_set(e) && archive_entry_size(e) >= 0;
	if (!in->has_size)
		return 0;
	/* Known before it is unpacked: refused before time is spent. */
	in->left = (uint64_t)archive_entry_size(e);
	return count_bytes(in, in->left);
}

int
archive_in_next(struct archive_in *in, const char **name)
{
	struct archive_entry *e;
	int r;

	*name = NULL;
	free(in->name);
	in->name = NULL;
	for (;;) {
		r = archive_read_next_header(in->a, &e);
		if (r == ARCHIVE_EOF)
			return 0;
		/* A warning is about a name that cannot be shown: no name. */
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return failed(in, "archive");
		if (++in->members > ARCHIVE_IN_MEMBERS)
			return err_set(ERR_LIMIT,
			    "the archive has more than %d members",
			    ARCHIVE_IN_MEMBERS);
		if (archive_entry_filetype(e) != AE_IFDIR)
			break;
	}
	if ((r = take_entry(in, e)) != 0)
		return r;
	*name = in->name;
	return 1;
}

/* What is handed out is what the header announced, or counts now. */
static int
check_length(struct archive_in *in, size_t n)
{
	if (!in->has_size)
		return count_bytes(in, n);
	if (n > in->left)
		return err_set(
		    ERR_FORMAT, "%s: it is longer than it says", in->name);
	in->left -= n;
	return 0;
}

int
archive_in_data(struct archive_in *in, const void **data, size_t *len)
{
	static char zeros[1];
	la_int64_t at;
	int r;

	do {
		*len = 0;
		r = archive_read_data_block(in->a, data, len, &at);
		if (r == ARCHIVE_EOF) {
			*data = zeros;
			*len = 0;
			return in->has_size && in->left > 0
				   ? err_set(ERR_FORMAT, "%s: it ends early",
					 in->name)
				   : 0;
		}
		if (r != ARCHIVE_OK)
			return failed(in, in->name);
		(void)at;
	} while (*len == 0);
	return check_length(in, *len);
}

int
archive_in_read(struct archive_in *in, size_t max, struct buf *out)
{
	size_t start = out->len, n;
	const void *data;
	int r;

	while ((r = archive_in_data(in, &data, &n)) == 0 && n > 0) {
		if (n > max - (out->len - start))
			return err_set(ERR_LIMIT,
			    "member %s is larger than %zu bytes", in->name,
			    max);
		buf_append(out, data, n);
	}
	return r;
}

/* --- opening ---------------------------------------------------------------------- */

static int
set_up(struct archive_in *in)
{
	if (archive_read_support_format_zip_seekable(in->a) != ARCHIVE_OK ||
	    archive_read_support_format_tar(in->a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(in->a) != ARCHIVE_OK ||
	    archive_read_set_callback_data(in->a, in) != ARCHIVE_OK ||
	    archive_read_set_read_callback(in->a, on_read) != ARCHIVE_OK ||
	    archive_read_set_seek_callback(in->a, on_seek) != ARCHIVE_OK ||
	    archive_read_set_skip_callback(in->a, on_skip) != ARCHIVE_OK)
		return failed(in, "archive");
	if (archive_read_open1(in->a) != ARCHIVE_OK)
		return failed(in, "this is neither zip nor tar");
	return 0;
}

int
archive_in_open(int fd, uint64_t offset, uint64_t len, struct archive_in **out)
{
	struct archive_in *in = xcalloc(1, sizeof(*in));
	int r;

	*out = NULL;
	in->fd = fd;
	in->offset = offset;
	in->len = len;
	in->names = json_object_new_object();
	if ((in->a = archive_read_new()) == NULL)
		r = err_set(ERR_NOMEM, "archive");
	else
		r = set_up(in);
	if (r != 0) {
		archive_in_close(in);
		return r;
	}
	*out = in;
	return 0;
}

void
archive_in_close(struct archive_in *in)
{
	if (in == NULL)
		return;
	if (in->a != NULL)
		(void)archive_read_free(in->a);
	json_object_put(in->names);
	free(in->name);
	free(in);
}
