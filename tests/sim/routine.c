/*
 * Routines: threads of which exactly one runs, or the driver does.  Threads
 * rather than contexts, because the error record and the log's context of the
 * programs belong to a thread.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "tests/sim/world.h"

struct routine {
	pthread_t thread;
	sem_t go;
	struct actor *actor; /* NULL: has nothing to do */
	sim_fn *fn;
	void *ctx;
	uint64_t turn; /* counts sleeps: an old alarm wakes nobody */
	bool sleeps, may_wake, was_woken;
	struct routine *next;
};

/* An alarm for one sleep. */
struct alarm {
	struct routine *routine;
	uint64_t turn;
	struct alarm *next;
};

_Thread_local struct actor *self;

static struct routine *all;
static sem_t driver;
static bool is_ready;
static struct alarm *spare;

static void *
thread_main(void *ctx)
{
	struct routine *r = ctx;

	for (;;) {
		(void)sem_wait(&r->go);
		self = r->actor;
		err_clear();
		log_context("", "", "");
		r->fn(r->ctx);
		self = NULL;
		r->actor = NULL;
		(void)sem_post(&driver);
	}
	return NULL;
}

static struct routine *
routine_get(void)
{
	struct routine *r;

	if (!is_ready) {
		(void)sem_init(&driver, 0, 0);
		is_ready = true;
	}
	for (r = all; r != NULL && r->actor != NULL; r = r->next)
		continue;
	if (r != NULL)
		return r;
	r = xcalloc(1, sizeof(*r));
	(void)sem_init(&r->go, 0, 0);
	if (pthread_create(&r->thread, NULL, thread_main, r) != 0)
		abort();
	r->next = all;
	all = r;
	return r;
}

/* The driver's side: let it run until it sleeps or ends. */
static void
resume(struct routine *r)
{
	r->sleeps = false;
	r->turn++;
	(void)sem_post(&r->go);
	(void)sem_wait(&driver);
}

static void
on_alarm(void *ctx)
{
	struct alarm *a = ctx;
	struct routine *r = a->routine;
	bool is_due = r->actor != NULL && r->sleeps && r->turn == a->turn;

	a->next = spare;
	spare = a;
	if (is_due)
		resume(r);
}

static void
set_alarm(struct routine *r, int64_t at_us)
{
	struct alarm *a = spare;

	if (a != NULL)
		spare = a->next;
	else
		a = xcalloc(1, sizeof(*a));
	*a = (struct alarm){ .routine = r, .turn = r->turn };
	sim_at(at_us, on_alarm, a);
}

void
routine_start(struct actor *a, sim_fn *fn, void *ctx)
{
	struct routine *r = routine_get();

	r->actor = a;
	r->fn = fn;
	r->ctx = ctx;
	r->sleeps = true;
	r->may_wake = r->was_woken = false;
	r->turn++;
	a->routine = r;
	set_alarm(r, sim_now());
}

void
routine_sleep(int64_t until_us, bool may_wake)
{
	struct routine *r = self->routine;

	if (world.over || (may_wake && r->was_woken)) {
		r->was_woken = false;
		return;
	}
	r->turn++;
	r->sleeps = true;
	r->may_wake = may_wake;
	set_alarm(r, until_us);
	(void)sem_post(&driver);
	(void)sem_wait(&r->go);
	if (may_wake)
		r->was_woken = false;
}

void
routine_wake(struct actor *a)
{
	struct routine *r = a->routine;

	if (r == NULL || r->actor != a)
		return;
	r->was_woken = true;
	if (r->sleeps && r->may_wake)
		set_alarm(r, sim_now());
}

void
routine_finish_all(void)
{
	struct routine *r;
	bool any;

	do {
		any = false;
		for (r = all; r != NULL; r = r->next)
			if (r->actor != NULL) {
				any = true;
				r->actor->dead = true;
				resume(r);
			}
	} while (any);
}
