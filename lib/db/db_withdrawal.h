/*
 * Partners that were withdrawn, as long as jobs from before that are shared
 * with them and have not ended.  Used by lib/party/withdraw.h.
 */
#ifndef LIB_DB_DB_WITHDRAWAL_H
#define LIB_DB_DB_WITHDRAWAL_H

#include "lib/db/db.h"

struct db_withdrawal {
	const char *party_id;
	const char *kind; /* at most 10 bytes */
};

/* From now on; one of that party before is part of it. */
int db_withdrawal_put(struct db *, const struct db_withdrawal *);
/* Held until the transaction ends; ERR_NOT_FOUND when nothing is left. */
int db_withdrawal_lock(
    struct db *, struct arena *, const char *party_id, struct db_withdrawal **);
/* Nothing is left of it. */
int db_withdrawal_done(struct db *, const char *party_id);
/* Those that nobody finished within so long. */
int db_withdrawal_list(struct db *, struct arena *, int64_t age_ms,
    struct db_withdrawal **rows, size_t *n);

struct db_withdrawn {
	const char *job_id;
	const char *role;
	const char *party_id;
};
/*
 * Members here of jobs that the party initiated before, that have not ended:
 * all members of at most so many jobs.
 */
int db_withdrawn_theirs(struct db *, struct arena *, const char *party_id,
    int64_t jobs, struct db_withdrawn **rows, size_t *n);
/* That party as a member of jobs that began here and that nobody ends yet. */
int db_withdrawn_ours(struct db *, struct arena *, const char *party_id,
    int64_t jobs, struct db_withdrawn **rows, size_t *n);

#endif
