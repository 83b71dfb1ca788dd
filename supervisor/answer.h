/*
 * Commands and answers, as command.c (which sends) and answer.c (which makes
 * rows of what comes back) see them.
 */
#ifndef SUPERVISOR_ANSWER_H
#define SUPERVISOR_ANSWER_H

#include <json-c/json.h>

#include "lib/party/party.h"
#include "supervisor/command.h"

/* A command and all it needs when its answer comes. */
struct command {
	struct supervisor *super;
	struct job *job;
	enum plan_verb verb;
	int64_t fence; /* of the lease under which it was sent */
	size_t member, component;
	struct party_member to; /* texts below */
	int64_t run;		/* of job commands */
	struct db_task_key task;
	int64_t auto_retries, retry_delay_s;
	enum state status;
	bool undo;	    /* of an end: that of a run that came to nothing */
	bool begins;	    /* of an application: the member starts with it */
	int64_t over_ms;    /* likewise: since when the job is over */
	const char *reason; /* may be NULL */
	/* of the contract, as it was when the command was made */
	int64_t revision;
	unsigned char contract_hash[DB_HASH_SIZE];
	/* what members staged, to be sealed with the success; 0: nothing */
	struct model_member *models;
	size_t nmodels;
	/* tasks of the member whose success it is told with this command */
	struct db_task_key *told;
	size_t *told_components;
	size_t ntold;
	/* tasks of a partner that begin with its start of the job */
	struct db_task_key *starts;
	size_t *start_components;
	size_t nstarts;
	/* why a start was refused: the collect that follows settles it */
	const char *refusal;
	struct arena *arena;
	command_done_fn *done;
	void *ctx;
};

/* What a member said, wherever it is. */
struct answer {
	int code; /* 0, or the ERR_* that the words stand for */
	const char *text;
	json_object *data; /* borrowed, may be NULL */
	struct wait why;   /* with "not now": the reason; WAIT_NONE: unnamed */
	/* of an own member that staged its half of the model */
	const unsigned char *manifest_hash;
};

/*
 * What the answer means for the rows of job, member and task.  A job waits,
 * goes on or is asked to end by it.  Errors: ERR_DB, ERR_CONFLICT (lease
 * lost), ERR_FORMAT.
 */
int answer_take(struct command *, const struct answer *, bool is_local);
/*
 * A partner's word that it holds what was asked for, took a start, or knows a
 * verdict or an end, need not be a row at once: acks.h.  It counts under the
 * lease that it was asked under.
 */
bool answer_is_kept(const struct command *, const struct answer *);
/*
 * Errors: ERR_DENIED when the signature that came with it is no good, which is
 * a refusal; ERR_DB.
 */
int answer_keep(struct command *, const struct answer *);
/*
 * The member said "not now": leave it alone for a moment.  Who does not take
 * an end is told again after a time that grows with that since the end.
 */
void answer_rest(struct command *);
#define ANSWER_END_REST_MAX_MS 30000
/* It is found then, so that people see it... */
#define ANSWER_END_LATE_MS 60000
/* ...and now it is held to have left the job: its site asks when it doubts. */
#define ANSWER_END_MAX_MS (3600 * INT64_C(1000))
/* A finding, when the end is late.  Not inside a transaction. */
void answer_tell_late_end(struct command *, const struct answer *);

/*
 * A start was refused: ask how the task stands (command.c).  It may have been
 * started by a command whose answer was lost.
 */
void command_ask_after_refusal(struct command *, const char *refusal);

#endif
