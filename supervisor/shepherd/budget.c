/*
 * Egress budgets.  Called by the courier.
 */
#include "supervisor/shepherd/budget.h"

#include "lib/base/err.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_audit.h"
#include "lib/model/contract.h"

#define MB (INT64_C(1) << 20)
#define FORM_WITH_BUDGETS 2

int
budget_open(struct db *db, const struct site_conf *conf,
    const struct subject *s, struct budget *out)
{
	const struct db_task_key *key = subject_key(s);

	out->module = s->module->name;
	out->component = key->component;
	if (contract_egress(s->contract, key->component, key->role,
		key->party_id, &out->limit) != 0) {
		err_clear();
		out->limit =
		    json_get_int(s->contract, "form", 1) < FORM_WITH_BUDGETS
			? CONTRACT_EGRESS_MB * MB
			: 0;
	}
	out->is_site =
	    conf->max_egress_mb != 0 && conf->max_egress_mb * MB < out->limit;
	if (out->is_site)
		out->limit = conf->max_egress_mb * MB;
	/* The first attempt at a version has sent nothing before. */
	out->used = 0;
	return s->attempt->fence == 1
		   ? 0
		   : db_egress_task_bytes(db, key, &out->used);
}

int
budget_spend(struct budget *b, const char *name, uint64_t bytes)
{
	uint64_t left = b->used < b->limit ? (uint64_t)(b->limit - b->used) : 0;

	if (bytes > left)
		return err_set(ERR_DENIED,
		    "%.100s of component %.100s was stopped by its egress "
		    "budget: %lld bytes have left, %llu more (%.150s) would "
		    "exceed the %lld bytes that %s it",
		    b->module, b->component, (long long)b->used,
		    (unsigned long long)bytes, name, (long long)b->limit,
		    b->is_site ? "this site ([executor] max_egress_mb) allows"
			       : "the job's contract allows");
	b->used += (int64_t)bytes;
	return 0;
}
