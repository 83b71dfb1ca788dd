/*
 * Called by api_track.c and api_output.c.
 */
#include "fcgi-app/tracked.h"

#include "fcgi-app/app.h"
#include "lib/base/err.h"
#include "lib/db/db_job.h"

static const char *
or_empty(const char *s)
{
	return s != NULL ? s : "";
}

int
tracked_find(struct request *req, struct tracked *out)
{
	struct db_job *job;
	int r;

	if ((r = request_require(req, "job_id,component_name")) != 0)
		return r;
	out->job_id = or_empty(request_text(req, "job_id"));
	out->component = or_empty(request_text(req, "component_name"));
	out->role = request_text(req, "role");
	out->party_id = request_text(req, "party_id");
	if (out->role != NULL && out->party_id != NULL)
		return 0;
	r = db_job_get_brief(req->app->db, req->arena, out->job_id, &job);
	if (r == ERR_NOT_FOUND)
		return err_set(
		    ERR_EXISTS, "job %s is not known here", out->job_id);
	if (r != 0)
		return r;
	out->role = job->initiator_role;
	out->party_id = job->initiator_party;
	return 0;
}
