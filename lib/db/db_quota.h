/*
 * How much of this site the jobs of one initiator may have: a row for a party
 * ("sluice quota"), or that of '*', which holds for every other partner and
 * comes from the configuration.  This site's own jobs have a quota only when
 * there is a row for this party.
 */
#ifndef LIB_DB_DB_QUOTA_H
#define LIB_DB_DB_QUOTA_H

#include "lib/db/db.h"
#include "lib/model/wait.h"

#define DB_QUOTA_PARTNERS "*"

/* 0: no limit. */
struct db_quota {
	const char *party_id;
	int64_t cores;
	int64_t running_jobs;
	int64_t waiting_jobs;
	int64_t stored_bytes; /* of documents, over all jobs there ever were */
};

int db_quota_put(struct db *, const struct db_quota *);
/* *removed (may be NULL): whether there was one. */
int db_quota_delete(struct db *, const char *party_id, bool *removed);
int db_quota_list(
    struct db *, struct arena *, struct db_quota **rows, size_t *n);

/*
 * May a job of this initiator have that many cores beside what its others
 * hold?  Called under the lock of the resource, so that two do not get the
 * same last core.
 * Errors: ERR_BUSY when not now (*why says how much is used), ERR_LIMIT when
 * it asks for more than the quota is; both with the numbers.
 */
int db_quota_check(struct db *, struct arena *, const char *job_id,
    int64_t cores, struct wait *why);

/*
 * May a job of this initiator ever have that many cores?  ERR_LIMIT when not,
 * with the numbers.
 */
int db_quota_check_ever(
    struct db *, const char *initiator_party, bool is_own, int64_t cores);

/*
 * May one more job of this initiator wait here?  is_own: of this site.  Where
 * there is room for thousands they are counted once a second.  It is asked
 * before the transaction that takes the job in, which locks nothing for it: as
 * many as there are request handlers may get in beyond the limit together.
 * Errors: ERR_BUSY (*why).
 */
int db_quota_check_waiting(
    struct db *, const char *initiator_party, bool is_own, struct wait *why);

/*
 * What jobs and deployments of a partner have stored here, in documents and
 * rows; bytes may be negative, when they are replaced by shorter ones.
 */
int db_quota_store(struct db *, const char *party_id, int64_t bytes);
/*
 * May a partner store that much more?
 * Errors: ERR_BUSY (*why), ERR_LIMIT when its quota is not even that large.
 */
int db_quota_check_stored(struct db *, struct arena *, const char *party_id,
    int64_t bytes, struct wait *why);

#endif
