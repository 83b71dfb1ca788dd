/*
 * Called by report.c and sign.c, from the loop.
 */
#include "supervisor/telling.h"

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "supervisor/partners.h"

/* FNV-1a */
static struct telling **
bucket_of(struct tellings *ts, const char *key)
{
	uint32_t h = 2166136261u;

	for (; *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return &ts->buckets[h % TELLING_BUCKETS];
}

/* The timer runs for the first rest that is over. */
static void
set_timer(struct tellings *ts, int64_t until_ms, int64_t now)
{
	if (ts->timer_ms != 0 && ts->timer_ms <= until_ms)
		return;
	ts->timer_ms = until_ms;
	loop_timer_set(ts->timer, until_ms > now ? until_ms - now : 1, 0);
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
	for (size_t i = 0; i < TELLING_BUCKETS; i++)
		for (t = ts->buckets[i]; t != NULL; t = next) {
			next = t->next;
			if (t->until_ms != 0 && t->until_ms <= now)
				telling_drop(t);
			else if (t->until_ms != 0)
				set_timer(ts, t->until_ms, now);
		}
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
	for (size_t i = 0; i < TELLING_BUCKETS; i++)
		while (ts->buckets[i] != NULL)
			telling_drop(ts->buckets[i]);
	loop_timer_free(ts->timer);
	ts->timer = NULL;
}

static struct telling *
find(struct tellings *ts, const char *key)
{
	struct telling *t = *bucket_of(ts, key);

	while (t != NULL && !str_eq(t->key, key))
		t = t->next;
	return t;
}

bool
tellings_has(struct tellings *ts, const char *key)
{
	const struct telling *t = find(ts, key);

	return t != NULL && (t->until_ms == 0 || t->until_ms > clock_mono_ms());
}

void *
tellings_add(struct tellings *ts, const char *key, size_t size)
{
	struct telling *before = find(ts, key), **bucket = bucket_of(ts, key);
	struct arena *arena = arena_new();
	struct telling *t = arena_alloc(arena, size);

	*t = (struct telling){ .of = ts, .arena = arena };
	t->key = arena_strdup(arena, key);
	if (before != NULL) {
		t->rest_ms = before->rest_ms;
		telling_drop(before);
	}
	t->next = *bucket;
	*bucket = t;
	return t;
}

void
telling_drop(struct telling *t)
{
	struct telling **at = bucket_of(t->of, t->key);

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	arena_free(t->arena);
}

bool
telling_rests(struct telling *t, const struct partner_reply *reply)
{
	int64_t now, end;

	if (partners_is_silence(reply) || reply->status < 500)
		return false;
	now = clock_mono_ms();
	t->rest_ms = t->rest_ms == 0 ? TELLING_REST_MIN_MS
		     : t->rest_ms * 2 > TELLING_REST_MAX_MS
			 ? TELLING_REST_MAX_MS
			 : t->rest_ms * 2;
	end = now + t->rest_ms + TELLING_STEP_MS - 1;
	t->until_ms = end - end % TELLING_STEP_MS;
	set_timer(t->of, t->until_ms, now);
	return true;
}
