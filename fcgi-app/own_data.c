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

static int
find_table(
    const struct own_data *own, const struct job_task *t, struct db_table **out)
{
	return data_find_for_reader(own->req->app->db, own->req->arena,
	    t->parameters, own->partner, out);
}

static int
look_at_reader(const struct own_data *own, const struct job_member *m,
    const struct job_task *t, const struct json_path *at, struct faults *faults)
{
	const struct json_path *path = JSON_PATH_KEY(at, "table");
	struct json_object *table = json_get(t->parameters, "table");
	struct db_table *row;
	int r = find_table(own, t, &row);

	if (r == ERR_NOT_FOUND)
		faults_add(faults, path,
		    "party %s has no table %s %s: upload or bind it first, or "
		    "name one that it has",
		    m->party_id, json_get_str(table, "namespace", ""),
		    json_get_str(table, "name", ""));
	else if (r == ERR_DENIED)
		/* One behind it has a name that is this site's own matter. */
		faults_add(faults, path, "this table of party %s is disabled",
		    m->party_id);
	else
		return r;
	err_clear();
	return 0;
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

int
own_data_of_partner(void *ctx, const struct party_member *pm)
{
	const struct own_data_job *j = ctx;
	const struct job_member *m =
	    job_spec_member(j->spec, pm->role, pm->party_id);
	struct own_data own = { j->req, 0, j->spec->initiator_party };
	struct faults faults = FAULTS_INIT;
	int r;

	if (m == NULL)
		return 0;
	r = look_at_member(&own, j->spec, m, &faults);
	if (r == 0 && faults_any(&faults))
		r = str_eq(j->req->app->conf->error_detail, "class")
			? err_set(ERR_INVALID,
			      "a table or column that the job names is not "
			      "here")
			: faults_err(&faults, "data");
	faults_fini(&faults);
	return r;
}
