/*
 * Jobs of partners that are to have a member here: taken in, taken up again,
 * and new versions of their tasks.  Each is derived from the documents that
 * the partner sent, and asked about, before lib/party decides.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/deployed.h"
#include "fcgi-app/hook_ask.h"
#include "fcgi-app/own_data.h"
#include "fcgi-app/party_command.h"
#include "fcgi-app/provider_set.h"
#include "fcgi-app/route.h"
#include "fcgi-app/submit.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
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

/* create and reopen: all of the job. */
struct documents {
	struct json_object *dsl;
	struct json_object *runtime_conf;
	struct json_object *contract;
	struct json_object *signatures; /* of the initiator's members */
	const char *name;
	const char *description;
	int64_t revision;
	int64_t run, fence;
};

static const struct json_field document_fields[] = {
	JSON_OBJ(struct documents, dsl, JSON_REQUIRED),
	JSON_OBJ(struct documents, runtime_conf, JSON_REQUIRED),
	JSON_OBJ(struct documents, contract, JSON_REQUIRED),
	JSON_ARR(struct documents, signatures, 0, SIGNATURES_MAX, 0),
	JSON_STR(struct documents, name, 0, 500, JSON_NULLABLE),
	JSON_STR(struct documents, description, 0, 10000, JSON_NULLABLE),
	JSON_INT(struct documents, revision, 0, INT32_MAX, 0),
	COMMAND_SELF(struct documents),
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

/* What the rows, and the look at this site's data, borrow from. */
struct derived {
	struct job_model *model; /* NULL: no predict job */
	struct job_spec *spec;
	struct party_offer offer;
	struct own_data_job job;
	struct party_look look;
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
agreed_rows(struct request *req, struct reply *rp, struct party_caller *who,
    const struct party_member *m, bool of_all, struct derived *d,
    struct db_job_new *out)
{
	const struct job_member *member;
	struct documents c = { .name = NULL };
	int r;

	if ((r = command_body(req, JSON_FIELDS(document_fields), &c)) != 0 ||
	    (r = derive_spec(req, m, &c, rp, &d->model, &d->spec)) != 0 ||
	    (r = check_contract(d->spec, c.contract)) != 0)
		return r;
	member = job_spec_member(d->spec, m->role, m->party_id);
	if (member == NULL)
		return err_set(ERR_INVALID, "%s %s is no member of the job",
		    m->role, m->party_id);
	if (strcmp(d->spec->initiator_party, who->party_id) != 0)
		return err_set(ERR_DENIED, "party %s sends a job of party %s",
		    who->party_id, d->spec->initiator_party);
	/* The run is that of the documents, which may be about to begin. */
	who->fence = c.fence;
	d->job = (struct own_data_job){ req, d->spec };
	d->look = (struct party_look){ own_data_of_partner, &d->job };
	who->look = &d->look;
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

/*
 * Services of this site's organisation that have a say, if there are any:
 * about a job, or about a task of one that is here (t not NULL).
 */
static int
ask_service(struct request *req, const struct party_member *m,
    const struct db_job_new *job, const char *command,
    const struct db_task_new *t)
{
	struct db *db = req->app->db;
	struct permit_decision *wishes;
	struct permit_ask ask;
	size_t n;
	int r;

	if (!hooks_have(req->app->hooks, HOOK_PERMISSION))
		return 0;
	if (t != NULL)
		r = party_task_wishes(db, req->arena, m, t, &ask, &wishes, &n);
	else
		r = party_job_wishes(
		    db, req->arena, m, job, command, &ask, &wishes, &n);
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
			    job, PERMIT_RERUN, NULL);
	return r;
}

/*
 * May one more of the initiator's jobs wait here?  One of its own that is here
 * already is only told so again; of others' it is told nothing.
 */
static int
check_queue(struct request *req, struct reply *rp, const struct party_member *m)
{
	struct wait why = wait_of(WAIT_NONE);
	struct db_job *known;
	int r;

	r = db_quota_check_waiting(
	    req->app->db, req->caller.party, false, &why);
	if (r != ERR_BUSY)
		return r;
	if (db_job_get_brief(req->app->db, req->arena, m->job_id, &known) ==
		0 &&
	    str_eq(known->initiator_party, req->caller.party)) {
		err_clear();
		return 0;
	}
	(void)db_quota_check_waiting(
	    req->app->db, req->caller.party, false, &why);
	return command_not_now(rp, &why, r);
}

/* Not now, and how much there is; ERR_LIMIT: never. */
static int
check_stored(struct request *req, struct reply *rp, int64_t bytes)
{
	struct wait why = wait_of(WAIT_NONE);
	int r = db_quota_check_stored(
	    req->app->db, req->arena, req->caller.party, bytes, &why);

	return r == ERR_BUSY ? command_not_now(rp, &why, r) : r;
}

/* Who was taken in before brings nothing more, and reads what it found. */
static int
check_new(struct request *req, struct reply *rp, const struct party_member *m,
    const struct db_job_new *job)
{
	struct db_party *known = NULL;
	struct db_job *its;
	int r = db_job_get_member(req->app->db, req->arena, m->job_id, m->role,
	    m->party_id, false, &its, &known);

	if (r == 0 && known != NULL && known->created &&
	    str_eq(its->initiator_party, req->caller.party))
		return 0;
	if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	err_clear();
	return check_stored(req, rp, party_job_bytes(job));
}

int
api_party_job_create(struct request *req, struct reply *rp)
{
	struct party_caller who = command_caller(req);
	struct party_member m;
	struct derived d = { .model = NULL };
	struct db_job_new job;
	enum permit_kind kind = PERMIT_NONE;
	bool effective;
	int r;

	if ((r = command_local_member(req, &m)) == 0 &&
	    (r = check_queue(req, rp, &m)) == 0 &&
	    (r = agreed_rows(req, rp, &who, &m, false, &d, &job)) == 0 &&
	    (r = check_new(req, rp, &m, &job)) == 0 &&
	    (r = ask_service(req, &m, &job, PERMIT_CREATE, NULL)) == 0 &&
	    (r = party_contract_create(req->app->db, &who, &m, &job, &d.offer,
		 &kind, &effective)) == 0) {
		log_info("%s %s takes part in a job of party %s", m.role,
		    m.party_id, req->caller.party);
		r = command_answer(req, rp, effective, WAKE_SIGNATURES);
	}
	derived_fini(&d);
	return command_refused(rp, kind, r);
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
	struct party_caller who = command_caller(req);
	struct party_member m;
	struct derived d = { .model = NULL };
	struct db_job_new job;
	enum permit_kind kind = PERMIT_NONE;
	bool effective;
	int r;

	if ((r = command_local_member(req, &m)) == 0 &&
	    (r = party_may_command(req->app->db, &who, &m)) == 0 &&
	    (r = agreed_rows(req, rp, &who, &m, true, &d, &job)) == 0 &&
	    (r = check_stored(req, rp, party_job_bytes(&job))) == 0 &&
	    (r = ask_service_again(req, &job)) == 0 &&
	    (r = party_contract_reopen(req->app->db, &who, &m, &job, &d.offer,
		 &kind, &effective)) == 0 &&
	    (r = answer_gone(req, rp, m.job_id)) == 0)
		r = command_answer(req, rp, effective, WAKE_ASK);
	derived_fini(&d);
	return command_refused(rp, kind, r);
}

/* --- task commands ---------------------------------------------------------------------- */

struct retries {
	int64_t auto_retries;
	int64_t retry_delay_s;
	int64_t run, fence;
};

static const struct json_field retries_fields[] = {
	JSON_INT(struct retries, auto_retries, 0, 100, 0),
	JSON_INT(struct retries, retry_delay_s, 0, 86400, 0),
	COMMAND_SELF(struct retries),
};

/* A new version is the one before, run again. */
int
api_party_task_create(struct request *req, struct reply *rp)
{
	struct party_caller who = command_caller(req);
	struct party_member m;
	struct db_task_key key;
	struct db_task *last;
	struct retries re = { -1, -1, -1, 0 };
	struct db_task_new t;
	enum permit_kind kind = PERMIT_NONE;
	bool effective;
	int r;

	if ((r = command_local_member(req, &m)) != 0 ||
	    (r = command_local_task(req, &key)) != 0 ||
	    (r = command_body(req, JSON_FIELDS(retries_fields), &re)) != 0 ||
	    (r = party_may_command(req->app->db, &who, &m)) != 0 ||
	    (r = db_task_get_newest(req->app->db, req->arena, key.job_id,
		 key.component, key.role, key.party_id, &last)) != 0)
		return r;
	command_self(&who, &re.run, re.fence);
	if ((r = party_next_version(last, &t)) != 0)
		return r;
	t.version = key.version;
	if (re.auto_retries >= 0)
		t.auto_retries = re.auto_retries;
	if (re.retry_delay_s >= 0)
		t.retry_delay_s = re.retry_delay_s;
	if (t.version != last->key.version &&
	    (r = check_stored(req, rp, party_task_bytes(&t))) != 0)
		return command_refused(rp, kind, r);
	if ((r = ask_service(req, &m, NULL, PERMIT_RERUN, &t)) != 0 ||
	    (r = party_task_create(
		 req->app->db, &who, &m, &t, &kind, &effective)) != 0)
		return command_refused(rp, kind, r);
	return command_answer(req, rp, effective, WAKE_ASK);
}
