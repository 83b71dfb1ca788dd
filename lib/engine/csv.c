/*
 * The reader of delimited text.  Called by Upload, whose file comes from
 * anybody, and by DataTransform to cut rows into cells.
 *
 * Line ends are found with memchr(), and the position of the next LF and CR
 * is remembered, so that no byte of a file is looked at twice for that.
 */
#include "lib/engine/csv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

enum { READ_SIZE = 1 << 20 };

struct csv {
	int fd;
	char delimiter[CSV_DELIMITER_MAX + 1];
	size_t delimiter_len;
	bool is_quoted;
	size_t line_max;

	char *data;
	size_t cap;
	size_t begin;	/* first byte not yet given */
	size_t end;	/* bytes in data */
	bool is_at_end; /* the file has no more */
	/* Next LF and CR at or after begin; end when there is none so far. */
	size_t lf;
	size_t cr;

	uint64_t bytes;
	uint64_t number; /* of the line given last */
	uint64_t inner;	 /* line ends inside its quotes */

	struct span *fields;
	size_t fields_cap;
	struct buf unquoted;
};

int
csv_delimiter_check(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > CSV_DELIMITER_MAX)
		return err_set(ERR_INVALID,
		    "a delimiter has 1 to %d bytes, "
		    "not %zu",
		    CSV_DELIMITER_MAX, n);
	if (strpbrk(s, "\r\n") != NULL)
		return err_set(ERR_INVALID, "a line end cannot be a delimiter");
	return 0;
}

int
csv_open(int fd, const struct csv_options *options, struct csv **out)
{
	size_t n = strlen(options->delimiter);
	struct csv *c;
	int r;

	*out = NULL;
	if ((r = csv_delimiter_check(options->delimiter)) != 0)
		return r;
	c = xcalloc(1, sizeof(*c));
	c->fd = fd;
	memcpy(c->delimiter, options->delimiter, n + 1);
	c->delimiter_len = n;
	c->is_quoted = options->is_quoted;
	c->line_max = options->line_max != 0 ? options->line_max : CSV_LINE_MAX;
	c->cap = READ_SIZE;
	c->data = xmalloc(c->cap);
	*out = c;
	return 0;
}

void
csv_free(struct csv *c)
{
	if (c == NULL)
		return;
	buf_fini(&c->unquoted);
	free(c->fields);
	free(c->data);
	free(c);
}

uint64_t
csv_line_number(const struct csv *c)
{
	return c->number;
}

uint64_t
csv_bytes(const struct csv *c)
{
	return c->bytes;
}

/* Make room behind the unfinished line and read on. */
static int
fill(struct csv *c)
{
	size_t kept = c->end - c->begin;
	ssize_t n;

	if (kept > c->line_max)
		return err_set(ERR_LIMIT,
		    "line %" PRIu64 " is longer than %zu "
		    "bytes; is this a text file?",
		    c->number + 1, c->line_max);
	if (c->begin > 0) {
		memmove(c->data, c->data + c->begin, kept);
		/* Places behind us mean nothing: 0 makes them looked up. */
		c->lf = c->lf < c->begin ? 0 : c->lf - c->begin;
		c->cr = c->cr < c->begin ? 0 : c->cr - c->begin;
		c->begin = 0;
		c->end = kept;
	}
	if (c->cap - c->end < READ_SIZE / 2) {
		c->cap *= 2;
		c->data = xrealloc(c->data, c->cap);
	}
	do
		n = read(c->fd, c->data + c->end, c->cap - c->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set_errno(
		    ERR_IO, "read after line %" PRIu64, c->number);
	c->is_at_end = n == 0;
	/* What ended nowhere so far may end in the new bytes. */
	c->end += (size_t)n;
	return 0;
}

static size_t
find(const struct csv *c, size_t from, char what)
{
	const char *p;

	if (from >= c->end)
		return c->end;
	p = memchr(c->data + from, what, c->end - from);
	return p != NULL ? (size_t)(p - c->data) : c->end;
}

/* Where the line that begins at begin ends, looking from `from` on. */
static size_t
line_end(struct csv *c, size_t from)
{
	if (c->lf < from || (c->lf < c->end && c->data[c->lf] != '\n'))
		c->lf = find(c, from, '\n');
	if (c->cr < from || (c->cr < c->end && c->data[c->cr] != '\r'))
		c->cr = find(c, from, '\r');
	return c->lf < c->cr ? c->lf : c->cr;
}

/*
 * With quotes: does an odd number of them stand before `end`?  Then the line
 * goes on.  *scanned keeps what was counted, so that long fields stay linear.
 */
static bool
is_open(const struct csv *c, size_t end, size_t *scanned, bool *open)
{
	const char *p;

	while (*scanned < end) {
		p = memchr(c->data + *scanned, '"', end - *scanned);
		if (p == NULL) {
			*scanned = end;
			break;
		}
		*open = !*open;
		*scanned = (size_t)(p - c->data) + 1;
	}
	return *open;
}

/* Eight bytes at a time: is there a NUL or a byte beyond ASCII? */
static bool
is_plain(const char *p, size_t n)
{
	const uint64_t low = 0x0101010101010101u, high = low << 7;
	uint64_t w;

	for (; n >= sizeof(w); p += sizeof(w), n -= sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		/* w - low borrows into the high bit of a zero byte. */
		if (((w | (w - low)) & high) != 0)
			return false;
	}
	for (; n > 0; p++, n--)
		if ((signed char)*p <= 0)
			return false;
	return true;
}

/* Number of the first field that is not UTF-8, from 1. */
static size_t
bad_column(const struct csv *c, struct span line)
{
	const char *p = line.data, *end = line.data + line.len, *q;
	size_t column = 1;

	while ((q = memmem(p, (size_t)(end - p), c->delimiter,
		    c->delimiter_len)) != NULL &&
	       str_is_utf8(p, (size_t)(q - p))) {
		p = q + c->delimiter_len;
		column++;
	}
	return column;
}

static int
check_text(const struct csv *c, struct span line)
{
	if (is_plain(line.data, line.len))
		return 0;
	if (memchr(line.data, '\0', line.len) != NULL)
		return err_set(ERR_FORMAT,
		    "line %" PRIu64 " contains a NUL "
		    "byte; is this a text file?",
		    c->number);
	if (!str_is_utf8(line.data, line.len))
		return err_set(ERR_FORMAT,
		    "line %" PRIu64 ", column %zu is not UTF-8; convert the "
		    "file to UTF-8 (iconv does)",
		    c->number, bad_column(c, line));
	return 0;
}

static void
skip_mark(struct csv *c)
{
	if (c->end - c->begin >= 3 &&
	    memcmp(c->data + c->begin, "\xef\xbb\xbf", 3) == 0) {
		c->begin += 3;
		c->bytes += 3;
	}
}

/* Give [begin, end), step over its line end. */
static int
give(struct csv *c, size_t end, size_t ending, struct span *out)
{
	*out = (struct span){ c->data + c->begin, end - c->begin };
	c->bytes += end + ending - c->begin;
	c->begin = end + ending;
	c->number += 1 + c->inner;
	c->inner = 0;
	if (out->len > c->line_max)
		return err_set(ERR_LIMIT,
		    "line %" PRIu64 " is longer than %zu "
		    "bytes; is this a text file?",
		    c->number, c->line_max);
	return check_text(c, *out) == 0 ? 1 : err_code();
}

int
csv_line(struct csv *c, struct span *out)
{
	size_t from = c->begin, scanned = c->begin, end, shift;
	bool open = false, is_crlf;
	int r;

	for (;;) {
		end = line_end(c, from);
		/* A CR at the end of what is here may be half of CR LF. */
		if ((end >= c->end ||
			(c->data[end] == '\r' && end + 1 == c->end)) &&
		    !c->is_at_end) {
			shift = c->begin;
			if ((r = fill(c)) != 0)
				return r;
			from -= shift;
			scanned -= shift;
			if (c->number == 0 && c->bytes == 0) {
				shift = c->begin;
				skip_mark(c);
				from += c->begin - shift;
				scanned += c->begin - shift;
			}
			continue;
		}
		if (end >= c->end)
			break;
		is_crlf = c->data[end] == '\r' && end + 1 < c->end &&
			  c->data[end + 1] == '\n';
		if (c->is_quoted && is_open(c, end, &scanned, &open)) {
			from = end + 1 + is_crlf;
			c->inner++;
			continue;
		}
		return give(c, end, (size_t)1 + is_crlf, out);
	}
	if (c->is_quoted && is_open(c, c->end, &scanned, &open))
		return err_set(ERR_FORMAT,
		    "line %" PRIu64 ": a double quote "
		    "is never closed",
		    c->number + 1);
	if (c->begin == c->end)
		return 0;
	return give(c, c->end, 0, out);
}

static void
add_field(struct csv *c, size_t n, struct span field)
{
	if (n == c->fields_cap) {
		c->fields_cap = c->fields_cap != 0 ? 2 * c->fields_cap : 64;
		c->fields =
		    xrealloc(c->fields, c->fields_cap * sizeof(c->fields[0]));
	}
	c->fields[n] = field;
}

static const char *
find_delimiter(const char *delimiter, size_t len, const char *p, size_t n)
{
	return len == 1 ? memchr(p, delimiter[0], n)
			: memmem(p, n, delimiter, len);
}

/*
 * A field in quotes: its text without them goes to unquoted.  Returns where
 * the field ends, which is a delimiter or the end of the line.
 */
static const char *
unquote(struct csv *c, const char *p, const char *end, struct span *field)
{
	size_t start = c->unquoted.len;
	const char *q;

	for (p++; p < end; p = q + 2) {
		q = memchr(p, '"', (size_t)(end - p));
		if (q == NULL)
			q = end;
		buf_append(&c->unquoted, p, (size_t)(q - p));
		if (q + 1 >= end || q[1] != '"') {
			p = q < end ? q + 1 : end;
			break;
		}
		buf_putc(&c->unquoted, '"');
	}
	if (p > end)
		p = end;
	/* Text between the closing quote and the delimiter is kept as is. */
	q = find_delimiter(
	    c->delimiter, c->delimiter_len, p, (size_t)(end - p));
	if (q == NULL)
		q = end;
	buf_append(&c->unquoted, p, (size_t)(q - p));
	*field =
	    (struct span){ c->unquoted.data + start, c->unquoted.len - start };
	return q;
}

int
csv_split(
    struct csv *c, struct span line, const struct span **fields, size_t *n)
{
	const char *p = line.data, *end = line.data + line.len, *q;
	struct span field;

	*n = 0;
	buf_clear(&c->unquoted);
	if (c->is_quoted) /* fields must not move while we add them */
		(void)buf_reserve(&c->unquoted, line.len + 1);
	for (;;) {
		if (c->is_quoted && p < end && *p == '"') {
			q = unquote(c, p, end, &field);
		} else {
			q = p < end
				? find_delimiter(c->delimiter, c->delimiter_len,
				      p, (size_t)(end - p))
				: NULL;
			if (q == NULL)
				q = end;
			field = (struct span){ p, (size_t)(q - p) };
		}
		add_field(c, (*n)++, field);
		if (q == end)
			break;
		p = q + c->delimiter_len;
	}
	*fields = c->fields;
	return 0;
}

size_t
csv_count(const char *delimiter, struct span text)
{
	size_t len = strlen(delimiter), n = 1;
	const char *p = text.data, *end = text.data + text.len;

	while (p < end && (p = find_delimiter(
			       delimiter, len, p, (size_t)(end - p))) != NULL) {
		p += len;
		n++;
	}
	return n;
}

struct span
span_trim(struct span s)
{
	while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
		s.data++;
		s.len--;
	}
	while (s.len > 0 &&
	       (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return s;
}
