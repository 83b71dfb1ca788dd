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
 * taken on the loopback listener only,
 * and only when the site says so (client_auth_off_on_loopback), as an admin
 * by the name AUTH_UNSIGNED.
 * Errors: ERR_AUTH with what is wrong and what to do, ERR_DB, ERR_IO.
 */
int auth_client(struct request *);

/* Does it carry (parts of) a signature? */
bool auth_client_is_signed(const struct request *);

/*
 * What can be said of a signed request before its body is there: its time,
 * that the key is known and enabled, that it did not fail too often.  Fills
 * nothing in.  Errors: ERR_AUTH, ERR_DB.
 */
int auth_client_early(struct request *);

/* ERR_DENIED unless the caller's role reaches the route's. */
int auth_role(const struct request *);

/* "viewer", "modeler", "admin"; "" for CLIENT_NOBODY. */
const char *client_role_name(enum client_role);
/* CLIENT_NOBODY for anything else. */
enum client_role client_role_parse(const char *);

/* Does the request come from an address of this machine? */
bool auth_is_loopback(const struct request *);

#endif
