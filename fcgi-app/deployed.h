/*
 * The versions of models that a job uses.
 */
#ifndef FCGI_APP_DEPLOYED_H
#define FCGI_APP_DEPLOYED_H

#include "fcgi-app/request.h"
#include "lib/db/db_model.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/model/job_spec.h"

/* The member of this site that a job is derived for. */
struct deployed_for {
	const char *role; /* NULL, with party_id: the conf's initiator */
	const char *party_id;
	/* A partner that asks, who hears of versions it had a part in only;
	 * NULL: this site. */
	const char *initiator;
};

/*
 * The versions of models that a job uses: the deployed one that the conf of a
 * predict job names, or those that ModelLoaders of another load
 * (fcgi-app/loads.h), as this site's member has them sealed.
 * *out (a list, may be NULL) is the caller's, with texts in the request's
 * arena or borrowed from the documents.  A conf that is too broken to tell
 * has none; job_spec_build() says why.
 * Errors: ERR_INVALID with a fault below path: there is no such version here,
 * it is not deployed; ERR_DB, ERR_FORMAT (a damaged row).
 */
int deployed_find(struct request *, struct json_object *dsl,
    struct json_object *conf, const struct deployed_for *,
    const struct json_path *path, struct faults *, struct job_model **out);
/* The whole list; NULL is fine. */
void deployed_free(struct job_model *);
/* One of a row, whose texts it borrows.  Errors: ERR_FORMAT. */
int deployed_from_row(const struct db_model *, struct job_model **out);

/*
 * At a partner: are the versions those that the contract names?
 * Errors: ERR_DENIED telling both roots, or that this one has none.
 */
int deployed_check_root(const struct job_model *, struct json_object *contract);

#endif
