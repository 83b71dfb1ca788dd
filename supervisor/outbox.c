/*
 * Called by partners.c.
 */
#include "supervisor/outbox.h"

#include "lib/base/str.h"

#define REST_MIN_MS 1000
#define REST_MAX_MS 30000
/* A lane that has not moved for longer stands; that says nothing of its pace.
 */
#define PAUSE_MAX_MS 1000

void
outbox_init(struct outbox *o)
{
	*o = (struct outbox){ .turns = 0 };
	for (int i = 0; i < OUTBOX_LANES; i++)
		o->lanes[i].last = &o->lanes[i].first;
}

static size_t
under_way(const struct outbox *o)
{
	size_t n = 0;

	for (int i = 0; i < OUTBOX_LANES; i++)
		n += o->lanes[i].under_way;
	return n;
}

static bool
has_place(const struct outbox *o, enum outbox_lane lane)
{
	return under_way(o) < OUTBOX_UNDER_WAY &&
	       (lane != OUTBOX_NEW ||
		   o->lanes[lane].under_way < OUTBOX_NEW_UNDER_WAY);
}

/* Is an ask under way whose answer this one has to wait for? */
static bool
stands_behind(const struct outbox *o, const struct outbox_item *item)
{
	const struct outbox_item *i;

	for (i = o->asked; item->lane == OUTBOX_ASKS && i != NULL; i = i->next)
		if (i->priority != item->priority &&
		    i->queue_us < item->queue_us)
			return true;
	return false;
}

/* The first of that key that waits. */
static const struct outbox_item *
waits(const struct outbox_queue *q, const char *key)
{
	const struct outbox_item *i;

	for (i = q->first; *key != '\0' && i != NULL; i = i->next)
		if (str_eq(i->key, key))
			return i;
	return NULL;
}

bool
outbox_is_clear(const struct outbox *o, const struct outbox_item *item)
{
	const struct outbox_item *first = o->lanes[OUTBOX_ASKS].first;

	if (!has_place(o, item->lane) ||
	    waits(&o->lanes[OUTBOX_NEW], item->key) != NULL ||
	    waits(&o->lanes[OUTBOX_ASKS], item->key) != NULL)
		return false;
	if (item->lane != OUTBOX_ASKS)
		return o->lanes[item->lane].n == 0;
	return (first == NULL || item->queue_us < first->queue_us) &&
	       !stands_behind(o, item);
}

void
outbox_begin(struct outbox *o, struct outbox_item *item)
{
	o->lanes[item->lane].under_way++;
	if (item->lane != OUTBOX_ASKS)
		return;
	item->next = o->asked;
	o->asked = item;
}

void
outbox_done(struct outbox *o, struct outbox_item *item)
{
	struct outbox_item **at = &o->asked;

	o->lanes[item->lane].under_way--;
	if (item->lane != OUTBOX_ASKS)
		return;
	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
}

/* Where it waits: asks in the order of the queue, all others at the end. */
static struct outbox_item **
place_of(struct outbox_queue *q, const struct outbox_item *item)
{
	struct outbox_item **at = &q->first;

	if (item->lane != OUTBOX_ASKS)
		return q->last;
	while (*at != NULL && (*at)->queue_us <= item->queue_us)
		at = &(*at)->next;
	return at;
}

bool
outbox_push(struct outbox *o, struct outbox_item *item)
{
	const struct outbox_item *ask =
	    waits(&o->lanes[OUTBOX_ASKS], item->key);
	struct outbox_item **at;
	struct outbox_queue *q;

	/* Behind the new job it is about, for it is nothing without it. */
	if (waits(&o->lanes[OUTBOX_NEW], item->key) != NULL)
		item->lane = OUTBOX_NEW;
	else if (ask != NULL) {
		item->lane = OUTBOX_ASKS;
		item->queue_us = ask->queue_us;
		item->priority = ask->priority;
	}
	q = &o->lanes[item->lane];
	if (q->n >= OUTBOX_MAX || q->bytes + item->bytes > OUTBOX_BYTES_MAX)
		return false;
	at = place_of(q, item);
	item->next = *at;
	*at = item;
	if (item->next == NULL)
		q->last = &item->next;
	q->n++;
	q->bytes += item->bytes;
	return true;
}

static struct outbox_item *
take(struct outbox_queue *q)
{
	struct outbox_item *item = q->first;

	if (item == NULL)
		return NULL;
	if ((q->first = item->next) == NULL)
		q->last = &q->first;
	q->n--;
	q->bytes -= item->bytes;
	item->next = NULL;
	return item;
}

static bool
may_go(const struct outbox *o, enum outbox_lane lane)
{
	const struct outbox_item *first = o->lanes[lane].first;

	return first != NULL && has_place(o, lane) && !stands_behind(o, first);
}

static void
note_pace(struct outbox *o, int64_t now_ms)
{
	int64_t since = now_ms - o->popped_ms;

	if (o->popped_ms != 0)
		o->pause_ms =
		    (7 * o->pause_ms +
			(since < PAUSE_MAX_MS ? since : PAUSE_MAX_MS)) /
		    8;
	o->popped_ms = now_ms;
}

struct outbox_item *
outbox_pop(struct outbox *o, int64_t now_ms)
{
	bool new_may = may_go(o, OUTBOX_NEW), work_may = may_go(o, OUTBOX_WORK);
	enum outbox_lane lane = OUTBOX_WORK;
	struct outbox_item *item;

	/* An ask is work that waited for another answer, and was there first. */
	if (may_go(o, OUTBOX_ASKS) && (!work_may || o->asks < OUTBOX_TURNS))
		lane = OUTBOX_ASKS;
	if ((lane == OUTBOX_WORK && !work_may) ||
	    (new_may && o->turns >= OUTBOX_TURNS))
		lane = OUTBOX_NEW;
	if (lane == OUTBOX_NEW && !new_may)
		return NULL;
	o->turns = lane != OUTBOX_NEW && new_may ? o->turns + 1 : 0;
	if (lane == OUTBOX_WORK || !work_may)
		o->asks = 0;
	else if (lane == OUTBOX_ASKS)
		o->asks++;
	note_pace(o, now_ms);
	item = take(&o->lanes[lane]);
	outbox_begin(o, item);
	return item;
}

struct outbox_item *
outbox_take_all(struct outbox *o)
{
	struct outbox_item *list = NULL, **last = &list, *item;

	for (int i = 0; i < OUTBOX_LANES; i++)
		while ((item = take(&o->lanes[i])) != NULL) {
			*last = item;
			last = &item->next;
		}
	return list;
}

int64_t
outbox_rest_ms(const struct outbox *o, enum outbox_lane lane)
{
	int64_t ms = (int64_t)o->lanes[lane].n * o->pause_ms / 2;

	return ms < REST_MIN_MS	  ? REST_MIN_MS
	       : ms > REST_MAX_MS ? REST_MAX_MS
				  : ms;
}
