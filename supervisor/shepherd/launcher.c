/*
 * Launching an executor in its sandbox: sandbox.h says which of two programs
 * makes it.
 *
 * The order matters.  The child enters the control group and takes its limits
 * before it becomes one of them.  The number of threads is counted per user
 * namespace and limited in the new one: sluice-sandbox is started in there;
 * bwrap makes it, tells the process id of its first process there, and waits.
 */
#include "supervisor/shepherd/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/event/loop.h"
#include "supervisor/shepherd/box.h"
#include "supervisor/shepherd/seccomp.h"

/* bwrap needs a few milliseconds; a machine out of breath some more. */
#define SETUP_TIMEOUT_MS 10000
#define INFO_MAX 4096
/* Exit status of a child that could not become another program. */
#define EXIT_NO_EXEC 126

/* Both ends of everything between us and the child. */
struct pipes {
	int socket[2];
	int output[2];
	int info[2];
	int block[2];
	int seccomp;
};

static void
pipes_close(struct pipes *p)
{
	int i;

	for (i = 0; i < 2; i++) {
		fd_close(&p->socket[i]);
		fd_close(&p->output[i]);
		fd_close(&p->info[i]);
		fd_close(&p->block[i]);
	}
	fd_close(&p->seccomp);
}

/*
 * Its writer is a reader, too: bwrap would die of writing when we are gone,
 * between its two processes, of which one waits for the other then.
 */
static int
info_open(int info[2])
{
	char path[40];
	int fd;

	if (pipe2(info, O_CLOEXEC) != 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", info[1]);
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return -1;
	(void)close(info[1]);
	info[1] = fd;
	return 0;
}

/* Nobody waits for anybody in a box. */
static int
pipes_open(struct pipes *p, bool in_box)
{
	int r;

	memset(p, -1, sizeof(*p));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->socket) !=
		0 ||
	    pipe2(p->output, O_CLOEXEC) != 0 ||
	    (!in_box &&
		(info_open(p->info) != 0 || pipe2(p->block, O_CLOEXEC) != 0)))
		r = err_set_errno(ERR_IO, "pipes to the executor");
	else if ((r = fd_set_nonblock(p->socket[0])) == 0 &&
		 (r = fd_set_nonblock(p->output[0])) == 0)
		r = seccomp_filter_open(&p->seccomp);
	if (r != 0)
		pipes_close(p);
	return r;
}

/*
 * Put the descriptors at the numbers that sandbox.h names, everything else
 * closes.  They are moved out of the way first: one may stand where another
 * belongs.
 */
static int
place_fds(const struct pipes *p, int end)
{
	int from[SANDBOX_FD_END], fd;

	from[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	from[1] = p->output[1];
	from[2] = p->output[1];
	from[SANDBOX_FD_SOCKET] = p->socket[1];
	from[SANDBOX_FD_SECCOMP] = p->seccomp;
	from[SANDBOX_FD_INFO] = p->info[1];
	from[SANDBOX_FD_BLOCK] = p->block[0];
	for (fd = 0; fd < end; fd++)
		if ((from[fd] = fcntl(from[fd], F_DUPFD_CLOEXEC, end)) < 0)
			return -1;
	for (fd = 0; fd < end; fd++)
		if (dup2(from[fd], fd) < 0)
			return -1;
	return close_range((unsigned)end, ~0U, 0);
}

/* What a child needs to become the program that makes the sandbox. */
struct child {
	const struct pipes *pipes;
	const struct limits *limits;
	const struct cgroup *cgroup;
	char **argv;
	pid_t parent;
	bool in_box;
	bool is_guarded; /* what bwrap starts looks whether we are there */
	volatile bool has_failed;
};

/* Our end of the socket is open in us alone, once all others are closed. */
static bool
parent_is_gone(const struct child *c)
{
	struct pollfd pfd = { .fd = SANDBOX_FD_SOCKET };

	/* There is no number for it in another process namespace. */
	return c->in_box ? poll(&pfd, 1, 0) != 0 : getppid() != c->parent;
}

static void __attribute__((noreturn)) become(struct child *c)
{
	static char *const no_environment[] = { NULL };
	const char *what;

	if (cgroup_enter(c->cgroup) != 0 || limits_apply_self(c->limits) != 0 ||
	    (c->in_box && (limits_apply_inner(c->limits, 0) != 0 ||
			      box_keep_privileges() != 0))) {
		what = err_text();
		goto fail;
	}
	if (!cgroup_limits_cpu(c->cgroup))
		cores_apply();
	loop_child_reset();
	(void)signal(SIGPIPE, SIG_DFL);
	what = "cannot place descriptors";
	if (place_fds(
		c->pipes, c->in_box ? SANDBOX_FD_BOX_END : SANDBOX_FD_END) != 0)
		goto fail;
	/*
	 * bwrap asks for its end with ours by itself, when its first process
	 * inside is on its own way and watched by sluice-sandbox; killed any
	 * earlier it would leave that one behind.
	 */
	what = "parent is gone";
	if ((!c->is_guarded && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) ||
	    parent_is_gone(c))
		goto fail;
	(void)execve(c->argv[0], c->argv, no_environment);
	what = "cannot execute the program that makes sandboxes";
fail:
	c->has_failed = true;
	(void)!write(STDERR_FILENO, what, strlen(what));
	_exit(EXIT_NO_EXEC);
}

static int
become_box(void *ctx)
{
	become(ctx);
}

/*
 * The child uses our memory until it is another program, and we stand still
 * meanwhile: no page is copied for a process that throws it away.  What it
 * changes is its own in the kernel, or what we do not look at again (the
 * error's record).
 */
static pid_t
start_child(struct child *c, struct launched *out)
{
	pid_t pid;

	if (c->in_box) {
		out->inner = box_clone(become_box, c, &out->inner_fd);
		return out->inner;
	}
	pid = vfork();
	if (pid == 0)
		become(c);
	return pid;
}

/*
 * {"child-pid": 123, ...}: the number behind the name, once the object is
 * whole: bwrap would die of writing to a pipe that was closed too early.
 */
static pid_t
parse_info(const char *text)
{
	static const char key[] = "\"child-pid\":";
	const char *s = strstr(text, key);
	long pid;

	if (s == NULL || strchr(s, '}') == NULL)
		return -1;
	pid = strtol(s + sizeof(key) - 1, NULL, 10);
	return pid > 1 ? (pid_t)pid : -1;
}

/* Wait until bwrap has told its inner process, or gave up. */
static int
read_info(int fd, pid_t *inner)
{
	struct buf b = BUF_INIT;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int64_t end = clock_mono_ms() + SETUP_TIMEOUT_MS, left;
	ssize_t n;
	int r = 0;

	*inner = -1;
	while (r == 0 && (*inner = parse_info(buf_str(&b))) < 0) {
		left = end - clock_mono_ms();
		if (left <= 0 || b.len >= INFO_MAX ||
		    poll(&pfd, 1, (int)left) == 0) {
			r = err_set(ERR_TIMEOUT, "bwrap does not answer");
			break;
		}
		n = read(fd, buf_reserve(&b, INFO_MAX), INFO_MAX);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = err_set(ERR_UNSUPPORTED, "bwrap ended");
			break;
		}
		b.len += (size_t)n;
		b.data[b.len] = '\0';
	}
	buf_fini(&b);
	return r;
}

/* The set-up failed: reap bwrap and report what it said. */
static int
setup_failed(struct launched *out, int r)
{
	struct buf b = BUF_INIT;
	ssize_t n;

	launcher_kill(out);
	while (waitpid(out->pid, NULL, 0) < 0 && errno == EINTR)
		;
	n = read(out->output, buf_reserve(&b, INFO_MAX), INFO_MAX);
	if (n > 0) {
		b.data[n] = '\0';
		b.data[strcspn(b.data, "\n")] = '\0';
		r = err_set(r, "cannot make the sandbox: %s", b.data);
	} else {
		r = err_wrap("cannot make the sandbox");
	}
	buf_fini(&b);
	return r;
}

/* Our copies of the child's ends, so that its end is seen. */
static void
keep_ends(struct pipes *p, struct launched *out)
{
	out->socket = p->socket[0];
	out->output = p->output[0];
	p->socket[0] = p->output[0] = -1;
	fd_close(&p->info[1]);
	fd_close(&p->output[1]);
	fd_close(&p->socket[1]);
	fd_close(&p->block[0]);
}

/* bwrap's first process waits for us, so its number is still its own. */
static int
wait_for_bwrap(
    const struct pipes *p, const struct limits *l, struct launched *out)
{
	int r;

	if ((r = read_info(p->info[0], &out->inner)) != 0)
		return r;
	out->inner_fd = (int)syscall(SYS_pidfd_open, out->inner, 0);
	if (out->inner_fd < 0)
		return err_set_errno(ERR_IO, "pidfd of the sandbox");
	return limits_apply_inner(l, out->inner);
}

int
launcher_start(const struct sandbox *s, const struct limits *l,
    const char *cgroup_dir, const char *name, struct launched *out)
{
	struct child c = { .limits = l, .parent = getpid() };
	struct pipes p;
	int r;

	*out = (struct launched)LAUNCHED_INIT;
	memset(&p, -1, sizeof(p));
	c.pipes = &p;
	if ((r = sandbox_argv(s, &c.argv, &c.in_box)) != 0 ||
	    (r = pipes_open(&p, c.in_box)) != 0)
		goto out;
	c.is_guarded = !c.in_box && s->guard[0] != '\0';
	cgroup_new(cgroup_dir, name, l, &out->cgroup);
	c.cgroup = out->cgroup;
	if (!cgroup_limits_cpu(out->cgroup))
		cores_take(l->cores);
	out->pid = start_child(&c, out);
	if (out->pid < 0) {
		r = err_set_errno(ERR_UNSUPPORTED, "namespaces");
		goto out;
	}
	keep_ends(&p, out);
	if (c.has_failed)
		r = err_set(ERR_UNSUPPORTED, "nothing was started");
	else if (!c.in_box)
		r = wait_for_bwrap(&p, l, out);
	if (r != 0)
		r = setup_failed(out, r);
out:
	/* Closing the other end of block lets bwrap go on. */
	pipes_close(&p);
	sandbox_argv_free(c.argv);
	if (r != 0)
		launcher_close(out);
	return r;
}

/* --- programs of the site ----------------------------------------------------- */

static void __attribute__((noreturn))
become_own(const struct pipes *p, char *const argv[], pid_t parent)
{
	static char *const no_environment[] = { NULL };
	const int from[] = { open("/dev/null", O_RDONLY | O_CLOEXEC),
		p->output[1], p->output[1], p->socket[1] };
	const int n = (int)(sizeof(from) / sizeof(from[0]));
	const char *what = "cannot place descriptors";
	int moved[4];

	loop_child_reset();
	(void)signal(SIGPIPE, SIG_DFL);
	for (int fd = 0; fd < n; fd++)
		if ((moved[fd] = fcntl(from[fd], F_DUPFD_CLOEXEC, n)) < 0)
			goto fail;
	for (int fd = 0; fd < n; fd++)
		if (dup2(moved[fd], fd) < 0)
			goto fail;
	if (close_range((unsigned)n, ~0U, 0) != 0)
		goto fail;
	what = "parent is gone";
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		goto fail;
	(void)execve(argv[0], argv, no_environment);
	what = "cannot execute the program";
fail:
	(void)!write(STDERR_FILENO, what, strlen(what));
	_exit(EXIT_NO_EXEC);
}

int
launcher_start_own(char *const argv[], struct launched *out)
{
	struct pipes p;
	pid_t parent = getpid();
	int r;

	*out = (struct launched)LAUNCHED_INIT;
	if ((r = pipes_open(&p, true)) != 0)
		return r;
	if ((out->pid = fork()) < 0)
		r = err_set_errno(ERR_IO, "fork");
	else if (out->pid == 0)
		become_own(&p, argv, parent);
	if (r == 0) {
		out->socket = p.socket[0];
		out->output = p.output[0];
		p.socket[0] = p.output[0] = -1;
	}
	pipes_close(&p);
	return r;
}

/* --- the end -------------------------------------------------------------------- */

void
launcher_kill(const struct launched *l)
{
	if (l->inner_fd >= 0)
		(void)syscall(
		    SYS_pidfd_send_signal, l->inner_fd, SIGKILL, NULL, 0);
	if (l->pid > 1)
		(void)kill(l->pid, SIGKILL);
}

void
launcher_close(struct launched *l)
{
	fd_close(&l->socket);
	fd_close(&l->output);
	fd_close(&l->inner_fd);
	cgroup_free(l->cgroup);
	*l = (struct launched)LAUNCHED_INIT;
}
