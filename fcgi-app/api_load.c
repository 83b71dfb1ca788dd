/*
 * Loading deployed versions into serving systems, and binding them to
 * services.  No site can have a serving configured yet, and says so itself.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/errand.h"
#include "fcgi-app/model_parties.h"
#include "fcgi-app/model_rows.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/decode.h"
#include "lib/party/model_load.h"

/* Arbiters serve nothing. */
static const char *const members[] = { "guest", "host", NULL };

struct target {
	const char *model_id;
	const char *model_version;
	struct json_object *roles; /* owned */
};

/* A deployed version by the job id that deploying gave it. */
static int
by_job(struct request *req, struct target *t)
{
	const char *job = request_text(req, "job_id");
	struct db_model *row;
	int r;

	r = model_rows_find(req, NULL, job, NULL, NULL, &row);
	if (r == ERR_NOT_FOUND)
		return err_set(ERR_INVALID,
		    "no deployed version %.100s is known here", job);
	if (r != 0)
		return r;
	t->model_id = row->model_id;
	t->model_version = row->model_version;
	t->roles = model_rows_roles(row);
	return 0;
}

/* A name of job_parameters, or of its common part. */
static const char *
parameter(struct request *req, const char *name)
{
	struct json_object *all = request_field(req, "job_parameters"), *x;

	x = json_get(all, name);
	if (x == NULL)
		x = json_path_get(all, "common", name);
	return x == NULL ? NULL
			 : arena_strdup(req->arena, json_object_get_string(x));
}

/* As the platform words it. */
static int
by_conf(struct request *req, struct target *t)
{
	struct buf lacks = BUF_INIT;
	struct json_object *roles = request_field(req, "role");
	int r = 0;

	t->model_id = parameter(req, "model_id");
	t->model_version = parameter(req, "model_version");
	if (!json_is_object(request_field(req, "initiator")))
		buf_puts(&lacks, "initiator,");
	if (!json_is_object(roles))
		buf_puts(&lacks, "role,");
	if (t->model_id == NULL)
		buf_puts(&lacks, "job_parameters.model_id,");
	if (t->model_version == NULL)
		buf_puts(&lacks, "job_parameters.model_version,");
	if (lacks.len > 0)
		r = err_set(ERR_EXISTS,
		    "the following arguments are required: %.*s",
		    (int)lacks.len - 1, buf_str(&lacks));
	else
		t->roles = json_object_get(roles);
	buf_fini(&lacks);
	return r;
}

static int
find_target(struct request *req, struct target *t)
{
	const char *job = request_text(req, "job_id");

	return job != NULL && *job != '\0' ? by_job(req, t) : by_conf(req, t);
}

static int
ask(struct request *req, struct reply *rp, const struct target *t)
{
	struct json_object *body = json_object_new_object(), *data;
	struct errand e;
	int r;

	json_add_str(body, "model_id", t->model_id);
	json_add_str(body, "model_version", t->model_version);
	errand_init(&e, req, MODEL_LOAD);
	model_parties_ask(&e, t->roles, members, body);
	json_object_put(body);
	if ((r = errand_run(&e)) == 0) {
		data = json_object_new_object();
		model_parties_add(data, &e);
		reply_data(rp, data);
		if (errand_failures(&e) > 0)
			reply_fault(rp, 101, "failed");
	} else
		r = errand_error(rp, r);
	errand_fini(&e);
	return r;
}

int
api_model_load(struct request *req, struct reply *rp)
{
	struct target t = { .roles = NULL };
	int r;

	if ((r = find_target(req, &t)) == 0)
		r = ask(req, rp, &t);
	if (r == 0)
		rp->job_id = xstrdup(t.model_version);
	json_object_put(t.roles);
	return r;
}

int
api_model_bind(struct request *req, struct reply *rp)
{
	const char *service = request_text(req, "service_id");
	struct target t = { .roles = NULL };
	int r;

	(void)rp;
	if (service == NULL || *service == '\0')
		return err_set(ERR_INVALID, "no service id");
	if ((r = find_target(req, &t)) != 0)
		return r;
	json_object_put(t.roles);
	return err_set(ERR_UNSUPPORTED,
	    "no serving is configured at this site, so version %.100s cannot "
	    "be bound to service %.100s",
	    t.model_version, service);
}
