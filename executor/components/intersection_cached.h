/*
 * Intersection in two halves (run_cache).  The first one, once: the host
 * evaluates a secret function of its own on all its ids and gives the guest
 * the results, which say nothing without the function.  The second one, as
 * often as wanted: the guest has its ids evaluated, blinded, so that the host
 * learns nothing, and looks the results up.
 *
 *   once      host -> guest   cache_id_from_host           32 hex digits
 *             host -> guest   id_ciphertext_exchange_h2g   H2(y^k), random order
 *   then      guest -> host   id_ciphertext_exchange_g2h   x^r, r fresh
 *             host -> guest   doubly_encrypted_id          x^rk
 *             guest -> host   intersect_ids                places
 *
 * That is the oblivious pseudo-random function 2HashDH (Jarecki, Liu,
 * "Fast secure computation of set intersection", SCN 2010).  What the guest
 * holds is of no use without the host, who answers in every run and may stop.
 *
 * A cache is a table.  Its schema says with whom it was made:
 *   {"kind":"intersection","role","salt","by_match","ids":digest of a host's
 *    ids or "","intersect_meta":{…},"peers":[{"party_id","cache_id","count"}]}
 * Rows are text: of a guest "t.PEER.BLOCK", tokens; of a host "key", the
 * exponent, and "o.BLOCK", ids in the order of its list, u32 little-endian.
 */
#ifndef EXECUTOR_COMPONENTS_INTERSECTION_CACHED_H
#define EXECUTOR_COMPONENTS_INTERSECTION_CACHED_H

#include "executor/components/intersection_psi.h"

struct psi_cache;

/* Make a cache with all partners and put it out.  Errors as psi_guest(). */
int psi_cache_make(
    struct task *, const struct psi_input *, const struct psi_conf *);

/*
 * The cache among the task's inputs; NULL when there is none.  Errors:
 * ERR_CONFLICT when it does not fit: other role, partners, salt or kind of
 * ids; a host's table that has changed since.  ERR_FORMAT.
 */
int psi_cache_open(struct task *, const struct psi_input *,
    const struct psi_conf *, struct psi_cache **out);
void psi_cache_free(struct psi_cache *); /* NULL is fine */

/* What cache_id of the settings with that host (guest: any) is. */
const char *psi_cache_id(const struct psi_cache *, size_t host);

/* As psi_guest() and psi_host(), with a cache; conf has its cache_id. */
int psi_cached_guest(struct task *, const struct psi_input *,
    const struct psi_conf *, const struct psi_cache *, size_t host,
    uint32_t *match, uint64_t *common);
int psi_cached_host(struct task *, const struct psi_input *,
    const struct psi_conf *, const struct psi_cache *, uint32_t **ids,
    uint64_t *common, bool *known);

#endif
