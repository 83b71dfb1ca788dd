/*
 * A pool that lives for one call: threads take chunks from a shared counter
 * until none is left or one has failed.  Called by everything in
 * executor/math that works on many numbers.
 */
#include "executor/math/parallel.h"

#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/err.h"

#define PARALLEL_MAX 256	/* threads; more cores than any task gets */

struct pool {
	parallel_fn	 fn;
	void		*ctx;
	size_t		 n;
	size_t		 chunk;
	atomic_size_t	 next;
	atomic_int	 failed;
	pthread_mutex_t	 lock;		/* guards text */
	char		 text[512];	/* of the first failure */
};

/* The error record belongs to a thread: carry its text to the caller. */
static void
keep_failure(struct pool *p, int r)
{
	const char	*s = err_text();
	size_t		 i;

	pthread_mutex_lock(&p->lock);
	if (atomic_load(&p->failed) == 0) {
		for (i = 0; s[i] != '\0' && i < sizeof(p->text) - 1; i++)
			p->text[i] = s[i];
		p->text[i] = '\0';
		atomic_store(&p->failed, r);
	}
	pthread_mutex_unlock(&p->lock);
}

static void *
work(void *arg)
{
	struct pool	*p = arg;
	size_t		 from, to;
	int		 r;

	while (atomic_load(&p->failed) == 0) {
		from = atomic_fetch_add(&p->next, p->chunk);
		if (from >= p->n)
			break;
		to = p->n - from < p->chunk ? p->n : from + p->chunk;
		if ((r = p->fn(p->ctx, from, to)) != 0)
			keep_failure(p, r);
	}
	return NULL;
}

int
parallel_for(unsigned threads, size_t n, size_t chunk, parallel_fn fn,
    void *ctx)
{
	struct pool	p = { .fn = fn, .ctx = ctx, .n = n };
	pthread_t	tid[PARALLEL_MAX];
	size_t		chunks;
	unsigned	i, started = 0;
	int		r;

	if (n == 0)
		return 0;
	p.chunk = chunk == 0 ? 1 : chunk;
	chunks = (n + p.chunk - 1) / p.chunk;
	if (threads > PARALLEL_MAX)
		threads = PARALLEL_MAX;
	if (threads > chunks)
		threads = (unsigned)chunks;
	if (threads <= 1)
		p.chunk = n;
	pthread_mutex_init(&p.lock, NULL);
	/* Fewer threads than wanted is slower, not wrong. */
	for (i = 1; i < threads; i++)
		if (pthread_create(&tid[started], NULL, work, &p) == 0)
			started++;
	work(&p);
	for (i = 0; i < started; i++)
		pthread_join(tid[i], NULL);
	pthread_mutex_destroy(&p.lock);
	r = atomic_load(&p.failed);
	return r == 0 ? 0 : err_set(r, "%s", p.text);
}
