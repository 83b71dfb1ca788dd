/*
 * Services of others: addresses that were registered here, for who asks.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "fcgi-app/server.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define URL_MAX 1000
#define DOCUMENT_MAX 65536
#define SERVERS_MAX 100	 /* of one request */
#define SERVICES_MAX 500 /* of one request */

/* What one request registers. */
struct registration {
	struct db_server servers[SERVERS_MAX];
	struct db_service *services; /* SERVICES_MAX of them */
	struct db_registration rows;
};

static const char *
document(struct request *req, struct json_object *o, const char *name)
{
	struct json_object *v = json_get(o, name);

	return v == NULL ? NULL : arena_strdup(req->arena, json_text(v));
}

static int
check_text(const char *field, const char *s, size_t max)
{
	if (s != NULL && *s != '\0' && strlen(s) <= max)
		return 0;
	return err_set(
	    ERR_INVALID, "%s must be a text of 1 to %zu bytes", field, max);
}

static int
check_document(const char *field, const char *s)
{
	if (s == NULL || strlen(s) <= DOCUMENT_MAX)
		return 0;
	return err_set(
	    ERR_LIMIT, "%s has more than %d bytes", field, DOCUMENT_MAX);
}

/*
 * {uri, method?, params?, data?, headers?} of a service; its address is the
 * path alone when its server is not given.
 */
static int
take_service(struct request *req, const char *server, const char *service,
    struct json_object *o, const struct db_server *at, struct db_service *out)
{
	const char *uri = json_get_str(o, "uri", "");
	int r;

	*out = (struct db_service){ .server_name = server,
		.service_name = service,
		.url = uri,
		.method = json_get_str(o, "method", "POST"),
		.params = document(req, o, "params"),
		.body = document(req, o, "data"),
		.headers = document(req, o, "headers") };
	if ((r = check_text("server_name", server, SERVER_NAME_MAX)) != 0 ||
	    (r = check_text("service_name", service, SERVER_NAME_MAX)) != 0 ||
	    (r = check_text("uri", uri, URL_MAX)) != 0 ||
	    (r = check_text("method", out->method, 10)) != 0 ||
	    (r = check_document("params", out->params)) != 0 ||
	    (r = check_document("data", out->body)) != 0 ||
	    (r = check_document("headers", out->headers)) != 0 || at == NULL)
		return r;
	out->url = arena_printf(req->arena, "%s://%s:%lld%s%s", at->protocol,
	    at->host, (long long)at->port, *uri == '/' ? "" : "/", uri);
	return check_text("the service's address", out->url, URL_MAX);
}

/* One service of one server. */
static int
take_flat(struct request *req, struct registration *g)
{
	struct json_object *info = request_field(req, "server_info");
	const struct db_server *at = NULL;
	int r;

	if ((r = request_require(req, "server_name,service_name,uri")) != 0)
		return r;
	if (json_is_object(info)) {
		r = server_take(req, json_get_str(req->json, "server_name", ""),
		    info, &g->servers[0]);
		if (r != 0)
			return r;
		at = &g->servers[0];
	}
	g->rows.nservices = 1;
	return take_service(req, request_text(req, "server_name"),
	    request_text(req, "service_name"), req->json, at, &g->services[0]);
}

/* A server with all its services: {host, port, protocol?, api?}. */
static int
take_server(struct request *req, const char *name, struct json_object *o,
    struct registration *g)
{
	struct db_server *s = &g->servers[g->rows.nservers];
	struct json_object *api = json_get(o, "api");
	int r;

	if (g->rows.nservers == SERVERS_MAX)
		return err_set(ERR_LIMIT, "more than %d servers", SERVERS_MAX);
	if ((r = server_take(req, name, o, s)) != 0)
		return r;
	g->rows.nservers++;
	if (api == NULL)
		return 0;
	if (!json_is_object(api))
		return err_set(
		    ERR_INVALID, "/%s/api must be an object", s->name);
	json_object_object_foreach(api, service, one)
	{
		if (g->rows.nservices == SERVICES_MAX)
			return err_set(
			    ERR_LIMIT, "more than %d services", SERVICES_MAX);
		r = take_service(req, name, service, one, s,
		    &g->services[g->rows.nservices]);
		if (r != 0)
			return err_wrap("/%s/api/%.50s", s->name, service);
		g->rows.nservices++;
	}
	return 0;
}

/* Servers by their names; what else a client adds is no object. */
static int
take_servers(struct request *req, struct registration *g)
{
	int r;

	json_object_object_foreach(req->json, name, one)
	{
		if (json_is_object(one) &&
		    (r = take_server(req, name, one, g)) != 0)
			return r;
	}
	/* It is none of the two forms: the flat one says what is missing. */
	return g->rows.nservers != 0 ? 0 : take_flat(req, g);
}

int
api_service_registry(struct request *req, struct reply *rp)
{
	struct registration *g = arena_alloc(req->arena, sizeof(*g));
	struct json_object *data;
	bool flat = json_has(req->json, "server_name") ||
		    json_has(req->json, "service_name");
	size_t i;
	int r;

	memset(g, 0, sizeof(*g));
	g->services =
	    arena_alloc(req->arena, SERVICES_MAX * sizeof(*g->services));
	g->rows.servers = g->servers;
	g->rows.services = g->services;
	if ((r = flat ? take_flat(req, g) : take_servers(req, g)) != 0 ||
	    (r = db_registration_put(req->app->db, &g->rows)) != 0)
		return r;
	data = json_object_new_object();
	for (i = 0; i < g->rows.nservers; i++)
		json_add(data, g->servers[i].name, server_json(&g->servers[i]));
	return reply_data(rp, data);
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
