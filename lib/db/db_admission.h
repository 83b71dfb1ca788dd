/*
 * The last step of taking a signed request of a partner: each is answered
 * once, by whichever worker on whichever host, and only while the partner and
 * both its keys count.  One statement, which makes nothing durable;
 * db_nonce_memory.h says why that is enough.
 */
#ifndef LIB_DB_DB_ADMISSION_H
#define LIB_DB_DB_ADMISSION_H

#include "lib/db/db.h"

struct db_admission {
	const char *party_id;
	const unsigned char *sign_digest; /* DB_KEY_DIGEST_SIZE, both */
	const unsigned char *tls_digest;
	const char *nonce;
	int64_t created_s; /* seconds since the epoch, as signed */
	int64_t expires_s; /* after this it is refused */
};

/*
 * Remember its nonce, if at this very moment the partner is enabled and both
 * keys count.
 * Errors: ERR_EXISTS (seen before: a replay), ERR_DENIED (partner or key was
 * withdrawn), ERR_CONFLICT when it must be signed again (the message says
 * why), ERR_BUSY when the memory is full, ERR_DB.
 */
int db_partner_admit(struct db *, const struct db_admission *);

/*
 * Forget what is too old to be taken again; *n (may be NULL): how many.  An
 * empty memory begins now.
 */
int db_admission_purge(struct db *, int64_t *n);

#endif
