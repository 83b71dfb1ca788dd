/*
 * Telling other programs of the site to look now.  A lost datagram costs one
 * polling period, so nothing here fails.
 */
#ifndef FCGI_APP_WAKE_H
#define FCGI_APP_WAKE_H

#include "fcgi-app/request.h"
#include "lib/conf/site_wake.h"
#include "lib/db/db_task.h"

/* Something about this job has changed, which may have made what due. */
void wake_supervisor(struct request *, const char *job_id, unsigned what);
/* The task is to end. */
void wake_shepherd(struct request *, const struct db_task_key *);

#endif
