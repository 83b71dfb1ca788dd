/*
 * What db_task*.c and db_attempt.c share: the locked head of a task row.
 */
#ifndef LIB_DB_DB_TASK_PRIVATE_H
#define LIB_DB_DB_TASK_PRIVATE_H

#include "lib/db/db_attempt.h"
#include "lib/db/db_task.h"

struct task_head {
	enum state status;
	enum state party_status;
	enum state kill_wanted;
	bool run_here;
	bool launch_wanted;
	bool start_acked;
	bool is_initiator;
	enum state job_status;
};

/*
 * Lock the job's row, then the task's, and read the head.
 * ERR_NOT_FOUND when there is no such task.
 */
int db_task_lock(struct db *, struct arena *, const struct db_task_key *,
    struct task_head **out);
/*
 * The same, and behind them an attempt of the task.
 * ERR_CONFLICT when that has ended.
 */
int db_task_lock_for(struct db *, struct arena *, const struct db_attempt *,
    struct task_head **out);

/* "COMPONENT version N of ROLE PARTY" for messages; in the arena. */
const char *db_task_text(struct arena *, const struct db_task_key *);

/* The task went from state to state. */
int db_task_event(struct db *, const struct db_task_key *, const char *kind,
    enum state from, enum state to, const char *reason);

#endif
