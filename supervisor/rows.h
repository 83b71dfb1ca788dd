/*
 * Carrying out what a plan changes in this site's rows.
 */
#ifndef SUPERVISOR_ROWS_H
#define SUPERVISOR_ROWS_H

#include "supervisor/job.h"
#include "supervisor/plan.h"
#include "supervisor/supervisor.h"

/* How carrying out a plan went. */
struct outcome {
	bool changed; /* rows here changed: plan again */
	bool more;    /* the same, and the snapshot has what changed */
	bool asked;   /* requests to partners are on their way */
	bool settled;
	/* Of a plan that sets the job running, or makes it a success: what it
	 * is now; or it is none (stale), and what was planned behind that does
	 * not count. */
	enum state became; /* STATE_NONE: as it was */
	bool stale;
	int64_t delay_ms; /* until the next look; -1: nothing said */
	/* own tasks of the plan that were started and claimed with its rows:
	 * their shepherds are yet to be started (in the snapshot's arena) */
	struct db_attempt **claimed;
	size_t n_claimed;
	bool unclaimed; /* some of them are for a look of the launcher */
};

/*
 * All of a plan's changes of rows in one transaction, with the starts of own
 * tasks that follow (done in the plan then; if not they are commands like any
 * other); then what they mean in
 * the job's log; o learns what follows from them.
 * Errors: ERR_CONFLICT when the job's lease is lost, ERR_DB; nothing is
 * changed then.
 */
int rows_change(struct supervisor *, struct job *, const struct snapshot *,
    struct plan *, struct outcome *o);

#endif
