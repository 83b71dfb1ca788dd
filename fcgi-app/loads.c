/*
 * Looking up what ModelLoaders load, before a job is built.  Called by
 * deployed.c.
 */
#include "fcgi-app/loads.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fcgi-app/app.h"
#include "fcgi-app/deployed.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_model.h"
#include "lib/json/decode.h"
#include "lib/json/merge.h"
#include "lib/model/model_version.h"
#include "lib/model/roles.h"

#define LOADS_MAX 100 /* of one job; each is a row with its documents */

struct search {
	struct request *req;
	struct json_object *conf;
	const char *role;
	const char *party_id;
	const char *initiator;
};

static bool
is_party(struct json_object *x, const char *party_id)
{
	char id[JSON_PARTY_SIZE];

	return json_party_id(x, id) && strcmp(id, party_id) == 0;
}

/* The party's place in a role of a conf, or -1. */
static int
position(struct json_object *conf, const char *role, const char *party_id)
{
	struct json_object *list = json_path_get(conf, "role", role);
	size_t i;

	if (!json_is_array(list))
		return -1;
	for (i = 0; i < json_object_array_length(list); i++)
		if (is_party(json_object_array_get_idx(list, i), party_id))
			return (int)i;
	return -1;
}

static void
merge_given(
    struct json_object *into, struct json_object *components, const char *name)
{
	struct json_object *given = json_get(components, name);

	if (json_is_object(given))
		json_merge(into, given);
}

/*
 * What the conf says about the component at the member; the caller's.  The
 * conf is not checked yet: what is wrong in it is told when the job is built.
 */
static struct json_object *
parameters(const struct search *s, const char *name)
{
	struct json_object *all = json_get(s->conf, "component_parameters");
	struct json_object *keys = json_path_get(all, "role", s->role);
	struct json_object *o = json_object_new_object();
	int place = position(s->conf, s->role, s->party_id);

	merge_given(o, json_get(all, "common"), name);
	merge_given(o, keys, name); /* directly under the role */
	if (!roles_keys_usable(keys) || place < 0)
		return o;
	json_object_object_foreach(keys, key, components)
	{
		if (roles_key_matches(key, (size_t)place))
			merge_given(o, components, name);
	}
	return o;
}

static int
find_one(const struct search *s, const char *name, struct job_model **out)
{
	struct json_object *given = parameters(s, name);
	const struct db_model_key key = {
		.model_id = json_get_str(given, "model_id", ""),
		.model_version = json_get_str(given, "model_version", ""),
		.role = s->role,
		.party_id = s->party_id,
	};
	struct db_model *row;
	int r;

	r = db_model_get(s->req->app->db, s->req->arena, &key, &row);
	json_object_put(given);
	if (r == ERR_NOT_FOUND)
		err_clear();
	if (r != 0)
		return r == ERR_NOT_FOUND ? 0 : r;
	if (s->initiator != NULL && !model_has_party(row, s->initiator))
		return 0;
	if ((r = deployed_from_row(row, out)) == 0)
		(*out)->loader = name;
	return r;
}

int
loads_find(struct request *req, struct json_object *dsl,
    struct json_object *conf, const char *role, const char *party_id,
    const char *initiator, struct job_model **out)
{
	const struct search s = { req, conf, role, party_id, initiator };
	struct json_object *components = json_get(dsl, "components");
	struct job_model **last = out;
	size_t n = 0;
	int r;

	*out = NULL;
	if (!json_is_object(components))
		return 0;
	json_object_object_foreach(components, name, o)
	{
		if (strcasecmp(json_get_str(o, "module", ""), "ModelLoader") !=
			0 ||
		    n++ >= LOADS_MAX)
			continue;
		if ((r = find_one(&s, name, last)) != 0) {
			deployed_free(*out);
			*out = NULL;
			return r;
		}
		if (*last != NULL)
			last = &(*last)->next;
	}
	return 0;
}
