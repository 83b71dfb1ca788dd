/*
 * Jobs and their members: insert, read, list, guarded moves, scheduling
 * leases.  Every move of a state writes its event row in the same transaction.
 */
#ifndef LIB_DB_DB_JOB_H
#define LIB_DB_DB_JOB_H

#include "lib/db/db.h"
#include "lib/db/db_wait.h"
#include "lib/model/state.h"

#define DB_HASH_SIZE 32 /* SHA-256 or BLAKE2b-256 */

struct db_job {
	const char *job_id;
	enum state status;
	const char *tag;
	const char *name;
	const char *description; /* may be NULL */
	bool is_initiator;
	const char *initiator_role;
	const char *initiator_party;
	const char *job_type; /* train, predict */
	const char *model_id;
	const char *model_version;
	/* documents, JSON; NULL in the brief form */
	const char *dsl;
	const char *runtime_conf;
	const char *train_conf; /* may be NULL */
	const char *roles;
	const char *contract;
	unsigned char contract_hash[DB_HASH_SIZE];
	int64_t task_parallelism;
	int64_t timeout_s;
	int64_t progress;
	bool cancel_signal;
	enum state cancel_status; /* STATE_NONE without signal */
	int64_t revision;	  /* contracts it has had before */
	int64_t run;		  /* times it was brought back after an end */
	const char *reason;	  /* may be NULL */
	const char *lease_owner;  /* may be NULL */
	int64_t lease_fence;
	bool settled;
	int64_t age_ms; /* since created, by the database */
	int64_t created_ms;
	int64_t updated_ms;
	int64_t started_ms;
	int64_t ended_ms;
	struct db_wait wait; /* code alone in brief lists */
};

/* A member of a job. */
struct db_party {
	const char *job_id;
	const char *role;
	const char *party_id;
	int64_t position; /* index in its role */
	bool is_local;
	const char *party_conf; /* JSON, may be NULL */
	bool created;
	bool reserved;
	bool started;
	bool ended;
	bool staged; /* its half of the model, with this manifest: */
	int64_t signed_revision; /* whose signature is here; -1: none */
	int64_t sign_due;	 /* enum db_sign_due, of an own member */
	unsigned char manifest_hash[DB_HASH_SIZE];
	int64_t cores;
	int64_t memory_mb;
	const char *last_error; /* may be NULL */
};

/* What is inserted; everything borrowed. */
struct db_party_new {
	const char *role;
	const char *party_id;
	int64_t position;
	bool is_local;
	bool created;		/* the member has its job */
	const char *party_conf; /* NULL for remote members */
	int64_t cores;		/* wanted here for the job */
	int64_t memory_mb;
};

struct db_task_new {
	const char *component;
	int64_t version;
	const char *role;
	const char *party_id;
	int64_t seq; /* topological position */
	const char *module;
	bool run_here; /* false: holder of a remote one */
	bool need_run;
	int64_t auto_retries;
	int64_t retry_delay_s;
	const char *provider;	/* JSON, may be NULL */
	const char *parameters; /* JSON, may be NULL */
	const char *waits_on;	/* components, with commas; NULL: none */
};

struct db_job_new {
	const char *job_id;
	enum state status; /* waiting; ready at a partner */
	const char *tag;   /* NULL is "" for these */
	const char *name;
	const char *description;
	bool is_initiator;
	const char *initiator_role;
	const char *initiator_party;
	const char *job_type;
	const char *model_id;
	const char *model_version;
	const char *dsl;
	const char *runtime_conf;
	const char *train_conf; /* may be NULL */
	const char *roles;
	const char *contract;
	unsigned char contract_hash[DB_HASH_SIZE];
	int64_t task_parallelism;
	int64_t timeout_s;
	int64_t revision;
	int64_t run;
	int64_t priority;
	const struct db_party_new *parties; /* all members of the job */
	size_t nparties;
	const struct db_task_new *tasks;
	size_t ntasks;
};

/*
 * Insert a job, its members and tasks in one transaction.  With created NULL
 * the job has to be new.  Else one that is there already with the same
 * contract hash is completed: members' party_conf and created flags and
 * missing tasks are added, nothing is overwritten, and *created is false.
 * Errors: ERR_EXISTS (the id is there, of another contract or where the job
 * had to be new), ERR_DB.
 */
int db_job_insert(struct db *, const struct db_job_new *, bool *created);

/* ERR_NOT_FOUND when there is none.  Brief: documents are NULL. */
int db_job_get(
    struct db *, struct arena *, const char *job_id, struct db_job **out);
int db_job_get_brief(
    struct db *, struct arena *, const char *job_id, struct db_job **out);
/* In a transaction: the same, and nobody else changes it until its end. */
int db_job_lock(
    struct db *, struct arena *, const char *job_id, struct db_job **out);

/* What a scheduler plans with; fields are those of struct db_job. */
struct db_job_plan {
	const char *job_id;
	enum state status;
	const char *job_type;
	const char *model_id;
	const char *model_version;
	int64_t task_parallelism;
	int64_t timeout_s;
	int64_t progress;
	bool cancel_signal;
	enum state cancel_status;
	int64_t revision;
	unsigned char contract_hash[DB_HASH_SIZE];
	int64_t run;
	const char *reason;
	int64_t lease_fence;
	int64_t queued_ms;	/* since this run could begin but for others */
	int64_t running_ms;	/* 0: not started */
	int64_t over_ms;	/* 0: not ended; of an undone run since that */
	const char *request_id; /* of the user's request that it carries out */
	int64_t look_us;	/* when it is due; another value: a wake */
	bool is_woken;
	struct db_wait wait;
	enum state before; /* this run; STATE_NONE: it is the first */
	bool undone;	   /* this run was, see db_job_undo() */
};
/* With its members, as db_party_list() has them. */
int db_job_get_plan(struct db *, struct arena *, const char *job_id,
    struct db_job_plan **out, struct db_party **parties, size_t *n);
/* Its DSL alone. */
int db_job_get_dsl(
    struct db *, struct arena *, const char *job_id, const char **out);

/* A job as one of this site's members sees it. */
struct db_job_row {
	struct db_job job;
	struct db_party party;
	bool resource_in_use;
	int64_t applied_ms;
	int64_t returned_ms;
	int64_t unchanged_ms; /* since the job's row was last written */
};

enum db_job_order {
	DB_JOB_BY_CREATED,
	DB_JOB_BY_JOB_ID,
	DB_JOB_BY_STARTED,
	DB_JOB_BY_ENDED,
	DB_JOB_BY_ELAPSED,
	DB_JOB_ORDERS
};

enum db_job_detail { DB_JOB_WHOLE, DB_JOB_BRIEF, DB_JOB_MARK };

/*
 * NULL, 0 and zeroed fields do not filter.  "any of" lists have commas
 * between the values and no blanks.
 */
struct db_job_filter {
	const char *job_id;	      /* equal */
	const char *job_ids;	      /* any of */
	const char *job_id_part;      /* contains */
	const char *description_part; /* contains */
	const char *party_part;	      /* contains */
	const char *roles;	      /* any of */
	const char *parties;	      /* any of */
	const char *statuses;	      /* any of */
	const char *partner;	      /* a party that takes part */
	const char *name;
	const char *tag;
	const char *without_tag; /* leave these out */
	const char *model_id;
	const char *model_version;
	const char *initiator_role;
	const char *initiator_party;
	const int64_t *is_initiator; /* 0 or 1 */
	int64_t created_from_ms, created_to_ms;
	int64_t started_from_ms, started_to_ms;
	int64_t ended_from_ms, ended_to_ms;
	enum db_job_order order;
	bool descending;
	int64_t limit; /* 0: no limit */
	int64_t offset;
	enum db_job_detail detail; /* see db_job_list() */
};

/*
 * One row per local member of each matching job, without its contract.
 * *total (may be NULL) is the number without limit and offset.
 *
 * Pages of all jobs in order of creation may have less of each row:
 * - DB_JOB_BRIEF: only what view_job_beside() shows, the revision and
 *   unchanged_ms; dsl is NULL in such rows and in no others.  The documents
 *   that are left out are those of the job's first day unless the revision
 *   grew: dsl, runtime_conf, train_conf, roles, and the party_conf of the
 *   member, where NULL may yet become a document.
 * - DB_JOB_MARK: of the first page, when *total is asked for, only whose rows
 *   they are and created_ms and updated_ms of the job; status is STATE_NONE in
 *   such rows and in no others.  Other pages are as with DB_JOB_BRIEF.
 */
int db_job_list(struct db *, struct arena *, const struct db_job_filter *,
    struct db_job_row **rows, size_t *n, int64_t *total);

/* In order of role and position. */
void db_party_sort(struct db_party *rows, size_t n);
/* Members, in that order. */
int db_party_list(struct db *, struct arena *, const char *job_id,
    struct db_party **rows, size_t *n);
/* ERR_NOT_FOUND when that member is none of the job's. */
int db_party_get(struct db *, struct arena *, const char *job_id,
    const char *role, const char *party_id, struct db_party **out);

/*
 * Both in one: a job (brief) and one of its members, without party_conf.
 * *party is NULL when that member is none of the job's.  lock: for the
 * transaction that acts; both rows are locked, so no other run begins.
 * ERR_NOT_FOUND when there is no such job.
 */
int db_job_get_member(struct db *, struct arena *, const char *job_id,
    const char *role, const char *party_id, bool lock, struct db_job **job,
    struct db_party **party);

enum db_party_flag {
	DB_PARTY_CREATED,
	DB_PARTY_RESERVED,
	DB_PARTY_STARTED,
	DB_PARTY_ENDED
};
/*
 * Remember how far a member has come; who has started has reserved, too.
 * error (may be NULL) replaces last_error.  fence: the caller's scheduling
 * lease, 0 for none.
 * ERR_CONFLICT when the lease is another's by now.
 */
int db_party_mark(struct db *, const char *job_id, const char *role,
    const char *party_id, enum db_party_flag, bool value, const char *error,
    int64_t fence);
/* The member staged its half of the job's model.  ERR_CONFLICT as above. */
int db_party_set_manifest(struct db *, const char *job_id, const char *role,
    const char *party_id, const unsigned char hash[DB_HASH_SIZE],
    int64_t fence);
/* A rerun: all members will have to stage theirs anew. */
int db_party_forget_manifests(struct db *, const char *job_id, int64_t fence);
/* All members of this site know of the job's end. */
int db_party_end_own(struct db *, const char *job_id);
/* All members at once: a rerun begins again. */
int db_party_clear(
    struct db *, const char *job_id, enum db_party_flag, int64_t fence);

/*
 * Move a job's state when the table allows it.  Coming to running sets
 * started, an end state sets ended and gives back the open grants of the
 * job's members here, waiting after an end clears times and progress: all in
 * the transaction of the move.
 * fence: the caller's scheduling lease, 0 for none (a partner's command).
 * *moved (may be NULL) is false when the move is not allowed from where the
 * job stands; that is no error.
 * Errors: ERR_NOT_FOUND, ERR_CONFLICT (lease lost, or a success under a lease
 * when another end was asked for meanwhile), ERR_DB.
 */
int db_job_move(struct db *, const char *job_id, enum state to, int64_t fence,
    const char *reason, bool *moved);

/* How a job's locked row stands. */
struct db_job_head {
	enum state status;
	int64_t fence;
	enum state cancel_status;
};
/*
 * The same for a transaction that db_job_hold_head() holds the lease for; head
 * is what it read, and becomes the new state.
 */
int db_job_move_held(struct db *, const char *job_id, struct db_job_head *head,
    enum state to, const char *reason, bool *moved);

/*
 * The same for a transaction that has read and locked the job
 * (db_job_get_member()): j->status is that of the row, and becomes the new one.
 * ERR_CONFLICT when it is not.
 */
int db_job_move_locked(struct db *, struct db_job *j, enum state to,
    const char *reason, bool *moved);

/*
 * In such a transaction: a job keeps the end that it has, and its reason, cut
 * where it is too long for both, goes on with a word of its initiator's, who
 * says another end.  *news is false when that was noted in this run.
 */
int db_job_note_word(struct db *, const struct db_job *j, enum state said,
    const char *word, bool *news);

/*
 * In such a transaction: a partner's job that ended here already, badly, has
 * the other end that its initiator says.
 */
int db_job_end_otherwise(
    struct db *, struct db_job *j, enum state to, const char *reason);

/* Progress grows only; reason tells why a job waits. */
int db_job_set_progress(struct db *, const char *job_id, int64_t progress);
int db_job_set_reason(struct db *, const char *job_id, const char *reason);
int db_job_set_description(
    struct db *, const char *job_id, const char *description);

/*
 * Ask for the end of a job that has not ended (canceled, timeout or failed);
 * its scheduler looks at once.  The first to ask decides; *effective (may be
 * NULL) is false for later ones and for ended jobs.
 */
int db_job_cancel(struct db *, const char *job_id, enum state status,
    const char *reason, bool *effective);

/*
 * Another run of a job that was initiated here.  One that has ended goes back
 * to waiting, as if no member had it yet, under the next run number; one that
 * has not is only due at once.  Either way its scheduling lease is over, so
 * that no plan made before is carried out.  *was_ended tells which.
 * Errors: ERR_BUSY while the job is being stopped, or its success is yet to
 * reach members that staged a model; ERR_NOT_FOUND, ERR_DB.
 */
int db_job_rerun(
    struct db *, const char *job_id, const char *reason, bool *was_ended);

/*
 * Other documents for a job, with the numbers derived from them: runtime_conf,
 * name, contract, parallelism, limits, revision, and of each local member
 * party_conf, cores and memory.  Tasks whose parameters differ get them with
 * their next version.  The rest of the job stays; the caller decides whether
 * it may be.
 * Errors: ERR_CONFLICT when the job's revision is not below the new one.
 */
int db_job_revise(struct db *, const struct db_job_new *);

/*
 * The run that has been begun last comes to nothing before any of its tasks
 * began: the job has the end `to` again, with its times and progress from
 * before; what the run made of task rows goes, what it reserved here is given
 * back, and reason says why.  In a transaction that has locked the job.
 * ERR_CONFLICT when the job has ended meanwhile, or its user wants its end.
 */
int db_job_undo(
    struct db *, const char *job_id, enum state to, const char *reason);

/* A member's site: the job is brought back under this run number. */
int db_job_set_run(struct db *, const char *job_id, int64_t run);
/*
 * A member's site: the initiator spoke under this fence, the highest so far;
 * several of its commands may come at once.
 * ERR_CONFLICT when a higher one was heard meanwhile.
 */
int db_job_set_fence(struct db *, const char *job_id, int64_t fence);

/* --- scheduling leases (jobs this site initiated) --- */

struct db_job_claim {
	const char *job_id;
	int64_t fence;
	int64_t queue_us; /* its place in the queue */
	int64_t priority;
};

/*
 * Lease up to limit jobs that are due (next_look_at reached, not settled, not
 * leased by anybody) for lease_ms, oldest look first, in one batch, which is
 * in the order of the queue.  While
 * leased a job is not due; a db_job_wake() meanwhile is not lost.
 */
int db_job_claim(struct db *, struct arena *, const char *owner,
    int64_t lease_ms, int64_t limit, struct db_job_claim **rows, size_t *n);
/* Extend all live leases of owner; *n (may be NULL) is their number. */
int db_job_renew(struct db *, const char *owner, int64_t lease_ms, int64_t *n);
/* Which these are, with the fences that they are held under; at most limit. */
int db_job_leased(struct db *, struct arena *, const char *owner, int64_t limit,
    struct db_job_claim **rows, size_t *n);
/*
 * For the transaction that acts: lock the job's row and see that nobody has
 * claimed it since the claim with this fence.  Whoever claims it next waits
 * for the end of the transaction.  ERR_CONFLICT when somebody has.
 */
int db_job_hold(struct db *, const char *job_id, int64_t fence);
/* The same, for who wants to move it, too. */
int db_job_hold_head(
    struct db *, const char *job_id, int64_t fence, struct db_job_head *out);
/*
 * Give a lease back; the next look is in delay_ms or at a wake before.  What
 * was looked at last had seen_us (db_job_plan.look_us): another that has
 * passed is a wake since then.  0: nothing was seen.
 */
int db_job_release(struct db *, const char *job_id, int64_t fence,
    int64_t delay_ms, int64_t seen_us);
/*
 * A member has heard a fence above that of the lease held: one of ours that
 * this database, an older copy of what was, does not know any more.  The lease
 * is given back under that fence, so that the next claim, in delay_ms, is above
 * it.  Errors: ERR_CONFLICT when the lease is another's by now, ERR_LIMIT when
 * `heard` is so far above that no claims can have made it.
 */
int db_job_raise_fence(struct db *, const char *job_id, int64_t fence,
    int64_t heard, int64_t delay_ms);
/* Jobs leased by owner that were woken: which, and with which look_us. */
struct db_job_woken {
	const char *job_id;
	int64_t look_us;
};
int db_job_woken(struct db *, struct arena *, const char *owner, int64_t limit,
    struct db_job_woken **rows, size_t *n);
/* Look at this job now. */
int db_job_wake(struct db *, const char *job_id);
/* Nothing is left to do; it is never due again (but for a rerun). */
int db_job_settle(struct db *, const char *job_id, int64_t fence);

/*
 * Jobs that have run longer than their limit and are neither ended nor asked
 * to end (initiated here): ids.
 */
int db_job_overdue(
    struct db *, struct arena *, int64_t limit, const char ***ids, size_t *n);

#endif
