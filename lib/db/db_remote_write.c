/*
 * Writing rows to a table elsewhere.  Called by shepherds for Writer.
 *
 * Rows go in batches of one statement, values always bound.  The statement
 * of a full batch is prepared once; the last, shorter one is prepared anew.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_remote_private.h"

/* InnoDB takes 1017 columns; a statement 65535 values. */
#define MAX_COLUMNS 1000
#define BATCH_VALUES 4096
#define BATCH_ROWS 256
#define BATCH_BYTES ((size_t)4 << 20)

struct remote_writer {
	struct db_remote *remote;
	char *table;
	char *staging; /* NULL: the table was there */
	char *head;    /* "REPLACE INTO … VALUES " */
	size_t columns;
	size_t batch_rows; /* of a full one */
	MYSQL_STMT *full;

	/* The batch that is being filled. */
	struct buf bytes;
	size_t *offsets; /* SIZE_MAX: NULL */
	unsigned long *lengths;
	MYSQL_BIND *binds;
	size_t rows;
	uint64_t done; /* rows that were sent */
};

static int
stmt_fails(const struct remote_writer *w, MYSQL_STMT *s)
{
	char what[96];

	(void)snprintf(what, sizeof(what), "rows %" PRIu64 " to %" PRIu64,
	    w->done + 1, w->done + w->rows);
	return remote_failed(
	    w->remote, mysql_stmt_errno(s), mysql_stmt_error(s), what);
}

static int
prepare(struct remote_writer *w, size_t rows, MYSQL_STMT **out)
{
	struct buf sql = BUF_INIT;
	MYSQL_STMT *s;
	size_t i, j;
	int e = 0;

	*out = NULL;
	buf_puts(&sql, w->head);
	for (i = 0; i < rows; i++) {
		buf_puts(&sql, i > 0 ? ", (" : "(");
		for (j = 0; j < w->columns; j++)
			buf_puts(&sql, j > 0 ? ", ?" : "?");
		buf_putc(&sql, ')');
	}
	if ((s = mysql_stmt_init(w->remote->my)) == NULL)
		e = err_set(ERR_NOMEM, "client library");
	else if (mysql_stmt_prepare(s, buf_str(&sql), sql.len) != 0)
		e = stmt_fails(w, s);
	if (e != 0 && s != NULL)
		(void)mysql_stmt_close(s);
	else
		*out = s;
	buf_fini(&sql);
	return e;
}

static int
execute(struct remote_writer *w, MYSQL_STMT *s)
{
	static my_bool is_null = 1;
	size_t i, n = w->rows * w->columns;

	memset(w->binds, 0, n * sizeof(*w->binds));
	for (i = 0; i < n; i++) {
		MYSQL_BIND *b = &w->binds[i];

		b->buffer_type = MYSQL_TYPE_STRING;
		if (w->offsets[i] == SIZE_MAX) {
			b->is_null = &is_null;
			continue;
		}
		b->buffer =
		    (char *)(uintptr_t)buf_str(&w->bytes) + w->offsets[i];
		b->buffer_length = w->lengths[i];
		b->length = &w->lengths[i];
	}
	if (mysql_stmt_bind_param(s, w->binds) != 0 ||
	    mysql_stmt_execute(s) != 0)
		return stmt_fails(w, s);
	return 0;
}

static int
flush(struct remote_writer *w)
{
	MYSQL_STMT *s = NULL;
	int e = 0;

	if (w->rows == 0)
		return 0;
	if (w->rows == w->batch_rows) {
		if (w->full == NULL)
			e = prepare(w, w->rows, &w->full);
		if (e == 0)
			e = execute(w, w->full);
	} else {
		if ((e = prepare(w, w->rows, &s)) == 0) {
			e = execute(w, s);
			(void)mysql_stmt_close(s);
		}
	}
	w->done += w->rows;
	w->rows = 0;
	buf_clear(&w->bytes);
	return e;
}

int
db_remote_write_row(struct remote_writer *w, const struct remote_value *values)
{
	size_t i, at = w->rows * w->columns;

	for (i = 0; i < w->columns; i++) {
		w->offsets[at + i] =
		    values[i].data != NULL ? w->bytes.len : SIZE_MAX;
		w->lengths[at + i] = values[i].len;
		if (values[i].data != NULL)
			buf_append(&w->bytes, values[i].data, values[i].len);
	}
	w->rows++;
	return w->rows == w->batch_rows || w->bytes.len >= BATCH_BYTES
		   ? flush(w)
		   : 0;
}

/* --- begin and end ----------------------------------------------------------- */

static int
run_named(struct db_remote *r, const char *before, const char *name,
    const char *between, const char *second)
{
	struct buf sql = BUF_INIT;
	int e;

	buf_puts(&sql, before);
	remote_put_name(&sql, name);
	buf_puts(&sql, between);
	if (second != NULL)
		remote_put_name(&sql, second);
	e = remote_run_buf(r, &sql, name);
	buf_fini(&sql);
	return e;
}

static int
make_staging(
    struct db_remote *r, const char *name, const char *const *columns, size_t n)
{
	struct buf sql = BUF_INIT;
	size_t i;
	int e;

	if ((e = run_named(r, "DROP TABLE IF EXISTS ", name, "", NULL)) != 0)
		return e;
	buf_puts(&sql, "CREATE TABLE ");
	remote_put_name(&sql, name);
	buf_puts(&sql, " (");
	remote_put_name(&sql, columns[0]);
	/* Four bytes a character at most: 3072 are the limit of a key. */
	buf_puts(&sql, " VARCHAR(511) NOT NULL");
	for (i = 1; i < n; i++) {
		buf_puts(&sql, ", ");
		remote_put_name(&sql, columns[i]);
		buf_puts(&sql, " LONGTEXT NULL");
	}
	buf_puts(&sql, ", PRIMARY KEY (");
	remote_put_name(&sql, columns[0]);
	buf_puts(&sql, ")) ENGINE=InnoDB ROW_FORMAT=DYNAMIC"
		       " DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin");
	e = remote_run_buf(r, &sql, name);
	buf_fini(&sql);
	return e;
}

/* The table that is there must have every column that is written. */
static int
check_columns(struct db_remote *r, const char *table,
    const char *const *columns, size_t n, bool *is_there)
{
	struct arena *a = arena_new();
	const char *const *have;
	size_t n_have, i, j;
	int e;

	e = db_remote_columns(r, table, a, &have, &n_have);
	*is_there = e == 0;
	if (e == ERR_NOT_FOUND)
		e = 0;
	for (i = 0; e == 0 && *is_there && i < n; i++) {
		/* Names of columns do not mind the case. */
		for (j = 0; j < n_have && strcasecmp(have[j], columns[i]) != 0;
		     j++)
			;
		if (j == n_have)
			e = err_set(ERR_NOT_FOUND,
			    "%s: the table %s has no column '%s'", r->where,
			    table, columns[i]);
	}
	arena_free(a);
	return e;
}

static int
check_names(const char *table, const char *const *columns, size_t n,
    const char *staging)
{
	size_t i;
	int e;

	if (n == 0 || n > MAX_COLUMNS)
		return err_set(ERR_INVALID,
		    "a table of %zu columns, 1 to %d can be written", n,
		    MAX_COLUMNS);
	if ((e = remote_check_name("table", table)) != 0 ||
	    (e = remote_check_name("table", staging)) != 0)
		return e;
	for (i = 0; i < n; i++)
		if ((e = remote_check_name("column", columns[i])) != 0)
			return e;
	return 0;
}

static void
fill(struct remote_writer *w, const char *into, const char *const *columns,
    size_t n)
{
	struct buf head = BUF_INIT;

	buf_puts(&head, w->staging != NULL ? "INSERT INTO " : "REPLACE INTO ");
	remote_put_name(&head, into);
	buf_puts(&head, " (");
	remote_put_names(&head, columns, n);
	buf_puts(&head, ") VALUES ");
	w->head = buf_steal(&head);
	w->columns = n;
	w->batch_rows = BATCH_VALUES / n;
	if (w->batch_rows > BATCH_ROWS)
		w->batch_rows = BATCH_ROWS;
	n *= w->batch_rows;
	w->offsets = xcalloc(n, sizeof(*w->offsets));
	w->lengths = xcalloc(n, sizeof(*w->lengths));
	w->binds = xcalloc(n, sizeof(*w->binds));
}

int
db_remote_write_begin(struct db_remote *r, const char *table,
    const char *const *columns, size_t n, const char *staging,
    struct remote_writer **out)
{
	static const char begin[] = "START TRANSACTION";
	struct remote_writer *w;
	bool is_there = false;
	int e;

	*out = NULL;
	if ((e = check_names(table, columns, n, staging)) != 0 ||
	    (e = check_columns(r, table, columns, n, &is_there)) != 0 ||
	    (!is_there && (e = make_staging(r, staging, columns, n)) != 0) ||
	    (e = remote_run(r, begin, strlen(begin), "begin")) != 0)
		return e;
	w = xcalloc(1, sizeof(*w));
	w->remote = r;
	w->table = xstrdup(table);
	w->staging = is_there ? NULL : xstrdup(staging);
	fill(w, is_there ? table : staging, columns, n);
	*out = w;
	return 0;
}

static void
writer_free(struct remote_writer *w)
{
	if (w->full != NULL)
		(void)mysql_stmt_close(w->full);
	buf_fini(&w->bytes);
	free(w->offsets);
	free(w->lengths);
	free(w->binds);
	free(w->table);
	free(w->staging);
	free(w->head);
	free(w);
}

int
db_remote_write_end(struct remote_writer *w)
{
	static const char commit[] = "COMMIT";
	int e;

	if ((e = flush(w)) != 0 ||
	    (e = remote_run(w->remote, commit, strlen(commit), "commit")) !=
		0 ||
	    (w->staging != NULL && (e = run_named(w->remote, "RENAME TABLE ",
					w->staging, " TO ", w->table)) != 0)) {
		db_remote_write_abort(w);
		return e;
	}
	writer_free(w);
	return 0;
}

/* The error that brought us here stays the recorded one. */
void
db_remote_write_abort(struct remote_writer *w)
{
	if (w == NULL)
		return;
	/* Without an answer the server rolls back when the link is closed. */
	(void)mysql_rollback(w->remote->my);
	if (w->staging != NULL) {
		struct buf sql = BUF_INIT;

		buf_puts(&sql, "DROP TABLE IF EXISTS ");
		remote_put_name(&sql, w->staging);
		(void)mysql_real_query(w->remote->my, buf_str(&sql), sql.len);
		buf_fini(&sql);
	}
	writer_free(w);
}
