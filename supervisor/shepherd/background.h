/*
 * One thread beside the event loop, for what waits on other people's servers
 * and disks: the lease goes on while it works.
 */
#ifndef SUPERVISOR_SHEPHERD_BACKGROUND_H
#define SUPERVISOR_SHEPHERD_BACKGROUND_H

#include <stdbool.h>

#include "lib/db/db_remote.h"
#include "lib/event/loop.h"

struct background;

/* In the thread: 0, or a code with its error recorded. */
typedef int background_fn(struct background *, void *ctx);
/* In the loop, when the thread is gone: the error is recorded again. */
typedef void background_done_fn(void *ctx, int code);

/*
 * Start the thread.  ctx belongs to it until done was called or
 * background_free() returned.  Ownership: *out is the caller's.  Errors:
 * ERR_IO, ERR_NOMEM.
 */
int background_start(struct loop *, background_fn *, background_done_fn *,
    void *ctx, struct background **out);
/* Ask it to end soon: its server connection breaks. */
void background_stop(struct background *);
/* Stop, wait for the end, free; done is not called any more.  NULL is fine. */
void background_free(struct background *);

/* In the thread: was it asked to stop? */
bool background_is_stopped(struct background *);
/*
 * In the thread: a connection that background_stop() breaks, at most one at a
 * time.  Errors: those of db_remote_open(), ERR_CANCELED.
 */
int background_connect(
    struct background *, const struct remote_server *, struct db_remote **out);
void background_disconnect(struct background *, struct db_remote *);

#endif
