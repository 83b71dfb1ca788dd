/*
 * Who is calling, and may they call this route at all.
 */
#ifndef FCGI_APP_AUTH_H
#define FCGI_APP_AUTH_H

#include "fcgi-app/request.h"

/*
 * Does the route's audience fit the listener the request came by?  Done
 * before the body is read.  Errors: ERR_AUTH.
 */
int auth_listener(struct request *);

/*
 * Find out who calls, with the body read but not yet looked into; fills
 * request.caller, sets is_proven, and names the actor of event rows.
 * Errors: ERR_AUTH with what is wrong, ERR_DB.  Refusals of partners are
 * recorded in the audit table, a bounded number of them.
 */
int auth_caller(struct request *);

/*
 * Before the body of a request for users is read: auth_caller() at once when
 * nothing of the body is signed (or nothing is signed at all), else what can
 * be said already; auth_caller() must follow unless request.is_proven.
 * Errors as above.
 */
int auth_early(struct request *);

#endif
