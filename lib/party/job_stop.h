/*
 * A user of a member's site stops a job that another site initiated.
 */
#ifndef LIB_PARTY_JOB_STOP_H
#define LIB_PARTY_JOB_STOP_H

#include "lib/party/errand.h"

#define JOB_STOP "job-stop"

/* The body of the errand that asks the initiator for it; the caller's. */
struct json_object *job_stop_body(
    const char *job_id, int64_t run, enum state to, const char *reason);

/*
 * At the initiator: the job ends at all members as the body says (job_id, run,
 * status, reason).  Done before when it has ended, or when it is in a later
 * run: what was to be stopped is over.
 * Errors: ERR_INVALID for a body that says something else; ERR_NOT_FOUND when
 * there is no such job, or the caller is no member of it.
 */
errand_fn job_stop;

#endif
