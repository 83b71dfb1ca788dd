/*
 * Requests to a site's client API.
 */
#include "cli/api.h"

#include <stdlib.h>
#include <string.h>

#include "cli/client_key.h"
#include "cli/session.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/sign/client_sign.h"

#define TIMEOUT_MS 60000
#define ANSWER_MAX (256 * 1024 * 1024)

struct api {
	struct http_client *client;
	char *url;
	char *ca;
	char *site;		/* args_site(), NULL: nobody said */
	struct client_key key;	/* empty: requests are not signed */
	struct session session; /* empty: nobody has logged in */
	int64_t retcode;	/* of the last answer; -1: there was none */
};

static char *
without_slash(const char *url)
{
	return xstrndup(url, strlen(url) - (str_ends(url, "/") ? 1 : 0));
}

static int
take_config(struct api *api, const struct site_conf *conf)
{
	if (conf->client_url[0] != '\0') {
		api->url = xstrdup(conf->client_url);
	} else if (conf->client_tls_url[0] != '\0') {
		api->url = xstrdup(conf->client_tls_url);
		if (api->ca == NULL)
			api->ca = site_path(conf, SITE_KEYS "/tls.crt");
	} else {
		return err_set(ERR_INVALID, "%s has no client_url", conf->path);
	}
	return 0;
}

/* The more a user has said of who he is, the more it counts. */
static int
take_user(struct api *api, const struct args *args, const struct site_conf *c)
{
	const char *key = args_text(args, "app-key-file");
	int r;

	if (key != NULL)
		return client_key_load(key, &api->key);
	if ((r = session_load(api->url, &api->session)) != ERR_NOT_FOUND)
		return r;
	err_clear();
	return c != NULL && c->client_key_file[0] != '\0'
		   ? client_key_load(c->client_key_file, &api->key)
		   : 0;
}

static int
choose_site(struct api *api, const struct args *args, bool is_nobody)
{
	const char *url = args_text(args, "url");
	const char *config = args_text(args, "config");
	struct site_conf *conf = NULL;
	int r = 0;

	api->ca = xstrdup(args_text(args, "ca"));
	api->site = xstrdup(args_site(args));
	if (url == NULL && config == NULL)
		return args_wrong("--url or --config is needed");
	if (url != NULL)
		api->url = without_slash(url);
	else if ((r = site_conf_load(config, &conf)) == 0)
		r = take_config(api, conf);
	if (r == 0 && !is_nobody)
		r = take_user(api, args, conf);
	site_conf_free(conf);
	return r;
}

static int
connect_api(struct api *api, struct api **out)
{
	struct http_client_conf conf = { .ca_file = api->ca };
	int r;

	if ((r = http_client_new(NULL, &conf, &api->client)) != 0) {
		api_close(api);
		return r;
	}
	*out = api;
	return 0;
}

static int
open_as(const struct args *args, bool is_nobody, struct api **out)
{
	struct api *api = xcalloc(1, sizeof(*api));
	int r;

	*out = NULL;
	if ((r = choose_site(api, args, is_nobody)) != 0) {
		api_close(api);
		return r;
	}
	return connect_api(api, out);
}

int
api_open(const struct args *args, struct api **out)
{
	return open_as(args, false, out);
}

int
api_open_nobody(const struct args *args, struct api **out)
{
	return open_as(args, true, out);
}

const char *
api_url(const struct api *api)
{
	return api->url;
}

const char *
api_session(const struct api *api)
{
	return api->session.name;
}

int
api_open_url(const char *url, struct api **out)
{
	struct api *api = xcalloc(1, sizeof(*api));

	*out = NULL;
	api->url = without_slash(url);
	return connect_api(api, out);
}

void
api_close(struct api *api)
{
	if (api == NULL)
		return;
	http_client_free(api->client);
	free(api->url);
	free(api->ca);
	free(api->site);
	client_key_fini(&api->key);
	session_fini(&api->session);
	free(api);
}

/*
 * The headers of a signed request, behind those it has; the caller's.  Of a
 * body only JSON is covered.
 */
static int
sign_headers(struct api *api, const char *path, const struct http_request *req,
    char **out)
{
	bool is_json = req->content_type == NULL;
	char nonce[ID_RANDOM_SIZE];
	char *now = xasprintf("%lld", (long long)clock_wall_ms());
	char *target = xasprintf("/v1/%s", path);
	struct client_request q = {
		.timestamp = now,
		.nonce = nonce,
		.app_key = api->key.app_key,
		.target = target,
		.body = is_json ? req->body : NULL,
		.body_len = is_json ? req->body_len : 0,
	};
	struct buf signature = BUF_INIT;
	int r;

	id_random(nonce);
	if ((r = client_sign(api->key.secret, &q, &signature)) == 0)
		*out = xasprintf("%sTIMESTAMP: %s\nNONCE: %s\nAPP_KEY: %s\n"
				 "SIGNATURE: %s\n",
		    req->headers != NULL ? req->headers : "", now, nonce,
		    q.app_key, buf_str(&signature));
	buf_fini(&signature);
	free(target);
	free(now);
	return r;
}

/* Headers that say who asks, behind those it has; NULL: nobody. */
static int
user_headers(struct api *api, const char *path, const struct http_request *req,
    char **out)
{
	*out = NULL;
	if (api->key.app_key != NULL)
		return sign_headers(api, path, req, out);
	if (api->session.cookie != NULL)
		*out = xasprintf("%sCookie: %s\nX-CSRF-TOKEN: %s\n",
		    req->headers != NULL ? req->headers : "",
		    api->session.cookie, api->session.token);
	return 0;
}

/* With what is most often the cause. */
static int
no_answer(const struct api *api, int r)
{
	bool is_config =
	    api->site != NULL && str_starts(api->site, " --config ");
	const char *place = is_config ? api->site : " --home SITE";
	char *why = xstrdup(err_text()), *hint = NULL;

	if (strstr(why, "certificate") != NULL && api->ca == NULL)
		hint = xstrdup("; --ca names the certificate to trust, SITE/"
			       "keys/tls.crt unless it has another");
	else if (strstr(why, "connect") != NULL)
		hint = xasprintf("; \"sluice site status%s\" tells whether it "
				 "is up, \"sluice site start%s\" starts it",
		    place, place);
	r = err_set(r, "%s: %s%s", api->url, why, hint != NULL ? hint : "");
	free(hint);
	free(why);
	return r;
}

int
api_fetch(struct api *api, const char *path, struct http_request *req,
    struct http_reply *out)
{
	const char *given = req->headers;
	char *url, *headers = NULL;
	int r;

	memset(out, 0, sizeof(*out));
	if ((r = user_headers(api, path, req, &headers)) != 0)
		return r;
	url = xasprintf("%s/v1/%s", api->url, path);
	req->url = url;
	if (headers != NULL)
		req->headers = headers;
	if (req->timeout_ms == 0)
		req->timeout_ms = TIMEOUT_MS;
	if (req->reply_max == 0)
		req->reply_max = ANSWER_MAX;
	r = http_fetch(api->client, req, out);
	req->url = NULL;
	req->headers = given;
	free(headers);
	free(url);
	return r == 0 ? 0 : no_answer(api, r);
}

/*
 * Texts of an answer may be a partner's or an executor's; they end on a
 * terminal, which must not obey them.
 */
static void
clean_text(struct json_object *o)
{
	char *text = xstrdup(json_object_get_string(o));

	if (str_tame(text, "\n\t"))
		(void)json_object_set_string(o, text);
	free(text);
}

static void
clean(struct json_object *o)
{
	size_t i;

	if (json_object_is_type(o, json_type_string)) {
		clean_text(o);
	} else if (json_is_array(o)) {
		for (i = 0; i < json_object_array_length(o); i++)
			clean(json_object_array_get_idx(o, i));
	} else if (json_is_object(o)) {
		json_object_object_foreach(o, key, value)
		{
			(void)key;
			clean(value);
		}
	}
}

static int
read_answer(
    const struct http_reply *reply, struct json_object **out, int64_t *retcode)
{
	*retcode = -1;
	*out = NULL;
	if (json_parse(
		buf_str(&reply->body), reply->body.len, ANSWER_MAX, out) != 0 ||
	    !json_has(*out, "retcode")) {
		json_object_put(*out);
		*out = NULL;
		return err_set(ERR_FORMAT,
		    "the site's answer (status %d) is not one of its API",
		    reply->status);
	}
	clean(*out);
	*retcode = json_get_int(*out, "retcode", -1);
	if (*retcode == 0)
		return 0;
	(void)err_set(ERR_REMOTE, "%s (retcode %d)",
	    json_get_str(*out, "retmsg", ""), (int)*retcode);
	json_object_put(*out);
	*out = NULL;
	return ERR_REMOTE;
}

/* Who is asked for a key or a log-in is told how to come by one. */
static int
add_hint(int r, int64_t retcode)
{
	char *said;

	if (r != ERR_REMOTE || retcode != err_retcode(ERR_AUTH))
		return r;
	said = xstrdup(err_text());
	(void)err_set(r,
	    "%s; sluice signs with --app-key-file FILE, or key_file of "
	    "site.conf's [client]; \"sluice key create\" makes one; \"sluice "
	    "login NAME\" is for who has a password",
	    said);
	free(said);
	return r;
}

int
api_answer(const struct http_reply *reply, struct json_object **out)
{
	int64_t retcode;
	int r = read_answer(reply, out, &retcode);

	return add_hint(r, retcode);
}

int
api_answer_login(const struct http_reply *reply, struct json_object **out)
{
	int64_t retcode;

	return read_answer(reply, out, &retcode);
}

int
api_post(struct api *api, const char *path, struct json_object *body,
    struct json_object **out)
{
	const char *text = json_text(body);
	struct http_request req = {
		.body = text,
		.body_len = strlen(text),
	};
	struct http_reply reply;
	int r;

	*out = NULL;
	if ((r = api_fetch(api, path, &req, &reply)) == 0)
		r = add_hint(
		    read_answer(&reply, out, &api->retcode), api->retcode);
	http_reply_fini(&reply);
	return r;
}

struct json_object *
api_job_filter(const struct args *args, const char *job_id)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "job_id", job_id);
	if (args_text(args, "role") != NULL)
		json_add_str(o, "role", args_text(args, "role"));
	if (args_text(args, "party") != NULL)
		json_add_str(o, "party_id", args_text(args, "party"));
	return o;
}

int
api_job_row(struct api *api, const char *job_id, struct json_object **answer,
    struct json_object **row)
{
	struct json_object *o = json_object_new_object(), *rows;
	int r;

	*row = NULL;
	json_add_str(o, "job_id", job_id);
	r = api_post(api, "job/query", o, answer);
	json_object_put(o);
	if (r != 0)
		return r;
	rows = json_get(*answer, "data");
	if (!json_is_array(rows))
		return err_set(ERR_FORMAT, "job/query: no list of rows");
	if (json_object_array_length(rows) > 0)
		*row = json_object_array_get_idx(rows, 0);
	return 0;
}

int
api_about_job(struct api *api, const char *job_id, int r)
{
	struct json_object *answer = NULL, *row;
	char *why;

	/* Who may not ask has not been told whether there is one. */
	if ((r != ERR_REMOTE && r != ERR_NOT_FOUND) ||
	    api->retcode == err_retcode(ERR_DENIED) ||
	    api->retcode == err_retcode(ERR_AUTH))
		return r;
	why = xstrdup(err_text());
	if (api_job_row(api, job_id, &answer, &row) == 0 && row == NULL)
		r = err_set(ERR_NOT_FOUND,
		    "there is no job %s at this site: is the id complete, and "
		    "is it this site's?",
		    job_id);
	else
		(void)err_set(r, "%s", why);
	json_object_put(answer);
	free(why);
	return r;
}
