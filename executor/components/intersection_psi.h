/*
 * Private set intersection between the guest and one host.
 *
 *   guest -> host   id_ciphertext_exchange_g2h   hash(x)^a, random order
 *   host -> guest   id_ciphertext_exchange_h2g   hash(y)^b, random order
 *   host -> guest   doubly_encrypted_id          digests of hash(x)^ab
 *   guest -> host   intersect_ids                places in the host's list
 *
 * The guest digests hash(y)^ab itself and joins.  It learns which of its ids
 * the host has, both learn the sizes; with sync the host learns the
 * intersection too, from places in its own list: no id crosses in any form.
 * When only the cardinality is wanted the host replies in random order, so
 * the guest cannot tell which of its ids were met.  Parties are expected to
 * follow the protocol (semi-honest); whatever they send is checked.
 */
#ifndef EXECUTOR_COMPONENTS_INTERSECTION_PSI_H
#define EXECUTOR_COMPONENTS_INTERSECTION_PSI_H

#include <stdbool.h>
#include <stdint.h>

#include "executor/components/intersection_ids.h"
#include "executor/parallel.h"
#include "executor/task.h"

struct psi_conf {
	const char *salt;
	bool sync_ids; /* the host learns the result */
	bool cardinality_only;
	bool sync_cardinality;
	/* Of no matter to the protocol, but both must mean the same. */
	bool by_match;
	bool left_join;
	bool host_owns_ids;
	bool new_ids;
	const char *cache_id; /* "" without a cache */
};

/* The ids of a member and what they are worked on with. */
struct psi_input {
	struct table *table;
	struct psi_ids ids;
	struct parallel *pool;
};

#define PSI_NO_MATCH UINT32_MAX

/*
 * The guest's half with host number host up to the join.  match has one
 * entry per id: its place in the host's list or PSI_NO_MATCH (all of them
 * when only the cardinality is wanted).
 * Errors: ERR_FORMAT, ERR_LIMIT and ERR_CONFLICT for what the host sent,
 * those of tables and tasks.
 */
int psi_guest(struct task *, const struct psi_input *, const struct psi_conf *,
    size_t host, uint32_t *match, uint64_t *common);
/* Tell a host the n places that are common, in the order of our ids. */
int psi_guest_tell(struct task *, const struct psi_conf *, size_t host,
    const uint32_t *places, uint64_t n);
/* Tell a host how many are common. */
int psi_guest_tell_count(
    struct task *, const struct psi_conf *, size_t host, uint64_t n);

/*
 * The host's half.  With sync, *ids is a malloc()ed list of our ids in
 * common, in the guest's order; otherwise NULL.  *known tells whether
 * *common is known.
 */
int psi_host(struct task *, const struct psi_input *, const struct psi_conf *,
    uint32_t **ids, uint64_t *common, bool *known);

#endif
