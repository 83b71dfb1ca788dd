/*
 * CacheLoader: the cache of an earlier job becomes one of this job.  Which
 * one, the shepherd has found by the parameters; here it is handed on.
 */
#include <json-c/json.h>

#include "executor/component.h"
#include "lib/base/err.h"

static int
copy(struct table *from, struct table_writer *to)
{
	struct table_cursor *cursor;
	struct row row;
	int r;

	if ((r = table_scan(from, 0, UINT64_MAX, &cursor)) != 0)
		return r;
	while ((r = cursor_next(cursor, &row)) == 1)
		if ((r = table_append(to, &row)) != 0)
			break;
	cursor_free(cursor);
	return r;
}

static int
run(struct task *t)
{
	const struct task_input *in = task_input(t, "cache");
	struct table_writer *w = NULL;
	struct json_object *meta;
	struct table *table;
	int r;

	if (in == NULL)
		return err_set(ERR_INVALID, "there is no cache to load");
	if ((r = task_open_table(t, in, &table)) != 0)
		return r;
	meta = json_tokener_parse(table_stat(table)->schema_json);
	if ((r = task_cache_create(t, &w)) == 0) {
		if ((r = copy(table, w)) == 0)
			r = task_cache_finish(t, w, meta);
		else
			table_writer_free(w);
	}
	json_object_put(meta);
	table_close(table);
	return r;
}

const struct component component_cache_loader = {
	.module = "CacheLoader",
	.roles = "guest host",
	.run = run,
};
