/*
 * What an initiator does when a member's site wants a job to end.  The job
 * may wait, or this member may have no task left that could end it.
 */
#include "lib/party/job_stop.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_job.h"
#include "lib/db/db_tx.h"
#include "lib/json/decode.h"
#include "lib/party/party_private.h"

#define RUN_MAX 1000000000
#define REASON_MAX 4000

struct stop_body {
	const char *job_id;
	int64_t run;
	const char *status;
	const char *reason;
};

static const struct json_field body_fields[] = {
	JSON_STR(struct stop_body, job_id, 14, 25, JSON_REQUIRED),
	JSON_INT(struct stop_body, run, 0, RUN_MAX, JSON_REQUIRED),
	JSON_STR(struct stop_body, status, 1, 10, JSON_REQUIRED),
	JSON_STR(struct stop_body, reason, 1, REASON_MAX, JSON_REQUIRED),
};

struct stopping {
	const struct errand_ask *ask;
	struct stop_body body;
	enum state to;
};

struct json_object *
job_stop_body(
    const char *job_id, int64_t run, enum state to, const char *reason)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "job_id", job_id);
	json_add_int(o, "run", run);
	json_add_str(o, "status", state_name(to));
	json_add_str(o, "reason", reason);
	return o;
}

static int
read_body(const struct errand_ask *ask, struct stopping *s)
{
	struct faults faults = FAULTS_INIT;
	int r = 0;

	if (json_decode(ask->body, JSON_FIELDS(body_fields),
		JSON_IGNORE_UNKNOWN, NULL, &faults, &s->body) != 0)
		r = faults_err(&faults, "body");
	faults_fini(&faults);
	/* The database takes one with blanks behind it for the same, and what
	 * is recorded has the words that were sent. */
	if (r == 0 && !str_is_job_id(s->body.job_id))
		return err_set(
		    ERR_INVALID, "'%.40s' is no job id", s->body.job_id);
	if (r == 0 && (state_parse(s->body.status, &s->to) != 0 ||
			  !state_is_interrupt(s->to)))
		r = err_set(
		    ERR_INVALID, "status must be canceled, timeout or failed");
	return r;
}

/* Under the job's lock, so that no other run begins in between. */
static int
stop_tx(struct db *db, void *ctx)
{
	struct stopping *s = ctx;
	struct db_job *job;
	int r;

	r = db_job_lock(db, s->ask->arena, s->body.job_id, &job);
	if (r != 0 || job->run != s->body.run)
		return r;
	return initiator_stop(
	    db, s->ask->caller, s->body.job_id, s->to, s->body.reason, NULL);
}

int
job_stop(const struct errand_ask *ask)
{
	struct stopping s = { .ask = ask };
	struct db_job *job;
	int r;

	/* Who is no member waits for no lock. */
	if ((r = read_body(ask, &s)) != 0 ||
	    (r = party_check_initiated(
		 ask->db, ask->arena, ask->caller, s.body.job_id, &job)) != 0)
		return r;
	return db_tx(ask->db, stop_tx, &s);
}
