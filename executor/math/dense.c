/*
 * Matrix and vector products in the clear.
 */
#include "executor/math/dense.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

int
dense_new(size_t rows, size_t cols, struct dense **out)
{
	struct dense *m;
	size_t n;

	*out = NULL;
	if (__builtin_mul_overflow(rows, cols, &n))
		return err_set(
		    ERR_NOMEM, "%zu x %zu values are too many", rows, cols);
	m = xcalloc(1, sizeof(*m));
	m->rows = rows;
	m->cols = cols;
	if ((m->v = mem_array(n == 0 ? 1 : n, sizeof(double))) == NULL) {
		free(m);
		return err_code();
	}
	*out = m;
	return 0;
}

void
dense_free(struct dense *m)
{
	if (m == NULL)
		return;
	free(m->v);
	free(m);
}

double
dense_dot(const double *a, const double *b, size_t n)
{
	double s = 0;
	size_t i;

	for (i = 0; i < n; i++)
		s += a[i] * b[i];
	return s;
}

void
dense_times(const struct dense *m, const uint32_t *pick, size_t n,
    const double *w, double *out)
{
	size_t k;

	for (k = 0; k < n; k++)
		out[k] = dense_dot(
		    dense_row(m, pick == NULL ? k : pick[k]), w, m->cols);
}

void
dense_transposed_times(const struct dense *m, const uint32_t *pick, size_t n,
    const double *d, double *out)
{
	const double *row;
	size_t k, j;

	memset(out, 0, m->cols * sizeof(*out));
	for (k = 0; k < n; k++) {
		row = dense_row(m, pick == NULL ? k : pick[k]);
		for (j = 0; j < m->cols; j++)
			out[j] += d[k] * row[j];
	}
}
