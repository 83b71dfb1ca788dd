/*
 * Detectors: what other rules should have made impossible or repaired, looked
 * for once in a while.  One table says of each how often, for what, and what
 * is done; what they find is in the log, the metrics and the events.
 */
#ifndef SUPERVISOR_DETECTORS_H
#define SUPERVISOR_DETECTORS_H

#include "supervisor/supervisor.h"

struct detectors;

/* Each runs first after its own period. */
struct detectors *detectors_new(struct supervisor *);
void detectors_free(struct detectors *); /* NULL is fine */

/* Run all of them now (SIGUSR2); how many failed. */
int detectors_run_all(struct supervisor *);

/* The table, for people and for tests. */
struct detector {
	const char *name;
	int64_t period_ms;
	const char *condition;
	const char *action;
	int (*run)(struct supervisor *);
};
const struct detector *detectors_table(size_t *n);

#endif
