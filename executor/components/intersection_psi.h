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

#include "executor/parallel.h"
#include "executor/task.h"

struct psi_conf {
	const char *salt;
	bool sync_ids; /* the host learns the result */
	bool cardinality_only;
	bool sync_cardinality;
};

#define PSI_NO_MATCH UINT32_MAX

/*
 * The guest's half with host number host up to the join.  match has one
 * entry per row of the table: the row's place in the host's list or
 * PSI_NO_MATCH (all of them when only the cardinality is wanted).
 * Errors: ERR_UNSUPPORTED for rows with match ids, ERR_FORMAT, ERR_LIMIT and
 * ERR_CONFLICT for what the host sent, those of tables and tasks.
 */
int psi_guest(struct task *, struct table *, struct parallel *,
    const struct psi_conf *, size_t host, uint32_t *match, uint64_t *common);
/* Tell a host the n places that are common, in the order of our rows. */
int psi_guest_tell(struct task *, const struct psi_conf *, size_t host,
    const uint32_t *places, uint64_t n);
/* Tell a host how many are common. */
int psi_guest_tell_count(
    struct task *, const struct psi_conf *, size_t host, uint64_t n);

/*
 * The host's half.  With sync, *rows is a malloc()ed list of the row numbers
 * in common, in the guest's order; otherwise NULL.  *known tells whether
 * *common is known.
 */
int psi_host(struct task *, struct table *, struct parallel *,
    const struct psi_conf *, uint32_t **rows, uint64_t *common, bool *known);

#endif
