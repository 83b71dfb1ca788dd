/*
 * One look at two clocks.  Used by launch.c.
 */
#include "supervisor/steady.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_recover.h"

/* A busy machine delays an answer by less. */
#define JUMP_MS 1000

bool
steady_note(struct steady *s, int64_t now_ms, int64_t db_ms, int64_t lease_ms)
{
	int64_t here = now_ms - s->looked_ms, there = db_ms - s->db_ms;

	if (db_ms < 0) {
		s->since_ms = 0;
		return false;
	}
	if (s->since_ms != 0 &&
	    (here > STEADY_GAP_MS || llabs(there - here) > JUMP_MS)) {
		log_warn("%lld ms passed here and %lld ms at the database: "
			 "leases have time to be renewed",
		    (long long)here, (long long)there);
		s->since_ms = 0;
	}
	if (s->since_ms == 0)
		s->since_ms = now_ms;
	s->looked_ms = now_ms;
	s->db_ms = db_ms;
	return now_ms - s->since_ms >= lease_ms;
}

bool
steady_look(struct steady *s, struct db *db, int64_t lease_ms)
{
	int64_t db_ms;

	if (db_clock_ms(db, &db_ms) != 0) {
		log_err("the database's clock");
		db_ms = -1;
	}
	return steady_note(s, clock_mono_ms(), db_ms, lease_ms);
}
