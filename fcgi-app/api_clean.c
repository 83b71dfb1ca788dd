/*
 * Giving back: what ended tasks left, jobs that wait, resources.
 */
#include <stdlib.h>
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/filter.h"
#include "fcgi-app/route.h"
#include "fcgi-app/table_files.h"
#include "fcgi-app/wake.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_audit.h"
#include "lib/db/db_clean.h"
#include "lib/db/db_metric.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_tx.h"
#include "lib/party/party.h"

#define QUEUE_REASON "the queue was cleaned by a user"

static int
audit(const struct request *req, const char *action, const char *subject,
    const char *detail)
{
	return db_audit_add(
	    req->app->db, &(struct db_audit){ .actor = req->caller.name,
			      .action = action,
			      .subject = subject,
			      .outcome = "ok",
			      .detail = detail });
}

/* --- outputs and metrics -------------------------------------------------- */

struct cleaning {
	struct request *req;
	const struct db_task_key *key;
	struct db_cleaned went;
};

static int
clean_tx(struct db *db, void *ctx)
{
	struct cleaning *c = ctx;
	const struct db_cleaned *w = &c->went;
	int r;

	if ((r = db_task_clean(db, c->req->arena, c->key, &c->went)) != 0 ||
	    (int64_t)w->nfolders + w->series + w->summaries + w->caches == 0)
		return r;
	return audit(c->req, "job/clean", c->key->job_id,
	    arena_printf(c->req->arena,
		"%s %lld: %zu tables, %lld metrics, %lld summaries, %lld "
		"caches",
		c->key->component, (long long)c->key->version, w->nfolders,
		(long long)w->series, (long long)w->summaries,
		(long long)w->caches));
}

static int
clean_tasks(struct request *req, const struct db_task_row *rows, size_t n,
    struct db_cleaned *sum)
{
	size_t i, k;
	int r;

	for (i = 0; i < n; i++) {
		struct cleaning c = { .req = req, .key = &rows[i].task.key };

		if ((r = db_tx(req->app->db, clean_tx, &c)) != 0)
			return r;
		for (k = 0; k < c.went.nfolders; k++)
			table_files_remove(req, c.went.folders[k]);
		sum->nfolders += c.went.nfolders;
		sum->series += c.went.series;
		sum->summaries += c.went.summaries;
		sum->caches += c.went.caches;
	}
	return 0;
}

int
api_job_clean(struct request *req, struct reply *rp)
{
	struct db_task_filter f = { .local_only = true };
	struct db_task_row *rows;
	struct db_cleaned went = { .folders = NULL };
	const char *text;
	size_t n;
	int r;

	/* One job at a time: never everybody's outputs by a missing word. */
	if ((r = request_require(req, "job_id")) != 0)
		return r;
	(void)filter_tasks(req, &f);
	if (f.job_id == NULL)
		return reply_fault(rp, 100, "job_id must name a job");
	if ((r = db_task_query(
		 req->app->db, req->arena, &f, &rows, &n, NULL)) != 0)
		return r;
	if (n == 0)
		return reply_fault(
		    rp, 100, "no task of job %s here is meant", f.job_id);
	log_context(f.job_id, NULL, NULL);
	r = clean_tasks(req, rows, n, &went);
	if (r == ERR_BUSY) {
		reply_fault(rp, 103, "%s", err_text());
		err_clear();
		return 0;
	}
	text = arena_printf(req->arena,
	    "%zu tables, %lld metrics, %lld summaries, %lld caches",
	    went.nfolders, (long long)went.series, (long long)went.summaries,
	    (long long)went.caches);
	if (r != 0)
		return r;
	log_info("cleaned: %s", text);
	return 0;
}

struct deleting {
	struct request *req;
	const char *job_id;
	int64_t n;
};

static int
delete_tx(struct db *db, void *ctx)
{
	struct deleting *d = ctx;
	int r;

	if ((r = db_metric_delete_job(db, d->job_id, &d->n)) != 0 || d->n == 0)
		return r;
	return audit(d->req, "metric/delete", d->job_id,
	    arena_printf(d->req->arena, "%lld metrics", (long long)d->n));
}

/* All of a job's.  The platform also knew a day's, of whatever jobs: no. */
int
api_metric_delete(struct request *req, struct reply *rp)
{
	struct deleting d = { .req = req };
	const char *job_id;
	int r;

	if ((r = request_require(req, "job_id")) != 0)
		return r;
	job_id = request_text(req, "job_id");
	if (job_id == NULL || !str_is_job_id(job_id))
		return reply_fault(rp, 101, "job_id is the id of no job");
	d.job_id = job_id;
	if ((r = db_tx(req->app->db, delete_tx, &d)) != 0)
		return r;
	return reply_data(
	    rp, json_object_new_string(
		    d.n > 0 ? "delete status: True" : "delete status: False"));
}

/* --- the queue ------------------------------------------------------------ */

/* The code of one job's stop, as the platform's clients want it. */
static int
stop_waiting(struct request *req, const char *job_id)
{
	struct party_caller self = { .is_site = true,
		.party_id = req->app->conf->party_id };
	int r;

	r = initiator_stop(
	    req->app->db, &self, job_id, STATE_CANCELED, QUEUE_REASON, NULL);
	if (r != 0) {
		log_err("job=%s stop", job_id);
		err_clear();
		return err_retcode(r);
	}
	wake_supervisor(req, job_id, WAKE_ASK);
	return 0;
}

int
api_queue_clean(struct request *req, struct reply *rp)
{
	const int64_t yes = 1;
	struct db_job_filter f = { .statuses = "waiting",
		.is_initiator = &yes };
	struct json_object *data;
	struct db_job_row *rows;
	size_t i, n;
	int r;

	if ((r = db_job_list(req->app->db, req->arena, &f, &rows, &n, NULL)) !=
	    0)
		return r;
	data = json_object_new_object();
	/* A job has a row for each member of this site. */
	for (i = 0; i < n; i++)
		if (!json_has(data, rows[i].job.job_id))
			json_add_int(data, rows[i].job.job_id,
			    stop_waiting(req, rows[i].job.job_id));
	if ((r = audit(req, "job/clean/queue", "", json_text(data))) != 0) {
		json_object_put(data);
		return r;
	}
	return reply_data(rp, data);
}

/* --- resources ------------------------------------------------------------ */

/* What an ended job still holds; a job that goes on keeps what it has. */
static int
give_back(struct request *req, const struct db_job *job,
    const struct db_grant *g, struct json_object *list)
{
	struct json_object *o;
	bool returned = false;
	int r;

	if (g->open && state_is_end(job->status) &&
	    (r = db_resource_return(req->app->db, g->job_id, g->role,
		 g->party_id, "returned by a user", &returned)) != 0)
		return r;
	o = json_object_new_object();
	json_add_str(o, "job_id", g->job_id);
	json_add_str(o, "role", g->role);
	json_add_str(o, "party_id", g->party_id);
	json_add_bool(o, "resource_in_use", g->open && !returned);
	json_add_bool(o, "resource_return_status", returned);
	json_object_array_add(list, o);
	return 0;
}

int
api_resource_return(struct request *req, struct reply *rp)
{
	const char *id = request_text(req, "job_id");
	struct json_object *list;
	struct db_grant *grants;
	struct db_job *job;
	size_t i, n;
	int r;

	if ((r = request_require(req, "job_id")) != 0)
		return r;
	r = db_job_get_brief(
	    req->app->db, req->arena, id != NULL ? id : "", &job);
	if (r == ERR_NOT_FOUND)
		return reply_fault(rp, 100, "job %s is not known here",
		    id != NULL ? id : "null");
	if (r != 0 || (r = db_grant_list(req->app->db, req->arena, job->job_id,
			   false, &grants, &n)) != 0)
		return r;
	list = json_object_new_array();
	for (i = 0; i < n && r == 0; i++)
		r = give_back(req, job, &grants[i], list);
	if (r != 0) {
		json_object_put(list);
		return r;
	}
	if (!state_is_end(job->status) && n > 0)
		reply_message(rp,
		    "job %s is %s and keeps its resources; stop it to have "
		    "them back",
		    job->job_id, state_name(job->status));
	return reply_data(rp, list);
}
