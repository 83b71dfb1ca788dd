/*
 * What a member asks the initiator about a job of which it has not heard for
 * a while: is it still wanted?  The first "create" of a job may arrive when
 * its initiator has long ended it, or its end be lost, and nobody would ever
 * end it here.
 *
 *   {"job_id", "run"}  ->  {"over": bool, "status": string}
 *
 * over: nothing of this run will be heard any more.  The job has ended there
 * and who asks is held to know, or it is in a later run, or was never known;
 * status is how it ended, "canceled" when that is not known.
 */
#ifndef LIB_PARTY_JOB_DOUBT_H
#define LIB_PARTY_JOB_DOUBT_H

#include "lib/party/errand.h"

#define JOB_DOUBT "job-doubt"

/* The errand, at the initiator.  Who is no member hears of no job. */
errand_fn job_doubt_errand;

/*
 * Take the answer: a job that is over there ends here, for this member, if
 * it has not ended.  *ended is whether it did.
 * Errors: ERR_FORMAT, ERR_CONFLICT when another run has begun here, ERR_DB.
 */
int job_doubt_take(struct db *, const struct party_member *,
    const char *initiator_party, int64_t run, struct json_object *answer,
    bool *ended);

#endif
