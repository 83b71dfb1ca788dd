/*
 * Tables: what is known of one, delete, list, preview, disable and enable.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_table.h"
#include "lib/engine/render.h"
#include "lib/engine/storage.h"

#define PREVIEW_MAX 100

/* "name" and "table_name" mean the same; "" when neither is there. */
static const char *
table_name(const struct request *req)
{
	const char *name = request_text(req, "table_name");

	if (name == NULL)
		name = request_text(req, "name");
	return name != NULL ? name : "";
}

static const char *
table_namespace(const struct request *req)
{
	const char *ns = request_text(req, "namespace");

	return ns != NULL ? ns : "";
}

/* Passwords in an address stay here. */
static struct json_object *
address_json(const struct db_table *t)
{
	struct json_object *o = view_document(t->address);

	if (json_has(o, "passwd"))
		json_add(o, "passwd", NULL);
	if (json_has(o, "password"))
		json_add(o, "password", NULL);
	return o;
}

static struct json_object *
info_json(const char *ns, const char *name, const struct db_table *t)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "table_name", name);
	json_add_str(o, "namespace", ns);
	json_add_int(o, "exist", t != NULL);
	json_add_int(o, "count", t != NULL ? t->row_count : 0);
	json_add(o, "partition",
	    t != NULL ? json_object_new_int64(t->partitions) : NULL);
	json_add(o, "schema", t != NULL ? view_document(t->schema_json) : NULL);
	json_add_bool(o, "enable", t == NULL || !t->disabled);
	json_add_str(o, "origin", t != NULL ? t->origin : NULL);
	json_add_bool(o, "extend_sid", t != NULL && t->extend_sid);
	json_add(o, "address", t != NULL ? address_json(t) : NULL);
	return o;
}

int
api_table_info(struct request *req, struct reply *rp)
{
	const char *name = table_name(req), *ns = table_namespace(req);
	struct db_table *t = NULL;
	int r;

	r = db_table_get(req->app->db, req->arena, ns, name, &t);
	if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	return reply_data(rp, info_json(ns, name, r == 0 ? t : NULL));
}

/* The rows go after the meta: nobody can open what is being removed. */
static void
remove_folder(struct request *req, const char *folder)
{
	char *path;

	if (folder == NULL || *folder == '\0')
		return;
	path = site_path(req->app->conf, "%s/%s", SITE_TABLES, folder);
	if (table_destroy(&storage_standalone, path) != 0)
		log_err("table %s stays for the sweep", folder);
	free(path);
}

int
api_table_delete(struct request *req, struct reply *rp)
{
	const char *name = table_name(req);
	const char *ns = table_namespace(req), *folder = NULL;
	struct json_object *data;
	int r;

	r = db_table_delete(req->app->db, req->arena, ns, name, &folder);
	if (r == ERR_NOT_FOUND)
		return reply_fault(rp, 101, "no find table %s %s", ns, name);
	if (r != 0)
		return r;
	remove_folder(req, folder);
	data = json_object_new_object();
	json_add_str(data, "table_name", name);
	json_add_str(data, "namespace", ns);
	return reply_data(rp, data);
}

/* The output tables of a job's member, by component. */
int
api_table_list(struct request *req, struct reply *rp)
{
	struct json_object *data, *cpn, *out, *entry;
	struct db_output *rows;
	size_t i, n;
	int r;

	if ((r = request_require(req, "job_id,role,party_id")) != 0 ||
	    (r = db_output_of_job(req->app->db, req->arena,
		 request_text(req, "job_id") != NULL
		     ? request_text(req, "job_id")
		     : "",
		 NULL, request_text(req, "role"), request_text(req, "party_id"),
		 &rows, &n)) != 0)
		return r;
	if (n == 0)
		return reply_fault(rp, 101, "no table of this job here");
	data = json_object_new_object();
	for (i = 0; i < n; i++) {
		cpn = json_get(data, rows[i].key.component);
		if (cpn == NULL) {
			cpn = json_object_new_object();
			json_add(cpn, "input", json_object_new_object());
			json_add(cpn, "output", json_object_new_object());
			json_add(data, rows[i].key.component, cpn);
		}
		out = json_get(cpn, "output");
		if (json_has(out, rows[i].data_name))
			continue; /* newest first */
		entry = json_object_new_object();
		json_add_str(entry, "name", rows[i].name);
		json_add_str(entry, "namespace", rows[i].table_namespace);
		json_add(out, rows[i].data_name, entry);
	}
	return reply_data(rp, data);
}

static struct json_object *
preview_json(const struct db_table *t, int64_t limit)
{
	struct json_object *data = json_object_new_object();
	struct json_object *schema = view_document(t->schema_json);
	struct json_object *all = NULL, *rows = json_object_new_array();
	size_t i;

	json_add(data, "header", render_columns(schema, t->id_delimiter));
	if (t->preview != NULL)
		(void)json_parse_text(t->preview, &all);
	for (i = 0; json_is_array(all) && i < (size_t)limit &&
		    i < json_object_array_length(all);
	     i++)
		json_object_array_add(
		    rows, json_copy(json_object_array_get_idx(all, i)));
	json_add(data, "data", rows);
	json_object_put(all);
	json_object_put(schema);
	return data;
}

int
api_table_preview(struct request *req, struct reply *rp)
{
	struct db_table *t;
	int64_t limit;
	int r;

	if ((r = request_int(
		 req, "limit", 0, PREVIEW_MAX, PREVIEW_MAX, &limit)) != 0)
		return r;
	r = db_table_get(req->app->db, req->arena, table_namespace(req),
	    table_name(req), &t);
	if (r == ERR_NOT_FOUND)
		return reply_status(rp, 210, "no such table");
	if (r != 0)
		return r;
	return reply_data(rp, preview_json(t, limit));
}

/* --- out of use and back ------------------------------------------------------- */

static struct json_object *
names_json(const struct db_table *rows, size_t n)
{
	struct json_object *list = json_object_new_array(), *o;
	size_t i;

	for (i = 0; i < n; i++) {
		o = json_object_new_object();
		json_add_str(o, "table_name", rows[i].name);
		json_add_str(o, "namespace", rows[i].table_namespace);
		json_object_array_add(list, o);
	}
	return list;
}

/* All that match; a request that names nothing does not mean every table. */
static int
set_disabled(struct request *req, struct reply *rp, bool disabled)
{
	const char *ns = request_text(req, "namespace");
	const char *name = request_text(req, "table_name");
	struct db_table *rows;
	int64_t changed;
	size_t n;
	int r;

	if (name == NULL)
		name = request_text(req, "name");
	if (name == NULL && ns == NULL)
		return err_set(
		    ERR_INVALID, "table_name or namespace must be there");
	if ((r = db_table_list(req->app->db, req->arena, ns, name, NULL, false,
		 0, &rows, &n)) != 0)
		return r;
	if (n == 0)
		return reply_fault(rp, 101, "no find table %s %s",
		    ns != NULL ? ns : "", name != NULL ? name : "");
	if ((r = db_table_set_disabled(
		 req->app->db, ns, name, disabled, &changed)) != 0)
		return r;
	return reply_data(rp, names_json(rows, n));
}

int
api_table_disable(struct request *req, struct reply *rp)
{
	return set_disabled(req, rp, true);
}

int
api_table_enable(struct request *req, struct reply *rp)
{
	return set_disabled(req, rp, false);
}

int
api_table_delete_disabled(struct request *req, struct reply *rp)
{
	struct db_table *rows;
	const char *folder;
	size_t i, n;
	int r;

	if ((r = db_table_list(req->app->db, req->arena, NULL, NULL, NULL, true,
		 0, &rows, &n)) != 0)
		return r;
	if (n == 0)
		return reply_fault(rp, 101, "no table is disabled");
	for (i = 0; i < n; i++) {
		folder = NULL;
		r = db_table_delete(req->app->db, req->arena,
		    rows[i].table_namespace, rows[i].name, &folder);
		if (r != 0 && r != ERR_NOT_FOUND) /* another deleted it */
			return r;
		remove_folder(req, folder);
	}
	return reply_data(rp, names_json(rows, n));
}

/* Clients of the platform know more operations than this site has. */
int
api_not_supported(struct request *req, struct reply *rp)
{
	return reply_fault(
	    rp, 100, "%s is not supported by this site", req->path);
}
