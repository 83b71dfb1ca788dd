/*
 * Tables that tasks put out: which, their first rows, all of them as CSV.
 */
#include <string.h>

#include "fcgi-app/app.h"
#include "fcgi-app/archive.h"
#include "fcgi-app/route.h"
#include "fcgi-app/table_files.h"
#include "fcgi-app/tracked.h"
#include "fcgi-app/turns.h"
#include "fcgi-app/view.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_table.h"
#include "lib/engine/render.h"

/* An output with its table. */
struct output {
	const struct db_output *row;
	struct db_table *table;
};

/*
 * The outputs of the newest version that has any, with their tables; a table
 * that was dropped since is left out.
 */
static int
read_outputs(struct request *req, const struct tracked *t, struct output **out,
    size_t *n)
{
	struct db_output *rows;
	size_t i, rows_n;
	int r;

	*n = 0;
	if ((r = db_output_newest(req->app->db, req->arena, t->job_id,
		 t->component, t->role, t->party_id, NULL, &rows, &rows_n)) !=
	    0)
		return r;
	*out = arena_alloc(req->arena, (rows_n + 1) * sizeof(**out));
	for (i = 0; i < rows_n; i++) {
		r = db_table_get(req->app->db, req->arena,
		    rows[i].table_namespace, rows[i].name, &(*out)[*n].table);
		if (r == ERR_NOT_FOUND)
			continue;
		if (r != 0)
			return r;
		(*out)[(*n)++].row = &rows[i];
	}
	err_clear();
	return 0;
}

/* --- tables and first rows ------------------------------------------------------ */

int
api_output_table(struct request *req, struct reply *rp)
{
	struct json_object *list, *o;
	struct db_output *rows;
	struct tracked t;
	size_t i, n;
	int r;

	if ((r = request_require(req, "job_id,role,party_id,component_name")) !=
		0 ||
	    (r = tracked_find(req, &t)) != 0 ||
	    (r = db_output_newest(req->app->db, req->arena, t.job_id,
		 t.component, t.role, t.party_id, NULL, &rows, &n)) != 0)
		return r;
	if (n == 0)
		return reply_fault(rp, 100, "no output table of %s here; %s",
		    t.component, tracked_no_data(req, &t));
	list = json_object_new_array();
	for (i = 0; i < n; i++) {
		o = json_object_new_object();
		json_add_str(o, "table_name", rows[i].name);
		json_add_str(o, "table_namespace", rows[i].table_namespace);
		json_add_str(o, "data_name", rows[i].data_name);
		json_object_array_add(list, o);
	}
	return reply_data(rp, list);
}

static struct json_object *
preview_rows(const struct db_table *t)
{
	struct json_object *o = NULL;

	if (t->preview == NULL || json_parse_text(t->preview, &o) != 0 ||
	    !json_is_array(o)) {
		json_object_put(o);
		o = json_object_new_array();
	}
	return o;
}

static struct json_object *
columns(const struct db_table *t)
{
	struct json_object *schema = view_document(t->schema_json), *o;

	o = json_get_bool(schema, "is_display", true)
		? render_columns(schema, t->id_delimiter)
		: json_object_new_array();
	json_object_put(schema);
	return o;
}

static void
add_outputs(struct reply *rp, const struct output *outs, size_t n)
{
	struct json_object *data = json_object_new_array();
	struct json_object *headers = json_object_new_array();
	struct json_object *totals = json_object_new_array();
	struct json_object *names = json_object_new_array();
	size_t i;

	for (i = 0; i < n; i++) {
		json_object_array_add(data, preview_rows(outs[i].table));
		json_object_array_add(headers, columns(outs[i].table));
		json_object_array_add(
		    totals, json_object_new_int64(outs[i].table->row_count));
		json_object_array_add(
		    names, json_object_new_string(outs[i].row->data_name));
	}
	rp->meta = json_object_new_object();
	json_add(rp->meta, "header", headers);
	json_add(rp->meta, "total", totals);
	json_add(rp->meta, "names", names);
	reply_data(rp, data);
}

int
api_output_data(struct request *req, struct reply *rp)
{
	struct output *outs;
	const char *why;
	struct tracked t;
	size_t n;
	int r;

	if ((r = request_require(req, "job_id,component_name,role,party_id")) !=
		0 ||
	    (r = tracked_find(req, &t)) != 0 ||
	    (r = read_outputs(req, &t, &outs, &n)) != 0)
		return r;
	if (n == 0 && !str_eq(why = tracked_no_data(req, &t), "no data"))
		return reply_fault(rp, 100, "%s", why);
	if (n == 0) {
		reply_message(rp, "no data");
		return reply_data(rp, json_object_new_array());
	}
	add_outputs(rp, outs, n);
	return 0;
}

/* --- download ------------------------------------------------------------------------ */

static int
add_output(struct request *req, struct archive_out *a, const struct output *out,
    int64_t limit)
{
	const struct table_files_options options = {
		.name = out->row->data_name,
		.head = request_flag(req, "head", true),
		.limit = limit,
	};

	return table_files_add(req, a, out->table, &options);
}

static int
send_outputs(struct request *req, struct reply *rp, const struct tracked *t,
    const struct output *outs, size_t n, int64_t limit)
{
	struct archive_out *a = NULL;
	size_t i;
	int r;

	if ((r = archive_begin(rp,
		 arena_printf(req->arena, "job_%s_%s_%s_%s_output_data.tar.gz",
		     t->job_id, t->component, t->role, t->party_id),
		 &a)) != 0)
		return r;
	for (i = 0; i < n && r == 0; i++)
		r = add_output(req, a, &outs[i], limit);
	if (r == 0) {
		r = archive_end(a);
		a = NULL;
	}
	archive_abort(a);
	return r;
}

int
api_output_download(struct request *req, struct reply *rp)
{
	struct output *outs;
	struct tracked t;
	int64_t limit;
	size_t n;
	int r;

	/* Clients look at the HTTP status before they unpack. */
	if (request_require(req, "job_id,component_name,role,party_id") != 0 ||
	    request_int(req, "limit", -1, INT64_MAX, -1, &limit) != 0)
		return reply_status(rp, 210, "%s", err_text());
	if ((r = tracked_find(req, &t)) != 0)
		return r;
	if (!str_is_job_id(t.job_id) || !str_is_name(t.component, 100) ||
	    !str_is_name(t.role, 20) || !str_is_party_id(t.party_id))
		return reply_status(rp, 210, "no such task");
	if ((r = read_outputs(req, &t, &outs, &n)) != 0)
		return r;
	if (n == 0 || limit == 0)
		return reply_status(rp, 210, "no output of %s here; %s",
		    t.component, tracked_no_data(req, &t));
	if ((r = turns_take(req->app->downloads)) == ERR_BUSY)
		return reply_busy(rp);
	if (r != 0)
		return r;
	r = send_outputs(req, rp, &t, outs, n, limit);
	turns_give(req->app->downloads);
	return r;
}
