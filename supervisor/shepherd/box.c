/*
 * The way into new namespaces; called by launcher.c.
 */
#include "supervisor/shepherd/box.h"

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"

/* The control group's follows when the group was entered: sluice-sandbox. */
#define NAMESPACES                                                             \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |           \
	    CLONE_NEWIPC | CLONE_NEWUTS)
#define STACK_SIZE (256 << 10)

pid_t
box_clone(int (*fn)(void *), void *ctx, int *pidfd)
{
	/* One child at a time: we stand still while it uses this. */
	static _Alignas(16) char stack[STACK_SIZE];

	return clone(fn, stack + sizeof(stack),
	    CLONE_VM | CLONE_VFORK | CLONE_PIDFD | NAMESPACES | SIGCHLD, ctx,
	    pidfd);
}

/* Of a process that is not root there only ambient ones outlast execve(). */
int
box_keep_privileges(void)
{
	static const unsigned keep[] = { CAP_SYS_ADMIN, CAP_SETPCAP };
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];
	size_t i;

	if (syscall(SYS_capget, &head, data) != 0)
		return err_set_errno(ERR_IO, "privileges in the sandbox");
	for (i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
		data[0].inheritable |= 1u << keep[i];
	if (syscall(SYS_capset, &head, data) != 0)
		return err_set_errno(ERR_IO, "privileges in the sandbox");
	for (i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, keep[i], 0,
			0) != 0)
			return err_set_errno(
			    ERR_IO, "privileges in the sandbox");
	return 0;
}
