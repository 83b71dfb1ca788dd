/*
 * What a site tells initiators whose jobs it refused resources: some are free
 * now.  It promises nothing; the first jobs that wait there ask again.
 *
 *   {}  ->  {"woken": how many}
 *
 * It may come twice, late, or not at all.
 */
#ifndef LIB_PARTY_RESOURCES_FREED_H
#define LIB_PARTY_RESOURCES_FREED_H

#include "lib/party/errand.h"

#define RESOURCES_FREED "resources-freed"

/* The errand, at the initiator: only jobs that wait for who calls are woken. */
errand_fn resources_freed_errand;

/*
 * The command apply to a member of this site ended with r: when that is a
 * refusal that passes, its initiator is to be told.  Not for use inside the
 * command's transaction.  Returns r; what goes wrong here is only logged.
 */
int resources_refused(
    struct db *, const struct party_member *, const struct wait *why, int r);

#endif
