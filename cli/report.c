/*
 * The report's content, from answers of the client API.  Drawing it is
 * cli/report_print.c.
 */
#include "cli/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/str.h"

void
report_init(struct report *r)
{
	memset(r, 0, sizeof(*r));
	r->intersect_count = -1;
	r->auc = r->ks = r->accuracy = REPORT_NONE;
}

void
report_fini(struct report *r)
{
	size_t i;

	for (i = 0; i < r->n_tasks; i++) {
		free(r->tasks[i].component);
		free(r->tasks[i].module);
		free(r->tasks[i].role);
		free(r->tasks[i].party_id);
		free(r->tasks[i].status);
		free(r->tasks[i].error);
	}
	free(r->tasks);
	free(r->loss);
	free(r->job_id);
	free(r->status);
	free(r->reason);
	report_init(r);
}

static void
replace(char **where, const char *text)
{
	free(*where);
	*where = xstrdup(text);
}

void
report_add_job(struct report *r, struct json_object *row)
{
	replace(&r->job_id, json_get_str(row, "f_job_id", ""));
	replace(&r->status, json_get_str(row, "f_status", "unknown"));
	replace(&r->reason, json_get_str(row, "f_reason", ""));
	r->is_predict = str_eq(
	    json_get_str(json_get(json_get(json_get(row, "f_runtime_conf"),
				      "job_parameters"),
			     "common"),
		"job_type", ""),
	    "predict");
	r->start_ms = json_get_int(row, "f_start_time", 0);
	r->end_ms = json_get_int(row, "f_end_time", 0);
	if (r->start_ms == 0)
		r->start_ms = json_get_int(row, "f_create_time", 0);
}

void
report_add_tasks(struct report *r, struct json_object *rows)
{
	size_t n = json_is_array(rows) ? json_object_array_length(rows) : 0;
	size_t i;

	r->tasks = xrealloc(r->tasks, (r->n_tasks + n) * sizeof(*r->tasks));
	for (i = 0; i < n; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		struct report_task *t = &r->tasks[r->n_tasks++];

		t->component =
		    xstrdup(json_get_str(row, "f_component_name", ""));
		t->module =
		    xstrdup(json_get_str(row, "f_component_module", ""));
		t->role = xstrdup(json_get_str(row, "f_role", ""));
		t->party_id = xstrdup(json_get_str(row, "f_party_id", ""));
		t->status = xstrdup(json_get_str(row, "f_party_status", ""));
		t->error = xstrdup(json_get_str(row, "f_error_report", ""));
		t->start_ms = json_get_int(row, "f_start_time", 0);
		t->end_ms = json_get_int(row, "f_end_time", 0);
	}
}

/* The y of a point whose x is the given text; REPORT_NONE if none. */
static double
point_named(struct json_object *series, const char *key)
{
	struct json_object *data = json_get(series, "data");
	size_t i, n;

	n = json_is_array(data) ? json_object_array_length(data) : 0;
	for (i = 0; i < n; i++) {
		struct json_object *p = json_object_array_get_idx(data, i);
		struct json_object *x = json_object_array_get_idx(p, 0);

		if (json_is_string(x) && str_eq(json_object_get_string(x), key))
			return json_object_get_double(
			    json_object_array_get_idx(p, 1));
	}
	return REPORT_NONE;
}

static void
take_loss(struct report *r, struct json_object *series)
{
	struct json_object *data = json_get(series, "data");
	size_t i, n;

	n = json_is_array(data) ? json_object_array_length(data) : 0;
	if (n <= r->n_loss)
		return;
	r->loss = xrealloc(r->loss, n * sizeof(*r->loss));
	r->n_loss = n;
	for (i = 0; i < n; i++) /* sorted by iteration */
		r->loss[i] = json_object_get_double(json_object_array_get_idx(
		    json_object_array_get_idx(data, i), 1));
}

static double
at(struct json_object *array, size_t i)
{
	return json_object_get_double(json_object_array_get_idx(array, i));
}

static void
take_confusion(struct report *r, struct json_object *meta)
{
	static const char *const names[] = { "tp", "tn", "fp", "fn" };
	struct json_object *thresholds = json_get(meta, "thresholds");
	size_t i, j, n;

	n = json_is_array(thresholds) ? json_object_array_length(thresholds)
				      : 0;
	for (i = 0; i < n; i++) {
		double count[4], all = 0;

		if (fabs(at(thresholds, i) - 0.5) > 1e-9)
			continue;
		for (j = 0; j < 4; j++) {
			struct json_object *a = json_get(meta, names[j]);

			if (!json_is_array(a) ||
			    json_object_array_length(a) != n)
				return;
			count[j] = at(a, i);
			all += count[j];
		}
		if (all > 0)
			r->accuracy = (count[0] + count[1]) / all;
	}
}

static void
take_series(struct report *r, struct json_object *series)
{
	struct json_object *meta = json_get(series, "meta");
	const char *type = json_get_str(meta, "metric_type", "");
	double v;

	if (strcmp(type, "LOSS") == 0)
		take_loss(r, series);
	if (strcmp(type, "INTERSECTION") == 0 &&
	    (v = point_named(series, "intersect_count")) >= 0)
		r->intersect_count = (int64_t)v;
	if (strcmp(type, "CONFUSION_MAT") == 0)
		take_confusion(r, meta);
	if (strcmp(type, "EVALUATION_SUMMARY") == 0) {
		if ((v = point_named(series, "auc")) != REPORT_NONE)
			r->auc = v;
		if ((v = point_named(series, "ks")) != REPORT_NONE)
			r->ks = v;
	}
}

void
report_add_metrics(struct report *r, struct json_object *metrics)
{
	if (!json_is_object(metrics))
		return;
	json_object_object_foreach(metrics, space, all)
	{
		(void)space;
		if (!json_is_object(all))
			continue;
		json_object_object_foreach(all, name, series)
		{
			(void)name;
			take_series(r, series);
		}
	}
}

static int64_t
first_start(const struct report *r, const char *component)
{
	int64_t first = INT64_MAX;
	size_t i;

	for (i = 0; i < r->n_tasks; i++)
		if (str_eq(r->tasks[i].component, component) &&
		    r->tasks[i].start_ms > 0 && r->tasks[i].start_ms < first)
			first = r->tasks[i].start_ms;
	return first;
}

static int
role_rank(const char *role)
{
	static const char *const order[] = { "guest", "host", "arbiter" };
	int i;

	for (i = 0; i < 3; i++)
		if (strcmp(role, order[i]) == 0)
			return i;
	return 3;
}

static int
compare_tasks(const void *left, const void *right, void *report)
{
	const struct report_task *a = left, *b = right;
	int64_t x, y;
	int c;

	x = first_start(report, a->component);
	y = first_start(report, b->component);
	if (x != y)
		return x < y ? -1 : 1;
	if ((c = strcmp(a->component, b->component)) != 0)
		return c;
	if ((c = role_rank(a->role) - role_rank(b->role)) != 0)
		return c;
	return strcmp(a->party_id, b->party_id);
}

void
report_sort(struct report *r)
{
	if (r->n_tasks > 1)
		qsort_r(
		    r->tasks, r->n_tasks, sizeof(*r->tasks), compare_tasks, r);
}

static double
seconds(int64_t from_ms, int64_t to_ms)
{
	return from_ms > 0 && to_ms > from_ms ? (double)(to_ms - from_ms) / 1000
					      : 0;
}

static void
add_score(struct json_object *o, const char *name, double v)
{
	json_add(o, name, v == REPORT_NONE ? NULL : json_double(v));
}

struct json_object *
report_json(const struct report *r)
{
	struct json_object *o = json_object_new_object();
	struct json_object *loss = json_object_new_array();
	struct json_object *tasks = json_object_new_array();
	size_t i;

	for (i = 0; i < r->n_loss; i++)
		json_object_array_add(loss, json_double(r->loss[i]));
	for (i = 0; i < r->n_tasks; i++) {
		const struct report_task *t = &r->tasks[i];
		struct json_object *e = json_object_new_object();

		json_add_str(e, "component", t->component);
		json_add_str(e, "module", t->module);
		json_add_str(e, "role", t->role);
		json_add_str(e, "party_id", t->party_id);
		json_add_str(e, "status", t->status);
		json_add_int(e, "start", t->start_ms);
		json_add_int(e, "end", t->end_ms);
		json_add(
		    e, "seconds", json_double(seconds(t->start_ms, t->end_ms)));
		json_object_array_add(tasks, e);
	}
	json_add_str(o, "job_id", r->job_id);
	json_add_str(o, "status", r->status);
	add_score(o, "auc", r->auc);
	add_score(o, "ks", r->ks);
	add_score(o, "accuracy", r->accuracy);
	json_add(o, "loss", loss);
	json_add_int(o, "intersect_count", r->intersect_count);
	json_add(o, "tasks", tasks);
	json_add(o, "seconds", json_double(seconds(r->start_ms, r->end_ms)));
	return o;
}
