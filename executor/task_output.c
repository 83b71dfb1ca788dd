/*
 * Output tables: where they are written, and how they are announced when
 * they are sealed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "executor/task.h"
#include "executor/task_ops.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/engine/render.h"

#define CACHE_FOLDER "cache"

enum { PREVIEW_ROWS = 100, PREVIEW_CELLS = 1 << 20, PARTITIONS = 4 };

static char *
output_path(const struct task *t, size_t i)
{
	return xasprintf("%s/table-%zu", t->setup->output_dir, i);
}

int
task_output_create(struct task *t, size_t i, struct table_writer **out)
{
	char *path = output_path(t, i);
	int r = table_create(&storage_standalone, path, out);

	free(path);
	return r;
}

static int
preview(struct table *table, const char *delimiter, struct json_object **out)
{
	struct json_object *rows = json_object_new_array();
	struct table_cursor *cursor = NULL;
	size_t cells = 0;
	struct row row;
	int r;

	if ((r = table_scan(table, 0, PREVIEW_ROWS, &cursor)) != 0)
		goto out;
	/* Rows of a hundred thousand columns: a few of them are enough. */
	while (cells < PREVIEW_CELLS && (r = cursor_next(cursor, &row)) == 1) {
		json_object_array_add(rows, render_row_json(&row, delimiter));
		cells += row.n_values;
	}
	r = r < 0 ? r : 0;
out:
	cursor_free(cursor);
	if (r != 0) {
		json_object_put(rows);
		rows = NULL;
	}
	*out = rows;
	return r;
}

static int
announce(struct task *t, size_t i, const char *path, const char *delimiter,
    const struct task_output_options *options)
{
	struct json_object *rows = NULL;
	struct table *table = NULL;
	char *folder = xasprintf("table-%zu", i);
	struct task_output o = {
		.index = i,
		.folder = folder,
		.path = path,
		.id_delimiter = delimiter,
		.table_namespace = "",
		.table_name = "",
	};
	int r;

	if ((r = table_open(&storage_standalone, path, &table)) != 0 ||
	    (r = preview(table, delimiter, &rows)) != 0)
		goto out;
	o.data_name =
	    i < t->setup->n_output_data ? t->setup->output_data[i] : "";
	o.schema_json = table_stat(table)->schema_json;
	o.rows = table_stat(table)->rows;
	o.partitions = table_stat(table)->partitions;
	o.preview_json =
	    json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PLAIN);
	if (options != NULL && options->table_name != NULL) {
		o.table_namespace = options->table_namespace;
		o.table_name = options->table_name;
		o.replace = options->replace;
	}
	r = t->ops->output_table(t->ctx, &o);
out:
	table_close(table);
	json_object_put(rows);
	free(folder);
	return r;
}

/* A cache has no preview: its rows are nobody's to see. */
static int
announce_cache(struct task *t, const char *path)
{
	struct table *table = NULL;
	struct task_output o = {
		.folder = CACHE_FOLDER,
		.path = path,
		.data_name = t->setup->output_cache,
		.id_delimiter = ",",
		.preview_json = "[]",
		.table_namespace = "",
		.table_name = "",
		.is_cache = true,
	};
	int r;

	if ((r = table_open(&storage_standalone, path, &table)) != 0)
		return r;
	o.schema_json = table_stat(table)->schema_json;
	o.rows = table_stat(table)->rows;
	o.partitions = table_stat(table)->partitions;
	r = t->ops->output_table(t->ctx, &o);
	table_close(table);
	return r;
}

bool
task_has_cache_output(const struct task *t)
{
	return t->setup->output_cache != NULL &&
	       t->setup->output_cache[0] != '\0';
}

int
task_cache_create(struct task *t, struct table_writer **out)
{
	char *path = xasprintf("%s/%s", t->setup->output_dir, CACHE_FOLDER);
	int r = table_create(&storage_standalone, path, out);

	free(path);
	return r;
}

int
task_cache_finish(
    struct task *t, struct table_writer *w, struct json_object *meta)
{
	char *path = xasprintf("%s/%s", t->setup->output_dir, CACHE_FOLDER);
	int r;

	r = table_seal(
	    w, json_object_to_json_string_ext(meta, JSON_C_TO_STRING_PLAIN), 1);
	if (r == 0 && task_has_cache_output(t))
		r = announce_cache(t, path);
	free(path);
	return r == 0 ? 0 : err_wrap("cache");
}

static uint32_t
partitions_of(const struct task *t, const struct task_output_options *options)
{
	if (options != NULL && options->partitions != 0)
		return options->partitions;
	if (t->setup->n_inputs > 0 && t->setup->inputs[0].partitions > 0)
		return t->setup->inputs[0].partitions;
	return PARTITIONS;
}

int
task_output_finish(struct task *t, size_t i, struct table_writer *w,
    struct json_object *schema, const struct task_output_options *options)
{
	char *path = output_path(t, i);
	const char *delimiter = options != NULL && options->id_delimiter != NULL
				    ? options->id_delimiter
				    : ",";
	bool is_wanted = i < t->setup->n_output_data ||
			 (options != NULL && options->table_name != NULL);
	int r;

	if (!is_wanted) {
		table_writer_free(w);
		free(path);
		return 0;
	}
	r = table_seal(w,
	    json_object_to_json_string_ext(schema, JSON_C_TO_STRING_PLAIN),
	    partitions_of(t, options));
	if (r == 0)
		r = announce(t, i, path, delimiter, options);
	free(path);
	/* Two equal ids are told by their rows, which are what people know. */
	return r == 0 || r == ERR_EXISTS ? r : err_wrap("output table %zu", i);
}

int
task_output_open(struct task *t, size_t i, struct table **out)
{
	char *path = output_path(t, i);
	int r = table_open(&storage_standalone, path, out);

	free(path);
	return r;
}

#define OUTPUT_FILE "file.csv"

int
task_output_file_create(struct task *t, int *fd)
{
	char *path = xasprintf("%s/" OUTPUT_FILE, t->setup->output_dir);

	*fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	free(path);
	return *fd >= 0 ? 0 : err_set_errno(ERR_IO, "output file");
}

int
task_output_file_finish(struct task *t, uint64_t rows, const char *delimiter)
{
	return t->ops->output_file(t->ctx, OUTPUT_FILE, rows, delimiter);
}
