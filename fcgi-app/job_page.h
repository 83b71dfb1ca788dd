/*
 * Pages of jobs for list/job, from as little of the database as will do: what
 * a page shows of a job that ended a while ago is kept by the worker whole, of
 * others their documents (text_cache.h).  Called by api_job.c.
 */
#ifndef FCGI_APP_JOB_PAGE_H
#define FCGI_APP_JOB_PAGE_H

#include "fcgi-app/request.h"
#include "lib/base/buf.h"
#include "lib/db/db_job.h"

/*
 * text becomes {"jobs": [row, ...], "count": all}; it is the caller's also
 * when there is an error, which is one of db_job_list().  f->detail is changed.
 */
int job_page(struct request *, struct db_job_filter *f, struct buf *text);

#endif
