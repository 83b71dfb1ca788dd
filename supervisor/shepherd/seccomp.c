/*
 * The allow-list of an executor's system calls.
 *
 * What is not named answers EPERM.  A few calls that no component has a use
 * for and that open the kernel's most attacked parts end the process at once.
 * Files may be opened, as the sandbox has none but the task's; sockets may
 * not be made, and processes neither, except threads.
 *
 * bwrap installs the filter just before it executes the program, hence
 * execve, and in its own waiting process, hence wait4.
 */
#include "supervisor/shepherd/seccomp.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"

/* Bytes; it has some hundred instructions of eight. */
#define FILTER_MAX (64 << 10)

#define NEW_NAMESPACES                                                         \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |         \
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const int allowed[] = {
	/* descriptors that are there, and the socket on number 3 */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(preadv),
	SCMP_SYS(pwritev),
	SCMP_SYS(preadv2),
	SCMP_SYS(pwritev2),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(shutdown),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(close),
	SCMP_SYS(close_range),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(fcntl),
	SCMP_SYS(pipe2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(lseek),
	SCMP_SYS(sendfile),
	SCMP_SYS(copy_file_range),
	/* files of the task */
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(getcwd),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(truncate),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(fadvise64),
	SCMP_SYS(flock),
	SCMP_SYS(umask),
	/* memory */
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	SCMP_SYS(msync),
	SCMP_SYS(mincore),
	SCMP_SYS(mlock),
	SCMP_SYS(munlock),
	SCMP_SYS(brk),
	SCMP_SYS(memfd_create),
	/* threads, signals, time */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(get_robust_list),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(rseq),
	SCMP_SYS(membarrier),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getcpu),
	SCMP_SYS(arch_prctl),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigsuspend),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(tgkill),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(times),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(execve),
	SCMP_SYS(wait4),
	/* a program may put a tighter filter on top: executor/confine.c */
	SCMP_SYS(seccomp),
	/* who and where am I */
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getrusage),
	SCMP_SYS(getrlimit),
	SCMP_SYS(getrandom),
};

static const int deadly[] = {
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(bpf),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(pidfd_getfd),
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int
add_lists(scmp_filter_ctx ctx)
{
	size_t i;
	int r;

	for (i = 0; i < COUNT(allowed); i++)
		if ((r = seccomp_rule_add(
			 ctx, SCMP_ACT_ALLOW, allowed[i], 0)) != 0)
			return r;
	for (i = 0; i < COUNT(deadly); i++)
		if ((r = seccomp_rule_add(
			 ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0)) != 0)
			return r;
	return 0;
}

/* Calls that depend on an argument. */
static int
add_conditions(scmp_filter_ctx ctx)
{
	int r;

	/* Threads of this process, in its namespaces. */
	if ((r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | NEW_NAMESPACES,
		     CLONE_THREAD))) != 0)
		return r;
	/* A filter cannot see clone3's flags: libc falls back to clone. */
	if ((r = seccomp_rule_add(
		 ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0)) != 0)
		return r;
	/* Limits may be read, not set. */
	if ((r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
		 SCMP_A2(SCMP_CMP_EQ, 0))) != 0)
		return r;
	if ((r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
		 SCMP_A0(SCMP_CMP_EQ, PR_SET_NO_NEW_PRIVS))) != 0)
		return r;
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
	    SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
}

/* The filter's instructions, once they were made. */
static struct buf compiled = BUF_INIT;

/* Through a memory file, for that is how the library hands it out. */
static int export(scmp_filter_ctx ctx)
{
	int fd = memfd_create("seccomp", MFD_CLOEXEC), r;

	if (fd < 0)
		return err_set_errno(ERR_IO, "memfd_create");
	if (seccomp_export_bpf(ctx, fd) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		r = err_set(ERR_INTERNAL, "cannot export seccomp filter");
	else
		r = buf_read_fd(&compiled, fd, FILTER_MAX);
	fd_close(&fd);
	return r;
}

int
seccomp_filter_make(void)
{
	scmp_filter_ctx ctx;
	int r;

	if (compiled.len != 0)
		return 0;
	if ((ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM))) == NULL)
		return err_set(ERR_INTERNAL, "no memory for seccomp filter");
	/*
	 * Other instruction sets reach the kernel by other numbers.  A tree
	 * instead of a list: when a filter is installed the kernel tries it
	 * with the number of each call.
	 */
	if ((r = seccomp_attr_set(
		 ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) != 0 ||
	    (r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2)) != 0 ||
	    (r = add_lists(ctx)) != 0 || (r = add_conditions(ctx)) != 0)
		r = err_set(ERR_INTERNAL, "seccomp rule: error %d", -r);
	else
		r = export(ctx);
	if (r != 0)
		buf_fini(&compiled);
	seccomp_release(ctx);
	return r;
}

int
seccomp_filter_open(int *out)
{
	int r;

	*out = -1;
	if ((r = seccomp_filter_make()) != 0)
		return r;
	return fd_memfd("seccomp", compiled.data, compiled.len, out);
}
