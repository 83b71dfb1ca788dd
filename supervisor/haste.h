/*
 * What comes each minute or each hour comes far more often in a build for
 * tests (make check-haste, HASTE=50), so that runs of minutes meet it.
 */
#ifndef SUPERVISOR_HASTE_H
#define SUPERVISOR_HASTE_H

#include <stdint.h>

#ifndef HASTE
#define HASTE 1
#endif
#define HASTE_MIN_MS 100 /* nothing long becomes shorter than this */

/* How long a period of this build is that lasts so long in others. */
static inline int64_t
haste_ms(int64_t period_ms)
{
	int64_t ms = period_ms / HASTE;

	return ms < HASTE_MIN_MS && ms < period_ms ? HASTE_MIN_MS : ms;
}

#endif
