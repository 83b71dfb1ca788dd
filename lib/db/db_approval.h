/*
 * Decisions of people about members of this site.
 */
#ifndef LIB_DB_DB_APPROVAL_H
#define LIB_DB_DB_APPROVAL_H

#include "lib/db/db.h"

#define DB_APPROVED "approved"
#define DB_REJECTED "rejected"
#define DB_EXPIRED "expired"

struct db_approval {
	const char *job_id;
	int64_t revision;
	const char *role;
	const char *party_id;
	int64_t permission_id;
	const char *subject;
	const char *approval_by;
	int64_t created_ms;
	int64_t deadline_ms;
	const char *decision; /* "" while nobody has decided */
	const char *decided_by;
	int64_t decided_s; /* since the epoch */
	const char *note;  /* may be NULL */
	const char *key_id;
	const char *signature; /* hex, "" until the supervisor has signed */
	const char *initiator_party;
	bool is_open; /* the job waits, and with this revision */
};

/* Ask for one, within within_s from now; one that is there stays as it is. */
int db_approval_ask(struct db *, const struct db_approval *, int64_t within_s);

/* NULL and false do not filter; newest jobs first. */
int db_approval_list(struct db *, struct arena *, const char *job_id,
    bool undecided, int64_t limit, struct db_approval **rows, size_t *n);
/* Of one member's revision; locks them in the caller's transaction. */
int db_approval_of_member(struct db *, struct arena *, const char *job_id,
    int64_t revision, const char *role, const char *party_id,
    struct db_approval **rows, size_t *n);
/* Members whose time is over with something undecided. */
int db_approval_overdue(struct db *, struct arena *, int64_t limit,
    struct db_approval **rows, size_t *n);

/* A decision with the contract it was about; see struct db_signed. */
struct db_decided {
	struct db_approval a;
	const char *hash;
	const char *text_hash;
};
/* Decided ones behind one (NULL: from the first on), by job. */
int db_approval_walk(struct db *, struct arena *,
    const struct db_decided *after, int64_t limit, struct db_decided **rows,
    size_t *n);

/*
 * Write a decision about what is undecided; ERR_CONFLICT when it is not any
 * more.  Who and when come with the row.
 */
int db_approval_decide(struct db *, const struct db_approval *);
int db_approval_sign(struct db *, const struct db_approval *);

#endif
