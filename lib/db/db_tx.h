/*
 * Transactions that are repeated when the database asks for it.
 */
#ifndef LIB_DB_DB_TX_H
#define LIB_DB_DB_TX_H

#include "lib/db/db.h"

typedef int db_tx_fn(struct db *, void *ctx);

/*
 * Run fn in a transaction: commit when it returns 0, else roll back.  On a
 * deadlock or lock wait, or when the link breaks before the commit, all of it
 * is run again from its start, at most DB_TX_TRIES times with growing,
 * jittered pauses: fn has no side effects but on the database and on ctx, and
 * sets what it leaves in ctx anew each time.
 *
 * Inside another db_tx() fn simply joins the outer transaction.
 *
 * Errors: fn's; ERR_DB_RETRY when the tries are used up; ERR_DB (after a
 * commit whose answer was lost, the outcome is unknown; state changes here
 * are idempotent, so the caller does them again).
 */
#define DB_TX_TRIES 8
int db_tx(struct db *, db_tx_fn *fn, void *ctx);

#endif
