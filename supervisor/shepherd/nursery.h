/*
 * The process that shepherds are forked from.
 *
 * A shepherd's start costs more than most of what it does: linking, the
 * configuration, manifests, digests, a filter to compile.  The nursery does
 * all that once, keeps it while the files that it read stay the same
 * (lib/base/seen.h), and forks a process for each attempt that it is asked
 * for: one address space a task, with nothing of any other task in it.  It
 * holds no key, knows no task and reads nothing but attempt ids from the
 * supervisor's socket, and descriptors of connections that it lent (pool.h).
 *
 * The forked process is the supervisor's child, not the nursery's
 * (CLONE_PARENT), and has the command line of a shepherd that was started by
 * itself: who waits for it, adopts it or kills it sees no difference.
 */
#ifndef SUPERVISOR_SHEPHERD_NURSERY_H
#define SUPERVISOR_SHEPHERD_NURSERY_H

#include "supervisor/shepherd/ready.h"

/* What a forked process does; its exit status. */
typedef int nursery_attempt_fn(struct ready *, const char *attempt_id);

/*
 * Answer requests on descriptor NURSERY_FD (supervisor/nursery.h) until the
 * supervisor is gone or what is known here is out of date.  argv is the
 * process's own, as spawn_nursery() made it: what stands behind the program's
 * name is written over.  Returns the exit status.
 */
int nursery_run(char **argv, const char *config, nursery_attempt_fn *fn);

#endif
