#include "lib/base/clock.h"

#include <time.h>

static int64_t
now_us(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

int64_t
clock_mono_ms(void)
{
	return now_us(CLOCK_MONOTONIC) / 1000;
}

/* What to add to the monotonic clock; 0: nobody said. */
static _Atomic int64_t anchor_us;

void
clock_anchor(int64_t wall_us)
{
	anchor_us = wall_us - clock_mono_us();
}

int64_t
clock_wall_us(void)
{
	int64_t anchor = anchor_us;

	return anchor != 0 ? clock_mono_us() + anchor : now_us(CLOCK_REALTIME);
}

int64_t
clock_wall_ms(void)
{
	return clock_wall_us() / 1000;
}

int64_t
clock_file_ms(void)
{
	return now_us(CLOCK_REALTIME) / 1000;
}

void
clock_date(int64_t wall_ms, char out[CLOCK_DATE_SIZE])
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	out[0] = '\0';
	if (wall_ms > 0 && localtime_r(&t, &tm) != NULL)
		(void)strftime(out, CLOCK_DATE_SIZE, "%Y-%m-%d %H:%M:%S", &tm);
}

void
clock_utc(int64_t wall_ms, char out[CLOCK_UTC_SIZE])
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	out[0] = '\0';
	if (wall_ms > 0 && gmtime_r(&t, &tm) != NULL)
		(void)strftime(out, CLOCK_UTC_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
