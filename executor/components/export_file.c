/*
 * Files for outside.  Called by writer.c and download.c.
 */
#include "executor/components/export_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/engine/csv.h"
#include "lib/engine/render.h"

#define PIECE ((size_t)256 * 1024)

struct export
{
	struct table_in *in;
	const char *delimiter;
	size_t columns;
	struct buf piece;
	int fd;
	uint64_t rows;
};

static void
put_cell(struct export *x, const char *s, size_t n, bool is_quoted)
{
	size_t i;

	if (!is_quoted &&
	    (n == 0 ||
		(memmem(s, n, x->delimiter, strlen(x->delimiter)) == NULL &&
		    memchr(s, '"', n) == NULL && memchr(s, '\n', n) == NULL &&
		    memchr(s, '\r', n) == NULL))) {
		buf_append(&x->piece, s, n);
		return;
	}
	buf_putc(&x->piece, '"');
	for (i = 0; i < n; i++) {
		if (s[i] == '"')
			buf_putc(&x->piece, '"');
		buf_putc(&x->piece, s[i]);
	}
	buf_putc(&x->piece, '"');
}

/* The platform writes predict_detail with single quotes inside. */
static void
put_detail(struct export *x, struct json_object *v)
{
	const char *s = json_object_get_string(v);
	struct buf text = BUF_INIT;

	for (; *s != '\0'; s++)
		buf_putc(&text, *s == '"' ? '\'' : *s);
	put_cell(x, buf_str(&text), text.len, true);
	buf_fini(&text);
}

enum { PREDICT_DETAIL = 4 }; /* id label result score detail type */

static int
put_row(void *ctx, const struct row *row)
{
	struct export *x = ctx;
	struct json_object *cells, *v;
	size_t i, n;
	int r = 0;

	cells = render_row_json(row, x->in->input->id_delimiter);
	n = json_object_array_length(cells);
	if (n != x->columns)
		r = err_set(ERR_FORMAT,
		    "row %" PRIu64 " has %zu columns, %zu have names",
		    row->number + 1, n, x->columns);
	for (i = 0; r == 0 && i < n; i++) {
		v = json_object_array_get_idx(cells, i);
		if (i > 0)
			buf_puts(&x->piece, x->delimiter);
		if (row->kind == ROW_PREDICT && i == PREDICT_DETAIL)
			put_detail(x, v);
		else if (v != NULL)
			put_cell(x, json_object_get_string(v),
			    strlen(json_object_get_string(v)), false);
	}
	json_object_put(cells);
	buf_putc(&x->piece, '\n');
	x->rows++;
	if (r == 0 && x->piece.len >= PIECE) {
		r = fd_write_all(x->fd, x->piece.data, x->piece.len);
		buf_clear(&x->piece);
	}
	return r;
}

/* Without a head the columns have no names: they get some. */
static int
put_head(struct export *x)
{
	struct json_object *names;
	struct table_cursor *cursor = NULL;
	struct json_object *cells;
	struct row row;
	char name[32];
	size_t i, n;
	int r;

	names = render_columns(x->in->schema.json, x->in->input->id_delimiter);
	x->columns = json_object_array_length(names);
	if ((r = table_scan(x->in->table, 0, 1, &cursor)) == 0 &&
	    (r = cursor_next(cursor, &row)) == 1) {
		cells = render_row_json(&row, x->in->input->id_delimiter);
		n = json_object_array_length(cells);
		json_object_put(cells);
		for (i = x->columns; x->columns <= 1 && i < n; i++) {
			(void)snprintf(name, sizeof(name), "column%zu", i);
			json_object_array_add(names,
			    json_object_new_string(i == 0 ? "id" : name));
		}
		x->columns = json_object_array_length(names);
		r = 0;
	}
	cursor_free(cursor);
	for (i = 0; r == 0 && i < x->columns; i++) {
		const char *s =
		    json_object_get_string(json_object_array_get_idx(names, i));

		if (i > 0)
			buf_puts(&x->piece, x->delimiter);
		put_cell(
		    x, s != NULL ? s : "", s != NULL ? strlen(s) : 0, false);
	}
	buf_putc(&x->piece, '\n');
	json_object_put(names);
	return r;
}

static int
check_delimiter(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > CSV_DELIMITER_MAX || strpbrk(s, "\"\r\n") != NULL)
		return err_set(ERR_INVALID,
		    "delimiter must be 1 to %d bytes without quotes and line "
		    "ends",
		    CSV_DELIMITER_MAX);
	return 0;
}

int
export_file(struct table_in *in, const char *delimiter, uint64_t *rows)
{
	struct export x = { .in = in, .delimiter = delimiter, .fd = -1 };
	int r;

	*rows = 0;
	if ((r = check_delimiter(delimiter)) != 0 ||
	    (r = task_output_file_create(in->task, &x.fd)) != 0 ||
	    (r = put_head(&x)) != 0 ||
	    (r = table_in_each(in, "writing", put_row, &x)) != 0)
		goto out;
	r = fd_write_all(x.fd, buf_str(&x.piece), x.piece.len);
out:
	fd_close(&x.fd);
	buf_fini(&x.piece);
	*rows = x.rows;
	return r == 0 ? task_output_file_finish(in->task, x.rows, delimiter)
		      : r;
}
