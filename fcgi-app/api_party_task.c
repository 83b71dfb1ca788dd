/*
 * Commands of partners about tasks of members here.
 */
#include "fcgi-app/app.h"
#include "fcgi-app/party_command.h"
#include "fcgi-app/route.h"
#include "fcgi-app/wake.h"
#include "lib/conf/site_conf.h"
#include "lib/json/decode.h"
#include "lib/model/dsl.h"
#include "lib/party/party.h"

struct start {
	int64_t run, fence;
	struct json_object *succeeded;
};

static const struct json_field start_fields[] = {
	COMMAND_SELF(struct start),
	JSON_ARR(struct start, succeeded, 0, DSL_COMPONENTS_MAX, 0),
};

int
api_party_task_start(struct request *req, struct reply *rp)
{
	struct party_caller who = command_caller(req);
	struct start start = { .run = -1 };
	struct party_member m;
	struct db_task_key key;
	bool effective;
	int r;

	if ((r = command_local_member(req, &m)) != 0 ||
	    (r = command_local_task(req, &key)) != 0 ||
	    (r = command_body(req, JSON_FIELDS(start_fields), &start)) != 0 ||
	    (r = command_succeeded(req, start.succeeded, &m, &who)) != 0)
		return r;
	command_self(&who, &start.run, start.fence);
	if ((r = party_task_start(req->app->db, &who, &key, &effective)) != 0)
		return r;
	return command_answer(req, rp, effective, WAKE_LAUNCHES);
}

static int
task_end(struct request *req, struct reply *rp,
    int (*fn)(struct db *, const struct party_caller *,
	const struct db_task_key *, enum state, const char *, bool *),
    unsigned what)
{
	struct party_caller who = command_caller(req);
	struct db_task_key key;
	const char *reason;
	enum state to;
	bool effective;
	int r;

	if ((r = command_local_task(req, &key)) != 0 ||
	    (r = command_status(req, &to)) != 0 ||
	    (r = command_cause(req, &who, &reason)) != 0 ||
	    (r = fn(req->app->db, &who, &key, to, reason, &effective)) != 0)
		return r;
	/* It hears of its end at once, not at its next heartbeat. */
	wake_shepherd(req, &key);
	return command_answer(req, rp, effective, what);
}

int
api_party_task_status(struct request *req, struct reply *rp)
{
	return task_end(req, rp, party_task_status, COMMAND_SILENT);
}

int
api_party_task_stop(struct request *req, struct reply *rp)
{
	return task_end(req, rp, party_task_stop, WAKE_KILLS | WAKE_REPORTS);
}

int
api_party_task_collect(struct request *req, struct reply *rp)
{
	struct party_caller who = command_caller(req);
	struct json_object *data;
	struct db_task_key key;
	struct db_task *t;
	int r;

	if ((r = command_local_task(req, &key)) != 0 ||
	    (r = command_nothing(req)) != 0 ||
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
