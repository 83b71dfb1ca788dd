/*
 * What shepherds and uploads leave behind when nobody could tidy up.
 */
#ifndef SUPERVISOR_LEFTOVERS_H
#define SUPERVISOR_LEFTOVERS_H

#include "supervisor/supervisor.h"

/*
 * Remove the work folder, the mailbox and the wake-up socket of an attempt
 * that has ended without its shepherd.  What cannot be removed is logged.
 */
void leftovers_remove(struct supervisor *, const char *attempt_id);

/* Remove the uploaded file of a job that has ended; jobs without are fine. */
void leftovers_remove_upload(struct supervisor *, const char *job_id);

/*
 * Remove the uploaded files whose jobs have ended, and those of jobs that
 * never came to be once they are old enough to belong to no request that is
 * still under way.  Errors: ERR_DB, ERR_IO.
 */
int leftovers_sweep_uploads(struct supervisor *);

/*
 * Remove what attempts left of jobs that have ended (or were never known) and
 * that nobody has touched for grace_s: work folders, mailboxes, and wake-up
 * sockets that nobody listens on.  Errors: ERR_DB, ERR_IO.
 */
int leftovers_sweep_attempts(struct supervisor *, int64_t grace_s);

/*
 * Remove folders below data/tables/XX, XX being prefix in hex, that no table
 * and no cache has and that were moved there grace_s ago or earlier: their
 * shepherds were killed before they could write the row.  ERR_DB, ERR_IO.
 */
int leftovers_sweep_tables(
    struct supervisor *, unsigned char prefix, int64_t grace_s);

/* Remove caches that expired grace_s ago or earlier.  ERR_DB. */
int leftovers_sweep_caches(struct supervisor *, int64_t grace_s);

#endif
