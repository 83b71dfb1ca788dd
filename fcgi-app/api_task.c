/*
 * Tasks and the tables they put out: query, list, view.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/filter.h"
#include "fcgi-app/route.h"
#include "fcgi-app/view.h"
#include "fcgi-app/waits.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_table.h"
#include "lib/db/db_task.h"

static struct json_object *
rows_json(const struct db_task_row *rows, size_t n, const char *prefix)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < n; i++)
		json_object_array_add(list, view_task(&rows[i], prefix));
	return list;
}

int
api_task_query(struct request *req, struct reply *rp)
{
	struct db_task_filter f = { .order = DB_TASK_BY_CREATED };
	struct db_task_row *rows;
	size_t n;
	int r;

	f.newest_only = request_flag(req, "only_latest", true);
	if (!filter_tasks(req, &f))
		return reply_fault(rp, 101, "find task failed");
	if ((r = db_task_query(
		 req->app->db, req->arena, &f, &rows, &n, NULL)) != 0 ||
	    (r = waits_of_tasks(req, rows, n)) != 0)
		return r;
	if (n == 0)
		return reply_fault(rp, 101, "find task failed");
	return reply_data(rp, rows_json(rows, n, VIEW_QUERY));
}

static const char *const task_orders[] = { [DB_TASK_BY_CREATED] = "create_time",
	[DB_TASK_BY_JOB_ID] = "job_id",
	[DB_TASK_BY_VERSION] = "task_version",
	[DB_TASK_BY_STARTED] = "start_time",
	[DB_TASK_BY_ENDED] = "end_time",
	[DB_TASK_BY_ELAPSED] = "elapsed",
	[DB_TASK_ORDERS] = NULL };

static int
check_list(const struct request *req, struct filter_page *page)
{
	static const char *const roles[] = { "guest", "host", "arbiter",
		"local", NULL };
	const char *party = request_text(req, "party_id");
	int r;

	if ((r = filter_page(req, task_orders, page)) != 0 ||
	    (r = filter_words(req, "role", roles)) != 0)
		return r;
	if (party != NULL && !str_is_party_id(party))
		return err_set(ERR_INVALID, "party_id must be an integer");
	return 0;
}

int
api_task_list(struct request *req, struct reply *rp)
{
	struct db_task_filter f = { .order = DB_TASK_BY_CREATED };
	struct filter_page page;
	struct db_task_row *rows;
	struct json_object *data;
	int64_t total;
	size_t n;
	int r;

	if (check_list(req, &page) != 0)
		return reply_status(rp, 400, "%s", err_text());
	if (page.order >= 0)
		f.order = (enum db_task_order)page.order;
	f.descending = page.descending;
	f.limit = page.limit;
	f.offset = page.offset;
	f.job_id = request_text(req, "job_id");
	f.component = request_text(req, "component_name");
	f.roles = filter_any(req, "role");
	f.parties = filter_any(req, "party_id");
	if ((r = db_task_query(
		 req->app->db, req->arena, &f, &rows, &n, &total)) != 0 ||
	    (r = waits_of_tasks(req, rows, n)) != 0)
		return r;
	data = json_object_new_object();
	json_add(data, "tasks", rows_json(rows, n, VIEW_LIST));
	json_add_int(data, "count", total);
	return reply_data(rp, data);
}

int
api_data_view(struct request *req, struct reply *rp)
{
	const char *name = request_text(req, "data_name");
	struct json_object *list;
	struct db_output *rows;
	const char *job_id;
	size_t i, n;
	int r;

	if ((r = request_require(req, "job_id")) != 0)
		return r;
	job_id = request_text(req, "job_id");
	if ((r = db_output_of_job(req->app->db, req->arena,
		 job_id != NULL ? job_id : "",
		 request_text(req, "component_name"), request_text(req, "role"),
		 request_text(req, "party_id"), &rows, &n)) != 0)
		return r;
	list = json_object_new_array();
	for (i = 0; i < n; i++) {
		if (name == NULL || strcmp(name, rows[i].data_name) == 0)
			json_object_array_add(list, view_output(&rows[i]));
	}
	if (json_object_array_length(list) != 0)
		return reply_data(rp, list);
	json_object_put(list);
	return reply_fault(rp, 101, "no data view could be found");
}
