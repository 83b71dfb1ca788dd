/*
 * A file that the executor left for a place outside: brought there by a
 * thread when the task ends well, before its end is written.
 *
 * A file in the folder for exports is there under its name only when it is
 * complete; a server's table has all rows or none of them.  A task that is
 * stopped, or whose shepherd dies, before that leaves what was there before;
 * after it the same task, run again, does the same again.
 */
#ifndef SUPERVISOR_SHEPHERD_DELIVERY_H
#define SUPERVISOR_SHEPHERD_DELIVERY_H

#include <stdbool.h>

#include "proto/executor.pb-c.h"

struct shepherd;
struct delivery;

struct delivery *delivery_new(struct shepherd *);
void delivery_free(struct delivery *); /* NULL is fine */

/*
 * A checked frame.  The place is that of the task's parameters.
 * Errors: ERR_DENIED for a component or a job that may not, ERR_EXISTS for a
 * second file, those of outside_open().
 */
int delivery_file(struct delivery *, const Sluice__Executor__OutputFile *);

/*
 * The task ends well: begin, once.  False while the file is on its way; a
 * failure becomes the task's (control_fail()), then and otherwise the step of
 * control.c is poked.
 */
bool delivery_is_done(struct delivery *);
/* The task ends otherwise: stop.  False while the thread is not gone. */
bool delivery_is_stopped(struct delivery *);

#endif
