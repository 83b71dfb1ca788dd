/*
 * Installing the filter that executor/filter made when this was built.
 * main.c does it before a component runs: the component's code is ours, its
 * input is not.
 */
#include "executor/confine.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"

#if defined(__SANITIZE_ADDRESS__)

int
confine(void)
{
	return 0;
}

#else

static struct sock_filter instructions[] = {
#include "executor/filter.inc"
};

int
confine(void)
{
	const struct sock_fprog program = {
		.len = sizeof(instructions) / sizeof(instructions[0]),
		.filter = instructions,
	};
	long r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set_errno(ERR_UNSUPPORTED, "no new privileges");
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	    SECCOMP_FILTER_FLAG_TSYNC, &program);
	if (r < 0)
		return err_set_errno(ERR_UNSUPPORTED, "system call filter");
	if (r > 0)
		return err_set(ERR_UNSUPPORTED,
		    "system call filter: thread %ld has another", r);
	return 0;
}

#endif
