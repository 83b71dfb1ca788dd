/*
 * What two sites tell each other about their audit chains when jobs of both
 * have ended: of each job its head, signed, and then that it has seen the
 * other's.
 *
 *   {"heads": [{"job_id", "run", "head": {"seq", "hash", "signature"},
 *     "seen": hex}, …]}
 *
 * head and seen are left out as long as there is none.  The same is asked
 * (errand AUDIT_HEAD) and answered, in the same order; whatever comes first.
 * An answer may have "error" instead: why that one was not taken.  Signatures
 * are made by the supervisor and checked by whoever receives them
 * (lib/audit/head.h).
 */
#ifndef LIB_PARTY_AUDIT_HEAD_H
#define LIB_PARTY_AUDIT_HEAD_H

#include "lib/db/db_exchange.h"
#include "lib/party/errand.h"

#define AUDIT_HEAD "audit-head"

#define AUDIT_HEADS_MAX 32 /* in one errand */

/* What this site has to say (of rows with an error, that); the caller's. */
struct json_object *audit_heads_tell(const struct db_exchange *, size_t n);
/*
 * Keep what the other site said of these rows, which may be nothing: its heads
 * and, where ours was told, that it has seen it.  What is kept is recorded in
 * our chain.  A row's error is set, and told to 0, when the other site has not
 * taken what we said of it; its error alone when it said nothing right:
 * something is not signed by it, or it told another head before.
 * Errors: ERR_INVALID (said is malformed, nothing is kept), ERR_DB.
 */
int audit_heads_take(struct db *, struct arena *, const char *own_party,
    const char *peer_id, struct db_exchange *rows, size_t n,
    struct json_object *said);

/* The errand. */
errand_fn audit_heads_errand;

#endif
