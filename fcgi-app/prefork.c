/*
 * The parent of the workers.  Called by main.c; it opens no database and
 * reads nobody's bytes, so there is little that could end it.
 */
#include "fcgi-app/prefork.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define YOUNG_MS 2000  /* an end before this age counts as a failure */
#define BACKOFF_MS 100 /* after the second young death, then doubled */
#define BACKOFF_MAX_MS 10000
#define STOP_MS 30000 /* for the requests that are under way */

struct slot {
	pid_t pid; /* 0: none runs */
	int64_t started_ms;
	int64_t due_ms;	  /* when pid is 0: start no earlier */
	int young_deaths; /* in a row */
};

struct parent {
	const struct prefork *conf;
	struct slot *slots;
	sigset_t handled;
	sigset_t unblocked; /* without those */
	bool stopping;
	int64_t stop_by_ms;
};

static void
start(struct parent *p, struct slot *s)
{
	pid_t me = getpid(), pid;

	if ((pid = fork()) < 0) {
		err_set_errno(ERR_INTERNAL, "fork");
		log_err("no new worker");
		s->due_ms = clock_mono_ms() + BACKOFF_MS;
		return;
	}
	if (pid == 0) {
		/* The socket must not stay open behind a dead parent. */
		(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != me)
			_exit(1);
		exit(p->conf->work(
		    p->conf->ctx, (int)(s - p->slots), &p->unblocked));
	}
	s->pid = pid;
	s->started_ms = clock_mono_ms();
}

static void
ended(struct parent *p, struct slot *s, int status)
{
	int64_t now = clock_mono_ms(), delay = 0;
	int n;

	if (WIFSIGNALED(status))
		log_warn("worker %d died of signal %d", (int)s->pid,
		    WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_warn("worker %d ended with status %d", (int)s->pid,
		    WEXITSTATUS(status));
	if (status != 0 && now - s->started_ms < YOUNG_MS)
		s->young_deaths++;
	else
		s->young_deaths = 0;
	if ((n = s->young_deaths) > 1) {
		delay = (int64_t)BACKOFF_MS << (n - 2 < 7 ? n - 2 : 7);
		if (delay > BACKOFF_MAX_MS)
			delay = BACKOFF_MAX_MS;
		log_warn("workers die young: the next one starts in %lld ms",
		    (long long)delay);
	}
	s->pid = 0;
	s->due_ms = now + delay;
	if (delay == 0 && !p->stopping)
		start(p, s);
}

static void
reap(struct parent *p)
{
	pid_t pid;
	int i, status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < p->conf->workers; i++) {
			if (p->slots[i].pid == pid)
				ended(p, &p->slots[i], status);
		}
	}
}

static void
signal_all(const struct parent *p, int signo)
{
	int i;

	for (i = 0; i < p->conf->workers; i++) {
		if (p->slots[i].pid != 0)
			(void)kill(p->slots[i].pid, signo);
	}
}

/* Start what is due; how long until the next one, or until the last wait. */
static int64_t
start_due(struct parent *p)
{
	int64_t now = clock_mono_ms(), wait_ms = 60000, left;
	int i;

	if (p->stopping)
		return p->stop_by_ms > now ? p->stop_by_ms - now : 0;
	for (i = 0; i < p->conf->workers; i++) {
		if (p->slots[i].pid != 0)
			continue;
		left = p->slots[i].due_ms - now;
		if (left <= 0)
			start(p, &p->slots[i]);
		else if (left < wait_ms)
			wait_ms = left;
	}
	return wait_ms;
}

static bool
any_runs(const struct parent *p)
{
	int i;

	for (i = 0; i < p->conf->workers; i++) {
		if (p->slots[i].pid != 0)
			return true;
	}
	return false;
}

static void
handle(struct parent *p, int signo)
{
	switch (signo) {
	case SIGCHLD:
		reap(p);
		break;
	case SIGHUP:
		p->conf->reload(p->conf->ctx);
		/* They finish their request; new ones come with the new conf. */
		signal_all(p, SIGTERM);
		break;
	case SIGUSR2:
		if (p->stopping || p->conf->upgrade(p->conf->ctx) != 0)
			break;
		signal_all(p, SIGTERM);
		p->conf->become(p->conf->ctx);
		break;
	case SIGTERM:
	case SIGINT:
		if (p->stopping)
			break;
		p->stopping = true;
		p->stop_by_ms = clock_mono_ms() + STOP_MS;
		signal_all(p, SIGTERM);
		break;
	default:
		break;
	}
}

static const int handled[] = { SIGCHLD, SIGHUP, SIGUSR2, SIGTERM, SIGINT };
#define N_HANDLED (sizeof(handled) / sizeof(handled[0]))

void
prefork_hold_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < N_HANDLED; i++)
		(void)sigaddset(&set, handled[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

int
prefork_run(const struct prefork *conf)
{
	struct parent p = { .conf = conf };
	struct timespec ts;
	int64_t wait_ms;
	int signo;

	prefork_hold_signals();
	if (sigprocmask(SIG_BLOCK, NULL, &p.unblocked) != 0)
		return err_set_errno(ERR_INTERNAL, "sigprocmask");
	(void)sigemptyset(&p.handled);
	for (size_t i = 0; i < N_HANDLED; i++) {
		(void)sigaddset(&p.handled, handled[i]);
		(void)sigdelset(&p.unblocked, handled[i]);
	}
	p.slots = xcalloc((size_t)conf->workers, sizeof(*p.slots));
	for (;;) {
		wait_ms = start_due(&p);
		if (p.stopping && !any_runs(&p))
			break;
		if (p.stopping && wait_ms == 0) {
			log_warn("requests took too long to end");
			signal_all(&p, SIGKILL);
			wait_ms = 1000;
		}
		ts.tv_sec = wait_ms / 1000;
		ts.tv_nsec = wait_ms % 1000 * 1000000;
		signo = sigtimedwait(&p.handled, NULL, &ts);
		if (signo > 0)
			handle(&p, signo);
	}
	free(p.slots);
	return 0;
}
