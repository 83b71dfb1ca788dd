/*
 * Questions to services.  Called by auth.c, auth_client.c and
 * api_party_create.c.
 */
#include "fcgi-app/hook_ask.h"

#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/auth_client.h"
#include "fcgi-app/auth_refusal.h"
#include "fcgi-app/caller.h"
#include "fcgi-app/origin.h"
#include "fcgi-app/turns.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_audit.h"
#include "lib/hook/hook.h"
#include "lib/json/json.h"

static struct json_object *
question(const struct request *req, enum hook_kind kind)
{
	struct json_object *o = json_object_new_object();
	const char *from = request_env(req, "REMOTE_ADDR");

	json_add_str(o, "hook", hook_name(kind));
	json_add_str(o, "site", req->app->conf->party_id);
	json_add_str(o, "method", req->method);
	json_add_str(o, "path", req->path);
	json_add_str(o, "address", from != NULL ? from : "");
	return o;
}

/* What was allowed; refusals are recorded by who refuses because of them. */
static int
record(struct request *req, enum hook_kind kind, const char *actor,
    const struct hook_answer *a)
{
	return db_audit_add(req->app->db,
	    &(struct db_audit){ .actor = actor,
		.action = arena_printf(req->arena, "hook %s", hook_name(kind)),
		.subject = req->path,
		.outcome = "ok",
		.detail = arena_printf(req->arena, "allowed in %lld us%s%s",
		    (long long)a->elapsed_us, a->message[0] != '\0' ? ": " : "",
		    a->message) });
}

static int
ask(struct request *req, enum hook_kind kind, const char *actor,
    struct json_object *q, struct hook_answer *a)
{
	/* A copied request has the same headers: only the service can tell.
	 * And who has something explained wants to know what holds now. */
	bool fresh = (kind == HOOK_CLIENT && hook_decides_clients(req) &&
			 caller_is_signed(req)) ||
		     json_get_bool(q, "explain", false);
	int r;

	if (req->app->hook_turns != NULL &&
	    (r = turns_take(req->app->hook_turns)) != 0)
		return r;
	r = hook_ask(req->app->hooks, kind, q, fresh, a);
	if (req->app->hook_turns != NULL)
		turns_give(req->app->hook_turns);
	if (r == ERR_BUSY)
		return auth_record_refusal(req, actor,
		    arena_printf(req->arena, "hook %s", hook_name(kind)));
	if (r == 0 && !a->remembered)
		r = record(req, kind, actor, a);
	return r;
}

/* --- users ------------------------------------------------------------------- */

int
hook_ask_client(struct request *req)
{
	struct json_object *q;
	struct hook_answer a;
	int r;

	if (!hooks_have(req->app->hooks, HOOK_CLIENT) ||
	    hook_decides_clients(req))
		return 0;
	q = question(req, HOOK_CLIENT);
	json_add_str(q, "name", req->caller.name);
	json_add_str(q, "role", client_role_name(req->caller.role));
	r = ask(req, HOOK_CLIENT, req->caller.name, q, &a);
	json_object_put(q);
	return r == ERR_DENIED ? err_set(ERR_AUTH, "%s", err_text()) : r;
}

bool
hook_decides_clients(const struct request *req)
{
	return req->app->conf->hook_client_alone &&
	       hooks_have(req->app->hooks, HOOK_CLIENT);
}

/* The service looks at what the caller shows; never at cookies, which a
 * browser sends for whoever makes it. */
static void
add_headers(const struct request *req, struct json_object *q)
{
	static const char *const names[] = { "AUTHORIZATION", "TIMESTAMP",
		"NONCE", "APP_KEY", "SIGNATURE" };
	struct json_object *o = json_object_new_object();
	const char *value;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		value = request_header(req, names[i]);
		if (value != NULL && str_is_utf8(value, strlen(value)))
			json_add_str(o, names[i], value);
	}
	json_add(q, "headers", o);
	json_add_str(q, "target", req->target);
}

int
hook_ask_who(struct request *req)
{
	struct json_object *q;
	struct hook_answer a;
	int r;

	if ((r = origin_check(req)) != 0)
		return r;
	q = question(req, HOOK_CLIENT);
	add_headers(req, q);
	r = ask(req, HOOK_CLIENT, "client", q, &a);
	json_object_put(q);
	if (r != 0)
		return r == ERR_DENIED ? err_set(ERR_AUTH, "%s", err_text())
				       : r;
	req->caller.role = client_role_parse(a.role);
	if (req->caller.role == CLIENT_NOBODY ||
	    !str_is_name(a.name, sizeof(a.name) - 1))
		return err_set(ERR_AUTH,
		    "the service for %s allows, but does not say as whom: "
		    "\"data\" needs a name and a role (viewer, modeler, admin)",
		    hook_name(HOOK_CLIENT));
	req->caller.name = arena_printf(req->arena, "client %s", a.name);
	return 0;
}

/* --- partners ---------------------------------------------------------------- */

int
hook_ask_site(struct request *req)
{
	const char *subject = request_env(req, "SSL_CLIENT_S_DN");
	struct json_object *q;
	struct hook_answer a;
	int r;

	if (!hooks_have(req->app->hooks, HOOK_SITE))
		return 0;
	q = question(req, HOOK_SITE);
	json_add_str(q, "src_party_id", req->caller.party);
	json_add_str(q, "certificate", subject != NULL ? subject : "");
	r = ask(req, HOOK_SITE, req->caller.name, q, &a);
	json_object_put(q);
	return r == ERR_DENIED ? err_set(ERR_AUTH, "%s", err_text()) : r;
}

static void
add_wishes(
    struct json_object *q, const struct permit_decision *wishes, size_t n)
{
	struct json_object *components = json_object_new_array();
	struct json_object *datasets = json_object_new_array(), *o;
	size_t i;

	for (i = 0; i < n; i++) {
		const struct permit_decision *d = &wishes[i];

		if (d->kind == PERMIT_COMPONENT) {
			json_object_array_add(
			    components, json_object_new_string(d->subject));
		} else if (d->kind == PERMIT_DATASET) {
			o = json_object_new_object();
			json_add_str(o, "namespace", d->subject);
			json_add_str(o, "name", d->detail);
			json_object_array_add(datasets, o);
		}
	}
	json_add(q, "component_list", components);
	json_add(q, "dataset_list", datasets);
}

static struct json_object *
permission_question(const struct request *req, const struct permit_ask *p,
    const struct permit_decision *wishes, size_t n)
{
	struct json_object *q = question(req, HOOK_PERMISSION);

	json_add_str(q, "command", p->command);
	json_add_str(q, "job_id", p->job_id);
	json_add_str(q, "src_party_id", p->party);
	json_add_str(q, "src_role", p->src_role);
	json_add_str(q, "party_id", p->party_id);
	json_add_str(q, "role", p->role);
	add_wishes(q, wishes, n);
	return q;
}

int
hook_ask_permission(struct request *req, const struct permit_ask *p,
    const struct permit_decision *wishes, size_t n)
{
	struct json_object *q;
	struct hook_answer a;
	int r;

	if (!hooks_have(req->app->hooks, HOOK_PERMISSION))
		return 0;
	q = permission_question(req, p, wishes, n);
	r = ask(req, HOOK_PERMISSION, req->caller.name, q, &a);
	json_object_put(q);
	return r;
}

/* --- explaining ---------------------------------------------------------------- */

static int
explain_permission(void *ctx, struct arena *arena, const struct permit_ask *p,
    const struct permit_decision *wishes, size_t n, bool *allowed,
    const char **said)
{
	struct request *req = ctx;
	struct json_object *q = permission_question(req, p, wishes, n);
	struct hook_answer a = { .message = "" };
	int r;

	json_add_bool(q, "explain", true);
	r = ask(req, HOOK_PERMISSION, req->caller.name, q, &a);
	json_object_put(q);
	*allowed = r == 0;
	if (r != 0 && r != ERR_DENIED && r != ERR_BUSY)
		return r;
	*said = r != 0 ? arena_strdup(arena, err_text())
		       : arena_printf(arena, "the service for %s allows it%s%s",
			     hook_name(HOOK_PERMISSION),
			     a.message[0] != '\0' ? ": " : "", a.message);
	err_clear();
	return 0;
}

const struct permit_service *
hook_explains(struct request *req)
{
	struct permit_service *s;

	if (!hooks_have(req->app->hooks, HOOK_PERMISSION))
		return NULL;
	s = arena_alloc(req->arena, sizeof(*s));
	*s = (struct permit_service){ explain_permission, req };
	return s;
}
