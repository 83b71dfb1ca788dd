/*
 * Tables: what is known of one, delete, list, preview, download, disable and
 * enable.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/archive.h"
#include "fcgi-app/route.h"
#include "fcgi-app/table_files.h"
#include "fcgi-app/turns.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/data/address.h"
#include "lib/data/resolve.h"
#include "lib/db/db_lineage.h"
#include "lib/db/db_table.h"
#include "lib/engine/render.h"

#define PREVIEW_MAX 100
#define LIST_DEFAULT 1000
#define LIST_MAX 10000
#define PAGE_MAX 1000000

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
	struct json_object *all = view_document(t->address);
	struct json_object *o = data_address_shown(all);

	json_object_put(all);
	return o;
}

/* Rows that are kept elsewhere are not counted: null. */
static struct json_object *
count_json(const struct db_table *t)
{
	if (t == NULL)
		return json_object_new_int64(0);
	return t->folder[0] != '\0' || str_eq(t->engine, "STANDALONE")
		   ? json_object_new_int64(t->row_count)
		   : NULL;
}

static struct json_object *
info_json(const char *ns, const char *name, const struct db_table *t)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "table_name", name);
	json_add_str(o, "namespace", ns);
	json_add_int(o, "exist", t != NULL);
	json_add(o, "count", count_json(t));
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

static struct json_object *
listed_json(const struct db_table *t)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "namespace", t->table_namespace);
	json_add_str(o, "table_name", t->name);
	json_add(o, "count", count_json(t));
	json_add_int(o, "partition", t->partitions);
	json_add_str(o, "engine", t->engine);
	json_add_str(o, "origin", t->origin);
	json_add_str(o, "job_id", t->job_id);
	json_add_bool(o, "enable", !t->disabled);
	json_add_int(o, "create_time", t->created_ms);
	return o;
}

/* Those of the site, not of a job as in table/list. */
int
api_table_all(struct request *req, struct reply *rp)
{
	struct json_object *list;
	struct db_table *rows;
	int64_t limit, page;
	size_t i, n;
	int r;

	if ((r = request_int(
		 req, "limit", 1, LIST_MAX, LIST_DEFAULT, &limit)) != 0 ||
	    (r = request_int(req, "page", 1, PAGE_MAX, 1, &page)) != 0 ||
	    (r = db_table_page(req->app->db, req->arena,
		 request_text(req, "namespace"),
		 request_flag(req, "outputs", false), limit, (page - 1) * limit,
		 &rows, &n)) != 0)
		return r;
	list = json_object_new_array();
	for (i = 0; i < n; i++)
		json_object_array_add(list, listed_json(&rows[i]));
	return reply_data(rp, list);
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
	table_files_remove(req, folder);
	data = json_object_new_object();
	json_add_str(data, "table_name", name);
	json_add_str(data, "namespace", ns);
	return reply_data(rp, data);
}

/* The two lists of a component in the answer of table/list. */
static struct json_object *
list_of(struct json_object *data, const char *component, const char *which)
{
	struct json_object *cpn = json_get(data, component);

	if (cpn == NULL) {
		cpn = json_object_new_object();
		json_add(cpn, "input", json_object_new_object());
		json_add(cpn, "output", json_object_new_object());
		json_add(data, component, cpn);
	}
	return json_get(cpn, which);
}

static void
list_table(
    struct json_object *list, const char *key, const char *ns, const char *name)
{
	struct json_object *entry = json_object_new_object();

	json_add_str(entry, "name", name);
	json_add_str(entry, "namespace", ns);
	json_add(list, key, entry);
}

/* What each component was given; of several under one key all but the first
 * have their place behind it. */
static int
list_inputs(struct request *req, const char *job_id, struct json_object *data)
{
	struct db_table_use *rows;
	struct json_object *list;
	const char *key;
	size_t i, n;
	int r;

	if ((r = db_table_use_of_job(req->app->db, req->arena, job_id,
		 request_text(req, "role"), request_text(req, "party_id"),
		 &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++) {
		/* Newest version first: others of it are older. */
		if (i > 0 &&
		    str_eq(rows[i].key.component, rows[i - 1].key.component) &&
		    rows[i].key.version != rows[i - 1].key.version) {
			rows[i].key.version = rows[i - 1].key.version;
			continue;
		}
		list = list_of(data, rows[i].key.component, "input");
		key = rows[i].data_key;
		if (json_has(list, key))
			key = arena_printf(req->arena, "%s.%lld", key,
			    (long long)rows[i].position);
		list_table(list, key, rows[i].table_namespace, rows[i].name);
	}
	return 0;
}

/* The tables of a job's member, by component. */
int
api_table_list(struct request *req, struct reply *rp)
{
	struct json_object *data, *out;
	struct db_output *rows;
	const char *job_id;
	size_t i, n;
	int r;

	if ((r = request_require(req, "job_id,role,party_id")) != 0)
		return r;
	job_id = request_text(req, "job_id");
	if (job_id == NULL)
		job_id = "";
	if ((r = db_output_of_job(req->app->db, req->arena, job_id, NULL,
		 request_text(req, "role"), request_text(req, "party_id"),
		 &rows, &n)) != 0)
		return r;
	data = json_object_new_object();
	if ((r = list_inputs(req, job_id, data)) != 0) {
		json_object_put(data);
		return r;
	}
	for (i = 0; i < n; i++) {
		out = list_of(data, rows[i].key.component, "output");
		if (!json_has(out, rows[i].data_name)) /* newest first */
			list_table(out, rows[i].data_name,
			    rows[i].table_namespace, rows[i].name);
	}
	if (json_object_object_length(data) > 0)
		return reply_data(rp, data);
	json_object_put(data);
	return reply_fault(rp, 101, "no table of this job here");
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

/* --- download ----------------------------------------------------------------- */

/* Names of tables are anybody's; those of files are not. */
static const char *
archive_name(struct request *req, const struct db_table *t)
{
	char *name = arena_printf(
	    req->arena, "table_%s_%s", t->table_namespace, t->name);
	char *p;

	for (p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("._-", *p) == NULL)
			*p = '_';
	return arena_printf(req->arena, "%s.tar.gz", name);
}

static int
send_table(struct request *req, struct reply *rp, const struct db_table *t)
{
	const struct table_files_options options = {
		.name = "table",
		.head = request_flag(req, "head", true),
		.limit = -1,
	};
	struct archive_out *a = NULL;
	int r;

	if ((r = archive_begin(rp, archive_name(req, t), &a)) == 0 &&
	    (r = table_files_add(req, a, t, &options)) == 0) {
		r = archive_end(a);
		a = NULL;
	}
	archive_abort(a);
	return r;
}

int
api_table_download(struct request *req, struct reply *rp)
{
	const struct db_table *own;
	struct db_table *t;
	int r;

	/* Clients look at the HTTP status before they unpack. */
	r = db_table_get(req->app->db, req->arena, table_namespace(req),
	    table_name(req), &t);
	if (r == ERR_NOT_FOUND)
		return reply_status(rp, 210, "no found table");
	if (r != 0)
		return r;
	if (t->disabled)
		return reply_status(rp, 210, "the table is disabled");
	r = data_resolve(req->app->db, req->arena, t, &own);
	if (r == ERR_UNSUPPORTED || r == ERR_NOT_FOUND || r == ERR_DENIED)
		return reply_status(rp, 210, "%s", err_text());
	if (r != 0)
		return r;
	if ((r = turns_take(req->app->downloads)) == ERR_BUSY)
		return reply_busy(rp);
	if (r != 0)
		return r;
	r = send_table(req, rp, t);
	turns_give(req->app->downloads);
	return r;
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
	if ((r = db_table_list(
		 req->app->db, req->arena, ns, name, false, &rows, &n)) != 0)
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

	if ((r = db_table_list(
		 req->app->db, req->arena, NULL, NULL, true, &rows, &n)) != 0)
		return r;
	if (n == 0)
		return reply_fault(rp, 101, "no table is disabled");
	for (i = 0; i < n; i++) {
		folder = NULL;
		r = db_table_delete(req->app->db, req->arena,
		    rows[i].table_namespace, rows[i].name, &folder);
		if (r != 0 && r != ERR_NOT_FOUND) /* another deleted it */
			return r;
		table_files_remove(req, folder);
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
