/*
 * The site as a server: its configuration, its instance, servers that others
 * registered with it (their services: api_service.c).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi-app/app.h"
#include "fcgi-app/errand.h"
#include "fcgi-app/route.h"
#include "fcgi-app/server.h"
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
	wake_supervisor(req, WAKE_RELOAD, WAKE_ASK);
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
	const char *name = server_name(req, request_param(req, "name"));
	struct json_object *data, *one;
	int r;

	if ((r = all_servers(req, &data)) != 0)
		return r;
	if ((one = json_get(data, name)) != NULL)
		(void)reply_data(rp, json_copy(one));
	json_object_put(data);
	return 0;
}

int
api_server_register(struct request *req, struct reply *rp)
{
	struct db_server s;
	int r;

	r = server_take(req, request_param(req, "name"), req->json, &s);
	if (r == ERR_INVALID)
		return reply_fault(rp, 103, "%s", err_text());
	return r != 0 ? r : db_server_put(req->app->db, &s);
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
