/*
 * The reader of multipart bodies.  Called by receive.c.
 *
 * A body is  --B CRLF headers CRLF CRLF content  CRLF--B CRLF …  CRLF--B--.
 * The reader looks for "CRLF--B" in a window that the body moves through; the
 * body is treated as if a CRLF stood before its first byte, so that the first
 * boundary is like the others.
 */
#include "fcgi-app/multipart.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define WINDOW ((size_t)256 * 1024)
#define BOUNDARY_MAX 70 /* RFC 2046, 5.1.1 */
#define HEADERS_MAX ((size_t)8192)
#define FIELD_MAX ((size_t)64 * 1024)
#define FIELDS_MAX ((size_t)256 * 1024) /* of all fields */
#define PARTS_MAX 64

struct reader {
	const struct multipart_io *io;
	struct multipart *out;
	char mark[BOUNDARY_MAX + 5]; /* CRLF--B */
	size_t mark_len;
	char *window;
	size_t at, end;	 /* what of the window is not taken yet */
	bool is_file;	 /* the part that is being read */
	struct buf text; /* its content when it is not */
	size_t texts;	 /* bytes of all fields so far */
};

/* --- texts ---------------------------------------------------------------- */

/*
 * The value of NAME=value or NAME="value" in a header's parameters; the
 * caller's, NULL when it is not there.
 */
static char *
parameter(const char *header, const char *name)
{
	const char *s = header, *end;
	size_t len = strlen(name);

	while ((s = strchr(s, ';')) != NULL) {
		s += 1 + strspn(s + 1, " \t");
		if (strncasecmp(s, name, len) != 0 || s[len] != '=')
			continue;
		s += len + 1;
		if (*s != '"')
			return xstrndup(s, strcspn(s, "; \t\r\n"));
		end = strchr(s + 1, '"');
		return end == NULL ? NULL
				   : xstrndup(s + 1, (size_t)(end - s - 1));
	}
	return NULL;
}

static int
set_mark(struct reader *rd, const char *content_type)
{
	char *b = parameter(content_type, "boundary");
	size_t len = b == NULL ? 0 : strlen(b);

	if (len == 0 || len > BOUNDARY_MAX) {
		free(b);
		return err_set(ERR_FORMAT, "the multipart body has no usable "
					   "boundary");
	}
	memcpy(rd->mark, "\r\n--", 4);
	memcpy(rd->mark + 4, b, len);
	rd->mark_len = len + 4;
	free(b);
	return 0;
}

/* --- the window ----------------------------------------------------------- */

/* Have want bytes in the window, or all that are left of the body. */
static int
fill(struct reader *rd, size_t want)
{
	size_t got = 1;
	int r;

	if (rd->end - rd->at >= want)
		return 0;
	memmove(rd->window, rd->window + rd->at, rd->end - rd->at);
	rd->end -= rd->at;
	rd->at = 0;
	while (rd->end < want && got > 0) {
		if ((r = rd->io->read(rd->io->ctx, rd->window + rd->end,
			 WINDOW - rd->end, &got)) != 0)
			return r;
		rd->end += got;
	}
	return 0;
}

/* Does this text come next?  Then it is taken. */
static int
next_is(struct reader *rd, const char *text, size_t len, bool *is)
{
	int r;

	if ((r = fill(rd, len)) != 0)
		return r;
	*is = rd->end - rd->at >= len &&
	      memcmp(rd->window + rd->at, text, len) == 0;
	if (*is)
		rd->at += len;
	return 0;
}

/* n bytes of the part's content. */
static int
pass(struct reader *rd, size_t n)
{
	const char *data = rd->window + rd->at;

	rd->at += n;
	if (rd->is_file) {
		rd->out->len += n;
		return rd->io->write(rd->io->ctx, data, n);
	}
	if (rd->text.len + n > FIELD_MAX || rd->texts + n > FIELDS_MAX)
		return err_set(ERR_LIMIT, "a form field is too much");
	rd->texts += n;
	buf_append(&rd->text, data, n);
	return 0;
}

/* Content up to the next mark, which is taken too. */
static int
pass_to_mark(struct reader *rd)
{
	const char *hit;
	size_t n;
	int r;

	for (;;) {
		if ((r = fill(rd, rd->mark_len)) != 0)
			return r;
		n = rd->end - rd->at;
		if (n < rd->mark_len)
			return err_set(ERR_FORMAT,
			    "the multipart body ends without its last "
			    "boundary");
		hit = memmem(rd->window + rd->at, n, rd->mark, rd->mark_len);
		if (hit != NULL) {
			n = (size_t)(hit - rd->window) - rd->at;
			if (n > 0 && (r = pass(rd, n)) != 0)
				return r;
			rd->at += rd->mark_len;
			return 0;
		}
		/* The mark may have begun in the last bytes. */
		if ((r = pass(rd, n - (rd->mark_len - 1))) != 0)
			return r;
	}
}

/* --- parts ---------------------------------------------------------------- */

static int
begin_file(struct reader *rd, char *filename)
{
	if (rd->out->filename != NULL) {
		free(filename);
		return err_set(ERR_FORMAT, "the form has more than one file");
	}
	rd->out->filename = filename;
	return rd->io->begin(rd->io->ctx);
}

static int
take_field(struct reader *rd, const char *name)
{
	const char *text = buf_str(&rd->text);

	if (rd->out->closed)
		return err_set(ERR_FORMAT,
		    "form field %.60s is not signed: fields stand before the "
		    "file, and none beside a configuration in the query",
		    name);
	if (strlen(text) != rd->text.len || !str_is_utf8(text, rd->text.len))
		return err_set(ERR_FORMAT, "form field %.60s is no text", name);
	json_add_str(rd->out->fields, name, text);
	return 0;
}

static int
read_content(struct reader *rd, const char *name, char *filename)
{
	bool empty;
	int r;

	rd->is_file = filename != NULL;
	buf_clear(&rd->text);
	if (rd->is_file && (r = begin_file(rd, filename)) != 0)
		return r;
	/* An empty content shares its CRLF with the end of the headers. */
	if ((r = next_is(rd, rd->mark, rd->mark_len, &empty)) != 0)
		return r;
	if (!empty) {
		rd->at += 2;
		r = pass_to_mark(rd);
	}
	return r == 0 && !rd->is_file ? take_field(rd, name) : r;
}

/* The Content-Disposition line among a part's headers; the caller's. */
static char *
disposition(const char *headers)
{
	static const char want[] = "content-disposition:";
	const char *line = headers;

	while (line != NULL && *line != '\0') {
		if (strncasecmp(line, want, sizeof(want) - 1) == 0)
			return xstrndup(line, strcspn(line, "\r\n"));
		line = strstr(line, "\r\n");
		if (line != NULL)
			line += 2;
	}
	return NULL;
}

/* The headers of a part; the window begins with the CRLF at their end then. */
static int
take_headers(struct reader *rd, char **line)
{
	char *end, *headers;
	size_t n;
	int r = 0;

	*line = NULL;
	/* By small steps, for more need not come before somebody is known. */
	for (n = 4;; n = rd->end - rd->at + 1) {
		if ((r = fill(rd, n)) != 0)
			return r;
		end = memmem(
		    rd->window + rd->at, rd->end - rd->at, "\r\n\r\n", 4);
		if (end != NULL)
			break;
		if (rd->end - rd->at >= HEADERS_MAX || rd->end - rd->at < n)
			return err_set(rd->end - rd->at >= HEADERS_MAX
					   ? ERR_LIMIT
					   : ERR_FORMAT,
			    "the headers of a part have no end");
	}
	n = (size_t)(end - rd->window) - rd->at;
	if (n > HEADERS_MAX)
		return err_set(ERR_LIMIT, "the headers of a part have no end");
	headers = xstrndup(rd->window + rd->at, n);
	rd->at += n + 2;
	*line = disposition(headers);
	free(headers);
	return *line != NULL
		   ? 0
		   : err_set(ERR_FORMAT,
			 "a part of the form has no Content-Disposition");
}

static int
read_part(struct reader *rd)
{
	char *line, *name, *filename;
	int r;

	if ((r = take_headers(rd, &line)) != 0)
		return r;
	name = parameter(line, "name");
	filename = parameter(line, "filename");
	free(line);
	if (name == NULL || !str_is_utf8(name, strlen(name))) {
		free(filename);
		r = err_set(ERR_FORMAT, "a part of the form has no name");
	} else {
		r = read_content(rd, name, filename);
	}
	free(name);
	return r;
}

static int
read_all(struct reader *rd)
{
	bool is;
	int parts = 0, r;

	if ((r = next_is(rd, rd->mark + 2, rd->mark_len - 2, &is)) != 0)
		return r;
	if (!is)
		return err_set(ERR_FORMAT,
		    "the multipart body does not begin with its boundary");
	for (;;) {
		if ((r = next_is(rd, "--", 2, &is)) != 0)
			return r;
		if (is)
			break;
		if ((r = next_is(rd, "\r\n", 2, &is)) != 0)
			return r;
		if (!is)
			return err_set(
			    ERR_FORMAT, "a boundary of the form is malformed");
		if (++parts > PARTS_MAX)
			return err_set(ERR_LIMIT,
			    "the form has more than %d parts", PARTS_MAX);
		if ((r = read_part(rd)) != 0)
			return r;
	}
	return rd->out->filename != NULL
		   ? 0
		   : err_set(ERR_FORMAT, "the form has no file");
}

int
multipart_read(const struct multipart_io *io, const char *content_type,
    struct multipart *out)
{
	struct reader rd = { .io = io, .out = out, .text = BUF_INIT };
	int r;

	out->fd = -1;
	out->fields = json_object_new_object();
	if ((r = set_mark(&rd, content_type)) != 0)
		return r;
	rd.window = xmalloc(WINDOW);
	r = read_all(&rd);
	free(rd.window);
	buf_fini(&rd.text);
	return r;
}

void
multipart_fini(struct multipart *m)
{
	fd_close(&m->fd);
	free(m->filename);
	json_object_put(m->fields);
	memset(m, 0, sizeof(*m));
	m->fd = -1;
}
