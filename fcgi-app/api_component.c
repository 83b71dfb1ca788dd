/*
 * Components: which there are, and whether parameters would do.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/provider_set.h"
#include "fcgi-app/provider_view.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"
#include "lib/json/faults.h"
#include "lib/json/merge.h"
#include "lib/provider/manifest.h"
#include "lib/provider/params.h"

int
api_component_all(struct request *req, struct reply *rp)
{
	int r;

	if ((r = provider_set_refresh(req->app)) != 0)
		return r;
	return reply_data(rp, provider_view_components(req->app->providers));
}

int
api_component_get(struct request *req, struct reply *rp)
{
	struct json_object *o;
	int r;

	if ((r = provider_set_refresh(req->app)) != 0)
		return r;
	o = provider_view_component(
	    req->app->providers, request_param(req, "name"));
	return o == NULL ? 0 : reply_data(rp, o);
}

/* --- validate ------------------------------------------------------------- */

struct check {
	const char *component;
	const char *module;
	const char *role; /* NULL: any */
	struct json_object *parameters;
};

/*
 * Parameters come as those of the component, or as a conf has them:
 * {"common": {COMPONENT: …}, "role": {ROLE: {INDEX: {COMPONENT: …}}}}.  The
 * result is the caller's.
 */
static struct json_object *
parameters_of(const struct check *c)
{
	struct json_object *out = json_object_new_object(), *role, *one;

	if (!json_is_object(json_get(c->parameters, "common")) &&
	    !json_is_object(json_get(c->parameters, "role"))) {
		json_merge(out, c->parameters);
		return out;
	}
	one = json_path_get(c->parameters, "common", c->component);
	if (json_is_object(one))
		json_merge(out, one);
	role = c->role != NULL ? json_path_get(c->parameters, "role", c->role)
			       : NULL;
	if (!json_is_object(role))
		return out;
	json_object_object_foreach(role, index, value)
	{
		(void)index;
		one = json_get(value, c->component);
		if (json_is_object(one))
			json_merge(out, one);
	}
	return out;
}

static void
check_role(const struct module *m, const struct check *c, struct faults *faults)
{
	struct buf text = BUF_INIT;
	size_t i;

	if (c->role == NULL || module_has_role(m, c->role))
		return;
	for (i = 0; m->roles[i] != NULL; i++)
		buf_printf(&text, "%s%s", i > 0 ? ", " : "", m->roles[i]);
	faults_add(faults, JSON_PATH_KEY(NULL, "role"),
	    "%s does not run as %.20s; it has %s", m->name, c->role,
	    buf_str(&text));
	buf_fini(&text);
}

static void
check_all(
    const struct request *req, const struct check *c, struct faults *faults)
{
	struct json_object *given, *complete = NULL;
	const struct module *m;
	const char *nearest;

	m = providers_module(req->app->providers, c->module);
	if (m == NULL) {
		nearest =
		    providers_nearest_module(req->app->providers, c->module);
		faults_add(faults, JSON_PATH_KEY(NULL, "component_module_name"),
		    "no provider offers %.100s%s%s", c->module,
		    nearest != NULL ? "; did you mean " : "",
		    nearest != NULL ? nearest : "");
		return;
	}
	check_role(m, c, faults);
	given = parameters_of(c);
	(void)params_complete(m, given,
	    JSON_PATH_KEY(NULL, "component_parameters"), faults, &complete);
	json_object_put(complete);
	json_object_put(given);
}

int
api_component_validate(struct request *req, struct reply *rp)
{
	struct json_object *version = request_field(req, "dsl_version");
	struct check c = { .component = request_text(req, "component_name"),
		.module = request_text(req, "component_module_name"),
		.role = request_text(req, "role"),
		.parameters = request_field(req, "component_parameters") };
	struct faults faults = FAULTS_INIT;
	struct buf text = BUF_INIT;
	int64_t v = 2;
	int r;

	if ((r = provider_set_refresh(req->app)) != 0)
		return r;
	if (c.component == NULL || c.module == NULL ||
	    !json_is_object(c.parameters))
		return reply_status(rp, 400,
		    "component_name and component_module_name must be there, "
		    "component_parameters as an object");
	if (version != NULL &&
	    (!json_whole_number(version, true, &v) || v != 2))
		return reply_status(rp, 400, "dsl_version must be 2");
	check_all(req, &c, &faults);
	if (faults_any(&faults)) {
		err_clear();
		faults_text(&faults, &text);
		reply_status(rp, 400, "%s", buf_str(&text));
		rp->errors = faults_json(&faults);
	}
	buf_fini(&text);
	faults_fini(&faults);
	return 0;
}
