/*
 * The site itself: health, versions, resources.
 */
#include <stdio.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "fcgi-app/site_info.h"
#include "fcgi-app/view.h"
#include "lib/base/compatible.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_resource.h"

/*
 * What there is here.  The classic platform also names its dashboard, its
 * engines and the software below it; this site has none of them, so they
 * have no version: absent from all, null when asked for by name.
 */
static const struct {
	const char *module;
	const char *version;
} versions[] = {
	{ "FATE", COMPATIBLE_VERSION },
	{ "FATEFlow", COMPATIBLE_VERSION },
	{ "SLUICE", SLUICE_VERSION },
};

#define N_VERSIONS (sizeof(versions) / sizeof(versions[0]))

/* "on", or in words that nobody overlooks. */
static const char *
authentication(const struct request *req)
{
	return req->app->conf->client_auth_off_on_loopback ? "OFF ON LOOPBACK"
							   : "on";
}

/* This program runs; whether the site can work says /v1/ready. */
int
api_health(struct request *req, struct reply *rp)
{
	struct json_object *data;

	data = json_object_new_object();
	json_add_str(data, "party_id", req->app->conf->party_id);
	json_add_str(data, "version", SLUICE_VERSION);
	json_add_str(data, "authentication", authentication(req));
	return reply_data(rp, data);
}

static const char *
version_of(const char *module)
{
	size_t i;

	for (i = 0; i < N_VERSIONS; i++) {
		if (str_eq(versions[i].module, module))
			return versions[i].version;
	}
	return NULL;
}

int
api_version_get(struct request *req, struct reply *rp)
{
	const char *module = request_text(req, "module");
	struct json_object *data;

	if (module == NULL)
		module = "FATE";
	if (version_of(module) == NULL)
		return reply_status(
		    rp, 404, "no version of %s is known", module);
	data = json_object_new_object();
	json_add_str(data, module, version_of(module));
	json_add_str(data, "API", "v1");
	return reply_data(rp, data);
}

int
api_server_version(struct request *req, struct reply *rp)
{
	const char *module = request_text(req, "module");
	struct json_object *data = json_object_new_object();
	size_t i;

	if (module != NULL)
		json_add_str(data, module, version_of(module));
	for (i = 0; module == NULL && i < N_VERSIONS; i++)
		json_add_str(data, versions[i].module, versions[i].version);
	if (module == NULL && req->app->conf->client_auth_off_on_loopback)
		json_add_str(data, "AUTHENTICATION", authentication(req));
	json_add_str(data, "API", "v1");
	return reply_data(rp, data);
}

static void
add_pair(struct json_object *o, const char *name, int64_t ms)
{
	char key[48];

	(void)snprintf(key, sizeof(key), "f_%s_time", name);
	json_add(o, key, view_time(ms));
	(void)snprintf(key, sizeof(key), "f_%s_date", name);
	json_add(o, key, view_date(ms));
}

static struct json_object *
engine_json(const struct db_resource *have)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "f_engine_name", have->engine);
	json_add_str(o, "f_engine_type", "computing");
	json_add_str(o, "f_engine_entrance", "fateflow");
	json_add(o, "f_engine_config", json_object_new_object());
	json_add_int(o, "f_cores", have->cores);
	json_add_int(o, "f_memory", have->memory_mb);
	json_add_int(o, "f_remaining_cores", have->free_cores);
	json_add_int(o, "f_remaining_memory", have->free_memory_mb);
	json_add_int(o, "f_nodes", 1);
	add_pair(o, "create", have->updated_ms);
	add_pair(o, "update", have->updated_ms);
	return o;
}

static struct json_object *
grants_json(const struct db_grant *grants, size_t n)
{
	struct json_object *list = json_object_new_array(), *o;
	size_t i;

	for (i = 0; i < n; i++) {
		o = json_object_new_object();
		json_add_str(o, "job_id", grants[i].job_id);
		json_add_str(o, "role", grants[i].role);
		json_add_str(o, "party_id", grants[i].party_id);
		json_add_int(o, "core", grants[i].cores);
		json_add_int(o, "memory", grants[i].memory_mb);
		json_object_array_add(list, o);
	}
	return list;
}

int
api_resource_query(struct request *req, struct reply *rp)
{
	const char *engine = request_text(req, "engine_name");
	struct db_resource *have = NULL;
	struct db_grant *grants;
	struct json_object *data;
	size_t n;
	int r;

	r = db_resource_get(req->app->db, req->arena,
	    engine != NULL ? engine : DB_ENGINE_DEFAULT, &have);
	if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	if ((r = db_grant_list(req->app->db, req->arena, NULL,
		 request_flag(req, "resource_in_use", true), &grants, &n)) != 0)
		return r;
	data = json_object_new_object();
	json_add(data, "use_resource_job", grants_json(grants, n));
	json_add(data, "computing_engine_resource",
	    have != NULL ? engine_json(have) : json_object_new_object());
	return reply_data(rp, data);
}
