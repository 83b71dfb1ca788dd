/*
 * What a partner's job may do at this site: its wishes against the rules of
 * the permission tree (party → role → role, command, component, dataset,
 * parameter).  What no rule allows is refused, and the role local, which is
 * of jobs that this site initiates itself, whatever rules say.
 *
 * One function decides, for every question: when a member of a job is created
 * here, when it runs a task again, when a task starts, and when somebody asks
 * what would be decided.  It costs one indexed query.
 */
#ifndef LIB_PARTY_PERMIT_H
#define LIB_PARTY_PERMIT_H

#include "lib/db/db_job.h"
#include "lib/db/db_permission.h"

struct json_object;

/* The first three numbers are those that the platform's clients are told. */
enum permit_kind {
	PERMIT_NONE = 0,
	PERMIT_ROLE = 1,
	PERMIT_COMPONENT = 2,
	PERMIT_DATASET = 3,
	PERMIT_COMMAND = 4,
	PERMIT_PARAMETER = 5,
};

const char *permit_kind_name(enum permit_kind); /* "role", … as in rows */

#define PERMIT_CREATE "create" /* take part in a job */
#define PERMIT_RERUN "rerun"   /* run a task of it again */

/* A task of the member, as its rows say; parameters are JSON text. */
struct permit_task {
	const char *component;
	const char *module;
	const char *parameters; /* may be NULL */
};

/* A rule that lets somebody in when a person approves. */
struct permit_demand {
	int64_t rule;
	const char *subject; /* "dataset test breast_host" */
	const char *by;
	int64_t within_s;
};

struct permit_demands {
	struct arena *arena; /* the caller's; the list lives there */
	struct permit_demand *list;
	size_t n;
};

struct permit_ask {
	const char *job_id;
	const char *party;    /* who initiated the job */
	const char *src_role; /* and as what */
	const char *role;     /* the member of this site */
	const char *party_id;
	const char *command;
	const struct permit_task *tasks;
	size_t ntasks;
	/* Is the member taken in now?  Only then uses are looked at, which it
	 * has already when its tasks start. */
	bool admits;
	/* With admits: what it uses already it may go on using. */
	bool again;
	/*
	 * With admits: filled with what a person has to approve; when there is
	 * anything, uses are counted later.  NULL: it is approved.
	 */
	struct permit_demands *demands;
};

/* One wish and what becomes of it; texts live in the arena. */
struct permit_decision {
	enum permit_kind kind;
	const char *subject; /* as in db_leaf */
	const char *detail;
	const char *component; /* a task that wishes it, "" for none */
	bool allowed;
	int64_t rule; /* the rule that decided, 0: there is none */
	bool counts;  /* it uses up a use */
	const struct db_permission *approval; /* a person has to approve */
	const char *why;		      /* the rule, or what is missing */
	const char *grant; /* the command that would allow it, or "" */
};

/* Every wish.  Errors: ERR_DB, ERR_FORMAT (parameters that are no JSON). */
int permit_decide(struct db *, struct arena *, const struct permit_ask *,
    struct permit_decision **out, size_t *n);

/*
 * A service of the site's organisation that has a say beside the rules, for
 * who explains: asked about wishes that the rules allow.
 * *allowed and *said (its words, in the arena) are what it answers; a service
 * that gives no answer has allowed nothing.  Errors: ERR_DB.
 */
struct permit_service {
	int (*ask)(void *ctx, struct arena *, const struct permit_ask *,
	    const struct permit_decision *, size_t n, bool *allowed,
	    const char **said);
	void *ctx;
};

/*
 * ERR_DENIED with the first wish that is refused, how many more are, and the
 * command that grants them all; *refused
 * says of which kind the first is.  When admits
 * is set uses are counted, in the caller's transaction.
 */
int permit_check(
    struct db *, const struct permit_ask *, enum permit_kind *refused);

/*
 * Does a rule's bound allow the value?  bound: a list of values, or an object
 * with min, max or both.  Of a list as value every element must be allowed.
 */
bool permit_in_bound(struct json_object *bound, struct json_object *value);
/* ERR_INVALID with what is wrong with a bound. */
int permit_bound_check(struct json_object *bound);

#endif
