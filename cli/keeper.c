/*
 * Watching the programs of a site by pidfds.  Run by site_run.c.
 */
#include "cli/keeper.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define STOP_MS 10000
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 10000
/* Who ran for so long had no trouble starting. */
#define STEADY_MS 60000

struct keeper {
	const struct site_conf *conf;
	struct loop *loop;
};

struct kept {
	struct keeper *keeper;
	const struct daemon_def *def;
	struct loop_timer *again;
	int64_t started_ms, pause_ms;
};

static void on_end(void *ctx, pid_t pid, int status);

static void
later(struct kept *k)
{
	loop_timer_set(k->again, k->pause_ms, 0);
	k->pause_ms =
	    k->pause_ms * 2 < PAUSE_MAX_MS ? k->pause_ms * 2 : PAUSE_MAX_MS;
}

static void
watch(struct kept *k, pid_t pid, bool is_child)
{
	struct loop *l = k->keeper->loop;
	int r;

	k->started_ms = clock_mono_ms();
	r = is_child ? loop_child(l, pid, on_end, k)
		     : loop_process(l, pid, on_end, k);
	if (r != 0) {
		log_err("%s", k->def->name);
		later(k);
	}
}

/* Whoever runs is watched, be it that somebody else started it meanwhile. */
static void
start(void *ctx)
{
	struct kept *k = ctx;
	const struct site_conf *conf = k->keeper->conf;
	pid_t pid = daemon_pid(k->def, conf);

	if (pid != 0) {
		watch(k, pid, false);
		return;
	}
	if (daemon_stop_orphans(k->def, conf, STOP_MS) != 0 ||
	    daemon_start(k->def, conf, &pid) != 0) {
		log_err("%s", k->def->name);
		later(k);
		return;
	}
	log_info("%s is started again, pid %d", k->def->name, (int)pid);
	watch(k, pid, true);
}

static void
on_end(void *ctx, pid_t pid, int status)
{
	struct kept *k = ctx;

	if (clock_mono_ms() - k->started_ms >= STEADY_MS)
		k->pause_ms = PAUSE_MIN_MS;
	/* -1: it is nobody's child of ours, how it ended is not known. */
	log_warn("%s, pid %d, ended (status %d); started again in %" PRId64
		 " ms",
	    k->def->name, (int)pid, status, k->pause_ms);
	later(k);
}

static void
on_stop(void *ctx, int signo)
{
	struct keeper *kp = ctx;

	(void)signo;
	loop_stop(kp->loop);
}

/* run/keeper.pid, locked as long as we live. */
static int
lock_pid(const struct site_conf *conf, char **path, int *fd)
{
	char *text = xasprintf("%d\n", (int)getpid());
	int r = 0;

	*path = site_path(conf, SITE_RUN "/%s.pid", daemon_keeper.name);
	*fd = open(*path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (*fd < 0)
		r = err_set_errno(ERR_IO, "open %s", *path);
	else if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
		r = err_set(ERR_EXISTS, "the site has a keeper already");
	else if (ftruncate(*fd, 0) != 0)
		r = err_set_errno(ERR_IO, "write %s", *path);
	else
		r = fd_write_all(*fd, text, strlen(text));
	free(text);
	return r;
}

static int
keep(struct keeper *kp, const struct daemon_def *const *defs, size_t n)
{
	struct kept *list = mem_array(n, sizeof(*list));
	size_t i;
	int r;

	if (list == NULL)
		return err_set(ERR_NOMEM, "keeper");
	for (i = 0; i < n; i++) {
		list[i] = (struct kept){ kp, defs[i], NULL, 0, PAUSE_MIN_MS };
		list[i].again = loop_timer_new(kp->loop, start, &list[i]);
		start(&list[i]);
	}
	r = loop_run(kp->loop);
	for (i = 0; i < n; i++)
		loop_timer_free(list[i].again);
	free(list);
	return r;
}

int
keeper_run(const struct site_conf *conf, const struct daemon_def *const *defs,
    size_t n)
{
	struct keeper kp = { .conf = conf };
	char *path = NULL;
	int fd = -1, r;

	log_init("keeper", LOG_INFO_);
	if ((r = lock_pid(conf, &path, &fd)) == 0 &&
	    (r = loop_new(&kp.loop)) == 0 &&
	    (r = loop_signal(kp.loop, SIGTERM, on_stop, &kp)) == 0) {
		r = keep(&kp, defs, n);
		(void)unlink(path);
	}
	loop_free(kp.loop);
	fd_close(&fd);
	free(path);
	return r;
}
