/*
 * The chain over audit rows: which rows have no link yet, adding links,
 * walking along them.  lib/audit/record.h says what a link's hash is.
 */
#ifndef LIB_DB_DB_AUDIT_CHAIN_H
#define LIB_DB_DB_AUDIT_CHAIN_H

#include <stdbool.h>

#include "lib/audit/record.h"
#include "lib/db/db.h"

struct db_audit_row {
	int64_t audit_id;
	struct audit_record rec; /* prev is not filled */
	bool is_there;		 /* false: a link without its row */
};

/* Rows behind an id that have no link, in order of their ids. */
int db_audit_unlinked(struct db *, struct arena *, int64_t after_id,
    int64_t limit, struct db_audit_row **rows, size_t *n);
/* How many rows there are behind an id, and the last one's id (or after_id). */
int db_audit_tail(struct db *, int64_t after_id, int64_t *n, int64_t *last_id);
/*
 * How many rows between these two ages have no link, and the first one's id
 * (0: none).
 */
int db_audit_overdue(struct db *, int64_t age_ms, int64_t until_age_ms,
    int64_t *n, int64_t *first_id);

/* The newest link, or the checkpoint behind which there is none yet. */
int db_audit_head(struct db *, int64_t *seq, uint8_t hash[DIGEST_SIZE]);
/*
 * Link rows, all or none.  ERR_EXISTS when somebody else has linked one of
 * them, or has given one of the numbers.
 */
int db_audit_link(struct db *, const struct db_audit_row *, size_t n);
/* Links behind a seq with their rows, in order. */
int db_audit_walk(struct db *, struct arena *, int64_t after_seq, int64_t limit,
    struct db_audit_row **rows, size_t *n);

/* Where the chain begins; seq 0 when nothing was ever removed. */
struct db_audit_checkpoint {
	int64_t seq;
	uint8_t hash[DIGEST_SIZE];
	uint8_t signature[64];
	int64_t at_ms;
};
int db_audit_checkpoint(struct db *, struct db_audit_checkpoint *out);
/*
 * The last link of the oldest limit ones whose records are all older than
 * that; seq 0 when there is none.
 */
int db_audit_prunable(struct db *, int64_t before_ms, int64_t limit,
    struct db_audit_checkpoint *out);
/*
 * Remove records and links up to c->seq and keep c, which the caller signed,
 * in one transaction.  ERR_CONFLICT when the chain does not have that hash
 * there.  Needs rights that no program's account has but the operator's.
 */
int db_audit_prune(struct db *, const struct db_audit_checkpoint *c);

#endif
