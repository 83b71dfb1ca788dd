/*
 * The filter of executors, instruction by instruction: this program is the
 * kernel that asks it, about every number of every instruction set.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "supervisor/shepherd/seccomp.h"

#define X32 0x40000000u /* set in its numbers */
#define NUMBERS 1024	/* more than there are */
#define REFUSED (SECCOMP_RET_ERRNO | EPERM)

static struct buf filter = BUF_INIT;

static int
open_filter(void **state)
{
	int fd;

	(void)state;
	if (seccomp_filter_open(&fd) != 0 ||
	    buf_read_fd(&filter, fd, 1 << 20) != 0)
		return -1;
	fd_close(&fd);
	return 0;
}

static int
close_filter(void **state)
{
	(void)state;
	buf_fini(&filter);
	return 0;
}

/* --- the kernel's part ------------------------------------------------------ */

static bool
jumps(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	case BPF_JSET:
		return (a & i->k) != 0;
	default:
		return true; /* BPF_JA has its way in k */
	}
}

/* As far as such filters go; every word of the data may be loaded. */
static uint32_t
decide(const struct seccomp_data *d)
{
	const struct sock_filter *code = (const void *)filter.data, *i;
	size_t n = filter.len / sizeof(*code), at = 0;
	uint32_t a = 0;

	while (at < n) {
		i = &code[at++];
		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			assert_int_equal(i->code, BPF_LD | BPF_W | BPF_ABS);
			assert_true(i->k % 4 == 0 && i->k < sizeof(*d));
			memcpy(&a, (const char *)d + i->k, sizeof(a));
			break;
		case BPF_ALU:
			assert_int_equal(i->code, BPF_ALU | BPF_AND | BPF_K);
			a &= i->k;
			break;
		case BPF_JMP:
			assert_int_equal(BPF_SRC(i->code), BPF_K);
			if (BPF_OP(i->code) == BPF_JA)
				at += i->k;
			else
				at += jumps(i, a) ? i->jt : i->jf;
			break;
		default:
			assert_int_equal(i->code, BPF_RET | BPF_K);
			return i->k;
		}
	}
	fail_msg("the filter has no end");
	return 0;
}

static uint32_t
ask(uint32_t nr, uint64_t arg0, uint64_t arg2)
{
	struct seccomp_data d = { .nr = (int)nr,
		.arch = AUDIT_ARCH_X86_64,
		.args = { arg0, 0, arg2 } };

	return decide(&d);
}

/* --- tests ------------------------------------------------------------------- */

static void
calls_of_other_instruction_sets_end_the_program(void **state)
{
	static const uint32_t others[] = { AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64,
		0, UINT32_MAX };

	(void)state;
	for (uint32_t nr = 0; nr < NUMBERS; nr++) {
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]);
		     i++) {
			struct seccomp_data d = { .nr = (int)nr,
				.arch = others[i] };

			assert_int_equal(decide(&d), SECCOMP_RET_KILL_PROCESS);
		}
		/* x32: the same calls under other numbers. */
		assert_int_equal(ask(X32 | nr, 0, 0), SECCOMP_RET_KILL_PROCESS);
	}
	/* What a debugger puts in the place of a call that is left out. */
	assert_int_equal(ask(UINT32_MAX, 0, 0), REFUSED);
}

static void
what_nobody_named_is_refused(void **state)
{
	static const uint32_t calls[] = { SYS_socket, SYS_socketpair,
		SYS_connect, SYS_bind, SYS_listen, SYS_accept4, SYS_fork,
		SYS_vfork, SYS_execveat, SYS_kill, SYS_tkill, SYS_ioctl,
		SYS_setuid, SYS_setgid, SYS_setsid, SYS_setrlimit, SYS_capset,
		SYS_chmod, SYS_fchmodat, SYS_chown, SYS_link, SYS_linkat,
		SYS_symlink, SYS_mknod, SYS_mknodat, SYS_chroot, SYS_shmget,
		SYS_msgget, SYS_semget, SYS_mq_open, SYS_inotify_init1,
		SYS_fanotify_init, SYS_personality, SYS_modify_ldt,
		SYS_pidfd_open, SYS_pidfd_send_signal, SYS_name_to_handle_at,
		SYS_setxattr, SYS_memfd_secret, SYS_process_madvise,
		SYS_sched_setaffinity, SYS_iopl, SYS_quotactl };

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (ask(calls[i], 0, 0) != REFUSED)
			fail_msg("call %u", calls[i]);
	/* And what no kernel has as yet. */
	for (uint32_t nr = 470; nr < NUMBERS; nr++)
		assert_int_equal(ask(nr, 0, 0), REFUSED);
	assert_int_equal(ask(X32 - 1, 0, 0), REFUSED);
}

static void
calls_for_attacks_end_the_program(void **state)
{
	static const uint32_t calls[] = { SYS_ptrace, SYS_process_vm_readv,
		SYS_bpf, SYS_keyctl, SYS_io_uring_setup, SYS_io_uring_enter,
		SYS_mount, SYS_umount2, SYS_pivot_root, SYS_fsopen, SYS_unshare,
		SYS_setns, SYS_userfaultfd, SYS_perf_event_open,
		SYS_init_module, SYS_kexec_load, SYS_open_by_handle_at,
		SYS_pidfd_getfd };

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (ask(calls[i], 0, 0) != SECCOMP_RET_KILL_PROCESS)
			fail_msg("call %u", calls[i]);
}

static void
what_a_component_needs_is_allowed(void **state)
{
	static const uint32_t calls[] = { SYS_read, SYS_write, SYS_sendmsg,
		SYS_recvmsg, SYS_openat, SYS_close, SYS_mmap, SYS_munmap,
		SYS_brk, SYS_futex, SYS_memfd_create, SYS_rt_sigaction,
		SYS_getrandom, SYS_exit_group, SYS_execve, SYS_wait4,
		SYS_seccomp };
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (ask(calls[i], 0, 0) != SECCOMP_RET_ALLOW)
			fail_msg("call %u", calls[i]);
	/* Few of some 360: a rule for all of them would be seen here. */
	for (uint32_t nr = 0; nr < NUMBERS; nr++)
		n += ask(nr, 0, 0) == SECCOMP_RET_ALLOW;
	assert_in_range(n, 50, 140);
}

static void
arguments_decide_where_a_call_can_do_both(void **state)
{
	static const uint64_t spaces[] = { CLONE_NEWUSER, CLONE_NEWNS,
		CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS,
		CLONE_NEWCGROUP };
	const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES |
				CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
				CLONE_SETTLS;
	const uint64_t high = UINT64_C(1) << 32;

	(void)state;
	assert_int_equal(ask(SYS_clone, thread, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_clone, 17, 0), REFUSED); /* SIGCHLD: fork() */
	assert_int_equal(ask(SYS_clone, CLONE_VM | CLONE_VFORK, 0), REFUSED);
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		assert_int_equal(
		    ask(SYS_clone, thread | spaces[i], 0), REFUSED);
	assert_int_equal(ask(SYS_clone3, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
	assert_int_equal(
	    ask(SYS_prctl, PR_SET_NO_NEW_PRIVS, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_prctl, PR_SET_NAME, 0), SECCOMP_RET_ALLOW);
	for (uint64_t option = 0; option < 100; option++)
		if (option != PR_SET_NO_NEW_PRIVS && option != PR_SET_NAME)
			assert_int_equal(ask(SYS_prctl, option, 0), REFUSED);
	assert_int_equal(ask(SYS_prctl, high | PR_SET_NAME, 0), REFUSED);
	assert_int_equal(ask(SYS_prlimit64, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_prlimit64, 0, 4096), REFUSED);
	assert_int_equal(ask(SYS_prlimit64, 0, high), REFUSED);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    calls_of_other_instruction_sets_end_the_program),
		cmocka_unit_test(what_nobody_named_is_refused),
		cmocka_unit_test(calls_for_attacks_end_the_program),
		cmocka_unit_test(what_a_component_needs_is_allowed),
		cmocka_unit_test(arguments_decide_where_a_call_can_do_both),
	};

#ifndef __x86_64__
	(void)printf("skip: the numbers here are those of x86-64\n");
	return 0;
#endif
	return cmocka_run_group_tests(tests, open_filter, close_filter);
}
