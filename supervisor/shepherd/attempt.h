/*
 * One attempt from its launch to its end, in a process of its own.
 */
#ifndef SUPERVISOR_SHEPHERD_ATTEMPT_H
#define SUPERVISOR_SHEPHERD_ATTEMPT_H

#include "supervisor/shepherd/ready.h"

/*
 * Run the attempt; ready is borrowed, its loan is returned.  Returns the
 * process's exit status: 0 when the task's end was written, 1 when nothing
 * could be done, 3 when the lease was lost, SHEPHERD_AGAIN when nothing was
 * begun, for the database went away or the attempt had been ended before.
 */
int attempt_run(struct ready *, const char *attempt_id);

#endif
