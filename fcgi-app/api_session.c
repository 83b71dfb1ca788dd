/*
 * Log-in, log-out and what a person may do with their own account.
 */
#include <sodium.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/auth_refusal.h"
#include "fcgi-app/caller.h"
#include "fcgi-app/login.h"
#include "fcgi-app/origin.h"
#include "fcgi-app/route.h"
#include "fcgi-app/session.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/base/mem.h"
#include "lib/db/db_audit.h"
#include "lib/json/json.h"

/* The body held a password: nothing of it stays in memory. */
static void
wipe(struct request *req, const char *field)
{
	struct json_object *o = json_get(req->json, field);

	if (json_is_string(o))
		sodium_memzero((char *)(uintptr_t)json_object_get_string(o),
		    (size_t)json_object_get_string_len(o));
	if (req->raw.data != NULL)
		sodium_memzero(req->raw.data, req->raw.cap);
}

static int
recorded(struct request *req, db_tx_fn *fn, void *ctx, const char *actor,
    const char *action)
{
	return db_audit_do(req->app->db, fn, ctx,
	    &(struct db_audit){ .actor = actor,
		.action = action,
		.subject = req->path,
		.outcome = "ok",
		.detail = request_env(req, "REMOTE_ADDR") });
}

static struct json_object *
who(const char *name, enum client_role role, const char *by,
    const struct session *s, const struct site_conf *c)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "name", name);
	json_add_str(o, "role", client_role_name(role));
	json_add_str(o, "by", by);
	if (s != NULL) {
		json_add_str(o, "csrf_token", s->token);
		json_add_int(o, "idle_s", c->session_idle_s);
		json_add_int(o, "expires", s->expires_ms);
	}
	return o;
}

/* The same password at today's cost, when it was hashed at another. */
static const char *
rehash(struct request *req, const struct db_user *u, const char *password,
    char out[PASSWORD_HASH_SIZE])
{
	const struct password_cost cost = login_cost(req);

	if (!password_is_outdated(u->password, &cost) || login_turn(req) != 0)
		return NULL;
	if (password_hash(password, &cost, out) != 0)
		out = NULL; /* another time */
	login_turn_over(req);
	return out;
}

static int
begin_tx(struct db *db, void *ctx)
{
	return db_session_begin(db, ctx);
}

static int
begin(struct request *req, struct reply *rp, const struct db_user *u,
    const char *rehashed)
{
	const struct site_conf *c = req->app->conf;
	struct db_session_begin b = { .name = u->name,
		.password = u->password,
		.rehash = rehashed,
		.max_s = c->session_max_s };
	struct db_session *row = NULL;
	struct session s;
	int r;

	if ((r = session_new(req, rp, &s)) != 0)
		return r;
	memcpy(b.hash, s.hash, sizeof(b.hash));
	if ((r = db_session_sweep(req->app->db)) == 0 &&
	    (r = recorded(req, begin_tx, &b,
		 arena_printf(req->arena, "user %s", u->name), "log-in")) ==
		0 &&
	    (r = db_session_get(req->app->db, req->arena, s.hash,
		 c->session_idle_s, &row)) == 0 &&
	    (r = row->is_over ? err_set(ERR_AUTH, "over") : 0) == 0)
		s.expires_ms = row->expires_ms;
	if (r != 0) {
		session_forget(req, rp);
		return r == ERR_AUTH || r == ERR_NOT_FOUND
			   ? err_set(ERR_AUTH,
				 "the user was changed meanwhile: try again")
			   : r;
	}
	return reply_data(
	    rp, who(u->name, client_role_parse(row->role), "session", &s, c));
}

int
api_session_login(struct request *req, struct reply *rp)
{
	const char *name = json_get_str(req->json, "name", NULL), *password;
	char hash[PASSWORD_HASH_SIZE];
	struct db_user *u;
	int r;

	if ((r = origin_check(req)) != 0)
		return auth_record_refusal(req, "a page", "log-in");
	if (name == NULL || *name == '\0' || strlen(name) > 64)
		return err_set(
		    ERR_INVALID, "/name must be a text of 1 to 64 bytes");
	if ((r = login_take_password(req, "password", &password)) != 0)
		return r;
	if ((r = login_check(req, name, password, &u)) == 0)
		r = begin(req, rp, u, rehash(req, u, password, hash));
	wipe(req, "password");
	return login_refuse(rp, r);
}

static int
end_tx(struct db *db, void *ctx)
{
	const unsigned char *const *hash = ctx;

	return db_session_end(db, *hash);
}

int
api_session_logout(struct request *req, struct reply *rp)
{
	const unsigned char *hash;

	session_forget(req, rp);
	if (req->caller.session == NULL)
		return 0; /* by a key: there is nothing to end */
	hash = req->caller.session->hash;
	return recorded(req, end_tx, &hash, req->caller.name, "log-out");
}

int
api_session_get(struct request *req, struct reply *rp)
{
	const struct caller *c = &req->caller;
	const char *by = "key";

	if (c->session != NULL)
		by = "session";
	else if (!caller_is_signed(req))
		by = "loopback without authentication";
	return reply_data(rp, who(c->user != NULL ? c->user : c->name, c->role,
				  by, c->session, req->app->conf));
}

struct password {
	const struct db_user *user;
	const char *hash;
};

static int
password_tx(struct db *db, void *ctx)
{
	const struct password *p = ctx;

	return db_user_password(
	    db, p->user->name, p->user->password, p->hash, NULL);
}

static int
change(struct request *req, const struct db_user *u, const char *password)
{
	const struct password_cost cost = login_cost(req);
	char hash[PASSWORD_HASH_SIZE];
	int r;

	if ((r = password_acceptable(password, u->name)) != 0 ||
	    (r = login_turn(req)) != 0)
		return r;
	r = password_hash(password, &cost, hash);
	login_turn_over(req);
	return r != 0
		   ? r
		   : recorded(req, password_tx, &(struct password){ u, hash },
			 req->caller.name, "password changed");
}

/* All sessions end with the old password, the one that asks as well. */
int
api_session_password(struct request *req, struct reply *rp)
{
	const char *was, *now;
	struct db_user *u;
	int r;

	if (req->caller.session == NULL)
		return err_set(ERR_DENIED,
		    "a password is changed by who has logged in with it");
	if ((r = login_take_password(req, "old_password", &was)) != 0 ||
	    (r = login_take_password(req, "new_password", &now)) != 0)
		return r;
	if ((r = login_check(req, req->caller.user, was, &u)) == 0 &&
	    (r = change(req, u, now)) == 0)
		session_forget(req, rp);
	wipe(req, "old_password");
	wipe(req, "new_password");
	if (r != 0)
		return login_refuse(rp, r);
	return reply_message(rp,
	    "the password is changed and all sessions are ended: log in "
	    "with the new one");
}
