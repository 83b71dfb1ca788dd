/*
 * Does the executor get on?  A process that exists is not one that works: a
 * count grows with every frame in either direction and with the CPU time that
 * the sandbox uses.  When it stands still too long the task fails and says
 * so; a computation that says nothing for hours but computes is left alone,
 * and waiting for another member's object is that member's silence.
 */
#ifndef SUPERVISOR_SHEPHERD_PULSE_H
#define SUPERVISOR_SHEPHERD_PULSE_H

#include <stdint.h>
#include <sys/types.h>

struct shepherd;
struct pulse;

struct pulse *pulse_new(struct shepherd *);
void pulse_free(struct pulse *); /* NULL is fine */

/* A frame came or went, or an object moved on.  NULL is fine. */
void pulse_mark(struct pulse *);
/*
 * With every heartbeat: look at the CPU time as well, and end the task when
 * nothing moved for no_progress_s, when it has waited for one object for
 * partner_wait_s, or when it runs longer than its job allows (task_timeout).
 * The count so far; it only grows.
 */
int64_t pulse_look(struct pulse *);

/*
 * CPU time of a process and its children, in milliseconds; what cannot be
 * seen counts nothing.
 */
int64_t pulse_cpu_ms(pid_t);

#endif
