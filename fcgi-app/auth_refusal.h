/*
 * The record of requests that are refused.
 */
#ifndef FCGI_APP_AUTH_REFUSAL_H
#define FCGI_APP_AUTH_REFUSAL_H

#include "fcgi-app/request.h"

struct db;

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

#endif
