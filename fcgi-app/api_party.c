/*
 * Commands of partners about jobs that have a member here; api_party_create.c
 * has those that bring documents.  lib/party does the work and decides who
 * may.
 */
#include "fcgi-app/app.h"
#include "fcgi-app/party_command.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/json/decode.h"
#include "lib/model/dsl.h"
#include "lib/party/party.h"
#include "lib/party/party_contract.h"
#include "lib/party/resources_freed.h"
#include "lib/party/signatures.h"

/* What the end of a job may make due. */
#define WAKE_END (WAKE_KILLS | WAKE_REPORTS | WAKE_FREED)

/* All tasks have ended and been heard when the job is a success. */
static unsigned
wake_of(enum state to)
{
	return to == STATE_SUCCESS ? WAKE_FREED : WAKE_END;
}

struct verdict {
	const char *reason;
	int64_t run, fence;
	struct json_object *model; /* manifests of all members */
	struct json_object *succeeded;
	bool undo;
};

static const struct json_field verdict_fields[] = {
	COMMAND_SELF(struct verdict),
	JSON_STR(struct verdict, reason, 0, COMMAND_REASON_MAX, JSON_NULLABLE),
	JSON_OBJ(struct verdict, model, JSON_NULLABLE),
	JSON_ARR(struct verdict, succeeded, 0, DSL_COMPONENTS_MAX, 0),
	JSON_BOOL(struct verdict, undo, 0),
};

struct start {
	struct json_object *signatures; /* of all members */
	struct json_object *tasks;	/* that begin with it */
	int64_t run, fence;
	bool begin; /* of resource/apply: the job starts with it */
};

#define START_FIELDS                                                           \
	JSON_ARR(struct start, signatures, 0, SIGNATURES_MAX, 0),              \
	    JSON_ARR(struct start, tasks, 0, DSL_COMPONENTS_MAX, 0),           \
	    COMMAND_SELF(struct start)
static const struct json_field start_fields[] = { START_FIELDS };
static const struct json_field apply_fields[] = {
	START_FIELDS,
	JSON_BOOL(struct start, begin, 0),
};

/*
 * {"signature": …, "started": bool}: this member's, when the supervisor has
 * made it by now; *is_due: it has not.
 */
static int
answer_signature(struct request *req, struct reply *rp,
    const struct party_member *m, bool started, bool *is_due)
{
	struct db_signature *mine;
	struct json_object *data;
	int r;

	r = db_signature_get(
	    req->app->db, req->arena, m->job_id, m->role, m->party_id, &mine);
	*is_due = r == ERR_NOT_FOUND;
	if (*is_due) {
		err_clear();
		return 0;
	}
	if (r != 0)
		return r;
	data = json_object_new_object();
	json_add(data, "signature", signature_json(mine));
	json_add_bool(data, "started", started);
	return reply_data(rp, data);
}

static int
apply(struct request *req, const struct party_caller *who,
    const struct party_member *m, const struct start *s, struct wait *why,
    bool *started, bool *effective)
{
	struct party_begin b = { .reservation_ms =
				     req->app->conf->reservation_ms };
	int r;

	*started = false;
	if (!s->begin)
		return party_resource_apply(
		    req->app->db, who, m, b.reservation_ms, why, effective);
	if ((r = signatures_read(s->signatures, req->arena, &b.offer.signatures,
		 &b.offer.n)) != 0 ||
	    (r = command_tasks(req, "tasks", s->tasks, m, &b.tasks, &b.n)) != 0)
		return r;
	return party_contract_begin(
	    req->app->db, who, m, &b, why, started, effective);
}

int
api_party_resource_apply(struct request *req, struct reply *rp)
{
	struct party_caller who = command_caller(req);
	struct start s = { .run = -1 };
	struct party_member m;
	struct wait why = wait_of(WAIT_NONE);
	bool started, effective, is_due;
	int r;

	if ((r = command_local_member(req, &m)) == 0 &&
	    (r = command_body(req, JSON_FIELDS(apply_fields), &s)) == 0) {
		command_self(&who, &s.run, s.fence);
		if ((r = party_site_ready(req->app->conf, &why)) == 0)
			r = apply(
			    req, &who, &m, &s, &why, &started, &effective);
	}
	if (r != 0)
		return command_not_now(
		    rp, &why, resources_refused(req->app->db, &m, &why, r));
	if ((r = answer_signature(req, rp, &m, started, &is_due)) != 0)
		return r;
	return command_answer(req, rp, effective,
	    started  ? WAKE_LAUNCHES
	    : is_due ? WAKE_SIGNATURES
		     : COMMAND_SILENT);
}

/* resource/return. */
static int
job_command(struct request *req, struct reply *rp,
    int (*fn)(struct db *, const struct party_caller *,
	const struct party_member *, bool *))
{
	struct party_caller who = command_caller(req);
	struct party_member m;
	bool effective;
	int r;

	if ((r = command_local_member(req, &m)) != 0 ||
	    (r = command_plain(req, &who)) != 0 ||
	    (r = fn(req->app->db, &who, &m, &effective)) != 0)
		return r;
	return command_answer(
	    req, rp, effective, effective ? WAKE_FREED : COMMAND_SILENT);
}

int
api_party_resource_return(struct request *req, struct reply *rp)
{
	return job_command(req, rp, party_resource_return);
}

int
api_party_job_start(struct request *req, struct reply *rp)
{
	struct party_caller who = command_caller(req);
	struct party_member m;
	struct start start = { .run = -1 };
	struct party_offer offer;
	const struct db_task_key *tasks;
	bool effective;
	size_t n;
	int r;

	if ((r = command_local_member(req, &m)) != 0 ||
	    (r = command_body(req, JSON_FIELDS(start_fields), &start)) != 0 ||
	    (r = signatures_read(start.signatures, req->arena,
		 &offer.signatures, &offer.n)) != 0 ||
	    (r = command_tasks(req, "tasks", start.tasks, &m, &tasks, &n)) != 0)
		return r;
	command_self(&who, &start.run, start.fence);
	if ((r = party_contract_start(
		 req->app->db, &who, &m, &offer, tasks, n, &effective)) != 0)
		return r;
	return command_answer(
	    req, rp, effective, n > 0 ? WAKE_LAUNCHES : COMMAND_SILENT);
}

int
api_party_job_stop(struct request *req, struct reply *rp)
{
	struct command_end e;
	bool effective;
	int r;

	if ((r = command_end(req, &e)) != 0 ||
	    (r = command_is_local(req, &e.member)) != 0 ||
	    (r = party_job_stop(req->app->db, &e.who, &e.member, e.to, e.reason,
		 &effective)) != 0)
		return r;
	return command_answer(req, rp, effective, WAKE_END);
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
	return command_answer(req, rp, effective, WAKE_FREED);
}

int
api_party_job_status(struct request *req, struct reply *rp)
{
	struct party_caller who = command_caller(req);
	struct party_member m;
	struct verdict v = { .run = -1 };
	enum state to;
	bool effective;
	int r;

	if ((r = command_local_member(req, &m)) != 0 ||
	    (r = command_status(req, &to)) != 0 ||
	    (r = command_body(req, JSON_FIELDS(verdict_fields), &v)) != 0 ||
	    (r = command_succeeded(req, v.succeeded, &m, &who)) != 0)
		return r;
	command_self(&who, &v.run, v.fence);
	if (v.undo) {
		if ((r = party_job_undo(req->app->db, &who, &m, to, v.reason,
			 &effective)) != 0)
			return r;
		return command_answer(req, rp, effective, WAKE_FREED);
	}
	if (v.model != NULL && to == STATE_SUCCESS)
		return job_success(req, rp, &who, &m, &v);
	if ((r = party_job_status(
		 req->app->db, &who, &m, to, v.reason, &effective)) != 0)
		return r;
	return command_answer(req, rp, effective, wake_of(to));
}

int
api_party_job_model(struct request *req, struct reply *rp)
{
	struct party_caller who = command_caller(req);
	struct party_member m;
	uint8_t hash[DB_HASH_SIZE];
	char hex[2 * DB_HASH_SIZE + 1];
	struct json_object *data;
	int r;

	if ((r = command_local_member(req, &m)) != 0 ||
	    (r = command_plain(req, &who)) != 0 ||
	    (r = party_job_model(
		 req->app->db, req->app->conf, &who, &m, hash, NULL)) != 0)
		return r;
	str_to_hex(hash, sizeof(hash), hex);
	data = json_object_new_object();
	json_add_str(data, "manifest_hash", hex);
	return reply_data(rp, data);
}
