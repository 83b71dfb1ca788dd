/*
 * sluice login, logout: commands in the name of a person who has a password.
 */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/secret_input.h"
#include "cli/session.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/conf/site_check.h"
#include "lib/http/url.h"
#include "lib/sign/password.h"

/* What is told by http everybody on the way can read. */
static int
check_way(const char *text)
{
	struct url u;
	int r;

	if ((r = url_parse(text, &u)) == 0 && !u.is_tls &&
	    !site_is_loopback_url(text))
		r = err_set(ERR_DENIED,
		    "%s: a password goes to another machine by https only",
		    text);
	url_fini(&u);
	return r;
}

static void
wipe(const char *s)
{
	if (s != NULL)
		sodium_memzero((char *)(uintptr_t)s, strlen(s));
}

static int
ask(struct api *api, const char *name, const char *password,
    struct http_reply *reply)
{
	struct json_object *body = json_object_new_object();
	struct http_request req = { .take_cookie = true };
	int r;

	json_add_str(body, "name", name);
	json_add_str(body, "password", password);
	req.body = json_text(body);
	req.body_len = strlen(req.body);
	r = api_fetch(api, "session/login", &req, reply);
	wipe(req.body);
	wipe(json_get_str(body, "password", NULL));
	json_object_put(body);
	return r;
}

static int
keep(const struct api *api, struct json_object *data, const char *cookie)
{
	/* Borrowed. */
	const struct session s = {
		.name = (char *)(uintptr_t)json_get_str(data, "name", ""),
		.cookie = (char *)(uintptr_t)cookie,
		.token =
		    (char *)(uintptr_t)json_get_str(data, "csrf_token", ""),
	};

	if (cookie == NULL || *s.token == '\0')
		return err_set(
		    ERR_FORMAT, "%s: the answer has no session", api_url(api));
	return session_store(api_url(api), &s);
}

static void
print_login(const struct args *args, const char *url, struct json_object *data)
{
	char until[CLOCK_UTC_SIZE];
	struct json_object *o;

	clock_utc(json_get_int(data, "expires", 0), until);
	if (!args_json(args)) {
		(void)printf("logged in at %s as %s, %s, until %s at most; "
			     "\"sluice logout%s\" ends it\n",
		    url, json_get_str(data, "name", ""),
		    json_get_str(data, "role", ""), until, args_site(args));
		return;
	}
	o = json_object_new_object();
	json_add_str(o, "url", url);
	json_add_str(o, "name", json_get_str(data, "name", ""));
	json_add_str(o, "role", json_get_str(data, "role", ""));
	json_add_int(o, "expires", json_get_int(data, "expires", 0));
	output_json(o);
	json_object_put(o);
}

static int
log_in(const struct args *args, struct api *api, const char *password)
{
	struct json_object *answer = NULL, *data;
	struct http_reply reply;
	int r;

	if ((r = ask(api, args_operand(args, 0), password, &reply)) == 0 &&
	    (r = api_answer_login(&reply, &answer)) == 0) {
		data = json_get(answer, "data");
		if ((r = keep(api, data, reply.cookie)) == 0)
			print_login(args, api_url(api), data);
	}
	wipe(reply.cookie);
	json_object_put(answer);
	http_reply_fini(&reply);
	return r;
}

static int
run_login(const struct args *args)
{
	struct api *api = NULL;
	char *prompt, *password = NULL;
	int r;

	if ((r = api_open_nobody(args, &api)) != 0 ||
	    (r = check_way(api_url(api))) != 0)
		goto out;
	prompt = xasprintf(
	    "Password of %s at %s: ", args_operand(args, 0), api_url(api));
	r = secret_input_known(args, prompt, &password);
	free(prompt);
	if (r == 0 && *password == '\0')
		r = err_set(ERR_INVALID,
		    "the password is empty: one has 1 to %d bytes",
		    PASSWORD_MAX);
	if (r == 0)
		r = log_in(args, api, password);
out:
	secret_input_free(password);
	api_close(api);
	return r;
}

/* One that has ended is over as well. */
static int
end_session(struct api *api)
{
	struct http_request req = { .body = "{}", .body_len = 2 };
	struct json_object *answer = NULL;
	struct http_reply reply;
	int r;

	if ((r = api_fetch(api, "session/logout", &req, &reply)) == 0 &&
	    !api_session_is_over(&reply))
		r = api_answer(&reply, &answer);
	json_object_put(answer);
	http_reply_fini(&reply);
	return r;
}

static int
run_logout(const struct args *args)
{
	struct api *api = NULL;
	const char *name;
	int r;

	if ((r = api_open_session(args, &api)) != 0)
		return r;
	name = api_session(api);
	if (name == NULL)
		output_note(
		    "sluice logout: nobody is logged in at %s: there is nothing to end",
		    api_url(api));
	else if ((r = end_session(api)) == 0 &&
		 (r = session_remove(api_url(api))) == 0 && !args_json(args))
		(void)printf("%s is logged out at %s\n", name, api_url(api));
	api_close(api);
	return r;
}

static const struct option_def login_options[] = {
	OPTIONS_SITE,
	OPTIONS_SECRET,
	OPTION_END,
};

const struct command command_login = {
	"login",
	"NAME",
	1,
	"Log in with a password; later commands at this site are NAME's.",
	login_options,
	run_login,
};

static const struct option_def logout_options[] = { OPTIONS_SITE, OPTION_END };

const struct command command_logout = {
	"logout",
	"",
	0,
	"End what \"sluice login\" began.",
	logout_options,
	run_logout,
};
