/*
 * Jobs: submit, stop, query, list, configuration, timeline.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/errand.h"
#include "fcgi-app/filter.h"
#include "fcgi-app/job_page.h"
#include "fcgi-app/route.h"
#include "fcgi-app/submit.h"
#include "fcgi-app/view.h"
#include "fcgi-app/waits.h"
#include "fcgi-app/wake.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_event.h"
#include "lib/party/job_stop.h"
#include "lib/party/party.h"

#define EVENTS_MAX 1000
#define STOP_REASON "stopped by a user"

/* --- submit and stop -------------------------------------------------------- */

/* The document under its usual name or its short one. */
static struct json_object *
document(const struct request *req, const char *name, const char *brief,
    const char **found)
{
	*found = name;
	if (request_field(req, name) == NULL &&
	    request_field(req, brief) != NULL)
		*found = brief;
	return request_field(req, *found);
}

/* What the command line adds to a configuration it has read from a file. */
static void
drop_clients_own(struct json_object *conf)
{
	static const char *const names[] = { "conf_path", "dsl_path", "local" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_object_del(conf, names[i]);
}

int
api_job_submit(struct request *req, struct reply *rp)
{
	struct submit s = { .local_party = req->app->conf->party_id };

	s.dsl = document(req, "job_dsl", "dsl", &s.dsl_name);
	s.conf =
	    document(req, "job_runtime_conf", "runtime_conf", &s.conf_name);
	if (!json_is_object(s.dsl) || !json_is_object(s.conf))
		return reply_fault(rp, 103,
		    "job submit failed: job_dsl and "
		    "job_runtime_conf must both be there, as objects%s%s",
		    req->body_fault != NULL ? "; the body was not read: " : "",
		    req->body_fault != NULL ? req->body_fault : "");
	drop_clients_own(s.conf);
	return submit_job(req, rp, &s);
}

/* The members here end as by their initiator's command. */
static int
stop_members(struct request *req, const struct db_job *job, enum state to,
    const char *reason)
{
	struct party_caller as = { .party_id = job->initiator_party,
		.run = &job->run,
		.is_wish = true };
	struct db_party *rows;
	size_t i, n;
	int r;

	if ((r = db_party_list(
		 req->app->db, req->arena, job->job_id, &rows, &n)) != 0)
		return r;
	for (i = 0; r == 0 && i < n; i++)
		if (rows[i].is_local)
			r = party_job_stop(req->app->db, &as,
			    &(struct party_member){ .job_id = job->job_id,
				.role = rows[i].role,
				.party_id = rows[i].party_id },
			    to, reason, NULL);
	return r;
}

static int
stop_tasks(struct request *req, const char *job_id, enum state to)
{
	struct db_task *rows;
	size_t i, n;
	int r;

	if ((r = db_task_list(
		 req->app->db, req->arena, job_id, true, &rows, &n)) != 0)
		return r;
	for (i = 0; i < n; i++) {
		if (!rows[i].run_here || state_is_end(rows[i].party_status))
			continue;
		if ((r = db_task_want_end(req->app->db, &rows[i].key, to,
			 STOP_REASON, NULL)) != 0)
			return r;
		wake_shepherd(req, &rows[i].key);
	}
	return 0;
}

/*
 * A job of another site: its initiator ends it at all members, and is asked
 * until it has heard.  What it holds here is given back at once, whatever the
 * initiator says and whenever.
 */
static int
stop_others(struct request *req, const struct db_job *job, enum state to,
    bool *effective)
{
	struct errand e;
	char *reason;
	int r;

	*effective = !state_is_end(job->status);
	if (!*effective)
		return 0;
	reason =
	    xasprintf("%s of party %s", STOP_REASON, req->app->conf->party_id);
	errand_init(&e, req, JOB_STOP);
	e.persistent = true;
	errand_add(&e, job->initiator_role, job->initiator_party,
	    job_stop_body(job->job_id, job->run, to, reason));
	if ((r = errand_send(&e)) == 0 &&
	    (r = stop_tasks(req, job->job_id, to)) == 0)
		r = stop_members(req, job, to, reason);
	errand_fini(&e);
	free(reason);
	return r;
}

static int
stop_job(struct request *req, const struct db_job *job, enum state to,
    bool *effective)
{
	struct party_caller self = { .is_site = true,
		.party_id = req->app->conf->party_id };

	if (job->is_initiator)
		return initiator_stop(req->app->db, &self, job->job_id, to,
		    STOP_REASON, effective);
	return stop_others(req, job, to, effective);
}

int
api_job_stop(struct request *req, struct reply *rp)
{
	const char *job_id = request_text(req, "job_id");
	const char *status = request_text(req, "stop_status");
	struct db_job *job;
	enum state to = STATE_CANCELED;
	bool effective;
	int r;

	if ((r = request_require(req, "job_id")) != 0)
		return r;
	if (status != NULL &&
	    (state_parse(status, &to) != 0 || !state_is_interrupt(to)))
		return reply_fault(rp, 101,
		    "stop_status must be canceled, "
		    "timeout or failed");
	r = db_job_get_brief(
	    req->app->db, req->arena, job_id != NULL ? job_id : "", &job);
	if (r == ERR_NOT_FOUND)
		return reply_fault(rp, 102, "job %s is not known here",
		    job_id != NULL ? job_id : "null");
	if (r != 0 || (r = stop_job(req, job, to, &effective)) != 0)
		return r;
	wake_supervisor(req, job->job_id, WAKE_JOBS | WAKE_FREED);
	return reply_message(
	    rp, effective ? "stop job on this party success; stop job on all "
			    "party success"
			  : "the job has ended or is being stopped already");
}

/* --- query and list ----------------------------------------------------------- */

/* Fields that take part in choosing; returns whether any was given. */
static bool
job_filter(const struct request *req, struct db_job_filter *f)
{
	f->job_ids = filter_any(req, "job_id");
	/* One id is looked up by the index, a list is not. */
	if (f->job_ids != NULL && strchr(f->job_ids, ',') == NULL) {
		f->job_id = f->job_ids;
		f->job_ids = NULL;
	}
	f->roles = filter_any(req, "role");
	f->parties = filter_any(req, "party_id");
	f->statuses = filter_any(req, "status");
	f->name = request_text(req, "name");
	f->tag = request_text(req, "tag");
	f->initiator_role = request_text(req, "initiator_role");
	f->initiator_party = request_text(req, "initiator_party_id");
	filter_range(
	    req, "create_time", &f->created_from_ms, &f->created_to_ms);
	filter_range(req, "start_time", &f->started_from_ms, &f->started_to_ms);
	filter_range(req, "end_time", &f->ended_from_ms, &f->ended_to_ms);
	return f->job_id != NULL || f->job_ids != NULL || f->roles != NULL ||
	       f->parties != NULL || f->statuses != NULL || f->name != NULL ||
	       f->tag != NULL || f->initiator_role != NULL ||
	       f->initiator_party != NULL || f->created_from_ms != 0 ||
	       f->created_to_ms != 0 || f->started_from_ms != 0 ||
	       f->started_to_ms != 0 || f->ended_from_ms != 0 ||
	       f->ended_to_ms != 0;
}

static const char *const job_orders[] = { [DB_JOB_BY_CREATED] = "create_time",
	[DB_JOB_BY_JOB_ID] = "job_id",
	[DB_JOB_BY_STARTED] = "start_time",
	[DB_JOB_BY_ENDED] = "end_time",
	[DB_JOB_BY_ELAPSED] = "elapsed",
	[DB_JOB_ORDERS] = NULL };

static struct json_object *
rows_json(const struct db_job_row *rows, size_t n, const char *prefix)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_object_array_add(list, view_job(&rows[i], prefix));
	return list;
}

int
api_job_query(struct request *req, struct reply *rp)
{
	struct db_job_filter f = { .order = DB_JOB_BY_CREATED };
	const char *by = request_text(req, "order_by");
	struct db_job_row *rows = NULL;
	size_t n = 0;
	int i, r;

	f.descending = request_flag(req, "reverse", false);
	for (i = 0; by != NULL && job_orders[i] != NULL; i++) {
		if (strcmp(by, job_orders[i]) == 0)
			f.order = (enum db_job_order)i;
	}
	/* Nothing to choose by chooses nothing. */
	if (job_filter(req, &f) && (r = db_job_list(req->app->db, req->arena,
					&f, &rows, &n, NULL)) != 0)
		return r;
	if ((r = waits_of_jobs(req, rows, n)) != 0)
		return r;
	if (n == 0)
		reply_message(rp, "no job could be found");
	return reply_data(rp, rows_json(rows, n, VIEW_QUERY));
}

static int
check_list_words(const struct request *req)
{
	static const char *const roles[] = { "guest", "host", "arbiter",
		"local", NULL };
	static const char *const statuses[] = { "success", "running", "waiting",
		"failed", "canceled", NULL };
	const char *party = request_text(req, "party_id");
	int r;

	if ((r = filter_words(req, "role", roles)) != 0 ||
	    (r = filter_words(req, "status", statuses)) != 0)
		return r;
	if (party != NULL && !str_is_party_id(party))
		return err_set(ERR_INVALID, "party_id must be an integer");
	return 0;
}

int
api_job_list(struct request *req, struct reply *rp)
{
	struct db_job_filter f = { .without_tag = "submit_failed" };
	struct filter_page page;
	struct buf text = BUF_INIT;
	int r;

	if (filter_page(req, job_orders, &page) != 0 ||
	    check_list_words(req) != 0)
		return reply_status(rp, 400, "%s", err_text());
	f.order =
	    page.order < 0 ? DB_JOB_BY_CREATED : (enum db_job_order)page.order;
	f.descending = page.order < 0 ? true : page.descending;
	f.limit = page.limit;
	f.offset = page.offset;
	f.job_id_part = request_text(req, "job_id");
	f.description_part = request_text(req, "description");
	f.party_part = request_text(req, "party_id");
	f.partner = request_text(req, "partner");
	f.roles = filter_any(req, "role");
	f.statuses = filter_any(req, "status");
	if ((r = job_page(req, &f, &text)) == 0)
		(void)reply_data_text(rp, &text);
	buf_fini(&text);
	return r;
}

int
api_job_config(struct request *req, struct reply *rp)
{
	struct db_job_filter f = { .limit = 1 };
	struct db_job_row *rows = NULL;
	struct json_object *data, *model;
	size_t n = 0;
	int r;

	if (job_filter(req, &f) && (r = db_job_list(req->app->db, req->arena,
					&f, &rows, &n, NULL)) != 0)
		return r;
	if (n == 0)
		return reply_fault(rp, 101, "find job failed");
	data = json_object_new_object();
	json_add_str(data, "job_id", rows[0].job.job_id);
	json_add(data, "dsl", view_document(rows[0].job.dsl));
	json_add(data, "runtime_conf", view_document(rows[0].job.runtime_conf));
	json_add(
	    data, "train_runtime_conf", view_document(rows[0].job.train_conf));
	model = json_object_new_object();
	json_add_str(model, "model_id", rows[0].job.model_id);
	json_add_str(model, "model_version", rows[0].job.model_version);
	json_add(data, "model_info", model);
	return reply_data(rp, data);
}

/* The same as a member's task would be told, with the member's own conf. */
int
api_member_config(struct request *req, struct reply *rp)
{
	struct db_job_filter f = { .limit = 1,
		.job_id = request_text(req, "job_id"),
		.roles = request_text(req, "role"),
		.parties = request_text(req, "party_id") };
	struct json_object *data;
	struct db_job_row *rows;
	size_t n;
	int r;

	if (f.job_id == NULL || f.roles == NULL || f.parties == NULL)
		return reply_status(
		    rp, 400, "job_id, role and party_id must be there");
	if ((r = db_job_list(req->app->db, req->arena, &f, &rows, &n, NULL)) !=
	    0)
		return r;
	if (n == 0)
		return reply_status(rp, 404,
		    "job %.40s has no member %.20s %.20s at this site",
		    f.job_id, f.roles, f.parties);
	data = json_object_new_object();
	json_add(data, "dsl", view_document(rows[0].job.dsl));
	json_add(data, "runtime_conf", view_document(rows[0].job.runtime_conf));
	json_add(data, "runtime_conf_on_party",
	    view_document(rows[0].party.party_conf));
	json_add(
	    data, "train_runtime_conf", view_document(rows[0].job.train_conf));
	return reply_data(rp, data);
}

/* --- the timeline ---------------------------------------------------------------- */

static struct json_object *
event_json(const struct db_event *e)
{
	struct json_object *o = json_object_new_object();

	json_add_int(o, "id", e->id);
	json_add(o, "time", view_time(e->at_ms));
	json_add_str(o, "component_name", e->component);
	json_add_int(o, "task_version", e->version);
	json_add_str(o, "role", e->role);
	json_add_str(o, "party_id", e->party_id);
	json_add_str(o, "kind", e->kind);
	json_add_str(o, "from", e->from_state);
	json_add_str(o, "to", e->to_state);
	json_add_str(o, "actor", e->actor);
	json_add_str(o, "reason", e->reason);
	return o;
}

/* {job_id, since?, limit?}: what changed after event `since`, oldest first. */
int
api_job_events(struct request *req, struct reply *rp)
{
	const char *job_id = request_text(req, "job_id");
	struct json_object *list;
	struct db_event *rows;
	int64_t since, limit;
	size_t i, n;
	int r;

	if ((r = request_require(req, "job_id")) != 0 ||
	    (r = request_int(req, "since", 0, INT64_MAX, 0, &since)) != 0 ||
	    (r = request_int(
		 req, "limit", 1, EVENTS_MAX, EVENTS_MAX, &limit)) != 0 ||
	    (r = db_event_list(req->app->db, req->arena,
		 job_id != NULL ? job_id : "", since, limit, &rows, &n)) != 0)
		return r;
	list = json_object_new_array();
	for (i = 0; i < n; i++)
		json_object_array_add(list, event_json(&rows[i]));
	return reply_data(rp, list);
}
