/*
 * An attempt with all that it is about.
 */
#include "lib/db/db_subject.h"

#include <stddef.h>

#include "lib/base/err.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_often.h"

#define SUBJECT_COLS(X)                                                        \
	ATTEMPT_COLS(X, attempt., "a.")                                        \
	TASK_COLS(X, task., "t.")                                              \
	TASK_DOC_COLS(X, task., "t.")                                          \
	JOB_COLS(X, job., "j.")                                                \
	JOB_DOC_COLS(X, job., "j.")                                            \
	PARTY_COLS(X, party., "p.")

static const struct db_col subject_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_subject, field) },
	SUBJECT_COLS(COL)
#undef COL
};
static const struct db_shape subject_shape =
    DB_SHAPE(struct db_subject, subject_cols);

static const struct db_stmt get = { "attempt.subject", "s",
	"SELECT 1" SUBJECT_COLS(
	    DB_SQL) " FROM attempt a JOIN task t ON t.job_id = a.job_id"
		    " AND t.component = a.component AND t.version = a.version"
		    " AND t.role = a.role AND t.party_id = a.party_id"
		    " JOIN job j ON j.job_id = a.job_id"
		    " JOIN job_party p ON p.job_id = a.job_id"
		    " AND p.role = a.role AND p.party_id = a.party_id"
		    " WHERE a.attempt_id = ?" };

int
db_subject_get(struct db *db, struct arena *a, const char *attempt_id,
    struct db_subject **out)
{
	int r = db_select_one(db, &get, &subject_shape, a, out, attempt_id);

	return r == ERR_NOT_FOUND
		   ? err_set(r, "no attempt %.32s of a task here", attempt_id)
		   : r;
}

const struct db_stmt *const db_subject_often[] = { &get, NULL };
