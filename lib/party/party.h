/*
 * The member side of the commands between sites, and the initiator's side of
 * what members tell it.  Called by fcgi-app for partners' requests and by the
 * supervisor for this site's own members; both get the same checks.
 *
 * Every command can be repeated: the second time it has the same effect and
 * answer.  *effective (may be NULL) tells whether something changed; where
 * the platform's API answers retcode 10 ("not effective") that is !effective.
 *
 * Errors of all: ERR_NOT_FOUND (no such job, member or task here),
 * ERR_DENIED (the caller is not who may say this), ERR_INVALID, ERR_DB.
 */
#ifndef LIB_PARTY_PARTY_H
#define LIB_PARTY_PARTY_H

#include "lib/conf/site_conf.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_job.h"
#include "lib/db/db_task.h"
#include "lib/model/graph.h"
#include "lib/model/model_version.h"
#include "lib/party/permit.h"

/* The member that is addressed. */
struct party_member {
	const char *job_id;
	const char *role;
	const char *party_id;
};

/* What is asked about a member; 0, or why it is not taken in. */
struct party_look {
	int (*fn)(void *ctx, const struct party_member *);
	void *ctx;
};

/*
 * Who calls: the verified party id of the request's signature, or this site
 * itself (its supervisor), which stands for the initiator of the jobs that
 * were initiated here, local ones of party 0 among them.
 */
struct party_caller {
	const char *party_id;
	bool is_site;
	/*
	 * The run of the job it speaks of; NULL: that in which the job is.  A
	 * command of an earlier run that comes late is refused with
	 * ERR_CONFLICT; one of a run that has not begun here with
	 * ERR_NOT_FOUND, but for the end of that run, which is kept, so that
	 * it does not begin any more.
	 */
	const int64_t *run;
	/*
	 * Of the lease under which the initiator's scheduler speaks; 0: not
	 * said.  One that is lower than was heard of the job is of a scheduler
	 * that has lost it, and stood still meanwhile: ERR_CONFLICT.
	 */
	int64_t fence;
	/*
	 * Of commands about a job that was initiated here: the fence of its
	 * scheduler's lease, held as by db_job_hold(); 0: not.  *lease_lost is
	 * set when that is why the command was refused.
	 */
	int64_t lease;
	bool *lease_lost;
	/*
	 * May be NULL: the fence that was heard when that is why the command
	 * is refused, else 0.  One whose database is older than what it said
	 * (a backup) finds its way back by it.
	 */
	int64_t *heard;
	/*
	 * Tasks of the addressed member that succeeded at all members: told
	 * with the command, in its transaction.
	 */
	const struct db_task_key *succeeded;
	size_t n_succeeded;
	/*
	 * Of a stop: a user of this site wants it, and the initiator, who may
	 * have ended the job well by now, has not said so yet.
	 */
	bool is_wish;
	/*
	 * Of create and reopen, NULL: nothing.  Asked in the transaction, which
	 * may be begun again, about each member that begins: after the rules
	 * have allowed it, and only if nobody has to approve it, so that
	 * neither words nor time tell anybody else what there is.
	 */
	const struct party_look *look;
};

/*
 * May the caller command this member?  Every command asks this by itself; it
 * is for callers that look something up before one, so that strangers do not
 * hear from its absence.
 */
int party_may_command(
    struct db *, const struct party_caller *, const struct party_member *);

/*
 * What a job, or a version of a task, takes here in documents and rows: that
 * is counted for the partner whose job it is, when it is taken in, and bounded
 * by its quota (db_quota_check_stored()), which the caller asks.
 */
int64_t party_job_bytes(const struct db_job_new *);
int64_t party_task_bytes(const struct db_task_new *);

/*
 * Take a job in (a partner's side).  j is validated by the caller (model/dsl,
 * conf); its parties are all members, those of this site is_local, and the
 * one addressed has created set; its tasks are the addressed member's.
 * The caller must be j->initiator_party, and the rules about it must allow
 * what this member would do; uses of datasets are counted as the member is
 * taken in, once.
 * Errors: ERR_EXISTS when the id stands for another contract; ERR_CONFLICT when
 * the job has ended for another member of this site, ERR_BUSY when that was an
 * earlier run; ERR_DENIED with *refused (may be NULL) telling the kind of the
 * rule that is missing.
 */
int party_job_create(struct db *, const struct party_caller *,
    const struct party_member *, const struct db_job_new *j,
    enum permit_kind *refused, bool *effective);

/* What the rules say to the same job, wish by wish; nothing is changed. */
int party_job_explain(struct db *, struct arena *, const struct party_member *,
    const struct db_job_new *j, struct permit_decision **out, size_t *n);

/*
 * What the same job, or a task of it that is run again (t), would do here, for
 * who decides beside the rules: every wish, once the rules allow them all.
 * *n is 0 when there is nobody to ask: the rules refuse (the command that
 * follows says why), the member was taken in before (create), or the job is
 * this site's own.  ask is for its words: its tasks are not set.
 */
int party_job_wishes(struct db *, struct arena *, const struct party_member *,
    const struct db_job_new *j, const char *command, struct permit_ask *ask,
    struct permit_decision **out, size_t *n);
int party_task_wishes(struct db *, struct arena *, const struct party_member *,
    const struct db_task_new *t, struct permit_ask *ask,
    struct permit_decision **out, size_t *n);

/*
 * Do the rules allow this task of a partner's job to start, now?  They may
 * have changed since the job was taken in.  Jobs of this site's own are not
 * asked about.  Errors: ERR_DENIED with what is missing, ERR_NOT_FOUND,
 * ERR_DB.
 */
int party_may_run(struct db *, const struct db_task_key *);

/*
 * Take part again in a job that is here, under the run number j->run and with
 * j's documents: those it has, or those of a later revision.  What still runs
 * of an earlier run ends; then the job waits.  A run that is here already has
 * no effect when its contract is the same.
 * Errors: ERR_CONFLICT for an older run, ERR_DENIED for another contract
 * without a later revision, or with *refused (may be NULL) when the rules do
 * not allow a member here to run again or what j would have it do.
 */
int party_job_reopen(struct db *, const struct party_caller *,
    const struct party_member *, const struct db_job_new *j,
    enum permit_kind *refused, bool *effective);
/*
 * Can a job that has been taken in start here?  ERR_BUSY with *why when a disk
 * of the site is full: it holds nothing then and asks again.
 */
int party_site_ready(const struct site_conf *, struct wait *why);
/*
 * Reserve what the member's row asks for, for reservation_ms.  ERR_BUSY with
 * the numbers when not enough is free, *why (may be NULL) is the reason then;
 * ERR_CONFLICT when the job ended.  A signature of the member's that is not made
 * yet will be told to the initiator.
 */
int party_resource_apply(struct db *, const struct party_caller *,
    const struct party_member *, int64_t reservation_ms, struct wait *why,
    bool *effective);
/*
 * The same, and the job runs (party_job_start()): for who knows that all other
 * members have granted theirs and that all have signed.
 */
int party_resource_take(struct db *, const struct party_caller *,
    const struct party_member *, struct wait *why, bool *effective);
/* Give back a reservation. */
int party_resource_return(struct db *, const struct party_caller *,
    const struct party_member *, bool *effective);
/* The job runs.  ERR_CONFLICT when its reservation ran out or it ended. */
int party_job_start(struct db *, const struct party_caller *,
    const struct party_member *, bool *effective);
/*
 * The same for a member of this site, in the transaction of the job's
 * scheduler, which has locked the job and seen that it waits.
 */
int party_job_start_held(struct db *, const struct party_member *);
/*
 * The initiator's verdict; an end state gives the resources back.  Here and
 * below reason says why in words ("host 10000: …", may be NULL); a bad end
 * keeps it: as the job's reason, as error_report of tasks that have none.
 */
int party_job_status(struct db *, const struct party_caller *,
    const struct party_member *, enum state, const char *reason,
    bool *effective);
/*
 * All tasks of a training job have succeeded: stage this member's half of the
 * version it leaves, from the parts of the newest version of each of its
 * tasks.  manifest_hash stands for it.  Not a transaction: what is staged and
 * never sealed is collected.
 * Errors: ERR_CONFLICT when the job does not run here or a task has not ended
 * well, ERR_INVALID, ERR_FORMAT (a part's file is missing or damaged).
 */
int party_job_model(struct db *, const struct site_conf *,
    const struct party_caller *, const struct party_member *,
    uint8_t manifest_hash[DB_HASH_SIZE], bool *effective);
/*
 * The verdict success of a job that makes a model, with what all its members
 * answered to party_job_model(): the version is sealed and the job ends in
 * one transaction.  Errors: ERR_INVALID when the members are not the job's,
 * ERR_DENIED when nothing of that manifest is staged here.
 */
int party_job_success(struct db *, const struct party_caller *,
    const struct party_member *, const struct model_member *, size_t n,
    bool *effective);
/*
 * End the member's tasks and the job in an end state: tasks never launched
 * end at once, running ones are killed by their shepherds.
 */
int party_job_stop(struct db *, const struct party_caller *,
    const struct party_member *, enum state, const char *reason,
    bool *effective);

/*
 * The run that was begun last comes to nothing: the job has the end from
 * before again, and no task of the run is left.  One that did not begin here
 * does not begin any more.  At the initiator's site it is done already.
 */
int party_job_undo(struct db *, const struct party_caller *,
    const struct party_member *, enum state, const char *reason,
    bool *effective);

/*
 * A new version of one task (rerun): its parameters are those that the
 * newest here was made for next, or the same again.  t->version must be at
 * least the newest's (one between may have been made when this member could
 * not take part).  ERR_CONFLICT when the job has ended: it may be the end that
 * overtook this, and another run begins with party_job_reopen().  The rules
 * about a partner must allow the rerun and what the task would do; *refused as
 * above.
 */
int party_task_create(struct db *, const struct party_caller *,
    const struct party_member *, const struct db_task_new *t,
    enum permit_kind *refused, bool *effective);
/*
 * What a new version of this task (complete row) is: the next number, the
 * parameters it is to begin with.  Texts are t's.  Errors: ERR_FORMAT.
 */
int party_next_version(const struct db_task *t, struct db_task_new *out);
/*
 * Launch the task; one that need not run passes its input on.  ERR_CONFLICT
 * when the job does not run here, a newer version exists, or the task ended
 * before it was started.
 */
int party_task_start(struct db *, const struct party_caller *,
    const struct db_task_key *, bool *effective);
/*
 * The same for a member of this site, in the transaction of the job's
 * scheduler, which has locked the job and seen that the lease is its own.
 */
int party_task_start_held(
    struct db *, const struct db_task_key *, bool *effective);
/*
 * The same, and it is claimed by a supervisor at once; *row is NULL when
 * nothing was done (db_attempt_begin_task()).
 */
int party_task_begin_held(struct db *, struct arena *, const struct db_claim *,
    const struct db_task_key *, struct db_attempt **row);
int party_task_status(struct db *, const struct party_caller *,
    const struct db_task_key *, enum state, const char *reason,
    bool *effective);
int party_task_stop(struct db *, const struct party_caller *,
    const struct db_task_key *, enum state, const char *reason,
    bool *effective);
/* The member's row as it stands. */
int party_task_collect(struct db *, struct arena *, const struct party_caller *,
    const struct db_task_key *, struct db_task **out);

/* What a member may report of its task; nothing else is taken. */
struct party_report {
	enum state party_status;
	int64_t started_ms, ended_ms; /* 0: not said */
	int64_t progress;	      /* 0 … 100 */
	const char *error_report;     /* may be NULL, cut to 16 KB */
	enum fault_kind fault;
};

/* A member tells how its task stands; the caller must be that member. */
int initiator_task_report(struct db *, const struct party_caller *,
    const struct db_task_key *, const struct party_report *, bool *effective);
/*
 * Is the member one of a job that was initiated here?  ERR_NOT_FOUND when
 * not; the same to callers that are in no part of the job.
 */
int initiator_has_member(
    struct db *, const struct party_caller *, const struct party_member *);
/* A member asks for the end of the job; the caller must be a member. */
int initiator_stop(struct db *, const struct party_caller *, const char *job_id,
    enum state, const char *reason, bool *effective);
/*
 * Another run of (a part of) a job, in one transaction.  New versions, at all
 * members, of:
 *   - the components that are named (NULL, 0: all) and did not succeed, or
 *     any that are named when forced; what runs now is left alone unless
 *     forced, what waits will run as it is;
 *   - everything downstream of those, so that nothing is worked out from what
 *     an older version left;
 *   - upstream components whose output tables are gone here, and in turn what
 *     is downstream of them.
 * A job that ended is waiting afterwards, and goes through the queue again.
 * Everything else keeps its version.  *n (may be NULL) is how many components
 * got a new one; none: nothing changed.
 * The caller must be a member.  Errors besides those of all: ERR_BUSY while
 * the job is being stopped.
 */
struct party_rerun {
	const char *job_id;
	const struct graph *graph; /* of the job's DSL */
	const char *const *components;
	size_t ncomp;
	bool force;
	int64_t auto_retries; /* of the new versions */
	int64_t retry_delay_s;
};
int initiator_rerun(struct db *, const struct party_caller *,
    const struct party_rerun *, int64_t *n);
/*
 * A member says that outputs of these components are gone there: those that
 * something still to run reads get new versions, with all that follows.
 */
int initiator_renew_gone(struct db *, const struct party_caller *,
    const char *job_id, const struct graph *, const char *const *components,
    size_t ncomp, int64_t *n);
/*
 * One component is tried again within its run, by itself: the job goes on.
 * Counts down auto_retries; without any left nothing changes.
 */
int initiator_retry(struct db *, const struct party_caller *,
    const char *job_id, const char *component, int64_t *n);
/*
 * Other parameters for a job that has ended: j is the whole of it built anew,
 * with the revision after the one that it was built from.
 * Errors: ERR_BUSY when the job has not ended, ERR_CONFLICT when it has got
 * other parameters meanwhile.
 */
int initiator_revise(
    struct db *, const struct party_caller *, const struct db_job_new *j);

#endif
