/*
 * Result rows as structs.  A store lists the columns of a struct once,
 *
 *	#define PARTNER_COLS(X, P, T)			\
 *		X(STR, P party_id, T "party_id")	\
 *		X(MS, P created_ms, T "created_at")
 *
 * (P: path inside the struct, T: table alias) and makes both the select list
 * and the shape from it, so that the two cannot come apart:
 *
 *	"SELECT 1" PARTNER_COLS(DB_SQL, , "") " FROM partner"
 *
 * The leading 1 spares the first comma; shapes skip it.  Used by the stores.
 */
#ifndef LIB_DB_DB_ROWS_H
#define LIB_DB_DB_ROWS_H

#include <stdarg.h>
#include <stddef.h>

#include "lib/db/db.h"

enum db_type {
	DB_STR,	  /* const char *, in the arena; NULL for NULL */
	DB_INT,	  /* int64_t; 0 for NULL */
	DB_BOOL,  /* bool */
	DB_DBL,	  /* double; NAN for NULL */
	DB_MS,	  /* int64_t milliseconds; 0 for NULL */
	DB_STATE, /* enum state; STATE_NONE for "" */
	DB_BIN	  /* unsigned char[32] */
};
#define DB_BIN_SIZE 32

#define DB_SQL(type, field, column) ", " DB_SQL_##type(column)
#define DB_SQL_STR(c) c
#define DB_SQL_INT(c) c
#define DB_SQL_BOOL(c) c
#define DB_SQL_DBL(c) c
#define DB_SQL_MS(c)                                                           \
	"TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', " c        \
	") DIV 1000"
#define DB_SQL_STATE(c) c
#define DB_SQL_BIN(c) c

struct db_col {
	enum db_type type;
	size_t offset;
};

struct db_shape {
	size_t size; /* of the struct */
	const struct db_col *cols;
	size_t ncols;
};
#define DB_SHAPE(type, cols)                                                   \
	{                                                                      \
		sizeof(type), (cols), sizeof(cols) / sizeof((cols)[0])         \
	}

/* Query into an array in the arena.  *(void **)rows is NULL when n is 0. */
int db_select(struct db *, const struct db_stmt *, const struct db_shape *,
    struct arena *, void *rows, size_t *n, ...);
/* The first row alone; ERR_NOT_FOUND when there is none. */
int db_select_one(struct db *, const struct db_stmt *, const struct db_shape *,
    struct arena *, void *row, ...);

int db_query_v(struct db *, const struct db_stmt *, db_row_fn *, void *ctx,
    int64_t *rows, va_list);
unsigned db_row_columns(const struct db_row *);

#endif
