/*
 * Errands: what a user's request wants of other members, asked by a
 * supervisor while fcgi-app waits.  fcgi-app/errand.h is how handlers use
 * them, lib/party/errand.h is what members are asked.
 */
#ifndef LIB_DB_DB_ERRAND_H
#define LIB_DB_DB_ERRAND_H

#include "lib/db/db.h"

struct db_errand {
	const char *errand_id; /* 32 hex digits */
	const char *kind;
	const char *state;   /* waiting, running, done, expired */
	bool persistent;     /* silent members are asked until the deadline */
	const char *calls;   /* JSON, see sql/ */
	const char *replies; /* JSON so far, may be NULL */
	int64_t fence;
	int64_t tries;
	int64_t deadline_ms;	/* from now; negative: over */
	const char *request_id; /* the user's that it is for, or "" */
};

/* Insert one that may be begun within deadline_ms from now. */
int db_errand_add(struct db *, const struct db_errand *);
/* ERR_NOT_FOUND when there is none (any more). */
int db_errand_get(
    struct db *, struct arena *, const char *errand_id, struct db_errand **out);
/*
 * Nobody waits for it any more: one that was not begun will not be.
 * *effective (may be NULL) tells; false when it runs or has ended.
 */
int db_errand_give_up(struct db *, const char *errand_id, bool *effective);

/* --- supervisors --- */

/*
 * Lease up to limit errands that are due and that nobody holds, oldest first;
 * those whose lease ran out are due again.
 */
int db_errand_claim(struct db *, struct arena *, const char *owner,
    int64_t lease_ms, int64_t limit, struct db_errand **rows, size_t *n);
/* All replies are there.  ERR_CONFLICT when the lease is another's by now. */
int db_errand_done(
    struct db *, const char *errand_id, int64_t fence, const char *replies);
/* Some members were silent: once more in delay_ms.  ERR_CONFLICT as above. */
int db_errand_again(struct db *, const char *errand_id, int64_t fence,
    const char *replies, int64_t delay_ms);
/* The leases of dead supervisors end: see db_job_take_over(). */
int db_errand_take_over(struct db *, const char *prefix, const char *owner);
/*
 * Those whose deadline has passed and that nobody holds become expired; those
 * that ended age_ms ago are deleted.  The counts may be NULL.
 */
int db_errand_collect(
    struct db *, int64_t age_ms, int64_t *expired, int64_t *deleted);

#endif
