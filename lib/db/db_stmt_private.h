/*
 * The inside of a prepared statement: values on their way to the server, and
 * the row that came back last.
 */
#ifndef LIB_DB_DB_STMT_PRIVATE_H
#define LIB_DB_DB_STMT_PRIVATE_H

#include <stdarg.h>

#include "lib/db/db_private.h"

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
	bool kept;   /* see db_keep_prepared() */
	struct prepared *next;
};

struct db_row {
	struct prepared *p;
};

/* Record what the server said of the statement; returns the code. */
int db_stmt_failed(struct db *, const struct prepared *);

/* --- db_bind.c */

/* Values stay borrowed until the statement was executed.  ERR_INVALID. */
int db_bind_params(struct prepared *, va_list);

/* --- db_fetch.c */

/* Room for the columns of the result, if there is one. */
int db_prepare_cells(struct db *, struct prepared *);
/* 1 for a row, 0 at the end, or an error. */
int db_fetch_row(struct db *, struct prepared *);
/* Buffers that a long text made large are given back. */
void db_shrink_cells(struct prepared *);

#endif
