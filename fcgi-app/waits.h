/*
 * What the rows of jobs and tasks do not say of their waits, for it changes
 * without them, and what this site knows when they are shown.
 *
 * A job or task that runs and of which another member's site does not answer
 * has the reason partner_unreachable, with that member.  One that waits for
 * cores or memory of this site names in "on" the jobs that hold them now:
 * the site's own users may see those; no partner is told.
 */
#ifndef FCGI_APP_WAITS_H
#define FCGI_APP_WAITS_H

#include "fcgi-app/request.h"
#include "lib/db/db_job.h"
#include "lib/db/db_task.h"

/* Texts are in the request's arena.  Errors: ERR_DB. */
int waits_of_jobs(struct request *, struct db_job_row *, size_t n);
int waits_of_tasks(struct request *, struct db_task_row *, size_t n);

#endif
