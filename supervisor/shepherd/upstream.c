/*
 * Called by inputs.c and caches.c.
 */
#include "supervisor/shepherd/upstream.h"

#include "lib/base/err.h"

int
upstream_version(struct db *db, struct arena *arena, const char *job_id,
    const char *component, const char *role, const char *party_id,
    int64_t *version)
{
	struct db_task *t;
	int r;

	*version = -1;
	r = db_task_get_newest(
	    db, arena, job_id, component, role, party_id, &t);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r != 0)
		return r;
	if (!state_is_success(t->party_status))
		return err_set(ERR_CONFLICT,
		    "%s is %s in its version %lld, and what an older version "
		    "left is not used",
		    component, state_name(t->party_status),
		    (long long)t->key.version);
	*version = t->key.version;
	return 0;
}
