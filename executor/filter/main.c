/*
 * The list of system calls that components need, run when the executor is
 * built: prints its filter's instructions, which confine.c installs.  Every
 * task starts an executor, and making the filter cost as much as the kernel
 * needs to start a program.
 */
#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const int allowed[] = {
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	SCMP_SYS(msync),
	SCMP_SYS(mincore),
	SCMP_SYS(memfd_create),
	SCMP_SYS(mlock),
	SCMP_SYS(munlock),
	/* files */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(fstat),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(statfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(getdents64),
	SCMP_SYS(fadvise64),
	/* the socket that is open */
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(shutdown),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	/* threads and signals */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(tgkill),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(membarrier),
	/* time, randomness, limits */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrlimit),
	SCMP_SYS(sysinfo),
	SCMP_SYS(getrusage),
	SCMP_SYS(uname),
	SCMP_SYS(geteuid),
	SCMP_SYS(getuid),
};

static int
add_rules(scmp_filter_ctx filter)
{
	size_t i;
	int r;

	for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if ((r = seccomp_rule_add(
			 filter, SCMP_ACT_ALLOW, allowed[i], 0)) != 0)
			return r;
	/* clone3 hides its flags from filters: libc takes clone instead. */
	if ((r = seccomp_rule_add(
		 filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0)) != 0)
		return r;
	if ((r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD))) != 0)
		return r;
	/* Asked by libc in passing; the answer "no" is good enough. */
	if ((r = seccomp_rule_add(
		 filter, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0)) != 0 ||
	    (r = seccomp_rule_add(
		 filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(readlink), 0)) != 0 ||
	    (r = seccomp_rule_add(
		 filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 0)) != 0)
		return r;
	/* Limits may be read, not set. */
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
	    SCMP_A2(SCMP_CMP_EQ, 0, 0));
}

static scmp_filter_ctx
make(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

	/* A tree: the kernel tries it with each call's number. */
	if (filter != NULL &&
	    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 &&
	    add_rules(filter) == 0)
		return filter;
	return NULL;
}

int
main(void)
{
	scmp_filter_ctx filter = make();
	struct sock_filter in;
	int fd = memfd_create("filter", 0);
	size_t n = 0;

	if (filter == NULL || fd < 0 || seccomp_export_bpf(filter, fd) != 0 ||
	    lseek(fd, 0, SEEK_SET) != 0)
		return EXIT_FAILURE;
	seccomp_release(filter);
	for (; read(fd, &in, sizeof(in)) == sizeof(in); n++)
		if (printf("{ 0x%02x, %d, %d, 0x%08x },\n", in.code, in.jt,
			in.jf, in.k) < 0)
			return EXIT_FAILURE;
	return n > 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
