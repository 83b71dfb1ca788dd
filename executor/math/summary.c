/*
 * Moments and quantiles.  Two passes: first the mean, then powers of the
 * distances from it, so that large means cost no digits.
 */
#include "executor/math/summary.h"

#include <math.h>
#include <stdlib.h>

void
summary_of(const double *values, size_t n, struct summary *out)
{
	long double sum = 0, m2 = 0, m3 = 0, m4 = 0, d, mean;
	size_t i;

	*out = (struct summary){ .n = n,
		.mean = NAN,
		.min = NAN,
		.max = NAN,
		.variance = NAN,
		.m3 = NAN,
		.m4 = NAN };
	if (n == 0)
		return;
	out->min = out->max = values[0];
	for (i = 0; i < n; i++) {
		sum += values[i];
		out->min = fmin(out->min, values[i]);
		out->max = fmax(out->max, values[i]);
	}
	mean = sum / (long double)n;
	for (i = 0; i < n; i++) {
		d = values[i] - mean;
		m2 += d * d;
		m3 += d * d * d;
		m4 += d * d * d * d;
	}
	out->sum = (double)sum;
	out->mean = (double)mean;
	out->variance = (double)(m2 / (long double)n);
	out->m3 = (double)(m3 / (long double)n);
	out->m4 = (double)(m4 / (long double)n);
}

double
summary_skewness(const struct summary *s, bool is_biased)
{
	double n = (double)s->n, g;

	if (!(s->min < s->max) || (!is_biased && s->n < 3))
		return NAN;
	g = s->m3 / pow(s->variance, 1.5);
	return is_biased ? g : g * sqrt(n * (n - 1)) / (n - 2);
}

double
summary_kurtosis(const struct summary *s, bool is_biased)
{
	double n = (double)s->n, g;

	if (!(s->min < s->max) || (!is_biased && s->n < 4))
		return NAN;
	g = s->m4 / (s->variance * s->variance) - 3;
	return is_biased ? g
			 : (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * g + 6);
}

size_t
summary_drop_nan(double *values, size_t n)
{
	size_t i, kept = 0;

	for (i = 0; i < n; i++)
		if (!isnan(values[i]))
			values[kept++] = values[i];
	return kept;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void
summary_sort(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), by_value);
}

/* 0.07 * 100 is a little more than 7, but means 7. */
#define ROUNDING 1e-12 /* relative */

double
summary_quantile(const double *sorted, size_t n, double q)
{
	double rank = ceil(q * (double)n * (1 - ROUNDING));

	if (n == 0)
		return NAN;
	if (rank < 1)
		return sorted[0];
	return sorted[rank >= (double)n ? n - 1 : (size_t)rank - 1];
}
