/*
 * Signed requests of users: each is answered once, by whichever worker on
 * whichever host, at the price of one statement that makes nothing durable.
 * db_nonce_memory.h says how, and why it is enough.
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
