/*
 * sluice-sandbox: the last steps before an executor that needs no libraries.
 *
 *   sluice-sandbox [--try] UID GID PROVIDER OUT [OUTSIDE INSIDE]... -- PROGRAM
 *       [ARG]...
 *   sluice-sandbox --guard PROGRAM [ARG]...
 *
 * Its shepherd has already put it into new namespaces of every kind, as the
 * first process of its own, with the control group, the limits and the
 * descriptors of the task.  Here the namespaces are filled with what the task
 * may see (supervisor/shepherd/sandbox.h), every privilege is given up, the
 * filter of system calls is installed, and the program takes over.
 *
 * A program of its own, for it must have nothing of the shepherd's in its
 * memory; small and linked statically, for its start is a part of each task's.
 * What goes wrong is said on descriptor 2, and ends it.
 *
 * The second form is the first process of a sandbox that bubblewrap made: it
 * becomes the program if its shepherd is still there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/shepherd/inside.h"

#define NOBODY "65534"
#define MAX_BINDS 4096
#define MAX_INSTRUCTIONS 4096
/* Somewhere to put the new root; every system has it, as its files do. */
#define STAGE "/tmp"

/* One tree of the host, taken before its path goes out of sight. */
struct bind {
	const char *inside;
	int fd;
};

static struct bind binds[MAX_BINDS];
static size_t n_binds;
static struct sock_filter instructions[MAX_INSTRUCTIONS];

static void __attribute__((noreturn)) fail(const char *what, const char *which)
{
	(void)dprintf(STDERR_FILENO, "cannot make the sandbox: %s %s: %s\n",
	    what, which, strerror(errno));
	_exit(INSIDE_EXIT);
}

static int
must(int r, const char *what, const char *which)
{
	if (r < 0)
		fail(what, which);
	return r;
}

static void __attribute__((noreturn))
refuse(int error, const char *what, const char *which)
{
	errno = error;
	fail(what, which);
}

/* --- who we are --------------------------------------------------------------- */

static void
write_file(const char *path, const char *text)
{
	int fd = must(open(path, O_WRONLY | O_CLOEXEC), "open", path);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		fail("write", path);
	(void)close(fd);
}

/* Inside we are nobody, outside the site's account. */
static void
write_map(const char *path, const char *id)
{
	char line[64];
	int n = snprintf(line, sizeof(line), NOBODY " %s 1", id);

	if (n < 0 || (size_t)n >= sizeof(line))
		refuse(EINVAL, "map", id);
	write_file(path, line);
}

static void
become_nobody(const char *uid, const char *gid)
{
	write_file("/proc/self/setgroups", "deny");
	write_map("/proc/self/gid_map", gid);
	write_map("/proc/self/uid_map", uid);
}

/* --- what there is to see ------------------------------------------------------- */

static void
restrict_mount(
    int fd, const char *path, unsigned flags, uint64_t set, const char *which)
{
	struct mount_attr attr = { .attr_set = set };

	(void)must(mount_setattr(fd, path, flags, &attr, sizeof(attr)),
	    "restrict", which);
}

/*
 * Nothing that is mounted outside from now on comes in.  This is before any
 * tree is taken: what is taken of a tree that follows another one follows it,
 * too, and what came in that way would be bare of all restrictions.
 */
static void
separate(void)
{
	(void)must(
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE | MS_SILENT, NULL),
	    "separate", "/");
}

static void
take(const char *outside, const char *inside, uint64_t set)
{
	struct bind *b = &binds[n_binds];

	if (n_binds >= MAX_BINDS)
		refuse(E2BIG, "bind", outside);
	b->fd = must(open_tree(AT_FDCWD, outside,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE),
	    "bind", outside);
	b->inside = inside;
	restrict_mount(b->fd, "", AT_EMPTY_PATH | AT_RECURSIVE,
	    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | set, outside);
	n_binds++;
}

/* The folders above a place, in the new root, which is where we stand. */
static void
make_parents(const char *place)
{
	char path[256], *slash;

	if ((size_t)snprintf(path, sizeof(path), "%s", place) >= sizeof(path))
		refuse(ENAMETOOLONG, "make", place);
	for (slash = path; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (mkdir(path, 0755) != 0 && errno != EEXIST)
			fail("make", place);
		*slash = '/';
	}
}

static void
put(const struct bind *b)
{
	const char *place = b->inside + 1; /* from where we stand */
	struct stat st;

	make_parents(place);
	(void)must(fstat(b->fd, &st), "look at", b->inside);
	(void)must(S_ISDIR(st.st_mode) ? mkdir(place, 0755)
				       : mknod(place, S_IFREG | 0444, 0),
	    "make", b->inside);
	(void)must(
	    move_mount(b->fd, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH),
	    "mount", b->inside);
}

/*
 * A new root, the task's trees in it, then nothing of the old one: where both
 * are mounted at one place, the old one is on top (pivot_root(2)).
 */
static void
change_root(void)
{
	size_t i;

	(void)must(
	    mount("tmpfs", STAGE, "tmpfs", MS_SILENT, "mode=0755,size=1m"),
	    "mount", STAGE);
	(void)must(chdir(STAGE), "enter", STAGE);
	for (i = 0; i < n_binds; i++)
		put(&binds[i]);
	(void)must((int)syscall(SYS_pivot_root, ".", "."), "enter", "/");
	(void)must(umount2(".", MNT_DETACH), "leave", "/");
	(void)must(chdir("/"), "enter", "/");
	restrict_mount(AT_FDCWD, "/", 0,
	    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
		MOUNT_ATTR_NOEXEC,
	    "/");
	(void)must(chdir(INSIDE_OUT), "enter", INSIDE_OUT);
}

/* --- what there is to do -------------------------------------------------------- */

static void
drop_privileges(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	int cap = 0;

	while (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
		cap++;
	if (errno != EINVAL) /* there are no more of them */
		fail("drop", "privileges");
	(void)must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0),
	    "drop", "privileges");
	(void)must((int)syscall(SYS_capset, &head, none), "drop", "privileges");
	(void)must(
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "drop", "privileges");
}

static void
filter_calls(void)
{
	struct sock_fprog program = { .filter = instructions };
	ssize_t n = read(INSIDE_FD_FILTER, instructions, sizeof(instructions));

	if (n < 0)
		fail("read", "the filter");
	if (n == 0 || n == sizeof(instructions) ||
	    (size_t)n % sizeof(instructions[0]) != 0)
		refuse(EINVAL, "read", "the filter");
	program.len = (unsigned short)((size_t)n / sizeof(instructions[0]));
	(void)close(INSIDE_FD_FILTER);
	(void)must(
	    (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program),
	    "install", "the filter");
}

/* --- in this order ---------------------------------------------------------------- */

/* The rest of the arguments: the program's. */
static char **
take_all(char **arg)
{
	const uint64_t data = MOUNT_ATTR_NOEXEC;

	take(arg[0], INSIDE_PROVIDER, MOUNT_ATTR_RDONLY);
	take(arg[1], INSIDE_OUT, data);
	for (arg += 2; arg[0] != NULL && arg[0][0] == '/' && arg[1] != NULL;
	     arg += 2)
		take(arg[0], arg[1], data | MOUNT_ATTR_RDONLY);
	if (arg[0] == NULL || strcmp(arg[0], "--") != 0 || arg[1] == NULL)
		refuse(EINVAL, "find", "the program");
	return arg + 1;
}

/* All but the filter, which the program needs to be there. */
static char **
fill(char **arg)
{
	char **program;

	become_nobody(arg[0], arg[1]);
	separate();
	program = take_all(arg + 2);
	change_root();
	(void)must(
	    sethostname("executor", strlen("executor")), "name", "executor");
	(void)must(unshare(CLONE_NEWCGROUP), "unshare", "cgroup");
	(void)must((int)setsid(), "begin", "a session");
	drop_privileges();
	return program;
}

/*
 * bubblewrap has just asked for our end with its own, as it asked for its own
 * with the shepherd's.  Had that one ended before, the socket says so: it was
 * closed first.
 */
static int
guard(char **program)
{
	struct pollfd pfd = { .fd = INSIDE_FD_SOCKET };

	if (program[0] == NULL)
		refuse(EINVAL, "read", "the arguments");
	if (poll(&pfd, 1, 0) != 0)
		refuse(EPIPE, "find", "the shepherd");
	(void)execve(program[0], program, environ);
	fail("execute", program[0]);
}

static int
usage(void)
{
	(void)dprintf(STDOUT_FILENO,
	    "usage: sluice-sandbox [--try] UID GID PROVIDER OUT "
	    "[OUTSIDE INSIDE]... -- PROGRAM [ARG]...\n"
	    "started by sluice-shepherd, never by hand: see sluice-sandbox(8)\n"
	    "  --try  make the sandbox, and start nothing in it\n");
	return 0;
}

int
main(int argc, char **argv)
{
	static char *const no_environment[] = { NULL };
	bool is_trial = argc > 1 && strcmp(argv[1], "--try") == 0;
	char **arg = argv + (is_trial ? 2 : 1), **program;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage();
	if (argc > 1 && strcmp(argv[1], INSIDE_GUARD_WORD) == 0)
		return guard(argv + 2);
	if (argc < (is_trial ? 8 : 7))
		refuse(EINVAL, "read", "the arguments");
	if (is_trial)
		(void)must(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET |
				   CLONE_NEWIPC | CLONE_NEWUTS),
		    "make", "namespaces");
	program = fill(arg);
	if (is_trial)
		return 0;
	filter_calls();
	(void)execve(program[0], program, no_environment);
	fail("execute", program[0]);
}
