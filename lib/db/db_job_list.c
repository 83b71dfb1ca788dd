/*
 * Lists of jobs as this site's members see them: job/query and list/job of
 * the API.  The statements are constants; predicates that are not wanted get
 * NULL and are folded away by the server's optimizer.
 */
#include <string.h>

#include "lib/base/err.h"
#include "lib/db/db_cols.h"
#include "lib/db/db_job.h"

#define ROW_COLS(X)                                                            \
	JOB_COLS(X, job., "j.")                                                \
	JOB_DOC_COLS(X, job., "j.")                                            \
	PARTY_COLS(X, party., "p.")                                            \
	X(BOOL, resource_in_use,                                               \
	    "g.job_id IS NOT NULL AND g.returned_at IS NULL")                  \
	X(MS, applied_ms, "g.granted_at")                                      \
	X(MS, returned_ms, "g.returned_at")

static const struct db_col row_cols[] = {
#define COL(type, field, column)                                               \
	{ DB_##type, offsetof(struct db_job_row, field) },
	ROW_COLS(COL)
#undef COL
};
static const struct db_shape row_shape = DB_SHAPE(struct db_job_row, row_cols);

#define FROM_WHERE                                                             \
	" FROM job j JOIN job_party p"                                         \
	" ON p.job_id = j.job_id AND p.is_local = 1"                           \
	" LEFT JOIN resource_grant g ON g.job_id = p.job_id"                   \
	" AND g.role = p.role AND g.party_id = p.party_id"                     \
	" WHERE (? IS NULL OR j.job_id = ?)"                                   \
	" AND (? IS NULL OR FIND_IN_SET(j.job_id, ?) > 0)"                     \
	" AND (? IS NULL OR LOCATE(?, j.job_id) > 0)"                          \
	" AND (? IS NULL OR LOCATE(?, j.description) > 0)"                     \
	" AND (? IS NULL OR LOCATE(?, p.party_id) > 0)"                        \
	" AND (? IS NULL OR FIND_IN_SET(p.role, ?) > 0)"                       \
	" AND (? IS NULL OR FIND_IN_SET(p.party_id, ?) > 0)"                   \
	" AND (? IS NULL OR FIND_IN_SET(j.status, ?) > 0)"                     \
	" AND (? IS NULL OR EXISTS (SELECT 1 FROM job_party o"                 \
	"   WHERE o.job_id = j.job_id AND o.party_id = ?))"                    \
	" AND (? IS NULL OR j.name = ?)"                                       \
	" AND (? IS NULL OR j.tag = ?)"                                        \
	" AND (? IS NULL OR j.tag <> ?)"                                       \
	" AND (? IS NULL OR j.model_id = ?)"                                   \
	" AND (? IS NULL OR j.model_version = ?)"                              \
	" AND (? IS NULL OR j.initiator_role = ?)"                             \
	" AND (? IS NULL OR j.initiator_party = ?)"                            \
	" AND (? IS NULL OR j.is_initiator = ?)"                               \
	" AND (? IS NULL OR j.created_at >= ?)"                                \
	" AND (? IS NULL OR j.created_at <= ?)"                                \
	" AND (? IS NULL OR j.started_at >= ?)"                                \
	" AND (? IS NULL OR j.started_at <= ?)"                                \
	" AND (? IS NULL OR j.ended_at >= ?)"                                  \
	" AND (? IS NULL OR j.ended_at <= ?)"
#define PREDICATE_PARAMS "ssssssssssssssssssssssssssssssssIItttttttttttt"

#define ELAPSED                                                                \
	"TIMESTAMPDIFF(MICROSECOND, j.started_at, COALESCE(j.ended_at, "       \
	"NOW(6)))"
#define LIST(order)                                                            \
	{                                                                      \
		"job.list", PREDICATE_PARAMS "ii",                             \
		    "SELECT 1" ROW_COLS(DB_SQL) FROM_WHERE                     \
		    " ORDER BY " order ", p.role, p.position LIMIT ? OFFSET ?" \
	}

static const struct db_stmt lists[DB_JOB_ORDERS][2] = {
	[DB_JOB_BY_CREATED] = { LIST("j.created_at, j.job_id"),
	    LIST("j.created_at DESC, j.job_id DESC") },
	[DB_JOB_BY_JOB_ID] = { LIST("j.job_id"), LIST("j.job_id DESC") },
	[DB_JOB_BY_STARTED] = { LIST("j.started_at, j.job_id"),
	    LIST("j.started_at DESC, j.job_id DESC") },
	[DB_JOB_BY_ENDED] = { LIST("j.ended_at, j.job_id"),
	    LIST("j.ended_at DESC, j.job_id DESC") },
	[DB_JOB_BY_ELAPSED] = { LIST(ELAPSED ", j.job_id"),
	    LIST(ELAPSED " DESC, j.job_id DESC") },
};
static const struct db_stmt count = { "job.count", PREDICATE_PARAMS,
	"SELECT COUNT(*)" FROM_WHERE };

#define TWICE(v) (v), (v)
#define PREDICATE_ARGS(f)                                                      \
	TWICE((f)->job_id), TWICE((f)->job_ids), TWICE((f)->job_id_part),      \
	    TWICE((f)->description_part), TWICE((f)->party_part),              \
	    TWICE((f)->roles), TWICE((f)->parties), TWICE((f)->statuses),      \
	    TWICE((f)->partner), TWICE((f)->name), TWICE((f)->tag),            \
	    TWICE((f)->without_tag), TWICE((f)->model_id),                     \
	    TWICE((f)->model_version), TWICE((f)->initiator_role),             \
	    TWICE((f)->initiator_party), TWICE((f)->is_initiator),             \
	    TWICE((f)->created_from_ms), TWICE((f)->created_to_ms),            \
	    TWICE((f)->started_from_ms), TWICE((f)->started_to_ms),            \
	    TWICE((f)->ended_from_ms), TWICE((f)->ended_to_ms)

int
db_job_list(struct db *db, struct arena *a, const struct db_job_filter *f,
    struct db_job_row **rows, size_t *n, int64_t *total)
{
	int64_t limit = f->limit > 0 ? f->limit : INT64_MAX;
	int r;

	*rows = NULL;
	*n = 0;
	if (total != NULL)
		*total = 0;
	if (f->order >= DB_JOB_ORDERS || f->offset < 0)
		return err_set(ERR_INVALID, "order or offset of a job list");
	if ((r = db_select(db, &lists[f->order][f->descending], &row_shape, a,
		 rows, n, PREDICATE_ARGS(f), limit, f->offset)) != 0)
		return r;
	if (total == NULL)
		return 0;
	/* A list from its start that was not cut is its own count. */
	if (f->offset == 0 && (int64_t)*n < limit) {
		*total = (int64_t)*n;
		return 0;
	}
	return db_query_int(db, &count, total, PREDICATE_ARGS(f));
}
