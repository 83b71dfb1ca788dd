/*
 * Upload: a delimited text file becomes a table (text_table.h).  Role local,
 * no partners.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "executor/component.h"
#include "executor/components/text_table.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

struct upload {
	struct task *task;
	struct text_table_options o;
	struct json_object *meta; /* owned; NULL without with_meta */
	int64_t partitions;
	struct text_table *text;
	struct table_writer *writer;
};

/* 0, 1, true and false all mean what they say. */
static int
read_flag(const struct upload *u, const char *name, bool *out)
{
	struct json_object *v = task_param(u->task, name);

	if (v == NULL)
		return 0;
	if (json_object_is_type(v, json_type_boolean)) {
		*out = json_object_get_boolean(v);
		return 0;
	}
	if (!json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) < 0 || json_object_get_int64(v) > 1)
		return err_set(ERR_INVALID, "%s must be 0 or 1", name);
	*out = json_object_get_int64(v) == 1;
	return 0;
}

/* The meta of a data set decides how its lines are cut. */
static int
read_meta(struct upload *u)
{
	struct json_object *v = NULL;

	u->meta = text_table_meta(task_param(u->task, "meta"), u->o.makes_ids);
	(void)json_object_object_get_ex(u->meta, "delimiter", &v);
	if (!json_object_is_type(v, json_type_string))
		return err_set(ERR_INVALID, "meta.delimiter must be a text");
	u->o.meta = u->meta;
	u->o.format.delimiter = json_object_get_string(v);
	u->o.format.delimiter_name = "meta.delimiter";
	return 0;
}

static int
read_parameters(struct upload *u)
{
	bool with_meta = false;
	int r;

	u->o.has_head = true;
	u->o.format.delimiter = task_param_string(u->task, "id_delimiter", ",");
	u->o.format.delimiter_name = "id_delimiter";
	u->o.schema = task_param(u->task, "schema");
	u->partitions = task_param_int(u->task, "partition", 10);
	if ((r = read_flag(u, "head", &u->o.has_head)) != 0 ||
	    (r = read_flag(u, "extend_sid", &u->o.makes_ids)) != 0 ||
	    (r = read_flag(u, "auto_increasing_sid", &u->o.counts_ids)) != 0 ||
	    (r = read_flag(u, "with_meta", &with_meta)) != 0)
		return r;
	if (u->partitions < 1 || u->partitions > STORAGE_PARTITIONS_MAX)
		return err_set(ERR_INVALID,
		    "partition is %" PRId64 ", must be "
		    "1 to %d",
		    u->partitions, STORAGE_PARTITIONS_MAX);
	return with_meta ? read_meta(u) : 0;
}

static int
open_file(struct upload *u)
{
	const char *path = task_input_file(u->task);
	struct stat st;

	if (path[0] == '\0')
		return err_set(ERR_INVALID, "there is no file to upload");
	u->o.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (u->o.fd < 0 || fstat(u->o.fd, &st) != 0)
		return err_set_errno(ERR_IO, "the uploaded file cannot be "
					     "opened");
	if (st.st_size == 0)
		return err_set(ERR_INVALID, "the uploaded file is empty");
	u->o.size = (uint64_t)st.st_size;
	return 0;
}

/* What the owner checks at a glance. */
static void
log_table(struct upload *u, uint64_t rows)
{
	struct buf header = BUF_INIT, names = BUF_INIT;
	size_t n = text_table_columns(u->text, &header);

	if (header.len > 0)
		upload_head_names(&u->o.format, buf_str(&header), &names);
	if (text_table_is_ragged(u->text) && !u->o.has_head)
		task_log(u->task, TASK_INFO, "%" PRIu64 " row%s", rows,
		    rows == 1 ? "" : "s");
	else
		task_log(u->task, TASK_INFO,
		    "%" PRIu64 " row%s, id + %zu column%s%s%s", rows,
		    rows == 1 ? "" : "s", n, n == 1 ? "" : "s",
		    names.len > 0 ? ": " : "", buf_str(&names));
	buf_fini(&header);
	buf_fini(&names);
}

static int
report(struct upload *u, uint64_t rows)
{
	int r;

	log_table(u, rows);
	if ((r = task_metric_named(u->task, "upload", "data_access", "count",
		 (double)rows)) != 0 ||
	    (r = task_metric_meta(u->task, "upload", "data_access", "upload",
		 "UPLOAD", NULL)) != 0)
		return r;
	return task_progress(u->task, u->o.size, u->o.size, "done");
}

static int
upload(struct upload *u)
{
	struct task_output_options options = { 0 };
	uint64_t rows;
	int r;

	if ((r = read_parameters(u)) != 0 || (r = open_file(u)) != 0 ||
	    (r = text_table_open(u->task, &u->o, &u->text)) != 0 ||
	    (r = task_output_create(u->task, 0, &u->writer)) != 0 ||
	    (r = text_table_copy(u->text, u->writer)) != 0)
		return r;
	options.partitions = (uint32_t)u->partitions;
	options.id_delimiter = u->o.format.delimiter;
	options.table_namespace = task_param_string(u->task, "namespace", "");
	options.table_name = task_param_string(
	    u->task, "name", task_param_string(u->task, "table_name", ""));
	if ((r = read_flag(u, "destroy", &options.replace)) != 0)
		return r;
	rows = table_writer_rows(u->writer);
	r = task_output_finish(
	    u->task, 0, u->writer, text_table_schema(u->text), &options);
	u->writer = NULL;
	return r == 0 ? report(u, rows) : r;
}

static int
run(struct task *task)
{
	struct upload u = { .task = task,
		.o = { .what = "uploaded file", .fd = -1 } };
	int r = upload(&u);

	table_writer_free(u.writer);
	text_table_free(u.text);
	fd_close(&u.o.fd);
	json_object_put(u.meta);
	return r;
}

const struct component component_upload = {
	.module = "Upload",
	.roles = "local",
	.run = run,
	.sees_need_run = true,
};
