/*
 * Jobs that wait for resources, and the fairness between them: first come,
 * first served, but a job that fits may pass one that does not; once a job
 * has waited long, younger ones no longer pass it at the party that refuses
 * it.  Made anew from refusals after a restart: it only orders, it decides
 * nothing.
 */
#ifndef SUPERVISOR_QUEUE_H
#define SUPERVISOR_QUEUE_H

#include <stddef.h>

struct queue;

struct queue *queue_new(void);
void queue_free(struct queue *); /* NULL is fine */

/* A party refused resources to a job, now. */
void queue_refused(struct queue *, const char *job_id, const char *party);
/* The job started or ended. */
void queue_gone(struct queue *, const char *job_id);
/*
 * The job that this one may not pass at the party: the one that waits for it
 * longest, when it has waited long and since before this one; else NULL.
 * Valid until the next call.
 */
const char *queue_ahead(struct queue *, const char *job_id, const char *party);
/* Call fn for each waiting job, longest wait first: something became free. */
void queue_each(
    struct queue *, void (*fn)(void *ctx, const char *job_id), void *ctx);

#endif
