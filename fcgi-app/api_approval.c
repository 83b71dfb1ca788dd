/*
 * What waits for a person here, and what that person says.  Who may decide
 * is the rule's matter, so the routes are open to viewers and the decision is
 * not: lib/party/approval.h looks at who it is.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/asks.h"
#include "fcgi-app/auth_refusal.h"
#include "fcgi-app/route.h"
#include "fcgi-app/wake.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/party/approval.h"

#define LIST_MAX 1000
#define NOTE_MAX 1000

static struct json_object *
approval_json(const struct db_approval *a)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "job_id", a->job_id);
	json_add_int(o, "revision", a->revision);
	json_add_str(o, "role", a->role);
	json_add_str(o, "party_id", a->party_id);
	json_add_str(o, "initiator_party_id", a->initiator_party);
	json_add_str(o, "subject", a->subject);
	json_add_int(o, "rule", a->permission_id);
	json_add_str(o, "approval_by", a->approval_by);
	json_add_int(o, "asked_at", a->created_ms);
	json_add_int(o, "deadline", a->deadline_ms);
	json_add_str(o, "decision", *a->decision != '\0' ? a->decision : NULL);
	json_add_str(o, "decided_by", a->decided_by);
	json_add_int(o, "decided_at", a->decided_s * 1000);
	json_add_str(o, "note", a->note);
	json_add_bool(o, "signed", *a->signature != '\0');
	return o;
}

static int
take_job(struct request *req, bool must, const char **job_id)
{
	*job_id = request_text(req, "job_id");
	if (*job_id == NULL && !must && request_field(req, "job_id") == NULL)
		return 0;
	if (*job_id == NULL || !str_is_job_id(*job_id))
		return err_set(ERR_INVALID, "job_id must be the id of a job");
	return 0;
}

/* What the job asks for as that member; the rows of one follow each other. */
static int
add_asks(struct request *req, const struct db_job *job,
    const struct db_approval *a, struct json_object *before,
    struct json_object *o)
{
	if (!str_eq(json_get_str(before, "role", NULL), a->role) ||
	    !str_eq(json_get_str(before, "party_id", NULL), a->party_id))
		return asks_add(req, job, a->role, a->party_id, o);
	json_add(o, "asks", json_object_get(json_get(before, "asks")));
	json_add(o, "limits", json_object_get(json_get(before, "limits")));
	return 0;
}

/* What waits; with "all": true what was decided as well. */
static int
list_them(struct request *req, const struct db_job *job,
    const struct db_approval *rows, size_t n, struct json_object *list)
{
	struct json_object *o, *before = NULL;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		o = approval_json(&rows[i]);
		json_object_array_add(list, o);
		if (job == NULL || *rows[i].decision != '\0')
			continue;
		r = add_asks(req, job, &rows[i], before, o);
		before = o;
	}
	return r;
}

/* Of a job that is named also what it asks for. */
int
api_approval_query(struct request *req, struct reply *rp)
{
	struct json_object *list;
	struct db_approval *rows;
	struct db_job *job = NULL;
	const char *job_id;
	size_t n;
	int r;

	if ((r = take_job(req, false, &job_id)) != 0 ||
	    (r = db_approval_list(req->app->db, req->arena, job_id,
		 !json_get_bool(req->json, "all", false), LIST_MAX, &rows,
		 &n)) != 0)
		return r;
	if (job_id != NULL && n > 0 &&
	    (r = db_job_get(req->app->db, req->arena, job_id, &job)) != 0)
		return r;
	list = json_object_new_array();
	if ((r = list_them(req, job, rows, n, list)) == 0)
		return reply_data(rp, list);
	json_object_put(list);
	return r;
}

static int
take_note(struct request *req, bool must, const char **note)
{
	*note = request_text(req, "note");
	if (*note == NULL && request_field(req, "note") != NULL)
		return err_set(ERR_INVALID, "note must be a text");
	if (*note == NULL)
		*note = "";
	if (must && **note == '\0')
		return err_set(
		    ERR_INVALID, "note must say why: the initiator is told so");
	if (strlen(*note) > NOTE_MAX)
		return err_set(
		    ERR_INVALID, "note has at most %d bytes", NOTE_MAX);
	return 0;
}

/*
 * As the rule names them: "user mia" and "client mia" are mia; who signed
 * nothing has no name to stand in a rule.
 */
static const char *
name_of(const struct request *req)
{
	const char *name = req->caller.name;

	if (str_starts(name, "client ") || str_starts(name, "user "))
		return strchr(name, ' ') + 1;
	return name;
}

static int
decide(struct request *req, struct reply *rp, bool approve)
{
	struct approval_decision d = { .approve = approve,
		.role = request_text(req, "role"),
		.party_id = request_text(req, "party_id"),
		.by = name_of(req),
		.is_admin = req->caller.role >= CLIENT_ADMIN };
	struct json_object *data;
	size_t n;
	int r;

	if ((r = take_job(req, true, &d.job_id)) != 0 ||
	    (r = take_note(req, !approve, &d.note)) != 0)
		return r;
	if ((r = approval_decide(req->app->db, &d, &n)) != 0)
		return r == ERR_DENIED ? auth_refused(req, req->caller.name, r)
				       : r;
	log_info("job=%s %s by %s", d.job_id, approve ? "approved" : "rejected",
	    d.by);
	wake_supervisor(req, d.job_id, WAKE_ASK);
	data = json_object_new_object();
	json_add_str(data, "job_id", d.job_id);
	json_add_str(data, "decision", approve ? DB_APPROVED : DB_REJECTED);
	json_add_int(data, "decided", (int64_t)n);
	json_add_str(data, "decided_by", d.by);
	return reply_data(rp, data);
}

int
api_approval_approve(struct request *req, struct reply *rp)
{
	return decide(req, rp, true);
}

int
api_approval_reject(struct request *req, struct reply *rp)
{
	return decide(req, rp, false);
}
