/*
 * Places that told of trouble lately.  Called by log.c.
 */
#include "lib/base/log_repeat.h"

#include <stddef.h>

#define PLACES 32

struct place {
	const char *what;
	int64_t until_ms; /* what comes before is kept back */
	int64_t pause_ms;
	int held;
};

static _Thread_local struct place places[PLACES];

/* Its own, or the one that was silent for longest. */
static struct place *
place_of(const char *what)
{
	struct place *oldest = &places[0];

	for (size_t i = 0; i < PLACES; i++) {
		if (places[i].what == what)
			return &places[i];
		if (places[i].until_ms < oldest->until_ms)
			oldest = &places[i];
	}
	*oldest = (struct place){ .what = what };
	return oldest;
}

int
log_repeat(const char *what, int64_t now_ms)
{
	struct place *p = place_of(what);
	int held = p->held;

	if (p->pause_ms > 0 && now_ms < p->until_ms) {
		p->held++;
		return -1;
	}
	/* Silent for as long as it was kept back: other trouble. */
	if (p->pause_ms == 0 || now_ms - p->until_ms > p->pause_ms + 1000)
		p->pause_ms = LOG_REPEAT_MIN_MS;
	else if (p->pause_ms < LOG_REPEAT_MAX_MS / 2)
		p->pause_ms *= 2;
	else
		p->pause_ms = LOG_REPEAT_MAX_MS;
	p->until_ms = now_ms + p->pause_ms;
	p->held = 0;
	return held;
}
