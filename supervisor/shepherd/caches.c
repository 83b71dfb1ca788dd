/*
 * Caches of earlier tasks.  Called by inputs.c.
 */
#include "supervisor/shepherd/caches.h"

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/db/db_job.h"
#include "supervisor/shepherd/upstream.h"

/* What the newest version of a task of this member left. */
static int
of_newest(struct db *db, struct arena *arena, const struct db_task_key *self,
    const char *job, const char *component, const char *name,
    struct db_cache **out)
{
	struct db_task_key k = *self;
	int r;

	k.job_id = job;
	k.component = component;
	r = upstream_version(
	    db, arena, job, component, k.role, k.party_id, &k.version);
	if (r != 0)
		return r;
	return k.version < 0 ? ERR_NOT_FOUND
			     : db_cache_of_task(db, arena, &k, name, out);
}

/*
 * Named by its key, yet subject to the rule: each member names its own, and
 * caches of different versions do not belong together.
 */
static int
by_key(struct db *db, struct arena *arena, const struct db_task_key *self,
    const char *cache_key, struct db_cache **out)
{
	const struct db_task_key *made;
	int64_t version;
	int r;

	r = db_cache_get(db, arena, cache_key, out);
	/* Another member of this site, or another role, is another. */
	if (r == 0 && (!str_eq((*out)->key.role, self->role) ||
			  !str_eq((*out)->key.party_id, self->party_id)))
		r = ERR_NOT_FOUND;
	if (r == ERR_NOT_FOUND)
		return err_set(r, "%s %s has no cache %.64s", self->role,
		    self->party_id, cache_key);
	if (r != 0)
		return r;
	made = &(*out)->key;
	r = upstream_version(db, arena, made->job_id, made->component,
	    made->role, made->party_id, &version);
	if (r == 0 && version != made->version)
		r = err_set(ERR_CONFLICT,
		    "cache %.64s is of version %lld of %s in job %s, and "
		    "version %lld has replaced it",
		    cache_key, (long long)made->version, made->component,
		    made->job_id, (long long)version);
	return r;
}

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

	if (cache_key[0] != '\0')
		return by_key(db, arena, key, cache_key, out);
	if (job[0] == '\0' || component[0] == '\0' || name[0] == '\0')
		return err_set(ERR_INVALID,
		    "CacheLoader needs cache_key, or job_id, component_name "
		    "and cache_name");
	r = of_newest(db, arena, key, job, component, name, out);
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
		r = of_newest(
		    db, arena, key, key->job_id, component, name, out);
	else if ((r = by_parameters(db, arena, s, out)) == 0)
		r = check_origin(db, arena, s, *out);
	if (r == 0 && (*out)->is_expired)
		r = err_set(ERR_CONFLICT,
		    "the cache of %s in job %s has expired; make a new one "
		    "with run_cache",
		    (*out)->key.component, (*out)->key.job_id);
	return r;
}
