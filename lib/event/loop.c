/*
 * The event loop of supervisor, shepherd and the HTTP client: epoll over
 * descriptors, a heap of timers, one signalfd, one pidfd per process.
 *
 * Whatever a callback removes is only marked, and freed when no callback of
 * this loop is running, because the batch of epoll events in hand may still
 * point at it.
 */
#include "lib/event/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define BATCH 64 /* epoll events taken at once */

struct loop_fd {
	struct loop *loop;
	struct loop_fd *prev, *next;
	loop_fd_fn *fn;
	void *ctx;
	int fd;
	int events; /* wanted; 0: not in epoll */
	bool is_dead;
};

struct loop_timer {
	struct loop *loop;
	loop_timer_fn *fn;
	void *ctx;
	int64_t due_ms;
	int64_t repeat_ms;
	size_t slot; /* in the heap; NO_SLOT: unarmed */
};

#define NO_SLOT ((size_t)-1)

struct signal_watch {
	loop_signal_fn *fn;
	void *ctx;
};

struct process_watch {
	struct loop *loop;
	struct process_watch *prev, *next;
	struct loop_fd *watch;
	loop_child_fn *fn;
	void *ctx;
	pid_t pid;
	int pidfd;
	bool is_child;
};

struct loop {
	int epoll_fd;
	bool stopped;
	int depth;	      /* callbacks on the stack */
	struct loop_fd *fds;  /* alive */
	struct loop_fd *dead; /* to free at depth 0 */
	struct process_watch *processes;
	struct loop_timer **heap; /* by due_ms */
	size_t heap_len, heap_cap;
	int signal_fd;
	struct loop_fd *signal_watch;
	sigset_t signals;
	struct signal_watch by_signal[NSIG];
};

/* The mask before any loop of this process blocked something. */
static sigset_t mask_before;
static bool mask_is_saved;

int
loop_new(struct loop **out)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	*out = NULL;
	l->signal_fd = -1;
	(void)sigemptyset(&l->signals);
	if ((l->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0) {
		free(l);
		return err_set_errno(ERR_IO, "epoll_create1");
	}
	if (!mask_is_saved && sigprocmask(SIG_BLOCK, NULL, &mask_before) == 0)
		mask_is_saved = true;
	*out = l;
	return 0;
}

static void
free_dead(struct loop *l)
{
	struct loop_fd *w;

	while ((w = l->dead) != NULL) {
		l->dead = w->next;
		free(w);
	}
}

static void
process_free(struct process_watch *p)
{
	if (p->prev != NULL)
		p->prev->next = p->next;
	else
		p->loop->processes = p->next;
	if (p->next != NULL)
		p->next->prev = p->prev;
	loop_fd_del(p->watch);
	fd_close(&p->pidfd);
	free(p);
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	while (l->processes != NULL)
		process_free(l->processes);
	while (l->fds != NULL)
		loop_fd_del(l->fds);
	free_dead(l);
	/* Timers belong to those who made them; they are only unarmed. */
	while (l->heap_len != 0)
		loop_timer_cancel(l->heap[0]);
	free(l->heap);
	fd_close(&l->signal_fd);
	fd_close(&l->epoll_fd);
	free(l);
}

/* --- descriptors --------------------------------------------------------- */

static int
epoll_change(struct loop_fd *w, int op, int events)
{
	struct epoll_event ev = { .data = { .ptr = w } };

	if ((events & LOOP_READ) != 0)
		ev.events |= EPOLLIN | EPOLLRDHUP;
	if ((events & LOOP_WRITE) != 0)
		ev.events |= EPOLLOUT;
	if (epoll_ctl(w->loop->epoll_fd, op, w->fd, &ev) != 0)
		return err_set_errno(ERR_IO, "epoll_ctl(%d)", w->fd);
	return 0;
}

int
loop_fd_add(struct loop *l, int fd, int events, loop_fd_fn *fn, void *ctx,
    struct loop_fd **out)
{
	struct loop_fd *w = xcalloc(1, sizeof(*w));
	int r;

	*out = NULL;
	w->loop = l;
	w->fd = fd;
	w->fn = fn;
	w->ctx = ctx;
	if ((r = loop_fd_set(w, events)) != 0) {
		free(w);
		return r;
	}
	w->next = l->fds;
	if (w->next != NULL)
		w->next->prev = w;
	l->fds = w;
	*out = w;
	return 0;
}

int
loop_fd_set(struct loop_fd *w, int events)
{
	int op, r;

	if (events == w->events)
		return 0;
	/*
	 * A paused descriptor leaves epoll: errors and hang-ups are reported
	 * whatever was asked for, and would spin.
	 */
	if (events == 0)
		op = EPOLL_CTL_DEL;
	else
		op = w->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	if ((r = epoll_change(w, op, events)) == 0)
		w->events = events;
	return r;
}

void
loop_fd_del(struct loop_fd *w)
{
	struct loop *l;

	if (w == NULL)
		return;
	l = w->loop;
	/* The descriptor may be closed already, and is out of epoll then. */
	if (w->events != 0)
		(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		l->fds = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	w->is_dead = true;
	w->next = l->dead;
	l->dead = w;
	if (l->depth == 0)
		free_dead(l);
}

static void
fd_handle(struct loop_fd *w, uint32_t got)
{
	int events = 0;

	if (w->is_dead)
		return;
	if ((got & (EPOLLIN | EPOLLRDHUP)) != 0)
		events |= LOOP_READ;
	if ((got & EPOLLOUT) != 0)
		events |= LOOP_WRITE;
	/* Trouble shows in whatever the callback then does with the fd. */
	if ((got & (EPOLLERR | EPOLLHUP)) != 0)
		events |= LOOP_READ | LOOP_WRITE;
	events &= w->events;
	if (events != 0)
		w->fn(w->ctx, w->fd, events);
}

/* --- timers: a binary heap, the earliest first ---------------------------- */

static void
heap_put(struct loop *l, size_t slot, struct loop_timer *t)
{
	l->heap[slot] = t;
	t->slot = slot;
}

static void
heap_up(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];

	while (i != 0 && l->heap[(i - 1) / 2]->due_ms > t->due_ms) {
		heap_put(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(l, i, t);
}

static void
heap_down(struct loop *l, size_t i)
{
	struct loop_timer *t = l->heap[i];
	size_t child;

	while ((child = 2 * i + 1) < l->heap_len) {
		if (child + 1 < l->heap_len &&
		    l->heap[child + 1]->due_ms < l->heap[child]->due_ms)
			child++;
		if (l->heap[child]->due_ms >= t->due_ms)
			break;
		heap_put(l, i, l->heap[child]);
		i = child;
	}
	heap_put(l, i, t);
}

static void
heap_insert(struct loop_timer *t)
{
	struct loop *l = t->loop;

	if (l->heap_len == l->heap_cap) {
		l->heap_cap = l->heap_cap != 0 ? 2 * l->heap_cap : 16;
		l->heap = xrealloc(l->heap, l->heap_cap * sizeof(*l->heap));
	}
	heap_put(l, l->heap_len++, t);
	heap_up(l, t->slot);
}

struct loop_timer *
loop_timer_new(struct loop *l, loop_timer_fn *fn, void *ctx)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	t->slot = NO_SLOT;
	return t;
}

void
loop_timer_set(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms)
{
	loop_timer_cancel(t);
	t->due_ms = clock_mono_ms() + (after_ms > 0 ? after_ms : 0);
	t->repeat_ms = repeat_ms > 0 ? repeat_ms : 0;
	heap_insert(t);
}

void
loop_timer_cancel(struct loop_timer *t)
{
	struct loop *l = t->loop;
	size_t i = t->slot;

	if (i == NO_SLOT)
		return;
	t->slot = NO_SLOT;
	if (i == --l->heap_len)
		return;
	heap_put(l, i, l->heap[l->heap_len]);
	heap_up(l, i);
	heap_down(l, l->heap[i]->slot);
}

void
loop_timer_free(struct loop_timer *t)
{
	if (t == NULL)
		return;
	/* After loop_free() the timer is unarmed and t->loop not touched. */
	if (t->slot != NO_SLOT)
		loop_timer_cancel(t);
	free(t);
}

/*
 * Fire what is due now; whatever callbacks arm meanwhile waits for the next
 * round, so that a timer of 0 ms cannot starve the descriptors.
 */
static bool
timers_fire(struct loop *l)
{
	int64_t now = clock_mono_ms();
	size_t n = l->heap_len;
	bool fired = false;

	while (n-- != 0 && l->heap_len != 0 && l->heap[0]->due_ms <= now &&
	       !l->stopped) {
		struct loop_timer *t = l->heap[0];

		loop_timer_cancel(t);
		/* Re-armed first: the callback may cancel or free it. */
		if (t->repeat_ms != 0) {
			t->due_ms += t->repeat_ms;
			if (t->due_ms <= now) /* missed beats are skipped */
				t->due_ms = now + t->repeat_ms;
			heap_insert(t);
		}
		fired = true;
		t->fn(t->ctx);
	}
	return fired;
}

/* --- signals --------------------------------------------------------------- */

static void
signals_read(void *ctx, int fd, int events)
{
	struct loop *l = ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		struct signal_watch *w;

		if (info.ssi_signo >= NSIG)
			continue;
		w = &l->by_signal[info.ssi_signo];
		if (w->fn != NULL)
			w->fn(w->ctx, (int)info.ssi_signo);
	}
}

int
loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *ctx)
{
	int fd;

	if (signo <= 0 || signo >= NSIG)
		return err_set(ERR_INVALID, "signal %d", signo);
	(void)sigaddset(&l->signals, signo);
	if (sigprocmask(SIG_BLOCK, &l->signals, NULL) != 0)
		return err_set_errno(ERR_IO, "sigprocmask");
	fd = signalfd(l->signal_fd, &l->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set_errno(ERR_IO, "signalfd");
	l->signal_fd = fd;
	l->by_signal[signo].fn = fn;
	l->by_signal[signo].ctx = ctx;
	if (l->signal_watch != NULL)
		return 0;
	return loop_fd_add(l, fd, LOOP_READ, signals_read, l, &l->signal_watch);
}

void
loop_child_reset(void)
{
	if (mask_is_saved)
		(void)sigprocmask(SIG_SETMASK, &mask_before, NULL);
	/* An ignored signal would stay ignored across exec. */
	(void)signal(SIGPIPE, SIG_DFL);
}

/* --- processes -------------------------------------------------------------- */

static void
process_ended(void *ctx, int fd, int events)
{
	struct process_watch *p = ctx;
	loop_child_fn *fn = p->fn;
	void *fn_ctx = p->ctx;
	pid_t pid = p->pid;
	int status = -1;

	(void)fd, (void)events;
	if (p->is_child && waitpid(pid, &status, WNOHANG) != pid)
		log_warn("child %d could not be reaped", (int)pid);
	process_free(p);
	fn(fn_ctx, pid, status);
}

static int
watch_process(
    struct loop *l, pid_t pid, bool is_child, loop_child_fn *fn, void *ctx)
{
	struct process_watch *p = xcalloc(1, sizeof(*p));
	int r;

	p->loop = l;
	p->pid = pid;
	p->is_child = is_child;
	p->fn = fn;
	p->ctx = ctx;
	if ((p->pidfd = pidfd_open(pid, 0)) < 0) {
		r = err_set_errno(errno == ESRCH ? ERR_NOT_FOUND : ERR_IO,
		    "pidfd_open(%d)", (int)pid);
		free(p);
		return r;
	}
	r = loop_fd_add(l, p->pidfd, LOOP_READ, process_ended, p, &p->watch);
	if (r != 0) {
		fd_close(&p->pidfd);
		free(p);
		return r;
	}
	p->next = l->processes;
	if (p->next != NULL)
		p->next->prev = p;
	l->processes = p;
	return 0;
}

int
loop_child(struct loop *l, pid_t pid, loop_child_fn *fn, void *ctx)
{
	return watch_process(l, pid, true, fn, ctx);
}

int
loop_process(struct loop *l, pid_t pid, loop_child_fn *fn, void *ctx)
{
	return watch_process(l, pid, false, fn, ctx);
}

/* --- running ------------------------------------------------------------------ */

static int
wait_ms(const struct loop *l, int64_t deadline_ms)
{
	int64_t until = deadline_ms, left;

	if (l->heap_len != 0 && (until < 0 || l->heap[0]->due_ms < until))
		until = l->heap[0]->due_ms;
	if (until < 0)
		return -1;
	left = until - clock_mono_ms();
	if (left < 0)
		return 0;
	return left < INT_MAX ? (int)left : INT_MAX;
}

/* One round of descriptors and timers; *handled tells whether any was due. */
static int
loop_round(struct loop *l, int64_t deadline_ms, bool *handled)
{
	struct epoll_event events[BATCH];
	int i, n;

	n = epoll_wait(l->epoll_fd, events, BATCH, wait_ms(l, deadline_ms));
	if (n < 0 && errno != EINTR)
		return err_set_errno(ERR_IO, "epoll_wait");
	l->depth++;
	for (i = 0; i < n && !l->stopped; i++)
		fd_handle(events[i].data.ptr, events[i].events);
	*handled = n > 0;
	if (timers_fire(l))
		*handled = true;
	if (--l->depth == 0)
		free_dead(l);
	return 0;
}

int
loop_once(struct loop *l, int64_t timeout_ms)
{
	int64_t deadline = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;
	bool handled = false;
	int r;

	do {
		if ((r = loop_round(l, deadline, &handled)) != 0)
			return r;
	} while (!handled && !l->stopped &&
		 (deadline < 0 || clock_mono_ms() < deadline));
	return 0;
}

int
loop_run(struct loop *l)
{
	bool handled;
	int r;

	l->stopped = false;
	while (!l->stopped)
		if ((r = loop_round(l, -1, &handled)) != 0)
			return r;
	return 0;
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}
