/*
 * Starting an executor in its sandbox, and ending it.
 */
#ifndef SUPERVISOR_SHEPHERD_LAUNCHER_H
#define SUPERVISOR_SHEPHERD_LAUNCHER_H

#include <sys/types.h>

#include "supervisor/shepherd/limits.h"
#include "supervisor/shepherd/sandbox.h"

struct launched {
	pid_t bwrap;	       /* our child: to be waited for */
	pid_t inner;	       /* that process: its children are the executor */
	int inner_fd;	       /* pidfd of the sandbox's first process */
	int socket;	       /* frames; non-blocking */
	int output;	       /* what it prints; non-blocking */
	struct cgroup *cgroup; /* may be NULL */
};

#define LAUNCHED_INIT                                                          \
	{                                                                      \
		.bwrap = -1, .inner = -1, .inner_fd = -1, .socket = -1,        \
		.output = -1                                                   \
	}

/*
 * Start the program.  cgroup_dir and name as for cgroup_new().
 * On success the caller waits for bwrap's end and then calls
 * launcher_close().  On failure nothing runs and nothing is held.
 * Errors: ERR_IO; ERR_UNSUPPORTED when bwrap cannot make the sandbox here
 * (the message has its words); those of sandbox_argv().
 */
int launcher_start(const struct sandbox *, const struct limits *,
    const char *cgroup_dir, const char *name, struct launched *out);

/*
 * Start a program of the site itself, which needs what a sandbox has not
 * (network, database): argv[0] with an empty environment, the socket as
 * descriptor 3, its output as above.  It dies with this process.
 * bwrap is its number in *out.  Errors: ERR_IO.
 */
int launcher_start_own(char *const argv[], struct launched *out);

/* SIGKILL to the sandbox, all of it; what is dead already is fine. */
void launcher_kill(const struct launched *);

/* After bwrap has been waited for: close, remove the control group. */
void launcher_close(struct launched *);

#endif
