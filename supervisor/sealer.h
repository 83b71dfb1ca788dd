/*
 * The audit chain grows here: rows that anybody wrote are linked, in batches,
 * a moment after they were committed.  So no writer waits for another, and one
 * commit serves all that came meanwhile.  Two supervisors of one site may both
 * try; the number of a link is given once.
 */
#ifndef SUPERVISOR_SEALER_H
#define SUPERVISOR_SEALER_H

#include "supervisor/supervisor.h"

struct sealer;

struct sealer *sealer_new(struct supervisor *);
void sealer_free(struct sealer *); /* NULL is fine */

/* Rows behind this id are what there may be to do: for db_work_waiting(). */
int64_t sealer_low(const struct sealer *);
/* Link what is not linked. */
void sealer_look(struct sealer *);
/* The same a little later, with all that comes until then. */
void sealer_soon(struct sealer *);
/* Whether rows have been without a link for too long (a detector). */
int sealer_check(struct sealer *);

#endif
