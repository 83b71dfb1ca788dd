/*
 * One task attempt and its parts.  attempt.c makes them in order; each part
 * keeps its own state behind an opaque pointer and tells the others by the
 * functions of control.c.
 *
 *   subject	what the database says about the task
 *   lease	heartbeats; losing it ends everything at once
 *   pulse	whether the executor gets on
 *   session	frames to and from the executor
 *   relay	metrics and progress to the database
 *   outputs	tables and models that the executor announced
 *   courier	objects to other members
 *   inbox	objects from other members
 *   tasklog	log files for people
 */
#ifndef SUPERVISOR_SHEPHERD_SHEPHERD_H
#define SUPERVISOR_SHEPHERD_SHEPHERD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/conf/site_conf.h"
#include "lib/db/db.h"
#include "lib/event/loop.h"
#include "lib/mailbox/mailbox.h"
#include "lib/model/state.h"
#include "supervisor/shepherd/ancestry.h"
#include "supervisor/shepherd/launcher.h"
#include "supervisor/shepherd/pool.h"
#include "supervisor/shepherd/subject.h"

enum phase {
	PHASE_SETUP,
	PHASE_RUNNING, /* the executor was started */
	PHASE_ENDING,  /* the verdict is known, things drain */
	PHASE_WRITING, /* the end is being written */
	PHASE_OVER
};

struct shepherd {
	const struct site_conf *conf;
	struct providers *providers; /* NULL: the subject reads them */
	struct loan *loan;	     /* of a connection, perhaps */
	struct loop_fd *asked;	     /* whether that is asked back */
	struct db *db;
	struct loop *loop;
	struct subject *subject;
	struct mailbox_task mailbox; /* this task as a receiver */
	char *work_dir;		     /* the executor's /out; owned */

	int64_t agreed_ms; /* monotonic, when the contract was checked */
	struct lease *lease;
	struct pulse *pulse;
	struct session *session;
	struct relay *relay;
	struct outputs *outputs;
	struct source *source; /* NULL: none */
	struct delivery *delivery;
	struct ancestry ancestry; /* in the subject's arena */
	struct courier *courier;
	struct inbox *inbox;
	struct tasklog *log;

	struct launched child;
	bool has_child;	  /* it was not reaped yet */
	int child_status; /* of it, once reaped */

	enum phase phase;
	enum state verdict;	     /* from PHASE_ENDING on */
	char *error;		     /* owned; "" for none */
	enum fault_kind fault;	     /* unless it ended well */
	bool is_lost;		     /* the lease is another's */
	struct loop_timer *step;     /* see control_poke() */
	struct loop_timer *patience; /* for an executor to exit */
	int64_t retry_ms;	     /* until the end is tried again */
};

/*
 * The task has to end in this state; the first caller decides.  Success lets
 * what is under way go on, anything else kills the executor.  error is for
 * people and copied, NULL for none.
 */
void control_end(
    struct shepherd *, enum state, enum fault_kind, const char *error);
/* The same with failed, the recorded error, and the fault that it stands for. */
void control_fail(struct shepherd *, const char *context);
/*
 * What people read of an error: its text, with whose disk it is when one is
 * full, for other parties read it as well.  The caller's.
 */
char *control_words(
    const struct shepherd *, enum fault_kind, const char *error);
/* The lease is gone: kill, write nothing, leave. */
void control_lost(struct shepherd *);
/* Something was finished: see, from the loop's next turn, what is next. */
void control_poke(struct shepherd *);
/* Callback of loop_child() for what the launcher started. */
void control_child(void *ctx, pid_t, int status);

int control_open(struct shepherd *);
void control_close(struct shepherd *);

#endif
