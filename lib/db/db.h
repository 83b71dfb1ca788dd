/*
 * A connection to the site's database, and prepared statements on it.
 *
 * Statements are constants beside the functions that run them; values are
 * always bound.  They are prepared once per connection.  A result is fetched
 * whole before its first row is handed out, so a row function may run other
 * statements.
 *
 * Lists and rows returned by the stores (db_job.h and so on) live in an arena
 * that the caller passes and frees; nothing in them is freed by itself.
 * Instants are milliseconds since the epoch, 0 standing for NULL.
 *
 * Lock order inside a transaction, to keep deadlocks rare: job, job_party,
 * task, attempt, resource, resource_grant, everything else.
 */
#ifndef LIB_DB_DB_H
#define LIB_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"

struct db;
struct db_gate;

/*
 * Connect with the [database] settings.  The session speaks utf8mb4 and UTC,
 * is strict, READ COMMITTED, and counts rows matched (CLIENT_FOUND_ROWS).
 * c is borrowed for the life of the connection: it reconnects by itself at
 * the next use after the link was lost.
 * Errors: ERR_DB, ERR_IO (password file), ERR_INVALID.
 */
int db_open(const struct site_conf *c, struct db **out);
/*
 * The same, connected at its first use.  A server that says nothing for
 * [database] answer_timeout_s is left alone for a while, and statements fail
 * at once (ERR_DB); with a gate (db_gate.h; borrowed, NULL for none) processes
 * know that of each other.
 */
struct db *db_new(const struct site_conf *c, struct db_gate *gate);
void db_close(struct db *); /* NULL is fine */

/*
 * Who the event rows written over this connection are attributed to, such as
 * "supervisor host-1" or "party 10000"; set at start or once per request.
 * Copied, cut at 100 bytes.
 */
void db_set_actor(struct db *, const char *actor);
const char *db_actor(const struct db *);

/*
 * One statement.  params has one letter per '?':
 *   i  int64_t          I  const int64_t * (NULL is SQL NULL)
 *   d  double           D  const double *  (NULL is SQL NULL)
 *   s  const char *     (NULL is SQL NULL); ERR_INVALID unless it is UTF-8
 *   e  the same, for words to people, which are kept whatever bytes a program
 *      or a stranger put in: '?' stands for those that are not UTF-8
 *   b  const void *, size_t   (NULL is SQL NULL)
 *   t  int64_t, milliseconds since the epoch, 0 for SQL NULL
 */
struct db_stmt {
	const char *name; /* for messages: "job.get" */
	const char *params;
	const char *sql;
};

/*
 * Run a statement without result; *affected (may be NULL) is the number of
 * rows matched.
 * Errors: ERR_DB_RETRY (deadlock, lock wait: roll back and run the whole
 * transaction again), ERR_EXISTS (duplicate key), ERR_DB.
 */
int db_exec(struct db *, const struct db_stmt *, int64_t *affected, ...);
/* The AUTO_INCREMENT value of the last db_exec(). */
int64_t db_insert_id(const struct db *);

/* One row during db_query(); columns count from 0. */
struct db_row;

int64_t db_row_int(const struct db_row *, unsigned col); /* NULL: 0 */
double db_row_double(const struct db_row *, unsigned col);
bool db_row_is_null(const struct db_row *, unsigned col);
/* Borrowed until the next row; NUL-terminated; NULL for SQL NULL. */
const char *db_row_str(const struct db_row *, unsigned col);
const void *db_row_blob(const struct db_row *, unsigned col, size_t *len);

/* Anything but 0 ends the query with that code. */
typedef int db_row_fn(const struct db_row *, void *ctx);

/*
 * Run a statement with a result and hand each row to fn (NULL: only count).
 * *rows (may be NULL) is their number.  Errors as db_exec(), and fn's.
 */
int db_query(struct db *, const struct db_stmt *, db_row_fn *fn, void *ctx,
    int64_t *rows, ...);

/* SELECT of one integer; ERR_NOT_FOUND when there is no row. */
int db_query_int(struct db *, const struct db_stmt *, int64_t *out, ...);

/* SELECT GET_LOCK() and its counterpart; ERR_BUSY after timeout_s. */
int db_named_lock(struct db *, const char *name, int64_t timeout_s);
void db_named_unlock(struct db *, const char *name);

/*
 * Run SQL text that is not a constant: a migration's statement, the making
 * of a database.  Only create.c and migrate.c may call this.
 */
int db_run_script_statement(struct db *, const char *sql, size_t len);

/* SELECT 1; ERR_DB when the server cannot be reached. */
int db_ping(struct db *);

#endif
