/*
 * sluice-sandbox: the last steps before an executor that needs no libraries.
 *
 *   sluice-sandbox UID GID PROVIDER OUT [OUTSIDE INSIDE]... -- PROGRAM [ARG]...
 *
 * Its shepherd has already put it into new namespaces of every kind, as the
 * first process of its own, with the control group, the limits and the
 * descriptors of the task.  Here the namespaces are filled with what the task
 * may see (supervisor/shepherd/sandbox.h), every privilege is given up, the
 * filter of system calls is installed, and the program takes over.
 *
 * A program of its own, for it must have nothing of the shepherd's in its
 * memory; and without the C library, whose start costs more than everything
 * that is done here.  What goes wrong is said on descriptor 2, and ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/stat.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "supervisor/shepherd/inside.h"

#define NOBODY "65534"
#define MAX_BINDS 4096
#define MAX_INSTRUCTIONS 4096
/* Somewhere to put the new root; every system has it, as its files do. */
#define STAGE "/tmp"
#define MS_SILENT_ (1 << 15)
#define MS_REC_ (1 << 14)
#define MS_PRIVATE_ (1 << 18)
#define MNT_DETACH_ 2

/* One tree of the host, taken before its path goes out of sight. */
struct bind {
	const char *inside;
	int fd;
};

static struct bind binds[MAX_BINDS];
static size_t n_binds;
static struct sock_filter instructions[MAX_INSTRUCTIONS];

/* --- system calls ----------------------------------------------------------- */

/* The result, or the error's number, negative. */
static long
call6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile(
	    "syscall"
	    : "=a"(r)
	    : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	    : "rcx", "r11", "memory");
	return r;
}

#define CALL(n, a, b, c, d, e)                                                 \
	call6((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

static size_t
length(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

static void
say(const char *s)
{
	(void)CALL(SYS_write, 2, s, length(s), 0, 0);
}

static void __attribute__((noreturn))
fail(const char *what, const char *which, long error)
{
	char digits[12];
	size_t i = sizeof(digits) - 1;

	digits[i] = '\0';
	for (error = -error; i > 0 && error > 0; error /= 10)
		digits[--i] = (char)('0' + error % 10);
	say("cannot make the sandbox: ");
	say(what);
	say(which);
	say(": error ");
	say(digits + i);
	say("\n");
	for (;;)
		(void)CALL(SYS_exit_group, INSIDE_EXIT, 0, 0, 0, 0);
}

static long
must(long r, const char *what, const char *which)
{
	if (r < 0)
		fail(what, which, r);
	return r;
}

/* --- who we are --------------------------------------------------------------- */

static void
write_file(const char *path, const char *text)
{
	long fd = must(
	    CALL(SYS_open, path, O_WRONLY | O_CLOEXEC, 0, 0, 0), "open ", path);

	(void)must(
	    CALL(SYS_write, fd, text, length(text), 0, 0), "write ", path);
	(void)CALL(SYS_close, fd, 0, 0, 0, 0);
}

/* "65534 ID 1": inside we are nobody, outside the site's account. */
static void
write_map(const char *path, const char *id)
{
	char line[64] = NOBODY " ";
	size_t n = length(line), i;

	for (i = 0; id[i] >= '0' && id[i] <= '9' && i < 20; i++)
		line[n++] = id[i];
	line[n++] = ' ';
	line[n++] = '1';
	line[n] = '\0';
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
restrict_mount(int fd, const char *path, uint64_t flags, const char *which)
{
	struct mount_attr attr = { .attr_set = flags };

	(void)must(call6(SYS_mount_setattr, fd, (long)path,
		       AT_EMPTY_PATH | (*path == '\0' ? AT_RECURSIVE : 0),
		       (long)&attr, sizeof(attr), 0),
	    "restrict ", which);
}

static void
take(const char *outside, const char *inside, uint64_t flags)
{
	struct bind *b = &binds[n_binds];

	if (n_binds >= MAX_BINDS)
		fail("too many inputs", "", -E2BIG);
	b->fd = (int)must(
	    CALL(SYS_open_tree, AT_FDCWD, outside,
		OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE, 0, 0),
	    "bind ", outside);
	b->inside = inside;
	restrict_mount(
	    b->fd, "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | flags, outside);
	n_binds++;
}

/* The folders above a place, in the new root, which is where we stand. */
static void
make_parents(const char *place)
{
	char path[256];
	size_t i;
	long r;

	for (i = 0; place[i] != '\0' && i + 1 < sizeof(path); i++) {
		if (place[i] == '/' && i > 0) {
			path[i] = '\0';
			r = CALL(SYS_mkdir, path, 0755, 0, 0, 0);
			if (r != -EEXIST)
				(void)must(r, "make ", place);
		}
		path[i] = place[i];
	}
	if (place[i] != '\0')
		fail("too long: ", place, -ENAMETOOLONG);
}

static void
put(const struct bind *b)
{
	const char *place = b->inside + 1; /* from where we stand */
	struct statx st;
	long r;

	make_parents(place);
	(void)must(CALL(SYS_statx, b->fd, "", AT_EMPTY_PATH, STATX_TYPE, &st),
	    "look at ", b->inside);
	if ((st.stx_mode & S_IFMT) == S_IFDIR)
		r = CALL(SYS_mkdir, place, 0755, 0, 0, 0);
	else
		r = CALL(SYS_mknod, place, S_IFREG | 0444, 0, 0, 0);
	(void)must(r, "make ", b->inside);
	(void)must(CALL(SYS_move_mount, b->fd, "", AT_FDCWD, place,
		       MOVE_MOUNT_F_EMPTY_PATH),
	    "mount ", b->inside);
}

/*
 * A new root, the task's trees in it, then nothing of the old one.  Nothing
 * that is mounted outside from now on comes in.
 */
static void
change_root(void)
{
	size_t i;

	(void)must(
	    CALL(SYS_mount, 0, "/", 0, MS_REC_ | MS_PRIVATE_ | MS_SILENT_, 0),
	    "separate ", "/");
	(void)must(CALL(SYS_mount, "tmpfs", STAGE, "tmpfs", MS_SILENT_,
		       "mode=0755,size=1m"),
	    "mount ", STAGE);
	(void)must(CALL(SYS_chdir, STAGE, 0, 0, 0, 0), "enter ", STAGE);
	for (i = 0; i < n_binds; i++)
		put(&binds[i]);
	(void)must(CALL(SYS_pivot_root, ".", ".", 0, 0, 0), "enter ", "/");
	(void)must(CALL(SYS_umount2, ".", MNT_DETACH_, 0, 0, 0), "leave ", "/");
	(void)must(CALL(SYS_chdir, "/", 0, 0, 0, 0), "enter ", "/");
	restrict_mount(AT_FDCWD, "/",
	    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
		MOUNT_ATTR_NOEXEC,
	    "/");
	(void)must(
	    CALL(SYS_chdir, INSIDE_OUT, 0, 0, 0, 0), "enter ", INSIDE_OUT);
}

/* --- what there is to do -------------------------------------------------------- */

static void
drop_privileges(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
	long cap, r = 0;

	for (cap = 0; r == 0; cap++)
		r = CALL(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (r != -EINVAL) /* there are no more of them */
		fail("drop privileges", "", r);
	(void)must(
	    CALL(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0),
	    "drop privileges", "");
	(void)must(
	    CALL(SYS_capset, &head, none, 0, 0, 0), "drop privileges", "");
	(void)must(CALL(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
	    "drop privileges", "");
}

static void
filter_calls(void)
{
	struct sock_fprog program = { .filter = instructions };
	long n = must(CALL(SYS_read, INSIDE_FD_FILTER, instructions,
			  sizeof(instructions), 0, 0),
	    "read the filter", "");

	if (n == 0 || n == sizeof(instructions) ||
	    (size_t)n % sizeof(instructions[0]) != 0)
		fail("read the filter", "", -EINVAL);
	program.len = (unsigned short)((size_t)n / sizeof(instructions[0]));
	(void)CALL(SYS_close, INSIDE_FD_FILTER, 0, 0, 0, 0);
	(void)must(
	    CALL(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program, 0, 0),
	    "install the filter", "");
}

/* --- in this order ---------------------------------------------------------------- */

static char **
take_all(char **arg)
{
	const uint64_t data = MOUNT_ATTR_NOEXEC;

	take(arg[0], INSIDE_PROVIDER, MOUNT_ATTR_RDONLY);
	take(arg[1], INSIDE_OUT, data);
	for (arg += 2; arg[0] != NULL && arg[0][0] == '/' && arg[1] != NULL;
	     arg += 2)
		take(arg[0], arg[1], data | MOUNT_ATTR_RDONLY);
	return arg;
}

/* Called by _start with the stack as the kernel left it: argc, argv. */
void __attribute__((noreturn)) begin(long *stack);

void
begin(long *stack)
{
	static char *const no_environment[] = { NULL };
	char **arg = (char **)(stack + 1);

	if (stack[0] < 7)
		fail("too few arguments", "", -EINVAL);
	become_nobody(arg[1], arg[2]);
	arg = take_all(arg + 3);
	if (arg[0] == NULL || arg[1] == NULL)
		fail("no program", "", -EINVAL);
	change_root();
	(void)must(
	    CALL(SYS_sethostname, "executor", 8, 0, 0, 0), "name ", "executor");
	(void)must(
	    CALL(SYS_unshare, CLONE_NEWCGROUP, 0, 0, 0, 0), "unshare", "");
	(void)must(CALL(SYS_setsid, 0, 0, 0, 0, 0), "session", "");
	drop_privileges();
	filter_calls();
	(void)must(CALL(SYS_execve, arg[1], arg + 1, no_environment, 0, 0),
	    "execute ", arg[1]);
	fail("execute ", arg[1], -ENOEXEC);
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call begin\n");
