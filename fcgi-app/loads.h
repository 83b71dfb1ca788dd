/*
 * Versions that ModelLoaders of a job load: their trainings' parameters are
 * inherited, and their roots stand in the job's contract.
 */
#ifndef FCGI_APP_LOADS_H
#define FCGI_APP_LOADS_H

#include "fcgi-app/request.h"
#include "lib/json/json.h"
#include "lib/model/job_spec.h"

/*
 * The sealed versions that the DSL's ModelLoaders name for a member of this
 * site, as a list (*out, the caller's, deployed_free()).  One that is not
 * here, or that initiator (a partner; NULL: this site) had no part in, is
 * left out: its task will say so.
 * Errors: ERR_DB, ERR_FORMAT.
 */
int loads_find(struct request *, struct json_object *dsl,
    struct json_object *conf, const char *role, const char *party_id,
    const char *initiator, struct job_model **out);

#endif
