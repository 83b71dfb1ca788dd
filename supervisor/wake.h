/*
 * "Look now": datagrams to run/supervisor.sock.  A datagram is a job id, or
 * empty for "something changed".  It carries no news of its own: what it is
 * about stands in the database, so a lost one costs a polling period and a
 * forged one a look.
 */
#ifndef SUPERVISOR_WAKE_H
#define SUPERVISOR_WAKE_H

#include "lib/event/loop.h"

struct wake;

#define WAKE_RELOAD "reload" /* the configuration is to be read again */

/* job_id is "" when the datagram named none; it may be WAKE_RELOAD. */
typedef void wake_fn(void *ctx, const char *job_id);

/*
 * Bind path (a stale socket is replaced) and call back from the loop, once
 * for every distinct job of the datagrams that are waiting.
 * Errors: ERR_IO, ERR_INVALID when the path is too long.
 */
int wake_open(
    struct loop *, const char *path, wake_fn *, void *ctx, struct wake **out);
void wake_close(struct wake *); /* NULL is fine; removes the socket */

#endif
