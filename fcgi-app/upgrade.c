/*
 * From one program to the next.  Called by main.c; only the parent of the
 * workers does this, which reads nobody's bytes.
 */
#include "fcgi-app/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#define CHECK_MS 20000
#define SOCKETS "--sockets"

static char self[PATH_MAX];
static char **arguments;

int
upgrade_note(char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return err_set_errno(ERR_IO, "/proc/self/exe");
	self[n] = '\0';
	arguments = argv;
	return 0;
}

/* The arguments of the start, without sockets handed over, and more; freed by
 * the caller, the strings are borrowed. */
static char **
with(const char *more, const char *value)
{
	size_t n = 0, kept = 0;
	char **argv;

	while (arguments[n] != NULL)
		n++;
	argv = xcalloc(n + 3, sizeof(*argv));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(arguments[i], SOCKETS) == 0 && i + 1 < n)
			i++;
		else
			argv[kept++] = arguments[i];
	}
	argv[kept++] = (char *)(uintptr_t)more;
	argv[kept] = (char *)(uintptr_t)value;
	return argv;
}

/* In a child: the parent has some of them blocked. */
static void
unblock_all(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int
wait_for(pid_t pid)
{
	struct pollfd p = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	int status = -1, n;

	do {
		n = p.fd < 0 ? -1 : poll(&p, 1, CHECK_MS);
	} while (n < 0 && p.fd >= 0 && errno == EINTR);
	fd_close(&p.fd);
	if (n <= 0)
		(void)kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		return err_set_errno(ERR_INTERNAL, "%s", self);
	if (n <= 0)
		return err_set(ERR_INTERNAL,
		    "%s takes more than %d s to check its surroundings", self,
		    CHECK_MS / 1000);
	if (status != 0)
		return err_set(
		    ERR_INTERNAL, "%s would not start (%d)", self, status);
	return 0;
}

int
upgrade_check(void)
{
	char **argv = with("--check", NULL);
	pid_t pid;
	int r;

	if ((pid = fork()) == 0) {
		unblock_all();
		(void)execv(self, argv);
		_exit(127);
	}
	r = pid < 0 ? err_set_errno(ERR_INTERNAL, "fork") : wait_for(pid);
	free(argv);
	return r;
}

static int
keep_open(const int fds[], size_t n, int flags)
{
	for (size_t i = 0; i < n; i++)
		if (fcntl(fds[i], F_SETFD, flags) != 0)
			return err_set_errno(ERR_INTERNAL, "sockets");
	return 0;
}

int
upgrade_become(const int fds[], size_t n)
{
	struct buf text = BUF_INIT;
	char **argv;
	int r;

	for (size_t i = 0; i < n; i++)
		buf_printf(&text, i == 0 ? "%d" : ",%d", fds[i]);
	argv = with(SOCKETS, text.data);
	if ((r = keep_open(fds, n, 0)) == 0) {
		/* Signals stay blocked: one that has come meanwhile is the
		 * new program's to handle, and would end this one. */
		(void)execv(self, argv);
		r = err_set_errno(ERR_INTERNAL, "%s", self);
		(void)keep_open(fds, n, FD_CLOEXEC);
	}
	buf_fini(&text);
	free(argv);
	return r;
}

static bool
listens(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 &&
	       yes != 0;
}

int
upgrade_sockets(const char *text, int fds[], size_t n)
{
	char *copy = xstrdup(text), *at = copy, *one;
	int64_t fd;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		one = strsep(&at, ",");
		if (one == NULL || str_to_int64(one, 3, INT_MAX, &fd) != 0 ||
		    !listens((int)fd))
			r = err_set(ERR_INVALID,
			    "--sockets takes %zu listening sockets that were "
			    "handed over",
			    n);
		else
			fds[i] = (int)fd;
	}
	if (r == 0)
		r = keep_open(fds, n, FD_CLOEXEC);
	free(copy);
	return r;
}
