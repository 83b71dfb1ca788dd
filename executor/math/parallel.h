/*
 * Spreading independent work over the cores a task was granted.
 */
#ifndef EXECUTOR_MATH_PARALLEL_H
#define EXECUTOR_MATH_PARALLEL_H

#include <stddef.h>

/*
 * Work on items [from, to).  Returns 0 or an ERR_* code recorded with
 * err_set() on the thread that runs it.
 */
typedef int (*parallel_fn)(void *ctx, size_t from, size_t to);

/*
 * Run fn over [0, n) in chunks of at most chunk items on up to threads
 * threads (0 counts as 1); the caller's thread works too.  Chunks are handed
 * out in order, so uneven ones balance.  Returns the first failure with its
 * text recorded on the calling thread; no new chunk starts after a failure.
 */
int	parallel_for(unsigned threads, size_t n, size_t chunk, parallel_fn fn,
	    void *ctx);

#endif
