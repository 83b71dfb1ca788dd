/*
 * Party commands with what belongs to them of the contract: a partner's fcgi-app
 * takes signatures in with the rows they are about, in one transaction.
 */
#ifndef LIB_PARTY_PARTY_CONTRACT_H
#define LIB_PARTY_PARTY_CONTRACT_H

#include "lib/db/db_contract.h"
#include "lib/party/party.h"

/* Signatures that came with a command. */
struct party_offer {
	struct db_signature *signatures;
	size_t n;
};

/*
 * party_job_create() of a job that its initiator has signed: ERR_DENIED when
 * it has not.  The member's own signature is due then.
 */
int party_contract_create(struct db *, const struct party_caller *,
    const struct party_member *, const struct db_job_new *,
    const struct party_offer *, enum permit_kind *refused, bool *effective);
/* The same for party_job_reopen(), of all members that are here. */
int party_contract_reopen(struct db *, const struct party_caller *,
    const struct party_member *, const struct db_job_new *,
    const struct party_offer *, enum permit_kind *refused, bool *effective);
/*
 * party_job_start() with the signatures of all members, and party_task_start()
 * of these tasks of the member: all of it, or nothing.
 */
int party_contract_start(struct db *, const struct party_caller *,
    const struct party_member *, const struct party_offer *,
    const struct db_task_key *tasks, size_t n, bool *effective);

/*
 * party_resource_apply(), and if the member has signed by now
 * party_contract_start() with it, in one step: all other members hold theirs.
 */
struct party_begin {
	struct party_offer offer;
	const struct db_task_key *tasks;
	size_t n;
	int64_t reservation_ms;
};
int party_contract_begin(struct db *, const struct party_caller *,
    const struct party_member *, const struct party_begin *, struct wait *why,
    bool *started, bool *effective);

#endif
