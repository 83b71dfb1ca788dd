/*
 * What members tell this site as the initiator of a job: how their tasks
 * ended, that they have signed, that they want the job to end.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/party_command.h"
#include "fcgi-app/route.h"
#include "lib/base/err.h"
#include "lib/json/decode.h"
#include "lib/party/party.h"
#include "lib/party/party_contract.h"
#include "lib/party/signatures.h"

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
	struct party_caller who = command_caller(req);
	struct db_task_key key;
	struct report body = { NULL, 0, 0, 0, NULL, NULL };
	struct party_report report;
	bool effective;
	int r;

	if ((r = command_task(req, &key)) != 0 ||
	    (r = command_body(req, JSON_FIELDS(report_fields), &body)) != 0)
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
	/* A start is no news to the scheduler, which asked for it. */
	return command_answer(req, rp, effective,
	    state_is_end(report.party_status) ? WAKE_JOBS : COMMAND_SILENT);
}

struct telling {
	struct json_object *signature;
};

static const struct json_field telling_fields[] = {
	JSON_OBJ(struct telling, signature, JSON_REQUIRED),
};

/* A member has signed the contract since it was asked. */
int
api_initiator_signature(struct request *req, struct reply *rp)
{
	struct party_caller who = command_caller(req);
	struct telling body = { NULL };
	struct db_signature s;
	struct party_member m;
	int r;

	if ((r = command_member(req, &m)) != 0 ||
	    (r = command_body(req, JSON_FIELDS(telling_fields), &body)) != 0 ||
	    (r = signature_read(body.signature, req->arena, &s)) != 0 ||
	    (r = initiator_signature(req->app->db, &who, &m, &s)) != 0)
		return r;
	return command_answer(req, rp, true, WAKE_JOBS);
}

int
api_initiator_stop(struct request *req, struct reply *rp)
{
	struct command_end e;
	bool effective;
	int r;

	if ((r = command_end(req, &e)) != 0)
		return r;
	/* The member in the path is the one that asks. */
	if (strcmp(e.member.party_id, e.who.party_id) != 0)
		return err_set(ERR_DENIED, "party %s asks for party %s",
		    e.who.party_id, e.member.party_id);
	if ((r = initiator_has_member(req->app->db, &e.who, &e.member)) != 0 ||
	    (r = initiator_stop(req->app->db, &e.who, e.member.job_id, e.to,
		 e.reason, &effective)) != 0)
		return r;
	return command_answer(req, rp, effective, WAKE_JOBS);
}
