/*
 * The site as a server: its configuration, its instance, servers and
 * services that others registered with it.
 */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/errand.h"
#include "fcgi-app/route.h"
#include "fcgi-app/site_info.h"
#include "fcgi-app/view.h"
#include "fcgi-app/wake.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_registry.h"
#include "lib/json/json.h"

#define NAME_MAX_LEN 50
#define HOST_MAX 255
#define URL_MAX 1000
#define DOCUMENT_MAX 65536

/* --- job defaults and reload ------------------------------------------------ */

/* What a job gets that does not say, under the platform's names. */
static struct json_object *
job_defaults(const struct site_conf *c)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "task_cores", c->task_cores);
	json_add_int(o, "task_memory", c->executor_memory_mb);
	json_add_int(o, "task_parallelism", c->task_parallelism);
	json_add_int(o, "job_timeout", c->job_timeout_s);
	json_add_int(o, "auto_retries", c->auto_retries);
	json_add_int(o, "auto_retry_delay", c->auto_retry_delay_s);
	json_add_int(o, "remote_request_timeout", c->partner_timeout_ms);
	json_add_int(o, "resource_waiting_timeout", c->job_timeout_s);
	json_add_str(o, "default_component_provider_path", c->providers_dir);
	return o;
}

int
api_job_default(struct request *req, struct reply *rp)
{
	return reply_data(rp, job_defaults(req->app->conf));
}

/*
 * A file with faults changes nothing, in no program.  The parent of the
 * workers reads it again and replaces them, which reads the providers again
 * as well; the supervisor takes over its numbers and the capacity.
 */
int
api_server_reload(struct request *req, struct reply *rp)
{
	struct json_object *data;
	struct site_conf *fresh;

	if (site_conf_load(req->app->conf->path, &fresh) != 0)
		return reply_fault(rp, 100,
		    "nothing was reloaded, the configuration has faults: %s",
		    err_text());
	data = json_object_new_object();
	json_add(data, "job_default_config", job_defaults(fresh));
	json_add(data, "server_registry", NULL);
	site_conf_free(fresh);
	wake_supervisor(req, "reload");
	if (kill(getppid(), SIGHUP) != 0) {
		json_object_put(data);
		return err_set_errno(ERR_INTERNAL, "tell the other workers");
	}
	log_info("reload, by %s", req->caller.name);
	return reply_data(rp, data);
}

/* --- who this is --------------------------------------------------------------- */

int
api_fateflow_info(struct request *req, struct reply *rp)
{
	struct json_object *data = json_object_new_object();
	struct json_object *o = site_info(req->app->conf);
	char id[SITE_INSTANCE_SIZE];

	site_instance(req->app->conf, id);
	json_add_str(o, "instance_id", id);
	json_add_int(o, "timestamp", clock_wall_ms());
	json_object_object_del(o, "party_id");
	json_add(data, id, o);
	return reply_data(rp, data);
}

int
api_info_common(struct request *req, struct reply *rp)
{
	return reply_data(rp, site_info(req->app->conf));
}

int
api_info_fateboard(struct request *req, struct reply *rp)
{
	struct json_object *data;

	if (req->app->conf->board_url[0] == '\0')
		return reply_status(rp, 404, "this site has no dashboard");
	data = json_object_new_object();
	site_address(req->app->conf->board_url, data, "port");
	return reply_data(rp, data);
}

int
api_info_eggroll(struct request *req, struct reply *rp)
{
	(void)req;
	return reply_status(
	    rp, 503, "this site computes on the standalone engine");
}

/* Through a proxy or not: sites talk to each other directly. */
int
api_info_party(struct request *req, struct reply *rp)
{
	const char *party = request_param(req, "dest");
	struct errand e;
	int r;

	if (!str_is_party_id(party))
		return err_set(ERR_INVALID, "'%.40s' is no party id", party);
	if (str_eq(party, req->app->conf->party_id))
		return api_info_common(req, rp);
	errand_init(&e, req, "info");
	errand_add(&e, "guest", party, json_object_new_object());
	if ((r = errand_run(&e)) != 0)
		r = errand_error(rp, r);
	else if (e.calls[0].reply.retcode != 0)
		r = reply_fault(rp, (int)e.calls[0].reply.retcode,
		    "party %s: %s", party, e.calls[0].reply.retmsg);
	else
		r = reply_data(rp, json_copy(e.calls[0].reply.data));
	errand_fini(&e);
	return r;
}

/* --- registered servers ----------------------------------------------------------- */

static const char *
upper(struct request *req, const char *s)
{
	char *copy = arena_strdup(req->arena, s), *p;

	for (p = copy; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	return copy;
}

static struct json_object *
server_json(const struct db_server *s)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "host", s->host);
	json_add_int(o, "port", s->port);
	json_add_str(o, "protocol", s->protocol);
	return o;
}

/* Ours, and those that were registered. */
static int
all_servers(struct request *req, struct json_object **out)
{
	struct json_object *data, *own = json_object_new_object();
	struct db_server *rows;
	size_t i, n;
	int r;

	if ((r = db_server_list(req->app->db, req->arena, &rows, &n)) != 0) {
		json_object_put(own);
		return r;
	}
	data = json_object_new_object();
	site_address(req->app->conf->client_url, own, "port");
	json_add(data, "FATE_ON_STANDALONE", own);
	if (req->app->conf->board_url[0] != '\0') {
		own = json_object_new_object();
		site_address(req->app->conf->board_url, own, "port");
		json_add(data, "FATEBOARD", own);
	}
	for (i = 0; i < n; i++)
		json_add(data, rows[i].name, server_json(&rows[i]));
	*out = data;
	return 0;
}

int
api_server_service_get(struct request *req, struct reply *rp)
{
	struct json_object *data;
	int r;

	if ((r = all_servers(req, &data)) != 0)
		return r;
	return reply_data(rp, data);
}

int
api_server_get(struct request *req, struct reply *rp)
{
	const char *name = upper(req, request_param(req, "name"));
	struct json_object *data, *one;
	int r;

	if ((r = all_servers(req, &data)) != 0)
		return r;
	if ((one = json_get(data, name)) != NULL)
		(void)reply_data(rp, json_copy(one));
	json_object_put(data);
	return 0;
}

static int
take_server(struct request *req, const char *name, struct db_server *out)
{
	int64_t port;
	int r;

	if ((r = request_int(req, "port", 1, 65535, 0, &port)) != 0)
		return r;
	*out = (struct db_server){ .name = upper(req, name),
		.host = request_text(req, "host"),
		.port = port,
		.protocol = request_text(req, "protocol") };
	if (out->protocol == NULL)
		out->protocol = "http";
	if (!str_is_name(name, NAME_MAX_LEN))
		return err_set(ERR_INVALID,
		    "a server's name has 1 to %d letters, digits, _ or -",
		    NAME_MAX_LEN);
	if (out->host == NULL || *out->host == '\0' ||
	    strlen(out->host) > HOST_MAX || port == 0)
		return err_set(
		    ERR_INVALID, "host and port of the server are needed");
	if (!str_is_name(out->protocol, 10))
		return err_set(ERR_INVALID, "protocol must be http or https");
	return 0;
}

int
api_server_register(struct request *req, struct reply *rp)
{
	struct db_server s;
	int r;

	r = take_server(req, request_param(req, "name"), &s);
	if (r == ERR_INVALID)
		return reply_fault(rp, 103, "%s", err_text());
	return r != 0 ? r : db_server_put(req->app->db, &s);
}

/* --- registered services ------------------------------------------------------------ */

static const char *
document(struct request *req, const char *name)
{
	struct json_object *o = request_field(req, name);

	return o == NULL ? NULL : arena_strdup(req->arena, json_text(o));
}

static int
check_text(const char *field, const char *s, size_t max)
{
	if (s != NULL && *s != '\0' && strlen(s) <= max)
		return 0;
	return err_set(
	    ERR_INVALID, "%s must be a text of 1 to %zu bytes", field, max);
}

/* The flat form: one service of one server. */
int
api_service_registry(struct request *req, struct reply *rp)
{
	struct db_service s = {
		.server_name = request_text(req, "server_name"),
		.service_name = request_text(req, "service_name"),
		.url = request_text(req, "uri"),
		.method = request_text(req, "method"),
		.params = document(req, "params"),
		.body = document(req, "data"),
		.headers = document(req, "headers"),
	};
	int r;

	if (s.method == NULL)
		s.method = "POST";
	if ((r = request_require(req, "server_name,service_name,uri")) != 0 ||
	    (r = check_text("server_name", s.server_name, NAME_MAX_LEN)) != 0 ||
	    (r = check_text("service_name", s.service_name, NAME_MAX_LEN)) !=
		0 ||
	    (r = check_text("uri", s.url, URL_MAX)) != 0 ||
	    (r = check_text("method", s.method, 10)) != 0)
		return r;
	if ((s.params != NULL && strlen(s.params) > DOCUMENT_MAX) ||
	    (s.body != NULL && strlen(s.body) > DOCUMENT_MAX) ||
	    (s.headers != NULL && strlen(s.headers) > DOCUMENT_MAX))
		return err_set(ERR_LIMIT,
		    "params, data and headers have at most %d bytes each",
		    DOCUMENT_MAX);
	if ((r = db_service_put(req->app->db, &s)) != 0)
		return r;
	return reply_data(rp, json_object_new_object());
}

int
api_service_query(struct request *req, struct reply *rp)
{
	struct json_object *data, *list, *o;
	struct db_service *rows;
	size_t i, n;
	int r;

	if ((r = request_require(req, "service_name")) != 0 ||
	    (r = db_service_find(req->app->db, req->arena,
		 request_text(req, "service_name"),
		 request_text(req, "server_name"), &rows, &n)) != 0)
		return r;
	data = json_object_new_object();
	list = json_object_new_array();
	for (i = 0; i < n; i++) {
		o = json_object_new_object();
		json_add_str(o, "f_server_name", rows[i].server_name);
		json_add_str(o, "f_service_name", rows[i].service_name);
		json_add_str(o, "f_url", rows[i].url);
		json_add_str(o, "f_method", rows[i].method);
		json_add(o, "f_params", view_document(rows[i].params));
		json_add(o, "f_data", view_document(rows[i].body));
		json_add(o, "f_headers", view_document(rows[i].headers));
		json_object_array_add(list, o);
	}
	json_add(data, "service_info", list);
	return reply_data(rp, data);
}

/* --- what is not offered ------------------------------------------------------------ */

int
api_file_reader(struct request *req, struct reply *rp)
{
	return reply_fault(rp, 100,
	    "%s is not supported: this site reads no file by a path that a "
	    "request names (job/config answers the configuration of a job)",
	    req->path);
}

int
api_forward(struct request *req, struct reply *rp)
{
	(void)req;
	return reply_fault(rp, 100,
	    "forwarding to servers of other parties is not supported: sites "
	    "talk to each other only about jobs that both take part in");
}
