/*
 * Authentication.  Called by dispatch.c for every request, in two steps:
 * the listener before the body, the caller after it.
 */
#include "fcgi-app/auth.h"

#include "fcgi-app/app.h"
#include "fcgi-app/auth_client.h"
#include "fcgi-app/auth_monitor.h"
#include "fcgi-app/auth_partner.h"
#include "fcgi-app/auth_refusal.h"
#include "fcgi-app/caller.h"
#include "fcgi-app/form.h"
#include "fcgi-app/hook_ask.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db.h"
#include "lib/db/db_recover.h"

int
auth_listener(struct request *req)
{
	bool partner = req->listener == LISTENER_PARTNER;

	if (req->listener == LISTENER_NONE) {
		err_set(ERR_AUTH, "the front end did not say by which "
				  "listener the request came");
		return auth_refused(req, "?", ERR_AUTH);
	}
	switch (req->route->audience) {
	case AUDIENCE_PUBLIC:
		return 0;
	case AUDIENCE_LOGIN:
	case AUDIENCE_VIEWER:
	case AUDIENCE_MODELER:
	case AUDIENCE_ADMIN:
	case AUDIENCE_MONITOR:
		if (!partner)
			return 0;
		break;
	case AUDIENCE_PARTNER:
		if (partner)
			return 0;
		break;
	}
	err_set(ERR_AUTH, "%s is not for %s", req->path,
	    partner ? "partners" : "this site's users");
	return auth_refused(req, partner ? "partner" : "client", ERR_AUTH);
}

static const char *
claimed_key(struct request *req)
{
	const char *claimed = request_header(req, "APP_KEY");

	return claimed == NULL
		   ? "client"
		   : arena_printf(req->arena, "client, APP_KEY %.64s", claimed);
}

int
auth_caller(struct request *req)
{
	const char *who, *claimed;
	int r;

	/* Times of signatures are judged by the database's. */
	if (req->route->audience != AUDIENCE_PUBLIC)
		db_clock_follow(req->app->db);
	switch (req->route->audience) {
	case AUDIENCE_PUBLIC:
	case AUDIENCE_LOGIN:
		return 0;
	case AUDIENCE_MONITOR:
		if (auth_monitor(req)) {
			req->is_proven = true;
			return 0;
		}
		/* fallthrough */
	case AUDIENCE_VIEWER:
	case AUDIENCE_MODELER:
	case AUDIENCE_ADMIN:
		r = auth_client(req);
		if (r == ERR_AUTH && req->route->audience == AUDIENCE_MONITOR &&
		    !caller_is_signed(req))
			r = auth_monitor_refused(req);
		who = claimed_key(req);
		if (r == 0 && (r = auth_role(req)) != 0)
			return auth_refused(req, req->caller.name, r);
		if (r == 0 && (r = hook_ask_client(req)) != 0)
			who = req->caller.name;
		break;
	case AUDIENCE_PARTNER:
		if ((r = auth_partner(req)) == 0)
			r = hook_ask_site(req);
		claimed = request_header(req, "SLUICE_PARTY");
		who = arena_printf(req->arena, "claims to be party %.20s",
		    claimed != NULL ? claimed : "?");
		break;
	default:
		return err_set(ERR_AUTH, "the route has no audience");
	}
	if (r == ERR_AUTH || r == ERR_FORMAT)
		return auth_refused(req, who, ERR_AUTH);
	if (r == ERR_CLOCK)
		return auth_refused(req, who, r);
	if (r == 0) {
		db_set_actor(req->app->db, req->caller.name);
		req->is_proven = true;
	}
	return r;
}

int
auth_early(struct request *req)
{
	int r;

	/* The classic client's uploads say all in the query. */
	if (hook_decides_clients(req) || !caller_is_signed(req) ||
	    (form_is_multipart(req) && request_query_is_json(req)))
		return auth_caller(req);
	db_clock_follow(req->app->db);
	if ((r = auth_client_early(req)) == ERR_AUTH)
		return auth_refused(req, claimed_key(req), r);
	return r;
}
