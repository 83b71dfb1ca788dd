/*
 * Why a job or a task is neither running nor over: one code of a closed list,
 * whose turn it is, numbers, and what clears it.
 *
 * Every job in ready or waiting has exactly one (job.wait_code), every task
 * whose party_status is waiting too (task.wait_code); the database refuses
 * rows without.  A task that runs has one while it cannot go on before another
 * site has room, and is shown with partner_unreachable while one that takes
 * part does not answer (fcgi-app/waits.h; not in its row).  A task that is to be tried again shows retry_backoff on the
 * version that failed.  The scheduler's plan (supervisor/plan.h) says it at
 * the initiator; other members know that they wait for the initiator, and
 * what their own site makes them wait for.
 */
#ifndef LIB_MODEL_WAIT_H
#define LIB_MODEL_WAIT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Name in C; as stored and shown; brief (passes by itself within a moment,
 * stored only when it does not); words when there are no better ones; what
 * clears it.  Append only: clients and metrics know the names.
 */
#define WAIT_LIST(X)                                                           \
	/* of jobs */                                                          \
	X(CREATING, "creating", true, "it is being made where it is to run",   \
	    "the members' answers")                                            \
	X(INITIATOR, "initiator", false,                                       \
	    "the initiator goes on when all members are ready",                \
	    "the initiator's next command")                                    \
	X(APPROVAL, "approval", false, "a person has to approve",              \
	    "an approval or refusal at that party (sluice approve, reject)")   \
	X(PARTNER_UNREACHABLE, "partner_unreachable", false,                   \
	    "a partner does not answer", "an answer of the partner's site")    \
	X(PARTNER_BUSY, "partner_busy", false,                                 \
	    "a partner takes nothing on at the moment",                        \
	    "that site having room again")                                     \
	X(WAITING_RESOURCES, "waiting_resources", false,                       \
	    "not enough cores or memory are free",                             \
	    "jobs ending at that party, or more resources there")              \
	X(QUOTA, "quota", false, "a quota is used up",                         \
	    "jobs under the same quota ending, or a larger quota")             \
	X(TURN, "turn", false, "an older job waits for the same party",        \
	    "the start or end of the job named in \"on\"")                     \
	X(RESERVING, "reserving", true, "cores and memory are being reserved", \
	    "the members' answers")                                            \
	X(STARTING, "starting", true, "it is told to start where it runs",     \
	    "the members' answers; of a task: its process")                    \
	X(ENDING, "ending", true, "the end of the job is on its way",          \
	    "the job's end")                                                   \
	/* of tasks, beside creating, starting, ending, partner_unreachable */ \
	X(JOB_START, "job_start", false, "its job has not started",            \
	    "what the job waits for")                                          \
	X(UPSTREAM, "upstream", false, "it needs what others work out",        \
	    "the success of the components named in \"on\"")                   \
	X(PARALLELISM_LIMIT, "parallelism_limit", false,                       \
	    "as many tasks of its job run as may at once",                     \
	    "the end of one of them")                                          \
	X(RETRY_BACKOFF, "retry_backoff", false, "it is tried again later",    \
	    "the time left_ms")                                                \
	/* of jobs again */                                                    \
	X(SITE_NOT_READY, "site_not_ready", false,                             \
	    "the site starts nothing new now",                                 \
	    "the site's trouble ending: see its doctor")                       \
	/* of tasks that run */                                                \
	X(PARTNER_FULL, "partner_full", false,                                 \
	    "the receiver's site has no room for objects at the moment",       \
	    "the receiver taking what it has, or room on that site's disk")

enum wait_code {
	WAIT_NONE,
#define X(name, text, brief, words, clears) WAIT_##name,
	WAIT_LIST(X)
#undef X
	    WAIT_CODES
};

/* The numbers that a reason may have; what each counts is in its name. */
#define WAIT_NUMBERS(X)                                                        \
	X(CORES_ASKED, "cores_asked")                                          \
	X(CORES_FREE, "cores_free")                                            \
	X(CORES_TOTAL, "cores_total")                                          \
	X(MEMORY_MB_ASKED, "memory_mb_asked")                                  \
	X(MEMORY_MB_FREE, "memory_mb_free")                                    \
	X(MEMORY_MB_TOTAL, "memory_mb_total")                                  \
	X(USED, "used")                                                        \
	X(LIMIT, "limit")                                                      \
	X(MEMBERS, "members") /* of the job */                                 \
	X(READY, "ready")     /* of these, done with what is waited for */     \
	X(AWAY_MS, "away_ms")                                                  \
	X(LEFT_MS, "left_ms")                                                  \
	X(RUNNING, "running")                                                  \
	/* of what is free, for initiators that were refused before */         \
	X(CORES_KEPT, "cores_kept")                                            \
	X(MEMORY_MB_KEPT, "memory_mb_kept")                                    \
	X(TRIES, "tries") /* looks that found it so */

enum wait_number {
#define X(name, text) WAIT_N_##name,
	WAIT_NUMBERS(X)
#undef X
	    WAIT_N_COUNT
};

struct wait {
	enum wait_code code;
	const char *role; /* whose turn it is; "" for nobody in particular */
	const char *party;
	const char *on;		 /* jobs, components, a quota's name; or "" */
	unsigned have;		 /* 1 << enum wait_number */
	int64_t n[WAIT_N_COUNT]; /* where have says so */
	const char *text;	 /* words with the causes; NULL: the code's */
};

const char *wait_name(enum wait_code); /* "" for WAIT_NONE */
/* WAIT_NONE for what is no code: a partner may be newer than this site. */
enum wait_code wait_parse(const char *name);
bool wait_is_brief(enum wait_code);
const char *wait_words(enum wait_code);
const char *wait_clears(enum wait_code);

/* Nobody's, without numbers and words. */
struct wait wait_of(enum wait_code);
void wait_set(struct wait *, enum wait_number, int64_t);

/* {"cores_asked": 4, …}; the caller's. */
struct json_object *wait_numbers_json(const struct wait *);
/* What of o is a known name with an integer; the rest is passed over. */
void wait_numbers_read(struct wait *, struct json_object *o);

/*
 * {"code", "numbers"} and back, as a refusing member tells the initiator.
 * Reading gives WAIT_NONE unless it is a reason that a member may give.
 */
struct json_object *wait_answer_json(const struct wait *);
struct wait wait_answer_read(struct json_object *);

#endif
