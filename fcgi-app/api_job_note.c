/*
 * Small things about a job: its notes, its report, its page.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/filter.h"
#include "fcgi-app/links.h"
#include "fcgi-app/route.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db_task.h"
#include "lib/model/graph.h"

#define NOTES_MAX 10000 /* bytes */

static const char *
text_or_empty(const struct request *req, const char *name)
{
	const char *s = request_text(req, name);

	return s != NULL ? s : "";
}

/* The member of this site that job_id, role and party_id name. */
static int
find_member(struct request *req, struct reply *rp, struct db_party **out)
{
	int r;

	*out = NULL;
	r = db_party_get(req->app->db, req->arena, text_or_empty(req, "job_id"),
	    text_or_empty(req, "role"), text_or_empty(req, "party_id"), out);
	if (r == 0 && (*out)->is_local)
		return 0;
	*out = NULL;
	if (r != 0 && r != ERR_NOT_FOUND)
		return r;
	err_clear();
	return reply_fault(rp, 101, "find job failed: %s %s has no job %s here",
	    text_or_empty(req, "role"), text_or_empty(req, "party_id"),
	    text_or_empty(req, "job_id"));
}

int
api_job_update(struct request *req, struct reply *rp)
{
	struct json_object *notes = request_field(req, "notes");
	struct db_party *party;
	int r;

	if ((r = request_require(req, "job_id,role,party_id,notes")) != 0)
		return r;
	if (notes != NULL && !json_is_string(notes))
		return err_set(ERR_INVALID, "notes must be a text or null");
	if (notes != NULL && json_object_get_string_len(notes) > NOTES_MAX)
		return err_set(ERR_INVALID,
		    "notes may have %d bytes, these have %d", NOTES_MAX,
		    json_object_get_string_len(notes));
	if ((r = find_member(req, rp, &party)) != 0 || party == NULL)
		return r;
	return db_job_set_description(req->app->db, party->job_id,
	    notes != NULL ? json_object_get_string(notes) : NULL);
}

int
api_job_url(struct request *req, struct reply *rp)
{
	struct json_object *links, *data, *list;
	struct db_party *party;
	int r;

	if ((r = request_require(req, "job_id,role,party_id")) != 0 ||
	    (r = find_member(req, rp, &party)) != 0 || party == NULL)
		return r;
	links = json_object_new_object();
	links_add(
	    req->app->conf, links, party->job_id, party->role, party->party_id);
	list = json_object_new_array();
	json_object_array_add(
	    list, json_object_get(json_get(links, "board_url")));
	json_object_put(links);
	data = json_object_new_object();
	json_add(data, "board_url", list);
	return reply_data(rp, data);
}

/* --- report --------------------------------------------------------------- */

/* How many components stand between a node and the job's begin, at most. */
static size_t *
depths(struct arena *arena, const struct graph *g)
{
	size_t *depth = arena_alloc(arena, (g->n + 1) * sizeof(*depth));
	size_t i, u;

	for (i = 0; i < g->n; i++)
		for (u = 0; u < g->nodes[i].nups; u++)
			if (depth[g->nodes[i].ups[u]] >= depth[i])
				depth[i] = depth[g->nodes[i].ups[u]] + 1;
	return depth;
}

static struct json_object *
report_row(const struct db_task *t, size_t depth)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, "component_name", t->key.component);
	json_add(o, "start_time", view_time(t->started_ms));
	json_add(o, "end_time", view_time(t->ended_ms));
	json_add(o, "elapsed",
	    t->started_ms > 0 && t->ended_ms >= t->started_ms
		? json_object_new_int64(t->ended_ms - t->started_ms)
		: NULL);
	json_add_str(o, "status", state_name(t->status));
	json_add_int(o, "index", (int64_t)depth);
	return o;
}

static struct json_object *
report_json(struct request *req, const struct graph *g,
    const struct db_task_row *rows, size_t n)
{
	struct json_object *list = json_object_new_array();
	size_t *depth = depths(req->arena, g), i, c;

	for (i = 0; i < n; i++) {
		c = graph_find(
		    g, rows[i].task.key.component, (size_t)rows[i].task.seq);
		if (c != (size_t)-1)
			json_object_array_add(
			    list, report_row(&rows[i].task, depth[c]));
	}
	return list;
}

int
api_job_report(struct request *req, struct reply *rp)
{
	struct db_task_filter f = { .newest_only = true };
	struct db_task_row *rows = NULL;
	struct graph *graph;
	struct db_job *job;
	size_t n = 0;
	int r;

	(void)filter_tasks(req, &f);
	if (f.job_id == NULL)
		return reply_fault(rp, 101,
		    "find task failed: job_id is "
		    "missing");
	if ((r = db_task_query(
		 req->app->db, req->arena, &f, &rows, &n, NULL)) != 0)
		return r;
	if (n == 0)
		return reply_fault(rp, 101, "find task failed");
	if ((r = db_job_get(req->app->db, req->arena, rows[0].task.key.job_id,
		 &job)) != 0 ||
	    (r = graph_from_dsl(job->dsl, &graph)) != 0)
		return r;
	reply_data(rp, report_json(req, graph, rows, n));
	graph_free(graph);
	return 0;
}
