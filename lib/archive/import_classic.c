/*
 * An archive of the classic platform: no hashes, names from its define file.
 */
#include "lib/archive/import_private.h"

#include <string.h>

#include "lib/archive/yaml.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/model/model_object.h"
#include "lib/wire/check.h"

/* "variables/data/C/A/B" in parts, in the arena; false for other names. */
static bool
split_path(struct import_plan *p, const char *path, const char *parts[3])
{
	const char *s = path + strlen(MODEL_ARCHIVE_DATA "/");
	char *copy, *slash;

	if (!str_starts(path, MODEL_ARCHIVE_DATA "/") ||
	    str_ends(path, ".json"))
		return false;
	copy = arena_strdup(p->arena, s);
	for (int i = 0; i < 3; i++) {
		parts[i] = copy;
		slash = strchr(copy, '/');
		if ((slash == NULL) != (i == 2))
			return false;
		if (slash != NULL) {
			*slash = '\0';
			copy = slash + 1;
		}
	}
	return true;
}

static int
plan_classic(struct import_plan *p, struct json_object *define,
    const char *path, const char *const parts[3])
{
	bool is_pipeline = str_eq(parts[0], MODEL_PIPELINE);
	const char *message = json_get_str(
	    json_path_get(define, "model_proto", parts[0], parts[1]), parts[2],
	    is_pipeline ? MODEL_PIPELINE_BUFFER : NULL);
	const char *module =
	    json_get_str(json_path_get(define, "component_define", parts[0]),
		"module_name", is_pipeline ? MODEL_PIPELINE_MODULE : NULL);
	struct import_buffer *b;
	int r;

	if ((r = import_check_names(parts[0], parts[1], parts[2])) != 0)
		return r;
	if (message == NULL || module == NULL ||
	    !wire_is_path_part(message, NAME_MAX_) ||
	    !wire_is_path_part(module, NAME_MAX_))
		return err_set(ERR_FORMAT,
		    "member %s: " MODEL_ARCHIVE_DEFINE
		    " does not say of which module and message it is",
		    path);
	b = import_new_buffer(p, path);
	b->bytes = (int64_t)MODEL_OBJECT_MAX; /* at most */
	b->component = parts[0];
	b->alias = parts[1];
	b->name = parts[2];
	b->message = arena_strdup(p->arena, message);
	b->module = arena_strdup(p->arena, module);
	return 0;
}

int
import_classic(struct import_plan *p)
{
	struct json_object *define;
	int r;

	if (p->define_file.len == 0 || p->pipeline_file.len == 0)
		return err_set(ERR_FORMAT,
		    "this is no archive of a model: it has neither " MODEL_ARCHIVE_MANIFEST
		    " nor both of " MODEL_ARCHIVE_DEFINE " and " PIPELINE_PATH);
	if ((r = yaml_parse(
		 p->define_file.data, p->define_file.len, &define)) != 0)
		return err_wrap(MODEL_ARCHIVE_DEFINE);
	json_object_object_foreach(p->members, name, nothing)
	{
		const char *parts[3];

		(void)nothing;
		if (r == 0 && split_path(p, name, parts))
			r = plan_classic(p, define, name, parts);
	}
	json_object_put(define);
	p->n_model = p->n_items;
	return r;
}
