/*
 * What is missing for a job to go on: from one snapshot of its rows to a list
 * of actions.  Pure: no clock, no database, no memory of earlier plans, the
 * same snapshot gives the same list.  Every command in it is idempotent, so a
 * lost reply only makes the same command appear in the next plan.
 *
 * A plan also says why the job and each of its tasks wait: exactly one reason
 * (lib/model/wait.h) for what will be neither running nor over once the plan
 * is carried out, none for the rest.
 *
 * The scheduler carries a plan out in the order given: what changes rows
 * here, and the commands to members, which go out in parallel; every reply
 * changes rows and leads to a new plan.  A change of rows here stands before
 * the commands that rely on it.
 */
#ifndef SUPERVISOR_PLAN_H
#define SUPERVISOR_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"
#include "lib/model/fault.h"
#include "lib/model/state.h"
#include "lib/model/wait.h"

/*
 * A member of the job.  The first group is its job_party row; the second is
 * what the scheduler knows of replies under way.  The second group only saves
 * useless commands: with all of it zero the plan is still right.
 */
struct plan_member {
	const char *role;
	const char *party;
	bool is_local;
	bool created, reserved, started, ended;
	bool staged;	/* its half of the model */
	bool is_signed; /* the contract, this revision of it */
	/* ended, but it took no end: it has no such job, or hears us not */
	bool has_left;

	bool busy;	   /* a job command is under way to it */
	bool away;	   /* its site does not answer now */
	bool refused;	   /* refused this round's resource/apply */
	bool is_signing;   /* will tell its signature by itself */
	bool in_doubt;	   /* may have started: no answer came */
	bool unknown;	   /* does not have the job */
	int64_t away_ms;   /* for how long it has not answered */
	const char *error; /* why not, in its or the network's words */
	/* the reason it gave with a refusal; WAIT_NONE when it named none */
	struct wait refusal;
};

/* One member's row of a component, newest version. */
struct plan_row {
	size_t member; /* index into plan_job.members */
	enum state party_status;
	/*
	 * The verdict the member knows, STATE_NONE for none; of a version
	 * above 0 waiting says that the member has created it.  A local row
	 * is the member's own: it knows what the row says.
	 */
	enum state acked;
	bool start_acked;
	int auto_retries;
	int64_t retry_delay_ms;
	int64_t ended_ms;      /* since its end; < 0 not ended */
	const char *error;     /* error_report, NULL or "" for none */
	enum fault_kind fault; /* which kind its end is */

	bool busy;   /* a task command is under way */
	bool silent; /* no news for so long that we ask */
};

struct plan_component {
	const char *name;
	int version;
	enum state status;	/* verdict as stored */
	const size_t *upstream; /* indexes into plan_job.components */
	size_t nupstream;
	struct plan_row *rows; /* one for each member that runs it */
	size_t nrows;
};

struct plan_job {
	const char *job_id;
	enum state status;
	bool cancel_signal;
	enum state cancel_status; /* what the signal asks for */
	const char *reason;	  /* job.reason as stored, may be NULL */
	int task_parallelism;
	int progress;
	bool makes_model;	  /* to be staged everywhere before success */
	int64_t waiting_ms;	  /* since this run could begin */
	int64_t running_ms;	  /* since it started; 0 not started */
	int64_t over_ms;	  /* since it ended; 0 not ended */
	int64_t timeout_ms;	  /* of a running job */
	int64_t queue_timeout_ms; /* of a waiting one */
	int64_t lost_partner_ms;  /* how long one may be away */
	/* apply to one member after the other, in an order all sites share:
	 * two jobs that refuse each other crosswise cannot do so again */
	bool apply_in_order;
	/* a job that has waited long for one of these parties and stands
	 * before this one, or NULL */
	const char *yield_to;
	const char *yield_at; /* which party */

	/* a run that has not begun: how the job stood before; else no end */
	enum state undo_to;
	bool undone; /* it has that end again: members are told so */

	struct plan_member *members;
	size_t nmembers;
	/* in topological order */
	struct plan_component *components;
	size_t ncomponents;
};

enum plan_verb {
	/* rows here */
	PLAN_SET_VERDICT,  /* component, status, reason */
	PLAN_SET_JOB,	   /* status, reason */
	PLAN_UNDO,	   /* status, reason: the run comes to nothing */
	PLAN_SET_PARTY,	   /* component, member: its end is known */
	PLAN_SET_PROGRESS, /* progress */
	PLAN_WAIT,	   /* delay_ms until the next look; reason: the words */
	PLAN_RERUN,	   /* component: a new version, by itself */
	PLAN_SETTLE,
	PLAN_SIGN, /* member: of this site */
	/* job commands to a member */
	PLAN_CREATE,
	PLAN_REOPEN, /* take part again, with these documents */
	PLAN_APPLY,
	PLAN_RETURN,
	PLAN_START,
	PLAN_MODEL, /* stage the model */
	PLAN_END,   /* status, reason: stop/S, or status/success */
	/* task commands to a member */
	PLAN_TASK_CREATE,
	PLAN_TASK_START,
	PLAN_TASK_STATUS, /* status, reason */
	PLAN_TASK_STOP,	  /* status, reason */
	PLAN_TASK_COLLECT
};

struct plan_action {
	enum plan_verb verb;
	size_t member;
	size_t component;
	enum state status;
	int progress;
	int64_t delay_ms;
	const char *reason; /* in the arena, may be NULL */
	/*
	 * Of a task's start, and of the end of a job that succeeded: components
	 * whose success the member is told with it.
	 */
	size_t *told; /* in the arena */
	size_t ntold;
	/*
	 * Of a job's start at a partner, or an application that begins: components
	 * whose tasks begin there with it, as they are the first of the job.
	 */
	size_t *starts; /* in the arena */
	size_t nstarts;
	/*
	 * Of an application: all others have granted and have signed, so that
	 * the member starts with it; a partner if it has signed, too.
	 */
	bool begins;
	bool done; /* for whoever carries it out */
};

struct plan {
	struct plan_action *actions;
	size_t n, cap;
	struct wait wait;   /* the job's; WAIT_NONE: it runs or is over */
	struct wait *tasks; /* one a component; in the arena, as all words */
	struct arena *arena;
};

void plan_init(struct plan *);
void plan_fini(struct plan *);

/* Replace the plan's actions by those that job lacks. */
void plan_make(struct plan *, const struct plan_job *);

/* The name of a verb for logs: "create", "task start". */
const char *plan_verb_name(enum plan_verb);
bool plan_is_command(enum plan_verb); /* goes to a member */
/* Rows here change, but the plan has all that follows from it. */
bool plan_goes_on(const struct plan_action *);
bool plan_is_task_command(enum plan_verb);

#endif
