/*
 * What there is to know of sealed versions: rows, documents, the templates
 * of predict jobs.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "fcgi-app/app.h"
#include "fcgi-app/model_rows.h"
#include "fcgi-app/route.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db.h"
#include "lib/model/dsl.h"

/* --- query --- */

static const char *const documents[] = { "train_dsl", "inference_dsl",
	"runtime_conf", "train_runtime_conf", "runtime_conf_on_party" };

/* query_filters names the columns that are wanted; none: all. */
static bool
is_wanted(struct json_object *filters, const char *column)
{
	if (!json_is_array(filters) || json_object_array_length(filters) == 0)
		return true;
	for (size_t i = 0; i < json_object_array_length(filters); i++) {
		struct json_object *x = json_object_array_get_idx(filters, i);
		const char *name;

		if (!json_is_string(x))
			continue;
		name = json_object_get_string(x);
		if (str_eq(str_starts(name, "f_") ? name + 2 : name, column))
			return true;
	}
	return false;
}

static bool
wants_documents(struct json_object *filters)
{
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
		if (is_wanted(filters, documents[i]))
			return true;
	return false;
}

/* true and 1 are one value, 9999 and "9999" too. */
static bool
is_same(struct json_object *column, struct json_object *asked)
{
	bool truth;

	if (json_object_is_type(column, json_type_boolean))
		return json_truth(asked, true, &truth) &&
		       truth == json_object_get_boolean(column);
	return str_eq(
	    json_object_get_string(column), json_object_get_string(asked));
}

/* Every field of the body that names a column must equal it. */
static bool
matches(struct request *req, struct json_object *row)
{
	char name[64];

	json_object_object_foreach(req->json, key, value)
	{
		struct json_object *column;

		if (value == NULL || strlen(key) > sizeof(name) - 3)
			continue;
		(void)snprintf(name, sizeof(name), "f_%s", key);
		if (!json_object_object_get_ex(row, name, &column))
			continue;
		/* Objects (roles) and lists are not compared with. */
		if (json_is_object(value) || json_is_array(value))
			continue;
		if (!is_same(column, value))
			return false;
	}
	return true;
}

static struct json_object *
only_wanted(struct json_object *row, struct json_object *filters)
{
	struct json_object *o = json_object_new_object();

	json_object_object_foreach(row, key, value)
	{
		if (is_wanted(filters, key + 2))
			json_add(o, key, json_object_get(value));
	}
	json_object_put(row);
	return o;
}

static int
add_row(struct request *req, const struct db_model *m, struct json_object *list)
{
	struct json_object *filters = request_field(req, "query_filters"), *row;
	const struct db_model_key key = { m->model_id, m->model_version,
		m->role, m->party_id };
	struct db_model *whole;
	int r;

	row = model_rows_view(m);
	if (!matches(req, row)) {
		json_object_put(row);
		return 0;
	}
	if (wants_documents(filters)) {
		json_object_put(row);
		if ((r = db_model_get(
			 req->app->db, req->arena, &key, &whole)) != 0)
			return r;
		row = model_rows_view(whole);
	}
	json_object_array_add(list, only_wanted(row, filters));
	return 0;
}

int
api_model_query(struct request *req, struct reply *rp)
{
	const struct db_model_filter filter = {
		.model_id = request_text(req, "model_id"),
		.model_version = request_text(req, "model_version"),
		.role = request_text(req, "role"),
		.party_id = request_text(req, "party_id"),
	};
	struct json_object *list;
	struct db_model *rows;
	size_t n;
	int r;

	if ((r = db_model_list(req->app->db, req->arena, &filter, &rows, &n)) !=
	    0)
		return r;
	list = json_object_new_array();
	reply_data(rp, list);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_row(req, &rows[i], list);
	/* One that was deleted while we looked is not there. */
	if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	if (json_object_array_length(list) == 0)
		return reply_fault(
		    rp, 100, "no sealed version of a model here fits");
	return 0;
}

/* --- detail --- */

/* [{"component_name","module","index"}, …] in the order of running. */
static int
component_info(const char *text, struct json_object **out)
{
	struct faults faults = FAULTS_INIT;
	struct json_object *json = NULL, *o;
	struct dsl *dsl = NULL;
	int r;

	*out = json_object_new_array();
	if ((r = json_parse_text(text, &json)) == 0)
		r = dsl_parse(json, NULL, NULL, &faults, &dsl);
	for (size_t i = 0; r == 0 && i < dsl->n; i++) {
		const struct dsl_component *c = &dsl->components[dsl->order[i]];

		o = json_object_new_object();
		json_add_str(o, "component_name", c->name);
		json_add_str(o, "module", c->module);
		json_add_int(o, "index", (int64_t)i);
		json_object_array_add(*out, o);
	}
	dsl_free(dsl);
	json_object_put(json);
	faults_fini(&faults);
	return r;
}

/* model_id and model_version of a row here; role and party_id may be said. */
static int
find_asked(struct request *req, struct db_model **out)
{
	const char *id = request_text(req, "model_id");
	const char *version = request_text(req, "model_version");

	return model_rows_find(req, id, version != NULL ? version : "",
	    request_text(req, "role"), request_text(req, "party_id"), out);
}

int
api_model_detail(struct request *req, struct reply *rp)
{
	struct json_object *data, *info, *inference;
	struct db_model *m;
	int r;

	if ((r = request_require(req, "model_id,model_version")) != 0)
		return r;
	if ((r = find_asked(req, &m)) != 0)
		return r == ERR_NOT_FOUND
			   ? reply_fault(rp, 100, "%s", err_text())
			   : r;
	if ((r = component_info(m->train_dsl, &info)) != 0) {
		json_object_put(info);
		return r;
	}
	/* A version without one has none to tell of. */
	if (component_info(m->inference_dsl, &inference) != 0)
		err_clear();
	data = json_object_new_object();
	json_add(data, "runtime_conf", view_document(m->train_runtime_conf));
	json_add(data, "dsl", view_document(m->train_dsl));
	json_add(data, "inference_dsl", view_document(m->inference_dsl));
	json_add(data, "component_info", info);
	json_add(data, "inference_component_info", inference);
	return reply_data(rp, data);
}

/* --- predict DSL and conf --- */

static int
answer(struct request *req, struct reply *rp, struct json_object *o)
{
	const char *file = request_text(req, "filename");
	int r;

	if (file == NULL || *file == '\0')
		return reply_data(rp, o);
	r = reply_file_json(rp, file, o);
	json_object_put(o);
	return r;
}

/* A deployed version that somebody else than an arbiter has here. */
static int
find_deployed(struct request *req, struct db_model **out)
{
	int r;

	if ((r = request_require(req, "model_id,model_version")) != 0 ||
	    (r = find_asked(req, out)) != 0)
		return r;
	if (str_eq((*out)->role, "arbiter"))
		return err_set(ERR_NOT_FOUND,
		    "only an arbiter of version %s is here, which has no "
		    "predict DSL: ask the site of a guest or host",
		    (*out)->model_version);
	if ((*out)->is_parent)
		return err_set(ERR_NOT_FOUND,
		    "version %s is the one that training made: deploy it "
		    "(model/deploy) and ask for the version that this gives",
		    (*out)->model_version);
	return 0;
}

/* As the platform: 210 for whatever is not there. */
static int
refusal(struct reply *rp, int r)
{
	return r == ERR_NOT_FOUND || r == ERR_INVALID
		   ? reply_status(rp, 210, "%s", err_text())
		   : r;
}

int
api_predict_dsl(struct request *req, struct reply *rp)
{
	struct json_object *dsl = NULL;
	struct db_model *m;
	int r;

	if ((r = find_deployed(req, &m)) != 0)
		return refusal(rp, r);
	if ((r = json_parse_text(m->inference_dsl, &dsl)) != 0)
		return r;
	return answer(req, rp, dsl);
}

static bool
is_reader(struct json_object *component)
{
	const char *module = json_get_str(component, "module", "");

	return strcasecmp(module, "reader") == 0;
}

/* Tables to be filled in, for each Reader of a member. */
static struct json_object *
reader_tables(struct json_object *dsl, int *number)
{
	struct json_object *o = json_object_new_object(), *table, *holder;
	char text[64];

	json_object_object_foreach(json_get(dsl, "components"), name, c)
	{
		if (!is_reader(c))
			continue;
		table = json_object_new_object();
		(void)snprintf(
		    text, sizeof(text), "name_to_be_filled_%d", *number);
		json_add_str(table, "name", text);
		(void)snprintf(
		    text, sizeof(text), "namespace_to_be_filled_%d", *number);
		json_add_str(table, "namespace", text);
		(*number)++;
		holder = json_object_new_object();
		json_add(holder, "table", table);
		json_add(o, name, holder);
	}
	return o;
}

static bool
has_reader(struct json_object *dsl)
{
	struct json_object *components = json_get(dsl, "components");

	if (!json_is_object(components))
		return false;
	json_object_object_foreach(components, name, c)
	{
		(void)name;
		if (is_reader(c))
			return true;
	}
	return false;
}

/* {"role":{"guest":{"0":{reader:…}},"host":{…}}} */
static struct json_object *
component_parameters(struct json_object *roles, struct json_object *dsl)
{
	static const char *const readers[] = { "guest", "host" };
	struct json_object *o = json_object_new_object(), *role, *all, *list;
	char index[24];
	int number = 0;

	all = json_object_new_object();
	json_add(o, "role", all);
	for (size_t k = 0; k < 2; k++) {
		list = json_get(roles, readers[k]);
		if (!json_is_array(list))
			continue;
		role = json_object_new_object();
		json_add(all, readers[k], role);
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			(void)snprintf(index, sizeof(index), "%zu", i);
			json_add(role, index, reader_tables(dsl, &number));
		}
	}
	return o;
}

/* Those of the training, told what they are now for. */
static struct json_object *
job_parameters(struct json_object *conf, const struct db_model *m)
{
	struct json_object *o = json_copy(json_get(conf, "job_parameters"));
	struct json_object *common;

	if (!json_is_object(o)) {
		json_object_put(o);
		o = json_object_new_object();
	}
	common = json_get(o, "common");
	if (!json_is_object(common)) {
		common = json_object_new_object();
		json_add(o, "common", common);
	}
	json_add_str(common, "model_id", m->model_id);
	json_add_str(common, "model_version", m->model_version);
	json_add_str(common, "job_type", "predict");
	return o;
}

static int
predict_conf(const struct db_model *m, struct json_object **out)
{
	struct json_object *conf = NULL, *dsl = NULL, *train = NULL, *o;
	int r;

	*out = NULL;
	if ((r = json_parse_text(m->train_runtime_conf, &conf)) != 0 ||
	    (r = json_parse_text(m->inference_dsl, &dsl)) != 0 ||
	    (r = json_parse_text(m->train_dsl, &train)) != 0)
		goto out;
	o = json_object_new_object();
	json_add_int(o, "dsl_version", 2);
	json_add(o, "initiator", json_copy(json_get(conf, "initiator")));
	json_add(o, "role", json_copy(json_get(conf, "role")));
	json_add(o, "job_parameters", job_parameters(conf, m));
	/* Without a Reader in it, one has to be added: as in the training. */
	json_add(o, "component_parameters",
	    component_parameters(
		json_get(conf, "role"), has_reader(dsl) ? dsl : train));
	*out = o;
out:
	json_object_put(conf);
	json_object_put(dsl);
	json_object_put(train);
	return r;
}

int
api_predict_conf(struct request *req, struct reply *rp)
{
	struct json_object *conf;
	struct db_model *m;
	int r;

	if ((r = find_deployed(req, &m)) != 0)
		return refusal(rp, r);
	if ((r = predict_conf(m, &conf)) != 0)
		return r;
	return answer(req, rp, conf);
}
