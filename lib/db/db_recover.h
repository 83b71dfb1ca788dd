/*
 * What a supervisor asks to find and mend what others left behind.
 */
#ifndef LIB_DB_DB_RECOVER_H
#define LIB_DB_DB_RECOVER_H

#include "lib/db/db_attempt.h"

/*
 * End the scheduling leases of owners whose name begins with prefix, owner
 * itself excepted: the caller knows that they are dead (it holds their lock).
 * Their jobs are due at once.
 */
int db_job_take_over(struct db *, const char *prefix, const char *owner);

/* Ends not acknowledged by their initiators for age_ms: how many. */
int db_report_backlog(struct db *, int64_t age_ms, int64_t *n);

/*
 * Running jobs initiated here with nothing running, and nothing changed, for
 * age_ms: ids.
 */
int db_job_stuck(struct db *, struct arena *, int64_t age_ms, int64_t limit,
    const char ***ids, size_t *n);

/* The database's clock, milliseconds since the epoch.  ERR_DB. */
int db_clock_ms(struct db *, int64_t *ms);
/*
 * Let this process have the database's time (clock_anchor()): called often, it
 * asks for it every ten seconds.  Errors are logged; the time goes on then.
 */
void db_clock_follow(struct db *);

#endif
