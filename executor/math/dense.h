/*
 * Dense matrices of doubles, row after row, and the few products that the
 * linear learners take in the clear.
 */
#ifndef EXECUTOR_MATH_DENSE_H
#define EXECUTOR_MATH_DENSE_H

#include <stddef.h>
#include <stdint.h>

struct dense {
	size_t rows;
	size_t cols;
	double *v;
};

/* Zeroes; ERR_NOMEM.  *out is the caller's. */
int dense_new(size_t rows, size_t cols, struct dense **out);
void dense_free(struct dense *); /* NULL is fine */

static inline double *
dense_row(const struct dense *m, size_t i)
{
	return m->v + i * m->cols;
}

double dense_dot(const double *a, const double *b, size_t n);
/*
 * out[k] = row pick[k] times w, for n picked rows; pick NULL means the first
 * n rows.
 */
void dense_times(const struct dense *, const uint32_t *pick, size_t n,
    const double *w, double *out);
/* out[j] = sum over the picked rows of d[k] * row[j]. */
void dense_transposed_times(const struct dense *, const uint32_t *pick,
    size_t n, const double *d, double *out);

#endif
