/*
 * Readers' tables and their label columns.  Called while job_spec_build()
 * goes through the members of this site.
 */
#include "fcgi-app/own_data.h"

#include "fcgi-app/app.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/data/resolve.h"
#include "lib/db/db_table.h"
#include "lib/engine/render.h"
#include "lib/party/party.h"

/* *out is NULL when the task reads none by its name. */
static int
find_table(
    const struct own_data *own, const struct job_task *t, struct db_table **out)
{
	struct request *req = own->req;
	struct json_object *table = json_get(t->parameters, "table");
	const char *name = json_get_str(table, "name", NULL);
	const char *space = json_get_str(table, "namespace", NULL);
	int r;

	*out = NULL;
	if (name == NULL || space == NULL)
		return 0;
	r = db_table_get(req->app->db, req->arena, space, name, out);
	return r != 0 || own->partner == NULL
		   ? r
		   : data_check_reader(
			 req->app->db, req->arena, *out, own->partner);
}

static int
look_at_reader(const struct own_data *own, const struct job_member *m,
    const struct job_task *t, const struct json_path *at, struct faults *faults)
{
	const struct json_path *path = JSON_PATH_KEY(at, "table");
	struct json_object *table = json_get(t->parameters, "table");
	struct db_table *row;
	int r = find_table(own, t, &row);

	/* One behind it, whose name is this site's own matter. */
	if (r == ERR_DENIED) {
		err_clear();
		row->disabled = true;
		r = 0;
	}
	if (r == ERR_NOT_FOUND) {
		err_clear();
		faults_add_value(faults, path, table,
		    "party %s has no table %s %s: upload or bind it first, or "
		    "name one that it has",
		    m->party_id, json_get_str(table, "namespace", ""),
		    json_get_str(table, "name", ""));
		return 0;
	}
	if (r == 0 && row != NULL && row->disabled)
		faults_add_value(faults, path, table,
		    "this table of party %s is disabled", m->party_id);
	return r;
}

/* The Reader that a component's data comes from at once; SIZE_MAX: none. */
static size_t
reader_before(const struct job_spec *spec, size_t seq)
{
	const struct dsl_component *c = spec->components[seq], *up;

	for (size_t i = 0; i < c->n_refs; i++) {
		up = &spec->dsl->components[c->refs[i].from];
		if (c->refs[i].kind == DSL_REF_DATA &&
		    str_eq(up->module, "Reader"))
			return up->seq;
	}
	return SIZE_MAX;
}

static bool
has_column(struct json_object *columns, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(columns); i++)
		if (str_eq(json_object_get_string(
			       json_object_array_get_idx(columns, i)),
			name))
			return true;
	return false;
}

/* Of text with a head, and where nothing else than the parameters counts. */
static bool
is_judged(const struct dsl_component *c, const struct job_task *t)
{
	for (size_t i = 0; i < c->n_refs; i++)
		if (c->refs[i].kind != DSL_REF_DATA)
			return false;
	return c->n_stored == 0 && t->need_run &&
	       json_get_bool(t->parameters, "with_label", false) &&
	       str_eq(json_get_str(t->parameters, "input_format", "dense"),
		   "dense");
}

static void
look_at_columns(const struct job_member *m, const struct job_task *t,
    const struct db_table *row, const struct json_path *at,
    struct faults *faults)
{
	const char *label = json_get_str(t->parameters, "label_name", "y");
	struct json_object *schema = NULL, *columns;

	if (json_parse_text(row->schema_json, &schema) != 0) {
		err_clear();
		return;
	}
	columns = render_columns(schema, row->id_delimiter);
	/* One with meta says itself what its label is; an id is no columns. */
	if (json_get(schema, "meta") == NULL &&
	    json_object_array_length(columns) > 1 &&
	    !has_column(columns, label))
		faults_add(faults, JSON_PATH_KEY(at, "label_name"),
		    "with_label is true, but table %s %s of party %s has no "
		    "column %s",
		    row->table_namespace, row->name, m->party_id, label);
	json_object_put(columns);
	json_object_put(schema);
}

static int
look_at_transform(const struct own_data *own, const struct job_spec *spec,
    const struct job_member *m, size_t seq, const struct json_path *at,
    struct faults *faults)
{
	size_t reader = reader_before(spec, seq);
	struct db_table *row;
	int r;

	if (reader == SIZE_MAX || m->tasks[reader].parameters == NULL ||
	    !is_judged(spec->components[seq], &m->tasks[seq]))
		return 0;
	r = find_table(own, &m->tasks[reader], &row);
	/* which the Reader has told */
	if (r == ERR_NOT_FOUND || r == ERR_DENIED) {
		err_clear();
		return 0;
	}
	/* What is kept elsewhere may have columns that nobody counted. */
	if (r == 0 && row != NULL && str_eq(row->engine, "STANDALONE"))
		look_at_columns(m, &m->tasks[seq], row, at, faults);
	return r;
}

void
own_data_look(void *ctx, const struct job_spec *spec,
    const struct job_member *m, size_t seq, const struct json_path *at,
    struct faults *faults)
{
	const char *module = spec->components[seq]->module;
	struct own_data *own = ctx;
	int r = 0;

	if (own->error != 0)
		return;
	if (str_eq(module, "Reader"))
		r = look_at_reader(own, m, &m->tasks[seq], at, faults);
	else if (str_eq(module, "DataTransform"))
		r = look_at_transform(own, spec, m, seq, at, faults);
	own->error = r;
}

/* --- partners' jobs ------------------------------------------------------- */

static int
look_at_member(struct own_data *own, const struct job_spec *spec,
    const struct job_member *m, struct faults *faults)
{
	for (size_t seq = 0; seq < spec->n_components; seq++)
		if (m->tasks[seq].parameters != NULL)
			own_data_look(own, spec, m, seq,
			    JSON_PATH_KEY(NULL, spec->components[seq]->name),
			    faults);
	return own->error;
}

static int
is_allowed(struct request *req, const struct job_member *m,
    const struct db_job_new *job, bool *out)
{
	const struct party_member pm = { job->job_id, m->role, m->party_id };
	struct permit_decision *d;
	size_t n;
	int r = party_job_explain(req->app->db, req->arena, &pm, job, &d, &n);

	*out = r == 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		*out &= d[i].allowed;
	return r;
}

/* The rules first: without them neither words nor time tell what there is. */
static int
judge_member(struct request *req, const struct job_spec *spec,
    const struct job_member *m, const struct db_job_new *job)
{
	const char *detail = req->app->conf->error_detail;
	struct own_data own = { req, 0, job->initiator_party };
	struct faults faults = FAULTS_INIT;
	bool allowed;
	int r = is_allowed(req, m, job, &allowed);

	if (r != 0 || !allowed)
		return r;
	r = look_at_member(&own, spec, m, &faults);
	if (r == 0 && faults_any(&faults))
		r = str_eq(detail, "class")
			? err_set(ERR_INVALID,
			      "a table or column that the job names is not "
			      "here")
			: faults_err(&faults, "data");
	faults_fini(&faults);
	return r;
}

int
own_data_of_partner(struct request *req, const struct job_spec *spec,
    const struct job_member *member, const struct db_job_new *job)
{
	int r = 0;

	for (size_t i = 0; i < spec->n_members && r == 0; i++)
		if (spec->members[i].is_local &&
		    (member == NULL || member == &spec->members[i]))
			r = judge_member(req, spec, &spec->members[i], job);
	return r;
}
