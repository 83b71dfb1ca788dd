/*
 * The types of common fields.  Called by dispatch.c for users' requests.
 */
#include "fcgi-app/body_types.h"

#include <string.h>

#include "fcgi-app/request.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

#define BODY_LIST_MAX 1000

static const char *const scalars[] = { "component_module_name",
	"component_name", "connector_name", "data_name", "delimiter",
	"description", "engine", "engine_name", "file_only", "filename",
	"force", "force_update", "head", "job_id", "key", "key_name",
	"log_type", "method", "metric_name", "metric_namespace", "model_id",
	"model_version", "module", "name", "namespace", "new_tag_desc",
	"new_tag_name", "notes", "only_latest", "order", "order_by",
	"output_name", "output_namespace", "output_path", "partner", "party_id",
	"protocol", "resource_in_use", "reverse", "role", "server_name",
	"service_id", "service_name", "sha256", "status", "step_name",
	"stop_status", "storage_engine", "table_name", "tag_desc", "tag_name",
	"task_id", "unify_model_version", "uri", "with_model" };

/* Where one of them may be more. */
static const struct {
	const char *path;
	enum json_type type;
	const char *fields;
} exceptions[] = {
	{ "/v1/job/query", json_type_array, "" }, /* every column */
	{ "/v1/job/config", json_type_array, "" },
	{ "/v1/job/task/query", json_type_array, "" },
	{ "/v1/job/data/view/query", json_type_array, "" },
	{ "/v1/job/report", json_type_array, "" },
	{ "/v1/job/clean", json_type_array,
	    "role,party_id,component_name,"
	    "status" },
	{ "/v1/job/list/job", json_type_array, "role,status" },
	{ "/v1/job/list/task", json_type_array, "role,party_id" },
	{ "/v1/job/rerun", json_type_array, "component_name" },
	{ "/v1/model/load", json_type_object, "role" },
	{ "/v1/model/bind", json_type_object, "role" },
	{ "/v1/model/migrate", json_type_object, "role" },
};

static bool
in_list(const char *list, const char *name)
{
	size_t n;

	for (; *list != '\0'; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		if (strlen(name) == n && memcmp(list, name, n) == 0)
			return true;
	}
	return false;
}

static bool
is_exception(const char *path, enum json_type type, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		if (exceptions[i].type != type ||
		    !str_eq(exceptions[i].path, path))
			continue;
		return exceptions[i].fields[0] == '\0' ||
		       in_list(exceptions[i].fields, name);
	}
	return false;
}

/* A filter may name many, but not so many that finding them takes long. */
static int
check_list(const char *name, struct json_object *list)
{
	size_t i, n = json_object_array_length(list);
	struct json_object *o;

	if (n > BODY_LIST_MAX)
		return err_set(ERR_INVALID, "/%s: has %zu values, at most %d",
		    name, n, BODY_LIST_MAX);
	for (i = 0; i < n; i++) {
		o = json_object_array_get_idx(list, i);
		if (json_is_object(o) || json_is_array(o))
			return err_set(ERR_INVALID,
			    "/%s/%zu: must be text or a number (found an %s)",
			    name, i, json_type_text(o));
	}
	return 0;
}

int
body_types_check(const struct request *req)
{
	struct json_object *o;
	enum json_type type;
	size_t i;
	int r;

	for (i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++) {
		o = request_field(req, scalars[i]);
		type = json_object_get_type(o);
		if (type != json_type_object && type != json_type_array)
			continue;
		if (!is_exception(req->route->pattern, type, scalars[i]))
			return err_set(ERR_INVALID,
			    "/%s: must be text or a number (found an %s)",
			    scalars[i], json_type_text(o));
		if (type == json_type_array &&
		    (r = check_list(scalars[i], o)) != 0)
			return r;
	}
	return 0;
}
