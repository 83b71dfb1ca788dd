/*
 * The deployed version of a model that a predict job uses.
 */
#ifndef FCGI_APP_DEPLOYED_H
#define FCGI_APP_DEPLOYED_H

#include "fcgi-app/request.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/model/job_spec.h"

/*
 * What the conf of a predict job names, as this site's member has it sealed.
 * *out is NULL when the conf is of another job, or too broken to tell; else
 * the caller's, with texts in the request's arena.  role and party_id NULL:
 * those of the conf's initiator.
 * Errors: ERR_INVALID with a fault below path: there is no such version here,
 * it is not deployed; ERR_DB, ERR_FORMAT (a damaged row).
 */
int deployed_find(struct request *, struct json_object *conf, const char *role,
    const char *party_id, const struct json_path *path, struct faults *,
    struct job_model **out);
void deployed_free(struct job_model *); /* NULL is fine */

/*
 * At a partner: is the version the one that the contract names?
 * Errors: ERR_DENIED telling both roots.
 */
int deployed_check_root(const struct job_model *, struct json_object *contract);

#endif
