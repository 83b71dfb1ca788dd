/*
 * Upload: a delimited text file becomes a table.  Role local, no partners.
 *
 * The first column is the id (or extend_sid makes one), the rest of the line
 * stays text.  Unlike the platform's classic upload, which overwrote rows of
 * equal id and took lines of any length, both are errors here that name the
 * line: a data set with such lines is not what its owner believes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "executor/component.h"
#include "executor/components/upload_head.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/engine/csv.h"
#include "lib/engine/schema.h"

enum { PROGRESS_LINES = 1 << 16 };

struct upload {
	struct task *task;
	struct upload_format format;
	struct json_object *meta;   /* owned; NULL without with_meta */
	struct json_object *schema; /* owned */
	bool has_head;
	bool makes_ids;
	bool counts_ids; /* by number, not random */
	bool is_ragged;	 /* sparse and tag lines may be */
	int64_t partitions;

	int fd;
	uint64_t file_size;
	struct csv *csv;
	struct table_writer *writer;
	struct buf header;   /* names behind the id's; "" without head */
	size_t columns;	     /* of every line; 0: unknown yet */
	uint64_t blank_line; /* the first one, 0 for none */
	char id_prefix[ID_RANDOM_SIZE];
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

static const struct meta_default {
	const char *key;
	const char *json;
	bool is_label; /* only with with_label */
} meta_defaults[] = {
	{ "delimiter", "\",\"", false },
	{ "input_format", "\"dense\"", false },
	{ "tag_with_value", "false", false },
	{ "tag_value_delimiter", "\":\"", false },
	{ "with_match_id", "false", false },
	{ "id_range", "0", false },
	{ "data_type", "\"float64\"", false },
	{ "with_label", "false", false },
	{ "label_name", "\"y\"", true },
	{ "label_type", "\"int\"", true },
};

static int
read_meta(struct upload *u)
{
	struct json_object *given = task_param(u->task, "meta"), *v;
	bool with_label;
	size_t i;

	u->meta = json_object_new_object();
	if (json_object_is_type(given, json_type_object)) {
		json_object_object_foreach(given, key, value)
		{
			if (value != NULL)
				json_object_object_add(
				    u->meta, key, json_object_get(value));
		}
	}
	with_label = json_object_object_get_ex(u->meta, "with_label", &v) &&
		     json_object_get_boolean(v);
	for (i = 0; i < sizeof(meta_defaults) / sizeof(meta_defaults[0]); i++) {
		const struct meta_default *d = &meta_defaults[i];

		if (d->is_label && !with_label)
			json_object_object_del(u->meta, d->key);
		else if (!json_object_object_get_ex(u->meta, d->key, &v))
			json_object_object_add(
			    u->meta, d->key, json_tokener_parse(d->json));
	}
	if (u->makes_ids)
		json_object_object_add(
		    u->meta, "with_match_id", json_object_new_boolean(true));
	(void)json_object_object_get_ex(u->meta, "delimiter", &v);
	if (!json_object_is_type(v, json_type_string))
		return err_set(ERR_INVALID, "meta.delimiter must be a text");
	u->format.delimiter = json_object_get_string(v);
	u->format.delimiter_name = "meta.delimiter";
	(void)json_object_object_get_ex(u->meta, "input_format", &v);
	u->is_ragged = !str_eq(json_object_get_string(v), "dense");
	return 0;
}

static int
read_parameters(struct upload *u)
{
	bool with_meta = false;
	int r;

	u->has_head = true;
	u->format.delimiter = task_param_string(u->task, "id_delimiter", ",");
	u->format.delimiter_name = "id_delimiter";
	u->partitions = task_param_int(u->task, "partition", 10);
	if ((r = read_flag(u, "head", &u->has_head)) != 0 ||
	    (r = read_flag(u, "extend_sid", &u->makes_ids)) != 0 ||
	    (r = read_flag(u, "auto_increasing_sid", &u->counts_ids)) != 0 ||
	    (r = read_flag(u, "with_meta", &with_meta)) != 0)
		return r;
	if (u->partitions < 1 || u->partitions > STORAGE_PARTITIONS_MAX)
		return err_set(ERR_INVALID,
		    "partition is %" PRId64 ", must be "
		    "1 to %d",
		    u->partitions, STORAGE_PARTITIONS_MAX);
	if (with_meta && (r = read_meta(u)) != 0)
		return r;
	if (!u->counts_ids)
		id_random(u->id_prefix);
	return 0;
}

static int
open_file(struct upload *u)
{
	const char *path = task_input_file(u->task);
	struct csv_options options = { .delimiter = u->format.delimiter };
	struct stat st;

	if (path[0] == '\0')
		return err_set(ERR_INVALID, "there is no file to upload");
	u->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (u->fd < 0 || fstat(u->fd, &st) != 0)
		return err_set_errno(ERR_IO, "the uploaded file cannot be "
					     "opened");
	if (st.st_size == 0)
		return err_set(ERR_INVALID, "the uploaded file is empty");
	u->file_size = (uint64_t)st.st_size;
	return csv_open(u->fd, &options, &u->csv);
}

static void
set_string(struct json_object *o, const char *key, struct span s)
{
	json_object_object_add(
	    o, key, json_object_new_string_len(s.data, (int)s.len));
}

/* Where the id ends and the rest begins; rest is empty without delimiter. */
static void
cut_id(const struct upload *u, struct span line, struct span *id,
    struct span *rest)
{
	size_t n = strlen(u->format.delimiter);
	const char *p = memmem(line.data, line.len, u->format.delimiter, n);

	*id = line;
	*rest = (struct span){ line.data + line.len, 0 };
	if (p == NULL)
		return;
	id->len = (size_t)(p - line.data);
	rest->data = p + n;
	rest->len = line.len - id->len - n;
}

static int
read_head(struct upload *u)
{
	struct span line = { "", 0 }, sid, rest;
	struct buf head = BUF_INIT;
	int r;

	if ((r = csv_line(u->csv, &line)) < 0)
		return r;
	if (span_trim(line).len == 0)
		return err_set(ERR_INVALID,
		    "the first line should name the "
		    "columns (head is 1), but it is empty");
	u->columns = csv_count(u->format.delimiter, line);
	if ((r = upload_head_check(&u->format, line, &head)) != 0)
		goto out;
	line = (struct span){ head.data, head.len };
	cut_id(u, line, &sid, &rest);
	if (u->makes_ids) {
		rest = line;
		sid = (struct span){ "extend_sid", 10 };
	}
	buf_append(&u->header, rest.data, rest.len);
	set_string(u->schema, "header", rest);
	set_string(u->schema, "sid", sid);
out:
	buf_fini(&head);
	return r;
}

static int
make_schema(struct upload *u)
{
	struct json_object *given = task_param(u->task, "schema");
	struct span none = { "", 0 };
	int r;

	u->schema = json_object_new_object();
	set_string(u->schema, "header", none);
	set_string(u->schema, "sid",
	    u->makes_ids ? (struct span){ "extend_sid", 10 } : none);
	if (u->has_head && (r = read_head(u)) != 0)
		return r;
	if (json_object_is_type(given, json_type_object)) {
		json_object_object_foreach(given, key, value)
		{
			json_object_object_add(
			    u->schema, key, json_object_get(value));
		}
	}
	if (u->meta == NULL)
		return 0;
	json_object_object_add(u->schema, "meta", json_object_get(u->meta));
	/* Sparse and tag tables get their names from their values, later. */
	return u->is_ragged ? 0
			    : schema_generate(u->schema, u->format.delimiter);
}

static int
check_columns(struct upload *u, struct span line)
{
	size_t n = csv_count(u->format.delimiter, line);
	uint64_t number = csv_line_number(u->csv);
	bool is_quoted;

	if (u->columns == 0)
		u->columns = n;
	if (n == u->columns || u->is_ragged)
		return 0;
	is_quoted = n > u->columns && memchr(line.data, '"', line.len) != NULL;
	return err_set(ERR_FORMAT,
	    "line %" PRIu64 " (row %" PRIu64 ") has %zu columns, but %s "
	    "has %zu; %s",
	    number, number - u->has_head, n,
	    u->has_head ? "the header" : "the first line", u->columns,
	    is_quoted ? "quotes are not supported: the delimiter may not "
			"stand inside a field"
		      : "all lines must have as many (sparse and tag data: "
			"say so in meta.input_format)");
}

static int
add_line(struct upload *u, struct span line)
{
	struct row row = { .kind = ROW_TEXT };
	char id[ID_RANDOM_SIZE + 24];

	/* One look tells: a writer that quotes does so in its first row. */
	if (table_writer_rows(u->writer) == 0 &&
	    upload_check_quotes(&u->format,
		u->has_head ? "line 2 (row 1)" : "line 1 (row 1)", line) != 0)
		return err_code();
	if (check_columns(u, line) != 0)
		return err_code();
	if (u->makes_ids) {
		(void)snprintf(id, sizeof(id), "%s%" PRIu64, u->id_prefix,
		    table_writer_rows(u->writer));
		row.id = (struct span){ id, strlen(id) };
		row.text = line;
	} else {
		cut_id(u, line, &row.id, &row.text);
	}
	return table_append(u->writer, &row);
}

static int
read_lines(struct upload *u)
{
	struct span line;
	int r;

	while ((r = csv_line(u->csv, &line)) == 1) {
		/* Blank lines are fine behind the last row, nowhere else. */
		if (span_trim(line).len == 0) {
			if (u->blank_line == 0)
				u->blank_line = csv_line_number(u->csv);
			continue;
		}
		if (u->blank_line != 0)
			return err_set(ERR_FORMAT,
			    "line %" PRIu64 " (row %" PRIu64 ") is empty, but "
			    "rows follow; remove the line",
			    u->blank_line, u->blank_line - u->has_head);
		if ((r = add_line(u, line)) != 0)
			return r;
		if (csv_line_number(u->csv) % PROGRESS_LINES == 0 &&
		    (r = task_progress(u->task, csv_bytes(u->csv), u->file_size,
			 "reading")) != 0)
			return r;
	}
	if (r == 0 && table_writer_rows(u->writer) == 0)
		return err_set(ERR_INVALID, "the uploaded file has no rows");
	return r;
}

/* What the owner checks at a glance. */
static void
log_table(struct upload *u, uint64_t rows)
{
	size_t n = u->makes_ids ? u->columns : u->columns - 1;
	struct buf names = BUF_INIT;

	if (u->header.len > 0)
		upload_head_names(&u->format, buf_str(&u->header), &names);
	if (u->is_ragged && !u->has_head)
		task_log(u->task, TASK_INFO, "%" PRIu64 " row%s", rows,
		    rows == 1 ? "" : "s");
	else
		task_log(u->task, TASK_INFO,
		    "%" PRIu64 " row%s, id + %zu column%s%s%s", rows,
		    rows == 1 ? "" : "s", n, n == 1 ? "" : "s",
		    names.len > 0 ? ": " : "", buf_str(&names));
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
	return task_progress(u->task, u->file_size, u->file_size, "done");
}

static int
upload(struct upload *u)
{
	struct task_output_options options = { 0 };
	uint64_t rows;
	int r;

	if ((r = read_parameters(u)) != 0 || (r = open_file(u)) != 0 ||
	    (r = make_schema(u)) != 0 ||
	    (r = task_output_create(u->task, 0, &u->writer)) != 0)
		return r;
	/* Without a header the first row is line 1. */
	table_writer_name_rows(u->writer, "line", u->has_head ? 2 : 1);
	if ((r = read_lines(u)) != 0)
		return r;
	options.partitions = (uint32_t)u->partitions;
	options.id_delimiter = u->format.delimiter;
	options.table_namespace = task_param_string(u->task, "namespace", "");
	options.table_name = task_param_string(
	    u->task, "name", task_param_string(u->task, "table_name", ""));
	if ((r = read_flag(u, "destroy", &options.replace)) != 0)
		return r;
	rows = table_writer_rows(u->writer);
	r = task_output_finish(u->task, 0, u->writer, u->schema, &options);
	u->writer = NULL;
	return r == 0 ? report(u, rows) : r;
}

static int
run(struct task *task)
{
	struct upload u = { .task = task, .fd = -1 };
	int r = upload(&u);

	table_writer_free(u.writer);
	csv_free(u.csv);
	fd_close(&u.fd);
	buf_fini(&u.header);
	json_object_put(u.schema);
	json_object_put(u.meta);
	return r;
}

const struct component component_upload = {
	.module = "Upload",
	.roles = "local",
	.run = run,
};
