/*
 * A task behind a shepherd: frames of proto/executor.proto on descriptor 3.
 *
 * One thread reads; any thread may send.  Objects on their way out count
 * against a window until the shepherd acknowledges that it holds them.
 */
#ifndef EXECUTOR_CHANNEL_H
#define EXECUTOR_CHANNEL_H

#include "executor/task_ops.h"

struct channel;

/*
 * Say Hello on sock (owned from here on), wait for Start, check it and make
 * the task of it.  Errors: ERR_CLOSED, ERR_FORMAT, ERR_UNSUPPORTED for
 * another protocol, ERR_INVALID.  On success *task lives as long as the
 * channel.  On error *out may still be there: to send channel_finish() and
 * then to be freed.
 */
int channel_open(int sock, struct channel **out, struct task **task);

/*
 * The end: on success wait until the shepherd holds all that was sent.
 * code 0, or the failure whose text stands in err_text().  ERR_CLOSED.
 */
int channel_finish(struct channel *, int code);
void channel_free(struct channel *); /* NULL is fine */

#endif
