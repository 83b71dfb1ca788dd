/*
 * What would be decided about a member of a job, wish by wish, as JSON: for
 * this site's own users, and for the partner that would initiate the job.
 */
#ifndef LIB_PARTY_EXPLAIN_H
#define LIB_PARTY_EXPLAIN_H

#include "lib/party/errand.h"

#define PERMIT_EXPLAIN "permit-explain"
/* Of a job that is asked about and is not there: before all that are. */
#define EXPLAIN_JOB_ID "20000101000000000000000"

/*
 * The decisions of this site about the member m of a job that is not here,
 * nothing changed: {"allowed": all of them, "decisions": [{"kind", "subject",
 * "detail", "component", "allowed", "rule", "why", "grant",
 * "approval": {"by", "within_s"}}, …], "grants": [the operator's commands that
 * would allow what is refused]}, where what is empty is left out.  When
 * the rules allow all of it, a service (NULL: none) is asked, whose answer is
 * a decision of kind "service", its words in "why"; then cores and tables are
 * looked for.  Of tables a partner hears nothing while a person has to approve
 * the job.
 * Ownership: *out is the caller's.  Errors: ERR_DB, ERR_FORMAT.
 */
int explain_member(struct db *, struct arena *, const struct party_member *m,
    const struct db_job_new *, const struct permit_service *, bool to_partner,
    struct json_object **out);

/* What a partner's site is asked about its member m; the caller's. */
struct json_object *explain_body(
    const struct party_member *m, const struct db_job_new *);

/*
 * The same of the caller's own job: it is told what a refusal would tell it.
 * Body: src_role, tasks: [{"component", "module", "parameters"}, …].
 * Data: that of explain_member().  Errors: ERR_INVALID, ERR_DB.
 */
errand_fn explain_errand;

#endif
