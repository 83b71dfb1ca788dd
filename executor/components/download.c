/*
 * Download: a table as a delimited text file in the site's folder for
 * exports, whereto the shepherd brings it.  Role local, no partners.
 */
#include <inttypes.h>

#include "executor/component.h"
#include "executor/components/export_file.h"
#include "lib/base/err.h"

static int
report(struct task *task, uint64_t rows)
{
	struct json_object *extra = json_object_new_object();
	int r;

	json_object_object_add(extra, "output_path",
	    json_object_new_string(task_param_string(task, "output_path", "")));
	if ((r = task_metric_named(
		 task, "download", "data_access", "count", (double)rows)) == 0)
		r = task_metric_meta(task, "download", "data_access",
		    "download", "DOWNLOAD", extra);
	if (r == 0)
		r = task_summary(task, extra);
	json_object_put(extra);
	task_log(task, TASK_INFO, "%" PRIu64 " row%s to %s", rows,
	    rows == 1 ? "" : "s", task_param_string(task, "output_path", ""));
	return r;
}

static int
run(struct task *task)
{
	struct table_in in = { 0 };
	uint64_t rows = 0;
	int r;

	if ((r = table_in_open(task, task_input_at(task, 0), &in)) != 0)
		return r;
	r = export_file(&in, task_param_string(task, "delimiter", ","), &rows);
	table_in_close(&in);
	return r == 0 ? report(task, rows) : r;
}

const struct component component_download = {
	.module = "Download",
	.roles = "local",
	.run = run,
};
