/*
 * Headers of uploaded files.  Called by upload.c.
 */
#include "executor/components/upload_head.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/engine/cell.h"
#include "lib/engine/csv.h"
#include "lib/engine/storage.h"

enum { NAMES_SHOWN = 10, NAME_SHOWN = 64 };

struct name {
	struct span text;
	size_t at;
};

/* Bytes of a name that are shown; no character is cut in two. */
static int
shown(struct span name)
{
	size_t n = name.len < NAME_SHOWN ? name.len : NAME_SHOWN;

	while (n > 0 && n < name.len && (name.data[n] & 0xc0) == 0x80)
		n--;
	return (int)n;
}

static int
compare_text(const struct span *a, const struct span *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int c = n > 0 ? memcmp(a->data, b->data, n) : 0;

	if (c != 0)
		return c;
	return a->len < b->len ? -1 : a->len > b->len;
}

static int
compare_names(const void *p, const void *q)
{
	const struct name *a = p, *b = q;
	int c = compare_text(&a->text, &b->text);

	if (c != 0)
		return c;
	return a->at < b->at ? -1 : a->at > b->at;
}

/* A single column whose name looks like several. */
static int
check_delimiter(const struct upload_format *f, struct span line)
{
	static const struct {
		char c;
		const char *name;
	} others[] = { { ';', "\";\"" }, { '\t', "a tab" }, { '|', "\"|\"" },
		{ ',', "\",\"" } };
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (memchr(line.data, others[i].c, line.len) != NULL)
			return err_set(ERR_INVALID,
			    "the header is a single column and contains %s; "
			    "if that stands between the columns, set %s to "
			    "it (it is \"%s\" now)",
			    others[i].name, f->delimiter_name, f->delimiter);
	return 0;
}

static int
check_named(const struct span *cells, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (cells[i].len == 0)
			return err_set(ERR_INVALID,
			    "column %zu of the header has no name; %s", i + 1,
			    i == 0 ? "it is the id and needs one, such as id"
				   : "give every column a name of its own, "
				     "or remove the column");
	return 0;
}

static int
check_unique(const struct span *cells, size_t n)
{
	struct name *names = mem_array(n, sizeof(*names));
	size_t i;
	int r = 0;

	if (names == NULL)
		return err_code();
	for (i = 0; i < n; i++)
		names[i] = (struct name){ cells[i], i };
	qsort(names, n, sizeof(*names), compare_names);
	for (i = 1; i < n && r == 0; i++) {
		const struct name *a = &names[i - 1], *b = &names[i];

		if (compare_text(&a->text, &b->text) == 0)
			r = err_set(ERR_INVALID,
			    "columns %zu and %zu of the header have the same "
			    "name, %.*s; give every column a name of its own",
			    a->at + 1, b->at + 1, shown(a->text), a->text.data);
	}
	free(names);
	return r;
}

static void
join(const struct span *cells, size_t n, const char *delimiter, struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_puts(out, delimiter);
		buf_append(out, cells[i].data, cells[i].len);
	}
}

int
upload_head_check(
    const struct upload_format *f, struct span line, struct buf *out)
{
	size_t n = csv_count(f->delimiter, line);
	struct span *cells;
	int r;

	if ((r = upload_check_quotes(f, "the header", line)) != 0)
		return r;
	if (n == 1 && (r = check_delimiter(f, line)) != 0)
		return r;
	if (n > STORAGE_VALUES_MAX)
		return err_set(ERR_INVALID,
		    "the header has %zu columns, at most %d are possible", n,
		    STORAGE_VALUES_MAX);
	if ((cells = mem_array(n, sizeof(*cells))) == NULL)
		return err_code();
	(void)cell_split(line, f->delimiter, cells, n);
	if ((r = check_named(cells, n)) == 0 &&
	    (r = check_unique(cells, n)) == 0)
		join(cells, n, f->delimiter, out);
	free(cells);
	return r;
}

int
upload_check_quotes(
    const struct upload_format *f, const char *what, struct span line)
{
	size_t len = strlen(f->delimiter), column = 1;
	const char *p = line.data, *end = line.data + line.len;
	struct span field;

	for (;; column++) {
		field = span_trim((struct span){ p, (size_t)(end - p) });
		if (field.len > 0 && field.data[0] == '"')
			return err_set(ERR_FORMAT,
			    "%s, column %zu begins with a double quote; "
			    "quotes are not supported: write names and "
			    "values without, the delimiter may not stand "
			    "inside a field",
			    what, column);
		p = memmem(p, (size_t)(end - p), f->delimiter, len);
		if (p == NULL)
			return 0;
		p += len;
	}
}

void
upload_head_names(
    const struct upload_format *f, const char *header, struct buf *out)
{
	struct span text = { header, strlen(header) };
	struct span cells[NAMES_SHOWN];
	size_t n, i, all;

	if (text.len == 0)
		return;
	all = cell_split(text, f->delimiter, cells, NAMES_SHOWN);
	n = all < NAMES_SHOWN ? all : NAMES_SHOWN;
	for (i = 0; i < n; i++)
		buf_printf(out, "%s%.*s", i > 0 ? "," : "", shown(cells[i]),
		    cells[i].data);
	if (all > n)
		buf_puts(out, ",…");
}
