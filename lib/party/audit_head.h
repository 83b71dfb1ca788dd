/*
 * What two sites tell each other about their audit chains when a job of both
 * has ended: each its head, signed, and then that it has seen the other's.
 *
 *   {"job_id", "run", "head": {"seq", "hash", "signature"}, "seen": hex}
 *
 * head and seen are left out as long as there is none.  The same is asked
 * (errand AUDIT_HEAD) and answered; whatever comes first.  Signatures are made
 * by the supervisor and checked by whoever receives them (lib/audit/head.h).
 */
#ifndef LIB_PARTY_AUDIT_HEAD_H
#define LIB_PARTY_AUDIT_HEAD_H

#include "lib/db/db_exchange.h"
#include "lib/party/errand.h"

#define AUDIT_HEAD "audit-head"

/* What this site has to say; the caller's. */
struct json_object *audit_head_tell(const struct db_exchange *);
/*
 * Keep what the other site said, which may be nothing: its head and, when
 * ours was told, that it has seen it.  What is kept is recorded in our chain.
 * Errors: ERR_AUTH when something is not signed by it, ERR_CONFLICT when it
 * told another head before, ERR_FORMAT, ERR_INVALID.
 */
int audit_head_take(struct db *, struct arena *, const char *own_party,
    const struct db_exchange *, struct json_object *said);

/* The errand: ERR_BUSY while the job has not ended here. */
errand_fn audit_head_errand;

#endif
