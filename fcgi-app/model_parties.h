/*
 * What several members answered, as the platform's clients read it:
 * {"detail": {role: {party: {"retcode","retmsg"}}}, role: {party: code}}.
 */
#ifndef FCGI_APP_MODEL_PARTIES_H
#define FCGI_APP_MODEL_PARTIES_H

#include "fcgi-app/errand.h"
#include "lib/json/json.h"

/* Ask each member of these roles (NULL at the end) of {"guest":[9999],…}. */
void model_parties_ask(struct errand *, struct json_object *roles,
    const char *const *which, struct json_object *body);

/* Add the answers to data; a member that is silent has code 100. */
void model_parties_add(struct json_object *data, const struct errand *);

#endif
