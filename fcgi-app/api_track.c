/*
 * What tasks left behind, as people look at it: parameters, summaries, and
 * the shape of the job.  Their metrics: api_metric.c.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "fcgi-app/tracked.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_metric.h"
#include "lib/db/db_table.h"
#include "lib/model/dsl.h"

/* The member of o under key, made when it is not there. */
static struct json_object *
child(struct json_object *o, const char *key)
{
	struct json_object *c = json_get(o, key);

	if (c == NULL) {
		c = json_object_new_object();
		json_add(o, key, c);
	}
	return c;
}

/* --- parameters and summaries -------------------------------------------------- */

int
api_parameters(struct request *req, struct reply *rp)
{
	struct json_object *data;
	struct db_task *task;
	struct tracked t;
	int r;

	if ((r = tracked_find(req, &t)) != 0)
		return r;
	r = db_task_get_newest(req->app->db, req->arena, t.job_id, t.component,
	    t.role, t.party_id, &task);
	if (r == ERR_NOT_FOUND)
		return reply_fault(
		    rp, 101, "no such task here; %s", tracked_no_data(req, &t));
	if (r != 0)
		return r;
	data = json_object_new_object();
	json_add_str(data, "module", task->module);
	json_add(data, "ComponentParam", view_document(task->parameters));
	return reply_data(rp, data);
}

int
api_summary(struct request *req, struct reply *rp)
{
	const char *file = request_text(req, "filename");
	const char *text;
	struct json_object *o;
	struct tracked t;
	int64_t version;
	int r;

	if ((r = request_require(req, "job_id,component_name,role,party_id")) !=
		0 ||
	    (r = request_int(
		 req, "task_version", 0, INT32_MAX, -1, &version)) != 0 ||
	    (r = tracked_find(req, &t)) != 0)
		return r;
	r = db_summary_get(req->app->db, req->arena, t.job_id, t.component,
	    version, t.role, t.party_id, &text);
	if (r == ERR_NOT_FOUND)
		return reply_status(rp, 210, "no summary of %s here; %s",
		    t.component, tracked_no_data(req, &t));
	if (r != 0)
		return r;
	o = view_document(text);
	if (file == NULL)
		return reply_data(rp, o);
	r = reply_file_json(rp, file, o);
	json_object_put(o);
	return r;
}

/* --- the job's shape --------------------------------------------------------------- */

/* The job of the request, with its DSL parsed for display. */
static int
read_job(struct request *req, struct db_job **job)
{
	const char *job_id = request_text(req, "job_id");
	int r;

	if ((r = request_require(req, "job_id")) != 0)
		return r;
	r = db_job_get(
	    req->app->db, req->arena, job_id != NULL ? job_id : "", job);
	/* The platform raises here: retcode 100. */
	return r == ERR_NOT_FOUND
		   ? err_set(ERR_EXISTS, "job %s is not known here",
			 job_id != NULL ? job_id : "null")
		   : r;
}

int
api_component_list(struct request *req, struct reply *rp)
{
	struct json_object *data, *list, *dsl, *components;
	struct db_job *job;
	int r;

	if ((r = read_job(req, &job)) != 0)
		return r;
	dsl = view_document(job->dsl);
	list = json_object_new_array();
	components = json_get(dsl, "components");
	if (json_is_object(components)) {
		json_object_object_foreach(components, name, value)
		{
			(void)value;
			json_object_array_add(
			    list, json_object_new_string(name));
		}
	}
	json_object_put(dsl);
	data = json_object_new_object();
	json_add(data, "components", list);
	return reply_data(rp, data);
}

/* Index of an output among the upstream's, by its name. */
static int
output_index(const struct dsl_component *c, const struct dsl_ref *ref)
{
	size_t i;

	for (i = 0; ref->kind == DSL_REF_DATA && i < c->n_out_data; i++) {
		if (strcmp(c->out_data[i], ref->name) == 0)
			return (int)i;
	}
	return 0;
}

static struct json_object *
edges_json(const struct dsl *dsl, const struct dsl_component *c)
{
	static const char *const kinds[] = { [DSL_REF_DATA] = "data",
		[DSL_REF_MODEL] = "model",
		[DSL_REF_ISOMETRIC] = "model",
		[DSL_REF_CACHE] = "cache" };
	struct json_object *list = json_object_new_array();
	struct json_object *edge, *info;
	const struct dsl_component *up;
	size_t i;

	for (i = 0; i < c->n_refs; i++) {
		up = &dsl->components[c->refs[i].from];
		edge = json_object_new_object();
		json_add_str(edge, "component_name", up->name);
		json_add_str(edge, "type",
		    c->refs[i].kind == DSL_REF_DATA ? c->refs[i].key
						    : kinds[c->refs[i].kind]);
		info = json_object_new_array();
		json_object_array_add(
		    info, json_object_new_string(kinds[c->refs[i].kind]));
		json_object_array_add(
		    info, json_object_new_int(output_index(up, &c->refs[i])));
		json_add(edge, "up_output_info", info);
		json_object_array_add(list, edge);
	}
	return list;
}

static struct json_object *
dag_json(const struct dsl *dsl)
{
	struct json_object *data = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *edges = json_object_new_object();
	struct json_object *modules = json_object_new_object();
	struct json_object *runs = json_object_new_object();
	const struct dsl_component *c;
	size_t i;

	for (i = 0; i < dsl->n; i++) {
		c = &dsl->components[dsl->order[i]];
		json_object_array_add(list, json_object_new_string(c->name));
		if (c->n_refs != 0)
			json_add(edges, c->name, edges_json(dsl, c));
		json_add_str(modules, c->name, c->module);
		json_add_bool(runs, c->name, true);
	}
	json_add(data, "component_list", list);
	json_add(data, "dependencies", edges);
	json_add(data, "component_module", modules);
	json_add(data, "component_need_run", runs);
	return data;
}

/* need_run is a member's own: its tasks say. */
static int
set_need_run(struct request *req, const char *job_id, struct json_object *data)
{
	struct json_object *runs = json_get(data, "component_need_run");
	const char *role = request_text(req, "role");
	const char *party = request_text(req, "party_id");
	struct db_task *rows;
	size_t i, n;
	int r;

	if ((r = db_task_list(
		 req->app->db, req->arena, job_id, true, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++) {
		if ((role == NULL || str_eq(role, rows[i].key.role)) &&
		    (party == NULL || str_eq(party, rows[i].key.party_id)))
			json_add_bool(
			    runs, rows[i].key.component, rows[i].need_run);
	}
	return 0;
}

int
api_dag_dependency(struct request *req, struct reply *rp)
{
	struct faults faults = FAULTS_INIT;
	struct json_object *json, *data;
	struct db_job *job = NULL;
	struct dsl *dsl = NULL;
	int r;

	if (request_field(req, "job_id") != NULL) {
		if ((r = read_job(req, &job)) != 0)
			return r;
		json = view_document(job->dsl);
	} else {
		if ((r = request_require(req, "job_dsl")) != 0)
			return r;
		json = json_copy(request_field(req, "job_dsl"));
	}
	r = dsl_parse(json, NULL, NULL, &faults, &dsl);
	if (r == ERR_INVALID) {
		(void)faults_err(&faults, "job_dsl");
		r = reply_fault(rp, 100, "%s", err_text());
	}
	if (dsl != NULL) {
		data = dag_json(dsl);
		reply_data(rp, data);
		if (job != NULL)
			r = set_need_run(req, job->job_id, data);
	}
	dsl_free(dsl);
	faults_fini(&faults);
	json_object_put(json);
	return r;
}

/* --- the job's data, as the list page shows it ---------------------------------------- */

/* {"reader_0": "namespace.name"} of a member. */
static struct json_object *
reader_tables(struct request *req, const char *job_id, const char *role,
    const char *party)
{
	struct db_task_filter f = { .job_id = job_id,
		.roles = role,
		.parties = party,
		.newest_only = true };
	struct json_object *out = json_object_new_object();
	struct json_object *parameters, *table;
	struct db_task_row *rows;
	size_t i, n;

	if (db_task_query(req->app->db, req->arena, &f, &rows, &n, NULL) != 0)
		n = 0;
	for (i = 0; i < n; i++) {
		parameters = view_document(rows[i].task.parameters);
		table = json_get(parameters, "table");
		if (json_is_object(table))
			json_add_str(out, rows[i].task.key.component,
			    arena_printf(req->arena, "%s.%s",
				json_get_str(table, "namespace", ""),
				json_get_str(table, "name", "")));
		json_object_put(parameters);
	}
	return out;
}

/* The initiator sees every member, others only their own role. */
static struct json_object *
dataset_json(struct request *req, const struct db_job *job,
    struct json_object *roles, const char *own_role)
{
	struct json_object *out = json_object_new_object(), *tables;
	const char *party;
	size_t i;

	json_object_object_foreach(roles, role, list)
	{
		if (!job->is_initiator && !str_eq(role, own_role))
			continue;
		for (i = 0;
		     json_is_array(list) && i < json_object_array_length(list);
		     i++) {
			party = json_object_get_string(
			    json_object_array_get_idx(list, i));
			tables = reader_tables(req, job->job_id, role, party);
			json_add(child(out, role), party, tables);
		}
	}
	return out;
}

int
api_job_data_view(struct request *req, struct reply *rp)
{
	struct json_object *data, *roles, *own;
	const char *role, *party;
	struct db_party *member;
	struct db_job *job;
	int r;

	if ((r = request_require(req, "job_id,role,party_id")) != 0)
		return r;
	role = request_text(req, "role");
	party = request_text(req, "party_id");
	if (read_job(req, &job) != 0 || role == NULL || party == NULL ||
	    db_party_get(req->app->db, req->arena, job->job_id, role, party,
		&member) != 0)
		return reply_fault(rp, 101, "error");
	roles = view_document(job->roles);
	data = json_object_new_object();
	json_add(data, "partner", json_copy(roles));
	json_add(data, "dataset", dataset_json(req, job, roles, role));
	if (job->is_initiator) {
		json_add(data, "roles", roles);
	} else {
		own = json_object_new_object();
		json_add(own, role, json_object_new_array());
		json_object_array_add(json_get(own, role), view_party(party));
		json_add(data, "roles", own);
		json_object_put(roles);
	}
	json_add(data, "model_summary", json_object_new_object());
	return reply_data(rp, data);
}
