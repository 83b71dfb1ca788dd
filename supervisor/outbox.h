/*
 * The order in which commands leave for one partner: what may be under way at
 * once, who goes next, how much may wait.  No I/O and no clock of its own.
 *
 * Lanes.  New jobs, whose documents are long and their taking in slow,
 * leave some of the places to the work of jobs that are there already, which
 * goes first; but when it has gone first OUTBOX_TURNS times in a row, one new
 * job does.  Within a lane the order is that of pushing, and what has a key
 * goes behind whatever of that key waits, in whichever lane.
 *
 * A third one has what jobs ask for resources.  The partner serves what is
 * under way at once in an order of its own, so none leaves while another is
 * asked about whose job has another priority and comes before it in the queue.
 * Asks pass other work, so that it goes first after OUTBOX_TURNS of them: what
 * frees resources does not stand behind those who want them.
 */
#ifndef SUPERVISOR_OUTBOX_H
#define SUPERVISOR_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As many as lib/http keeps connections to a partner. */
#define OUTBOX_UNDER_WAY 16
/* Of them for new jobs. */
#define OUTBOX_NEW_UNDER_WAY 12
#define OUTBOX_TURNS 8
/* What may wait of each lane; it is in memory, documents and all. */
#define OUTBOX_MAX 4096
#define OUTBOX_BYTES_MAX ((size_t)64 << 20)

enum outbox_lane { OUTBOX_WORK, OUTBOX_NEW, OUTBOX_ASKS, OUTBOX_LANES };

/* Part of what waits or is under way; filled before it is pushed or begun. */
struct outbox_item {
	enum outbox_lane lane;
	const char *key; /* borrowed, a job's id; "": none */
	size_t bytes;
	/* of OUTBOX_ASKS: the job's place in the queue */
	int64_t queue_us;
	int64_t priority;
	struct outbox_item *next; /* the box's own */
};

struct outbox_queue {
	struct outbox_item *first, **last;
	size_t n, bytes;
	size_t under_way;
};

/* outbox_init() first; nothing to free. */
struct outbox {
	struct outbox_queue lanes[OUTBOX_LANES];
	struct outbox_item *asked; /* of OUTBOX_ASKS, under way */
	unsigned turns;		   /* of others, while new jobs waited */
	unsigned asks;		   /* in a row, while work waited */
	int64_t popped_ms, pause_ms;
};

void outbox_init(struct outbox *);

/* May an item be sent past the queue, now?  Then call outbox_begin(). */
bool outbox_is_clear(const struct outbox *, const struct outbox_item *);
/* It is the box's until outbox_done(). */
void outbox_begin(struct outbox *, struct outbox_item *);
/* It was answered. */
void outbox_done(struct outbox *, struct outbox_item *);

/* false: its lane is full. */
bool outbox_push(struct outbox *, struct outbox_item *);
/* The next one to send, begun; NULL when nothing may be sent. */
struct outbox_item *outbox_pop(struct outbox *, int64_t now_ms);
/* All that wait, in the order in which they would go; they are out then. */
struct outbox_item *outbox_take_all(struct outbox *);
/*
 * Who was told that the lane is full need not come again before; milliseconds,
 * from how fast it moved lately.
 */
int64_t outbox_rest_ms(const struct outbox *, enum outbox_lane);

#endif
