/*
 * What a task left, removed when nobody works with it any more.
 */
#ifndef LIB_DB_DB_CLEAN_H
#define LIB_DB_DB_CLEAN_H

#include "lib/db/db_task.h"

struct db_cleaned {
	const char **folders; /* of tables that went; the caller's to remove */
	size_t nfolders;
	int64_t series;	   /* of metrics that went */
	int64_t summaries; /* that went */
	int64_t caches; /* that are expired now; the supervisor removes them */
};

/*
 * Remove the output tables (not those of others under the same name), metrics
 * and summary of one version of a local task, and end the time of its caches,
 * in one transaction; that it made
 * outputs is remembered, so that a rerun knows what to make again.
 * Errors: ERR_BUSY when the job has not ended, ERR_NOT_FOUND, ERR_DB.
 */
int db_task_clean(struct db *, struct arena *, const struct db_task_key *,
    struct db_cleaned *out);

#endif
