/*
 * Starting programs of a site from the supervisor.
 */
#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H

#include <sys/types.h>

#include "lib/conf/site_conf.h"

/*
 * In a session of its own (a terminal's or service's signals are not for
 * it), with the signal mask and dispositions a program expects, and no
 * descriptor of ours.  The child is to be waited for.  Errors: ERR_IO.
 */
int spawn_shepherd(
    const struct site_conf *, const char *attempt_id, pid_t *pid);
/* The same; fd (borrowed) becomes its NURSERY_FD. */
int spawn_nursery(const struct site_conf *, int fd, pid_t *pid);

#endif
