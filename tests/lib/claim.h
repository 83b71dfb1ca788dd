/*
 * Claiming as the only host of a site does it.
 */
#ifndef TESTS_LIB_CLAIM_H
#define TESTS_LIB_CLAIM_H

#include "lib/db/db_attempt.h"

/* db_attempt_claim() of whatever wants a launch. */
int claim_any(struct db *, struct arena *, const char *launcher,
    const char *host, int64_t lease_ms, int64_t limit, struct db_attempt **rows,
    size_t *n);

#endif
