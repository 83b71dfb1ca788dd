/*
 * A pool of threads over the cores granted to a task.
 *
 * Ranges are cut small enough that a slow thread does not hold up the rest.
 * One call at a time per pool; calls do not nest.
 */
#ifndef EXECUTOR_PARALLEL_H
#define EXECUTOR_PARALLEL_H

#include <stddef.h>

struct parallel;

/* threads counts the caller, which works too; 1 makes no thread at all. */
struct parallel *parallel_new(unsigned threads);
void parallel_free(struct parallel *); /* NULL is fine */
unsigned parallel_threads(const struct parallel *);

/*
 * Work on the indexes [first, end); worker is below parallel_threads() and
 * may index scratch memory.  0, or a code with err_set() on the thread.
 */
typedef int parallel_fn(void *ctx, size_t first, size_t end, unsigned worker);

/*
 * Call fn over [0, n) in pieces of at least grain indexes (0: chosen so that
 * each thread gets about eight).  Returns when all pieces are done.  After a
 * failure no new pieces begin; the first failure's code and text become
 * those of the calling thread.
 */
int parallel_for(
    struct parallel *, size_t n, size_t grain, parallel_fn *, void *ctx);

#endif
