/*
 * A job the scheduler is working on: its lease, its dependencies, and what
 * is under way to its members.  All of it can be lost: the rows say what is
 * missing, and every command may be sent again.
 */
#ifndef SUPERVISOR_JOB_H
#define SUPERVISOR_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/id.h"
#include "lib/db/db_job.h"
#include "lib/db/db_task.h"
#include "lib/model/graph.h"
#include "lib/model/model_version.h"
#include "supervisor/acks.h"
#include "supervisor/plan.h"
#include "supervisor/supervisor.h"

/* What replies taught about a member since the last release of the lease. */
struct job_member {
	bool busy;	       /* a job command is under way */
	int64_t rest_until_ms; /* monotonic; it said "not now" */
	bool refused;	       /* resource/apply */
	bool in_doubt;	       /* it may have begun: no answer came, or the
				* rows were left so by another scheduler */
	int64_t sign_until_ms; /* monotonic; its signature is on its way */
	bool unknown;	       /* the member does not have the job */
	char *error;	       /* owned; what it said last */
	struct wait refusal;   /* and why, when it named a reason */
};

/* The same of one task at one member. */
struct job_task {
	bool busy;
	int64_t rest_until_ms;
	int64_t heard_ms;  /* monotonic; 0: never looked at */
	int64_t denied_ms; /* monotonic; since when nothing is told of it */
};

/* Until then a reason that should pass by itself is not stored. */
#define JOB_BRIEF_MS 1000

/* After "not now" nothing is sent to that member or task for this long. */
#define JOB_REST_MS 1000

/* A member that tells nothing of its task for so long has left the job. */
#define JOB_DENIED_MS 10000

struct job {
	char job_id[ID_JOB_SIZE];
	int64_t fence;	  /* 0: not leased now */
	int64_t queue_us; /* its place in the queue: who is less comes first */
	int64_t priority;
	size_t under_way;  /* commands without a reply yet */
	bool again;	   /* look once more after this look */
	bool has_ended;	   /* as the last look saw it */
	bool runs;	   /* the same */
	bool has_room;	   /* all members hold resources; the same */
	int64_t delay_ms;  /* the next look, said by the last one */
	int64_t looked_ms; /* monotonic */
	int64_t seen_us;   /* the wake that the last look has seen */
	uint64_t wakes;	   /* queue_wakes() before the last look */
	/* a reason to wait that should pass by itself, and since when */
	enum wait_code brief;
	int64_t brief_ms;	    /* monotonic */
	bool brief_told;	    /* a look had it as lasting: it is stored */
	struct graph *graph;	    /* NULL until the first look */
	struct job_member *members; /* in the order of db_party_list() */
	size_t nmembers;
	struct job_task *tasks; /* [component * nmembers + member] */
	struct acks acks;	/* under this lease */
	struct job *next;
};

struct job *job_new(const char *job_id);
void job_free(struct job *); /* NULL is fine */
/* Forget what was refused: the next look asks again. */
void job_forget(struct job *);
void job_set_error(struct job *, size_t member, const char *);
struct job_task *job_task(struct job *, size_t component, size_t member);

/* The rows of a job as one moment showed them, and the plan's view. */
struct snapshot {
	struct arena *arena;
	struct db_job_plan *row;
	struct db_party *parties;
	size_t nparties;
	struct plan_job plan;
	bool resting; /* something does, until the first rest is over: */
	int64_t rest_ms;
	/* each component's rows in the order of plan's rows */
	struct db_task ***tasks;
};

/*
 * Read the job's rows.  Errors: ERR_NOT_FOUND, ERR_DB, ERR_INVALID (its DSL
 * or rows cannot be made sense of).  End with snapshot_fini() either way.
 */
int snapshot_load(struct supervisor *, struct job *, struct snapshot *);
void snapshot_fini(struct snapshot *);
/*
 * What members have staged of the job's model, in the arena; *n is 0 when it
 * makes none.
 */
struct model_member *snapshot_models(
    const struct snapshot *, struct arena *, size_t *n);
/* The row that an action is about. */
const struct db_task *snapshot_task(
    const struct snapshot *, size_t component, size_t member);

#endif
