/*
 * The detectors' functions; detectors.c has the table that says when each
 * runs.  Each looks once, does what the table says, and returns 0 or the
 * error that kept it from looking.
 */
#ifndef SUPERVISOR_DETECT_H
#define SUPERVISOR_DETECT_H

#include "supervisor/supervisor.h"

/*
 * What went wrong with one of several rows keeps nobody from the others: r is
 * logged and, unless *first says of an earlier one, kept there.
 */
void detect_note(int *first, int r, const char *job_id);

/* jobs and tasks: detect_jobs.c */
int detect_attempt_leases(struct supervisor *);
int detect_job_timeouts(struct supervisor *);
int detect_stuck_jobs(struct supervisor *);
int detect_stale_jobs(struct supervisor *);
int detect_forgotten_jobs(struct supervisor *);
int detect_doubtful_jobs(struct supervisor *);
int detect_lost_tasks(struct supervisor *);
int detect_late_launches(struct supervisor *);
int detect_late_ends(struct supervisor *);
int detect_sessions(struct supervisor *);
int detect_report_backlog(struct supervisor *);
int detect_withdrawals(struct supervisor *);
int detect_orphans(struct supervisor *);

/* the ledger, disks, partners, what is left over: detect_site.c */
int detect_reservations(struct supervisor *);
int detect_ledger(struct supervisor *);
int detect_queue(struct supervisor *);
int detect_disks(struct supervisor *);
int detect_partners(struct supervisor *);
int detect_needed_partners(struct supervisor *);
int detect_nonces(struct supervisor *);
int detect_uploads(struct supervisor *);
int detect_models(struct supervisor *);
int detect_model_files(struct supervisor *);
int detect_errands(struct supervisor *);
int detect_caches(struct supervisor *);
int detect_audit(struct supervisor *);
int detect_heads(struct supervisor *);
int detect_work_folders(struct supervisor *);

#endif
