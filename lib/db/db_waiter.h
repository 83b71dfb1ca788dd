/*
 * Initiators, this site among them, whose jobs were refused resources here:
 * who is to be told when some become free.  At most two rows for each, one a
 * kind of refusal, whatever the number of its jobs.
 */
#ifndef LIB_DB_DB_WAITER_H
#define LIB_DB_DB_WAITER_H

#include "lib/db/db.h"
#include "lib/model/wait.h"

struct db_waiter {
	const char *party_id;
	const char *code; /* of lib/model/wait.h */
	const char *role; /* of the initiator, of its last refused job */
	/* what the smallest of its refused jobs asks for */
	int64_t cores;
	int64_t memory_mb;
	bool told;
	bool lapsed;  /* told so long ago that it will not come */
	bool served;  /* told, and was granted something since */
	bool changed; /* quota: one of its jobs gave back since it asked */
};

/* Who was told has this long to ask before others are. */
#define DB_WAITER_OFFER_MS 1000

/* Does this kind of refusal end when others give back? */
bool db_waiter_has(enum wait_code);

/*
 * A member's job was refused.  One that is on the list keeps its place there;
 * one that was told meanwhile goes behind all others.
 */
int db_waiter_add(struct db *, const char *job_id, const char *role,
    const char *party_id, enum wait_code);

/* Those who asked first are first; at most limit. */
int db_waiter_list(struct db *, struct arena *, int64_t limit,
    struct db_waiter **rows, size_t *n);

/* It is told now; *mine is false when another supervisor does. */
int db_waiter_tell(struct db *, const struct db_waiter *, bool *mine);

/* Forget who was told and did not come. */
int db_waiter_forget(struct db *);

#endif
