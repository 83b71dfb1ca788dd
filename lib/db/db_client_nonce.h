/*
 * Signed requests of users: each is answered once, by whichever worker on
 * whichever host, at the price of one statement that makes nothing durable.
 *
 * They stand in a table in the server's memory, beside the time since when it
 * holds them all: both are empty after a restart.  The database's clock is
 * the only one that counts.  With T a request's TIMESTAMP, W the time that it
 * may be off, S the begin of the memory:
 * - S + 2 W < T <= now: memory only.  It was not answered before S, as then T
 *   would be at most W ahead of S; and if the server restarts later, at S',
 *   then T < S'.
 * - T <= S: refused.  It may have been answered and forgotten; signed again
 *   it is taken.
 * - All others (the first minutes after S, clocks that are ahead) are durable
 *   as well.
 */
#ifndef LIB_DB_DB_CLIENT_NONCE_H
#define LIB_DB_DB_CLIENT_NONCE_H

#include "lib/db/db.h"

#define CLIENT_NONCE_HASH 16

struct db_client_nonce {
	uint8_t hash[CLIENT_NONCE_HASH]; /* of all that makes it unique */
	int64_t time_ms;		 /* TIMESTAMP */
	int64_t window_ms; /* how far that may be off, both ways */
};

/*
 * Remember it.  Errors: ERR_EXISTS when it was seen before, ERR_CONFLICT when
 * it must be signed again (the message says why), ERR_BUSY when the memory is
 * full, ERR_DB.
 */
int db_client_nonce_use(struct db *, const struct db_client_nonce *);

/*
 * Forget what is too old to be taken again; *n (may be NULL): how many.  An
 * empty memory begins now.
 */
int db_client_nonce_purge(struct db *, int64_t window_ms, int64_t *n);

#endif
