/*
 * What a table's columns are called and how they are read, changed later;
 * where a table comes from and who used it.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_lineage.h"
#include "lib/db/db_table.h"
#include "lib/engine/schema.h"

static const char *
text(const struct request *req, const char *name)
{
	const char *s = request_text(req, name);

	return s != NULL ? s : "";
}

static int
find(struct request *req, const char *name_key, struct db_table **out)
{
	return db_table_get(req->app->db, req->arena, text(req, "namespace"),
	    text(req, name_key), out);
}

/* --- schema ------------------------------------------------------------------- */

/* Members of given over those of into. */
static void
overlay(struct json_object *into, struct json_object *given)
{
	json_object_object_foreach(given, key, value)
	{
		json_add(into, key, json_copy(value));
	}
}

/*
 * With another meta other columns may be features, label and match ids: the
 * names are put back to the line they came from and sorted out again.
 */
static int
change_meta(
    struct json_object *schema, struct json_object *meta, const char *delimiter)
{
	struct json_object *own = json_get(schema, "meta");
	/* A bound table gets its names when it is read. */
	bool was_made = json_has(schema, "original_index_info");
	int r;

	if (!json_is_object(meta))
		return err_set(ERR_INVALID, "schema.meta must be an object");
	if (!json_is_object(own))
		return err_set(ERR_INVALID,
		    "the table was made without meta: upload or bind it with "
		    "with_meta");
	if ((r = schema_recover(schema)) != 0)
		return r;
	overlay(own, meta);
	if (!was_made ||
	    !str_eq(json_get_str(own, "input_format", "dense"), "dense"))
		return 0;
	return schema_generate(schema, delimiter);
}

int
api_table_schema_update(struct request *req, struct reply *rp)
{
	struct json_object *given, *schema, *meta;
	struct db_table *t;
	int r;

	if ((r = request_require(req, "schema,namespace,name")) != 0)
		return r;
	given = request_field(req, "schema");
	if (!json_is_object(given))
		return err_set(ERR_INVALID, "schema must be an object");
	r = find(req, "name", &t);
	if (r == ERR_NOT_FOUND)
		return reply_fault(rp, 101, "%s", err_text());
	if (r != 0)
		return r;
	schema = view_document(t->schema_json);
	meta = json_get(given, "meta");
	if (meta != NULL) {
		json_object_get(meta);
		r = change_meta(schema, meta, t->id_delimiter);
		json_object_object_del(given, "meta");
		json_object_put(meta);
	}
	overlay(schema, given);
	if (r == 0)
		r = db_table_set_schema(req->app->db, t->table_namespace,
		    t->name, json_text(schema));
	if (r != 0) {
		json_object_put(schema);
		return r;
	}
	return reply_data(rp, schema);
}

/* "guest_9999_x0" after {"guest": {"9999": 10000}}; NULL: not concerned. */
static char *
migrated(const char *name, struct json_object *mapping)
{
	const char *at, *rest;
	char *role, *party;
	struct json_object *to;
	char *out = NULL;

	if ((at = strchr(name, '_')) == NULL ||
	    (rest = strchr(at + 1, '_')) == NULL)
		return NULL;
	role = xstrndup(name, (size_t)(at - name));
	party = xstrndup(at + 1, (size_t)(rest - at - 1));
	to = json_get(json_get(mapping, role), party);
	if (to != NULL && str_is_party_id(json_object_get_string(to)))
		out = xasprintf(
		    "%s_%s%s", role, json_object_get_string(to), rest);
	free(role);
	free(party);
	return out;
}

static void
migrate(
    struct json_object *schema, const char *key, struct json_object *mapping)
{
	struct json_object *v = json_get(schema, key), *list;
	const char *name;
	char *other;
	size_t i;

	if (json_is_string(v)) {
		other = migrated(json_object_get_string(v), mapping);
		if (other != NULL)
			json_add_str(schema, key, other);
		free(other);
		return;
	}
	if (!json_is_array(v))
		return;
	list = json_object_new_array();
	for (i = 0; i < json_object_array_length(v); i++) {
		name = json_object_get_string(json_object_array_get_idx(v, i));
		other = name != NULL ? migrated(name, mapping) : NULL;
		json_object_array_add(list,
		    other != NULL
			? json_object_new_string(other)
			: json_object_get(json_object_array_get_idx(v, i)));
		free(other);
	}
	json_add(schema, key, list);
}

int
api_table_anonymous_migrate(struct request *req, struct reply *rp)
{
	struct json_object *mapping, *schema;
	struct db_table *t;
	int r;

	if ((r = request_require(
		 req, "namespace,name,role,party_id,migrate_mapping")) != 0)
		return r;
	mapping = request_field(req, "migrate_mapping");
	if (!json_is_object(mapping))
		return err_set(ERR_INVALID, "migrate_mapping must be like "
					    "{\"guest\": {\"9999\": 10000}}");
	r = find(req, "name", &t);
	if (r == ERR_NOT_FOUND)
		return reply_fault(rp, 101, "%s", err_text());
	if (r != 0)
		return r;
	schema = view_document(t->schema_json);
	migrate(schema, "anonymous_header", mapping);
	migrate(schema, "anonymous_label", mapping);
	r = db_table_set_schema(
	    req->app->db, t->table_namespace, t->name, json_text(schema));
	if (r != 0) {
		json_object_put(schema);
		return r;
	}
	return reply_data(rp, schema);
}

/* --- where from, what for ------------------------------------------------------- */

int
api_table_source(struct request *req, struct reply *rp)
{
	struct json_object *list, *o;
	struct db_lineage *rows;
	struct db_table *t;
	size_t i, n;
	int r;

	if ((r = request_require(req, "table_name,namespace")) != 0)
		return r;
	r = find(req, "table_name", &t);
	if (r == ERR_NOT_FOUND)
		return reply_fault(rp, 100, "%s", err_text());
	if (r != 0 || (r = db_lineage_list(req->app->db, req->arena,
			   t->table_namespace, t->name, &rows, &n)) != 0)
		return r;
	list = json_object_new_array();
	for (i = 0; i < n; i++) {
		o = json_object_new_object();
		json_add_str(o, "parent_table_name", rows[i].parent_name);
		json_add_str(
		    o, "parent_table_namespace", rows[i].parent_namespace);
		json_add_str(o, "source_table_name", rows[i].source_name);
		json_add_str(
		    o, "source_table_namespace", rows[i].source_namespace);
		json_object_array_add(list, o);
	}
	return reply_data(rp, list);
}

int
api_table_jobs(struct request *req, struct reply *rp)
{
	struct json_object *data, *list;
	struct db_table_job *rows;
	size_t i, n;
	int r;

	if ((r = request_require(req, "table_name,namespace")) != 0 ||
	    (r = db_table_jobs(req->app->db, req->arena, text(req, "namespace"),
		 text(req, "table_name"), &rows, &n)) != 0)
		return r;
	list = json_object_new_array();
	for (i = 0; i < n; i++)
		json_object_array_add(
		    list, json_object_new_string(rows[i].job_id));
	data = json_object_new_object();
	json_add_int(data, "count", (int64_t)n);
	json_add(data, "job", list);
	return reply_data(rp, data);
}
