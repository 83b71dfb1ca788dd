/*
 * The job's story for people: logs/JOB/fate_flow_schedule.log, its errors
 * also in fate_flow_schedule_error.log, and the commands between sites in
 * fate_flow_audit.log.  The three belong to the log archive that clients
 * download; a line that cannot be written is logged and lost.
 */
#ifndef SUPERVISOR_JOBLOG_H
#define SUPERVISOR_JOBLOG_H

#include "lib/conf/site_conf.h"

/* What happened to the job, its tasks, its members here. */
void joblog_info(const struct site_conf *, const char *job_id, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));
void joblog_error(const struct site_conf *, const char *job_id, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));
/* A command sent and its answer. */
void joblog_audit(const struct site_conf *, const char *job_id, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));
/* Why the job ended badly, for a member here: ROLE/PARTY/ERROR.log, where
 * clients look for it, though no task of the member may have run. */
void joblog_member_error(const struct site_conf *, const char *job_id,
    const char *role, const char *party, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

#endif
