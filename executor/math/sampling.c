/*
 * Draws in the order in which NumPy and scikit-learn make them; any other
 * order of calls to the generator would give other samples.
 */
#include "executor/math/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

uint32_t
sampling_below(struct rng *g, uint32_t max)
{
	uint32_t mask = max, v;
	unsigned shift;

	if (max == 0)
		return 0; /* no draw */
	for (shift = 1; shift < 32; shift *= 2)
		mask |= mask >> shift;
	do
		v = rng_next(g) & mask;
	while (v > max);
	return v;
}

void
sampling_shuffle(struct rng *g, uint32_t *items, size_t n)
{
	uint32_t swap;
	size_t i, j;

	for (i = n; i-- > 1;) {
		j = sampling_below(g, (uint32_t)i);
		swap = items[i];
		items[i] = items[j];
		items[j] = swap;
	}
}

/* --- plain ---------------------------------------------------------------------- */

/* The second part is drawn first. */
static int
split_plain(struct rng *g, const uint32_t *items, size_t n, size_t n_first,
    uint32_t *out)
{
	uint32_t *places = mem_array(n + 1, sizeof(*places));
	size_t i, n_second = n - n_first;

	if (places == NULL)
		return err_code();
	for (i = 0; i < n; i++)
		places[i] = (uint32_t)i;
	sampling_shuffle(g, places, n);
	for (i = 0; i < n_first; i++)
		out[i] = items[places[n_second + i]];
	for (i = 0; i < n_second; i++)
		out[n_first + i] = items[places[i]];
	free(places);
	return 0;
}

/* --- stratified ------------------------------------------------------------------- */

static int
descending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

/* Give one more to at most *left of the classes with this remainder. */
static int
add_to_ties(struct rng *g, const uint32_t *counts, const double *rest,
    double value, size_t classes, size_t *left, uint32_t *out)
{
	uint32_t *ties = mem_array(classes + 1, sizeof(*ties));
	size_t i, n = 0;

	if (ties == NULL)
		return err_code();
	for (i = 0; i < classes; i++)
		if (rest[i] == value && counts[i] > 0)
			ties[n++] = (uint32_t)i;
	sampling_shuffle(g, ties, n);
	for (i = 0; i<n && * left> 0; i++, (*left)--)
		out[ties[i]]++;
	free(ties);
	return 0;
}

/*
 * How many of each class n draws should hold: their share, rounded down,
 * then one more where most was lost; ties are broken at random.
 */
static int
shares(struct rng *g, const uint32_t *counts, size_t classes, size_t draws,
    uint32_t *out)
{
	double *rest = mem_array(2 * classes + 1, sizeof(*rest)), total = 0;
	double *order;
	size_t i, left = draws;
	int r = 0;

	if (rest == NULL)
		return err_code();
	order = rest + classes;
	for (i = 0; i < classes; i++)
		total += counts[i];
	for (i = 0; i < classes; i++) {
		rest[i] = counts[i] / total * (double)draws;
		out[i] = (uint32_t)floor(rest[i]);
		rest[i] -= out[i];
		order[i] = rest[i];
		left -= out[i];
	}
	qsort(order, classes, sizeof(*order), descending);
	for (i = 0; r == 0 && left > 0 && i < classes; i++)
		if (i == 0 || order[i] != order[i - 1])
			r = add_to_ties(
			    g, counts, rest, order[i], classes, &left, out);
	free(rest);
	return r;
}

struct strata {
	uint32_t *counts; /* of each class */
	uint32_t *first;  /* how many of them go into the first part */
	uint32_t *second;
	uint32_t *start;   /* of the class in members */
	uint32_t *members; /* places of items, class by class */
};

static int
strata_alloc(struct strata *s, size_t n, size_t classes)
{
	s->counts = mem_array(classes + 1, sizeof(uint32_t));
	s->first = mem_array(classes + 1, sizeof(uint32_t));
	s->second = mem_array(classes + 1, sizeof(uint32_t));
	s->start = mem_array(classes + 1, sizeof(uint32_t));
	s->members = mem_array(n + 1, sizeof(uint32_t));
	return s->counts == NULL || s->first == NULL || s->second == NULL ||
		       s->start == NULL || s->members == NULL
		   ? err_code()
		   : 0;
}

static void
strata_free(struct strata *s)
{
	free(s->counts);
	free(s->first);
	free(s->second);
	free(s->start);
	free(s->members);
}

/* Group the items; classes of which there are none do not count. */
static size_t
group(struct strata *s, const struct sampling_split *how, const uint32_t *items,
    size_t n)
{
	size_t i, c, present = 0;
	uint32_t *fill = s->second; /* free until the shares are known */

	for (i = 0; i < n; i++)
		s->counts[how->class_of[items[i]]]++;
	for (c = 0; c < how->n_classes; c++) {
		present += s->counts[c] > 0;
		s->start[c + 1] = s->start[c] + s->counts[c];
		fill[c] = s->start[c];
	}
	for (i = 0; i < n; i++)
		s->members[fill[how->class_of[items[i]]]++] = (uint32_t)i;
	return present;
}

static int
check_strata(const struct strata *s, size_t classes, size_t present, size_t n,
    size_t n_first)
{
	size_t c;

	for (c = 0; c < classes; c++)
		if (s->counts[c] == 1)
			return err_set(ERR_INVALID,
			    "a label has only one row; a stratified split "
			    "needs at least two of each");
	if (n_first < present || n - n_first < present)
		return err_set(ERR_INVALID,
		    "parts of %zu and %zu rows cannot hold all %zu labels",
		    n_first, n - n_first, present);
	return 0;
}

static void
take(uint32_t *out, size_t *n, const uint32_t *members, const uint32_t *order,
    size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		out[(*n)++] = members[order[i]];
}

/* Every class in a random order of its own: first part, then second. */
static int
deal(struct rng *g, const struct strata *s, size_t classes, size_t n_first,
    uint32_t *places)
{
	size_t c, i, a = 0, b = n_first;
	uint32_t *order;

	for (c = 0; c < classes; c++) {
		if (s->counts[c] == 0)
			continue;
		order = mem_array(s->counts[c], sizeof(*order));
		if (order == NULL)
			return err_code();
		for (i = 0; i < s->counts[c]; i++)
			order[i] = (uint32_t)i;
		sampling_shuffle(g, order, s->counts[c]);
		take(places, &a, s->members + s->start[c], order, s->first[c]);
		take(places, &b, s->members + s->start[c], order + s->first[c],
		    s->second[c]);
		free(order);
	}
	sampling_shuffle(g, places, a);
	sampling_shuffle(g, places + n_first, b - n_first);
	return 0;
}

static int
draw_strata(struct rng *g, struct strata *s, size_t classes, size_t n,
    size_t n_first, uint32_t *places)
{
	size_t c;
	int r;

	if ((r = shares(g, s->counts, classes, n_first, s->first)) != 0)
		return r;
	for (c = 0; c < classes; c++)
		s->counts[c] -= s->first[c];
	r = shares(g, s->counts, classes, n - n_first, s->second);
	for (c = 0; c < classes; c++)
		s->counts[c] += s->first[c];
	return r != 0 ? r : deal(g, s, classes, n_first, places);
}

/* Classes without items take no part: scikit-learn does not know them. */
static int
split_strata(struct rng *g, const struct sampling_split *how,
    const uint32_t *items, size_t n, size_t n_first, uint32_t *out)
{
	struct strata s = { 0 };
	uint32_t *places = mem_array(n + 1, sizeof(*places));
	size_t i, present;
	int r;

	if (places == NULL)
		return err_code();
	if ((r = strata_alloc(&s, n, how->n_classes)) == 0) {
		present = group(&s, how, items, n);
		r = check_strata(&s, how->n_classes, present, n, n_first);
	}
	if (r == 0)
		r = draw_strata(g, &s, how->n_classes, n, n_first, places);
	for (i = 0; r == 0 && i < n; i++)
		out[i] = items[places[i]];
	strata_free(&s);
	free(places);
	return r;
}

int
sampling_split(struct rng *g, const struct sampling_split *how,
    const uint32_t *items, size_t n, size_t n_first, uint32_t *out)
{
	/* Nothing to decide: no draws, and no classes to keep apart. */
	if (!how->shuffle || n_first == 0 || n_first == n) {
		if (n > 0)
			memcpy(out, items, n * sizeof(*out));
		return 0;
	}
	if (how->class_of != NULL)
		return split_strata(g, how, items, n, n_first, out);
	return split_plain(g, items, n, n_first, out);
}
