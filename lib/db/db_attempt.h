/*
 * Attempts: one row per start of a task here, with the shepherd's lease.
 * At most one attempt of a task is open; the fence counts them.
 */
#ifndef LIB_DB_DB_ATTEMPT_H
#define LIB_DB_DB_ATTEMPT_H

#include "lib/db/db_task.h"

struct db_attempt {
	struct db_task_key key;
	int64_t fence;
	const char *attempt_id; /* 32 hex digits */
	const char *host;
	const char *launcher;
	int64_t shepherd_pid; /* 0: not known */
	int64_t executor_pid;
	int64_t cores;
	int64_t memory_mb; /* 0: not counted */
	int64_t waited_ms; /* of one just claimed: since its start was wanted */
	bool is_short;	   /* the same: it was told to wait for memory */
	bool is_initiator; /* of one just claimed: the job is this site's */
	int64_t lease_left_ms; /* negative: expired */
	bool ended;
	const char *outcome; /* may be NULL */
	int64_t started_ms;
	int64_t ended_ms;
};

/*
 * Claim up to limit local tasks that want a launch: in one transaction each
 * gets its next attempt row, leased for lease_ms, and loses launch_wanted.
 * Attempts of the same task that were still open are ended ("superseded");
 * while one of an older version is open the task is left for later.
 *
 * One host among several: what would take more than `room` cores here is left
 * for DB_CLAIM_PATIENCE_MS, for hosts that have room; then whoever looks takes
 * it.  Nobody takes more memory than the host has (db_host_memory_set()) and
 * open attempts there leave, however long a task waits; but a task that no
 * host is large enough for runs where no other has memory.  One that waits for
 * memory longer than that has the reason waiting_resources.  *left is how many
 * were left.
 */
struct db_claim {
	const char *launcher;
	const char *host;
	int64_t lease_ms;
	int64_t limit;
	int64_t room; /* DB_CLAIM_ALL: whatever it takes */
	bool counts_memory;
};
#define DB_CLAIM_ALL INT64_MAX
#define DB_CLAIM_PATIENCE_MS 1000
int db_attempt_claim(struct db *, struct arena *, const struct db_claim *,
    struct db_attempt **rows, size_t *n, size_t *left);
/*
 * The same of one task, inside the transaction that has just wanted its
 * launch.  *row is NULL when it is left for db_attempt_claim().
 */
int db_attempt_claim_task(struct db *, struct arena *, const struct db_claim *,
    const struct db_task_key *, struct db_attempt **row);
/*
 * The start of a task that nobody has asked for yet, and the same: in one step.
 * *row is NULL when nothing was done, as it cannot start, or not at once here:
 * db_task_want_launch() and db_attempt_claim_task() say why or do their part.
 */
int db_attempt_begin_task(struct db *, struct arena *, const struct db_claim *,
    const struct db_task_key *, struct db_attempt **row);
/* What a host has; kept until another value comes. */
int db_host_memory_set(struct db *, const char *host, int64_t memory_mb);
/*
 * The host where open attempts leave most.  ERR_NOT_FOUND: nothing is known of
 * any.
 */
struct db_host_memory {
	int64_t free_mb;
	int64_t total_mb;
};
int db_host_memory_free(struct db *, struct db_host_memory *);
/* Cores of the open attempts on a host. */
int db_attempt_cores_on(struct db *, const char *host, int64_t *cores);

/* ERR_NOT_FOUND when there is none. */
int db_attempt_get(struct db *, struct arena *, const char *attempt_id,
    struct db_attempt **out);

/*
 * The heartbeat: extend the lease and learn whether the task is to be killed
 * (*kill, STATE_NONE for no; NULL: it is not asked), in one question unless it
 * is.  Pids of 0 leave what is known.  progress is a count that grows while
 * the executor gets on; when it last grew is kept.
 * ERR_CONFLICT: the attempt was ended by somebody else, who may do so once
 * its lease has run out; a lease that nobody has ended is renewed.
 */
int db_attempt_renew(struct db *, const char *attempt_id, int64_t lease_ms,
    int64_t shepherd_pid, int64_t executor_pid, int64_t progress,
    enum state *kill);
/*
 * Inside a transaction, before writing anything for the task: lock the
 * attempt and see that nobody ended it.  ERR_CONFLICT when somebody did.
 */
int db_attempt_guard(struct db *, const char *attempt_id);
/* The last write of a shepherd; ERR_CONFLICT as above. */
int db_attempt_end(struct db *, const char *attempt_id, const char *outcome);

/* Open attempts whose lease ran out. */
int db_attempt_expired(struct db *, struct arena *, int64_t limit,
    struct db_attempt **rows, size_t *n);
/*
 * End an attempt whose lease ran out and move its task to `to` (kill_wanted
 * when that was asked).  ERR_CONFLICT when it is alive after all or ended.
 */
int db_attempt_expire(
    struct db *, const char *attempt_id, enum state to, const char *reason);
/*
 * The launcher knows that the shepherd is gone (it reaped it), or that it
 * cannot start one: as db_attempt_expire(), whatever is left of the lease.
 */
int db_attempt_abandon(struct db *, const char *attempt_id, enum state to,
    enum fault_kind, const char *reason);

/*
 * An attempt that no shepherd ever took up (its launcher died first): end it
 * and want the launch again, or end the task when its end was wanted in the
 * meantime.  A shepherd that appears all the same finds its attempt ended.
 * ERR_CONFLICT when a shepherd has taken it up or it ended.
 */
int db_attempt_relaunch(struct db *, const char *attempt_id);

/* Open attempts on a host, for the sweep over its processes. */
int db_attempt_open_on(struct db *, struct arena *, const char *host,
    struct db_attempt **rows, size_t *n);

#endif
