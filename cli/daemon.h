/*
 * The three programs of a site as background processes: started, found
 * again by their pid files, waited for, stopped.
 */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/conf/site_conf.h"
#include "lib/event/loop.h"

struct daemon_def {
	const char *name; /* run/NAME.pid, which the program
					 * writes itself, and logs/NAME.log */
	/* Arguments with the program first; NULL-terminated, the caller's. */
	char **(*argv)(const struct site_conf *);
	/* Has it come up?  Asked again whenever something in run/ changes. */
	bool (*is_ready)(const struct site_conf *);
};

extern const struct daemon_def daemon_fcgi, daemon_supervisor, daemon_nginx;
extern const struct daemon_def daemon_keeper; /* watches the others */

/*
 * The pid if it runs and is this site's, else 0: a pid file may be stale and
 * its number taken by another process.
 */
pid_t daemon_pid(const struct daemon_def *, const struct site_conf *);

/*
 * End what is left of a program whose parent process was killed: workers
 * that would still hold its sockets.  They are found by the session that the
 * parent, whose number the stale pid file holds, was started in.
 */
int daemon_stop_orphans(
    const struct daemon_def *, const struct site_conf *, int64_t timeout_ms);

/* Start in a session of its own, output to its log. */
int daemon_start(
    const struct daemon_def *, const struct site_conf *, pid_t *out);

/*
 * Wait until all n are ready.  Errors: ERR_TIMEOUT; ERR_INTERNAL when one
 * ended instead, with the end of its log.
 */
int daemon_wait_ready(const struct daemon_def *const *, const pid_t *pids,
    size_t n, const struct site_conf *, int64_t timeout_ms);

/* SIGTERM, wait; SIGKILL after timeout_ms.  pid must not be reaped by us. */
int daemon_stop(pid_t pid, int64_t timeout_ms);

/* Does the process run, and as a shepherd of this site? */
bool daemon_is_shepherd(pid_t, const struct site_conf *);
/* Stop all shepherds of this site; *n is how many there were. */
int daemon_stop_shepherds(
    const struct site_conf *, int64_t timeout_ms, size_t *n);

#endif
