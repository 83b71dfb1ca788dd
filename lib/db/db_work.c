/*
 * What waits for a supervisor, found by indexes alone.
 */
#include "lib/db/db_work.h"

static const struct db_stmt waiting = { "work.waiting", "i",
	"SELECT EXISTS (SELECT 1 FROM task"
	"  WHERE launch_wanted = 1 AND run_here = 1),"
	" EXISTS (SELECT 1 FROM task WHERE report_due = 1),"
	" EXISTS (SELECT 1 FROM job WHERE is_initiator = 1 AND settled = 0"
	"  AND next_look_at <= NOW(6)"
	"  AND (lease_until IS NULL OR lease_until <= NOW(6))),"
	" EXISTS (SELECT 1 FROM errand WHERE state IN ('waiting', 'running')"
	"  AND next_try_at <= NOW(6) AND deadline_at > NOW(6)"
	"  AND (lease_until IS NULL OR lease_until <= NOW(6))),"
	" EXISTS (SELECT 1 FROM audit WHERE id > ?),"
	" EXISTS (SELECT 1 FROM audit_exchange WHERE open = 1"
	"  AND next_try_at <= NOW(6)),"
	" EXISTS (SELECT 1 FROM job_party WHERE sign_due IN (1, 2, 3, 5)),"
	" EXISTS (SELECT 1 FROM approval WHERE decision = ''"
	"  AND deadline_at <= NOW(6))" };

static int
take(const struct db_row *row, void *ctx)
{
	struct db_work *w = ctx;

	w->launches = db_row_int(row, 0) != 0;
	w->reports = db_row_int(row, 1) != 0;
	w->jobs = db_row_int(row, 2) != 0;
	w->errands = db_row_int(row, 3) != 0;
	w->audit = db_row_int(row, 4) != 0;
	w->heads = db_row_int(row, 5) != 0;
	w->signatures = db_row_int(row, 6) != 0;
	w->approvals = db_row_int(row, 7) != 0;
	return 0;
}

int
db_work_waiting(struct db *db, int64_t audit_id, struct db_work *out)
{
	*out = (struct db_work){ .launches = false };
	return db_query(db, &waiting, take, out, NULL, audit_id);
}
