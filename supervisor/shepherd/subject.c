/*
 * The task's rows and what follows from them.  Read once at the start, by
 * attempt.c, and not changed afterwards.
 */
#include "supervisor/shepherd/subject.h"

#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_subject.h"
#include "lib/json/decode.h"

const struct db_task_key *
subject_key(const struct subject *s)
{
	return &s->attempt->key;
}

int
subject_load(struct db *db, const char *attempt_id, struct subject **out)
{
	struct subject *s = xcalloc(1, sizeof(*s));
	struct db_subject *rows;
	int r;

	*out = NULL;
	s->arena = arena_new();
	if ((r = db_subject_get(db, s->arena, attempt_id, &rows)) != 0)
		goto out;
	s->attempt = &rows->attempt;
	s->task = &rows->task;
	s->job = &rows->job;
	s->party = &rows->party;
	if (s->attempt->ended) {
		r = err_set(ERR_CONFLICT, "the attempt has ended");
		goto out;
	}
	*out = s;
	s = NULL;
out:
	subject_free(s);
	return r == 0 ? 0 : err_wrap("attempt %s", attempt_id);
}

void
subject_free(struct subject *s)
{
	if (s == NULL)
		return;
	json_object_put(s->parameters);
	json_object_put(s->contract);
	dsl_free(s->dsl);
	providers_free(s->own_providers);
	arena_free(s->arena);
	free(s);
}

static int
find_component(struct subject *s)
{
	struct json_object *json = NULL;
	struct faults faults;
	size_t i;
	int r;

	faults_init(&faults);
	if ((r = json_parse_text(s->job->dsl, &json)) != 0)
		goto out;
	if (dsl_parse(json, NULL, NULL, &faults, &s->dsl) != 0) {
		r = faults_err(&faults, "the job's DSL");
		goto out;
	}
	i = dsl_find(s->dsl, subject_key(s)->component);
	if (i == (size_t)-1)
		r = err_set(ERR_NOT_FOUND, "the DSL has no component %s",
		    subject_key(s)->component);
	else
		s->component = &s->dsl->components[i];
out:
	faults_fini(&faults);
	json_object_put(json);
	return r;
}

static int
find_module(
    struct subject *s, const char *providers_dir, const struct providers *known)
{
	struct json_object *json = NULL;
	const char *name, *version;
	int r;

	if (known == NULL || !providers_is_current(known)) {
		r = providers_load(providers_dir, &s->own_providers);
		if (r != 0)
			return r;
		known = s->own_providers;
	}
	if (s->task->provider != NULL &&
	    (r = json_parse_text(s->task->provider, &json)) != 0)
		return r;
	name = json_get_str(json, "name", "");
	version = json_get_str(json, "version", "");
	s->provider = providers_find(known, name, version);
	if (s->provider == NULL) {
		r = err_set(ERR_NOT_FOUND,
		    "provider %s@%s is not installed "
		    "here",
		    name, version);
		goto out;
	}
	s->module = provider_module(s->provider, s->task->module);
	if (s->module == NULL)
		r = err_set(ERR_NOT_FOUND, "provider %s@%s has no module %s",
		    name, version, s->task->module);
out:
	json_object_put(json);
	return r;
}

/* Members of the roles the module knows, in the order of the job's roles. */
static int
find_members(struct subject *s)
{
	struct json_object *roles, *list;
	char party[JSON_PARTY_SIZE];
	size_t n = 0, i;
	int r;

	if ((r = json_parse_text(s->job->roles, &roles)) != 0)
		return r;
	json_object_object_foreach(roles, role,
	    value) if (json_is_array(value) && module_has_role(s->module, role))
	    n += json_object_array_length(value);
	s->members = arena_alloc(s->arena, (n + 1) * sizeof(*s->members));
	json_object_object_foreach(roles, role2, value2)
	{
		list =
		    json_is_array(value2) && module_has_role(s->module, role2)
			? value2
			: NULL;
		for (i = 0; list != NULL && i < json_object_array_length(list);
		     i++) {
			if (!json_party_id(
				json_object_array_get_idx(list, i), party))
				continue;
			s->members[s->n_members].role =
			    arena_strdup(s->arena, role2);
			s->members[s->n_members++].party_id =
			    arena_strdup(s->arena, party);
		}
	}
	json_object_put(roles);
	return 0;
}

/* Those that hold for this member, else the job's common ones. */
static int
find_job_parameters(struct subject *s)
{
	struct json_object *conf = NULL, *found = NULL;
	int r = 0;

	if (s->party->party_conf != NULL &&
	    (r = json_parse_text(s->party->party_conf, &conf)) != 0)
		return r;
	found = json_get(conf, "job_parameters");
	if (found == NULL) {
		json_object_put(conf);
		conf = NULL;
		if ((r = json_parse_text(s->job->runtime_conf, &conf)) != 0)
			return r;
		found = json_path_get(conf, "job_parameters", "common");
	}
	/* Checked when the job came in. */
	s->task_timeout_s =
	    json_object_get_int64(json_get(found, "task_timeout"));
	s->job_parameters =
	    arena_strdup(s->arena, found != NULL ? json_text(found) : "{}");
	json_object_put(conf);
	return 0;
}

int
subject_complete(struct subject *s, const struct site_conf *conf,
    const struct providers *providers)
{
	int r;

	if ((r = find_component(s)) != 0 ||
	    (r = find_module(s, conf->providers_dir, providers)) != 0 ||
	    (r = find_members(s)) != 0 || (r = find_job_parameters(s)) != 0 ||
	    (r = json_parse_text(s->job->contract, &s->contract)) != 0 ||
	    (r = json_parse_text(
		 s->task->parameters != NULL ? s->task->parameters : "{}",
		 &s->parameters)) != 0)
		return r;
	s->is_local = str_eq(subject_key(s)->role, "local");
	return 0;
}

bool
subject_has_member(
    const struct subject *s, const char *role, const char *party_id)
{
	size_t i;

	for (i = 0; i < s->n_members; i++)
		if (str_eq(s->members[i].role, role) &&
		    str_eq(s->members[i].party_id, party_id))
			return true;
	return false;
}
