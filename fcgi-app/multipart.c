/*
 * The scanner of multipart bodies.  Called by api_data.c.
 *
 * A body is  --B CRLF headers CRLF CRLF content  CRLF--B CRLF …  CRLF--B--.
 * The scanner looks for "CRLF--B" through a window that moves over the file;
 * the body is treated as if a CRLF stood before its first byte, so that the
 * first boundary is like the others.
 */
#include "fcgi-app/multipart.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define WINDOW ((size_t)256 * 1024)
#define BOUNDARY_MAX 70 /* RFC 2046, 5.1.1 */
#define HEADERS_MAX 8192
#define FIELD_MAX ((uint64_t)64 * 1024)
#define PARTS_MAX 64

struct scan {
	int fd;
	uint64_t size;
	char mark[BOUNDARY_MAX + 5]; /* CRLF--B */
	size_t mark_len;
	char *window;
	struct multipart *out;
	bool have_file;
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
set_mark(struct scan *sc, const char *content_type)
{
	char *b = parameter(content_type, "boundary");
	size_t len = b == NULL ? 0 : strlen(b);

	if (len == 0 || len > BOUNDARY_MAX) {
		free(b);
		return err_set(ERR_FORMAT, "the multipart body has no usable "
					   "boundary");
	}
	memcpy(sc->mark, "\r\n--", 4);
	memcpy(sc->mark + 4, b, len);
	sc->mark_len = len + 4;
	free(b);
	return 0;
}

/* --- the file --------------------------------------------------------------- */

static int
read_at(struct scan *sc, uint64_t at, char *data, size_t want, size_t *got)
{
	ssize_t n;

	*got = 0;
	while (*got < want) {
		n = pread(sc->fd, data + *got, want - *got, (off_t)(at + *got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(ERR_IO, "spooled body");
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return 0;
}

/* Where the next mark begins, from `from` on; ERR_FORMAT: nowhere. */
static int
find_mark(struct scan *sc, uint64_t from, uint64_t *at)
{
	const char *hit;
	uint64_t pos = from;
	size_t n;
	int r;

	while (pos < sc->size) {
		if ((r = read_at(sc, pos, sc->window, WINDOW, &n)) != 0)
			return r;
		hit = memmem(sc->window, n, sc->mark, sc->mark_len);
		if (hit != NULL) {
			*at = pos + (uint64_t)(hit - sc->window);
			return 0;
		}
		if (n < WINDOW)
			break;
		/* The mark may straddle two windows. */
		pos += n - (sc->mark_len - 1);
	}
	return err_set(ERR_FORMAT, "the multipart body ends without its last "
				   "boundary");
}

static int
take_file(struct scan *sc, char *filename, uint64_t begin, uint64_t end)
{
	if (sc->have_file) {
		free(filename);
		return err_set(ERR_FORMAT, "the form has more than one file");
	}
	sc->have_file = true;
	sc->out->offset = begin;
	sc->out->len = end - begin;
	sc->out->filename = filename;
	return 0;
}

static int
take_field(struct scan *sc, const char *name, uint64_t begin, uint64_t end)
{
	char *text;
	size_t n;
	int r;

	if (end - begin > FIELD_MAX)
		return err_set(ERR_LIMIT, "form field %.60s is too much", name);
	text = xcalloc(1, (size_t)(end - begin) + 1);
	r = read_at(sc, begin, text, (size_t)(end - begin), &n);
	if (r == 0 && (strlen(text) != n || !str_is_utf8(text, n)))
		r = err_set(ERR_FORMAT, "form field %.60s is no text", name);
	if (r == 0)
		json_add_str(sc->out->fields, name, text);
	free(text);
	return r;
}

static int
take_part(
    struct scan *sc, const char *disposition, uint64_t begin, uint64_t end)
{
	char *name = parameter(disposition, "name");
	char *filename = parameter(disposition, "filename");
	int r;

	if (name == NULL || !str_is_utf8(name, strlen(name))) {
		free(filename);
		r = err_set(ERR_FORMAT, "a part of the form has no name");
	} else if (filename != NULL) {
		r = take_file(sc, filename, begin, end);
	} else {
		r = take_field(sc, name, begin, end);
	}
	free(name);
	return r;
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

/*
 * One part whose headers begin at `at`; *next is where the mark behind its
 * content begins.
 */
static int
scan_part(struct scan *sc, uint64_t at, uint64_t *next)
{
	char headers[HEADERS_MAX + 1], *end, *line;
	size_t n;
	uint64_t begin;
	int r;

	if ((r = read_at(sc, at, headers, HEADERS_MAX, &n)) != 0)
		return r;
	headers[n] = '\0';
	end = memmem(headers, n, "\r\n\r\n", 4);
	if (end == NULL)
		return err_set(n == HEADERS_MAX ? ERR_LIMIT : ERR_FORMAT,
		    "the headers of a part have no end");
	end[2] = '\0';
	begin = at + (uint64_t)(end - headers) + 4;
	/* An empty content shares its CRLF with the end of the headers. */
	if ((r = find_mark(sc, begin - 2, next)) != 0)
		return r;
	line = disposition(headers);
	if (line == NULL)
		r = err_set(ERR_FORMAT,
		    "a part of the form has no Content-Disposition");
	else
		r = take_part(sc, line, begin, *next < begin ? begin : *next);
	free(line);
	return r;
}

static int
scan_all(struct scan *sc)
{
	char tail[2];
	uint64_t at;
	size_t n;
	int parts = 0;
	int r;

	/* The first boundary stands at the very beginning, without CRLF. */
	if ((r = read_at(sc, 0, sc->window, sc->mark_len - 2, &n)) != 0)
		return r;
	if (n != sc->mark_len - 2 || memcmp(sc->window, sc->mark + 2, n) != 0)
		return err_set(ERR_FORMAT,
		    "the multipart body does not begin with its boundary");
	at = n;
	for (;;) {
		if ((r = read_at(sc, at, tail, 2, &n)) != 0)
			return r;
		if (n == 2 && memcmp(tail, "--", 2) == 0)
			break;
		if (n != 2 || memcmp(tail, "\r\n", 2) != 0)
			return err_set(
			    ERR_FORMAT, "a boundary of the form is malformed");
		/* Each costs a window's reading, however small it is. */
		if (++parts > PARTS_MAX)
			return err_set(ERR_LIMIT,
			    "the form has more than %d parts", PARTS_MAX);
		if ((r = scan_part(sc, at + 2, &at)) != 0)
			return r;
		at += sc->mark_len;
	}
	return sc->have_file ? 0 : err_set(ERR_FORMAT, "the form has no file");
}

int
multipart_scan(
    int fd, uint64_t size, const char *content_type, struct multipart *out)
{
	struct scan sc = { .fd = fd, .size = size, .out = out };
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = set_mark(&sc, content_type)) != 0)
		return r;
	out->fields = json_object_new_object();
	sc.window = xmalloc(WINDOW);
	if ((r = scan_all(&sc)) != 0)
		multipart_fini(out);
	free(sc.window);
	return r;
}

void
multipart_fini(struct multipart *m)
{
	free(m->filename);
	json_object_put(m->fields);
	memset(m, 0, sizeof(*m));
}
