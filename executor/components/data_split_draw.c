/*
 * Sizes of the parts, and the draw.
 */
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/data_split.h"
#include "executor/math/sampling.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#define ALMOST 1e-8 /* sums of fractions may miss by as much */
/* 0.7 * 10 is a little less than 7, but means 7. */
#define ROUNDING 1e-9

static const char *const size_names[PARTS] = { "train_size", "validate_size",
	"test_size" };

/* --- sizes ---------------------------------------------------------------------- */

struct sizes {
	bool is_given[PARTS];
	double v[PARTS];
	bool are_fractions;
	double total; /* 1, or the number of rows */
};

static int
read_sizes(struct task *t, size_t rows, struct sizes *s)
{
	struct json_object *o;
	bool is_whole[PARTS];
	size_t i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < PARTS; i++) {
		o = task_param(t, size_names[i]);
		s->is_given[i] = o != NULL;
		s->v[i] = o != NULL ? json_object_get_double(o) : 0;
		is_whole[i] =
		    o == NULL || json_object_is_type(o, json_type_int);
		s->are_fractions = s->are_fractions || !is_whole[i];
	}
	if (!s->is_given[0] && !s->is_given[1] && !s->is_given[2]) {
		s->are_fractions = true;
		s->is_given[0] = s->is_given[1] = s->is_given[2] = true;
		is_whole[0] = is_whole[1] = is_whole[2] = false;
		s->v[PART_TRAIN] = 0.8;
		s->v[PART_VALIDATE] = 0.2;
	}
	s->total = s->are_fractions ? 1 : (double)rows;
	for (i = 0; i < PARTS; i++) {
		if (s->are_fractions && is_whole[i] && s->v[i] > 0)
			return err_set(ERR_INVALID,
			    "%s is %.0f rows where others are fractions; the "
			    "sizes must be all fractions or all numbers of "
			    "rows",
			    size_names[i], s->v[i]);
		if (!(s->v[i] >= 0 && s->v[i] <= s->total))
			return err_set(ERR_INVALID,
			    "%s is %g, must be between 0 and %g", size_names[i],
			    s->v[i], s->total);
	}
	return 0;
}

/*
 * What was not said: the rest belongs to train when that is open, else to
 * test, else to validate.
 */
static int
fill_sizes(struct sizes *s)
{
	static const int order[PARTS] = { PART_TRAIN, PART_TEST,
		PART_VALIDATE };
	double sum = s->v[0] + s->v[1] + s->v[2];
	size_t i;

	for (i = 0; i < PARTS; i++)
		if (!s->is_given[order[i]]) {
			s->v[order[i]] = s->total - sum;
			sum = s->total;
			/* A fraction that is left over by rounding. */
			if (fabs(s->v[order[i]]) < ALMOST)
				s->v[order[i]] = 0;
			break;
		}
	if (fabs(sum - s->total) < ALMOST && s->v[0] >= 0 && s->v[1] >= 0 &&
	    s->v[2] >= 0)
		return 0;
	return err_set(ERR_INVALID,
	    "train_size %g, validate_size %g and test_size %g must add up to "
	    "%g%s",
	    s->v[PART_TRAIN], s->v[PART_VALIDATE], s->v[PART_TEST], s->total,
	    s->are_fractions ? "" : ", the number of rows");
}

/* The first of two parts of n rows that have these fractions of the whole. */
static size_t
first_part(size_t n, double first, double second)
{
	if (first + second <= 0)
		return 0;
	return (size_t)floor(first / (first + second) * (double)n + ROUNDING);
}

int
split_sizes(struct task *t, size_t rows, size_t counts[PARTS])
{
	struct sizes s;
	size_t i, rest;
	int r;

	if ((r = read_sizes(t, rows, &s)) != 0 || (r = fill_sizes(&s)) != 0)
		return r;
	if (!s.are_fractions) {
		for (i = 0; i < PARTS; i++)
			counts[i] = (size_t)s.v[i];
		return 0;
	}
	counts[PART_TRAIN] = first_part(
	    rows, s.v[PART_TRAIN], s.v[PART_VALIDATE] + s.v[PART_TEST]);
	rest = rows - counts[PART_TRAIN];
	counts[PART_VALIDATE] =
	    first_part(rest, s.v[PART_VALIDATE], s.v[PART_TEST]);
	counts[PART_TEST] = rest - counts[PART_VALIDATE];
	for (i = 0; i < PARTS; i++)
		if (s.v[i] > 0 && counts[i] == 0)
			return err_set(ERR_INVALID,
			    "%s %g of %zu rows is not even one row",
			    size_names[i], s.v[i], rows);
	return 0;
}

/* --- the draw ------------------------------------------------------------------- */

static int
by_id(const void *a, const void *b, void *ctx)
{
	struct span x = row_ids_get(ctx, *(const uint32_t *)a);
	struct span y = row_ids_get(ctx, *(const uint32_t *)b);
	int d = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);

	return d != 0 ? d : (x.len > y.len) - (x.len < y.len);
}

static int
by_row(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Both draws begin with the same seed, as in the classic provider. */
static void
seed(struct task *t, struct rng *g)
{
	struct json_object *v = task_param(t, "random_state");

	rng_seed(g, v != NULL ? (uint32_t)json_object_get_int64(v)
			      : randombytes_random());
}

static int
draw(struct split *s, uint32_t *order, size_t n)
{
	struct sampling_split how = { .shuffle = task_param_bool(
					  s->task, "shuffle", true),
		.class_of = s->stratified ? s->class_of : NULL,
		.n_classes = s->n_classes };
	size_t train = s->counts[PART_TRAIN];
	struct rng g;
	int r;

	seed(s->task, &g);
	if ((r = sampling_split(&g, &how, order, n, train, s->rows)) != 0)
		return err_wrap("train and the rest");
	memcpy(order, s->rows + train, (n - train) * sizeof(*order));
	seed(s->task, &g);
	r = sampling_split(&g, &how, order, n - train, s->counts[PART_VALIDATE],
	    s->rows + train);
	return r == 0 ? 0 : err_wrap("validate and test");
}

int
split_draw(struct split *s)
{
	size_t i, at, n = s->ids.n;
	uint32_t *order;
	int r;

	if ((r = split_sizes(s->task, n, s->counts)) != 0)
		return r;
	s->rows = mem_array(n + 1, sizeof(*s->rows));
	order = mem_array(n + 1, sizeof(*order));
	if (s->rows == NULL || order == NULL) {
		free(order);
		return err_code();
	}
	for (i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, n, sizeof(*order), by_id, &s->ids);
	r = draw(s, order, n);
	/* Within a part, rows keep the order of the table. */
	for (i = 0, at = 0; i < PARTS; at += s->counts[i++])
		qsort(s->rows + at, s->counts[i], sizeof(*s->rows), by_row);
	free(order);
	return r;
}
