/*
 * Local jobs: one component, one member.  Called by the endpoints that move
 * tables in and out, and models to the store and back.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/model/job_spec.h"

/* {key: value}; takes over the value. */
static struct json_object *
wrap(const char *key, struct json_object *value)
{
	struct json_object *o = json_object_new_object();

	json_add(o, key, value);
	return o;
}

static struct json_object *
party_number(const char *party_id)
{
	int64_t party = 0;

	(void)str_to_int64(party_id, 0, INT64_MAX, &party);
	return json_object_new_int64(party);
}

static struct json_object *
job_parameters(struct json_object *common)
{
	struct json_object *o =
	    common != NULL ? json_copy(common) : json_object_new_object();

	json_add_str(o, "federated_mode", "SINGLE");
	return wrap("common", o);
}

/* "upload_0" of "Upload"; the caller's. */
static char *
component_name(const char *module)
{
	char *name = xasprintf("%s_0", module), *p;

	for (p = name; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return name;
}

void
job_local_documents(const char *module, struct json_object *parameters,
    struct json_object *common, const char *party_id, struct json_object **dsl,
    struct json_object **conf)
{
	char *name = component_name(module);

	job_local_named(name, module, parameters, common, party_id, dsl, conf);
	free(name);
}

void
job_local_named(const char *name, const char *module,
    struct json_object *parameters, struct json_object *common,
    const char *party_id, struct json_object **dsl, struct json_object **conf)
{
	struct json_object *component = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *initiator = json_object_new_object();

	json_add_str(component, "module", module);
	*dsl = wrap("components", wrap(name, component));
	json_object_array_add(list, party_number(party_id));
	json_add_str(initiator, "role", "local");
	json_add(initiator, "party_id", party_number(party_id));
	*conf = json_object_new_object();
	json_add_int(*conf, "dsl_version", 2);
	json_add(*conf, "initiator", initiator);
	json_add(*conf, "role", wrap("local", list));
	json_add(*conf, "job_parameters", job_parameters(common));
	json_add(*conf, "component_parameters",
	    wrap("role",
		wrap("local",
		    wrap("0", wrap(name, json_object_get(parameters))))));
}
