/*
 * Which cache of an earlier task is meant.
 */
#ifndef SUPERVISOR_SHEPHERD_CACHES_H
#define SUPERVISOR_SHEPHERD_CACHES_H

#include "lib/db/db_cache.h"
#include "supervisor/shepherd/subject.h"

/*
 * The cache that component left in this job under name, or, with name NULL,
 * the one that a CacheLoader's parameters choose: cache_key, or job_id,
 * component_name and cache_name.  It must have been made by this member in
 * its present role, and, when a partner initiated the job, in a job that this
 * partner took part in, by the newest version of its task.
 * Errors: ERR_NOT_FOUND (also for what is not theirs to use), ERR_INVALID,
 * ERR_CONFLICT when it has expired, when a newer version of its task has been
 * asked for or the newest did not succeed, ERR_DB.
 */
int caches_find(struct db *, struct arena *, const struct subject *,
    const char *component, const char *name, struct db_cache **out);

#endif
