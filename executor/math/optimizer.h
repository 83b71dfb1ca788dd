/*
 * First-order optimisers.  Each works coordinate by coordinate, so parties
 * that hold parts of a weight vector run their own part and get what one
 * optimiser over the whole would give.
 */
#ifndef EXECUTOR_MATH_OPTIMIZER_H
#define EXECUTOR_MATH_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>

struct optimizer;

struct optimizer_conf {
	const char *name; /* sgd nesterov_momentum_sgd rmsprop adagrad
				   adam, case does not matter; borrowed */
	double learning_rate;
	double decay;
	bool decay_sqrt;
};

/*
 * An optimiser of n coordinates.  ERR_UNSUPPORTED for sqn (which needs the
 * whole Hessian and so more than one party's part), ERR_INVALID for unknown
 * names.
 */
int optimizer_new(
    const struct optimizer_conf *, size_t n, struct optimizer **out);
void optimizer_free(struct optimizer *); /* NULL is fine */

/*
 * The learning rate of iteration t, from 0: lr / sqrt(1 + decay t), or
 * lr / (1 + decay t) without decay_sqrt.
 */
double optimizer_rate(const struct optimizer *, unsigned iteration);

/* step[i] is what the weight has to lose for gradient[i]. */
void optimizer_step(struct optimizer *, unsigned iteration,
    const double *gradient, double *step);

/*
 * The L1 penalty's soft threshold after a step, by alpha * lr / sqrt(t) with
 * t counted from 1.
 */
void optimizer_l1_shrink(const struct optimizer *, unsigned iteration,
    double alpha, double *w, size_t n);

#endif
