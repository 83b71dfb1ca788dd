/*
 * The supervisor's sign of life: every few seconds a row that says that it
 * runs and what it counted.  Readiness and metrics of the site are made from
 * it.
 */
#ifndef SUPERVISOR_BEAT_H
#define SUPERVISOR_BEAT_H

#include "supervisor/supervisor.h"

#define BEAT_MS 5000

struct beat;

/* The first one now.  Errors: ERR_DB. */
int beat_new(struct supervisor *, struct beat **out);
/* One between the others, with the numbers as they are now. */
void beat_now(struct beat *);
/* The row goes as well.  NULL is fine. */
void beat_free(struct beat *);

#endif
