/*
 * What detectors find: a line in the log, a number for the monitoring, an
 * event row (kind "detector") of the job it is about or of no job.
 */
#ifndef SUPERVISOR_FINDING_H
#define SUPERVISOR_FINDING_H

#include "supervisor/supervisor.h"

struct findings; /* what was told lately */

struct findings *findings_new(void);
void findings_free(struct findings *); /* NULL is fine */

/*
 * detector is its name in the table; job_id "" for none.  The same words
 * about the same job are told once an hour; whether they were told now.
 */
bool finding(struct supervisor *, const char *detector, const char *job_id,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* So many were found, and whatever mended them wrote an event of its own. */
void finding_count(struct supervisor *, const char *detector, int64_t n);

#endif
