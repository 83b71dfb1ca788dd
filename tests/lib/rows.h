/*
 * Jobs for tests of the stores and of lib/party: guest 9999 initiated, host
 * 10000 elsewhere, an arbiter at the host's site.
 */
#ifndef TESTS_LIB_ROWS_H
#define TESTS_LIB_ROWS_H

#include "lib/db/db_job.h"

#define ROWS_GUEST "9999"
#define ROWS_HOST "10000"

/*
 * Insert a job as the initiator's site keeps it: two components (reader_0,
 * lr_0) at each of guest, host and arbiter; host and arbiter as holders.
 */
int rows_initiated(struct db *, const char *job_id);

/* The same job as the host's site gets it for one of its members. */
struct rows_partner {
	struct db_party_new parties[3];
	struct db_task_new tasks[2];
	struct db_job_new job;
};
void rows_partner_init(
    struct rows_partner *, const char *job_id, const char *role);

/* As the operator here: this party's jobs may do everything. */
int rows_allow(struct db *, const char *party_id);

/* The guest's half of a version, 1025 bytes large, in a state. */
int rows_model(struct db *, const char *model_version, const char *state);

#endif
