/*
 * Requests to a site's client API.
 */
#include "cli/api.h"

#include <stdlib.h>
#include <string.h>

#include "cli/client_key.h"
#include "cli/output.h"
#include "cli/session.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/http/tls_cert.h"
#include "lib/sign/client_sign.h"

#define TIMEOUT_MS 60000
#define ANSWER_MAX (256 * 1024 * 1024)
#define REFUSAL_MAX 4096

struct api {
	struct http_client *client;
	char *url;
	char *ca;
	char *site;		/* args_site(), NULL: nobody said */
	struct client_key key;	/* empty: requests are not signed */
	struct session session; /* empty: nobody has logged in */
	bool is_personal;	/* who has logged in is nobody else later */
	char *key_file;		/* for when that is over; NULL: none */
	int64_t retcode;	/* of the last answer; -1: there was none */
};

static char *
without_slash(const char *url)
{
	return xstrndup(url, strlen(url) - (str_ends(url, "/") ? 1 : 0));
}

/* By TLS it is known by the certificate that it has itself. */
static int
take_config(struct api *api, const struct site_conf *conf, const char *url)
{
	if (*url == '\0')
		return err_set(ERR_INVALID, "%s has no client_url", conf->path);
	api->url = xstrdup(url);
	if (api->ca == NULL && str_starts(url, "https:"))
		api->ca = site_path(conf, SITE_KEYS "/tls.crt");
	return 0;
}

/* Whose requests are to be. */
enum whose { ANYBODY, NOBODY, SESSION };

/* The first that there is; "" when there is none. */
static const char *
first_of(const char *a, const char *b)
{
	return *a != '\0' ? a : b;
}

/* The session that is kept for a URL, if one is. */
static int
take_session(struct api *api, const char *url)
{
	int r = session_load(url, &api->session);

	if (r != ERR_NOT_FOUND)
		return r;
	err_clear();
	return 0;
}

/*
 * A signature tells who hears it nothing that is of use to him.  Passwords and
 * cookies do, and a port of this machine is anybody's who takes it while the
 * site is down: these go by TLS, if the site has it.
 */
static int
take_site(struct api *api, const struct args *args, const struct site_conf *c,
    enum whose whose)
{
	const char *key =
	    whose == ANYBODY ? args_text(args, "app-key-file") : NULL;
	const char *signed_to = first_of(c->client_url, c->client_tls_url);
	const char *secret_to = first_of(c->client_tls_url, c->client_url);
	int r;

	if (whose != NOBODY && key == NULL &&
	    (r = take_session(api, secret_to)) != 0)
		return r;
	if (whose == ANYBODY && key == NULL && c->client_key_file[0] != '\0')
		key = c->client_key_file;
	if (whose != ANYBODY || api->session.cookie != NULL) {
		api->key_file = xstrdup(key);
		return take_config(api, c, secret_to);
	}
	if ((r = take_config(api, c, signed_to)) != 0 || key == NULL)
		return r;
	return client_key_load(key, &api->key);
}

/* The more a user has said of who he is, the more it counts. */
static int
take_url(
    struct api *api, const struct args *args, const char *url, enum whose whose)
{
	const char *key =
	    whose == ANYBODY ? args_text(args, "app-key-file") : NULL;

	api->url = without_slash(url);
	if (whose == NOBODY)
		return 0;
	return key != NULL ? client_key_load(key, &api->key)
			   : take_session(api, api->url);
}

static int
choose_site(struct api *api, const struct args *args, enum whose whose)
{
	const char *url = args_text(args, "url");
	const char *config = args_text(args, "config");
	struct site_conf *conf = NULL;
	int r;

	api->ca = xstrdup(args_text(args, "ca"));
	api->site = xstrdup(args_site(args));
	if (url == NULL && config == NULL)
		return args_wrong("--url or --config is needed");
	if (url != NULL)
		return take_url(api, args, url, whose);
	if ((r = site_conf_load(config, &conf)) == 0)
		r = take_site(api, args, conf, whose);
	site_conf_free(conf);
	return r;
}

static int
connect_api(struct api *api, struct api **out)
{
	struct http_client_conf conf = { .ca_file = api->ca };
	char host[PINS_HOST_SIZE];
	int r;

	/* A site's certificate names it, not where it is reached. */
	if (api->ca != NULL && tls_cert_host(api->ca, host) == 0)
		conf.ca_host = host;
	err_clear();
	if ((r = http_client_new(NULL, &conf, &api->client)) != 0) {
		api_close(api);
		return r;
	}
	*out = api;
	return 0;
}

static int
open_as(const struct args *args, enum whose whose, struct api **out)
{
	struct api *api = xcalloc(1, sizeof(*api));
	int r;

	*out = NULL;
	if ((r = choose_site(api, args, whose)) != 0) {
		api_close(api);
		return r;
	}
	return connect_api(api, out);
}

int
api_open(const struct args *args, struct api **out)
{
	return open_as(args, ANYBODY, out);
}

int
api_open_person(const struct args *args, struct api **out)
{
	int r = api_open(args, out);

	if (r == 0)
		(*out)->is_personal = true;
	return r;
}

int
api_open_nobody(const struct args *args, struct api **out)
{
	return open_as(args, NOBODY, out);
}

int
api_open_session(const struct args *args, struct api **out)
{
	return open_as(args, SESSION, out);
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
	free(api->key_file);
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

static int
fetch_once(struct api *api, const char *path, struct http_request *req,
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

bool
api_session_is_over(const struct http_reply *reply)
{
	struct json_object *o = NULL;
	const char *code;
	bool is_over;

	if (reply->body.len > REFUSAL_MAX ||
	    json_parse(
		buf_str(&reply->body), reply->body.len, REFUSAL_MAX, &o) != 0) {
		err_clear();
		return false;
	}
	code = json_get_str(json_get(o, "data"), "code", "");
	is_over = json_get_int(o, "retcode", 0) == err_retcode(ERR_AUTH) &&
		  str_eq(code, "session_ended");
	json_object_put(o);
	return is_over;
}

/*
 * Nothing was done for who is nobody any more: the key may ask again.  The
 * session is kept, for what only a person may ask is not to be the key's by
 * the next command.
 */
static int
go_on_by_key(struct api *api)
{
	const char *name = api->session.name;
	int r;

	if (api->is_personal)
		return err_set(ERR_AUTH,
		    "the session of %s has ended, and this is a person's to "
		    "say: \"sluice login %s%s\" begins another one; "
		    "--app-key-file names a key to say it with",
		    name, name, api->site);
	if ((r = client_key_load(api->key_file, &api->key)) != 0)
		return r;
	output_note("the session of %s has ended: the key of %s is used; "
		    "\"sluice login %s%s\" begins another one, \"sluice "
		    "logout%s\" forgets it",
	    name, api->key_file, name, api->site, api->site);
	session_fini(&api->session);
	return 0;
}

int
api_fetch(struct api *api, const char *path, struct http_request *req,
    struct http_reply *out)
{
	int r;

	if ((r = fetch_once(api, path, req, out)) != 0 ||
	    api->session.cookie == NULL || api->key_file == NULL ||
	    !api_session_is_over(out))
		return r;
	http_reply_fini(out);
	memset(out, 0, sizeof(*out));
	if ((r = go_on_by_key(api)) != 0)
		return r;
	return fetch_once(api, path, req, out);
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

/* "guest 9999, host 9999": the caller's. */
static char *
members_text(struct json_object *rows)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		buf_printf(&b, "%s%s %s", i > 0 ? ", " : "",
		    json_get_str(row, "f_role", "?"),
		    json_get_str(row, "f_party_id", "?"));
	}
	return buf_steal(&b);
}

static int
take_only(const struct args *args, struct api *api, const char *job_id,
    struct json_object *rows, struct json_object *filter)
{
	size_t n = json_is_array(rows) ? json_object_array_length(rows) : 0;
	struct json_object *row;
	char *members;

	if (n == 0)
		return api_about_job(api, job_id,
		    err_set(ERR_NOT_FOUND, "job %s has no member here with%s",
			job_id, args_filters(args)));
	if (n > 1) {
		members = members_text(rows);
		(void)args_wrong("several members of the job are here (%s): "
				 "--role and --party say which",
		    members);
		free(members);
		return ERR_INVALID;
	}
	row = json_object_array_get_idx(rows, 0);
	json_add_str(filter, "role", json_get_str(row, "f_role", ""));
	json_add_str(filter, "party_id", json_get_str(row, "f_party_id", ""));
	return 0;
}

int
api_own_member(const struct args *args, struct api *api, const char *job_id,
    struct json_object *filter)
{
	struct json_object *answer = NULL, *asked;
	int r;

	/* Whoever names one may mean another site's, and is told why not. */
	if (args_text(args, "role") != NULL &&
	    args_text(args, "party") != NULL) {
		json_add_str(filter, "role", args_text(args, "role"));
		json_add_str(filter, "party_id", args_text(args, "party"));
		return 0;
	}
	asked = api_job_filter(args, job_id);
	if ((r = api_post(api, "job/query", asked, &answer)) == 0)
		r = take_only(
		    args, api, job_id, json_get(answer, "data"), filter);
	json_object_put(asked);
	json_object_put(answer);
	return r;
}
