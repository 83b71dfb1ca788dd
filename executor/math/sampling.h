/*
 * Reproducible samples: with a seed they are those that NumPy's legacy
 * generator and scikit-learn's splitters draw, so that a job gives the rows
 * that its users know from there.
 */
#ifndef EXECUTOR_MATH_SAMPLING_H
#define EXECUTOR_MATH_SAMPLING_H

#include "executor/math/rng.h"

#define SAMPLING_MAX (1U << 28) /* items */

/* [0, max], by the smallest mask and rejection. */
uint32_t sampling_below(struct rng *, uint32_t max);
/* numpy.random.shuffle(items) */
void sampling_shuffle(struct rng *, uint32_t *items, size_t n);

struct sampling_split {
	bool shuffle;
	/* Of each item, 0 to n_classes - 1; NULL: not stratified. */
	const uint32_t *class_of;
	size_t n_classes;
};

/*
 * sklearn.model_selection.train_test_split(items, train_size=n_first,
 * test_size=n - n_first): the two parts are written to out one after the
 * other.  class_of is indexed by the item.  Errors, when stratified:
 * ERR_INVALID for a class of one item, and for a part that has fewer items
 * than there are classes; ERR_NOMEM.
 */
int sampling_split(struct rng *, const struct sampling_split *,
    const uint32_t *items, size_t n, size_t n_first, uint32_t *out);

#endif
