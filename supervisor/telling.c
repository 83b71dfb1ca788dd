/*
 * Called by report.c and sign.c, from the loop.
 */
#include "supervisor/telling.h"

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "supervisor/partners.h"

/* The timer runs for the first rest that is over. */
static void
set_timer(struct tellings *ts, int64_t now)
{
	int64_t first = 0;

	for (const struct telling *t = ts->list; t != NULL; t = t->next)
		if (t->until_ms != 0 && (first == 0 || t->until_ms < first))
			first = t->until_ms;
	if (first == ts->timer_ms)
		return;
	ts->timer_ms = first;
	if (first == 0)
		loop_timer_cancel(ts->timer);
	else
		loop_timer_set(ts->timer, first > now ? first - now : 1, 0);
}

/* What is over is told by the look, or is not due any more. */
static void
on_timer(void *ctx)
{
	struct tellings *ts = ctx;
	int64_t now = clock_mono_ms();
	struct telling *t, *next;

	ts->timer_ms = 0;
	ts->look(ts->ctx);
	for (t = ts->list; t != NULL; t = next) {
		next = t->next;
		if (t->until_ms != 0 && t->until_ms <= now)
			telling_drop(t);
	}
	set_timer(ts, now);
}

void
tellings_init(
    struct tellings *ts, struct loop *loop, void (*look)(void *ctx), void *ctx)
{
	*ts = (struct tellings){ .look = look, .ctx = ctx };
	ts->timer = loop_timer_new(loop, on_timer, ts);
}

void
tellings_fini(struct tellings *ts)
{
	while (ts->list != NULL)
		telling_drop(ts->list);
	loop_timer_free(ts->timer);
	ts->timer = NULL;
}

static struct telling *
find(const struct tellings *ts, const char *key)
{
	struct telling *t;

	for (t = ts->list; t != NULL && !str_eq(t->key, key); t = t->next)
		continue;
	return t;
}

bool
tellings_has(const struct tellings *ts, const char *key)
{
	const struct telling *t = find(ts, key);

	return t != NULL && (t->until_ms == 0 || t->until_ms > clock_mono_ms());
}

void *
tellings_add(struct tellings *ts, const char *key, size_t size)
{
	struct telling *before = find(ts, key);
	struct arena *arena = arena_new();
	struct telling *t = arena_alloc(arena, size);

	*t = (struct telling){ .of = ts, .arena = arena };
	t->key = arena_strdup(arena, key);
	if (before != NULL) {
		t->rest_ms = before->rest_ms;
		telling_drop(before);
	}
	t->next = ts->list;
	ts->list = t;
	return t;
}

void
telling_drop(struct telling *t)
{
	struct telling **at = &t->of->list;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	arena_free(t->arena);
}

bool
telling_rests(struct telling *t, const struct partner_reply *reply)
{
	int64_t now;

	if (partners_is_silence(reply) || reply->status < 500)
		return false;
	now = clock_mono_ms();
	t->rest_ms = t->rest_ms == 0 ? TELLING_REST_MIN_MS
		     : t->rest_ms * 2 > TELLING_REST_MAX_MS
			 ? TELLING_REST_MAX_MS
			 : t->rest_ms * 2;
	t->until_ms = now + t->rest_ms;
	set_timer(t->of, now);
	return true;
}
