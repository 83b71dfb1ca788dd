/*
 * Called by api_dsl.c and api_deploy.c.
 */
#include "fcgi-app/dsl_body.h"

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"

#define DSL_TEXT_MAX (16 << 20)

static int
add_name(struct dsl_names *names, const char *field, const char *name)
{
	if (names->n == DSL_COMPONENTS_MAX)
		return err_set(ERR_LIMIT, "%s names more than %d", field,
		    DSL_COMPONENTS_MAX);
	names->items[names->n++] = name;
	return 0;
}

static int
split_names(struct request *req, const char *field, const char *text,
    struct dsl_names *names)
{
	char *s = arena_strdup(req->arena, text), *one;

	while ((one = strsep(&s, "[]{}(), \t\r\n\"'")) != NULL)
		if (*one != '\0' && add_name(names, field, one) != 0)
			return err_code();
	return 0;
}

int
dsl_body_names(struct request *req, const char *field, struct dsl_names *names)
{
	struct json_object *o = request_field(req, field), *x;
	size_t i;

	if (json_is_string(o))
		return split_names(
		    req, field, json_object_get_string(o), names);
	if (!json_is_array(o))
		return err_set(ERR_INVALID,
		    "%s must be names with commas between them, or a list of "
		    "names",
		    field);
	for (i = 0; i < json_object_array_length(o); i++) {
		x = json_object_array_get_idx(o, i);
		if (!json_is_string(x))
			return err_set(ERR_INVALID,
			    "%s/%zu must be a component's name", field, i);
		if (add_name(names, field, json_object_get_string(x)) != 0)
			return err_code();
	}
	return 0;
}

int
dsl_body_dsl(struct request *req, const char *field, struct json_object **out)
{
	struct json_object *o = request_field(req, field);
	const char *text;

	*out = NULL;
	if (json_is_object(o)) {
		*out = json_object_get(o);
		return 0;
	}
	if (!json_is_string(o))
		return err_set(ERR_INVALID,
		    "%s must be there, a DSL as JSON text or object", field);
	text = json_object_get_string(o);
	if (json_parse(text, strlen(text), DSL_TEXT_MAX, out) != 0)
		return err_wrap("%s", field);
	return 0;
}
