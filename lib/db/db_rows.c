/*
 * Filling structs from result rows by their shapes.  Called by the stores.
 */
#include "lib/db/db_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/model/state.h"

struct collect {
	const struct db_stmt *stmt;
	const struct db_shape *shape;
	struct arena *arena;
	char *rows; /* malloc'ed while growing */
	size_t n;
	size_t cap;
};

static int
fill_str(
    const struct db_row *row, unsigned col, struct arena *a, const char **out)
{
	const char *s;
	size_t len;

	s = db_row_blob(row, col, &len);
	*out = s != NULL ? arena_strndup(a, s, len) : NULL;
	return 0;
}

static int
fill_state(const struct db_row *row, unsigned col, enum state *out)
{
	const char *s = db_row_str(row, col);

	return state_parse(s != NULL ? s : "", out);
}

static int
fill_bin(const struct db_row *row, unsigned col, void *out)
{
	const void *data;
	size_t len;

	data = db_row_blob(row, col, &len);
	if (data == NULL || len != DB_BIN_SIZE)
		return err_set(ERR_FORMAT, "binary column of %zu bytes", len);
	memcpy(out, data, DB_BIN_SIZE);
	return 0;
}

static int
fill(const struct db_row *row, unsigned col, enum db_type type, struct arena *a,
    void *field)
{
	switch (type) {
	case DB_STR:
		return fill_str(row, col, a, field);
	case DB_INT:
	case DB_MS:
		*(int64_t *)field = db_row_int(row, col);
		return 0;
	case DB_BOOL:
		*(bool *)field = db_row_int(row, col) != 0;
		return 0;
	case DB_DBL:
		*(double *)field =
		    db_row_is_null(row, col) ? NAN : db_row_double(row, col);
		return 0;
	case DB_STATE:
		return fill_state(row, col, field);
	case DB_BIN:
		return fill_bin(row, col, field);
	}
	return err_set(ERR_INTERNAL, "column type %d", (int)type);
}

static int
collect_row(const struct db_row *row, void *ctx)
{
	struct collect *c = ctx;
	const struct db_shape *s = c->shape;
	char *item, *bigger;
	int r;

	if (db_row_columns(row) != s->ncols + 1)
		return err_set(ERR_INTERNAL, "%s: %u columns for %zu fields",
		    c->stmt->name, db_row_columns(row), s->ncols);
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 8 : c->cap * 2;
		if ((bigger = realloc(c->rows, c->cap * s->size)) == NULL)
			return err_set(
			    ERR_NOMEM, "%s: %zu rows", c->stmt->name, c->n);
		c->rows = bigger;
	}
	item = c->rows + c->n * s->size;
	memset(item, 0, s->size);
	for (size_t i = 0; i < s->ncols; i++) {
		if ((r = fill(row, (unsigned)i + 1, s->cols[i].type, c->arena,
			 item + s->cols[i].offset)) != 0)
			return err_wrap("%s", c->stmt->name);
	}
	c->n++;
	return 0;
}

static int
collect_v(struct db *db, const struct db_stmt *stmt,
    const struct db_shape *shape, struct arena *a, void **rows, size_t *n,
    va_list ap)
{
	struct collect c = { .stmt = stmt, .shape = shape, .arena = a };
	int r;

	*rows = NULL;
	*n = 0;
	if ((r = db_query_v(db, stmt, collect_row, &c, NULL, ap)) == 0 &&
	    c.n > 0) {
		*rows = arena_alloc(a, c.n * shape->size);
		memcpy(*rows, c.rows, c.n * shape->size);
		*n = c.n;
	}
	free(c.rows);
	return r;
}

int
db_select(struct db *db, const struct db_stmt *stmt,
    const struct db_shape *shape, struct arena *a, void *rows, size_t *n, ...)
{
	va_list ap;
	int r;

	va_start(ap, n);
	r = collect_v(db, stmt, shape, a, rows, n, ap);
	va_end(ap);
	return r;
}

int
db_select_one(struct db *db, const struct db_stmt *stmt,
    const struct db_shape *shape, struct arena *a, void *row, ...)
{
	va_list ap;
	size_t n;
	int r;

	va_start(ap, row);
	r = collect_v(db, stmt, shape, a, row, &n, ap);
	va_end(ap);
	if (r == 0 && n == 0)
		return err_set(ERR_NOT_FOUND, "%s: no row", stmt->name);
	return r;
}
