/*
 * What a revocation leaves: other rules may allow the same, by a wildcard or
 * for some of those it was about.  Told by the CLI and the API to who revokes.
 */
#ifndef LIB_PARTY_PERMIT_STILL_H
#define LIB_PARTY_PERMIT_STILL_H

#include "lib/db/db_permission.h"

/*
 * The rules that allow, now or later, something of what these leaves are
 * about; bounds of parameters allow nothing and are passed over.
 */
int permit_still(struct db *, struct arena *, const struct db_leaf *gone,
    size_t n_gone, struct db_permission **rows, size_t *n);

#endif
