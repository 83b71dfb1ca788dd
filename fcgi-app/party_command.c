/*
 * Used by api_party*.c and api_initiator.c.
 */
#include <string.h>

#include "fcgi-app/party_command.h"
#include "fcgi-app/app.h"
#include "fcgi-app/reply.h"
#include "fcgi-app/wake.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/json/decode.h"
#include "lib/model/fault.h"
#include "lib/model/job_spec.h"
#include "lib/party/party.h"

#define RETCODE_NOT_EFFECTIVE 10

/* --- the path --------------------------------------------------------------------- */

int
command_member(const struct request *req, struct party_member *m)
{
	m->job_id = request_param(req, "job");
	m->role = request_param(req, "role");
	m->party_id = request_param(req, "party");
	if (!str_is_job_id(m->job_id))
		return err_set(ERR_INVALID, "'%.40s' is no job id", m->job_id);
	if (!str_is_name(m->role, JOB_ROLE_MAX))
		return err_set(ERR_INVALID, "'%.40s' is no role", m->role);
	if (!str_is_party_id(m->party_id))
		return err_set(
		    ERR_INVALID, "'%.40s' is no party id", m->party_id);
	return 0;
}

int
command_is_local(const struct request *req, const struct party_member *m)
{
	return strcmp(m->party_id, req->app->conf->party_id) == 0
		   ? 0
		   : err_set(ERR_DENIED, "party %s is not at this site",
			 m->party_id);
}

int
command_local_member(const struct request *req, struct party_member *m)
{
	int r = command_member(req, m);

	return r != 0 ? r : command_is_local(req, m);
}

int
command_task(const struct request *req, struct db_task_key *key)
{
	struct party_member m;
	const char *id;
	int r;

	if ((r = command_member(req, &m)) != 0)
		return r;
	key->job_id = m.job_id;
	key->role = m.role;
	key->party_id = m.party_id;
	key->component = request_param(req, "component");
	if (!str_is_name(key->component, DSL_NAME_MAX))
		return err_set(
		    ERR_INVALID, "'%.40s' is no component", key->component);
	if (str_to_int64(request_param(req, "version"), 0, INT32_MAX,
		&key->version) != 0)
		return err_wrap("task version");
	id = arena_printf(req->arena, "%s_%s", key->job_id, key->component);
	if (strcmp(id, request_param(req, "task")) != 0)
		return err_set(ERR_INVALID, "the task id must be %s", id);
	return 0;
}

int
command_local_task(const struct request *req, struct db_task_key *key)
{
	struct party_member m;
	int r;

	if ((r = command_local_member(req, &m)) != 0)
		return r;
	return command_task(req, key);
}

int
command_status(const struct request *req, enum state *out)
{
	int r;

	if ((r = state_parse(request_param(req, "status"), out)) != 0)
		return r;
	return *out != STATE_NONE ? 0 : err_set(ERR_INVALID, "no status");
}

/* --- bodies ------------------------------------------------------------------------- */

int
command_body(
    struct request *req, const struct json_field *fields, size_t n, void *out)
{
	struct faults faults = FAULTS_INIT;
	int r = 0;

	if (!req->has_body && req->raw.len != 0)
		return err_set(ERR_INVALID, "the body was not read: %s",
		    req->body_fault != NULL ? req->body_fault : "?");
	if (json_decode(req->json, fields, n, JSON_FAULT_UNKNOWN, NULL, &faults,
		out) != 0)
		r = faults_err(&faults, "body");
	faults_fini(&faults);
	return r;
}

void
command_self(struct party_caller *who, const int64_t *run, int64_t fence)
{
	who->run = *run < 0 ? NULL : run;
	who->fence = fence;
}

struct plain {
	int64_t run, fence;
};

static const struct json_field plain_fields[] = {
	COMMAND_SELF(struct plain),
};

int
command_plain(struct request *req, struct party_caller *who)
{
	struct plain *p = arena_alloc(req->arena, sizeof(*p));
	int r;

	*p = (struct plain){ -1, 0 };
	if ((r = command_body(req, JSON_FIELDS(plain_fields), p)) == 0)
		command_self(who, &p->run, p->fence);
	return r;
}

int
command_nothing(struct request *req)
{
	static const struct json_field none[1];
	char out = 0;

	return command_body(req, none, 0, &out);
}

struct cause {
	const char *reason;
	int64_t run, fence;
};

static const struct json_field cause_fields[] = {
	COMMAND_SELF(struct cause),
	JSON_STR(struct cause, reason, 0, COMMAND_REASON_MAX, JSON_NULLABLE),
};

int
command_cause(
    struct request *req, struct party_caller *who, const char **reason)
{
	struct cause *c = arena_alloc(req->arena, sizeof(*c));
	int r;

	*c = (struct cause){ NULL, -1, 0 };
	if ((r = command_body(req, JSON_FIELDS(cause_fields), c)) != 0)
		return r;
	command_self(who, &c->run, c->fence);
	*reason = fault_named(req->arena, c->reason, req->caller.party);
	return 0;
}

int
command_end(struct request *req, struct command_end *e)
{
	int r;

	*e = (struct command_end){ .who = command_caller(req) };
	if ((r = command_member(req, &e->member)) != 0 ||
	    (r = command_status(req, &e->to)) != 0)
		return r;
	return command_cause(req, &e->who, &e->reason);
}

static int
read_task(
    struct json_object *o, const struct party_member *m, struct db_task_key *k)
{
	struct json_object *version;

	*k = (struct db_task_key){
		.job_id = m->job_id, .role = m->role, .party_id = m->party_id
	};
	if (!json_is_array(o) || json_object_array_length(o) != 2 ||
	    !json_is_string(json_object_array_get_idx(o, 0)))
		return ERR_INVALID;
	k->component = json_object_get_string(json_object_array_get_idx(o, 0));
	version = json_object_array_get_idx(o, 1);
	if (!str_is_name(k->component, DSL_NAME_MAX) ||
	    !json_object_is_type(version, json_type_int))
		return ERR_INVALID;
	k->version = json_object_get_int64(version);
	return k->version >= 0 && k->version <= INT32_MAX ? 0 : ERR_INVALID;
}

int
command_tasks(struct request *req, const char *name, struct json_object *list,
    const struct party_member *m, const struct db_task_key **out, size_t *n)
{
	struct db_task_key *keys;

	*n = list == NULL ? 0 : json_object_array_length(list);
	keys = arena_alloc(req->arena, (*n + 1) * sizeof(*keys));
	*out = keys;
	for (size_t i = 0; i < *n; i++)
		if (read_task(
			json_object_array_get_idx(list, i), m, &keys[i]) != 0)
			return err_set(ERR_INVALID,
			    "body: /%s/%zu: must be [component, version]", name,
			    i);
	return 0;
}

int
command_succeeded(struct request *req, struct json_object *list,
    const struct party_member *m, struct party_caller *who)
{
	return command_tasks(
	    req, "succeeded", list, m, &who->succeeded, &who->n_succeeded);
}

/* --- answers ------------------------------------------------------------------------- */

int
command_answer(
    struct request *req, struct reply *rp, bool effective, unsigned what)
{
	if (what != COMMAND_SILENT)
		wake_supervisor(req, request_param(req, "job"), what);
	if (!effective)
		return reply_fault(rp, RETCODE_NOT_EFFECTIVE, "done before");
	return 0;
}

struct party_caller
command_caller(struct request *req)
{
	return (struct party_caller){ .party_id = req->caller.party,
		.heard = &req->fence_heard };
}

int
command_refused(struct reply *rp, enum permit_kind kind, int r)
{
	struct json_object *data;

	/* A service gave no answer: the initiator asks again.  A member that
	 * has named its reason (command_not_now()) has answered. */
	if (r == ERR_BUSY && rp->data == NULL)
		return reply_busy(rp);
	if (r != ERR_DENIED || kind == PERMIT_NONE)
		return r;
	data = json_object_new_object();
	json_add_int(data, "code", (int64_t)kind);
	json_add_str(data, "message", err_text());
	(void)reply_data(rp, data);
	return r;
}

int
command_not_now(struct reply *rp, const struct wait *why, int r)
{
	struct json_object *data;

	if (why->code == WAIT_NONE)
		return r;
	data = json_object_new_object();
	json_add(data, "wait", wait_answer_json(why));
	(void)reply_data(rp, data);
	return r;
}
