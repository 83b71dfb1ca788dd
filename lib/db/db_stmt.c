/*
 * Prepared statements: preparing once per connection, binding parameters by
 * their letters, executing, fetching rows.  Called by the stores.
 */
#include <errmsg.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_stmt_private.h"
#include "lib/db/db_rows.h"
#include "lib/db/db_tx.h"

#define MAX_PARAMS 64

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

int
db_stmt_failed(struct db *db, const struct prepared *p)
{
	return db_failed(db, mysql_stmt_errno(p->stmt),
	    mysql_stmt_error(p->stmt), p->decl->name);
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
		r = db_stmt_failed(db, p);
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
	if ((r = db_prepare_cells(db, p)) != 0)
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

int
db_prepare(struct db *db, const struct db_stmt *decl)
{
	struct prepared *p;

	return prepared_get(db, decl, &p);
}

void
db_keep_prepared(struct db *db)
{
	for (size_t b = 0; b < DB_BUCKETS; b++)
		for (struct prepared *p = db->prepared[b]; p != NULL;
		     p = p->next)
			p->kept = true;
}

int
db_forget_others(struct db *db)
{
	struct prepared *p, **at;

	for (size_t b = 0; b < DB_BUCKETS; b++)
		for (at = &db->prepared[b]; (p = *at) != NULL;) {
			if (p->busy)
				return err_set(ERR_CONFLICT,
				    "%s: its rows are being read",
				    p->decl->name);
			if (p->kept) {
				at = &p->next;
				continue;
			}
			*at = p->next;
			prepared_free(p);
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
	if ((r = db_bind_params(p, ap)) != 0)
		return r;
	if (decl->params[0] != '\0' &&
	    mysql_stmt_bind_param(p->stmt, p->params) != 0)
		return db_stmt_failed(db, p);
	db_asks(db);
	if (mysql_stmt_execute(p->stmt) != 0)
		return db_stmt_failed(db, p);
	if (p->ncols > 0 && mysql_stmt_store_result(p->stmt) != 0)
		return db_stmt_failed(db, p);
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
	while ((r = db_fetch_row(db, p)) == 1) {
		n++;
		if (fn != NULL && (r = fn(&row, ctx)) != 0)
			break;
	}
	p->busy = false;
	(void)mysql_stmt_free_result(p->stmt);
	db_shrink_cells(p);
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
