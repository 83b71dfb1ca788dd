/*
 * Whether leases that have run out mean anything.  They do not after the
 * database was away (nobody could renew), after its clock was set, or after
 * this process stood still: then everybody gets the time of a whole lease to
 * renew before anything is taken from him.
 */
#ifndef SUPERVISOR_STEADY_H
#define SUPERVISOR_STEADY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/db/db.h"

/* All zero at the start: nothing is known yet. */
struct steady {
	int64_t since_ms;  /* monotonic; 0: it is not */
	int64_t looked_ms; /* monotonic */
	int64_t db_ms;	   /* the database's clock at that look */
};

/*
 * Asked often (twice a second): have the database and both clocks run evenly
 * for lease_ms?  Two looks more than STEADY_GAP_MS apart begin anew.
 */
#define STEADY_GAP_MS 2000
bool steady_look(struct steady *, struct db *, int64_t lease_ms);

/* The same with the two clocks given; db_ms < 0: the database is away. */
bool steady_note(
    struct steady *, int64_t now_ms, int64_t db_ms, int64_t lease_ms);

#endif
