/*
 * Deploying a trained version: all its members stage a child, then all seal
 * it, or nothing is seen of it anywhere.  lib/party/model_deploy.h is what
 * members are asked.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/dsl_body.h"
#include "fcgi-app/errand.h"
#include "fcgi-app/model_parties.h"
#include "fcgi-app/model_rows.h"
#include "fcgi-app/route.h"
#include "fcgi-app/turns.h"
#include "lib/base/err.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db.h"
#include "lib/json/faults.h"
#include "lib/model/model_version.h"
#include "lib/model/predict_dsl.h"
#include "lib/party/model_deploy.h"

static const char *const members[] = { "guest", "host", "arbiter", NULL };

struct deployment {
	struct request *req;
	struct reply *rp;
	struct db_model *parent;
	struct json_object *train_dsl; /* owned, as the next three */
	struct json_object *inference_dsl;
	struct json_object *roles;
	struct json_object *body; /* of the errands */
	struct json_object *data; /* the reply's */
	char child[ID_JOB_SIZE];
	struct faults faults;
};

/* --- the inference DSL --- */

/* An empty list or text asks for nothing. */
static bool
is_given(struct request *req, const char *field)
{
	struct json_object *o = request_field(req, field);

	if (json_is_array(o))
		return json_object_array_length(o) > 0;
	if (json_is_object(o))
		return json_object_object_length(o) > 0;
	return json_is_string(o) && *json_object_get_string(o) != '\0';
}

static int
deduce(struct deployment *d)
{
	struct dsl_names *names = arena_alloc(d->req->arena, sizeof(*names));
	bool some = is_given(d->req, "cpn_list");
	int r;

	if (some && (r = dsl_body_names(d->req, "cpn_list", names)) != 0)
		return r;
	return predict_dsl_deduce(d->train_dsl, some ? names->items : NULL,
	    names->n, &d->faults, JSON_PATH_KEY(NULL, "train_dsl"),
	    &d->inference_dsl);
}

/* Does the training make a model of that name? */
static bool
is_trained(
    struct json_object *train_dsl, const char *component, const char *alias)
{
	struct json_object *list = json_path_get(
	    train_dsl, "components", component, "output", "model");

	for (size_t i = 0;
	     json_is_array(list) && i < json_object_array_length(list); i++)
		if (str_eq(json_object_get_string(
			       json_object_array_get_idx(list, i)),
			alias))
			return true;
	return false;
}

static void
check_stored(struct deployment *d, const struct json_path *path,
    const struct dsl_component *c)
{
	for (size_t i = 0; i < c->n_stored; i++) {
		const struct dsl_stored *s = &c->stored[i];
		struct json_path components = { path, "components", 0 };
		struct json_path at = { &components, c->name, 0 };

		if (!is_trained(d->train_dsl, s->component, s->alias))
			faults_add(&d->faults, JSON_PATH_KEY(&at, "input"),
			    "the training made no model pipeline.%s.%s",
			    s->component, s->alias);
	}
}

/* A DSL that somebody wrote must be right, and use what was trained. */
static int
check_given(struct deployment *d, const char *field)
{
	const struct json_path at = { NULL, field, 0 };
	struct dsl *dsl = NULL;
	int r;

	r = dsl_parse(
	    d->inference_dsl, d->req->app->providers, &at, &d->faults, &dsl);
	for (size_t i = 0; r == 0 && i < dsl->n; i++)
		check_stored(d, &at, &dsl->components[i]);
	dsl_free(dsl);
	return faults_any(&d->faults) ? ERR_INVALID : r;
}

static int
find_inference_dsl(struct deployment *d)
{
	const char *field =
	    is_given(d->req, "predict_dsl") ? "predict_dsl" : "dsl";
	int r;

	if ((r = json_parse_text(d->parent->train_dsl, &d->train_dsl)) != 0)
		return r;
	if (!is_given(d->req, field))
		return deduce(d);
	if (is_given(d->req, "cpn_list"))
		return err_set(ERR_EXISTS,
		    "cpn_list and %s cannot be given together: a DSL says "
		    "itself which components there are",
		    field);
	if ((r = dsl_body_dsl(d->req, field, &d->inference_dsl)) != 0)
		return r;
	return check_given(d, field);
}

/* --- checkpoints --- */

/* {"step_index": N} or {"step_name": S} of a component with a model. */
static void
check_checkpoint(
    struct deployment *d, const char *component, struct json_object *step)
{
	struct json_path all = { NULL, "components_checkpoint", 0 };
	struct json_path at = { &all, component, 0 };
	bool named = json_is_string(json_get(step, "step_name"));
	int64_t index;
	bool numbered =
	    json_whole_number(json_get(step, "step_index"), true, &index);

	if (json_path_get(d->train_dsl, "components", component, "output",
		"model") == NULL)
		faults_add(&d->faults, &at,
		    "the training has no component of this name with a model");
	else if (named == numbered)
		faults_add_value(&d->faults, &at, step,
		    "must be {\"step_index\": integer} or {\"step_name\": "
		    "text}");
}

static int
find_checkpoints(struct deployment *d, struct json_object **out)
{
	struct json_object *o = request_field(d->req, "components_checkpoint");

	*out = NULL;
	if (o == NULL)
		return 0;
	if (!json_is_object(o))
		return err_set(ERR_INVALID,
		    "components_checkpoint must be an object of components");
	json_object_object_foreach(o, component, step)
	{
		check_checkpoint(d, component, step);
		*out = o;
	}
	return faults_any(&d->faults) ? ERR_INVALID : 0;
}

/* --- asking --- */

static int
make_body(struct deployment *d)
{
	struct json_object *checkpoints;
	char root[MODEL_HEX_SIZE];
	int r;

	if ((r = find_inference_dsl(d)) != 0 ||
	    (r = find_checkpoints(d, &checkpoints)) != 0)
		return r;
	str_to_hex(d->parent->root_hash, sizeof(d->parent->root_hash), root);
	d->body = json_object_new_object();
	json_add_str(d->body, "model_id", d->parent->model_id);
	json_add_str(d->body, "model_version", d->parent->model_version);
	json_add_str(d->body, "root", root);
	json_add_str(d->body, "child", d->child);
	json_add(d->body, "inference_dsl", json_object_get(d->inference_dsl));
	if (checkpoints != NULL)
		json_add(d->body, "checkpoints", json_object_get(checkpoints));
	return 0;
}

/*
 * Nobody keeps what was staged; who cannot be told forgets by itself.  The
 * error that led here stays recorded.
 */
static int
drop(struct deployment *d, int error)
{
	char *why = xstrdup(err_text());
	struct errand e;

	errand_init(&e, d->req, MODEL_DEPLOY_DROP);
	e.persistent = true;
	model_parties_ask(&e, d->roles, members, d->body);
	if (errand_send(&e) != 0)
		log_err("deployment %s is not dropped", d->child);
	errand_fini(&e);
	if (error != 0)
		err_set(error, "%s", why);
	free(why);
	return error;
}

static int
failed(struct deployment *d, const struct errand *e, const char *what)
{
	const struct errand_call *first = &e->calls[0];

	for (size_t i = e->n; i-- > 0;)
		if (e->calls[i].reply.retcode != 0)
			first = &e->calls[i];
	return reply_fault(d->rp, 101, "failed: %s; %s %s: %s", what,
	    first->role, first->party_id, first->reply.retmsg);
}

/* The manifests of all members go to each of them. */
static int
collect(struct deployment *d, const struct errand *e)
{
	struct model_member *m =
	    arena_alloc(d->req->arena, (e->n + 1) * sizeof(*m));
	int r;

	for (size_t i = 0; i < e->n; i++) {
		const struct errand_call *c = &e->calls[i];

		m[i].role = c->role;
		m[i].party_id = c->party_id;
		if ((r = str_from_hex(
			 json_get_str(c->reply.data, "manifest_hash", ""),
			 m[i].manifest_hash, sizeof(m[i].manifest_hash))) != 0)
			return err_wrap(
			    "answer of %s %s", c->role, c->party_id);
	}
	json_add(d->body, "members", model_members_json(m, e->n));
	return 0;
}

static int
stage(struct deployment *d, bool *staged)
{
	struct errand e;
	int r;

	*staged = false;
	errand_init(&e, d->req, MODEL_DEPLOY_STAGE);
	model_parties_ask(&e, d->roles, members, d->body);
	if ((r = errand_run(&e)) != 0)
		goto out;
	model_parties_add(d->data, &e);
	if (errand_failures(&e) > 0)
		r = failed(
		    d, &e, "not all members can deploy it, so none does");
	else
		*staged = (r = collect(d, &e)) == 0;
out:
	errand_fini(&e);
	return *staged ? 0 : drop(d, r);
}

/* It is decided: whoever cannot be told now is told later. */
static int
seal(struct deployment *d)
{
	struct errand e;
	int r;

	errand_init(&e, d->req, MODEL_DEPLOY_SEAL);
	e.persistent = true;
	model_parties_ask(&e, d->roles, members, d->body);
	if ((r = errand_run(&e)) == 0) {
		model_parties_add(d->data, &e);
		if (errand_failures(&e) > 0)
			r = failed(d, &e,
			    "all members have staged it, but not all have "
			    "confirmed it yet");
		else
			log_info("model_version=%s deployed as %s",
			    d->parent->model_version, d->child);
	}
	errand_fini(&e);
	return r;
}

static int
ask_members(struct deployment *d)
{
	struct turns *turns = d->req->app->errands;
	bool staged;
	int r;

	/* One turn for both, so that the second cannot be refused. */
	if ((r = turns_take(turns)) == 0 && (r = stage(d, &staged)) == 0 &&
	    staged)
		r = seal(d);
	turns_give(turns);
	return r == 0 ? 0 : errand_error(d->rp, r);
}

/* Clients print data when retcode is not 0, so it is always there. */
static int
refuse(struct deployment *d, int code)
{
	struct json_object *detail = json_object_new_object();

	if (faults_any(&d->faults)) {
		d->rp->errors = faults_json(&d->faults);
		(void)faults_err(&d->faults, "cannot be deployed");
	}
	json_add_str(detail, "message", err_text());
	json_add(d->data, "detail", detail);
	return reply_fault(d->rp, err_retcode(code), "%s", err_text());
}

static int
deploy(struct deployment *d)
{
	int r;

	id_job(d->child);
	d->roles = model_rows_roles(d->parent);
	if (json_object_object_length(d->roles) == 0)
		return reply_status(d->rp, 404,
		    "the roles of version %s are not known",
		    d->parent->model_version);
	d->data = json_object_new_object();
	reply_data(d->rp, d->data);
	json_add_str(d->data, "model_id", d->parent->model_id);
	json_add_str(d->data, "model_version", d->child);
	r = make_body(d);
	if (r == ERR_INVALID || r == ERR_EXISTS || r == ERR_FORMAT ||
	    r == ERR_LIMIT)
		return refuse(d, r);
	return r != 0 ? r : ask_members(d);
}

int
api_model_deploy(struct request *req, struct reply *rp)
{
	struct deployment d = { .req = req, .rp = rp };
	const char *id, *version;
	int r;

	if ((r = request_require(req, "model_id,model_version")) != 0)
		return r;
	id = request_text(req, "model_id");
	version = request_text(req, "model_version");
	r = model_rows_find(
	    req, id, version != NULL ? version : "", NULL, NULL, &d.parent);
	if (r == ERR_NOT_FOUND)
		return reply_status(rp, 404, "%s", err_text());
	if (r != 0)
		return r;
	faults_init(&d.faults);
	r = deploy(&d);
	faults_fini(&d.faults);
	json_object_put(d.train_dsl);
	json_object_put(d.inference_dsl);
	json_object_put(d.roles);
	json_object_put(d.body);
	return r;
}
