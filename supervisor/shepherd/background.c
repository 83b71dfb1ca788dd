/*
 * A thread and the loop.  Used by source.c and delivery.c.
 */
#include "supervisor/shepherd/background.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

struct background {
	background_fn *run;
	background_done_fn *done;
	void *ctx;
	pthread_t thread;
	bool has_thread;
	int event;
	struct loop_fd *watch;

	pthread_mutex_t lock; /* over what follows */
	bool is_stopped;
	struct db_remote *remote;
	int code;
	char *error;
};

static void *
thread_main(void *arg)
{
	struct background *b = arg;
	uint64_t one = 1;
	int code;

	code = b->run(b, b->ctx);
	pthread_mutex_lock(&b->lock);
	b->code = code;
	b->error = xstrdup(code != 0 ? err_text() : "");
	pthread_mutex_unlock(&b->lock);
	if (write(b->event, &one, sizeof(one)) != (ssize_t)sizeof(one))
		log_err("background thread: no event");
	return NULL;
}

static void
on_event(void *ctx, int fd, int events)
{
	struct background *b = ctx;

	(void)fd;
	(void)events;
	loop_fd_del(b->watch);
	b->watch = NULL;
	pthread_join(b->thread, NULL);
	b->has_thread = false;
	if (b->code != 0)
		(void)err_set(b->code, "%s", b->error);
	b->done(b->ctx, b->code);
}

/* Signals are the loop's: the thread takes none. */
static int
start_thread(struct background *b)
{
	sigset_t all, before;
	int e;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&b->thread, NULL, thread_main, b);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (e != 0) {
		errno = e;
		return err_set_errno(ERR_NOMEM, "background thread");
	}
	b->has_thread = true;
	return 0;
}

int
background_start(struct loop *loop, background_fn *run,
    background_done_fn *done, void *ctx, struct background **out)
{
	struct background *b = xcalloc(1, sizeof(*b));
	int r = 0;

	*out = NULL;
	b->run = run;
	b->done = done;
	b->ctx = ctx;
	pthread_mutex_init(&b->lock, NULL);
	b->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->event < 0)
		r = err_set_errno(ERR_IO, "eventfd");
	if (r == 0 && (r = loop_fd_add(loop, b->event, LOOP_READ, on_event, b,
			   &b->watch)) == 0)
		r = start_thread(b);
	if (r != 0) {
		background_free(b);
		return r;
	}
	*out = b;
	return 0;
}

void
background_stop(struct background *b)
{
	pthread_mutex_lock(&b->lock);
	b->is_stopped = true;
	if (b->remote != NULL)
		db_remote_interrupt(b->remote);
	pthread_mutex_unlock(&b->lock);
}

void
background_free(struct background *b)
{
	if (b == NULL)
		return;
	background_stop(b);
	loop_fd_del(b->watch);
	if (b->has_thread)
		pthread_join(b->thread, NULL);
	fd_close(&b->event);
	pthread_mutex_destroy(&b->lock);
	free(b->error);
	free(b);
}

bool
background_is_stopped(struct background *b)
{
	bool is_stopped;

	pthread_mutex_lock(&b->lock);
	is_stopped = b->is_stopped;
	pthread_mutex_unlock(&b->lock);
	return is_stopped;
}

int
background_connect(
    struct background *b, const struct remote_server *s, struct db_remote **out)
{
	int r;

	if ((r = db_remote_open(s, out)) != 0)
		return r;
	pthread_mutex_lock(&b->lock);
	b->remote = *out;
	if (b->is_stopped)
		r = err_set(ERR_CANCELED, "the task ends");
	pthread_mutex_unlock(&b->lock);
	if (r != 0) {
		background_disconnect(b, *out);
		*out = NULL;
	}
	return r;
}

void
background_disconnect(struct background *b, struct db_remote *remote)
{
	pthread_mutex_lock(&b->lock);
	b->remote = NULL;
	pthread_mutex_unlock(&b->lock);
	db_remote_close(remote);
}
