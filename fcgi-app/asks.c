/*
 * Called by api_approval.c.
 */
#include "fcgi-app/asks.h"

#include "fcgi-app/app.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/data/resolve.h"
#include "lib/db/db_task.h"
#include "lib/json/json.h"
#include "lib/json/merge.h"
#include "lib/model/contract.h"
#include "lib/model/roles.h"

struct asks {
	struct request *req;
	const struct db_job *job;
	const char *role;
	const char *party_id;
	struct json_object *conf; /* as it was given */
	struct json_object *contract;
};

/* Of the party among the members of its role. */
static size_t
position_of(const struct asks *a)
{
	struct json_object *list = json_get(json_get(a->conf, "role"), a->role);
	size_t i = 0;

	while (
	    json_is_array(list) && i < json_object_array_length(list) &&
	    !str_eq(json_object_get_string(json_object_array_get_idx(list, i)),
		a->party_id))
		i++;
	return i;
}

/* What the job file says of a component for this member. */
static struct json_object *
given(const struct asks *a, const char *component)
{
	struct json_object *all = json_get(a->conf, "component_parameters");
	struct json_object *scopes = json_get(json_get(all, "role"), a->role);
	struct json_object *out = json_object_new_object(), *o;
	size_t position = position_of(a);

	if (json_is_object(o = json_get(json_get(all, "common"), component)))
		json_merge(out, o);
	if (!json_is_object(scopes))
		return out;
	json_object_object_foreach(scopes, key, scope)
	{
		o = json_get(scope, component);
		if (roles_key_matches(key, position) && json_is_object(o))
			json_merge(out, o);
	}
	return out;
}

/*
 * Why a Reader will not get its table; NULL when that is not about the table.
 * One that is damaged says so, and keeps nobody from what else there is.
 */
static const char *
why_missing(struct arena *arena, int r)
{
	switch (r) {
	case 0:
	case ERR_DB:
	case ERR_DB_RETRY:
		return NULL;
	case ERR_NOT_FOUND:
		return "this site has no such table that the job may read";
	case ERR_DENIED:
		return "the table is disabled";
	default:
		return arena_printf(
		    arena, "the table cannot be read: %s", err_text());
	}
}

/* As the Reader would find it, or why not; the job's initiator hears less. */
static int
add_table(const struct asks *a, const char *module, const char *parameters,
    struct json_object *o)
{
	struct json_object *all = view_document(parameters);
	struct json_object *table = contract_table_of(module, all);
	const char *why;
	struct db_table *row;
	int r = 0;

	if (str_eq(module, "Reader"))
		r = data_find_for_reader(a->req->app->db, a->req->arena, all,
		    a->job->initiator_party, &row);
	why = why_missing(a->req->arena, r);
	if (table != NULL) {
		json_add_str(
		    o, "namespace", json_get_str(table, "namespace", ""));
		json_add_str(o, "table_name", json_get_str(table, "name", ""));
	}
	json_add_str(o, "missing", why);
	json_object_put(all);
	if (why == NULL)
		return r;
	err_clear();
	return 0;
}

static int
add_task(struct asks *a, const struct db_task *t, struct json_object *list)
{
	struct json_object *o = json_object_new_object();
	struct db_task_wish *wish;
	int64_t bytes = 0;
	int r;

	json_object_array_add(list, o);
	json_add_str(o, "component", t->key.component);
	json_add_str(o, "module", t->module);
	json_add(o, "parameters", given(a, t->key.component));
	if (contract_egress(a->contract, t->key.component, a->role, a->party_id,
		&bytes) != 0)
		err_clear();
	json_add_int(o, "egress_bytes", bytes);
	if ((r = db_task_get_wish(
		 a->req->app->db, a->req->arena, &t->key, &wish)) != 0)
		return r;
	return add_table(a, t->module, wish->parameters, o);
}

static int
add_tasks(struct asks *a, struct json_object *list)
{
	struct db_task *rows;
	size_t i, n;
	int r;

	r = db_task_list(
	    a->req->app->db, a->req->arena, a->job->job_id, true, &rows, &n);
	for (i = 0; r == 0 && i < n; i++)
		if (rows[i].run_here && str_eq(rows[i].key.role, a->role) &&
		    str_eq(rows[i].key.party_id, a->party_id))
			r = add_task(a, &rows[i], list);
	return r;
}

static struct json_object *
limits(struct json_object *contract)
{
	struct json_object *o = json_object_new_object();
	int64_t from, until;

	if (contract_validity(contract, &from, &until)) {
		json_add_int(o, "not_before", from * 1000);
		json_add_int(o, "not_after", until * 1000);
	}
	json_add_int(o, "runs", contract_runs(contract));
	return o;
}

int
asks_add(struct request *req, const struct db_job *job, const char *role,
    const char *party_id, struct json_object *o)
{
	struct asks a = { .req = req,
		.job = job,
		.role = role,
		.party_id = party_id,
		.conf = view_document(job->runtime_conf),
		.contract = view_document(job->contract) };
	struct json_object *list = json_object_new_array();
	int r = add_tasks(&a, list);

	json_add(o, "asks", list);
	json_add(o, "limits", limits(a.contract));
	json_object_put(a.conf);
	json_object_put(a.contract);
	return r;
}
