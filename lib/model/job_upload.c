/*
 * The job that an upload makes: one component, one local member.  Called by
 * the upload endpoint.
 */
#include <string.h>

#include "lib/base/str.h"
#include "lib/model/job_spec.h"

#define UPLOAD "upload_0"

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

void
job_upload_documents(struct json_object *parameters, struct json_object *common,
    const char *party_id, struct json_object **dsl, struct json_object **conf)
{
	struct json_object *module = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *initiator = json_object_new_object();

	json_add_str(module, "module", "Upload");
	*dsl = wrap("components", wrap(UPLOAD, module));
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
		    wrap("0", wrap(UPLOAD, json_object_get(parameters))))));
}
