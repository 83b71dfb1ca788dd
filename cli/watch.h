/*
 * Following a job to its end.
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "cli/api.h"

struct watch_result {
	char *status;		   /* "success", "failed", … */
	struct json_object *job;   /* its last row */
	struct json_object *tasks; /* their last rows, an array */
};

/*
 * Poll until the job has ended and show tasks and parties meanwhile: redrawn
 * in place on a terminal, one line per change otherwise; nothing when quiet.
 * role and party may be NULL: any member at this site.
 * End *out with watch_result_fini(), on errors too.
 */
int watch_job(struct api *, const char *job_id, const char *role,
    const char *party, bool quiet, struct watch_result *out);
void watch_result_fini(struct watch_result *);

/*
 * Watch and print the end as the options say; for commands that started a
 * job.  warning is what the site said about its configuration (NULL:
 * nothing); it goes with --json.
 * Returns an exit code (EXIT_JOB without success) or an error.
 */
int watch_and_report(const struct args *, struct api *, const char *job_id,
    const char *role, const char *party, const char *warning);

#endif
