/*
 * Detectors: what other rules should have made impossible or repaired, looked
 * for once in a while.  One table, one function each; what they find and do
 * is in the log and, about a job, in its events.
 */
#ifndef SUPERVISOR_DETECTORS_H
#define SUPERVISOR_DETECTORS_H

#include "supervisor/supervisor.h"

struct detectors;

/* Each runs first after its own period. */
struct detectors *detectors_new(struct supervisor *);
void detectors_free(struct detectors *); /* NULL is fine */

/* Run all of them now (tests, operators); how many failed. */
int detectors_run_all(struct supervisor *);

#endif
