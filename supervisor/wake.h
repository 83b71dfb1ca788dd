/*
 * The datagrams of lib/conf/site_wake.h, received.
 */
#ifndef SUPERVISOR_WAKE_H
#define SUPERVISOR_WAKE_H

#include "lib/conf/site_wake.h"
#include "lib/event/loop.h"

struct wake;

/* job_id is "" when the datagram named none; it may be WAKE_RELOAD. */
typedef void wake_fn(void *ctx, const char *job_id, unsigned what);

/*
 * Bind path (a stale socket is replaced) and call back from the loop, once
 * for every distinct datagram of those that are waiting.
 * Errors: ERR_IO, ERR_INVALID when the path is too long.
 */
int wake_open(
    struct loop *, const char *path, wake_fn *, void *ctx, struct wake **out);
void wake_close(struct wake *); /* NULL is fine; removes the socket */

#endif
