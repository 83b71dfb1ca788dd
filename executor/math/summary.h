/*
 * Moments and quantiles of a sample.
 */
#ifndef EXECUTOR_MATH_SUMMARY_H
#define EXECUTOR_MATH_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>

struct summary {
	size_t n;
	double sum; /* 0 for an empty sample; the others NaN then */
	double mean;
	double min;
	double max;
	double variance; /* of the population: divided by n */
	double m3;	 /* third and fourth central moment */
	double m4;
};

/* values hold no NaN. */
void summary_of(const double *values, size_t n, struct summary *out);
/*
 * m3 / m2^1.5 and m4 / m2^2 - 3, or with is_biased false the estimates
 * G1 and G2 (Joanes and Gill 1998).  NaN where they are undefined: all
 * values equal, or fewer than 3 (4) of them for the estimates.
 */
double summary_skewness(const struct summary *, bool is_biased);
double summary_kurtosis(const struct summary *, bool is_biased);

/* Move NaN out: the others, in their order, are the first of the result. */
size_t summary_drop_nan(double *values, size_t n);
void summary_sort(double *values, size_t n);
/*
 * The value of rank ceil(q * n), counted from 1, which is what a quantile
 * sketch answers when its error is nothing.  NaN when n is 0.
 */
double summary_quantile(const double *sorted, size_t n, double q);

#endif
