/*
 * What partners ask this site's members on errands of their users.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/hook_ask.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/model/job_spec.h"
#include "lib/party/errand.h"

int
api_errand(struct request *req, struct reply *rp)
{
	const struct party_caller who = { .party_id = req->caller.party };
	const struct errand_kind *kind;
	struct json_object *data = NULL;
	struct errand_ask ask = {
		.db = req->app->db,
		.conf = req->app->conf,
		.arena = req->arena,
		.caller = &who,
		.role = request_param(req, "role"),
		.party_id = request_param(req, "party"),
		.service = hook_explains(req),
		.providers = req->app->providers,
		.body = req->json,
		.data = &data,
	};
	int r;

	if (!req->has_body && req->raw.len != 0)
		return err_set(ERR_INVALID, "the body was not read: %s",
		    req->body_fault != NULL ? req->body_fault : "?");
	if (!str_is_name(ask.role, JOB_ROLE_MAX))
		return err_set(ERR_INVALID, "'%.40s' is no role", ask.role);
	if (strcmp(ask.party_id, req->app->conf->party_id) != 0)
		return err_set(ERR_DENIED, "party %.10s is not at this site",
		    ask.party_id);
	kind = errand_find(request_param(req, "kind"));
	if (kind == NULL)
		return err_set(ERR_UNSUPPORTED,
		    "this site knows no errand '%.40s'",
		    request_param(req, "kind"));
	if ((r = kind->ask(&ask)) != 0)
		json_object_put(data);
	else
		reply_data(rp, data);
	return r;
}
