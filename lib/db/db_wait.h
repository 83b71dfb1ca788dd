/*
 * Why jobs and tasks wait (lib/model/wait.h), as their rows have it.
 */
#ifndef LIB_DB_DB_WAIT_H
#define LIB_DB_DB_WAIT_H

#include "lib/db/db.h"
#include "lib/model/wait.h"

struct db_task_key;

/* Texts are never NULL; code "" : it waits for nothing. */
struct db_wait {
	const char *code;
	const char *role;
	const char *party_id;
	const char *on;
	const char *numbers; /* JSON, "" for none */
	int64_t since_ms;
	const char *text; /* words that are not the row's; NULL */
};

/* Is w another wait than the row's?  Numbers and words do not count. */
bool db_wait_is_other(const struct db_wait *, const struct wait *w);
/* Would storing w change the row?  reason: the words that are stored. */
bool db_wait_differs(
    const struct db_wait *, const struct wait *w, const char *reason);

/*
 * Store why a job waits, with its words as the job's reason, and an event
 * when it is another wait than before.  Only jobs that are ready or waiting
 * have one: anything else is left alone, *stored (may be NULL) tells.
 * fence: the caller's scheduling lease, 0 for none.
 * Errors: ERR_CONFLICT (lease lost), ERR_DB.
 */
int db_wait_set_job(struct db *, const char *job_id, const struct wait *,
    int64_t fence, bool *stored);

/*
 * A partner's job waits for something of this site, or (wait_of() what the
 * initiator has to do) not any more.  A job of this site is left alone: its
 * plan says what it waits for.
 */
int db_wait_set_here(struct db *, const char *job_id, const struct wait *);
struct db_job;
/* The same of a job whose row the caller has locked and read. */
int db_wait_set_locked(struct db *, const struct db_job *, const struct wait *);

/*
 * The same for the rows of a version of a component that no member has begun
 * (retry_backoff: those that ended badly).  Nothing is changed when the lease
 * is lost.
 */
int db_wait_set_task(struct db *, const char *job_id, const char *component,
    int64_t version, const struct wait *, int64_t fence);

/*
 * The same, with an event, for a task of this site while it runs, by its
 * shepherd; one that does not run is left alone.  WAIT_NONE: it goes on.
 */
int db_wait_set_running(
    struct db *, const struct db_task_key *, const struct wait *);

/*
 * The same for a task of this site that was started and that nobody can
 * launch yet; claiming it sets it to "starting" again.
 */
int db_wait_set_launch(
    struct db *, const struct db_task_key *, const struct wait *);

#endif
