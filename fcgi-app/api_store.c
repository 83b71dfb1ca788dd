/*
 * The model store: local jobs that carry a model there and back.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/route.h"
#include "fcgi-app/submit.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

#define LOCAL_PARTY "0" /* party id of local jobs */

struct carrying {
	const char *component;
	const char *module;
	struct json_object *parameters;
	struct json_object *dsl;
	struct json_object *conf;
};

static int
make_documents(struct request *req, const char *job_id, struct submit *s)
{
	struct carrying *c = s->ctx;

	(void)req;
	(void)job_id;
	json_object_put(c->dsl);
	json_object_put(c->conf);
	job_local_named(c->component, c->module, c->parameters, NULL,
	    LOCAL_PARTY, &c->dsl, &c->conf);
	s->dsl = c->dsl;
	s->conf = c->conf;
	return 0;
}

static bool
is_text_of(const char *s, const char *chars, size_t max)
{
	size_t n = s != NULL ? strlen(s) : 0;

	return n > 0 && n <= max && strspn(s, chars) == n;
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define HEX "0123456789abcdefABCDEF"
#define SHA256_HEX 64
#define MODEL_ID_MAX 255 /* bytes, as the columns hold */
#define MODEL_VERSION_MAX 100

/* Names that can be none are refused before there is a job. */
static int
check_names(const struct request *req)
{
	const char *role = request_text(req, "role");
	const char *party = request_text(req, "party_id");
	const char *sha256 = request_text(req, "sha256");

	if (role == NULL || !str_in_list("guest,host,arbiter", role))
		return err_set(
		    ERR_INVALID, "role must be guest, host or arbiter");
	if (party == NULL || !str_is_party_id(party))
		return err_set(ERR_INVALID, "party_id must be an integer");
	if (!is_text_of(
		request_text(req, "model_id"), ALNUM "_#-", MODEL_ID_MAX))
		return err_set(ERR_INVALID,
		    "model_id must be a model's id, such as "
		    "guest-9999#host-10000#model");
	if (!is_text_of(request_text(req, "model_version"), ALNUM "_.-",
		MODEL_VERSION_MAX))
		return err_set(ERR_INVALID,
		    "model_version must be a version of a model, such as the "
		    "id of the job that trained it");
	if (sha256 != NULL && (!is_text_of(sha256, HEX, SHA256_HEX) ||
				  strlen(sha256) != SHA256_HEX))
		return err_set(
		    ERR_INVALID, "sha256 must be %d hex digits", SHA256_HEX);
	return 0;
}

static struct json_object *
parameters_of(const struct request *req, bool restore)
{
	static const char *const names[] = { "model_id", "model_version",
		"role", "party_id" };
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_add_str(o, names[i], request_text(req, names[i]));
	json_add_bool(
	    o, "force_update", request_flag(req, "force_update", false));
	if (restore && request_text(req, "sha256") != NULL)
		json_add_str(o, "sha256", request_text(req, "sha256"));
	return o;
}

/* The platform reports a job that could not be made inside data. */
static void
fit_reply(struct reply *rp)
{
	if (rp->data == NULL)
		rp->data = json_object_new_object();
	if (rp->retcode != 0) {
		json_add_int(rp->data, "code", rp->retcode);
		json_add_str(rp->data, "message", rp->retmsg);
		rp->retcode = 0;
	}
}

static int
submit_carrying(struct request *req, struct reply *rp, struct carrying *c)
{
	struct submit s = {
		.dsl_name = "job_dsl",
		.conf_name = "job_runtime_conf",
		.local_party = LOCAL_PARTY,
		.documents = make_documents,
		.ctx = c,
	};
	int r = submit_job(req, rp, &s);

	if (r == 0)
		fit_reply(rp);
	json_object_put(c->parameters);
	json_object_put(c->dsl);
	json_object_put(c->conf);
	return r;
}

int
api_model_store(struct request *req, struct reply *rp)
{
	struct carrying c = { .component = "modeloperation_store_0",
		.module = "ModelStore" };
	int r;

	if ((r = request_require(
		 req, "model_id,model_version,role,party_id")) != 0 ||
	    (r = check_names(req)) != 0)
		return r;
	c.parameters = parameters_of(req, false);
	return submit_carrying(req, rp, &c);
}

int
api_model_restore(struct request *req, struct reply *rp)
{
	struct carrying c = { .component = "modeloperation_restore_0",
		.module = "ModelRestore" };
	int r;

	if ((r = request_require(
		 req, "model_id,model_version,role,party_id")) != 0 ||
	    (r = check_names(req)) != 0)
		return r;
	c.parameters = parameters_of(req, true);
	return submit_carrying(req, rp, &c);
}
