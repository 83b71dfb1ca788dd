/*
 * Fuzz target: uploaded text on its way to numbers.  The first byte chooses
 * format, delimiters and parameters; the lines behind it are the rows of a
 * table, which DataTransform reads.  Beside crashes it looks for a broken
 * promise: a table that comes out has as many rows as the one that went in.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "executor/component.h"
#include "executor/task_ops.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t rows_in;

static int
metric_data(void *ctx, const char *ns, const char *name,
    const struct metric_point *p, size_t n)
{
	(void)ctx, (void)ns, (void)name, (void)p, (void)n;
	return 0;
}

static int
metric_meta(void *ctx, const char *ns, const char *name, const char *meta)
{
	(void)ctx, (void)ns, (void)name, (void)meta;
	return 0;
}

static int
summary(void *ctx, const char *json)
{
	(void)ctx, (void)json;
	return 0;
}

static int
output_table(void *ctx, const struct task_output *o)
{
	(void)ctx;
	if (o->rows != rows_in)
		abort();
	return 0;
}

static int
output_model(
    void *ctx, const char *alias, const struct task_buffer *b, size_t n)
{
	(void)ctx, (void)alias, (void)b, (void)n;
	return 0;
}

static int
progress(void *ctx, uint64_t done, uint64_t total, const char *text)
{
	(void)ctx, (void)done, (void)total, (void)text;
	return 0;
}

static void
log_line(void *ctx, enum task_log_level level, const char *text)
{
	(void)ctx, (void)level, (void)text;
}

static const struct task_ops ops = { .metric_data = metric_data,
	.metric_meta = metric_meta,
	.summary = summary,
	.output_table = output_table,
	.output_model = output_model,
	.progress = progress,
	.log = log_line };

/* Lines become rows; the rest of what a table cannot hold is left out. */
static int
make_table(const char *path, const uint8_t *data, size_t size)
{
	struct table_writer *w;
	const uint8_t *end;
	char id[24];
	size_t n;

	if (table_create(&storage_standalone, path, &w) != 0)
		abort();
	for (rows_in = 0; size > 0 && rows_in < 64; rows_in++) {
		struct row row = { .kind = ROW_TEXT };

		end = memchr(data, '\n', size);
		n = end != NULL ? (size_t)(end - data) : size;
		row.text = (struct span){ (const char *)data, n };
		row.id.len =
		    (size_t)snprintf(id, sizeof(id), "%d", (int)rows_in);
		row.id.data = id;
		if (table_append(w, &row) != 0)
			abort();
		n += end != NULL;
		data += n;
		size -= n;
	}
	return table_seal(w, "{\"sid\":\"id\",\"header\":\"a,b\"}", 1);
}

static void
transform(const char *folder, const char *path, uint8_t choice)
{
	static const char *const formats[] = { "dense", "sparse", "tag",
		"tag" };
	static const char *const outputs[] = { "data" };
	struct task_input in = { .data_key = "data",
		.component = "",
		.data_name = "data",
		.path = path,
		.schema_json = "{\"sid\":\"id\",\"header\":\"a,b\"}",
		.rows = rows_in,
		.partitions = 1,
		.table_namespace = "n",
		.table_name = "t",
		.id_delimiter = "," };
	struct task_party me = { "guest", "1" };
	char *text = xasprintf("{\"input_format\":\"%s\",\"delimitor\":\"%s\","
			       "\"tag_with_value\":%s,\"with_label\":%s,"
			       "\"with_match_id\":%s,\"missing_fill\":%s,"
			       "\"missing_fill_method\":\"max\"}",
	    formats[choice & 3], choice & 4 ? " " : ",",
	    (choice & 3) == 3 ? "true" : "false", choice & 8 ? "true" : "false",
	    choice & 16 ? "true" : "false", choice & 32 ? "true" : "false");
	struct json_object *params = json_tokener_parse(text);
	struct task_setup setup = { .job_id = "1",
		.component = "dt_0",
		.module = "DataTransform",
		.local = me,
		.parties = &me,
		.n_parties = 1,
		.parameters = params,
		.job_parameters = params,
		.inputs = &in,
		.n_inputs = 1,
		.output_data = outputs,
		.n_output_data = 1,
		.output_model = "model",
		.cores = 1,
		.output_dir = folder,
		.input_file = "" };
	struct task task = { .setup = &setup, .ops = &ops };

	(void)component_data_transform.run(&task);
	json_object_put(params);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char folder[64], *path;

	if (size == 0)
		return 0;
	(void)snprintf(folder, sizeof(folder), "/dev/shm/fuzz-transform-%d",
	    (int)getpid());
	(void)fd_remove_tree(folder);
	if (mkdir(folder, 0700) != 0)
		abort();
	path = xasprintf("%s/in", folder);
	if (make_table(path, data + 1, size - 1) != 0)
		abort();
	transform(folder, path, data[0]);
	free(path);
	(void)fd_remove_tree(folder);
	return 0;
}
