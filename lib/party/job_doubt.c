/*
 * Is a job still wanted by its initiator?  Asked by supervisor/doubts.c,
 * answered by fcgi-app.
 */
#include "lib/party/job_doubt.h"

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/db/db_job.h"
#include "lib/party/party_private.h"

/* Is the asking party held to know of the end, with all its members? */
static int
is_told(const struct errand_ask *ask, const char *job_id, bool *told)
{
	struct db_party *rows;
	size_t n;
	int r;

	*told = true;
	if ((r = db_party_list(ask->db, ask->arena, job_id, &rows, &n)) != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i].party_id, ask->caller->party_id))
			*told &= rows[i].ended;
	return 0;
}

/* Before that the initiator tells it by itself. */
static int
is_over(const struct errand_ask *ask, const struct db_job *job, int64_t run,
    bool *over)
{
	*over = job->run > run;
	if (job->run != run || !state_is_end(job->status))
		return 0;
	*over = job->settled;
	return *over ? 0 : is_told(ask, job->job_id, over);
}

int
job_doubt_errand(const struct errand_ask *ask)
{
	const char *job_id = json_get_str(ask->body, "job_id", "");
	int64_t run = json_get_int(ask->body, "run", -1);
	enum state status = STATE_CANCELED;
	struct db_job *job;
	bool over = true;
	int r;

	if (!str_is_job_id(job_id) || run < 0)
		return err_set(ERR_INVALID,
		    "/job_id and /run must name a job and its run");
	r = party_check_initiated(
	    ask->db, ask->arena, ask->caller, job_id, &job);
	if (r == ERR_NOT_FOUND)
		err_clear();
	else if (r != 0)
		return r;
	else if ((r = is_over(ask, job, run, &over)) != 0)
		return r;
	else if (over && job->run == run)
		status = job->status;
	*ask->data = json_object_new_object();
	json_add_bool(*ask->data, "over", over);
	json_add_str(*ask->data, "status", over ? state_name(status) : "");
	return 0;
}

int
job_doubt_take(struct db *db, const struct party_member *m,
    const char *initiator_party, int64_t run, struct json_object *answer,
    bool *ended)
{
	/* The command that its initiator would give. */
	struct party_caller as = { .party_id = initiator_party, .run = &run };
	enum state status;

	*ended = false;
	if (!json_has(answer, "over"))
		return err_set(ERR_FORMAT, "the answer does not say /over");
	if (!json_get_bool(answer, "over", false))
		return 0;
	if (state_parse(json_get_str(answer, "status", ""), &status) != 0 ||
	    status == STATE_NONE)
		return err_set(ERR_FORMAT, "the answer names no /status");
	/* What was not told of its success did not succeed here. */
	if (!state_is_interrupt(status))
		status = STATE_CANCELED;
	return party_job_stop(db, &as, m, status,
	    "its initiator has ended it, or never had it", ended);
}
