/*
 * Providers as the platform's clients see them, and their registration.
 *
 * A path that a client names would be code execution.  So nothing is read
 * from it: it must be, letter for letter, the folder below the site's own
 * folder of providers where the operator has put this name and version.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/provider_set.h"
#include "fcgi-app/provider_view.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_provider.h"
#include "lib/provider/manifest.h"

/* --- looking -------------------------------------------------------------- */

int
api_provider_list(struct request *req, struct reply *rp)
{
	int r;

	if ((r = provider_set_refresh(req->app)) != 0)
		return r;
	return reply_data(rp, provider_view_all(req->app->providers));
}

int
api_provider_get(struct request *req, struct reply *rp)
{
	const struct provider *p;
	int r;

	if ((r = provider_set_refresh(req->app)) != 0)
		return r;
	p = providers_find(
	    req->app->providers, request_param(req, "name"), NULL);
	return p == NULL
		   ? 0
		   : reply_data(rp, provider_view_one(req->app->providers, p));
}

int
api_provider_registry(struct request *req, struct reply *rp)
{
	struct json_object *data, *settings;
	int r;

	if ((r = provider_set_refresh(req->app)) != 0)
		return r;
	data = json_object_new_object();
	settings = json_object_new_object();
	json_add(data, "providers", provider_view_all(req->app->providers));
	json_add(
	    data, "components", provider_view_components(req->app->providers));
	json_add(data, "default_settings", settings);
	return reply_data(rp, data);
}

/* --- registration --------------------------------------------------------- */

/* A name and a version as folders have them; NULL when they are none. */
static const char *
folder_of(const struct request *req, const char *name, const char *version)
{
	if (name == NULL || version == NULL || !str_is_name(name, 100) ||
	    strlen(version) > 30 || !isdigit((unsigned char)version[0]) ||
	    strspn(version, "0123456789.") != strlen(version) ||
	    strstr(version, "..") != NULL)
		return NULL;
	return arena_printf(req->arena, "%s/%s/%s",
	    req->app->conf->providers_dir, name, version);
}

static bool
is_same_folder(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	if (path == NULL || strncmp(path, folder, n) != 0)
		return false;
	/* A slash at the end is how some write folders. */
	return strspn(path + n, "/") == strlen(path + n);
}

static int
check_program(const struct provider *p)
{
	return access(p->program, X_OK) == 0
		   ? 0
		   : err_set_errno(
			 ERR_IO, "its program %s cannot be run", p->program);
}

/* Everything below the site's folder is read anew; nothing else. */
static int
load_with(struct request *req, const char *name, const char *version,
    struct providers **out)
{
	const struct provider *p;
	int r;

	if ((r = providers_load(req->app->conf->providers_dir, out)) != 0)
		return r;
	p = providers_find(*out, name, version);
	if (p == NULL || strcmp(p->name, name) != 0 ||
	    strcmp(p->version, version) != 0)
		r = err_set(ERR_NOT_FOUND,
		    "there is no folder %s/%s with a manifest.json below %s",
		    name, version, req->app->conf->providers_dir);
	else if ((r = check_program(p)) == 0)
		r = provider_check_tags(p);
	if (r != 0) {
		providers_free(*out);
		*out = NULL;
	}
	return r;
}

struct registering {
	const char *name, *version, *by;
};

static int
register_tx(struct db *db, void *ctx)
{
	const struct registering *g = ctx;

	return db_provider_register(db, g->name, g->version, g->by);
}

static int
record(struct request *req, const char *name, const char *version)
{
	struct registering g = { name, version, req->caller.name };

	return db_audit_do(req->app->db, register_tx, &g,
	    &(struct db_audit){ .actor = req->caller.name,
		.action = "provider/register",
		.subject = arena_printf(req->arena, "%s@%s", name, version),
		.outcome = "ok" });
}

/* {instance id: how it went}: all instances read the same rows. */
static int
answer_registered(struct request *req, struct reply *rp)
{
	struct json_object *data = json_object_new_object();
	struct json_object *one = json_object_new_object();
	char host[SITE_HOST_SIZE];

	site_host(req->app->conf, host);
	json_add_int(one, "retcode", 0);
	json_add_str(one, "retmsg", "success");
	json_add(data,
	    arena_printf(
		req->arena, "flow-%s-%s", host, req->app->conf->party_id),
	    one);
	return reply_data(rp, data);
}

int
api_provider_register(struct request *req, struct reply *rp)
{
	const char *name = request_text(req, "name");
	const char *version = request_text(req, "version");
	const char *path = request_text(req, "path"), *folder;
	struct providers *fresh = NULL;
	int r;

	if ((r = request_require(req, "name,version,path")) != 0)
		return r;
	if ((folder = folder_of(req, name, version)) == NULL)
		return reply_status(rp, 400,
		    "name must be letters, digits, - and _, version dotted "
		    "numbers, as the provider's folders are called");
	if (!is_same_folder(path, folder))
		return reply_status(rp, 400,
		    "a provider is registered from this site's own folder of "
		    "providers only: let the operator put it to %s (with its "
		    "manifest.json and program), then register that path",
		    folder);
	if ((r = load_with(req, name, version, &fresh)) != 0) {
		reply_fault(rp, 103, "%s@%s is not registered: %s", name,
		    version, err_text());
		err_clear();
		return 0;
	}
	if ((r = record(req, name, version)) == 0)
		log_info("provider %s@%s registered", name, version);
	providers_free(fresh);
	/* This worker takes the same way as all others. */
	return r != 0 || (r = provider_set_refresh(req->app)) != 0
		   ? r
		   : answer_registered(req, rp);
}

int
api_provider_update(struct request *req, struct reply *rp)
{
	const char *name = request_text(req, "name");
	const char *version = request_text(req, "version");
	const struct provider *p;
	int r;

	if ((r = request_require(req, "name,version")) != 0 ||
	    (r = provider_set_refresh(req->app)) != 0)
		return r;
	p = name == NULL || version == NULL
		? NULL
		: providers_find(req->app->providers, name, version);
	if (p == NULL || provider_version_cmp(p->version, version) != 0)
		return reply_fault(rp, 103,
		    "provider %.100s@%.30s is not known here; register it "
		    "first",
		    name != NULL ? name : "null",
		    version != NULL ? version : "null");
	return 0;
}
