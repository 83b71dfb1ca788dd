/*
 * What partners have acknowledged of a job and its tasks and no row says yet:
 * that they hold what it asked for, with the signature that came with it, that
 * they took a start, that they know a verdict or an end.  Nothing is lost with
 * it: who does not find it in the rows sends the same command again, and is
 * told that it was done before.  So it is written with other changes, many at
 * a time, and at the latest when the job's lease is given back.
 */
#ifndef SUPERVISOR_ACKS_H
#define SUPERVISOR_ACKS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/mem.h"
#include "lib/db/db_contract.h"
#include "lib/db/db_job.h"
#include "lib/db/db_task.h"
#include "lib/party/party.h"

/* So many are not kept any longer. */
#define ACKS_MANY 32

struct ack;
struct member_ack;

/* One that was verified; texts in the arena. */
struct acks_signature {
	const char *job_id;
	int64_t revision; /* of the contract */
	struct db_signature by;
	struct acks_signature *next;
};

struct acks {
	struct arena *arena; /* NULL while there are none */
	struct ack *list;
	struct member_ack *members;
	struct acks_signature *signatures;
	size_t n; /* of all three */
};

/* status: the verdict that the member knows; STATE_NONE: it took the start. */
void acks_add(struct acks *, const struct db_task_key *, enum state status);
/* The member has reserved, has started the job, or knows of its end. */
void acks_add_member(
    struct acks *, const struct party_member *, enum db_party_flag);
/* What was said of it is not so any more; that it was not said is fine. */
void acks_drop_member(
    struct acks *, const struct party_member *, enum db_party_flag);
bool acks_has_member(const struct acks *, const char *role, const char *party,
    enum db_party_flag);
void acks_add_signature(struct acks *, const char *job_id, int64_t revision,
    const struct db_signature *);
bool acks_has_signature(
    const struct acks *, const char *role, const char *party, int64_t revision);
/*
 * What is to be added to the task's row: *start becomes true, *status
 * another, or they stay as they are.
 */
void acks_apply(const struct acks *, const struct db_task_key *, bool *start,
    enum state *status);
/*
 * Make rows of them, in a transaction that holds the job's fence; they are
 * cleared by who has committed it.  Errors: ERR_DB.
 */
int acks_write(const struct acks *, struct db *);
void acks_clear(struct acks *);

#endif
