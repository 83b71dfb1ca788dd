/*
 * Rows and their columns.  Called by db_stmt.c and the stores.
 */
#include "lib/db/db_stmt_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db_rows.h"

#define CELL_START 256	     /* most texts fit; longer ones are refetched */
#define CELL_KEEP (64 << 10) /* buffers above this are given back */

/* How a column of the server's type is fetched. */
static enum enum_field_types
fetch_type(const MYSQL_FIELD *f)
{
	switch (f->type) {
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_LONGLONG:
	case MYSQL_TYPE_YEAR:
		return MYSQL_TYPE_LONGLONG;
	case MYSQL_TYPE_FLOAT:
	case MYSQL_TYPE_DOUBLE:
	case MYSQL_TYPE_DECIMAL:
	case MYSQL_TYPE_NEWDECIMAL:
		return MYSQL_TYPE_DOUBLE;
	default:
		return MYSQL_TYPE_STRING;
	}
}

static void
cell_bind(struct cell *c, MYSQL_BIND *b)
{
	memset(b, 0, sizeof(*b));
	b->buffer_type = c->type;
	b->is_null = &c->null;
	b->length = &c->len;
	b->error = &c->error;
	if (c->type == MYSQL_TYPE_LONGLONG) {
		b->buffer = &c->i;
		b->buffer_length = sizeof(c->i);
	} else if (c->type == MYSQL_TYPE_DOUBLE) {
		b->buffer = &c->d;
		b->buffer_length = sizeof(c->d);
	} else {
		b->buffer = c->data;
		b->buffer_length = c->cap - 1;
	}
}

int
db_prepare_cells(struct db *db, struct prepared *p)
{
	MYSQL_RES *meta;
	struct cell *c;

	if ((meta = mysql_stmt_result_metadata(p->stmt)) == NULL)
		return mysql_stmt_errno(p->stmt) == 0 ? 0
						      : db_stmt_failed(db, p);
	p->ncols = mysql_num_fields(meta);
	p->cells = xcalloc(p->ncols, sizeof(*p->cells));
	p->binds = xcalloc(p->ncols, sizeof(*p->binds));
	for (unsigned i = 0; i < p->ncols; i++) {
		c = &p->cells[i];
		c->type = fetch_type(mysql_fetch_field_direct(meta, i));
		c->cap = CELL_START;
		c->data = c->type == MYSQL_TYPE_STRING ? xmalloc(c->cap) : NULL;
		cell_bind(c, &p->binds[i]);
	}
	p->rebind = true;
	mysql_free_result(meta);
	return 0;
}

/* The whole of a text that did not fit its buffer. */
static int
fetch_long(struct db *db, struct prepared *p, unsigned col)
{
	struct cell *c = &p->cells[col];
	unsigned long want = c->len;
	char *bigger;
	MYSQL_BIND b;

	if ((bigger = realloc(c->data, want + 1)) == NULL)
		return err_set(ERR_NOMEM, "%s: %lu bytes in a column",
		    p->decl->name, want);
	c->data = bigger;
	c->cap = want + 1;
	p->rebind = true;
	cell_bind(c, &b);
	if (mysql_stmt_fetch_column(p->stmt, &b, col, 0) != 0)
		return db_stmt_failed(db, p);
	return 0;
}

static int
fetch_cells(struct db *db, struct prepared *p)
{
	struct cell *c;
	int r;

	for (unsigned i = 0; i < p->ncols; i++) {
		c = &p->cells[i];
		if (c->type != MYSQL_TYPE_STRING || c->null)
			continue;
		if (c->len > c->cap - 1 && (r = fetch_long(db, p, i)) != 0)
			return r;
		c->data[c->len] = '\0';
	}
	return 0;
}

int
db_fetch_row(struct db *db, struct prepared *p)
{
	int r;

	if (p->rebind) {
		for (unsigned i = 0; i < p->ncols; i++)
			cell_bind(&p->cells[i], &p->binds[i]);
		if (mysql_stmt_bind_result(p->stmt, p->binds) != 0)
			return db_stmt_failed(db, p);
		p->rebind = false;
	}
	r = mysql_stmt_fetch(p->stmt);
	if (r == MYSQL_NO_DATA)
		return 0;
	if (r != 0 && r != MYSQL_DATA_TRUNCATED)
		return db_stmt_failed(db, p);
	return (r = fetch_cells(db, p)) != 0 ? r : 1;
}

void
db_shrink_cells(struct prepared *p)
{
	struct cell *c;

	for (unsigned i = 0; i < p->ncols; i++) {
		c = &p->cells[i];
		if (c->type != MYSQL_TYPE_STRING || c->cap <= CELL_KEEP)
			continue;
		free(c->data);
		c->cap = CELL_START;
		c->data = xmalloc(c->cap);
		p->rebind = true;
	}
}

unsigned
db_row_columns(const struct db_row *row)
{
	return row->p->ncols;
}

int64_t
db_row_int(const struct db_row *row, unsigned col)
{
	const struct cell *c = &row->p->cells[col];

	if (c->null)
		return 0;
	if (c->type == MYSQL_TYPE_DOUBLE)
		return (int64_t)c->d;
	return c->type == MYSQL_TYPE_LONGLONG ? c->i : 0;
}

double
db_row_double(const struct db_row *row, unsigned col)
{
	const struct cell *c = &row->p->cells[col];

	if (c->null)
		return 0;
	if (c->type == MYSQL_TYPE_LONGLONG)
		return (double)c->i;
	return c->type == MYSQL_TYPE_DOUBLE ? c->d : 0;
}

bool
db_row_is_null(const struct db_row *row, unsigned col)
{
	return row->p->cells[col].null != 0;
}

const char *
db_row_str(const struct db_row *row, unsigned col)
{
	size_t len;

	return db_row_blob(row, col, &len);
}

const void *
db_row_blob(const struct db_row *row, unsigned col, size_t *len)
{
	const struct cell *c = &row->p->cells[col];

	*len = 0;
	if (c->null || c->type != MYSQL_TYPE_STRING)
		return NULL;
	*len = c->len;
	return c->data;
}
