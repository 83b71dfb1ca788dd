/*
 * New namespaces for one executor, without bubblewrap: its shepherd's part.
 * What is in them is sluice-sandbox's (supervisor/sandbox).
 */
#ifndef SUPERVISOR_SHEPHERD_BOX_H
#define SUPERVISOR_SHEPHERD_BOX_H

#include <sys/types.h>

/*
 * A child in new namespaces (user, mount, process, network, IPC, host name),
 * the first process there.  It runs fn on a stack of its own, in our memory,
 * and we stand still until it has become another program or ended: vfork().
 * *pidfd is the caller's.  Errors: -1 with errno.
 */
pid_t box_clone(int (*fn)(void *), void *ctx, int *pidfd);

/*
 * In that child: keep, over execve(), what sluice-sandbox needs to do there.
 * These privileges hold for the new namespaces and nothing else.
 * Errors: ERR_IO.
 */
int box_keep_privileges(void);

#endif
