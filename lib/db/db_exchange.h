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
};

/* A job ends here; called by db_event.c right after its audit row. */
int db_exchange_begin(struct db *, const char *job_id);

/* Open rows that are due, whose job's end is in the chain. */
int db_exchange_due(struct db *, struct arena *, int64_t limit,
    struct db_exchange **rows, size_t *n);
/* ERR_NOT_FOUND when the job has not ended here under that run. */
int db_exchange_get(struct db *, struct arena *, const char *job_id,
    int64_t run, const char *peer_id, struct db_exchange **out);
/* Those older than a week are given up; *n is how many. */
int db_exchange_expire(struct db *, int64_t *n);
/* All of them, for an export. */
int db_exchange_list(
    struct db *, struct arena *, struct db_exchange **rows, size_t *n);

/*
 * Each is written once and kept: what is there already stays.  The texts are
 * those of x; what is "" or 0 is not written.  The row is due at once when
 * something came from the other site.
 */
int db_exchange_put_own(struct db *, const struct db_exchange *x);
int db_exchange_put_peer(struct db *, const struct db_exchange *x);

/* It was asked: the next try is after so many ms unless an answer comes. */
int db_exchange_asked(struct db *, const struct db_exchange *, int64_t ms);
/*
 * It has heard so much; the row is closed when nothing is missing.  error is
 * what it said last, "" for nothing.
 */
int db_exchange_told(
    struct db *, const struct db_exchange *, int64_t told, const char *error);

#endif
