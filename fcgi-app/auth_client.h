/*
 * Users of this site: how each proves who they are.
 */
#ifndef FCGI_APP_AUTH_CLIENT_H
#define FCGI_APP_AUTH_CLIENT_H

#include "fcgi-app/request.h"

/* Who signed nothing, and was let in: no name that a key or user can have. */
#define AUTH_UNSIGNED "loopback (unsigned)"

/*
 * Fill request.caller.  A request that carries a signature is judged by it,
 * or else by the cookie of a session, wherever it came in; one without is
 * taken on the loopback listener only, and only when the site says so
 * (client_auth_off_on_loopback), as an admin by the name AUTH_UNSIGNED.
 * Errors: ERR_AUTH with what is wrong and what to do, ERR_DB, ERR_IO.
 */
int auth_client(struct request *);

/*
 * What can be said of a signed request before its body is there: its time,
 * that the key is known and enabled, that it did not fail too often.  Fills
 * nothing in.  Errors: ERR_AUTH, ERR_DB.
 */
int auth_client_early(struct request *);

/* ERR_DENIED unless the caller's role reaches the route's. */
int auth_role(const struct request *);

#endif
