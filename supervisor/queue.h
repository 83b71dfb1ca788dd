/*
 * Jobs that wait for resources, and the fairness between them.  The queue
 * itself is rows (lib/db/db_queue.h): first come, first served, with a head
 * start for priority, but a job that fits may pass one that does not; once a
 * job has waited long, those behind it no longer pass it at the party that
 * refuses it.
 *
 * Only the first at each party asks again soon by itself, and some behind it
 * now and then; all are woken when something becomes free there, and moved up
 * by those before them.  What
 * is kept here is at which parties somebody waits, so that the ends of jobs
 * elsewhere cost nothing.
 */
#ifndef SUPERVISOR_QUEUE_H
#define SUPERVISOR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"
#include "lib/model/wait.h"
#include "supervisor/supervisor.h"

struct queue;

struct queue *queue_new(struct supervisor *);
void queue_free(struct queue *); /* NULL is fine */

/* Does somebody wait at the party?  Another supervisor's job that waits is
 * known within some seconds. */
bool queue_has(const struct queue *, const char *party);
/*
 * A job that this one may not pass at one of its parties: it stands before it
 * and has waited for a minute, or was woken and is about to ask.  *ahead, in
 * the arena, is NULL when there is none; *at is the party.
 */
int queue_ahead(struct queue *, struct arena *, const char *job_id,
    const char *const *parties, size_t n, const char **ahead, const char **at);
/* A party refused resources to a job, now. */
void queue_refused(struct queue *, const char *party);
/* A job began or ended: something changed at its parties. */
void queue_moved(struct queue *, const char *const *parties, size_t n);
/* Something became free there, whoever held it. */
void queue_freed(struct queue *, const char *party);
/* How often somebody was woken: a job that was being looked at then is due
 * when it is given back. */
uint64_t queue_wakes(const struct queue *);
/* Learn anew where somebody waits; with all, wake the first there. */
int queue_refresh(struct queue *, bool all);

/*
 * When a job that waits so is to be looked at again: as planned for the first
 * of the queue, later for those behind it, else not until it is woken (an hour
 * is the net).
 */
int64_t queue_delay_ms(
    struct queue *, const char *job_id, enum wait_code, int64_t planned_ms);

#endif
