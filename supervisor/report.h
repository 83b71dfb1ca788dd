/*
 * Reports to the initiators of jobs that are theirs: each change of a local
 * task's state is sent until it was acknowledged.  That it was is written for
 * several at a time: who finds a report due sends it again, and does no harm.
 */
#ifndef SUPERVISOR_REPORT_H
#define SUPERVISOR_REPORT_H

#include "supervisor/supervisor.h"

struct reporter;

struct reporter *reporter_new(struct supervisor *);
void reporter_free(struct reporter *); /* NULL is fine */

/* Something may be due. */
void report_look(struct reporter *);
/*
 * A task runs: of one that ends within a moment the initiator hears the end
 * alone, which says when it began.
 */
void report_soon(struct reporter *);

#endif
