/*
 * Jobs that wait for resources.  Filled by command.c from refusals, asked by
 * scheduler.c.
 */
#include "supervisor/queue.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"

/* Waiting longer than this, a job is not passed any more. */
#define AGED_MS 60000
/* Not refused again for so long: another supervisor has it, or it ended. */
#define FORGET_MS 30000

/* One party that refuses one job.  New ones are added at the end. */
struct entry {
	char job_id[ID_JOB_SIZE];
	char party[16];
	int64_t since_ms, last_ms; /* monotonic */
	struct entry *next;
};

struct queue {
	struct entry *first;
};

struct queue *
queue_new(void)
{
	return xcalloc(1, sizeof(struct queue));
}

static void
drop(struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	free(e);
}

void
queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	while (q->first != NULL)
		drop(&q->first);
	free(q);
}

static void
forget_old(struct queue *q)
{
	int64_t now = clock_mono_ms();

	for (struct entry **at = &q->first; *at != NULL;) {
		if (now - (*at)->last_ms > FORGET_MS)
			drop(at);
		else
			at = &(*at)->next;
	}
}

void
queue_refused(struct queue *q, const char *job_id, const char *party)
{
	struct entry **at, *e;

	for (at = &q->first; (e = *at) != NULL; at = &e->next)
		if (strcmp(e->job_id, job_id) == 0 &&
		    strcmp(e->party, party) == 0)
			break;
	if (e == NULL) {
		e = *at = xcalloc(1, sizeof(*e));
		(void)snprintf(e->job_id, sizeof(e->job_id), "%s", job_id);
		(void)snprintf(e->party, sizeof(e->party), "%s", party);
		e->since_ms = clock_mono_ms();
	}
	e->last_ms = clock_mono_ms();
}

void
queue_gone(struct queue *q, const char *job_id)
{
	for (struct entry **at = &q->first; *at != NULL;) {
		if (strcmp((*at)->job_id, job_id) == 0)
			drop(at);
		else
			at = &(*at)->next;
	}
}

const char *
queue_ahead(struct queue *q, const char *job_id, const char *party)
{
	int64_t now = clock_mono_ms();

	forget_old(q);
	/* In order of arrival: who stands before this job came before it. */
	for (const struct entry *e = q->first; e != NULL; e = e->next) {
		if (strcmp(e->party, party) != 0)
			continue;
		if (strcmp(e->job_id, job_id) == 0)
			return NULL;
		if (now - e->since_ms > AGED_MS)
			return e->job_id;
	}
	return NULL;
}

void
queue_each(
    struct queue *q, void (*fn)(void *ctx, const char *job_id), void *ctx)
{
	forget_old(q);
	for (struct entry *e = q->first, *next; e != NULL; e = next) {
		next = e->next;
		fn(ctx, e->job_id);
	}
}
