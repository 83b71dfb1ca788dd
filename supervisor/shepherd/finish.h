/*
 * The last write of an attempt.
 */
#ifndef SUPERVISOR_SHEPHERD_FINISH_H
#define SUPERVISOR_SHEPHERD_FINISH_H

#include <stdbool.h>

struct shepherd;

/*
 * Write the task's end: everything it leaves and its state in one
 * transaction.  An output that cannot be taken turns success into failure.
 * May be called again after ERR_DB.
 * Errors: ERR_CONFLICT when the lease is another's, ERR_DB.
 */
int finish_write(struct shepherd *);
/* Tell the supervisor that the task runs, or that it has ended. */
void finish_tell(struct shepherd *, bool is_end);
/* Remove what only the running task needed. */
void finish_clean(struct shepherd *);

#endif
