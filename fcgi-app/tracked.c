/*
 * Called by api_track.c and api_output.c.
 */
#include "fcgi-app/tracked.h"

#include "fcgi-app/app.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_job.h"
#include "lib/db/db_task.h"

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

/* NULL when the member is here, else who is. */
static const char *
member_fault(struct request *req, const struct tracked *t,
    const struct db_party *rows, size_t n)
{
	struct buf here = BUF_INIT;
	const char *text;
	bool found = false;
	size_t i;

	for (i = 0; i < n; i++) {
		if (!rows[i].is_local)
			continue;
		found = found || (str_eq(rows[i].role, t->role) &&
				     str_eq(rows[i].party_id, t->party_id));
		buf_printf(&here, "%s%s %s", here.len != 0 ? ", " : "",
		    rows[i].role, rows[i].party_id);
	}
	text = arena_printf(req->arena,
	    "no data: %.20s %.20s is not at this site, members here: %s",
	    t->role, t->party_id, here.len != 0 ? buf_str(&here) : "none");
	buf_fini(&here);
	return found ? NULL : text;
}

const char *
tracked_no_data(struct request *req, const struct tracked *t)
{
	const char *text = NULL;
	struct db_party *rows;
	struct db_task *task;
	size_t n;

	if (db_party_list(req->app->db, req->arena, t->job_id, &rows, &n) != 0)
		return "no data";
	if (n == 0)
		text = arena_printf(req->arena,
		    "no data: job %.40s is not known here", t->job_id);
	else
		text = member_fault(req, t, rows, n);
	if (text == NULL &&
	    db_task_get_newest(req->app->db, req->arena, t->job_id,
		t->component, t->role, t->party_id, &task) == ERR_NOT_FOUND)
		text = arena_printf(req->arena,
		    "no data: %.100s is no component of job %.40s",
		    t->component, t->job_id);
	err_clear();
	return text != NULL ? text : "no data";
}
