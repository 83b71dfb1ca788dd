/*
 * Tasks: one row per task version and member.
 */
#ifndef LIB_DB_DB_TASK_H
#define LIB_DB_DB_TASK_H

#include "lib/db/db.h"
#include "lib/db/db_job.h"
#include "lib/model/fault.h"
#include "lib/model/state.h"

/* Which row; everything borrowed. */
struct db_task_key {
	const char *job_id;
	const char *component;
	int64_t version;
	const char *role;
	const char *party_id;
};

struct db_task {
	struct db_task_key key;
	int64_t seq;
	const char *module;
	bool run_here;
	enum state status;	 /* verdict over all members */
	enum state party_status; /* this member's own */
	enum state status_acked; /* verdict the member has */
	bool start_acked;
	bool need_run;
	int64_t auto_retries;
	int64_t retry_delay_s;
	const char *provider;	/* JSON; NULL in lists */
	const char *parameters; /* JSON; NULL in lists */
	/* of the next version; NULL: the same again, and in lists */
	const char *next_parameters;
	const char *error_report; /* may be NULL */
	const char *fault;	  /* lib/model/fault.h, "" for none */
	int64_t progress;
	bool launch_wanted;
	enum state kill_wanted; /* STATE_NONE: no */
	bool report_due;
	int64_t created_ms;
	int64_t updated_ms;
	int64_t started_ms;
	int64_t ended_ms;
	int64_t ended_ago_ms; /* 0 unless ended */
	struct db_wait wait;
};

/* ERR_NOT_FOUND when there is none. */
int db_task_get(struct db *, struct arena *, const struct db_task_key *,
    struct db_task **out);
/* Where a task belongs, and whether a party takes part in its job. */
struct db_task_place {
	bool is_initiator; /* the job is this site's */
	bool takes_part;
	bool is_there;
	bool run_here;
};
/* ERR_NOT_FOUND when there is no such job. */
int db_task_get_place(struct db *, struct arena *, const struct db_task_key *,
    const char *party_id, struct db_task_place **out);
/* What a task would do, and for whom. */
struct db_task_wish {
	bool is_initiator;
	const char *initiator_role, *initiator_party;
	const char *module, *parameters;
};
int db_task_get_wish(struct db *, struct arena *, const struct db_task_key *,
    struct db_task_wish **out);
/* The newest version of a component at one member. */
int db_task_get_newest(struct db *, struct arena *, const char *job_id,
    const char *component, const char *role, const char *party_id,
    struct db_task **out);

/*
 * All rows of a job, every member and version, by seq, component, version,
 * role and party; documents are NULL.  newest_only leaves older versions out.
 */
int db_task_list(struct db *, struct arena *, const char *job_id,
    bool newest_only, struct db_task **rows, size_t *n);
/*
 * The newest versions as a scheduler needs them: of each the key, states,
 * acknowledgements, retries, end and wait; other fields are zero.
 */
int db_task_list_plan(struct db *, struct arena *, const char *job_id,
    struct db_task **rows, size_t *n);

enum db_task_order {
	DB_TASK_BY_CREATED,
	DB_TASK_BY_JOB_ID,
	DB_TASK_BY_VERSION,
	DB_TASK_BY_STARTED,
	DB_TASK_BY_ENDED,
	DB_TASK_BY_ELAPSED,
	DB_TASK_ORDERS
};

/* As struct db_job_filter. */
struct db_task_filter {
	const char *job_id;
	const char *component;
	const char *components;	    /* any of */
	const char *roles;	    /* any of */
	const char *parties;	    /* any of */
	const char *statuses;	    /* any of, the verdict */
	const char *party_statuses; /* any of */
	const int64_t *version;
	bool newest_only;
	bool local_only; /* leave holder rows out */
	enum db_task_order order;
	bool descending;
	int64_t limit; /* 0: no limit */
	int64_t offset;
};

/* Tasks with their documents and what their newest attempt was. */
struct db_task_row {
	struct db_task task;
	const char *initiator_role;
	const char *initiator_party;
	const char *attempt_id; /* NULL: never launched */
	const char *host;	/* NULL */
	int64_t executor_pid;
	int64_t fence; /* of that attempt; 0 without one */
};

int db_task_query(struct db *, struct arena *, const struct db_task_filter *,
    struct db_task_row **rows, size_t *n, int64_t *total);

/* Insert rows (a rerun's new version); those that exist stay as they are. */
int db_task_insert(
    struct db *, const char *job_id, const struct db_task_new *, size_t n);

struct db_attempt;

/* What of a row is moved; zeroed fields other than states do nothing. */
struct db_task_move {
	enum state status;	   /* STATE_NONE: leave */
	enum state party_status;   /* STATE_NONE: leave */
	const char *error_report;  /* NULL: leave */
	enum fault_kind fault;	   /* FAULT_NONE: leave */
	const char *error_default; /* for a row that has none yet */
	/* the writer's: locked with the task; the move fails when it has ended */
	const struct db_attempt *attempt;
	/* where to say how its end is wanted; NULL: nowhere */
	enum state *kill_wanted;
	/* a member's own word about these; 0: now, when the state says so */
	int64_t started_ms, ended_ms;
	const char *reason;
};
enum { DB_MOVED_STATUS = 1, DB_MOVED_PARTY = 2 };

/*
 * Move status, party_status or both, each only when the table allows it from
 * where it stands.  *moved (may be NULL) tells which were.  A move of
 * party_status sets started and ended, marks the report to the initiator as
 * due when that is another site, else makes the job due for its scheduler.
 * Errors: ERR_NOT_FOUND, ERR_CONFLICT (the attempt was ended), ERR_DB.
 */
int db_task_move(struct db *, const struct db_task_key *,
    const struct db_task_move *, unsigned *moved);

/*
 * The verdict of a task version, on the rows of all members at once
 * (initiator).  from is the one that the caller has read, for the event.  The
 * caller has locked the job in this transaction, a scheduler by db_job_hold(),
 * which sees to its lease.  Errors: ERR_DB.
 */
int db_task_move_all(struct db *, const char *job_id, const char *component,
    int64_t version, enum state from, enum state to, const char *reason,
    bool *moved);

/* Grows only; attempt_id: nothing happens when that has ended; NULL: none. */
int db_task_set_progress(struct db *, const struct db_task_key *,
    const char *attempt_id, int64_t progress);
/*
 * What this member answered (initiator): start: it took that; the verdict
 * that it knows, STATE_NONE for what is in the row.
 */
int db_task_ack(
    struct db *, const struct db_task_key *, bool start, enum state verdict);
int db_task_ack_start(struct db *, const struct db_task_key *, bool acked);

/*
 * Want a local task launched, once: only a waiting task that was never
 * started and is not to be killed.  *effective (may be NULL) tells.
 */
int db_task_want_launch(
    struct db *, const struct db_task_key *, bool *effective);
/*
 * Want a local task ended in state `to`: one that runs gets kill_wanted (the
 * first wish stays), one that was never launched ends at once.  reason becomes
 * its error_report when it has none.
 * *effective is false when it had ended or the wish was there already.
 */
int db_task_want_end(struct db *, const struct db_task_key *, enum state to,
    const char *reason, bool *effective);
/*
 * Whatever the job's initiator says: of its tasks that began here, one that
 * has no end yet (of any version), else one whose newest version did not end
 * well; *out is NULL when there is neither.
 */
struct db_task_left {
	const char *component;
	enum state party_status;
	const char *error_report; /* may be NULL */
};
int db_task_left_here(
    struct db *, struct arena *, const char *job_id, struct db_task_left **out);

/*
 * Local tasks whose initiator (elsewhere) is to be told: of the task the key
 * and what a report says.  The oldest, and where these are too many, of each
 * initiator equally many.
 */
struct db_report {
	struct db_task task;
	const char *initiator_party;
};
int db_task_reports_due(struct db *, struct arena *, int64_t limit,
    struct db_report **rows, size_t *n);
/*
 * Told this party_status; *changed when it is another by now: then the report
 * stays due.
 */
int db_task_report_done(
    struct db *, const struct db_task_key *, enum state told, bool *changed);

/* Local tasks to be killed that have a live attempt. */
struct db_kill {
	struct db_task_key key;
	const char *attempt_id;
	enum state kill_wanted;
};
int db_task_kills_wanted(struct db *, struct arena *, int64_t limit,
    struct db_kill **rows, size_t *n);

#endif
