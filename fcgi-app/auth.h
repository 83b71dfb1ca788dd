/*
 * Who is calling, and may they call this route at all.
 *
 * Partners prove themselves twice: with the TLS certificate nginx verified
 * (its CN is the party id) and with a signature over the request and its
 * body.  What a proven partner may then do to a job is for lib/party.
 */
#ifndef FCGI_APP_AUTH_H
#define FCGI_APP_AUTH_H

#include "fcgi-app/request.h"

struct db;

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

/*
 * Record what the error record says as refused, unless too much was lately
 * (then it is counted and told with the next one, or by auth_tell_untold());
 * returns code, with the text as it was.  action, below, is a constant.
 */
int auth_refused(struct request *, const char *actor, int code);

/*
 * The same for another action than "request", such as "log-in".
 */
int auth_record_refusal(
    struct request *, const char *actor, const char *action);

/*
 * Between requests: what was only counted some seconds ago (all: whenever) is
 * recorded, when no other refusal told it.  Returns in how many ms to come
 * again, -1: there is nothing.
 */
int auth_tell_untold(struct db *, bool all);

/*
 * The one CN of a certificate's subject as nginx writes it (RFC 2253), when
 * it is a party id; out holds JSON_PARTY_SIZE bytes.  ERR_AUTH otherwise.
 */
#define AUTH_PARTY_SIZE 11
int auth_subject_party(const char *subject, char out[AUTH_PARTY_SIZE]);

#endif
