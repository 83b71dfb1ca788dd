/*
 * Authentication of users.  Called by auth.c with the body read.
 */
#include "fcgi-app/auth_client.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/caller.h"
#include "fcgi-app/form.h"
#include "fcgi-app/hook_ask.h"
#include "fcgi-app/origin.h"
#include "fcgi-app/route.h"
#include "fcgi-app/session.h"
#include "fcgi-app/throttle.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_client_key.h"
#include "lib/db/db_client_nonce.h"
#include "lib/sign/client_sign.h"
#include "lib/sign/client_vault.h"

#define APP_KEY_MAX 64

/* --- roles ---------------------------------------------------------------- */

int
auth_role(const struct request *req)
{
	enum client_role need = route_role(req->route);

	if (req->caller.role >= need)
		return 0;
	return err_set(ERR_DENIED, "%s has the role %s; %s needs %s",
	    req->caller.name, client_role_name(req->caller.role), req->path,
	    client_role_name(need));
}

/* --- without any of it: this machine only ------------------------------- */

static int
say_what_to_do(struct request *req)
{
	bool any;
	int r;

	if ((r = db_client_key_any(req->app->db, &any)) != 0)
		return r;
	if (any)
		return err_set(ERR_AUTH,
		    "the request is not signed: this site wants the headers "
		    "TIMESTAMP, NONCE, APP_KEY and SIGNATURE (give your "
		    "client an app key and its secret, such as by \"flow init "
		    "--app-key … --secret-key …\"), or a session "
		    "(/v1/session/login)");
	return err_set(ERR_AUTH,
	    "this site's users must authenticate and it has no client keys "
	    "yet: its operator makes one by \"sluice key create NAME --role "
	    "modeler --config …/site.conf\"; to try things out on this machine "
	    "only, client_auth_off_on_loopback = yes in site.conf");
}

static int
unsigned_request(struct request *req)
{
	int r;

	if (req->listener != LISTENER_CLIENT_LOOPBACK ||
	    !req->app->conf->client_auth_off_on_loopback)
		return say_what_to_do(req);
	if (!caller_is_loopback(req))
		return err_set(ERR_AUTH, "not a loopback address");
	if ((r = origin_check(req)) != 0)
		return r;
	req->caller.role = CLIENT_ADMIN;
	req->caller.name = AUTH_UNSIGNED;
	return 0;
}

/* --- signed by a client key ------------------------------------------------- */

struct signature {
	struct client_request request;
	const char *value;
	int64_t time_ms;
};

static int
take_header(struct request *req, const char *name, size_t max, const char **out)
{
	if ((*out = request_header(req, name)) == NULL)
		return err_set(ERR_AUTH, "header %s is missing", name);
	if (strlen(*out) > max)
		return err_set(
		    ERR_AUTH, "header %s is longer than %zu bytes", name, max);
	return str_is_utf8(*out, strlen(*out))
		   ? 0
		   : err_set(ERR_AUTH, "header %s is not UTF-8", name);
}

static int
take_headers(struct request *req, struct signature *s)
{
	struct client_request *q = &s->request;
	int r;

	if ((r = take_header(req, "TIMESTAMP", 20, &q->timestamp)) != 0 ||
	    (r = take_header(req, "NONCE", CLIENT_NONCE_MAX, &q->nonce)) != 0 ||
	    (r = take_header(req, "APP_KEY", APP_KEY_MAX, &q->app_key)) != 0 ||
	    (r = take_header(req, "SIGNATURE", 64, &s->value)) != 0)
		return r;
	q->target = req->target;
	return client_check_time(q->timestamp, clock_wall_ms(), &s->time_ms);
}

/* What of the body is signed: JSON as it came, or the form's text fields. */
static void
take_body(struct request *req, struct client_request *q, struct buf *form)
{
	if (!form_is_multipart(req) && !form_is_urlencoded(req)) {
		q->body = req->raw.data;
		q->body_len = req->raw.len;
	} else {
		form_canonical(req, form);
		q->form = buf_str(form);
	}
}

/* The vault's file may have been made after this worker started. */
static int
open_vault(struct app *app)
{
	if (app->vault != NULL)
		return 0;
	return client_vault_load(app->conf->client_vault_file, &app->vault);
}

static int
check_signature(struct request *req, const struct db_client_key *key,
    const struct signature *s)
{
	char secret[CLIENT_SECRET_MAX + 1];
	int r;

	if ((r = open_vault(req->app)) != 0)
		return r;
	r = client_vault_open(
	    req->app->vault, key->app_key, key->secret, secret);
	if (r == 0)
		r = client_verify(secret, &s->request, s->value);
	sodium_memzero(secret, sizeof(secret));
	return r;
}

/* One of a kind by a hash of all that makes it so. */
static int
use_nonce(struct request *req, const struct signature *s)
{
	const struct client_request *q = &s->request;
	struct db_client_nonce nonce = { .time_ms = s->time_ms,
		.window_ms = CLIENT_WINDOW_MS };
	struct buf text = BUF_INIT;
	int r;

	buf_printf(&text, "%s\n%s\n%s", q->app_key, q->timestamp, q->nonce);
	(void)crypto_generichash(nonce.hash, sizeof(nonce.hash),
	    (const unsigned char *)text.data, text.len, NULL, 0);
	buf_fini(&text);
	r = db_client_nonce_use(req->app->db, &nonce);
	if (r == ERR_EXISTS)
		return err_set(ERR_AUTH,
		    "replay: a request with this NONCE and TIMESTAMP was "
		    "answered before; sign each request anew");
	return r == ERR_CONFLICT ? err_set(ERR_AUTH, "%s", err_text()) : r;
}

static int
check_key(struct request *req, const struct db_client_key *key,
    const struct signature *s)
{
	enum client_role role = client_role_parse(key->role);
	int r;

	if ((r = check_signature(req, key, s)) != 0)
		return r;
	/* Said only to who has the secret. */
	if (!key->enabled)
		return err_set(ERR_AUTH, "the key %s is disabled", key->name);
	if (role == CLIENT_NOBODY)
		return err_set(ERR_AUTH, "the key %s has no role", key->name);
	/* Last, so that only what is genuine takes room. */
	if ((r = use_nonce(req, s)) != 0)
		return r;
	req->caller.role = role;
	req->caller.name = arena_printf(req->arena, "client %s", key->name);
	return 0;
}

static int
find_key(struct request *req, struct signature *s, struct db_client_key **key)
{
	int r;

	if ((r = take_headers(req, s)) != 0)
		return r;
	r = db_client_key_get(
	    req->app->db, req->arena, s->request.app_key, key);
	if (r == ERR_NOT_FOUND)
		return err_set(ERR_AUTH, "APP_KEY %s is not known here",
		    s->request.app_key);
	return r;
}

static int
check_signed(struct request *req)
{
	struct signature s = { .value = NULL };
	struct buf form = BUF_INIT;
	struct db_client_key *key;
	int r;

	if ((r = find_key(req, &s, &key)) != 0)
		return r;
	take_body(req, &s.request, &form);
	r = check_key(req, key, &s);
	buf_fini(&form);
	return r;
}

static int
check_early(struct request *req)
{
	struct signature s = { .value = NULL };
	struct db_client_key *key;
	int r;

	if ((r = find_key(req, &s, &key)) == 0 && !key->enabled)
		r = err_set(ERR_AUTH, "APP_KEY %s is disabled", key->app_key);
	return r;
}

/* One check of a signed request, unless too many have failed. */
static int
throttled(struct request *req, int (*check)(struct request *))
{
	const char *addr = request_env(req, "REMOTE_ADDR");
	const char *key = request_header(req, "APP_KEY");
	struct throttle *t = req->app->failures;
	const char *who, *why;
	int64_t wait_s;
	int r;

	/* By both, so that nobody else's key is locked out from elsewhere. */
	who = arena_printf(req->arena, "%s %.64s", addr != NULL ? addr : "?",
	    key != NULL ? key : "");
	if (t != NULL && (wait_s = throttle_wait_s(t, who)) > 0)
		return err_set(ERR_AUTH,
		    "more than %d requests with this APP_KEY failed to "
		    "authenticate lately; try again in %lld s",
		    THROTTLE_MAX, (long long)wait_s);
	r = check(req);
	if (r != ERR_AUTH || t == NULL || req->caller.was_known ||
	    !throttle_failed(t, who))
		return r;
	why = arena_strdup(req->arena, err_text());
	return err_set(ERR_AUTH, "%s (the last of many: wait a minute)", why);
}

int
auth_client_early(struct request *req)
{
	return throttled(req, check_early);
}

int
auth_client(struct request *req)
{
	if (hook_decides_clients(req))
		return throttled(req, hook_ask_who);
	if (caller_is_signed(req))
		return throttled(req, check_signed);
	if (session_has_cookie(req))
		return throttled(req, session_auth);
	return unsigned_request(req);
}
