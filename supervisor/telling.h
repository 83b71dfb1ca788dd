/*
 * What is told to initiators until they have heard it.  What is due stands in
 * the rows; kept here is only what is under way, so that a look does not send
 * it twice, and what rests: an initiator that answers with trouble of its own
 * (5xx) has not heard, and is told the same again after a while that grows
 * with each such answer.  Rests end together, at multiples of
 * TELLING_STEP_MS: thousands that are owed to one initiator in trouble are not
 * looked at thousands of times.  Used by report.c and sign.c.
 */
#ifndef SUPERVISOR_TELLING_H
#define SUPERVISOR_TELLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"
#include "lib/event/loop.h"
#include "lib/http/partner.h"

/* The first rest, doubled by each further one; it lasts up to a step longer. */
#define TELLING_REST_MIN_MS 1000
#define TELLING_REST_MAX_MS 30000
#define TELLING_STEP_MS 500

#define TELLING_BUCKETS 1024

struct tellings;

/* The first member of whatever is told. */
struct telling {
	struct tellings *of;
	struct arena *arena; /* owns it, and what belongs to it */
	const char *key;
	int64_t rest_ms, until_ms; /* the last one; monotonic, 0: none now */
	struct telling *next;	   /* in its bucket */
};

struct tellings {
	struct telling *buckets[TELLING_BUCKETS]; /* by key */
	struct loop_timer *timer;
	int64_t timer_ms; /* when it fires; 0: not set */
	void (*look)(void *ctx);
	void *ctx;
};

/* look is called when something may be told again. */
void tellings_init(
    struct tellings *, struct loop *, void (*look)(void *ctx), void *ctx);
void tellings_fini(struct tellings *);

/* Is it under way, or does it rest?  key says what is told, and about what. */
bool tellings_has(struct tellings *, const char *key);
/*
 * It is told: size bytes, a struct telling and what the caller keeps with it,
 * zeroed.  It remembers how long it has rested.
 */
void *tellings_add(struct tellings *, const char *key, size_t size);
/* It was heard, or could not be sent. */
void telling_drop(struct telling *);
/*
 * What the initiator said means: its own trouble (true; it rests now, and is
 * not to be looked at any more), or something else.
 */
bool telling_rests(struct telling *, const struct partner_reply *);

#endif
