/*
 * Starting an executor in its sandbox, and ending it.
 */
#ifndef SUPERVISOR_SHEPHERD_LAUNCHER_H
#define SUPERVISOR_SHEPHERD_LAUNCHER_H

#include <sys/types.h>

#include "supervisor/shepherd/limits.h"
#include "supervisor/shepherd/sandbox.h"

struct launched {
	pid_t pid;	       /* our child: to be waited for */
	pid_t inner;	       /* the sandbox's first process: the executor,
				* or one of bwrap's, whose child that is */
	int inner_fd;	       /* pidfd of it */
	int socket;	       /* frames; non-blocking */
	int output;	       /* what it prints; non-blocking */
	struct cgroup *cgroup; /* may be NULL */
};

#define LAUNCHED_INIT                                                          \
	{                                                                      \
		.pid = -1, .inner = -1, .inner_fd = -1, .socket = -1,          \
		.output = -1                                                   \
	}

/*
 * Start the program.  cgroup_dir and name as for cgroup_new().
 * On success the caller waits for the child's end and then calls
 * launcher_close().  On failure nothing runs and nothing is held.
 * Errors: ERR_IO; ERR_UNSUPPORTED when there is no sandbox here (the message
 * says why); those of sandbox_argv().  sluice-sandbox may still fail: exit
 * status INSIDE_EXIT, and what was printed says why.
 */
int launcher_start(const struct sandbox *, const struct limits *,
    const char *cgroup_dir, const char *name, struct launched *out);

/*
 * Start a program of the site itself, which needs what a sandbox has not
 * (network, database): argv[0] with an empty environment, the socket as
 * descriptor 3, its output as above.  It dies with this process.
 * pid is its number in *out.  Errors: ERR_IO.
 */
int launcher_start_own(char *const argv[], struct launched *out);

/* SIGKILL to the sandbox, all of it; what is dead already is fine. */
void launcher_kill(const struct launched *);

/* After the child has been waited for: close, remove the control group. */
void launcher_close(struct launched *);

#endif
