/*
 * A connection that goes from one process to another.
 *
 * A process that forks others opens connections and prepares statements; a
 * forked process goes on with one, and sends its socket back when it is done.
 * The memory on this side is each process's own, so the connection must come
 * back as it went: no transaction, no result, no statement of which the
 * other side knows nothing.  At any time one process alone may hold the socket,
 * for the server rolls back when the last one lets go.
 */
#ifndef LIB_DB_DB_MOVE_H
#define LIB_DB_DB_MOVE_H

#include <stdbool.h>

#include "lib/db/db.h"

/*
 * Prepare the statements that every task's shepherd runs, and remember the
 * connection as it is then.  Errors: ERR_DB; ERR_UNSUPPORTED when it cannot
 * be moved (another machine's, TLS).
 */
int db_move_ready(struct db *);

/* The descriptor of the link, which stays the connection's; -1: none. */
int db_move_socket(const struct db *);

/*
 * Make it again as db_move_ready() left it.  ERR_CONFLICT when that cannot
 * be: it was lost since, is in a transaction, or was never made ready.
 */
int db_move_settle(struct db *);

/*
 * The socket was sent to another process: here it is closed without a word to
 * the server, and the next use makes a connection of its own.  nothing: a
 * descriptor that takes its place meanwhile, such as /dev/null's.
 */
void db_move_let_go(struct db *, int nothing);

#endif
