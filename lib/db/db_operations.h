/*
 * How the site is: the supervisors that run, partners that answer, numbers
 * for the monitoring.
 */
#ifndef LIB_DB_DB_OPERATIONS_H
#define LIB_DB_DB_OPERATIONS_H

#include "lib/db/db.h"

/* --- supervisors -------------------------------------------------------------- */

struct db_supervisor {
	const char *instance; /* host:home */
	const char *host;
	const char *address; /* for the other hosts; "" */
	const char *place;   /* lib/base/proc.h */
	int64_t age_ms;	     /* of its last sign of life */
	int64_t started_ms;
	int64_t started_ago_ms;
	const char *metrics; /* text of lib/base/metrics.h */
};

/* It runs, and this is what it counts; is_start: it began now.  No times. */
int db_supervisor_beat(
    struct db *, const struct db_supervisor *, bool is_start);
/* It ends in good order. */
int db_supervisor_gone(struct db *, const char *instance);
/* Without the text unless with_metrics (then it is ""). */
int db_supervisor_list(struct db *, struct arena *, bool with_metrics,
    struct db_supervisor **rows, size_t *n);
/*
 * For how long one that gave a sign of life in the last age_ms has run; the
 * longest; 0: there is none.
 */
int db_supervisor_ran_ms(struct db *, int64_t age_ms, int64_t *ms);
/* Forget those that gave no sign of life for age_ms. */
int db_supervisor_purge(struct db *, int64_t age_ms);

/* --- partners ----------------------------------------------------------------- */

struct db_partner_state {
	const char *party_id;
	bool answers;
	int64_t since_ms;
	int64_t checked_ms;
	int64_t since_ago_ms;
	int64_t checked_ago_ms;
	const char *reason; /* may be NULL */
};

/* since changes only when answers does. */
int db_partner_state_put(
    struct db *, const char *party_id, bool answers, const char *reason);
int db_partner_state_list(
    struct db *, struct arena *, struct db_partner_state **rows, size_t *n);
/* Of those that are enabled the ones that do not answer. */
int db_partner_state_silent(
    struct db *, struct arena *, struct db_partner_state **rows, size_t *n);

/*
 * The partner refuses to hear this site: from now on, or, when it is not known
 * here that it heard it in between, since when it was first seen to.
 */
int db_partner_refuses(struct db *, const char *party_id, bool from_now);
/* It does not. */
int db_partner_hears(struct db *, const char *party_id);
/* For how long it has refused; 0: it does not. */
int db_partner_refused_ms(struct db *, const char *party_id, int64_t *ms);

/* --- numbers ------------------------------------------------------------------- */

struct db_count {
	const char *name;
	int64_t n;
};

/* Jobs by state. */
int db_count_jobs(struct db *, struct arena *, struct db_count **, size_t *n);
/* Jobs that wait, by the code of their reason. */
int db_count_waits(struct db *, struct arena *, struct db_count **, size_t *n);
/* Tasks of this site that have not ended, by state. */
int db_count_tasks(struct db *, struct arena *, struct db_count **, size_t *n);
/*
 * "oldest" (age of the oldest waiting job initiated here, ms), "reports",
 * "launches", "errands", "audit", "heartbeat", "progress" (ages in ms of the
 * oldest sign of life and of progress over the open attempts).
 */
int db_count_rest(struct db *, struct arena *, struct db_count **, size_t *n);
/* What jobs of each partner have stored, see db_quota.h. */
int db_count_stored(struct db *, struct arena *, struct db_count **, size_t *n);
/*
 * 1 for each partner that was ever asked something and can prove who it is, 0
 * for those that cannot; see db_partner_key_lack().
 */
int db_count_trusted(
    struct db *, struct arena *, struct db_count **, size_t *n);
/* Bytes of the egress ledger by party behind *after, which moves on. */
int db_count_egress(
    struct db *, struct arena *, int64_t *after, struct db_count **, size_t *n);
/* Where the ledger ended some seconds ago; after when nothing is behind it. */
int db_egress_end(struct db *, int64_t after, int64_t *id);

#endif
