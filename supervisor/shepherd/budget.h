/*
 * How much a task may still send to other sites: its contract's egress budget,
 * which its initiator chose, or what this site allows at most, less what the
 * ledger says has left.
 */
#ifndef SUPERVISOR_SHEPHERD_BUDGET_H
#define SUPERVISOR_SHEPHERD_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/db/db.h"
#include "supervisor/shepherd/subject.h"

/* Content and tags count: a tag is as good a place for a secret. */
struct budget {
	const char *module; /* borrowed from the subject */
	const char *component;
	int64_t limit;
	bool is_site; /* it is this site's, smaller than the contract's */
	int64_t used;
};

/*
 * That of a complete subject; what an earlier attempt at the same version of
 * the task has sent is gone from it.  A task whose contract is of a form
 * without budgets has the default one; one that the contract does not know
 * may send nothing.  Errors: ERR_DB.
 */
int budget_open(struct db *, const struct site_conf *, const struct subject *,
    struct budget *out);
/*
 * Before anything of an object leaves; it is spent once, however often the
 * object is sent again.  ERR_DENIED, with component, bytes and budget in
 * words, when it is more than is left: nothing is spent then.
 */
int budget_spend(struct budget *, const char *name, uint64_t bytes);

#endif
