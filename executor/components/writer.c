/*
 * Writer: a table (that of namespace and name, or the first input) becomes
 * another table of the site, or goes to the address of the parameters, a
 * file or a table on a server, whereto the shepherd brings it.
 */
#include <inttypes.h>

#include "executor/component.h"
#include "executor/components/export_file.h"
#include "lib/base/err.h"

static int
append(void *ctx, const struct row *row)
{
	return table_append(ctx, row);
}

static int
write_table(struct table_in *in, const char *name, uint64_t *rows)
{
	struct task_output_options options = {
		.partitions = table_stat(in->table)->partitions,
		.id_delimiter = in->input->id_delimiter,
		.table_namespace =
		    task_param_string(in->task, "output_namespace", ""),
		.table_name = name,
	};
	struct table_writer *w = NULL;
	int r;

	if ((r = task_output_create(in->task, 0, &w)) != 0)
		return r;
	if ((r = table_in_each(in, "copying", append, w)) != 0) {
		table_writer_free(w);
		return r;
	}
	*rows = table_writer_rows(w);
	return task_output_finish(in->task, 0, w, in->schema.json, &options);
}

static int
report(struct task *task, uint64_t rows, const char *engine)
{
	struct json_object *extra = json_object_new_object();
	int r;

	json_object_object_add(
	    extra, "storage_engine", json_object_new_string(engine));
	json_object_object_add(
	    extra, "count", json_object_new_int64((int64_t)rows));
	if ((r = task_metric_named(
		 task, "writer", "writer", "count", (double)rows)) == 0)
		r = task_metric_meta(
		    task, "writer", "writer", "writer", "writer", extra);
	json_object_put(extra);
	task_log(
	    task, TASK_INFO, "%" PRIu64 " row%s", rows, rows == 1 ? "" : "s");
	return r;
}

static int
run(struct task *task)
{
	const char *name = task_param_string(task, "output_name", NULL);
	const char *engine =
	    task_param_string(task, "storage_engine", "STANDALONE");
	struct table_in in = { 0 };
	uint64_t rows = 0;
	int r;

	if ((r = table_in_open(task, task_input_at(task, 0), &in)) != 0)
		return r;
	if (name != NULL)
		r = write_table(&in, name, &rows);
	else
		r = export_file(&in, ",", &rows);
	table_in_close(&in);
	return r == 0 ? report(task, rows, name != NULL ? "STANDALONE" : engine)
		      : r;
}

const struct component component_writer = {
	.module = "Writer",
	.roles = "guest host local",
	.run = run,
};
