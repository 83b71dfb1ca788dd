/*
 * A provider's program with bad intentions.  It takes the name of an attack
 * from the task's parameters ("attack"), tries it from inside the sandbox and
 * says how it went: Finish with status "success" when it got through,
 * "failed" and the reason when it was refused.  Being killed counts as refused.
 *
 * It is linked statically and knows the protocol by itself, as a stranger's
 * program would.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET 3
#define START_MAX (1u << 20)
#define MEGABYTE (1u << 20)
#define MANY 4096

static char start[START_MAX + 1];
static char detail[400];

/* --- the protocol, by hand ------------------------------------------------ */

struct out {
	unsigned char p[8192];
	size_t n;
};

static void
put_varint(struct out *o, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		o->p[o->n++] = (unsigned char)(v | 0x80);
	o->p[o->n++] = (unsigned char)v;
}

static void
put_text(struct out *o, int field, const void *s, size_t n)
{
	put_varint(o, (uint64_t)field << 3 | 2);
	put_varint(o, n);
	memcpy(o->p + o->n, s, n);
	o->n += n;
}

static void
put_number(struct out *o, int field, uint64_t v)
{
	put_varint(o, (uint64_t)field << 3);
	put_varint(o, v);
}

static void
send_raw(const void *data, size_t n, int fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { (void *)(uintptr_t)data, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (fd >= 0) {
		memset(control, 0, sizeof(control));
		mh.msg_control = control;
		mh.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	(void)sendmsg(SOCKET, &mh, MSG_NOSIGNAL);
}

/* Frame whose field `kind` is the message in body. */
static void
send_frame(int kind, const struct out *body, int fd)
{
	struct out f = { .n = 4 };

	put_text(&f, kind, body->p, body->n);
	f.p[0] = (unsigned char)(f.n - 4);
	f.p[1] = (unsigned char)((f.n - 4) >> 8);
	f.p[2] = f.p[3] = 0;
	send_raw(f.p, f.n, fd);
}

static void
send_hello(void)
{
	struct out b = { .n = 0 };

	put_number(&b, 1, 1);
	put_text(&b, 2, "hostile", 7);
	send_frame(10, &b, -1);
}

static void
send_finish(bool through)
{
	const char *status = through ? "success" : "failed";
	struct out b = { .n = 0 };

	put_text(&b, 1, status, strlen(status));
	put_text(&b, 2, detail, strlen(detail));
	send_frame(20, &b, -1);
}

static bool
read_all(void *p, size_t n)
{
	char *at = p;
	ssize_t got;

	for (; n > 0; n -= (size_t)got, at += got)
		if ((got = read(SOCKET, at, n)) <= 0)
			return false;
	return true;
}

static bool
read_start(void)
{
	unsigned char head[4];
	size_t n;

	if (!read_all(head, 4))
		return false;
	n = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 |
	    (size_t)head[3] << 24;
	return n <= START_MAX && read_all(start, n);
}

/* --- attacks: true when one got through -------------------------------------- */

static bool
told(bool through, const char *what)
{
	(void)snprintf(detail, sizeof(detail), "%s: %s", what,
	    through ? "possible" : strerror(errno));
	return through;
}

static bool
any_socket(int family, int type, const char *what)
{
	return told(socket(family, type, 0) >= 0, what);
}

static bool
try_dns(void)
{
	return any_socket(AF_INET, SOCK_DGRAM, "socket for DNS");
}

static bool
try_tcp(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_port = htons(80) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return told(false, "TCP socket");
	(void)connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	return told(true, "TCP socket");
}

static bool
try_udp6(void)
{
	return any_socket(AF_INET6, SOCK_DGRAM, "UDP socket");
}

static bool
try_unix(void)
{
	return any_socket(AF_UNIX, SOCK_STREAM, "unix socket");
}

static bool
try_netlink(void)
{
	return any_socket(AF_NETLINK, SOCK_RAW, "netlink socket");
}

static bool
try_socketpair(void)
{
	int sv[2];

	return told(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv) == 0, "socketpair");
}

static bool
try_io_uring(void)
{
	struct io_uring_params p;

	memset(&p, 0, sizeof(p));
	return told(syscall(SYS_io_uring_setup, 8, &p) >= 0, "io_uring");
}

static bool
try_ptrace(void)
{
	return told(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "ptrace");
}

static bool
try_vm_read(void)
{
	char b[8];
	struct iovec l = { b, sizeof(b) }, r = { start, sizeof(b) };

	return told(
	    process_vm_readv(1, &l, 1, &r, 1, 0) > 0, "process_vm_readv");
}

static bool
any_open(const char *const *paths, int flags)
{
	for (; *paths != NULL; paths++)
		if (open(*paths, flags, 0600) >= 0)
			return told(true, *paths);
	return told(false, "every path");
}

static bool
try_other_files(void)
{
	static const char *const paths[] = { "/etc/passwd", "/etc", "/usr",
		"/home", "/root", "/var", "/tmp", "/sys", "/run",
		"/out/../../etc/passwd", "/provider/../../../etc/passwd",
		"/dev/mem", NULL };

	return any_open(paths, O_RDONLY);
}

static bool
try_other_job(void)
{
	static const char *const paths[] = { "/out/../out/../../jobs", "/jobs",
		"/in/..//..//data", "/out/../../../../../../..//jobs",
		"/data/tables", "/models/objects", "/keys/sign.key", NULL };

	return any_open(paths, O_RDONLY);
}

static bool
try_proc(void)
{
	static const char *const paths[] = { "/proc/1/environ", "/proc/1/mem",
		"/proc/self/mem", "/proc/1/root", "/proc", NULL };

	return any_open(paths, O_RDONLY);
}

static bool
try_write_outside(void)
{
	static const char *const paths[] = { "/x", "/provider/x", "/in/x",
		"/in/0/x", "/in/0/data.mdb", "/out/../x", "/provider/executor",
		NULL };

	return any_open(paths, O_WRONLY | O_CREAT);
}

static bool
try_fork(void)
{
	pid_t pid = (pid_t)syscall(SYS_fork);
	int i;

	for (i = 0; pid >= 0 && i < MANY; i++)
		pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
	if (pid < 0)
		pid = (pid_t)syscall(SYS_vfork);
	return told(pid >= 0, "fork");
}

static bool
try_exec(void)
{
	char *const argv[] = { (char *)(uintptr_t) "sh", NULL };

	(void)execve("/bin/sh", argv, NULL);
	return told(false, "execute a shell");
}

static int
sleeper(void *arg)
{
	(void)arg;
	for (;;)
		(void)pause();
	return 0;
}

/* Threads that share one stack cost almost nothing but their number. */
static bool
try_threads(void)
{
	static char stack[65536];
	int i;

	for (i = 0; i < MANY; i++)
		if (clone(sleeper, stack + sizeof(stack) - 64,
			CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			    CLONE_THREAD | CLONE_SYSVSEM,
			NULL) < 0)
			break;
	(void)snprintf(detail, sizeof(detail), "%d threads: %s", i,
	    i < MANY ? strerror(errno) : "no end");
	return i >= 1024;
}

static bool
try_memory(void)
{
	size_t i;
	char *p;

	for (i = 0; i < MANY; i++) {
		p = mmap(NULL, MEGABYTE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return told(false, "more memory");
		memset(p, 1, MEGABYTE);
	}
	return told(true, "4 GB of memory");
}

static bool
try_shared_memory(void)
{
	size_t i;
	char *p;

	for (i = 0; i < MANY; i++) {
		p = mmap(NULL, MEGABYTE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return told(false, "more shared memory");
		memset(p, 1, MEGABYTE);
	}
	return told(true, "4 GB of shared memory");
}

/* Fill files of 16 MB each from make(), 4 GB in all. */
static bool
fill(int (*make)(int), size_t each, const char *what)
{
	static char block[MEGABYTE];
	size_t total = 0, n;
	int i, fd;

	memset(block, 1, sizeof(block));
	for (i = 0; total < MANY; i++) {
		if ((fd = make(i)) < 0)
			return told(false, what);
		for (n = 0; n < each && total < MANY; n++, total++)
			if (write(fd, block, sizeof(block)) !=
			    (ssize_t)sizeof(block))
				return told(false, what);
	}
	return told(true, what);
}

static int
make_memfd(int i)
{
	(void)i;
	return memfd_create("bomb", 0);
}

static int
make_big_file(int i)
{
	(void)i;
	(void)signal(SIGXFSZ, SIG_IGN);
	return open("/out/big", O_WRONLY | O_CREAT, 0600);
}

static bool
try_memfd(void)
{
	return fill(make_memfd, 16, "4 GB in memory files");
}

static bool
try_big_file(void)
{
	return fill(make_big_file, MANY, "a file of 4 GB");
}

static bool
try_symlink(void)
{
	return told(symlink("/etc/passwd", "/out/link") == 0 ||
			syscall(SYS_symlinkat, "/", AT_FDCWD, "/out/link") == 0,
	    "symlink");
}

static bool
try_hardlink(void)
{
	return told(
	    link("/provider/manifest.json", "/out/link") == 0, "hard link");
}

static bool
try_device(void)
{
	return told(mknod("/out/null", S_IFCHR | 0666, 0x103) == 0 ||
			mknod("/out/fifo", S_IFIFO | 0666, 0) == 0,
	    "device");
}

static bool
try_chmod(void)
{
	return told(chmod("/out", 04777) == 0, "set-uid bit");
}

static bool
try_mount(void)
{
	return told(mount("none", "/out", "tmpfs", 0, NULL) == 0, "mount");
}

static bool
try_unshare(void)
{
	return told(unshare(CLONE_NEWUSER) == 0, "new user namespace");
}

static bool
try_clone_namespace(void)
{
	return told(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL,
			NULL, 0) >= 0,
	    "clone with namespace");
}

static bool
try_setns(void)
{
	return told(setns(SOCKET, 0) == 0, "setns");
}

static bool
try_kill(void)
{
	return told(kill(1, SIGKILL) == 0 || kill(-1, SIGKILL) == 0, "kill");
}

static bool
try_affinity(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	return told(sched_setaffinity(0, sizeof(all), &all) == 0, "all cores");
}

static bool
try_bpf(void)
{
	return told(syscall(SYS_bpf, 0, NULL, 0) >= 0, "bpf");
}

static bool
try_keyctl(void)
{
	return told(syscall(SYS_keyctl, 0, -3, 1, 0, 0) >= 0, "keyctl");
}

static bool
try_userfaultfd(void)
{
	return told(syscall(SYS_userfaultfd, 1) >= 0, "userfaultfd");
}

static bool
try_perf(void)
{
	char attr[128] = { 0 };

	return told(
	    syscall(SYS_perf_event_open, attr, 0, -1, -1, 0) >= 0, "perf");
}

/* System calls of the 32-bit ABI have other numbers. */
static bool
try_int80(void)
{
	long r = 20; /* getpid there */

	__asm__ volatile("int $0x80" : "+a"(r) : : "memory");
	errno = ENOSYS;
	return told(r > 0, "32-bit system call");
}

static bool
try_x32(void)
{
	return told(syscall(0x40000000 + SYS_getpid) >= 0, "x32 system call");
}

static bool
try_descriptors(void)
{
	int fd;

	for (fd = SOCKET + 1; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return told(true, "a descriptor from outside");
	return told(false, "a descriptor from outside");
}

static bool
try_environment(void)
{
	return told(clearenv() != 0, "environment");
}

/* --- breaches of the protocol: what is sent must be refused -------------------- */

static bool
send_oversized(void)
{
	send_raw("\xff\xff\xff\x7f", 4, -1);
	return told(false, "frame of 2 GB");
}

static bool
send_garbage(void)
{
	send_raw("\x08\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", 12, -1);
	return told(false, "frame that is no message");
}

static bool
send_truncated(void)
{
	send_raw("\x40\x00\x00\x00\x0a", 5, -1);
	_exit(0);
}

static bool
send_descriptor(void)
{
	struct out b = { .n = 0 };

	put_number(&b, 1, 1);
	send_frame(19, &b, STDIN_FILENO);
	return told(false, "log line with a descriptor");
}

static bool
send_start(void)
{
	struct out b = { .n = 0 };

	put_number(&b, 1, 1);
	send_frame(1, &b, -1);
	return told(false, "a frame of the other side");
}

static void
send_table(const char *folder)
{
	struct out b = { .n = 0 };

	put_text(&b, 1, "data", 4);
	put_text(&b, 2, folder, strlen(folder));
	put_text(&b, 3, "{}", 2);
	put_number(&b, 5, 1);
	put_text(&b, 6, "[]", 2);
	send_frame(16, &b, -1);
}

static bool
send_escaping_folder(void)
{
	send_table("../x");
	return told(false, "output folder outside");
}

static bool
send_absolute_folder(void)
{
	send_table("/etc");
	return told(false, "absolute output folder");
}

static bool
send_missing_folder(void)
{
	send_table("nothing");
	return told(true, "output folder that is not there");
}

static bool
send_forbidden_name(void)
{
	struct out p = { .n = 0 }, b = { .n = 0 };

	put_text(&p, 1, "host", 4);
	put_text(&p, 2, "10000", 5);
	put_number(&b, 1, 1);
	put_text(&b, 2, "rows_in_the_clear", 17);
	put_text(&b, 3, "0", 1);
	put_text(&b, 4, p.p, p.n);
	put_text(&b, 5, "stolen", 6);
	send_frame(11, &b, -1);
	return told(true, "object under a name of no manifest");
}

static bool
exit_without_a_word(void)
{
	_exit(7);
}

static bool
crash(void)
{
	(void)fprintf(stderr, "about to crash\n");
	abort();
}

static bool
say_nothing(void)
{
	sleeper(NULL);
	return true;
}

static const struct {
	const char *name;
	bool (*run)(void);
} attacks[] = {
	{ "dns", try_dns },
	{ "tcp", try_tcp },
	{ "udp6", try_udp6 },
	{ "unix", try_unix },
	{ "netlink", try_netlink },
	{ "socketpair", try_socketpair },
	{ "io_uring", try_io_uring },
	{ "ptrace", try_ptrace },
	{ "vm_read", try_vm_read },
	{ "other_files", try_other_files },
	{ "other_job", try_other_job },
	{ "proc", try_proc },
	{ "write_outside", try_write_outside },
	{ "fork", try_fork },
	{ "exec", try_exec },
	{ "threads", try_threads },
	{ "memory", try_memory },
	{ "shared_memory", try_shared_memory },
	{ "memfd", try_memfd },
	{ "big_file", try_big_file },
	{ "symlink", try_symlink },
	{ "hardlink", try_hardlink },
	{ "device", try_device },
	{ "chmod", try_chmod },
	{ "mount", try_mount },
	{ "unshare", try_unshare },
	{ "clone_namespace", try_clone_namespace },
	{ "setns", try_setns },
	{ "kill", try_kill },
	{ "affinity", try_affinity },
	{ "bpf", try_bpf },
	{ "keyctl", try_keyctl },
	{ "userfaultfd", try_userfaultfd },
	{ "perf", try_perf },
	{ "int80", try_int80 },
	{ "x32", try_x32 },
	{ "descriptors", try_descriptors },
	{ "environment", try_environment },
	{ "oversized", send_oversized },
	{ "garbage", send_garbage },
	{ "truncated", send_truncated },
	{ "descriptor", send_descriptor },
	{ "start", send_start },
	{ "escaping_folder", send_escaping_folder },
	{ "absolute_folder", send_absolute_folder },
	{ "missing_folder", send_missing_folder },
	{ "forbidden_name", send_forbidden_name },
	{ "exit", exit_without_a_word },
	{ "crash", crash },
	{ "hang", say_nothing },
};

/* The text behind "attack" in the parameters; "" when there is none. */
static void
chosen_attack(char *out, size_t size)
{
	static const char key[] = "\"attack\"";
	const char *s = memmem(start, START_MAX, key, sizeof(key) - 1);
	size_t n;

	out[0] = '\0';
	if (s == NULL || (s = strchr(s + sizeof(key) - 1, '"')) == NULL)
		return;
	n = strcspn(++s, "\"");
	if (n < size)
		(void)snprintf(out, size, "%.*s", (int)n, s);
}

int
main(void)
{
	char name[64];
	size_t i;

	send_hello();
	if (!read_start())
		return 1;
	chosen_attack(name, sizeof(name));
	(void)snprintf(detail, sizeof(detail), "no attack '%s'", name);
	for (i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		if (strcmp(attacks[i].name, name) == 0) {
			send_finish(attacks[i].run());
			return 0;
		}
	}
	send_finish(strcmp(name, "none") == 0);
	return 0;
}
