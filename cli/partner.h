/*
 * What the commands about partners share.
 */
#ifndef CLI_PARTNER_H
#define CLI_PARTNER_H

#include "cli/bundle.h"
#include "cli/site.h"

/*
 * keys/partners.pem anew from the certificates that count; when it returns,
 * nginx goes by them.  It closes connections that the others opened once their
 * answers are out.
 */
int partner_update_tls(struct site *);

/*
 * The same behind a change of the database that came to r, and the rest of the
 * jobs that a withdrawal ends.  One that was made before (ERR_EXISTS,
 * ERR_NOT_FOUND) may have been cut off ahead of this: both follow all the
 * same.  Returns r, or their error.
 */
int partner_settle(struct site *, const char *party, int r);

/*
 * Trust what a bundle says.  Of a party that is known, other keys are taken
 * only when a key of it that counts signed them (bundle.next), or when the
 * operator says so (replace): then those before end at once.
 * Errors: ERR_DENIED (neither; or a key that was revoked), ERR_DB.
 */
int partner_take(struct site *, const struct bundle *, bool replace);

/* Both fingerprints as people read them to each other. */
struct partner_prints {
	char sign[KEYS_FINGERPRINT_SIZE];
	char tls[KEYS_FINGERPRINT_SIZE];
};
int partner_prints(const uint8_t sign_key[KEYS_PUBLIC_SIZE],
    const char *tls_cert, struct partner_prints *out);

#endif
