/*
 * What the files of lib/party share: who may say what.
 */
#ifndef LIB_PARTY_PARTY_PRIVATE_H
#define LIB_PARTY_PARTY_PRIVATE_H

#include "lib/db/db_contract.h"
#include "lib/db/db_model.h"
#include "lib/party/party.h"

/*
 * Read the job (brief) and the addressed member (without party_conf) and see
 * that the member is local and the caller is the job's initiator.  lock: until
 * the end of the transaction, see db_job_get_member().
 */
int party_check(struct db *, struct arena *, const struct party_caller *,
    const struct party_member *, bool lock, struct db_job **job,
    struct db_party **party);

/* What a command's transaction is told and leaves. */
struct party_command {
	bool is_later_run; /* the end of one that has not begun here */
	bool is_undo;	   /* the end of a run that comes to nothing */
	const struct party_caller *caller;
	struct party_member member;
	const struct db_task_key *key; /* commands about a task */
	enum state state;
	const char *reason;
	int64_t reservation_ms;
	struct wait why; /* it has to wait */
	const struct db_task_new *task;
	const struct db_job_new *documents;
	const struct db_signature *signatures; /* of all members */
	size_t n_signatures;
	const struct db_task_key *starts; /* tasks that begin with the job */
	size_t n_starts;
	bool has_started;
	bool effective;
	enum permit_kind refused; /* by which kind of rule */
	struct db_task_left *own; /* see party_own_end() */
	/* found by the check, alive while the command's function runs */
	struct arena *arena;
	struct db_job *job;
	struct db_party *party;
};

typedef int party_command_fn(struct db *, struct party_command *);

/*
 * party_check() and fn in one transaction, which is repeated whole on a
 * deadlock.  *effective (may be NULL) is what fn left, false on errors.
 */
int party_run(
    struct db *, struct party_command *, party_command_fn *, bool *effective);

/*
 * The member starts, with the signatures of all that the caller sent, and with
 * it the tasks that are named.
 */
int party_start_signed(struct db *, struct party_command *);
/*
 * The same with what it asks for, reserved in the same step; or reserved alone
 * when the member has not signed yet.
 */
int party_take_signed(struct db *, struct party_command *);

/*
 * A job ends here as c->state says: after a bad end what was staged goes, a
 * plain success is refused while something is staged.
 */
int party_model_end(struct db *, struct party_command *);

/*
 * What speaks here against the success of a partner's job: ERR_CONFLICT, a
 * task of it that began here has no end, and needs what the job holds; c->own,
 * one that did not end well, NULL for none.
 */
int party_own_end(struct db *, struct party_command *);

/*
 * The job ends as c->state says.  A partner's job that its users here ended
 * otherwise before its initiator had heard has the end that the initiator
 * says, a success too: a job has one.  But where a task failed here the job
 * did, whatever the initiator says: that is noted, and c->own set.
 * ERR_CONFLICT: see party_own_end().
 */
int party_end_job(struct db *, struct party_command *, bool *moved);

/* The member of a task's key. */
struct party_member party_of_task(const struct db_task_key *);

/* The caller is one of the model's members, or this site. */
int party_check_model(const struct party_caller *, const struct db_model *);

/* Has the version the root (hex) that the caller's half has? */
int party_check_root(const struct db_model *, const char *root);

/* The caller takes part in the job, in whatever role; it was initiated here. */
int party_check_initiated(struct db *, struct arena *,
    const struct party_caller *, const char *job_id, struct db_job **job);

/* The same of what is known of job and caller. */
int party_check_place(const char *job_id, bool is_initiator, bool takes_part);

/* See party_job_wishes(). */
int party_wishes(struct db *, struct arena *, const struct permit_ask *,
    struct permit_decision **out, size_t *n);

/* The wishes of a member are those of the tasks it would run. */
void party_ask_of(struct arena *, const struct party_member *,
    const struct db_job_new *, struct permit_ask *out);

/* What the caller looks up of it, unless a person has to approve it first. */
int party_look_at(const struct party_caller *, const struct party_member *,
    const struct permit_demands *);

/*
 * End every unended task of the member, or of all members here, of any
 * version, as c->state says.
 */
int party_stop_tasks(struct db *, struct party_command *c, bool all);

/* The same of a job's documents alone: they stand in the version of a model,
 * too, that may come of it. */
int64_t party_document_bytes(
    const char *dsl, const char *conf, const char *contract);
/* What one member brings beside the job. */
int64_t party_member_bytes(const struct db_job_new *);
#define PARTY_MEMBER_BYTES 512 /* the rows of a member, at any site */

#endif
