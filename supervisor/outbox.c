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
	return o->lanes[OUTBOX_WORK].under_way + o->lanes[OUTBOX_NEW].under_way;
}

static bool
has_place(const struct outbox *o, enum outbox_lane lane)
{
	return under_way(o) < OUTBOX_UNDER_WAY &&
	       (lane == OUTBOX_WORK ||
		   o->lanes[lane].under_way < OUTBOX_NEW_UNDER_WAY);
}

static bool
waits(const struct outbox_queue *q, const char *key)
{
	const struct outbox_item *i;

	for (i = q->first; *key != '\0' && i != NULL; i = i->next)
		if (str_eq(i->key, key))
			return true;
	return false;
}

bool
outbox_is_clear(const struct outbox *o, const struct outbox_item *item)
{
	return has_place(o, item->lane) && o->lanes[item->lane].n == 0 &&
	       !waits(&o->lanes[OUTBOX_NEW], item->key);
}

void
outbox_begin(struct outbox *o, enum outbox_lane lane)
{
	o->lanes[lane].under_way++;
}

void
outbox_done(struct outbox *o, enum outbox_lane lane)
{
	o->lanes[lane].under_way--;
}

bool
outbox_push(struct outbox *o, struct outbox_item *item)
{
	struct outbox_queue *q;

	/* Behind the new job it is about, for it is nothing without it. */
	if (item->lane == OUTBOX_WORK &&
	    waits(&o->lanes[OUTBOX_NEW], item->key))
		item->lane = OUTBOX_NEW;
	q = &o->lanes[item->lane];
	if (q->n >= OUTBOX_MAX || q->bytes + item->bytes > OUTBOX_BYTES_MAX)
		return false;
	item->next = NULL;
	*q->last = item;
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
	return o->lanes[lane].n > 0 && has_place(o, lane);
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
	bool new_may = may_go(o, OUTBOX_NEW);
	enum outbox_lane lane = OUTBOX_WORK;

	if (!may_go(o, OUTBOX_WORK) || (new_may && o->turns >= OUTBOX_TURNS))
		lane = OUTBOX_NEW;
	if (lane == OUTBOX_NEW && !new_may)
		return NULL;
	o->turns = lane == OUTBOX_WORK && new_may ? o->turns + 1 : 0;
	note_pace(o, now_ms);
	outbox_begin(o, lane);
	return take(&o->lanes[lane]);
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
