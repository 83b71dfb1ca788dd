/*
 * Rows that are removed for their age, a bite at a time.
 */
#ifndef LIB_DB_DB_RETENTION_H
#define LIB_DB_DB_RETENTION_H

#include "lib/db/db.h"

/*
 * The oldest events, at most limit of them, as far as they are older than
 * days; *n is how many went.  Never looks at more rows than that.
 */
int db_event_prune(struct db *, int64_t days, int64_t limit, int64_t *n);

/*
 * At most limit series of metrics of jobs that ended more than days ago, with
 * all their points; *n is how many series went.  Summaries stay.
 */
int db_metric_prune(struct db *, int64_t days, int64_t limit, int64_t *n);

/* Did the job end more than days ago (or was never known)?  ERR_DB. */
int db_job_is_old(struct db *, const char *job_id, int64_t days, bool *old);

#endif
