/*
 * What an attempt is about: its rows, those of its task, its job and its
 * member, in one statement.  Each task begins with it, so it is the statement
 * that a burst of starts runs most.  Used by shepherds.
 */
#ifndef LIB_DB_DB_SUBJECT_H
#define LIB_DB_DB_SUBJECT_H

#include "lib/base/mem.h"
#include "lib/db/db.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_job.h"
#include "lib/db/db_task.h"

struct db_subject {
	struct db_attempt attempt;
	struct db_task task;
	struct db_job job; /* with its documents */
	struct db_party party;
};

/* All as of one instant, in the arena.  ERR_NOT_FOUND, ERR_DB. */
int db_subject_get(struct db *, struct arena *, const char *attempt_id,
    struct db_subject **out);

#endif
