/*
 * The pool of threads.  Used by components for work that is the same for
 * many rows; made once per task.
 */
#include "executor/parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"

enum { PIECES_PER_THREAD = 8 };

struct worker {
	struct parallel *pool;
	unsigned index;
	pthread_t thread;
};

struct parallel {
	unsigned threads;	/* with the caller */
	struct worker *workers; /* 1 to threads - 1 */
	pthread_mutex_t lock;
	pthread_cond_t start;
	pthread_cond_t done;
	uint64_t round; /* counts calls */
	unsigned busy;
	bool is_ending;

	/* The call under way. */
	parallel_fn *fn;
	void *ctx;
	size_t n;
	size_t grain;
	atomic_size_t next;
	atomic_bool has_failed;
	int code;
	char *text;
};

static void
keep_failure(struct parallel *p, int code)
{
	pthread_mutex_lock(&p->lock);
	if (p->code == 0) {
		p->code = code;
		p->text = xstrdup(err_text());
	}
	pthread_mutex_unlock(&p->lock);
	atomic_store(&p->has_failed, true);
}

static void
work(struct parallel *p, unsigned worker)
{
	size_t first, end;
	int r;

	while (!atomic_load(&p->has_failed)) {
		first = atomic_fetch_add(&p->next, p->grain);
		if (first >= p->n)
			break;
		end = p->n - first > p->grain ? first + p->grain : p->n;
		if ((r = p->fn(p->ctx, first, end, worker)) != 0)
			keep_failure(p, r);
	}
}

static void *
worker_main(void *arg)
{
	struct worker *w = arg;
	struct parallel *p = w->pool;
	uint64_t seen = 0;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->round == seen && !p->is_ending)
			pthread_cond_wait(&p->start, &p->lock);
		if (p->is_ending)
			break;
		seen = p->round;
		pthread_mutex_unlock(&p->lock);
		work(p, w->index);
		pthread_mutex_lock(&p->lock);
		if (--p->busy == 0)
			pthread_cond_signal(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct parallel *
parallel_new(unsigned threads)
{
	struct parallel *p = xcalloc(1, sizeof(*p));
	unsigned i;

	p->threads = threads > 0 ? threads : 1;
	p->workers = xcalloc(p->threads, sizeof(p->workers[0]));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->start, NULL);
	pthread_cond_init(&p->done, NULL);
	for (i = 1; i < p->threads; i++) {
		p->workers[i] = (struct worker){ .pool = p, .index = i };
		/* Fewer threads than wished are slower, not wrong. */
		if (pthread_create(&p->workers[i].thread, NULL, worker_main,
			&p->workers[i]) != 0)
			break;
	}
	p->threads = i;
	return p;
}

void
parallel_free(struct parallel *p)
{
	unsigned i;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_ending = true;
	pthread_cond_broadcast(&p->start);
	pthread_mutex_unlock(&p->lock);
	for (i = 1; i < p->threads; i++)
		pthread_join(p->workers[i].thread, NULL);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->start);
	pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p);
}

unsigned
parallel_threads(const struct parallel *p)
{
	return p->threads;
}

int
parallel_for(
    struct parallel *p, size_t n, size_t grain, parallel_fn *fn, void *ctx)
{
	int code;

	if (n == 0)
		return 0;
	if (grain == 0)
		grain = n / ((size_t)p->threads * PIECES_PER_THREAD) + 1;
	pthread_mutex_lock(&p->lock);
	p->fn = fn;
	p->ctx = ctx;
	p->n = n;
	p->grain = grain;
	p->code = 0;
	atomic_store(&p->next, 0);
	atomic_store(&p->has_failed, false);
	p->busy = p->threads - 1;
	p->round++;
	pthread_cond_broadcast(&p->start);
	pthread_mutex_unlock(&p->lock);

	work(p, 0);

	pthread_mutex_lock(&p->lock);
	while (p->busy > 0)
		pthread_cond_wait(&p->done, &p->lock);
	code = p->code;
	pthread_mutex_unlock(&p->lock);
	if (code != 0) {
		code = err_set(code, "%s", p->text);
		free(p->text);
		p->text = NULL;
	}
	return code;
}
