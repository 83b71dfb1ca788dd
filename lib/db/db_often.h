/*
 * Statements that every task's shepherd runs, by the module that has them;
 * each list ends with NULL.  A statement that is missing here is prepared
 * when it is used.
 */
#ifndef LIB_DB_DB_OFTEN_H
#define LIB_DB_DB_OFTEN_H

#include "lib/db/db.h"

extern const struct db_stmt *const db_subject_often[];
extern const struct db_stmt *const db_attempt_often[];
extern const struct db_stmt *const db_task_often[];
extern const struct db_stmt *const db_task_move_often[];
extern const struct db_stmt *const db_job_lease_often[];
extern const struct db_stmt *const db_party_often[];
extern const struct db_stmt *const db_contract_often[];
extern const struct db_stmt *const db_partner_often[];
extern const struct db_stmt *const db_partner_key_often[];
extern const struct db_stmt *const db_audit_often[];
extern const struct db_stmt *const db_event_often[];
extern const struct db_stmt *const db_output_often[];
extern const struct db_stmt *const db_recover_often[];

#endif
