/*
 * Passwords at the door.  Called by api_session.c.
 */
#include "fcgi-app/login.h"

#include <sodium.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/auth_refusal.h"
#include "fcgi-app/throttle.h"
#include "fcgi-app/turns.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_audit.h"
#include "lib/json/json.h"

#define NAME_MAX_LEN 64

struct password_cost
login_cost(const struct request *req)
{
	const struct site_conf *c = req->app->conf;

	return (struct password_cost){ .ops = c->password_ops,
		.memory_mb = c->password_memory_mb };
}

int
login_take_password(
    const struct request *req, const char *field, const char **out)
{
	*out = json_get_str(req->json, field, NULL);
	if (*out == NULL || **out == '\0' || strlen(*out) > PASSWORD_MAX)
		return err_set(ERR_INVALID,
		    "/%s must be a text of 1 to %d bytes", field, PASSWORD_MAX);
	return 0;
}

int
login_turn(struct request *req)
{
	return req->app->logins == NULL ? 0 : turns_take(req->app->logins);
}

void
login_turn_over(struct request *req)
{
	if (req->app->logins != NULL)
		turns_give(req->app->logins);
}

static const char *
address_of(struct request *req)
{
	const char *addr = request_env(req, "REMOTE_ADDR");

	return arena_printf(req->arena, "log-in %s", addr != NULL ? addr : "?");
}

/* The user when there is one that may be checked at all, else NULL. */
static int
find_user(struct request *req, const char *name, struct db_user **out)
{
	int r;

	*out = NULL;
	if (!str_is_name(name, NAME_MAX_LEN))
		return 0;
	r = db_user_get(req->app->db, req->arena, name, out);
	if (r == ERR_NOT_FOUND) {
		*out = NULL;
		err_clear();
		return 0;
	}
	return r;
}

static int
verify(struct request *req, const struct db_user *u, const char *password)
{
	const struct password_cost cost = login_cost(req);
	char dummy[PASSWORD_HASH_SIZE];
	const char *hash = u != NULL ? u->password : dummy;
	int r;

	if ((r = password_dummy(&cost, dummy)) != 0)
		return r;
	r = password_verify(hash, password);
	if (r == 0 && (u == NULL || !u->enabled || u->is_locked))
		r = err_set(ERR_AUTH, "not to be let in");
	return r;
}

/* Why, for the site's record only. */
static const char *
reason(const struct db_user *u)
{
	if (u == NULL)
		return "no such user";
	if (!u->enabled)
		return "the user is disabled";
	return u->is_locked ? "the user is locked" : "wrong password";
}

static int
failed(struct request *req, const char *name, const struct db_user *u)
{
	struct throttle *t = req->app->failures;
	const char *who = arena_printf(req->arena, "user %.64s", name);
	int64_t locked_s = 0;
	int r;

	if (t != NULL)
		(void)throttle_failed(t, address_of(req));
	/* Of nobody as well: the same statements, the same time. */
	if ((r = db_user_failed(req->app->db, name, &locked_s)) != 0)
		return r;
	(void)err_set(ERR_AUTH, "%s", reason(u));
	(void)auth_record_refusal(req, who, "log-in");
	if (u != NULL && locked_s > 0) {
		/* However many refusals come: each of these took several. */
		if (db_audit_add(req->app->db,
			&(struct db_audit){ .actor = who,
			    .action = "lock-out",
			    .subject = req->path,
			    .outcome = "refused",
			    .detail = arena_printf(req->arena,
				"locked for %lld s after %lld failures",
				(long long)locked_s,
				(long long)u->failed + 1) }) != 0)
			log_err("lock-out not recorded");
	}
	return err_set(ERR_AUTH,
	    "name or password is wrong, or the user is locked for a while "
	    "after %d failures or disabled (\"sluice user list\" tells this "
	    "site's operator)",
	    DB_LOGIN_TRIES);
}

int
login_check(struct request *req, const char *name, const char *password,
    struct db_user **user)
{
	const struct throttle *t = req->app->failures;
	int64_t wait_s;
	int r;

	*user = NULL;
	if (t != NULL && (wait_s = throttle_wait_s(t, address_of(req))) > 0)
		return err_set(ERR_LIMIT,
		    "more than %d log-ins from this address failed lately; try "
		    "again in %lld s",
		    THROTTLE_MAX, (long long)wait_s);
	if ((r = login_turn(req)) != 0)
		return r;
	if ((r = find_user(req, name, user)) == 0)
		r = verify(req, *user, password);
	login_turn_over(req);
	return r == ERR_AUTH ? failed(req, name, *user) : r;
}

int
login_refuse(struct reply *rp, int r)
{
	if (r == ERR_BUSY)
		return reply_busy(rp);
	if (r != ERR_LIMIT)
		return r;
	rp->retry_after_s = THROTTLE_WINDOW_S;
	return reply_status(rp, 429, "%s", err_text());
}
