/*
 * HeteroDataSplit and HomoDataSplit: one table becomes train, validate and
 * test.
 *
 * In a homogeneous federation everyone splits alone.  In a heterogeneous one
 * the guest draws and tells the hosts which rows are where, as lists that
 * only name rows both have; so a host learns of its own rows in which part
 * they are, and nothing else.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/data_split.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

static const char *const list_names[PARTS] = { "id_train", "id_validate",
	"id_test" };

/* --- reading -------------------------------------------------------------------- */

static int
keep_row(void *ctx, const struct row *row)
{
	struct split *s = ctx;
	int r;

	if ((r = row_ids_add(&s->ids, row)) != 0)
		return r;
	return s->has_labels ? labels_add(&s->labels, row) : 0;
}

static int
by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
read_points(struct split *s)
{
	struct json_object *list = task_param(s->task, "split_points"), *v;
	size_t i;

	if (!json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) == 0)
		return 0;
	s->continuous = true;
	s->n_points = json_object_array_length(list);
	if ((s->points = mem_array(s->n_points, sizeof(double))) == NULL)
		return err_code();
	for (i = 0; i < s->n_points; i++) {
		v = json_object_array_get_idx(list, i);
		s->points[i] = v != NULL ? json_object_get_double(v) : NAN;
		if (isnan(s->points[i]))
			return err_set(
			    ERR_INVALID, "split_points must be numbers");
	}
	qsort(s->points, s->n_points, sizeof(double), by_number);
	return 0;
}

/* Bin i holds the labels above point i - 1, up to and with point i. */
static int
bin_labels(struct split *s)
{
	const struct label *l;
	size_t i, bin;

	s->own_classes = mem_array(s->labels.n + 1, sizeof(uint32_t));
	if (s->own_classes == NULL)
		return err_code();
	for (i = 0; i < s->labels.n; i++) {
		l = &s->labels.rows[i];
		if (l->is_text)
			return err_set(ERR_INVALID,
			    "row %zu: the label is a text, split_points need "
			    "numbers",
			    i + 1);
		for (bin = 0; bin < s->n_points && l->number > s->points[bin];)
			bin++;
		s->own_classes[i] = (uint32_t)bin;
	}
	s->class_of = s->own_classes;
	s->n_classes = s->n_points + 1;
	return 0;
}

static int
read_labels(struct split *s)
{
	int r;

	if (s->continuous)
		return bin_labels(s);
	if ((r = labels_group(&s->labels)) != 0)
		return r;
	s->class_of = s->labels.class_of;
	s->n_classes = s->labels.n_distinct;
	return 0;
}

static int
read_table(struct split *s, bool with_labels)
{
	int r;

	s->has_labels = with_labels;
	if (with_labels && (r = read_points(s)) != 0)
		return r;
	if ((r = table_in_each(&s->in, "reading", keep_row, s)) != 0)
		return r;
	return with_labels ? read_labels(s) : 0;
}

/* --- the guest's parts at a host --------------------------------------------------- */

static int
receive_parts(struct split *s)
{
	bool *taken = mem_array(s->ids.n + 1, sizeof(*taken));
	uint32_t *rows = NULL;
	size_t i, at = 0;
	int r = 0;

	s->rows = mem_array(s->ids.n + 1, sizeof(*s->rows));
	if (s->rows == NULL || taken == NULL)
		r = err_code();
	for (i = 0; r == 0 && i < PARTS; i++) {
		r = id_list_receive(s->task, list_names[i], "0", &s->ids, taken,
		    &rows, &s->counts[i]);
		/* Taken rows are distinct: all three lists fit. */
		if (r == 0)
			memcpy(
			    s->rows + at, rows, s->counts[i] * sizeof(*rows));
		at += s->counts[i];
		free(rows);
		rows = NULL;
	}
	free(taken);
	if (r == 0 && at < s->ids.n)
		task_log(s->task, TASK_WARNING,
		    "%zu of %zu rows are in no part: the guest does not have "
		    "them",
		    s->ids.n - at, s->ids.n);
	return r;
}

static int
send_parts(struct split *s)
{
	size_t i, at = 0;
	int r = 0;

	for (i = 0; r == 0 && i < PARTS; at += s->counts[i++])
		r = id_list_send(s->task, list_names[i], "0", &s->ids,
		    s->rows + at, s->counts[i]);
	return r;
}

/* --- output ---------------------------------------------------------------------- */

static int
write_parts(struct split *s)
{
	size_t i, at = 0;
	int r = 0;

	for (i = 0; r == 0 && i < PARTS; at += s->counts[i++])
		r = table_in_copy_rows(&s->in, s->rows + at, s->counts[i], i);
	return r;
}

/* need_run false: all of it is for training. */
static int
pass_through(struct split *s)
{
	int r;

	if ((r = table_in_copy(&s->in, PART_TRAIN)) != 0 ||
	    (r = table_in_copy_rows(&s->in, NULL, 0, PART_VALIDATE)) != 0)
		return r;
	return table_in_copy_rows(&s->in, NULL, 0, PART_TEST);
}

static int
decide(struct split *s, bool is_hetero)
{
	bool follows = is_hetero && task_is(s->task, "host");
	int r;

	s->stratified = task_param_bool(s->task, "stratified", false);
	if (s->stratified && !task_param_bool(s->task, "shuffle", true))
		return err_set(ERR_INVALID,
		    "stratified needs shuffle; set shuffle to true");
	if ((r = read_table(s, s->stratified && !follows)) != 0)
		return r;
	if (follows)
		return receive_parts(s);
	if ((r = split_draw(s)) != 0)
		return r;
	return is_hetero ? send_parts(s) : 0;
}

static int
split(struct split *s, bool is_hetero)
{
	int r;

	if ((r = table_in_open(s->task, task_input(s->task, "data"), &s->in)) !=
	    0)
		return r;
	if (!task_param_bool(s->task, "need_run", true))
		return pass_through(s);
	if ((r = decide(s, is_hetero)) != 0 || (r = write_parts(s)) != 0)
		return r;
	return split_report(s);
}

static int
run_split(struct task *task, bool is_hetero)
{
	struct split s = { .task = task };
	int r = split(&s, is_hetero);

	row_ids_fini(&s.ids);
	labels_fini(&s.labels);
	free(s.points);
	free(s.own_classes);
	free(s.rows);
	table_in_close(&s.in);
	return r;
}

static int
run_hetero(struct task *task)
{
	return run_split(task, true);
}

static int
run_homo(struct task *task)
{
	return run_split(task, false);
}

const struct component component_hetero_data_split = {
	.module = "HeteroDataSplit",
	.roles = "guest host",
	.run = run_hetero,
	.sees_need_run = true,
};

const struct component component_homo_data_split = {
	.module = "HomoDataSplit",
	.roles = "guest host",
	.run = run_homo,
	.sees_need_run = true,
};
