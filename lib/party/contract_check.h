/*
 * Is this site about to run what all members signed?  Every shepherd asks
 * before its executor starts, with the very rows that it will use.
 */
#ifndef LIB_PARTY_CONTRACT_CHECK_H
#define LIB_PARTY_CONTRACT_CHECK_H

#include "lib/db/db_contract.h"
#include "lib/db/db_task.h"
#include "lib/json/json.h"
#include "lib/provider/manifest.h"

struct contract_use {
	const struct db_job *job; /* complete */
	const struct db_task *task;
	const struct db_party *party; /* the member */
	const struct provider *provider;
	struct json_object *contract; /* job->contract, parsed */
	const uint8_t *own_key;	      /* this site's public key */
	int64_t now_ms;
};

/*
 * The contract's text against its hash; the rows (documents, members, the
 * task's parameters and provider, the member's job parameters) and the files
 * of the provider against the contract; its time and runs; a good signature
 * of every member, of whom this one must be one.
 * Errors: ERR_DENIED with what differs, by its place and both values.
 */
int contract_check(struct db *, const struct contract_use *);

/* The part that needs no database: everything but the signatures. */
int contract_check_rows(const struct contract_use *);

/*
 * May another run begin, now?  ERR_DENIED when the contract's runs are used
 * up or its time is over (or has not come).
 */
int contract_check_run(
    struct json_object *contract, int64_t run, int64_t now_ms);

#endif
