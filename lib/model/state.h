/*
 * States of jobs and tasks: names, kinds, allowed moves, and the rules that
 * derive a task's state from its members' and a job's from its tasks'.
 * Pure; the database functions that move states ask these tables.
 *
 * Names, order and rules are those of the FATE-Flow 1.x platform, with these
 * changes, which make every rule total and every unstarted task endable:
 *   - a waiting task may become canceled, timeout or failed (there it had to
 *     be marked running first, or stayed waiting for ever);
 *   - combinations for which the platform raised an exception have a verdict.
 */
#ifndef LIB_MODEL_STATE_H
#define LIB_MODEL_STATE_H

#include <stdbool.h>
#include <stddef.h>

/* What a state is; a state may be several. */
enum {
	STATE_OF_JOB = 1,
	STATE_OF_TASK = 2,
	STATE_ONGOING = 4,
	STATE_INTERRUPT = 8,
	STATE_END = 16,
	STATE_SUCCESSFUL = 32
};

/*
 * X(NAME, "name", kinds, moves of a job, moves of a task).  The order is the
 * level: of several interrupts the highest decides.  A job never takes pass
 * (its verdict counts it as success), so no job move leads there.
 */
#define STATE_TO(name) (1u << STATE_##name)
#define STATE_ANY_INTERRUPT                                                    \
	(STATE_TO(CANCELED) | STATE_TO(TIMEOUT) | STATE_TO(FAILED))
#define STATE_LIST(X)                                                          \
	X(WAITING, "waiting", STATE_OF_JOB | STATE_OF_TASK | STATE_ONGOING,    \
	    STATE_TO(RUNNING) | STATE_ANY_INTERRUPT | STATE_TO(SUCCESS),       \
	    STATE_TO(RUNNING) | STATE_ANY_INTERRUPT | STATE_TO(PASS) |         \
		STATE_TO(SUCCESS))                                             \
	X(READY, "ready", STATE_OF_JOB,                                        \
	    STATE_TO(WAITING) | STATE_ANY_INTERRUPT, 0)                        \
	X(RUNNING, "running", STATE_OF_JOB | STATE_OF_TASK | STATE_ONGOING,    \
	    STATE_ANY_INTERRUPT | STATE_TO(SUCCESS),                           \
	    STATE_ANY_INTERRUPT | STATE_TO(PASS) | STATE_TO(SUCCESS))          \
	X(CANCELED, "canceled",                                                \
	    STATE_OF_JOB | STATE_OF_TASK | STATE_INTERRUPT | STATE_END,        \
	    STATE_TO(WAITING), STATE_TO(WAITING))                              \
	X(TIMEOUT, "timeout",                                                  \
	    STATE_OF_JOB | STATE_OF_TASK | STATE_INTERRUPT | STATE_END,        \
	    STATE_TO(WAITING) | STATE_TO(FAILED) | STATE_TO(SUCCESS),          \
	    STATE_TO(FAILED) | STATE_TO(SUCCESS))                              \
	X(FAILED, "failed",                                                    \
	    STATE_OF_JOB | STATE_OF_TASK | STATE_INTERRUPT | STATE_END,        \
	    STATE_TO(WAITING), 0)                                              \
	X(PASS, "pass", STATE_OF_TASK | STATE_END | STATE_SUCCESSFUL, 0, 0)    \
	X(SUCCESS, "success",                                                  \
	    STATE_OF_JOB | STATE_OF_TASK | STATE_END | STATE_SUCCESSFUL,       \
	    STATE_TO(WAITING), 0)

enum state {
	STATE_NONE = -1,
#define X(name, text, kinds, job_to, task_to) STATE_##name,
	STATE_LIST(X)
#undef X
	    STATE_COUNT
};

const char *state_name(enum state); /* "" for STATE_NONE */
/* "" gives STATE_NONE; ERR_INVALID for a word that is no state. */
int state_parse(const char *name, enum state *out);
unsigned state_kinds(enum state); /* 0 for STATE_NONE */
bool state_is_end(enum state);
bool state_is_interrupt(enum state);
bool state_is_success(enum state); /* success or pass */

/* May a job / a task (verdict or member) go from one state to another? */
bool state_job_may(enum state from, enum state to);
bool state_task_may(enum state from, enum state to);
/*
 * The states from which a task may come to `to`, as names with commas
 * ("waiting,running"): what a guarded UPDATE compares with.  Static text.
 */
const char *state_task_from(enum state to);

/* One member's word on a task. */
struct state_member {
	enum state state;
	/* a member that only maps ids: ignored once all others succeeded */
	bool is_id_mapping;
};

/*
 * The verdict over a task's members: all equal → that; else the highest of
 * failed, timeout, canceled; else running.  pass counts as success.  Without
 * members: waiting.
 */
enum state state_task_verdict(const struct state_member *, size_t n);

/* What the look at a job's waiting tasks found. */
enum state_next {
	STATE_NO_NEXT = 2,     /* none may start any more */
	STATE_HAVE_NEXT = 3,   /* one was started or can be started later */
	STATE_START_FAILED = 4 /* starting one failed */
};

/*
 * The verdict over the newest version of each task of a job: all equal →
 * that; any running → running; waiting ones with a next → running; else the
 * highest interrupt; else (waiting and success only) canceled when nothing
 * can start, failed when a start failed.  waiting with cancel_signal becomes
 * canceled.  pass counts as success.  Without tasks: success.
 */
enum state state_job_verdict(
    const enum state *tasks, size_t n, enum state_next, bool cancel_signal);

/* 100 × ended / all, rounded down; 100 without tasks. */
int state_progress(const enum state *tasks, size_t n);

#endif
