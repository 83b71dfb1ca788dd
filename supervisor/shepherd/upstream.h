/*
 * Which version of a component's task others may read from.
 */
#ifndef SUPERVISOR_SHEPHERD_UPSTREAM_H
#define SUPERVISOR_SHEPHERD_UPSTREAM_H

#include "lib/db/db_task.h"

/*
 * The newest version of a component at one member, if it succeeded there:
 * what an older one left is stale from the moment a newer one is asked for.
 * *version is -1 when this member never had such a task.
 * Errors: ERR_CONFLICT when the newest one has not succeeded, ERR_DB.
 */
int upstream_version(struct db *, struct arena *, const char *job_id,
    const char *component, const char *role, const char *party_id,
    int64_t *version);

#endif
