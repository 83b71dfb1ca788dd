/*
 * Signatures of members under contracts, and what of it is to be done here.
 * A row is only inserted by who has verified it.
 */
#ifndef LIB_DB_DB_CONTRACT_H
#define LIB_DB_DB_CONTRACT_H

#include "lib/db/db_job.h"

#define DB_SIGNATURE_HEX_SIZE 129 /* 64 bytes in hex */

struct db_signature {
	const char *role;
	const char *party_id;
	const char *key_id;    /* see keys_id() */
	int64_t signed_s;      /* since the epoch, as signed */
	const char *signature; /* hex */
};

/*
 * Keep a signature and note at the member's row that this revision is signed.
 * One that is there already is replaced.
 */
int db_signature_put(struct db *, const char *job_id, int64_t revision,
    const struct db_signature *);
/* In the order of roles and parties. */
int db_signature_list(struct db *, struct arena *, const char *job_id,
    int64_t revision, struct db_signature **rows, size_t *n);
/* The same of the revision that the job has. */
int db_signature_list_now(struct db *, struct arena *, const char *job_id,
    struct db_signature **rows, size_t *n);
/* ERR_NOT_FOUND when the member has not signed the revision the job has. */
int db_signature_get(struct db *, struct arena *, const char *job_id,
    const char *role, const char *party_id, struct db_signature **out);

/* A signature with what it is about, for who checks all of them. */
struct db_signed {
	const char *job_id;
	int64_t revision;
	struct db_signature by;
	const char *hash; /* the contract's by the job's row, hex; NULL: the
			     job has another revision or is not there */
	const char *text_hash; /* SHA-256 of its text as it is, likewise */
};
/* Those behind one (NULL: from the first on), by job, revision, member. */
int db_signature_walk(struct db *, struct arena *,
    const struct db_signed *after, int64_t limit, struct db_signed **rows,
    size_t *n);

/* What is to be done about an own member's signature (job_party.sign_due). */
enum db_sign_due {
	DB_SIGN_NONE,
	DB_SIGN_DUE,	 /* to be made by the supervisor */
	DB_SIGN_ASKED,	 /* the same, and the initiator waits for it */
	DB_SIGN_TELL,	 /* made, the initiator waits for it */
	DB_SIGN_WAITS,	 /* a person has to approve first */
	DB_SIGN_REFUSED, /* will not be made, the initiator is to hear why */
	DB_SIGN_HEARD	 /* the same, and it has heard */
};

int db_sign_due_set(struct db *, const char *job_id, const char *role,
    const char *party_id, enum db_sign_due);
/* Only from one to another; *moved (may be NULL) tells whether it was. */
int db_sign_due_move(struct db *, const char *job_id, const char *role,
    const char *party_id, enum db_sign_due from, enum db_sign_due to,
    bool *moved);

struct db_sign_work {
	const char *job_id;
	const char *role;
	const char *party_id;
	int64_t due;	 /* enum db_sign_due */
	const char *why; /* of a refusal, may be NULL */
	const char *initiator_party;
};

/*
 * Own members for whom the supervisor has something to do; where these are too
 * many, of each initiator, and of each kind of work for it, equally many.
 */
int db_sign_due_list(struct db *, struct arena *, int64_t limit,
    struct db_sign_work **rows, size_t *n);
/* It will not be signed, for this reason. */
int db_sign_refuse(struct db *, const char *job_id, const char *role,
    const char *party_id, const char *why);

#endif
