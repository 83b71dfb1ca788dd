/*
 * What a partner's job would do at this site, in short, for the person who is
 * to approve it.  Only for this site's own users: it tells what there is.
 */
#ifndef FCGI_APP_ASKS_H
#define FCGI_APP_ASKS_H

#include "fcgi-app/request.h"
#include "lib/db/db_job.h"

/*
 * Into o: "asks", of each component that would run as this member its name,
 * module, what the job file says of its parameters, the table that it reads
 * and, when that is not to be had, why ("missing"); "limits", what the contract
 * bounds.  Errors: ERR_DB.
 */
int asks_add(struct request *, const struct db_job *, const char *role,
    const char *party_id, struct json_object *o);

#endif
