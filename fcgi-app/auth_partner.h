/*
 * Partners prove themselves twice: with the TLS certificate nginx verified
 * (its CN is the party id) and with a signature over the request and its
 * body.  What a proven partner may then do to a job is for lib/party.
 */
#ifndef FCGI_APP_AUTH_PARTNER_H
#define FCGI_APP_AUTH_PARTNER_H

#include "fcgi-app/request.h"

/*
 * Fill request.caller.  Errors: ERR_AUTH or ERR_FORMAT with what is wrong,
 * ERR_CLOCK when the same signed again would be welcome, ERR_DB, ERR_IO.
 */
int auth_partner(struct request *);

/*
 * The one CN of a certificate's subject as nginx writes it (RFC 2253), when
 * it is a party id; out holds JSON_PARTY_SIZE bytes.  ERR_AUTH otherwise.
 */
#define AUTH_PARTY_SIZE 11
int auth_subject_party(const char *subject, char out[AUTH_PARTY_SIZE]);

#endif
