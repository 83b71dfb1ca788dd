/*
 * Keeping a nursery and asking it.  Owned by main.c, used by launch.c.
 */
#include "supervisor/nursery.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "supervisor/processes.h"
#include "supervisor/spawn.h"

/* One that does not live is not started more often than this; one that did
 * not answer, for which all else had to wait, ever more rarely. */
#define PAUSE_MS 1000
#define PAUSE_MAX_MS 60000

struct nursery {
	struct loop *loop;
	const struct site_conf *conf;
	pid_t pid; /* 0: there is none */
	int fd;
	struct loop_fd *watch;
	int64_t not_before_ms; /* monotonic */
	int64_t pause_ms;
};

/* --- its life ------------------------------------------------------------- */

/* Afterwards it forks nobody any more. */
static void
drop(struct nursery *n)
{
	loop_fd_del(n->watch);
	n->watch = NULL;
	fd_close(&n->fd);
	if (n->pid == 0)
		return;
	(void)kill(n->pid, SIGKILL);
	while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
		;
	n->pid = 0;
}

/* Between requests it says nothing: it has ended. */
static void
on_gone(void *ctx, int fd, int events)
{
	struct nursery *n = ctx;

	(void)fd, (void)events;
	log_warn("the nursery of shepherds ended");
	drop(n);
}

static int
begin(struct nursery *n)
{
	int pair[2], r;

	n->not_before_ms = clock_mono_ms() + n->pause_ms;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set_errno(ERR_IO, "nursery's socket");
	r = spawn_nursery(n->conf, pair[1], &n->pid);
	fd_close(&pair[1]);
	n->fd = pair[0];
	if (r == 0)
		r = loop_fd_add(
		    n->loop, n->fd, LOOP_READ, on_gone, n, &n->watch);
	if (r != 0)
		drop(n);
	return r;
}

struct nursery *
nursery_new(struct loop *loop, const struct site_conf *conf)
{
	struct nursery *n = xcalloc(1, sizeof(*n));

	n->loop = loop;
	n->conf = conf;
	n->fd = -1;
	n->pause_ms = PAUSE_MS;
	if (begin(n) != 0)
		log_err("no nursery");
	return n;
}

void
nursery_free(struct nursery *n)
{
	if (n == NULL)
		return;
	drop(n);
	free(n);
}

pid_t
nursery_pid(const struct nursery *n)
{
	return n->pid;
}

/* --- asking ------------------------------------------------------------------ */

/* 0 when it answered; otherwise nobody knows what it did. */
static int
ask(const struct nursery *n, const char *attempt_id, int32_t *result)
{
	struct nursery_request q;
	struct nursery_reply r;
	struct pollfd p = { .fd = n->fd, .events = POLLIN };
	int64_t end, left;
	int got;

	memcpy(q.attempt_id, attempt_id, sizeof(q.attempt_id));
	if (send(n->fd, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    sizeof(q))
		return err_set_errno(ERR_IO, "ask the nursery");
	end = clock_mono_ms() + NURSERY_PATIENCE_MS;
	do {
		left = end - clock_mono_ms();
		got = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		return err_set(ERR_TIMEOUT, "the nursery does not answer");
	if (got < 0 || recv(n->fd, &r, sizeof(r), MSG_DONTWAIT) != sizeof(r))
		return err_set(ERR_IO, "the nursery ended");
	*result = r.result;
	return 0;
}

/* It may have forked before it died or was ended: then that one is it. */
static int
find(const struct site_conf *conf, const char *attempt_id, pid_t *pid)
{
	struct processes *running;
	int r;

	r = processes_list(conf->shepherd_program, conf->path, &running);
	if (r == 0)
		*pid = processes_find_any(running, attempt_id);
	processes_free(running);
	return r;
}

static void
give_up(struct nursery *n)
{
	if (err_code() == ERR_TIMEOUT) {
		n->pause_ms = n->pause_ms < PAUSE_MAX_MS / 2 ? 2 * n->pause_ms
							     : PAUSE_MAX_MS;
		n->not_before_ms = clock_mono_ms() + n->pause_ms;
	}
	log_err("nursery given up");
	drop(n);
}

/* *pid stays 0 when the shepherd has to be started in the other way. */
static int
ask_once(struct nursery *n, const char *attempt_id, bool *is_stale, pid_t *pid)
{
	int32_t result = 0;

	*is_stale = false;
	if (ask(n, attempt_id, &result) != 0) {
		give_up(n);
		return find(n->conf, attempt_id, pid);
	}
	if (result > 0) {
		*pid = result;
		n->pause_ms = PAUSE_MS;
	} else if (result == NURSERY_STALE) {
		log_info("files of shepherds changed: a new nursery");
		*is_stale = true;
		drop(n);
	} else {
		log_warn("the nursery cannot fork: %s", strerror(-result));
	}
	return 0;
}

int
nursery_start(struct nursery *n, const struct site_conf *conf,
    const char *attempt_id, pid_t *pid)
{
	bool is_stale = true;
	int r = 0;

	*pid = 0;
	/* A new one that is stale, too, reads what is just being written. */
	for (int try = 0; n != NULL && is_stale && try < 2; try++) {
		if (n->pid == 0 &&
		    (try == 1 || clock_mono_ms() >= n->not_before_ms) &&
		    begin(n) != 0)
			log_err("no nursery");
		if (n->pid == 0)
			break;
		if ((r = ask_once(n, attempt_id, &is_stale, pid)) != 0)
			return r;
	}
	return *pid > 0 ? 0 : spawn_shepherd(conf, attempt_id, pid);
}
