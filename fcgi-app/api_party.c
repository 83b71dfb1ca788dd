/*
 * Commands of partners to this site as a member, and reports of members to
 * this site as the initiator.  lib/party does the work and decides who may;
 * here the path and the body are taken apart.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/deployed.h"
#include "fcgi-app/provider_set.h"
#include "fcgi-app/hook_ask.h"
#include "fcgi-app/route.h"
#include "fcgi-app/submit.h"
#include "fcgi-app/wake.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_quota.h"
#include "lib/db/db_table.h"
#include "lib/hook/hook.h"
#include "lib/json/decode.h"
#include "lib/model/contract.h"
#include "lib/model/job_spec.h"
#include "lib/party/party.h"
#include "lib/party/party_contract.h"
#include "lib/party/signatures.h"

#define RETCODE_NOT_EFFECTIVE 10
#define REASON_MAX 16384

/* --- the path --------------------------------------------------------------------- */

static int
check_member(const struct request *req, struct party_member *m)
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

/* A command is for a member of this site. */
static int
local_member(const struct request *req, struct party_member *m)
{
	int r;

	if ((r = check_member(req, m)) != 0)
		return r;
	if (strcmp(m->party_id, req->app->conf->party_id) != 0)
		return err_set(
		    ERR_DENIED, "party %s is not at this site", m->party_id);
	return 0;
}

static int
task_key(const struct request *req, struct db_task_key *key)
{
	struct party_member m;
	const char *id;
	int r;

	if ((r = check_member(req, &m)) != 0)
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

static int
local_task(const struct request *req, struct db_task_key *key)
{
	struct party_member m;
	int r;

	if ((r = local_member(req, &m)) != 0)
		return r;
	return task_key(req, key);
}

static int
status_param(const struct request *req, enum state *out)
{
	int r;

	if ((r = state_parse(request_param(req, "status"), out)) != 0)
		return r;
	return *out != STATE_NONE ? 0 : err_set(ERR_INVALID, "no status");
}

/* --- bodies ------------------------------------------------------------------------- */

static int
decode(
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

/* Of job commands; without it they are about the run the job is in. */
struct of_run {
	int64_t run;
};

static const struct json_field of_run_fields[] = {
	JSON_INT(struct of_run, run, 0, INT32_MAX, 0),
};

/* Commands that take nothing but their path. */
static int
take_nothing(struct request *req)
{
	static const struct json_field none[1];
	char out = 0;

	return decode(req, none, 0, &out);
}

struct cause {
	const char *reason;
	int64_t run;
};

static const struct json_field cause_fields[] = {
	JSON_INT(struct cause, run, 0, INT32_MAX, 0),
	JSON_STR(struct cause, reason, 0, REASON_MAX, JSON_NULLABLE),
};

struct verdict {
	const char *reason;
	int64_t run;
	struct json_object *model; /* manifests of all members */
};

static const struct json_field verdict_fields[] = {
	JSON_INT(struct verdict, run, 0, INT32_MAX, 0),
	JSON_STR(struct verdict, reason, 0, REASON_MAX, JSON_NULLABLE),
	JSON_OBJ(struct verdict, model, JSON_NULLABLE),
};

struct start {
	struct json_object *signatures; /* of all members */
	int64_t run;
};

static const struct json_field start_fields[] = {
	JSON_ARR(struct start, signatures, 0, SIGNATURES_MAX, 0),
	JSON_INT(struct start, run, 0, INT32_MAX, 0),
};

struct telling {
	struct json_object *signature;
};

static const struct json_field telling_fields[] = {
	JSON_OBJ(struct telling, signature, JSON_REQUIRED),
};

/* 0 or 10, as the platform answers; the supervisor looks in both cases. */
static int
answer(struct request *req, struct reply *rp, bool effective)
{
	wake_supervisor(req, request_param(req, "job"));
	if (!effective)
		return reply_fault(rp, RETCODE_NOT_EFFECTIVE, "done before");
	return 0;
}

static struct party_caller
caller(const struct request *req)
{
	return (struct party_caller){ .party_id = req->caller.party };
}

/* What the platform's clients are told of a permission that is missing. */
static int
refused(struct reply *rp, enum permit_kind kind, int r)
{
	struct json_object *data;

	/* A service gave no answer: the initiator asks again.  A member that
	 * has named its reason (not_now()) has answered. */
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

/* Why a member has to be asked again: {"wait": {"code", "numbers"}}. */
static int
not_now(struct reply *rp, const struct wait *why, int r)
{
	struct json_object *data;

	if (why->code == WAIT_NONE)
		return r;
	data = json_object_new_object();
	json_add(data, "wait", wait_answer_json(why));
	(void)reply_data(rp, data);
	return r;
}

/* --- job commands --------------------------------------------------------------------- */

/* create and reopen: all of the job. */
struct documents {
	struct json_object *dsl;
	struct json_object *runtime_conf;
	struct json_object *contract;
	struct json_object *signatures; /* of the initiator's members */
	const char *name;
	const char *description;
	int64_t revision;
	int64_t run;
};

static const struct json_field document_fields[] = {
	JSON_OBJ(struct documents, dsl, JSON_REQUIRED),
	JSON_OBJ(struct documents, runtime_conf, JSON_REQUIRED),
	JSON_OBJ(struct documents, contract, JSON_REQUIRED),
	JSON_ARR(struct documents, signatures, 0, SIGNATURES_MAX, 0),
	JSON_STR(struct documents, name, 0, 500, JSON_NULLABLE),
	JSON_STR(struct documents, description, 0, 10000, JSON_NULLABLE),
	JSON_INT(struct documents, revision, 0, INT32_MAX, 0),
	JSON_INT(struct documents, run, 0, INT32_MAX, 0),
};

/* What this site derives must be what the initiator says was agreed. */
static int
check_contract(const struct job_spec *spec, struct json_object *contract)
{
	struct json_object *own;
	struct buf where = BUF_INIT;
	int r;

	if ((r = json_parse_text(spec->contract, &own)) != 0)
		return r;
	if (contract_difference(
		contract, "the contract", own, "this site", &where))
		r = err_set(ERR_DENIED,
		    "the contract differs from what this site derives from "
		    "the same documents: %s",
		    buf_str(&where));
	json_object_put(own);
	buf_fini(&where);
	return r;
}

static int
build_spec(struct request *req, const struct party_member *m,
    const struct documents *c, const struct job_model *model,
    struct faults *faults, struct job_spec **out)
{
	struct job_defaults defaults;
	struct job_spec_input in = {
		.job_id = m->job_id,
		.local_party = req->app->conf->party_id,
		.dsl = c->dsl,
		.conf = c->runtime_conf,
		.model = model,
		.providers_fixed = json_get(c->contract, "providers"),
		.agreed = c->contract,
		.providers = req->app->providers,
		.defaults = &defaults,
		.dsl_path = JSON_PATH_KEY(NULL, "dsl"),
		.conf_path = JSON_PATH_KEY(NULL, "runtime_conf"),
	};
	int r;

	if ((r = submit_defaults(req, &defaults)) != 0)
		return r;
	return job_spec_build(&in, faults, out);
}

/*
 * The job as this site derives it from what was sent and, in a predict job,
 * from its own half of the model.
 */
static int
derive_spec(struct request *req, const struct party_member *m,
    const struct documents *c, struct reply *rp, struct job_model **model,
    struct job_spec **out)
{
	const struct deployed_for who = { m->role, m->party_id,
		req->caller.party };
	struct faults faults = FAULTS_INIT;
	int r;

	if ((r = provider_set_refresh(req->app)) != 0)
		return r;
	r = deployed_find(req, c->dsl, c->runtime_conf, &who,
	    JSON_PATH_KEY(NULL, "runtime_conf"), &faults, model);
	if (r == 0)
		r = deployed_check_root(*model, c->contract);
	if (r == 0)
		r = build_spec(req, m, c, *model, &faults, out);
	if (faults_any(&faults)) {
		rp->errors = faults_json(&faults);
		r = faults_err(&faults, "job");
	}
	faults_fini(&faults);
	return r;
}

/* What the rows borrow from. */
struct derived {
	struct job_model *model; /* NULL: no predict job */
	struct job_spec *spec;
	struct party_offer offer;
};

static void
derived_fini(struct derived *d)
{
	job_spec_free(d->spec);
	deployed_free(d->model);
}

/*
 * The rows of the job as this site agrees to it: of the member that is
 * addressed, or (reopen) of every one.
 */
static int
agreed_rows(struct request *req, struct reply *rp, const struct party_member *m,
    bool of_all, struct derived *d, struct db_job_new *out)
{
	const struct job_member *member;
	struct party_caller who = caller(req);
	struct documents c = { .name = NULL };
	int r;

	if ((r = decode(req, JSON_FIELDS(document_fields), &c)) != 0 ||
	    (r = derive_spec(req, m, &c, rp, &d->model, &d->spec)) != 0 ||
	    (r = check_contract(d->spec, c.contract)) != 0)
		return r;
	member = job_spec_member(d->spec, m->role, m->party_id);
	if (member == NULL)
		return err_set(ERR_INVALID, "%s %s is no member of the job",
		    m->role, m->party_id);
	if (strcmp(d->spec->initiator_party, who.party_id) != 0)
		return err_set(ERR_DENIED, "party %s sends a job of party %s",
		    who.party_id, d->spec->initiator_party);
	submit_rows(req, d->spec, of_all ? NULL : member, out);
	out->status = STATE_READY;
	out->is_initiator = false;
	out->revision = c.revision;
	out->run = c.run;
	if (c.name != NULL)
		out->name = c.name;
	out->description = c.description;
	return signatures_read(
	    c.signatures, req->arena, &d->offer.signatures, &d->offer.n);
}

/* Services of this site's organisation that have a say, if there are any. */
static int
ask_service(struct request *req, const struct party_member *m,
    const struct db_job_new *job, const char *command)
{
	struct permit_decision *wishes;
	struct permit_ask ask;
	size_t n;
	int r;

	if (!hooks_have(req->app->hooks, HOOK_PERMISSION))
		return 0;
	r = party_job_wishes(
	    req->app->db, req->arena, m, job, command, &ask, &wishes, &n);
	return r != 0 || n == 0 ? r : hook_ask_permission(req, &ask, wishes, n);
}

/* For each member here: the documents are those of all. */
static int
ask_service_again(struct request *req, const struct db_job_new *job)
{
	size_t i;
	int r = 0;

	for (i = 0; i < job->nparties && r == 0; i++)
		if (job->parties[i].is_local)
			r = ask_service(req,
			    &(struct party_member){ job->job_id,
				job->parties[i].role,
				job->parties[i].party_id },
			    job, PERMIT_RERUN);
	return r;
}

static int
ask_service_task(struct request *req, const struct party_member *m,
    const struct db_task_new *t)
{
	struct permit_decision *wishes;
	struct permit_ask ask;
	size_t n;
	int r;

	if (!hooks_have(req->app->hooks, HOOK_PERMISSION))
		return 0;
	r = party_task_wishes(
	    req->app->db, req->arena, m, t, &ask, &wishes, &n);
	return r != 0 || n == 0 ? r : hook_ask_permission(req, &ask, wishes, n);
}

/*
 * May one more of the initiator's jobs wait here?  One that is here already
 * is only told so again.
 */
static int
check_queue(struct request *req, struct reply *rp, const struct party_member *m)
{
	struct wait why = wait_of(WAIT_NONE);
	struct db_job *known;
	int r;

	r = db_quota_check_waiting(
	    req->app->db, req->arena, req->caller.party, false, &why);
	if (r != ERR_BUSY)
		return r;
	if (db_job_get_brief(req->app->db, req->arena, m->job_id, &known) ==
	    0) {
		err_clear();
		return 0;
	}
	(void)db_quota_check_waiting(
	    req->app->db, req->arena, req->caller.party, false, &why);
	return not_now(rp, &why, r);
}

int
api_party_job_create(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct party_member m;
	struct derived d = { .model = NULL };
	struct db_job_new job;
	enum permit_kind kind = PERMIT_NONE;
	bool effective;
	int r;

	if ((r = local_member(req, &m)) == 0 &&
	    (r = check_queue(req, rp, &m)) == 0 &&
	    (r = agreed_rows(req, rp, &m, false, &d, &job)) == 0 &&
	    (r = ask_service(req, &m, &job, PERMIT_CREATE)) == 0 &&
	    (r = party_contract_create(req->app->db, &who, &m, &job, &d.offer,
		 &kind, &effective)) == 0) {
		log_info("%s %s takes part in a job of party %s", m.role,
		    m.party_id, req->caller.party);
		r = answer(req, rp, effective);
	}
	derived_fini(&d);
	return refused(rp, kind, r);
}

/* {"gone": […]}: what has to be worked out again, should it be needed. */
static int
answer_gone(struct request *req, struct reply *rp, const char *job_id)
{
	struct json_object *data, *list;
	const char **names;
	size_t i, n;
	int r;

	if ((r = db_output_gone(
		 req->app->db, req->arena, job_id, &names, &n)) != 0)
		return r;
	list = json_object_new_array();
	for (i = 0; i < n; i++)
		json_object_array_add(list, json_object_new_string(names[i]));
	data = json_object_new_object();
	json_add(data, "gone", list);
	return reply_data(rp, data);
}

int
api_party_job_reopen(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct party_member m;
	struct derived d = { .model = NULL };
	struct db_job_new job;
	enum permit_kind kind = PERMIT_NONE;
	bool effective;
	int r;

	if ((r = local_member(req, &m)) == 0 &&
	    (r = party_may_command(req->app->db, &who, &m)) == 0 &&
	    (r = agreed_rows(req, rp, &m, true, &d, &job)) == 0 &&
	    (r = ask_service_again(req, &job)) == 0 &&
	    (r = party_contract_reopen(req->app->db, &who, &m, &job, &d.offer,
		 &kind, &effective)) == 0 &&
	    (r = answer_gone(req, rp, m.job_id)) == 0)
		r = answer(req, rp, effective);
	derived_fini(&d);
	return refused(rp, kind, r);
}

/* Of commands whose body has nothing but the run. */
static int
speaks_of(struct request *req, struct party_caller *who)
{
	struct of_run *of = arena_alloc(req->arena, sizeof(*of));
	int r;

	of->run = -1;
	if ((r = decode(req, JSON_FIELDS(of_run_fields), of)) != 0)
		return r;
	who->run = of->run < 0 ? NULL : &of->run;
	return 0;
}

/* {"signature": …}: this member's, when the supervisor has made it by now. */
static int
answer_signature(
    struct request *req, struct reply *rp, const struct party_member *m)
{
	struct db_signature *mine;
	struct json_object *data;
	struct db_job *job;
	int r;

	if ((r = db_job_get_brief(req->app->db, req->arena, m->job_id, &job)) !=
	    0)
		return r;
	r = db_signature_get(req->app->db, req->arena, m->job_id, job->revision,
	    m->role, m->party_id, &mine);
	if (r == ERR_NOT_FOUND) {
		err_clear();
		return 0;
	}
	if (r != 0)
		return r;
	data = json_object_new_object();
	json_add(data, "signature", signature_json(mine));
	return reply_data(rp, data);
}

int
api_party_resource_apply(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct party_member m;
	struct wait why = wait_of(WAIT_NONE);
	bool effective;
	int r;

	if ((r = local_member(req, &m)) == 0 && (r = speaks_of(req, &who)) == 0)
		r = party_contract_apply(req->app->db, &who, &m,
		    req->app->conf->reservation_ms, &why, &effective);
	if (r != 0)
		return not_now(rp, &why, r);
	if ((r = answer_signature(req, rp, &m)) != 0)
		return r;
	return answer(req, rp, effective);
}

/* resource/return. */
static int
job_command(struct request *req, struct reply *rp,
    int (*fn)(struct db *, const struct party_caller *,
	const struct party_member *, bool *))
{
	struct party_caller who = caller(req);
	struct party_member m;
	bool effective;
	int r;

	if ((r = local_member(req, &m)) != 0 ||
	    (r = speaks_of(req, &who)) != 0 ||
	    (r = fn(req->app->db, &who, &m, &effective)) != 0)
		return r;
	return answer(req, rp, effective);
}

int
api_party_resource_return(struct request *req, struct reply *rp)
{
	return job_command(req, rp, party_resource_return);
}

int
api_party_job_start(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct party_member m;
	struct start start = { NULL, -1 };
	struct party_offer offer;
	bool effective;
	int r;

	if ((r = local_member(req, &m)) != 0 ||
	    (r = decode(req, JSON_FIELDS(start_fields), &start)) != 0 ||
	    (r = signatures_read(start.signatures, req->arena,
		 &offer.signatures, &offer.n)) != 0)
		return r;
	who.run = start.run < 0 ? NULL : &start.run;
	if ((r = party_contract_start(
		 req->app->db, &who, &m, &offer, &effective)) != 0)
		return r;
	return answer(req, rp, effective);
}

int
api_party_job_stop(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct party_member m;
	struct cause cause = { NULL, -1 };
	enum state to;
	bool effective;
	int r;

	if ((r = local_member(req, &m)) != 0 ||
	    (r = status_param(req, &to)) != 0 ||
	    (r = decode(req, JSON_FIELDS(cause_fields), &cause)) != 0)
		return r;
	who.run = cause.run < 0 ? NULL : &cause.run;
	if ((r = party_job_stop(
		 req->app->db, &who, &m, to, cause.reason, &effective)) != 0)
		return r;
	return answer(req, rp, effective);
}

/* The success of a job that makes a model. */
static int
job_success(struct request *req, struct reply *rp,
    const struct party_caller *who, const struct party_member *m,
    const struct verdict *v)
{
	struct faults faults = FAULTS_INIT;
	struct model_member *members;
	bool effective;
	size_t n;
	int r;

	r = model_members_read(v->model, JSON_PATH_KEY(NULL, "model"), &faults,
	    req->arena, &members, &n);
	if (r != 0)
		r = faults_err(&faults, "body");
	faults_fini(&faults);
	if (r != 0 || (r = party_job_success(
			   req->app->db, who, m, members, n, &effective)) != 0)
		return r;
	return answer(req, rp, effective);
}

int
api_party_job_status(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct party_member m;
	struct verdict v = { .run = -1 };
	enum state to;
	bool effective;
	int r;

	if ((r = local_member(req, &m)) != 0 ||
	    (r = status_param(req, &to)) != 0 ||
	    (r = decode(req, JSON_FIELDS(verdict_fields), &v)) != 0)
		return r;
	who.run = v.run < 0 ? NULL : &v.run;
	if (v.model != NULL && to == STATE_SUCCESS)
		return job_success(req, rp, &who, &m, &v);
	if ((r = party_job_status(
		 req->app->db, &who, &m, to, v.reason, &effective)) != 0)
		return r;
	return answer(req, rp, effective);
}

int
api_party_job_model(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct party_member m;
	uint8_t hash[DB_HASH_SIZE];
	char hex[2 * DB_HASH_SIZE + 1];
	struct json_object *data;
	int r;

	if ((r = local_member(req, &m)) != 0 ||
	    (r = speaks_of(req, &who)) != 0 ||
	    (r = party_job_model(
		 req->app->db, req->app->conf, &who, &m, hash, NULL)) != 0)
		return r;
	str_to_hex(hash, sizeof(hash), hex);
	data = json_object_new_object();
	json_add_str(data, "manifest_hash", hex);
	return reply_data(rp, data);
}

/* --- task commands ---------------------------------------------------------------------- */

struct retries {
	int64_t auto_retries;
	int64_t retry_delay_s;
};

static const struct json_field retries_fields[] = {
	JSON_INT(struct retries, auto_retries, 0, 100, 0),
	JSON_INT(struct retries, retry_delay_s, 0, 86400, 0),
};

/* A new version is the one before, run again. */
int
api_party_task_create(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct party_member m;
	struct db_task_key key;
	struct db_task *last;
	struct retries re = { -1, -1 };
	struct db_task_new t;
	enum permit_kind kind = PERMIT_NONE;
	bool effective;
	int r;

	if ((r = local_member(req, &m)) != 0 ||
	    (r = local_task(req, &key)) != 0 ||
	    (r = decode(req, JSON_FIELDS(retries_fields), &re)) != 0 ||
	    (r = party_may_command(req->app->db, &who, &m)) != 0 ||
	    (r = db_task_get_newest(req->app->db, req->arena, key.job_id,
		 key.component, key.role, key.party_id, &last)) != 0)
		return r;
	if ((r = party_next_version(last, &t)) != 0)
		return r;
	t.version = key.version;
	if (re.auto_retries >= 0)
		t.auto_retries = re.auto_retries;
	if (re.retry_delay_s >= 0)
		t.retry_delay_s = re.retry_delay_s;
	if ((r = ask_service_task(req, &m, &t)) != 0 ||
	    (r = party_task_create(
		 req->app->db, &who, &m, &t, &kind, &effective)) != 0)
		return refused(rp, kind, r);
	return answer(req, rp, effective);
}

int
api_party_task_start(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct db_task_key key;
	bool effective;
	int r;

	if ((r = local_task(req, &key)) != 0 || (r = take_nothing(req)) != 0 ||
	    (r = party_task_start(req->app->db, &who, &key, &effective)) != 0)
		return r;
	return answer(req, rp, effective);
}

static int
task_end(struct request *req, struct reply *rp,
    int (*fn)(struct db *, const struct party_caller *,
	const struct db_task_key *, enum state, const char *, bool *))
{
	struct party_caller who = caller(req);
	struct db_task_key key;
	struct cause cause = { NULL, -1 };
	enum state to;
	bool effective;
	int r;

	if ((r = local_task(req, &key)) != 0 ||
	    (r = status_param(req, &to)) != 0 ||
	    (r = decode(req, JSON_FIELDS(cause_fields), &cause)) != 0 ||
	    (r = fn(req->app->db, &who, &key, to, cause.reason, &effective)) !=
		0)
		return r;
	/* It hears of its end at once, not at its next heartbeat. */
	wake_shepherd(req, &key);
	return answer(req, rp, effective);
}

int
api_party_task_status(struct request *req, struct reply *rp)
{
	return task_end(req, rp, party_task_status);
}

int
api_party_task_stop(struct request *req, struct reply *rp)
{
	return task_end(req, rp, party_task_stop);
}

int
api_party_task_collect(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct json_object *data;
	struct db_task_key key;
	struct db_task *t;
	int r;

	if ((r = local_task(req, &key)) != 0 || (r = take_nothing(req)) != 0 ||
	    (r = party_task_collect(
		 req->app->db, req->arena, &who, &key, &t)) != 0)
		return r;
	data = json_object_new_object();
	json_add_str(data, "party_status", state_name(t->party_status));
	json_add_str(data, "status", state_name(t->status));
	json_add_int(data, "start_time", t->started_ms);
	json_add_int(data, "end_time", t->ended_ms);
	json_add_int(data, "progress", t->progress);
	json_add_str(data, "error_report",
	    fault_outward(req->app->conf->error_detail, fault_parse(t->fault),
		t->error_report));
	json_add_str(data, "fault", t->fault);
	return reply_data(rp, data);
}

/* --- to the initiator -------------------------------------------------------------------- */

struct report {
	const char *party_status;
	int64_t start_time;
	int64_t end_time;
	int64_t progress;
	const char *error_report;
	const char *fault;
};

static const struct json_field report_fields[] = {
	JSON_STR(struct report, party_status, 1, 10, JSON_REQUIRED),
	JSON_INT(struct report, start_time, 0, INT64_C(1) << 53, JSON_NULLABLE),
	JSON_INT(struct report, end_time, 0, INT64_C(1) << 53, JSON_NULLABLE),
	JSON_INT(struct report, progress, 0, 100, JSON_NULLABLE),
	JSON_STR(
	    struct report, error_report, 0, INT64_C(1) << 20, JSON_NULLABLE),
	JSON_STR(struct report, fault, 0, 12, JSON_NULLABLE),
};

int
api_initiator_report(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct db_task_key key;
	struct report body = { NULL, 0, 0, 0, NULL, NULL };
	struct party_report report;
	bool effective;
	int r;

	if ((r = task_key(req, &key)) != 0 ||
	    (r = decode(req, JSON_FIELDS(report_fields), &body)) != 0)
		return r;
	report = (struct party_report){ .started_ms = body.start_time,
		.ended_ms = body.end_time,
		.progress = body.progress,
		.error_report = body.error_report,
		.fault = fault_parse(body.fault != NULL ? body.fault : "") };
	if ((r = state_parse(body.party_status, &report.party_status)) != 0 ||
	    (r = initiator_task_report(
		 req->app->db, &who, &key, &report, &effective)) != 0)
		return r;
	return answer(req, rp, effective);
}

/* A member has signed the contract since it was asked. */
int
api_initiator_signature(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct telling body = { NULL };
	struct db_signature s;
	struct party_member m;
	int r;

	if ((r = check_member(req, &m)) != 0 ||
	    (r = decode(req, JSON_FIELDS(telling_fields), &body)) != 0 ||
	    (r = signature_read(body.signature, req->arena, &s)) != 0 ||
	    (r = initiator_signature(req->app->db, &who, &m, &s)) != 0)
		return r;
	return answer(req, rp, true);
}

int
api_initiator_stop(struct request *req, struct reply *rp)
{
	struct party_caller who = caller(req);
	struct party_member m;
	struct cause cause = { NULL, -1 };
	enum state to;
	bool effective;
	int r;

	if ((r = check_member(req, &m)) != 0 ||
	    (r = status_param(req, &to)) != 0 ||
	    (r = decode(req, JSON_FIELDS(cause_fields), &cause)) != 0)
		return r;
	/* The member in the path is the one that asks. */
	if (strcmp(m.party_id, who.party_id) != 0)
		return err_set(ERR_DENIED, "party %s asks for party %s",
		    who.party_id, m.party_id);
	if ((r = initiator_has_member(req->app->db, &who, &m)) != 0 ||
	    (r = initiator_stop(req->app->db, &who, m.job_id, to, cause.reason,
		 &effective)) != 0)
		return r;
	return answer(req, rp, effective);
}
