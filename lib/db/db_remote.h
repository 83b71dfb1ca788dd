/*
 * A table on somebody's MySQL or MariaDB server: reading all of it, and
 * writing rows so that others see all of them or none.
 *
 * Nothing here is the site's own database, and none of it may be believed: a
 * server's answers are size-checked by the client library, files are never
 * sent to it, and only names that pass db_remote_is_name() become part of a
 * statement, quoted.  One connection is used by one thread.
 */
#ifndef LIB_DB_DB_REMOTE_H
#define LIB_DB_DB_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"

struct remote_server {
	const char *host; /* an absolute path: a unix socket */
	int64_t port;
	const char *user;
	const char *password; /* "" for none */
	const char *db;	      /* "" for none */
	const char *tls_ca;   /* PEM file, "": no TLS */
	unsigned int connect_timeout_s;
	unsigned int answer_timeout_s; /* longest silence of the server */
};

struct db_remote;

/*
 * Ownership: *out is the caller's.  Errors: ERR_NET (not reachable, TLS),
 * ERR_DENIED (user, password, rights), ERR_NOT_FOUND (database), ERR_DB.
 */
int db_remote_open(const struct remote_server *, struct db_remote **out);
void db_remote_close(struct db_remote *); /* NULL is fine */
/* From another thread: what is under way fails soon, whatever it waits for. */
void db_remote_interrupt(struct db_remote *);

/* Fit for the name of a database, table or column in a statement? */
bool db_remote_is_name(const char *s);

/*
 * Names of a table's columns in their order; in the arena.
 * Errors: ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID (the name), ERR_DB, ERR_NET.
 */
int db_remote_columns(struct db_remote *, const char *table, struct arena *,
    const char *const **names, size_t *n);

/* As text; data is NULL for SQL NULL. */
struct remote_value {
	const char *data;
	size_t len;
};

/* Rows count from 1; anything but 0 ends the reading with that code. */
typedef int remote_row_fn(
    void *ctx, uint64_t number, const struct remote_value *values, size_t n);

/*
 * All rows of one snapshot, one at a time: memory is bounded by a row.
 * Errors: fn's, and those of db_remote_columns().
 */
int db_remote_read(struct db_remote *, const char *table,
    const char *const *columns, size_t n, remote_row_fn *fn, void *ctx);

struct remote_writer;

/*
 * Begin to write rows under the names of their columns, of which the first
 * is the id.  A table that is there gets them in one transaction, replacing
 * rows of equal id (its primary or a unique key); one that is not is made
 * beside its place, with texts for columns and the id for key, and renamed
 * when it is complete.  So a kill at any instant leaves what was before.
 * staging is the name of that table until then; one that an earlier try left
 * is dropped.
 * Errors: ERR_INVALID (names, too many columns), ERR_NOT_FOUND when the
 * table that is there lacks a column, ERR_DENIED, ERR_DB, ERR_NET.
 */
int db_remote_write_begin(struct db_remote *, const char *table,
    const char *const *columns, size_t n, const char *staging,
    struct remote_writer **out);
/* Errors name the row: ERR_EXISTS, ERR_DB, ERR_NET. */
int db_remote_write_row(struct remote_writer *, const struct remote_value *);
/* All rows are there for others to see.  Frees the writer, also on error. */
int db_remote_write_end(struct remote_writer *);
void db_remote_write_abort(struct remote_writer *); /* NULL is fine */

#endif
