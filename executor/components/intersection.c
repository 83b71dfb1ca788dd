/*
 * The component Intersection: parameters, the protocol with each host, the
 * aligned table, metrics and summary.  The protocol is intersection_psi.c.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "executor/component.h"
#include "executor/components/intersection_psi.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"

struct intersection {
	struct task *task;
	struct table *table;
	struct parallel *pool;
	struct psi_conf conf;
	const char *join_method;
	bool only_key;
	const struct task_input *input;

	uint32_t *rows; /* in common, in the guest's order */
	uint64_t common;
	bool known; /* whether we know common */
};

/* --- parameters --------------------------------------------------------------- */

/*
 * Every private method answers the same question; this one answers it over
 * an elliptic curve whichever was asked for.  raw would hand one party's ids
 * to the other.
 */
static int
check_method(struct task *t, const char *path)
{
	const char *m = task_param_string(t, path, "ecdh");

	if (strcasecmp(m, "ecdh") == 0)
		return 0;
	if (strcasecmp(m, "rsa") != 0 && strcasecmp(m, "dh") != 0)
		return err_set(ERR_UNSUPPORTED,
		    "%s %s is not available; ecdh "
		    "is, and rsa and dh are served by it",
		    path, m);
	task_log(t, TASK_WARNING,
	    "%s %s: ecdh over ristretto255 is used, "
	    "with the same result",
	    path, m);
	return 0;
}

static int
check_parameters(struct intersection *x)
{
	static const char *const off[] = { "run_cache", "run_preprocess",
		"new_sample_id", "rsa_params.split_calculation" };
	struct task *t = x->task;
	size_t i;

	for (i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		if (task_param_bool(t, off[i], false))
			return err_set(ERR_UNSUPPORTED,
			    "%s is not available; "
			    "set it to false",
			    off[i]);
	if (strcasecmp(x->join_method, "inner_join") != 0)
		return err_set(ERR_UNSUPPORTED,
		    "join_method %s is not "
		    "available; inner_join is",
		    x->join_method);
	if (x->conf.cardinality_only && task_role_size(t, "host") > 1)
		return err_set(ERR_UNSUPPORTED, "cardinality_only works with "
						"one host");
	return check_method(t, x->conf.cardinality_only ? "cardinality_method"
							: "intersect_method");
}

static int
read_parameters(struct intersection *x)
{
	struct task *t = x->task;

	x->conf = (struct psi_conf){ .salt = task_param_string(
					 t, "ecdh_params.salt", ""),
		.sync_ids = task_param_bool(t, "sync_intersect_ids", true),
		.cardinality_only =
		    task_param_bool(t, "cardinality_only", false),
		.sync_cardinality =
		    task_param_bool(t, "sync_cardinality", false) };
	x->join_method = task_param_string(t, "join_method", "inner_join");
	x->only_key = task_param_bool(t, "only_output_key", false);
	return check_parameters(x);
}

/* --- the guest with all hosts -------------------------------------------------- */

/* places[h][row]: what row is in the list of host h. */
static int
tell_hosts(struct intersection *x, uint32_t *const *places, size_t hosts)
{
	uint32_t *told;
	uint64_t i;
	size_t h;
	int r = 0;

	if ((told = mem_array(x->common + 1, sizeof(*told))) == NULL)
		return err_code();
	for (h = 0; h < hosts && r == 0; h++) {
		for (i = 0; i < x->common; i++)
			told[i] = places[h][x->rows[i]];
		r = psi_guest_tell(x->task, &x->conf, h, told, x->common);
	}
	free(told);
	return r;
}

/* The rows that every host has. */
static int
collect_common(struct intersection *x, uint32_t *const *places, size_t hosts)
{
	uint64_t i, n = table_count(x->table);
	size_t h;

	if ((x->rows = mem_array(n + 1, sizeof(*x->rows))) == NULL)
		return err_code();
	for (i = 0; i < n; i++) {
		for (h = 0; h < hosts; h++)
			if (places[h][i] == PSI_NO_MATCH)
				break;
		if (h == hosts)
			x->rows[x->common++] = (uint32_t)i;
	}
	return x->conf.sync_ids ? tell_hosts(x, places, hosts) : 0;
}

static int
run_guest(struct intersection *x)
{
	size_t h, hosts = task_role_size(x->task, "host");
	uint32_t **places = xcalloc(hosts + 1, sizeof(*places));
	uint64_t n = table_count(x->table), common = 0;
	int r = 0;

	x->known = true;
	for (h = 0; h < hosts && r == 0; h++) {
		places[h] = mem_array(n + 1, sizeof(**places));
		r = places[h] == NULL ? err_code()
				      : psi_guest(x->task, x->table, x->pool,
					    &x->conf, h, places[h], &common);
	}
	if (r == 0 && !x->conf.cardinality_only)
		r = collect_common(x, places, hosts);
	else if (r == 0) {
		x->common = common;
		if (x->conf.sync_cardinality)
			r = psi_guest_tell_count(x->task, &x->conf, 0, common);
	}
	for (h = 0; h < hosts; h++)
		free(places[h]);
	free(places);
	return r;
}

/* --- the output ------------------------------------------------------------------ */

static int
copy_row(struct intersection *x, struct table_writer *w, uint64_t number)
{
	struct table_cursor *cur;
	struct row row;
	int r;

	if ((r = table_scan(x->table, number, number + 1, &cur)) != 0)
		return r;
	if ((r = cursor_next(cur, &row)) == 1) {
		if (x->only_key) {
			row.flags = 0;
			row.n_values = 0;
			row.text.len = 0;
		}
		r = table_append(w, &row);
	} else if (r == 0)
		r = err_set(ERR_FORMAT, "row %llu is missing",
		    (unsigned long long)number + 1);
	cursor_free(cur);
	return r;
}

/* Without values there are no columns to describe. */
static void
drop_columns(struct json_object *schema)
{
	json_object_object_del(schema, "label_name");
	json_object_object_del(schema, "anonymous_label");
	json_object_object_del(schema, "anonymous_header");
	json_object_object_del(schema, "original_index_info");
	json_add(schema, "header",
	    json_is_array(json_get(schema, "header"))
		? json_object_new_array()
		: json_object_new_string(""));
}

static int
write_output(struct intersection *x)
{
	struct task_output_options opt = { .id_delimiter =
					       x->input->id_delimiter };
	struct json_object *schema = NULL;
	struct table_writer *w;
	uint64_t i, n = x->rows == NULL ? 0 : x->common;
	int r;

	if ((r = json_parse_text(table_stat(x->table)->schema_json, &schema)) !=
	    0)
		return r;
	if (x->only_key)
		drop_columns(schema);
	if ((r = task_output_create(x->task, 0, &w)) != 0)
		goto out;
	for (i = 0; i < n && r == 0; i++)
		r = copy_row(x, w, x->rows[i]);
	if (r == 0)
		r = task_output_finish(x->task, 0, w, schema, &opt);
	else
		table_writer_free(w);
out:
	json_object_put(schema);
	return r;
}

/* --- what people see -------------------------------------------------------------- */

static int
log_metrics(struct intersection *x)
{
	double n = (double)table_count(x->table);
	double c = x->known ? (double)x->common : -1;
	double rate = !x->known ? -1 : n > 0 ? c / n : 0;
	struct metric_point p[] = {
		{ .key_text = "intersect_count", .value = c },
		{ .key_text = "input_match_id_count", .value = n },
		{ .key_text = "intersect_rate", .value = rate },
		{ .key_text = "unmatched_count",
		    .value = x->known ? n - c : -1 },
		{ .key_text = "unmatched_rate",
		    .value = x->known ? 1 - rate : -1 },
	};
	struct json_object *o = json_object_new_object();
	int r;

	json_add_str(o, "intersect_method", "ecdh");
	json_add_str(o, "join_method", x->join_method);
	if ((r = task_metric_points(x->task, "train", "intersection", p,
		 sizeof(p) / sizeof(p[0]))) == 0)
		r = task_metric_meta(x->task, "train", "intersection",
		    "intersection", "INTERSECTION", o);
	json_object_put(o);
	if (r != 0)
		return r;
	o = json_object_new_object();
	json_add_int(o, "intersect_num", (int64_t)c);
	json_add(o, "intersect_rate", json_double(rate));
	json_add_bool(o, "cardinality_only", x->conf.cardinality_only);
	json_add_int(o, "unique_id_num", (int64_t)n);
	r = task_summary(x->task, o);
	json_object_put(o);
	return r;
}

static int
run_member(struct intersection *x)
{
	int r;

	if (task_is(x->task, "guest"))
		r = run_guest(x);
	else
		r = psi_host(x->task, x->table, x->pool, &x->conf, &x->rows,
		    &x->common, &x->known);
	if (r != 0)
		return r;
	if (x->known)
		task_log(x->task, TASK_INFO, "%llu of %llu ids are common",
		    (unsigned long long)x->common,
		    (unsigned long long)table_count(x->table));
	if ((r = write_output(x)) != 0)
		return r;
	return log_metrics(x);
}

static int
run(struct task *t)
{
	struct intersection x = { .task = t };
	int r;

	if ((x.input = task_input(t, "data")) == NULL)
		return err_set(ERR_INVALID, "Intersection needs an input "
					    "under data");
	if ((r = read_parameters(&x)) != 0 ||
	    (r = task_open_table(t, x.input, &x.table)) != 0)
		return r;
	x.pool = parallel_new(task_cores(t));
	r = run_member(&x);
	parallel_free(x.pool);
	table_close(x.table);
	free(x.rows);
	return r;
}

const struct component component_intersection = { "Intersection", "guest host",
	run };
