/*
 * Jobs of this site that a party refused resources (waiting_resources,
 * quota, or turn behind one that waited longer): the order between them.
 * All of it is rows, so any number of supervisors see the same queue; what a
 * job costs while it waits does not depend on how many others do.
 */
#ifndef LIB_DB_DB_QUEUE_H
#define LIB_DB_DB_QUEUE_H

#include "lib/db/db.h"
#include "lib/model/wait.h"

/* Does this code stand in a queue at a party? */
bool db_queue_has(enum wait_code);

/* How many stand before the job where it waits; counted up to limit. */
int db_queue_rank(struct db *, const char *job_id, int64_t limit, int64_t *n);

/* So many are woken at once: who is granted something wakes the next. */
#define DB_QUEUE_WOKEN 2

/*
 * Something became free at a party: who may be woken, those that sleep of the
 * first in the queue there and of those that ask for least, so that they fit
 * beside; at most limit of each.  Ids, in the arena.  *due is how many of the
 * others nobody looks at yet, though it is time: who looks has to be told.
 * What it costs does not depend on how many wait.
 */
int db_queue_first(struct db *, struct arena *, const char *party_id,
    int64_t limit, const char ***ids, size_t *n, int64_t *due);
/* Those of them that still wait are due now; *woken is how many. */
int db_queue_wake_these(
    struct db *, const char *const *ids, size_t n, int64_t *woken);
/* Both in one; *woken has those that were due, too. */
int db_queue_wake(
    struct db *, const char *party_id, int64_t limit, int64_t *woken);

/* How long the one has waited that has longest at the party; -1: nobody. */
int db_queue_longest(struct db *, const char *party_id, int64_t *waited_ms);

/*
 * A job that this one may not pass at the party: it stands before it there and
 * has been refused for aged_ms.  *ahead, in the arena, is NULL when there is
 * none.
 */
int db_queue_ahead(struct db *, struct arena *, const char *job_id,
    const char *party_id, int64_t aged_ms, const char **ahead);
/*
 * The same: it stands before it at one of these parties (with commas between)
 * and is about to ask there again, for it was woken while it is looked at.
 * *party_id says where.
 */
int db_queue_woken_ahead(struct db *, struct arena *, const char *job_id,
    const char *parties, const char **ahead, const char **party_id);

/* Parties that somebody waits at, at most limit. */
int db_queue_parties(
    struct db *, struct arena *, int64_t limit, const char ***ids, size_t *n);

#endif
