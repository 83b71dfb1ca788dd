/*
 * Prepared statements: preparing once per connection, binding parameters by
 * their letters, executing, fetching rows.  Called by the stores.
 */
#include <errmsg.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/db/db_private.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

#define CELL_START 256	     /* most texts fit; longer ones are refetched */
#define CELL_KEEP (64 << 10) /* buffers above this are given back */
#define MAX_PARAMS 64

/* One value on its way to the server. */
struct arg {
	int64_t i;
	double d;
	MYSQL_TIME t;
	char *copy; /* of a text that had to be mended */
	unsigned long len;
	db_flag null;
};

/* One column of the row that was fetched last. */
struct cell {
	enum enum_field_types type; /* LONGLONG, DOUBLE or STRING */
	int64_t i;
	double d;
	char *data;
	size_t cap; /* one more than the bind knows */
	unsigned long len;
	db_flag null;
	db_flag error;
};

struct prepared {
	const struct db_stmt *decl;
	MYSQL_STMT *stmt;
	unsigned ncols;
	MYSQL_BIND *params;
	struct arg *args;
	unsigned nargs;
	MYSQL_BIND *binds;
	struct cell *cells;
	bool busy;   /* its rows are being read */
	bool rebind; /* a cell's buffer moved */
	struct prepared *next;
};

struct db_row {
	struct prepared *p;
};

static void
prepared_free(struct prepared *p)
{
	if (p == NULL)
		return;
	if (p->stmt != NULL)
		(void)mysql_stmt_close(p->stmt);
	for (unsigned i = 0; i < p->ncols; i++)
		free(p->cells[i].data);
	for (unsigned i = 0; i < p->nargs; i++)
		free(p->args[i].copy);
	free(p->params);
	free(p->args);
	free(p->binds);
	free(p->cells);
	free(p);
}

void
db_forget_prepared(struct db *db)
{
	struct prepared *p, *next;

	for (size_t b = 0; b < DB_BUCKETS; b++) {
		for (p = db->prepared[b]; p != NULL; p = next) {
			next = p->next;
			prepared_free(p);
		}
		db->prepared[b] = NULL;
	}
}

static int
stmt_failed(struct db *db, const struct prepared *p)
{
	return db_failed(db, mysql_stmt_errno(p->stmt),
	    mysql_stmt_error(p->stmt), p->decl->name);
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

static int
prepare_cells(struct db *db, struct prepared *p)
{
	MYSQL_RES *meta;
	struct cell *c;

	if ((meta = mysql_stmt_result_metadata(p->stmt)) == NULL)
		return mysql_stmt_errno(p->stmt) == 0 ? 0 : stmt_failed(db, p);
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

static int
prepare(struct db *db, const struct db_stmt *decl, struct prepared **out)
{
	struct prepared *p;
	size_t n = strlen(decl->params);
	int r;

	p = xcalloc(1, sizeof(*p));
	p->decl = decl;
	if ((p->stmt = mysql_stmt_init(db->my)) == NULL) {
		r = err_set(ERR_DB, "client library: out of memory");
		goto fail;
	}
	db_asks(db);
	if (mysql_stmt_prepare(p->stmt, decl->sql, strlen(decl->sql)) != 0) {
		r = stmt_failed(db, p);
		goto fail;
	}
	if (n > MAX_PARAMS || mysql_stmt_param_count(p->stmt) != n) {
		r = err_set(ERR_INTERNAL, "%s: %lu parameters, %zu declared",
		    decl->name, mysql_stmt_param_count(p->stmt), n);
		goto fail;
	}
	p->params = xcalloc(n + 1, sizeof(*p->params));
	p->args = xcalloc(n + 1, sizeof(*p->args));
	p->nargs = (unsigned)n;
	if ((r = prepare_cells(db, p)) != 0)
		goto fail;
	*out = p;
	return 0;
fail:
	prepared_free(p);
	return r;
}

static int
prepared_get(struct db *db, const struct db_stmt *decl, struct prepared **out)
{
	struct prepared **bucket, *p;
	int r;

	*out = NULL;
	if ((r = db_connected(db)) != 0)
		return r;
	bucket = &db->prepared[((uintptr_t)decl / sizeof(*decl)) % DB_BUCKETS];
	for (p = *bucket; p != NULL && p->decl != decl; p = p->next)
		continue;
	if (p == NULL) {
		if ((r = prepare(db, decl, &p)) != 0)
			return r;
		p->next = *bucket;
		*bucket = p;
	}
	if (p->busy)
		return err_set(
		    ERR_INTERNAL, "%s: used within its own rows", decl->name);
	*out = p;
	return 0;
}

static void
time_of_ms(int64_t ms, MYSQL_TIME *out)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	memset(out, 0, sizeof(*out));
	if (gmtime_r(&s, &tm) == NULL)
		return;
	out->year = (unsigned)tm.tm_year + 1900;
	out->month = (unsigned)tm.tm_mon + 1;
	out->day = (unsigned)tm.tm_mday;
	out->hour = (unsigned)tm.tm_hour;
	out->minute = (unsigned)tm.tm_min;
	out->second = (unsigned)tm.tm_sec;
	out->second_part = (unsigned long)(ms % 1000) * 1000;
	out->time_type = MYSQL_TIMESTAMP_DATETIME;
}

static void
bind_int(struct arg *a, MYSQL_BIND *b, const int64_t *v)
{
	b->buffer_type = MYSQL_TYPE_LONGLONG;
	b->buffer = &a->i;
	a->i = v != NULL ? *v : 0;
	a->null = v == NULL;
}

static void
bind_double(struct arg *a, MYSQL_BIND *b, const double *v)
{
	b->buffer_type = MYSQL_TYPE_DOUBLE;
	b->buffer = &a->d;
	a->d = v != NULL ? *v : 0;
	a->null = v == NULL;
}

static void
bind_bytes(struct arg *a, MYSQL_BIND *b, enum enum_field_types type,
    const void *data, size_t len)
{
	b->buffer_type = type;
	b->buffer = (void *)(uintptr_t)data; /* only read by the library */
	b->buffer_length = len;
	a->len = len;
	a->null = data == NULL;
}

/* Text that the server will take; words is whether it may be mended. */
static int
bind_text(struct arg *a, MYSQL_BIND *b, const char *s, bool words)
{
	size_t len = s != NULL ? strlen(s) : 0;

	free(a->copy);
	a->copy = NULL;
	if (s != NULL && !str_is_utf8(s, len)) {
		if (!words)
			return err_set(ERR_INVALID, "a text is not UTF-8");
		a->copy = xstrdup(s);
		for (char *p = a->copy; *p != '\0'; p++) {
			if ((unsigned char)*p >= 0x80)
				*p = '?';
		}
		s = a->copy;
	}
	bind_bytes(a, b, MYSQL_TYPE_STRING, s, len);
	return 0;
}

static void
bind_time(struct arg *a, MYSQL_BIND *b, int64_t ms)
{
	b->buffer_type = MYSQL_TYPE_DATETIME;
	b->buffer = &a->t;
	time_of_ms(ms, &a->t);
	a->null = ms == 0;
}

/* Values stay borrowed until the statement was executed. */
static int
bind_params(struct prepared *p, va_list ap)
{
	const char *letter = p->decl->params;
	const void *data;
	int64_t i;
	double d;

	for (unsigned k = 0; letter[k] != '\0'; k++) {
		struct arg *a = &p->args[k];
		MYSQL_BIND *b = &p->params[k];

		memset(b, 0, sizeof(*b));
		b->is_null = &a->null;
		b->length = &a->len;
		switch (letter[k]) {
		case 'i':
			i = va_arg(ap, int64_t);
			bind_int(a, b, &i);
			break;
		case 'I':
			bind_int(a, b, va_arg(ap, const int64_t *));
			break;
		case 'd':
			d = va_arg(ap, double);
			bind_double(a, b, &d);
			break;
		case 'D':
			bind_double(a, b, va_arg(ap, const double *));
			break;
		case 's':
		case 'e':
			if (bind_text(a, b, va_arg(ap, const char *),
				letter[k] == 'e') != 0)
				return err_wrap("%s", p->decl->name);
			break;
		case 'b':
			data = va_arg(ap, const void *);
			bind_bytes(
			    a, b, MYSQL_TYPE_BLOB, data, va_arg(ap, size_t));
			break;
		case 't':
			bind_time(a, b, va_arg(ap, int64_t));
			break;
		default:
			return err_set(ERR_INTERNAL, "%s: parameter type %c",
			    p->decl->name, letter[k]);
		}
	}
	return 0;
}

/* Prepare if needed, bind, execute. */
static int
execute_once(struct db *db, const struct db_stmt *decl, va_list ap,
    struct prepared **out)
{
	struct prepared *p;
	int r;

	if ((r = prepared_get(db, decl, &p)) != 0)
		return r;
	if ((r = bind_params(p, ap)) != 0)
		return r;
	if (decl->params[0] != '\0' &&
	    mysql_stmt_bind_param(p->stmt, p->params) != 0)
		return stmt_failed(db, p);
	db_asks(db);
	if (mysql_stmt_execute(p->stmt) != 0)
		return stmt_failed(db, p);
	if (p->ncols > 0 && mysql_stmt_store_result(p->stmt) != 0)
		return stmt_failed(db, p);
	db_gate_answers(db->gate);
	*out = p;
	return 0;
}

/*
 * A link that was found broken is tried once more when that cannot do a thing
 * twice: nothing reached the server, or the statement only reads.  One that
 * lost a deadlock has changed nothing either, and outside a transaction there
 * is nothing else to be done again: statements over several rows (renewals,
 * sweeps) meet transactions that lock the same rows by another index.
 */
static int
execute(struct db *db, const struct db_stmt *decl, bool reads, va_list ap,
    struct prepared **out)
{
	va_list again, ap_start;
	int r;

	*out = NULL;
	va_copy(ap_start, ap);
	va_copy(again, ap);
	db->client_errno = 0;
	r = execute_once(db, decl, ap, out);
	if (r == ERR_DB && db->lost && !db->in_tx &&
	    (reads || db->client_errno == CR_SERVER_GONE_ERROR))
		r = execute_once(db, decl, again, out);
	va_end(again);
	for (int try = 0;
	     r == ERR_DB_RETRY && !db->in_tx &&
	     db->client_errno == DB_CODE_DEADLOCK && try < DB_TX_TRIES;
	     try++) {
		log_debug("%s again: %s", decl->name, err_text());
		db_pause(try);
		va_copy(again, ap_start);
		r = execute_once(db, decl, again, out);
		va_end(again);
	}
	va_end(ap_start);
	return r;
}

int
db_exec(struct db *db, const struct db_stmt *decl, int64_t *affected, ...)
{
	struct prepared *p;
	va_list ap;
	int r;

	if (affected != NULL)
		*affected = 0;
	va_start(ap, affected);
	r = execute(db, decl, false, ap, &p);
	va_end(ap);
	if (r != 0)
		return r;
	db->insert_id = (int64_t)mysql_stmt_insert_id(p->stmt);
	if (affected != NULL)
		*affected = (int64_t)mysql_stmt_affected_rows(p->stmt);
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
		return stmt_failed(db, p);
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

/* 1 for a row, 0 at the end. */
static int
fetch_row(struct db *db, struct prepared *p)
{
	int r;

	if (p->rebind) {
		for (unsigned i = 0; i < p->ncols; i++)
			cell_bind(&p->cells[i], &p->binds[i]);
		if (mysql_stmt_bind_result(p->stmt, p->binds) != 0)
			return stmt_failed(db, p);
		p->rebind = false;
	}
	r = mysql_stmt_fetch(p->stmt);
	if (r == MYSQL_NO_DATA)
		return 0;
	if (r != 0 && r != MYSQL_DATA_TRUNCATED)
		return stmt_failed(db, p);
	return (r = fetch_cells(db, p)) != 0 ? r : 1;
}

static void
shrink_cells(struct prepared *p)
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

int
db_query_v(struct db *db, const struct db_stmt *decl, db_row_fn *fn, void *ctx,
    int64_t *rows, va_list ap)
{
	struct prepared *p;
	struct db_row row;
	int64_t n = 0;
	int r;

	if (rows != NULL)
		*rows = 0;
	if ((r = execute(db, decl, true, ap, &p)) != 0)
		return r;
	if (p->ncols == 0)
		return err_set(ERR_INTERNAL, "%s has no result", decl->name);
	row.p = p;
	p->busy = true;
	while ((r = fetch_row(db, p)) == 1) {
		n++;
		if (fn != NULL && (r = fn(&row, ctx)) != 0)
			break;
	}
	p->busy = false;
	(void)mysql_stmt_free_result(p->stmt);
	shrink_cells(p);
	if (rows != NULL)
		*rows = n;
	return r;
}

int
db_query(struct db *db, const struct db_stmt *decl, db_row_fn *fn, void *ctx,
    int64_t *rows, ...)
{
	va_list ap;
	int r;

	va_start(ap, rows);
	r = db_query_v(db, decl, fn, ctx, rows, ap);
	va_end(ap);
	return r;
}

static int
take_int(const struct db_row *row, void *ctx)
{
	*(int64_t *)ctx = db_row_int(row, 0);
	return 0;
}

int
db_query_int(struct db *db, const struct db_stmt *decl, int64_t *out, ...)
{
	int64_t n;
	va_list ap;
	int r;

	*out = 0;
	va_start(ap, out);
	r = db_query_v(db, decl, take_int, out, &n, ap);
	va_end(ap);
	if (r == 0 && n == 0)
		return err_set(ERR_NOT_FOUND, "%s: no row", decl->name);
	return r;
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
