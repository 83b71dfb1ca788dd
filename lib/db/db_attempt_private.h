/*
 * What db_attempt.c and db_attempt_claim.c share.
 */
#ifndef LIB_DB_DB_ATTEMPT_PRIVATE_H
#define LIB_DB_DB_ATTEMPT_PRIVATE_H

#include "lib/db/db_attempt.h"

/* An attempt of the task was claimed or has ended. */
int db_attempt_event(struct db *, const struct db_task_key *, const char *to,
    const char *reason);

#endif
