/*
 * What left this site (egress) and what was done at it and refused (audit):
 * append only.
 */
#ifndef LIB_DB_DB_AUDIT_H
#define LIB_DB_DB_AUDIT_H

#include "lib/db/db_task.h"
#include "lib/db/db_tx.h"

struct db_egress {
	int64_t id;
	int64_t at_ms;
	struct db_task_key key; /* the sender */
	/* Which of its objects, when it is added: of an attempt, counted. */
	int64_t fence;
	int64_t seq;
	const char *to_role;
	const char *to_party;
	const char *name;
	const char *tag;
	int64_t bytes;
	unsigned char sha256[DB_HASH_SIZE];
};

/*
 * A name that no transfer can have: the words with which a task of a partner's
 * job failed, which its initiator is told.
 */
#define DB_EGRESS_ERROR_REPORT "(error report)"

/*
 * Written before the object leaves; n objects in one transaction.  Those that
 * are there already are no error: whether a commit that went unanswered took
 * place is not known, and they are added again.  ERR_CONFLICT: another object
 * has that number of the attempt.
 */
int db_egress_add(struct db *, const struct db_egress *, size_t n);
/* Bytes and tags of a task that are in the ledger. */
int db_egress_task_bytes(
    struct db *, const struct db_task_key *, int64_t *bytes);
/* job_id and component may be NULL; oldest first, after an id. */
int db_egress_list(struct db *, struct arena *, const char *job_id,
    const char *component, int64_t after_id, int64_t limit,
    struct db_egress **rows, size_t *n);

/*
 * What the executor of a task was handed of one other site's objects; with the
 * task's end, once.
 */
struct db_ingress {
	struct db_task_key key; /* the receiver */
	const char *from_party;
	int64_t objects; /* parts of large ones, each */
	int64_t bytes;
};
int db_ingress_add(struct db *, const struct db_ingress *);

/* What left in one task for one party, or in one job when by_job. */
struct db_egress_total {
	struct db_task_key key; /* of a job: component "", version 0 */
	const char *to_party;
	int64_t objects;
	int64_t bytes;
};
/* job_id may be NULL. */
int db_egress_totals(struct db *, struct arena *, const char *job_id,
    bool by_job, struct db_egress_total **rows, size_t *n);

struct db_audit {
	int64_t id;
	int64_t at_ms;
	const char *actor;
	const char *action;
	const char *subject;
	const char *outcome; /* ok refused */
	const char *detail;  /* may be NULL */
	int64_t seq;	     /* in the chain; 0: not there yet */
};

/*
 * Append a row; inside a transaction it is part of that.  A moment after the
 * commit it is given its place in the chain (db_audit_chain.h) and can never
 * again be changed unseen.  Texts are cut to their columns: what is recorded
 * may come from strangers.  id, seq and at_ms are the database's.
 */
int db_audit_add(struct db *, const struct db_audit *);
/*
 * fn changes the database in one transaction with the record of it: both, or
 * neither, whenever this process is killed.  Errors: fn's, ERR_DB.
 */
int db_audit_do(struct db *, db_tx_fn *fn, void *ctx, const struct db_audit *);
/*
 * The newest rows that match, oldest first.  NULL and 0 match all; actor and
 * subject match what begins so, the others what is the same.
 */
struct db_audit_filter {
	const char *actor;
	const char *action;
	const char *subject;
	const char *outcome;
	int64_t since_ms;  /* not before */
	int64_t before_id; /* for the page before */
	int64_t limit;
};
int db_audit_find(struct db *, struct arena *, const struct db_audit_filter *,
    struct db_audit **rows, size_t *n);

#endif
