/*
 * Sessions as requests carry them.  Called by auth_client.c and
 * api_session.c.
 */
#include "fcgi-app/session.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/auth_client.h"
#include "fcgi-app/caller.h"
#include "fcgi-app/origin.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"

#define COOKIE_LEN 43	/* base64 of 32 bytes without padding */
#define SEEN_EVERY_S 60 /* a write for each request would cost more than it */

/* Of the party, for cookies do not know ports: sites of one machine. */
static const char *
cookie_name(const struct request *req)
{
	return arena_printf(req->arena, "%ssluice-%s",
	    req->listener == LISTENER_CLIENT_TLS ? "__Host-" : "",
	    req->app->conf->party_id);
}

/*
 * The value of the one cookie of that name (RFC 6265, 4.2.1).  More than one
 * is somebody's attempt to put theirs before ours: *n says how many.
 */
static const char *
find_cookie(const struct request *req, size_t *len, size_t *n)
{
	const char *s = request_header(req, "COOKIE"), *name = cookie_name(req);
	const char *found = NULL;
	size_t name_len = strlen(name), pair;

	*n = 0;
	for (; s != NULL && *s != '\0'; s += pair + (s[pair] == ';')) {
		s += strspn(s, " \t");
		pair = strcspn(s, ";");
		if (pair <= name_len || strncmp(s, name, name_len) != 0 ||
		    s[name_len] != '=')
			continue;
		found = s + name_len + 1;
		*len = pair - name_len - 1;
		(*n)++;
	}
	return found;
}

bool
session_has_cookie(const struct request *req)
{
	size_t len, n;

	return find_cookie(req, &len, &n) != NULL;
}

static void
derive(const uint8_t id[SESSION_ID_SIZE], struct session *out)
{
	static const unsigned char csrf[] = "sluice csrf";
	uint8_t token[(SESSION_TOKEN_SIZE - 1) / 2];

	(void)crypto_generichash(
	    out->hash, sizeof(out->hash), id, SESSION_ID_SIZE, NULL, 0);
	(void)crypto_generichash(
	    token, sizeof(token), csrf, sizeof(csrf) - 1, id, SESSION_ID_SIZE);
	str_to_hex(token, sizeof(token), out->token);
}

int
session_take_cookie(const struct request *req, struct session *out)
{
	uint8_t id[SESSION_ID_SIZE];
	size_t len = 0, n, got = 0;
	const char *text = find_cookie(req, &len, &n);

	if (n != 1)
		return err_set(ERR_AUTH,
		    "%zu cookies of a session: remove this site's cookies and "
		    "log in again",
		    n);
	if (len != COOKIE_LEN ||
	    sodium_base642bin(id, sizeof(id), text, len, NULL, &got, NULL,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
	    got != sizeof(id))
		return err_set(ERR_AUTH, "the cookie is none of a session");
	derive(id, out);
	sodium_memzero(id, sizeof(id));
	return 0;
}

static int
check_token(const struct request *req, const struct session *s)
{
	const char *token = request_header(req, "X_CSRF_TOKEN");

	if (str_eq(req->method, "GET") || str_eq(req->method, "HEAD"))
		return 0;
	if (token == NULL)
		return err_set(ERR_AUTH,
		    "header X-CSRF-TOKEN is missing: GET /v1/session says the "
		    "session's csrf_token");
	if (strlen(token) != SESSION_TOKEN_SIZE - 1 ||
	    sodium_memcmp(token, s->token, SESSION_TOKEN_SIZE - 1) != 0)
		return err_set(ERR_AUTH,
		    "X-CSRF-TOKEN is not this session's: GET /v1/session says "
		    "which is");
	return 0;
}

static int
find_session(struct request *req, struct session *s, struct db_session **row)
{
	int r;

	r = db_session_get(req->app->db, req->arena, s->hash,
	    req->app->conf->session_idle_s, row);
	if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	/* Who shows what was one of this site's has guessed nothing. */
	req->caller.was_known = r == 0;
	if (r == 0 && !(*row)->is_over)
		return 0;
	req->caller.session_ended = true;
	return err_set(ERR_AUTH, "the session has ended: log in again");
}

int
session_auth(struct request *req)
{
	struct session *s = arena_alloc(req->arena, sizeof(*s));
	struct db_session *row;
	int r;

	if ((r = origin_check(req)) != 0 ||
	    (r = session_take_cookie(req, s)) != 0 ||
	    (r = find_session(req, s, &row)) != 0 ||
	    (r = check_token(req, s)) != 0)
		return r;
	if (row->idle_s >= SEEN_EVERY_S &&
	    (r = db_session_seen(req->app->db, s->hash)) != 0)
		return r;
	s->expires_ms = row->expires_ms;
	req->caller.role = client_role_parse(row->role);
	if (req->caller.role == CLIENT_NOBODY)
		return err_set(ERR_AUTH, "user %s has no role", row->name);
	req->caller.user = row->name;
	req->caller.name = arena_printf(req->arena, "user %s", row->name);
	req->caller.session = s;
	return 0;
}

/* Without Max-Age: it ends with the browser, and at the server anyway. */
static char *
cookie(const struct request *req, const char *value, const char *more)
{
	return xasprintf("%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s",
	    cookie_name(req), value,
	    req->listener == LISTENER_CLIENT_TLS ? "; Secure" : "", more);
}

int
session_new(const struct request *req, struct reply *rp, struct session *out)
{
	uint8_t id[SESSION_ID_SIZE];
	char text[COOKIE_LEN + 1];

	if (sodium_init() < 0)
		return err_set(ERR_CRYPTO, "libsodium cannot start");
	randombytes_buf(id, sizeof(id));
	derive(id, out);
	sodium_bin2base64(text, sizeof(text), id, sizeof(id),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	reply_cookie(rp, cookie(req, text, ""));
	sodium_memzero(id, sizeof(id));
	sodium_memzero(text, sizeof(text));
	return 0;
}

void
session_forget(const struct request *req, struct reply *rp)
{
	reply_cookie(rp, cookie(req, "", "; Max-Age=0"));
}
