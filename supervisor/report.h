/*
 * Reports to the initiators of jobs that are theirs: each change of a local
 * task's state is sent until it was acknowledged.
 */
#ifndef SUPERVISOR_REPORT_H
#define SUPERVISOR_REPORT_H

#include "supervisor/supervisor.h"

struct reporter;

struct reporter *reporter_new(struct supervisor *);
void reporter_free(struct reporter *); /* NULL is fine */

/* Something may be due. */
void report_look(struct reporter *);

#endif
