/*
 * What can be said of DSLs without a job: the inference DSL of a training DSL.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/model/dsl.h"
#include "lib/model/predict_dsl.h"

#define DSL_TEXT_MAX (16 << 20)

struct names {
	const char *items[DSL_COMPONENTS_MAX];
	size_t n;
};

static int
add_name(struct names *names, const char *name)
{
	if (names->n == DSL_COMPONENTS_MAX)
		return err_set(ERR_LIMIT, "cpn_str names more than %d",
		    DSL_COMPONENTS_MAX);
	names->items[names->n++] = name;
	return 0;
}

/* "a, b", also "[a, b]", with quotes and line ends: as command lines come. */
static int
split_names(struct request *req, const char *text, struct names *names)
{
	char *s = arena_strdup(req->arena, text), *one;

	while ((one = strsep(&s, "[]{}(), \t\r\n\"'")) != NULL)
		if (*one != '\0' && add_name(names, one) != 0)
			return err_code();
	return 0;
}

static int
read_names(struct request *req, struct json_object *o, struct names *names)
{
	struct json_object *x;
	size_t i;

	if (json_is_string(o))
		return split_names(req, json_object_get_string(o), names);
	if (!json_is_array(o))
		return err_set(ERR_INVALID,
		    "cpn_str must be names with commas between them, or a "
		    "list of names");
	for (i = 0; i < json_object_array_length(o); i++) {
		x = json_object_array_get_idx(o, i);
		if (!json_is_string(x))
			return err_set(ERR_INVALID,
			    "cpn_str/%zu must be a component's name", i);
		if (add_name(names, json_object_get_string(x)) != 0)
			return err_code();
	}
	return 0;
}

/* train_dsl as JSON text, or already as an object; the caller's. */
static int
read_dsl(struct json_object *o, struct json_object **out)
{
	const char *text;

	*out = NULL;
	if (json_is_object(o)) {
		*out = json_object_get(o);
		return 0;
	}
	if (!json_is_string(o))
		return err_set(ERR_INVALID,
		    "train_dsl must be there, a DSL as JSON text or object");
	text = json_object_get_string(o);
	if (json_parse(text, strlen(text), DSL_TEXT_MAX, out) != 0)
		return err_wrap("train_dsl");
	return 0;
}

static int
check_version(const struct request *req)
{
	int64_t version;

	if (request_int(req, "version", 2, 2, 2, &version) != 0 || version != 2)
		return err_set(ERR_INVALID,
		    "version must be 2; only the v2 version is supported");
	return 0;
}

static int
deduce(struct request *req, struct json_object **out)
{
	struct names *names = arena_alloc(req->arena, sizeof(*names));
	struct faults faults = FAULTS_INIT;
	struct json_object *dsl = NULL;
	int r;

	*out = NULL;
	if ((r = check_version(req)) != 0 ||
	    (r = read_names(req, request_field(req, "cpn_str"), names)) != 0 ||
	    (r = read_dsl(request_field(req, "train_dsl"), &dsl)) != 0)
		goto out;
	r = predict_dsl_deduce(dsl, names->items, names->n, &faults,
	    JSON_PATH_KEY(NULL, "train_dsl"), out);
	if (faults_any(&faults))
		r = faults_err(&faults, "no inference DSL follows");
out:
	json_object_put(dsl);
	faults_fini(&faults);
	return r;
}

int
api_dsl_generate(struct request *req, struct reply *rp)
{
	const char *file = request_text(req, "filename");
	struct json_object *dsl;
	int r;

	if (deduce(req, &dsl) != 0)
		return reply_status(rp, 210, "%s", err_text());
	if (file == NULL)
		return reply_data(rp, dsl);
	r = reply_file_json(rp, file, dsl);
	json_object_put(dsl);
	return r;
}
