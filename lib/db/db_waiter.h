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
	bool lapsed;   /* told so long ago that it will not come */
	bool served;   /* holds something that it was granted since it asked */
	bool changed;  /* quota: one of its jobs gave back since it asked */
	bool is_aged;  /* has waited DB_WAITER_AGED_MS */
	bool is_alive; /* was refused, or granted first, lately */
	bool was_granted; /* since it asked, and started nothing */
	bool is_idle;	  /* the same, and was not refused again */
	bool is_mine;	  /* of the initiator of the job in question */
};

/* Who was told has this long to ask before others are. */
#define DB_WAITER_OFFER_MS 1000
/* Having waited longer, an initiator is not passed by any other. */
#define DB_WAITER_AGED_MS 60000
/*
 * Nothing is kept any longer for one that did not ask for so long (the first
 * of its queue asks every five seconds), or that was granted something so
 * long ago and still started nothing.
 */
#define DB_WAITER_KEEP_MS 30000

/* Does this kind of refusal end when others give back? */
bool db_waiter_has(enum wait_code);

/*
 * A member's job was refused.  Who is on the list keeps its place there until
 * one of its jobs starts; one that was granted DB_WAITER_KEEP_MS ago and
 * started nothing goes behind all others.
 */
int db_waiter_add(struct db *, const char *job_id, const char *role,
    const char *party_id, enum wait_code);
/* It was granted something, and has its turn. */
int db_waiter_granted(struct db *, const char *party_id);
/* A job started: its initiator is not on the list any more. */
int db_waiter_started(struct db *, const char *job_id);

/*
 * Those who asked first are first; at most limit.  job_id (may be "") says
 * whose row is_mine.
 */
int db_waiter_list(struct db *, struct arena *, const char *job_id,
    int64_t limit, struct db_waiter **rows, size_t *n);

/* What is free; less what is kept it may be less than nothing. */
struct db_budget {
	int64_t cores, memory_mb;
};

/*
 * Is something of b kept for w, which asked before?  Either an offer it was
 * told of, or what it needs and is free, or it waits for so long that nobody
 * passes it.  aged is whether who asks has waited so long, too: that one need
 * not stand behind one whose grants came to nothing, as they would when each
 * is first at another site.
 */
bool db_waiter_keeps(
    const struct db_waiter *w, const struct db_budget *b, bool aged);

/*
 * What of the free is kept for other initiators than that of a job that asks:
 * *mine is its own row, or NULL.
 */
int db_waiter_kept(struct db *, struct arena *, const char *job_id,
    const struct db_budget *have, struct db_budget *kept,
    const struct db_waiter **mine);

/* It is told now; *mine is false when another supervisor does. */
int db_waiter_tell(struct db *, const struct db_waiter *, bool *mine);

/*
 * Forget who was told and did not come, and who was granted something and did
 * not ask again.  Who has waited for long and asks is to be told again.
 */
int db_waiter_forget(struct db *);

#endif
