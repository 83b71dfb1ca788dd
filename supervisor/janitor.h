/*
 * The janitor: what is kept for so many days ([retention]) and then goes:
 * logs of jobs, rotated logs of programs, bodies that nginx left, events, metrics.
 * Small bites with pauses between, so that nobody waits for it.
 */
#ifndef SUPERVISOR_JANITOR_H
#define SUPERVISOR_JANITOR_H

#include "supervisor/supervisor.h"

struct janitor;

struct janitor *janitor_new(struct supervisor *);
void janitor_free(struct janitor *); /* NULL is fine */

/* One bite of each kind; *more when something may be left. */
int janitor_bite(struct supervisor *, bool *more);

#endif
