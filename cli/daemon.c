/*
 * Processes of a site.  Readiness is seen by inotify on run/ (sockets and
 * pid files appear there) and pidfds (a program that ends early); a slow
 * timer only covers the moment between a socket's bind and its listen.
 */
#include "cli/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/share.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define RECHECK_MS 20
#define CMDLINE_MAX (64 * 1024)
#define LOG_TAIL 2000 /* bytes shown of a log */

extern char **environ;

/* --- what each program is ----------------------------------------------------- */

/* PROGRAM --config FILE */
static char **
own_program_argv(const struct site_conf *conf, const char *name)
{
	char **argv, *program = share_program(name);

	if (program == NULL)
		return NULL;
	argv = xcalloc(4, sizeof(*argv));
	argv[0] = program;
	argv[1] = xstrdup("--config");
	argv[2] = xstrdup(conf->path);
	return argv;
}

static char **
fcgi_argv(const struct site_conf *conf)
{
	return own_program_argv(conf, "sluice-fcgi");
}

static char **
supervisor_argv(const struct site_conf *conf)
{
	return own_program_argv(conf, "sluice-supervisor");
}

static char **
nginx_argv(const struct site_conf *conf)
{
	char **argv = xcalloc(8, sizeof(*argv));

	argv[0] = xstrdup(
	    access("/usr/sbin/nginx", X_OK) == 0 ? "/usr/sbin/nginx" : "nginx");
	argv[1] = xstrdup("-p");
	argv[2] = xstrdup(conf->home);
	argv[3] = xstrdup("-c");
	argv[4] = site_path(conf, "nginx.conf");
	argv[5] = xstrdup("-g");
	argv[6] = xstrdup("daemon off;");
	return argv;
}

static void
free_argv(char **argv)
{
	size_t i;

	for (i = 0; argv != NULL && argv[i] != NULL; i++)
		free(argv[i]);
	free(argv);
}

/* Does somebody listen at (or, datagram, hold) this socket? */
static bool
socket_answers(const struct site_conf *conf, const char *relative, int type)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char *path = site_path(conf, "%s", relative);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	bool ok = false;

	if (fd >= 0 && strlen(path) < sizeof(sa.sun_path)) {
		memcpy(sa.sun_path, path, strlen(path) + 1);
		ok = connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0;
	}
	fd_close(&fd);
	free(path);
	return ok;
}

static bool
fcgi_ready(const struct site_conf *conf)
{
	return daemon_pid(&daemon_fcgi, conf) != 0 &&
	       socket_answers(conf, SITE_FCGI_SOCKET, SOCK_STREAM) &&
	       socket_answers(conf, SITE_FCGI_PARTNER_SOCKET, SOCK_STREAM);
}

static bool
supervisor_ready(const struct site_conf *conf)
{
	return daemon_pid(&daemon_supervisor, conf) != 0 &&
	       socket_answers(conf, SITE_SUPERVISOR_SOCKET, SOCK_DGRAM);
}

/* Each program writes its own pid file; nginx does once it listens. */
static bool
nginx_ready(const struct site_conf *conf)
{
	return daemon_pid(&daemon_nginx, conf) != 0;
}

const struct daemon_def daemon_fcgi = { "fcgi-app", fcgi_argv, fcgi_ready };
const struct daemon_def daemon_supervisor = {
	"supervisor",
	supervisor_argv,
	supervisor_ready,
};
/* sluice site keep --home HOME */
static char **
keeper_argv(const struct site_conf *conf)
{
	char **argv, *program = share_program("sluice");

	if (program == NULL)
		return NULL;
	argv = xcalloc(6, sizeof(*argv));
	argv[0] = program;
	argv[1] = xstrdup("site");
	argv[2] = xstrdup("keep");
	argv[3] = xstrdup("--home");
	argv[4] = xstrdup(conf->home);
	return argv;
}

static bool
keeper_ready(const struct site_conf *conf)
{
	return daemon_pid(&daemon_keeper, conf) != 0;
}

const struct daemon_def daemon_keeper = {
	"keeper",
	keeper_argv,
	keeper_ready,
};
const struct daemon_def daemon_nginx = { "nginx", nginx_argv, nginx_ready };

/* --- finding ----------------------------------------------------------------------- */

/* The command line of a process, blanks between arguments. */
static bool
read_cmdline(pid_t pid, struct buf *out)
{
	char *path = xasprintf("/proc/%d/cmdline", (int)pid);
	size_t i;
	bool ok;

	ok = buf_read_file(out, path, CMDLINE_MAX) == 0 && out->len != 0;
	for (i = 0; ok && i < out->len; i++)
		if (out->data[i] == '\0')
			out->data[i] = ' ';
	free(path);
	return ok;
}

/* Does the process run this program for this site? */
static bool
is_site_process(pid_t pid, const char *program, const struct site_conf *conf)
{
	struct buf line = BUF_INIT;
	char *config = xasprintf(" %s ", conf->path);
	char *home = xasprintf(" %s ", conf->home);
	bool ok;

	/* A blank behind the end, so that whole arguments are compared. */
	ok = read_cmdline(pid, &line);
	if (ok) {
		buf_putc(&line, ' ');
		ok = strstr(line.data, program) != NULL &&
		     (strstr(line.data, config) != NULL ||
			 strstr(line.data, home) != NULL);
	}
	buf_fini(&line);
	free(config);
	free(home);
	return ok;
}

static const char *
program_of(const struct daemon_def *d)
{
	if (d == &daemon_fcgi)
		return "sluice-fcgi";
	if (d == &daemon_keeper)
		return "sluice site keep";
	return d == &daemon_supervisor ? "sluice-supervisor" : "nginx";
}

static char *
pid_path(const struct daemon_def *d, const struct site_conf *conf)
{
	return site_path(conf, SITE_RUN "/%s.pid", d->name);
}

/* What the pid file says, true or stale; 0 when it says nothing. */
static pid_t
written_pid(const struct daemon_def *d, const struct site_conf *conf)
{
	char *path = pid_path(d, conf);
	struct buf text = BUF_INIT;
	int64_t pid = 0;

	if (buf_read_file(&text, path, 64) == 0 && text.len != 0) {
		text.data[strcspn(text.data, "\n")] = '\0';
		if (str_to_int64(text.data, 2, INT32_MAX, &pid) != 0)
			pid = 0;
	}
	buf_fini(&text);
	free(path);
	return (pid_t)pid;
}

pid_t
daemon_pid(const struct daemon_def *d, const struct site_conf *conf)
{
	pid_t pid = written_pid(d, conf);

	return pid != 0 && is_site_process(pid, program_of(d), conf) ? pid : 0;
}

/* --- starting -------------------------------------------------------------------------- */

static int
spawn(char **argv, const char *log, pid_t *out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int e;

	(void)sigemptyset(&none);
	if (posix_spawn_file_actions_init(&actions) != 0 ||
	    posix_spawnattr_init(&attr) != 0)
		return err_set(ERR_NOMEM, "start %s", argv[0]);
	e = posix_spawn_file_actions_addopen(
	    &actions, 0, "/dev/null", O_RDONLY, 0);
	if (e == 0)
		e = posix_spawn_file_actions_addopen(
		    &actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0640);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(&actions, 1, 2);
	/* Descriptors of whoever called us (locks, pipes) stay here. */
	if (e == 0)
		e = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (e == 0)
		e = posix_spawnattr_setflags(
		    &attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
	if (e == 0)
		e = posix_spawnattr_setsigmask(&attr, &none);
	if (e == 0)
		e = posix_spawnp(out, argv[0], &actions, &attr, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	if (e == 0)
		return 0;
	errno = e;
	return err_set_errno(ERR_IO, "start %s", argv[0]);
}

int
daemon_start(
    const struct daemon_def *d, const struct site_conf *conf, pid_t *out)
{
	char **argv = d->argv(conf);
	char *log = site_path(conf, SITE_LOGS "/%s.log", d->name);
	int r;

	if (argv == NULL)
		r = err_code();
	else
		r = spawn(argv, log, out);
	free_argv(argv);
	free(log);
	return r;
}

/* Whole lines from the end of a log, without the last newline; the caller's. */
static char *
last_lines(const struct buf *log)
{
	const char *text = buf_str(log), *line;
	size_t len = log->len;

	while (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > LOG_TAIL) {
		text += len - LOG_TAIL;
		len = LOG_TAIL;
		line = memchr(text, '\n', len);
		if (line != NULL) {
			len -= (size_t)(line + 1 - text);
			text = line + 1;
		}
	}
	return xstrndup(text, len);
}

static int
ended_early(const struct daemon_def *d, const struct site_conf *conf)
{
	char *path = site_path(conf, SITE_LOGS "/%s.log", d->name);
	struct buf text = BUF_INIT;
	char *tail;

	(void)buf_read_file(&text, path, 64 * 1024 * 1024);
	tail = last_lines(&text);
	(void)err_set(ERR_INTERNAL, "%s ended at once; %s ends with:\n%s",
	    d->name, path, tail);
	free(tail);
	buf_fini(&text);
	free(path);
	return ERR_INTERNAL;
}

/* Something in run/ changed or a program ended: the loop only wakes up. */
static void
on_change(void *ctx, int fd, int events)
{
	char buf[4096];

	(void)ctx, (void)events;
	while (read(fd, buf, sizeof(buf)) > 0)
		continue;
}

static void
on_recheck(void *ctx)
{
	(void)ctx;
}

static int
watch_run(struct loop *loop, const struct site_conf *conf, int *fd,
    struct loop_fd **watch)
{
	char *run = site_path(conf, SITE_RUN);
	int r = 0;

	*fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (*fd < 0 || inotify_add_watch(*fd, run,
			   IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
		r = err_set_errno(ERR_IO, "watch %s", run);
	else
		r = loop_fd_add(loop, *fd, LOOP_READ, on_change, NULL, watch);
	free(run);
	return r;
}

static bool
has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	/* Zombies stay: they are reaped when this program ends. */
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
		   0 &&
	       info.si_pid == pid;
}

int
daemon_wait_ready(const struct daemon_def *const *d, const pid_t *pids,
    size_t n, const struct site_conf *conf, int64_t timeout_ms)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	struct loop *loop = NULL;
	struct loop_fd *watch = NULL;
	struct loop_timer *timer = NULL;
	int fd = -1, r;
	size_t i = 0;

	if ((r = loop_new(&loop)) != 0 ||
	    (r = watch_run(loop, conf, &fd, &watch)) != 0)
		goto out;
	timer = loop_timer_new(loop, on_recheck, NULL);
	loop_timer_set(timer, RECHECK_MS, RECHECK_MS);
	while (i < n && r == 0) {
		if (d[i]->is_ready(conf))
			i++;
		else if (pids[i] != 0 && has_ended(pids[i]))
			r = ended_early(d[i], conf);
		else if (clock_mono_ms() > deadline)
			r = err_set(ERR_TIMEOUT,
			    "%s is not ready after %" PRId64 " ms", d[i]->name,
			    timeout_ms);
		else
			r = loop_once(loop, RECHECK_MS);
	}
out:
	loop_fd_del(watch);
	loop_timer_free(timer);
	loop_free(loop);
	fd_close(&fd);
	return r;
}

/* --- stopping ---------------------------------------------------------------------------- */

static bool
wait_gone(int pidfd, int64_t timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t deadline = clock_mono_ms() + timeout_ms;
	int64_t left;
	int n;

	do {
		left = deadline - clock_mono_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

int
daemon_stop(pid_t pid, int64_t timeout_ms)
{
	int pidfd = pidfd_open(pid, 0);
	int r = 0;

	if (pidfd < 0)
		return errno == ESRCH
			   ? 0
			   : err_set_errno(ERR_IO, "process %d", (int)pid);
	/* Through the descriptor: the number may be another's by now. */
	if (pidfd_send_signal(pidfd, SIGTERM, NULL, 0) != 0 && errno != ESRCH)
		r = err_set_errno(ERR_DENIED, "stop process %d", (int)pid);
	if (r == 0 && !wait_gone(pidfd, timeout_ms)) {
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		if (!wait_gone(pidfd, timeout_ms))
			r = err_set(
			    ERR_TIMEOUT, "process %d does not end", (int)pid);
	}
	fd_close(&pidfd);
	return r;
}

/* Is this a process of that name in that session? (proc(5), stat) */
static bool
is_in_session(pid_t pid, const char *program, pid_t session)
{
	char *path = xasprintf("/proc/%d/stat", (int)pid);
	struct buf text = BUF_INIT;
	const char *open, *close;
	int its = 0;
	bool named = false;

	if (buf_read_file(&text, path, 4096) == 0 && text.len != 0 &&
	    (open = strchr(text.data, '(')) != NULL &&
	    (close = strrchr(text.data, ')')) != NULL) {
		/* The kernel keeps 15 characters of a name. */
		named =
		    strncmp(open + 1, program, (size_t)(close - open - 1)) == 0;
		(void)sscanf(close + 1, " %*c %*d %*d %d", &its);
	}
	buf_fini(&text);
	free(path);
	return named && its == session;
}

int
daemon_stop_orphans(const struct daemon_def *d, const struct site_conf *conf,
    int64_t timeout_ms)
{
	pid_t session = written_pid(d, conf);
	const struct dirent *e;
	DIR *proc;
	int64_t pid;
	int r = 0;

	if (session == 0 || daemon_pid(d, conf) != 0)
		return 0;
	if ((proc = opendir("/proc")) == NULL)
		return err_set_errno(ERR_IO, "/proc");
	while (r == 0 && (e = readdir(proc)) != NULL)
		if (str_to_int64(e->d_name, 2, INT32_MAX, &pid) == 0 &&
		    is_in_session((pid_t)pid, program_of(d), session))
			r = daemon_stop((pid_t)pid, timeout_ms);
	(void)closedir(proc);
	return r;
}

bool
daemon_is_shepherd(pid_t pid, const struct site_conf *conf)
{
	return is_site_process(pid, "sluice-shepherd", conf);
}

int
daemon_stop_shepherds(
    const struct site_conf *conf, int64_t timeout_ms, size_t *n)
{
	const struct dirent *e;
	DIR *proc = opendir("/proc");
	int64_t pid;
	int r = 0, one;

	*n = 0;
	if (proc == NULL)
		return err_set_errno(ERR_IO, "/proc");
	while ((e = readdir(proc)) != NULL) {
		if (str_to_int64(e->d_name, 2, INT32_MAX, &pid) != 0 ||
		    !daemon_is_shepherd((pid_t)pid, conf))
			continue;
		(*n)++;
		if ((one = daemon_stop((pid_t)pid, timeout_ms)) != 0)
			r = one;
	}
	(void)closedir(proc);
	return r;
}
