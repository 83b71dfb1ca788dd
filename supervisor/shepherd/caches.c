/*
 * Caches of earlier tasks.  Called by inputs.c.
 */
#include "supervisor/shepherd/caches.h"

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/db/db_job.h"

static int
by_parameters(struct db *db, struct arena *arena, const struct subject *s,
    struct db_cache **out)
{
	const struct db_task_key *key = subject_key(s);
	struct json_object *p = s->parameters;
	const char *cache_key = json_get_str(p, "cache_key", "");
	const char *job = json_get_str(p, "job_id", "");
	const char *component = json_get_str(p, "component_name", "");
	const char *name = json_get_str(p, "cache_name", "");
	int r;

	if (cache_key[0] != '\0') {
		r = db_cache_get(db, arena, cache_key, out);
		/* Another member of this site, or another role, is another. */
		if (r == 0 && (!str_eq((*out)->key.role, key->role) ||
				  !str_eq((*out)->key.party_id, key->party_id)))
			r = ERR_NOT_FOUND;
		if (r == ERR_NOT_FOUND)
			return err_set(r, "%s %s has no cache %.64s", key->role,
			    key->party_id, cache_key);
		return r;
	}
	if (job[0] == '\0' || component[0] == '\0' || name[0] == '\0')
		return err_set(ERR_INVALID,
		    "CacheLoader needs cache_key, or job_id, component_name "
		    "and cache_name");
	r = db_cache_newest(
	    db, arena, job, component, key->role, key->party_id, name, out);
	return r != ERR_NOT_FOUND
		   ? r
		   : err_set(r,
			 "%s %s has no cache %.100s of %.100s in job %.25s",
			 key->role, key->party_id, name, component, job);
}

/* A partner's job starts from what that partner helped to make. */
static int
check_origin(struct db *db, struct arena *arena, const struct subject *s,
    const struct db_cache *c)
{
	struct db_party *rows;
	size_t n, i;
	int r;

	if (s->job->is_initiator)
		return 0;
	if ((r = db_party_list(db, arena, c->key.job_id, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++)
		if (str_eq(rows[i].party_id, s->job->initiator_party))
			return 0;
	log_warn("job of party %s asked for a cache of job %s",
	    s->job->initiator_party, c->key.job_id);
	return err_set(ERR_NOT_FOUND, "there is no such cache");
}

int
caches_find(struct db *db, struct arena *arena, const struct subject *s,
    const char *component, const char *name, struct db_cache **out)
{
	const struct db_task_key *key = subject_key(s);
	int r;

	*out = NULL;
	if (name != NULL)
		r = db_cache_newest(db, arena, key->job_id, component,
		    key->role, key->party_id, name, out);
	else if ((r = by_parameters(db, arena, s, out)) == 0)
		r = check_origin(db, arena, s, *out);
	if (r == 0 && (*out)->is_expired)
		r = err_set(ERR_CONFLICT,
		    "the cache of %s in job %s has expired; make a new one "
		    "with run_cache",
		    (*out)->key.component, (*out)->key.job_id);
	return r;
}
