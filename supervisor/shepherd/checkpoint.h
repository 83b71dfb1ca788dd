/*
 * Checkpoints of the running task: files by content, then rows.
 */
#ifndef SUPERVISOR_SHEPHERD_CHECKPOINT_H
#define SUPERVISOR_SHEPHERD_CHECKPOINT_H

#include "proto/executor.pb-c.h"

struct shepherd;

#define CHECKPOINT_KEEP 10 /* when the component does not say */

/*
 * Keep a checked frame; nothing in jobs that train no model.  Errors: ERR_IO,
 * ERR_DB, ERR_DB_RETRY (may be called again), ERR_CONFLICT: the lease is lost.
 */
int checkpoint_write(struct shepherd *, const Sluice__Executor__Checkpoint *);

#endif
