/*
 * A person's say in a partner's job: what rules demand it, the decision, and
 * what follows.  Until all of a member's demands are approved nothing is
 * reserved, counted or signed for it.
 */
#ifndef LIB_PARTY_APPROVAL_H
#define LIB_PARTY_APPROVAL_H

#include "lib/conf/site_conf.h"
#include "lib/db/db_approval.h"
#include "lib/db/db_job.h"
#include "lib/party/permit.h"
#include "lib/sign/keys.h"

#define APPROVAL_ADMIN "admin" /* as who decides: any admin */
#define APPROVAL_WITHIN_MAX_S (366 * INT64_C(86400))

/*
 * Is that somebody who can decide: APPROVAL_ADMIN, or a user or key of this
 * site?  Where a service knows its users (site.conf, [hooks]) any name is.
 * ERR_INVALID with who was meant.
 */
int approval_name(
    struct db *, struct arena *, const struct site_conf *, const char *name);

/* "48h", "30m", "90s", "7d" in seconds.  ERR_INVALID. */
int approval_within(const char *text, int64_t *seconds);

/*
 * Ask for what the rules demand of a member of job j, in the caller's
 * transaction: the member waits, and the job's row says for whom until when.
 */
int approval_ask(struct db *, const struct db_job_new *, const char *role,
    const char *party_id, const struct permit_demands *);

/*
 * ERR_PENDING while somebody has to approve, with what for, by whom and until
 * when; ERR_DENIED when it was rejected or not decided in time.
 */
int approval_check(struct db *, const char *job_id, int64_t revision,
    const char *role, const char *party_id);

/* Who decides what. */
struct approval_decision {
	const char *job_id;
	const char *role; /* NULL: of all members here */
	const char *party_id;
	bool approve;
	const char *by;
	bool is_admin;
	const char *note; /* "" for none */
};

/*
 * Decide what is undecided and the caller may decide; *n is how many.  When
 * nothing of a member is left to be decided it is signed for (uses are
 * counted now: ERR_DENIED when none is left, and nothing is decided); a
 * rejection ends the job.
 * Errors: ERR_NOT_FOUND when nothing waits for a decision, ERR_DENIED when
 * all of it is others' to decide.
 */
int approval_decide(struct db *, const struct approval_decision *, size_t *n);

/* The site's signature under what was decided about a member. */
int approval_sign(struct db *, struct arena *, const struct keys *,
    const struct db_job *, const char *role, const char *party_id);

/* Whose time is over is refused; called by the supervisor. */
int approval_expire(struct db *);

#endif
