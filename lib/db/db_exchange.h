/*
 * Heads of audit chains exchanged with other sites at the end of jobs: one row
 * for each run of a job and other site, made with the job's end.
 */
#ifndef LIB_DB_DB_EXCHANGE_H
#define LIB_DB_DB_EXCHANGE_H

#include <stdbool.h>

#include "lib/db/db.h"

/* A signed head; hash and signatures in hex.  seq 0: not known yet. */
struct db_exchange_head {
	int64_t seq;
	const char *hash;
	const char *sign; /* its site's */
	const char *seen; /* the other's; NULL: not said yet */
};

struct db_exchange {
	const char *job_id;
	int64_t run;
	const char *peer_id;   /* the other site */
	const char *peer_role; /* one of its roles in the job */
	struct db_exchange_head own, peer;
	int64_t told; /* what it has heard: 1 our head, 2 all of it */
	int64_t tries;
	bool is_open;
	/* Not read from the row. */
	int64_t pause_ms;  /* until the next try, unless an answer comes */
	const char *error; /* what it said last; NULL: nothing */
};

/* A job ends here; called by db_event.c right after its audit row. */
int db_exchange_begin(struct db *, const char *job_id);

/* Open rows that are due, whose job's end is in the chain. */
int db_exchange_due(struct db *, struct arena *, int64_t limit,
    struct db_exchange **rows, size_t *n);
/*
 * Those of some jobs and runs (the keys) with one other site, which may be
 * fewer: a job that has not ended here under that run has none.
 */
int db_exchange_some(struct db *, struct arena *, const char *peer_id,
    const struct db_exchange *keys, size_t nkeys, bool lock,
    struct db_exchange **rows, size_t *n);
/* Those older than a week are given up; *n is how many. */
int db_exchange_expire(struct db *, int64_t *n);
/* All of them, for an export. */
int db_exchange_list(
    struct db *, struct arena *, struct db_exchange **rows, size_t *n);

/*
 * Several rows in one statement each.  A head and a countersignature are
 * written once and kept: what is there already stays, and what is 0 or NULL is
 * not written.
 *
 * What this site says, and that it is about to say it: own head, peer.seen,
 * one try more, the next one after pause_ms.
 */
int db_exchange_put_own(
    struct db *, const char *peer_id, const struct db_exchange *rows, size_t n);
/* What the other one said: its head, own.seen.  They are due at once. */
int db_exchange_put_peer(
    struct db *, const char *peer_id, const struct db_exchange *rows, size_t n);
/*
 * It has heard so much (told), and said what was wrong (error).  A row is
 * closed when nothing is missing.
 */
int db_exchange_told(
    struct db *, const char *peer_id, const struct db_exchange *rows, size_t n);

#endif
