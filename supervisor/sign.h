/*
 * The site's signature under contracts: for its own jobs when they begin, for
 * partners' jobs as soon as fcgi-app has taken them in.  What is to be done
 * stands in the rows (db_contract.h).
 */
#ifndef SUPERVISOR_SIGN_H
#define SUPERVISOR_SIGN_H

#include <stddef.h>

#include "supervisor/supervisor.h"

struct signer;
struct snapshot;

struct signer *signer_new(struct supervisor *);
void signer_free(struct signer *); /* NULL is fine */

/* Sign, and tell initiators what they wait for. */
void sign_look(struct signer *);

/*
 * Sign for an own member of a job that was initiated here, in the caller's
 * transaction.  Errors: ERR_INVALID when the contract was changed, ERR_DB.
 */
int sign_own(struct supervisor *, const struct snapshot *, size_t member);

#endif
