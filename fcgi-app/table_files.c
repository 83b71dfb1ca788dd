/*
 * Tables as files.  Called by api_output.c, api_table.c and api_bind.c.
 */
#include "fcgi-app/table_files.h"

#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/data/resolve.h"
#include "lib/engine/render.h"
#include "lib/engine/storage.h"

#define PIECE ((size_t)64 * 1024)

/*
 * One table as CSV, twice: the first pass counts the bytes, for tar wants
 * the size first, the second writes them.  A sealed table does not change
 * between the two.
 */
struct csv_out {
	struct table *table;
	const char *delimiter;
	struct json_object *columns;
	struct archive_out *archive;
	bool head;
	uint64_t rows;
};

/* Counts when a is NULL, else writes whole pieces; *total grows. */
static int
flush(const struct csv_out *csv, struct archive_out *a, struct buf *piece,
    uint64_t *total)
{
	int r;

	*total += piece->len;
	r = a != NULL ? archive_write(a, piece->data, piece->len)
		      : archive_check(csv->archive);
	buf_clear(piece);
	return r;
}

static void
put_header(const struct csv_out *csv, struct buf *piece)
{
	size_t i, n = json_object_array_length(csv->columns);

	for (i = 0; i < n; i++) {
		if (i > 0)
			buf_puts(piece, csv->delimiter);
		buf_puts(
		    piece, json_object_get_string(
			       json_object_array_get_idx(csv->columns, i)));
	}
	buf_putc(piece, '\n');
}

static int
put_rows(const struct csv_out *csv, struct archive_out *a, uint64_t *total)
{
	struct table_cursor *cursor = NULL;
	struct buf piece = BUF_INIT;
	struct row row;
	int r;

	*total = 0;
	if (csv->head)
		put_header(csv, &piece);
	if ((r = table_scan(csv->table, 0, csv->rows, &cursor)) != 0)
		goto out;
	while ((r = cursor_next(cursor, &row)) == 1) {
		render_row_csv(&piece, &row, csv->delimiter);
		buf_putc(&piece, '\n');
		if (piece.len >= PIECE &&
		    (r = flush(csv, a, &piece, total)) != 0)
			goto out;
	}
	if (r == 0)
		r = flush(csv, a, &piece, total);
out:
	cursor_free(cursor);
	buf_fini(&piece);
	return r;
}

static int
add_csv(struct request *req, struct archive_out *a, const char *name,
    const struct csv_out *csv)
{
	const char *member;
	uint64_t size, written;
	int r;

	member = arena_printf(req->arena, "%s.csv", name);
	if ((r = put_rows(csv, NULL, &size)) != 0 ||
	    (r = archive_member(a, member, size)) != 0)
		return r;
	return put_rows(csv, a, &written);
}

static int
add_meta(struct request *req, struct archive_out *a, const char *name,
    const struct csv_out *csv)
{
	struct json_object *o = json_object_new_object();
	const char *text, *member;
	int r;

	json_add(o, "header", json_object_get(csv->columns));
	text = json_object_to_json_string_ext(
	    o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	member = arena_printf(req->arena, "%s.meta", name);
	if ((r = archive_member(a, member, strlen(text))) == 0)
		r = archive_write(a, text, strlen(text));
	json_object_put(o);
	return r;
}

/* Opened through its row: what is not kept here has no folder. */
static int
open_rows(struct request *req, const struct db_table *t, struct table **out)
{
	const struct db_table *own;
	char *path;
	int r;

	if ((r = data_resolve(req->app->db, req->arena, t, &own)) != 0)
		return r;
	path = site_path(req->app->conf, "%s/%s", SITE_TABLES, own->folder);
	r = table_open(&storage_standalone, path, out);
	free(path);
	return r;
}

int
table_files_add(struct request *req, struct archive_out *a,
    const struct db_table *t, const struct table_files_options *options)
{
	struct csv_out csv = { .archive = a, .delimiter = "," };
	struct json_object *schema = view_document(t->schema_json);
	int r;

	csv.head = options->head && t->have_head;
	csv.columns = render_columns(schema, t->id_delimiter);
	if (t->id_delimiter[0] != '\0')
		csv.delimiter = t->id_delimiter;
	if ((r = open_rows(req, t, &csv.table)) != 0)
		goto out;
	csv.rows = table_count(csv.table);
	if (options->limit >= 0 && (uint64_t)options->limit < csv.rows)
		csv.rows = (uint64_t)options->limit;
	if (csv.rows == 0)
		goto out;
	if ((r = add_csv(req, a, options->name, &csv)) == 0)
		r = add_meta(req, a, options->name, &csv);
out:
	table_close(csv.table);
	json_object_put(csv.columns);
	json_object_put(schema);
	return r;
}

/* The rows go after the meta: nobody can open what is being removed. */
void
table_files_remove(struct request *req, const char *folder)
{
	char *path;

	if (folder == NULL || *folder == '\0')
		return;
	path = site_path(req->app->conf, "%s/%s", SITE_TABLES, folder);
	if (table_destroy(&storage_standalone, path) != 0)
		log_err("table %s stays for the sweep", folder);
	free(path);
}
