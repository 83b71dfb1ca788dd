/*
 * What detectors ask: rows in a state that somebody should have left.
 */
#ifndef LIB_DB_DB_DETECT_H
#define LIB_DB_DB_DETECT_H

#include "lib/db/db_task.h"

/* A task and since when (milliseconds) it stands as it does. */
struct db_stuck_task {
	struct db_task_key key;
	int64_t age_ms;
};

/* Running here for age_ms without an open attempt: nobody will end them. */
int db_detect_lost_tasks(struct db *, struct arena *, int64_t age_ms,
    int64_t limit, struct db_stuck_task **rows, size_t *n);
/*
 * Started by their initiator, waiting, with an attempt that ended before it
 * began and no wish for another.
 */
int db_detect_unlaunched(struct db *, struct arena *, int64_t age_ms,
    int64_t limit, struct db_stuck_task **rows, size_t *n);
/* Want them launched (again); ERR_CONFLICT when they have moved on. */
int db_detect_relaunch(struct db *, const struct db_task_key *);
/* A launch that is wanted for age_ms and that no supervisor took. */
int db_detect_late_launches(struct db *, struct arena *, int64_t age_ms,
    int64_t limit, struct db_stuck_task **rows, size_t *n);
/* Enabled partners that take part in jobs that run here: their ids. */
int db_detect_needed_partners(
    struct db *, struct arena *, const char ***parties, size_t *n);
/* An end that is wanted for age_ms. */
int db_detect_late_ends(struct db *, struct arena *, int64_t age_ms,
    int64_t limit, struct db_stuck_task **rows, size_t *n);

/* A partner's job, with a member of it that is here. */
struct db_partner_job {
	const char *job_id;
	int64_t run;
	const char *role;
	const char *party_id;
	const char *initiator_role;
	const char *initiator_party;
};
/* Those that never left ready, or have waited without any word, for age_ms. */
int db_detect_stale(struct db *, struct arena *, int64_t age_ms, int64_t limit,
    struct db_partner_job **rows, size_t *n);
/* Those that run and whose time limit ended grace_ms ago. */
int db_detect_forgotten(struct db *, struct arena *, int64_t grace_ms,
    int64_t limit, struct db_partner_job **rows, size_t *n);
/*
 * Those that are open and have not moved for age_ms; of many, others each
 * minute.
 */
int db_detect_doubtful(struct db *, struct arena *, int64_t age_ms,
    int64_t limit, struct db_partner_job **rows, size_t *n);

/*
 * Grants that stand against the rules, each with what is wrong: open ones of
 * jobs that are not here or that wait without having been reserved for, and
 * running jobs whose members hold nothing.
 */
struct db_odd_grant {
	const char *job_id;
	const char *role;
	const char *party_id;
	bool give_back; /* it is open and nobody's */
	const char *text;
};
int db_detect_grants(
    struct db *, struct arena *, struct db_odd_grant **rows, size_t *n);

/*
 * "ENGINE: …" of each engine for which granted plus free is not its total, or
 * free is less than nothing.
 */
int db_detect_ledger(
    struct db *, struct arena *, const char ***texts, size_t *n);

/*
 * Local tasks whose attempt has been open for longer than hours (0: however
 * long that is), or though their job ended a minute ago, and whose end nobody
 * wants yet.  age_ms is the attempt's.
 */
int db_detect_sessions(struct db *, struct arena *, int64_t hours,
    int64_t limit, struct db_stuck_task **rows, size_t *n);

/* Open attempts of a job on any host. */
int db_detect_open_attempts(struct db *, const char *job_id, int64_t *n);

#endif
