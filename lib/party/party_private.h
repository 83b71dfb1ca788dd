/*
 * What the files of lib/party share: who may say what.
 */
#ifndef LIB_PARTY_PARTY_PRIVATE_H
#define LIB_PARTY_PARTY_PRIVATE_H

#include "lib/party/party.h"

/*
 * Read the job (brief) and the addressed member and see that the member is
 * local and the caller is the job's initiator.
 */
int party_check(struct db *, struct arena *, const struct party_caller *,
    const struct party_member *, struct db_job **job, struct db_party **party);

/* The member of a task's key. */
struct party_member party_of_task(const struct db_task_key *);

/* The caller takes part in the job, in whatever role; it was initiated here. */
int party_check_initiated(struct db *, struct arena *,
    const struct party_caller *, const char *job_id, struct db_job **job);

#endif
