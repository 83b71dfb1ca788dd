/*
 * FederatedSample: fewer rows, or the same rows several times.
 *
 * In a heterogeneous federation the guest draws and the hosts follow its
 * list of common rows; in a homogeneous one everyone draws alone.  Rows that
 * were drawn with replacement get new ids, 0, 1, …, alike at all parties.
 */
#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "executor/component.h"
#include "executor/components/id_list.h"
#include "executor/components/labels.h"
#include "executor/components/table_in.h"
#include "executor/math/sampling.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

struct stratum {
	char *name; /* the label as people write it */
	double rate;
	size_t class; /* SIZE_MAX: no row has it */
	size_t before;
	size_t after;
};

struct sample {
	struct task *task;
	struct table_in in;
	bool is_up;	    /* with replacement */
	bool is_stratified; /* and we know the labels */
	bool follows;	    /* the guest's list */
	double rate;	    /* mode random */

	struct row_ids ids;
	struct labels labels;
	struct stratum *strata;
	size_t n_strata;

	uint32_t *rows;
	size_t n;
	struct table_writer *writer;
};

/* --- parameters ------------------------------------------------------------------ */

static int
check_rate(const struct sample *s, const char *of, double rate)
{
	if (s->is_up ? rate > 0 && isfinite(rate) : rate >= 0 && rate <= 1)
		return 0;
	return err_set(ERR_INVALID, "fractions%s is %g, must be %s", of, rate,
	    s->is_up ? "above 0 to upsample" : "between 0 and 1 to downsample");
}

static int
read_stratum(struct sample *s, struct json_object *pair)
{
	struct json_object *label, *rate;
	struct stratum *x = &s->strata[s->n_strata];
	char *of;
	size_t i;
	int r;

	label = json_is_array(pair) ? json_object_array_get_idx(pair, 0) : NULL;
	rate = json_is_array(pair) ? json_object_array_get_idx(pair, 1) : NULL;
	if (label == NULL || rate == NULL ||
	    json_object_array_length(pair) != 2 ||
	    (!json_object_is_type(rate, json_type_double) &&
		!json_object_is_type(rate, json_type_int)))
		return err_set(ERR_INVALID,
		    "fractions has %s, must be pairs of a label and its rate",
		    json_object_to_json_string(pair));
	x->name = xstrdup(json_object_get_string(label));
	x->rate = json_object_get_double(rate);
	s->n_strata++;
	for (i = 0; i + 1 < s->n_strata; i++)
		if (str_eq(s->strata[i].name, x->name))
			return err_set(ERR_INVALID,
			    "fractions has label %s twice", x->name);
	of = xasprintf(" of label %s", x->name);
	r = check_rate(s, of, x->rate);
	free(of);
	return r;
}

static int
read_strata(struct sample *s, struct json_object *list)
{
	size_t i;
	int r = 0;

	if (!json_is_array(list))
		return err_set(ERR_INVALID,
		    "fractions is %s; mode stratified needs a list of a rate "
		    "for each label, like [[0, 0.5], [1, 1.0]]",
		    json_object_to_json_string(list));
	s->strata =
	    mem_array(json_object_array_length(list) + 1, sizeof(*s->strata));
	if (s->strata == NULL)
		return err_code();
	for (i = 0; r == 0 && i < json_object_array_length(list); i++)
		r = read_stratum(s, json_object_array_get_idx(list, i));
	return r;
}

static int
read_parameters(struct sample *s)
{
	struct json_object *v = task_param(s->task, "fractions");
	bool by_label =
	    str_eq(task_param_string(s->task, "mode", "random"), "stratified");

	s->is_up = str_eq(
	    task_param_string(s->task, "method", "downsample"), "upsample");
	s->follows = str_eq(task_param_string(s->task, "task_type", "hetero"),
			 "hetero") &&
		     task_is(s->task, "host");
	s->is_stratified = by_label && !s->follows;
	if (s->follows && v == NULL)
		return 0;
	if (by_label)
		return read_strata(s, v);
	if (!json_object_is_type(v, json_type_double) &&
	    !json_object_is_type(v, json_type_int))
		return err_set(ERR_INVALID,
		    "fractions is %s; mode random needs a number",
		    json_object_to_json_string(v));
	s->rate = json_object_get_double(v);
	return check_rate(s, "", s->rate);
}

/* --- the draw -------------------------------------------------------------------- */

static void
seed(const struct sample *s, struct rng *g)
{
	struct json_object *v = task_param(s->task, "random_state");

	rng_seed(g, v != NULL ? (uint32_t)json_object_get_int64(v)
			      : randombytes_random());
}

/* How many of n rows a rate asks for; ERR_LIMIT. */
static int
drawn(const struct sample *s, double rate, size_t n, size_t *out)
{
	double want = floor(rate * (double)n);

	*out = 0;
	if (n == 0)
		return 0;
	if (want > ID_LIST_MAX)
		return err_set(ERR_LIMIT,
		    "fractions %g of %zu rows are too many, at most %u", rate,
		    n, ID_LIST_MAX);
	*out = (size_t)want;
	if (!s->is_up && *out == 0)
		*out = 1;
	return 0;
}

static int
grow(struct sample *s, size_t more)
{
	uint32_t *rows;

	if (s->n + more > ID_LIST_MAX)
		return err_set(ERR_LIMIT,
		    "a sample of %zu rows is too large, at most %u",
		    s->n + more, ID_LIST_MAX);
	rows = reallocarray(s->rows, s->n + more + 1, sizeof(*rows));
	if (rows == NULL)
		return err_set(ERR_NOMEM, "%zu rows", s->n + more);
	s->rows = rows;
	return 0;
}

/* Draw from n rows; they are changed. */
static int
draw(struct sample *s, uint32_t *from, size_t n, size_t count)
{
	struct rng g;
	size_t i;
	int r;

	if ((r = grow(s, count)) != 0)
		return r;
	seed(s, &g);
	if (!s->is_up)
		sampling_shuffle(&g, from, n);
	for (i = 0; i < count; i++)
		s->rows[s->n++] =
		    from[s->is_up ? sampling_below(&g, (uint32_t)n - 1) : i];
	return 0;
}

static int
draw_random(struct sample *s)
{
	uint32_t *from = mem_array(s->ids.n + 1, sizeof(*from));
	size_t i, count;
	int r;

	if (from == NULL)
		return err_code();
	for (i = 0; i < s->ids.n; i++)
		from[i] = (uint32_t)i;
	if ((r = drawn(s, s->rate, s->ids.n, &count)) == 0 && count > 0)
		r = draw(s, from, s->ids.n, count);
	free(from);
	return r;
}

/* Every label needs a rate: rows are not lost by an oversight. */
static int
match_strata(struct sample *s)
{
	bool *has_rate = mem_array(s->labels.n_distinct + 1, sizeof(bool));
	struct buf text = BUF_INIT;
	size_t i;
	int r = 0;

	if (has_rate == NULL)
		return err_code();
	for (i = 0; i < s->n_strata; i++) {
		s->strata[i].class = labels_find(&s->labels, s->strata[i].name);
		if (s->strata[i].class != SIZE_MAX)
			has_rate[s->strata[i].class] = true;
	}
	for (i = 0; r == 0 && i < s->labels.n_distinct; i++)
		if (!has_rate[i]) {
			label_text(&s->labels, &s->labels.distinct[i], &text);
			r = err_set(ERR_INVALID,
			    "fractions has no rate for label %s",
			    buf_str(&text));
		}
	buf_fini(&text);
	free(has_rate);
	return r;
}

static int
draw_stratum(struct sample *s, struct stratum *x, uint32_t *from)
{
	size_t i;
	int r;

	for (i = 0; i < s->labels.n; i++)
		if (s->labels.class_of[i] == x->class)
			from[x->before++] = (uint32_t)i;
	if ((r = drawn(s, x->rate, x->before, &x->after)) != 0 || x->after == 0)
		return r;
	return draw(s, from, x->before, x->after);
}

static int
draw_strata(struct sample *s)
{
	uint32_t *from = mem_array(s->ids.n + 1, sizeof(*from));
	size_t i;
	int r;

	if (from == NULL)
		return err_code();
	if ((r = labels_group(&s->labels)) == 0)
		r = match_strata(s);
	for (i = 0; r == 0 && i < s->n_strata; i++)
		r = draw_stratum(s, &s->strata[i], from);
	free(from);
	return r;
}

static int
by_row(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int
choose(struct sample *s)
{
	int r = s->is_stratified ? draw_strata(s) : draw_random(s);

	/* What is left of a table keeps its order. */
	if (r == 0 && !s->is_up && s->n > 0)
		qsort(s->rows, s->n, sizeof(*s->rows), by_row);
	return r;
}

/* --- the guest's list at a host ---------------------------------------------------- */

/* The most rows that our own parameters let the guest ask for. */
static size_t
most_rows(const struct sample *s)
{
	double rate = s->rate, most;
	size_t i;

	if (!s->is_up)
		return s->ids.n;
	for (i = 0; i < s->n_strata; i++)
		rate = fmax(rate, s->strata[i].rate);
	most = rate > 0 ? floor(rate * (double)s->ids.n) : ID_LIST_MAX;
	return most < ID_LIST_MAX ? (size_t)most : ID_LIST_MAX;
}

static int
follow(struct sample *s)
{
	bool *taken = NULL;
	int r;

	if (!s->is_up &&
	    (taken = mem_array(s->ids.n + 1, sizeof(*taken))) == NULL)
		return err_code();
	r = id_list_receive(
	    s->task, "sample_ids", "0", &s->ids, taken, &s->rows, &s->n);
	free(taken);
	if (r == 0 && s->n > most_rows(s))
		r = err_set(ERR_LIMIT,
		    "sample_ids from the guest: %zu rows, but fractions allow "
		    "%zu at most",
		    s->n, most_rows(s));
	return r;
}

/* --- output ----------------------------------------------------------------------- */

static int
renumber(void *ctx, const struct row *row)
{
	struct sample *s = ctx;
	struct row out = *row;
	char id[24];

	out.id.len = (size_t)snprintf(
	    id, sizeof(id), "%" PRIu64, table_writer_rows(s->writer));
	out.id.data = id;
	return table_append(s->writer, &out);
}

static int
write_copies(struct sample *s)
{
	struct task_output_options options = {
		.partitions = table_stat(s->in.table)->partitions
	};
	int r;

	if ((r = task_output_create(s->task, 0, &s->writer)) != 0 ||
	    (r = table_in_rows(&s->in, s->rows, s->n, renumber, s)) != 0)
		return r;
	r = task_output_finish(
	    s->task, 0, s->writer, s->in.schema.json, &options);
	s->writer = NULL;
	return r;
}

/* --- what people see --------------------------------------------------------------- */

static int
log_strata(struct sample *s, const char *ns, bool is_after)
{
	struct metric_point *p = xcalloc(s->n_strata + 1, sizeof(*p));
	size_t i;
	int r;

	for (i = 0; i < s->n_strata; i++) {
		p[i].key_text = s->strata[i].name;
		p[i].value = (double)(is_after ? s->strata[i].after
					       : s->strata[i].before);
	}
	if ((r = task_metric_points(
		 s->task, ns, "stratified", p, s->n_strata)) == 0)
		r = task_metric_meta(s->task, ns, "stratified", "stratified",
		    "SAMPLE_TABLE", NULL);
	free(p);
	return r;
}

static struct json_object *
count_strata(const struct sample *s, bool is_after)
{
	struct json_object *o = json_object_new_object();
	const struct stratum *x;

	for (x = s->strata; x < s->strata + s->n_strata; x++)
		json_add_int(
		    o, x->name, (int64_t)(is_after ? x->after : x->before));
	return o;
}

static int
report(struct sample *s)
{
	struct json_object *o = json_object_new_object();
	int r;

	if (s->is_stratified) {
		json_add(o, "sample_count", count_strata(s, true));
		json_add(o, "original_count", count_strata(s, false));
		if ((r = log_strata(s, "sample_count", true)) == 0)
			r = log_strata(s, "original_count", false);
	} else {
		json_add_int(o, "sample_count", (int64_t)s->n);
		if ((r = task_metric_named(s->task, "sample_count", "random",
			 "count", (double)s->n)) == 0)
			r = task_metric_meta(s->task, "sample_count", "random",
			    "random", "SAMPLE_TEXT", NULL);
	}
	if (r == 0)
		r = task_summary(s->task, o);
	json_object_put(o);
	return r;
}

/* --- the run ----------------------------------------------------------------------- */

static int
keep_row(void *ctx, const struct row *row)
{
	struct sample *s = ctx;
	int r;

	if ((r = row_ids_add(&s->ids, row)) != 0)
		return r;
	return s->is_stratified ? labels_add(&s->labels, row) : 0;
}

static int
select_rows(struct sample *s)
{
	int r;

	if (s->follows)
		return follow(s);
	if ((r = choose(s)) != 0)
		return r;
	if (str_eq(task_param_string(s->task, "task_type", "hetero"), "homo"))
		return 0;
	return id_list_send(s->task, "sample_ids", "0", &s->ids, s->rows, s->n);
}

static int
sample(struct sample *s)
{
	int r;

	if ((r = table_in_open(s->task, task_input(s->task, "data"), &s->in)) !=
	    0)
		return r;
	if (!task_param_bool(s->task, "need_run", true))
		return table_in_copy(&s->in, 0);
	if ((r = read_parameters(s)) != 0 ||
	    (r = table_in_each(&s->in, "reading", keep_row, s)) != 0 ||
	    (r = select_rows(s)) != 0)
		return r;
	r = s->is_up ? write_copies(s)
		     : table_in_copy_rows(&s->in, s->rows, s->n, 0);
	return r == 0 ? report(s) : r;
}

static int
run(struct task *task)
{
	struct sample s = { .task = task };
	size_t i;
	int r = sample(&s);

	table_writer_free(s.writer);
	for (i = 0; i < s.n_strata; i++)
		free(s.strata[i].name);
	free(s.strata);
	free(s.rows);
	row_ids_fini(&s.ids);
	labels_fini(&s.labels);
	table_in_close(&s.in);
	return r;
}

const struct component component_federated_sample = {
	.module = "FederatedSample",
	.roles = "guest host",
	.run = run,
	.sees_need_run = true,
};
