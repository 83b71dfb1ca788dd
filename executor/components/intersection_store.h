/*
 * How an intersection's cache is kept: see intersection_cached.h.  Nobody
 * but it includes this.
 */
#ifndef EXECUTOR_COMPONENTS_INTERSECTION_STORE_H
#define EXECUTOR_COMPONENTS_INTERSECTION_STORE_H

#include "executor/components/intersection_cached.h"
#include "executor/math/ecdh.h"
#include "lib/base/id.h"

struct psi_peer {
	char *party_id;
	char cache_id[ID_RANDOM_SIZE];
	uint64_t count;
	unsigned char *tokens; /* guest: count of them */
};

struct psi_cache {
	struct psi_peer *peers; /* guest: the hosts; host: the guest */
	size_t n_peers;
	/* host */
	unsigned char key[ECDH_SECRET];
	unsigned char ids_digest[32];
	uint32_t *order; /* place in our list -> id */
};

/* Empty, with the partners that the task has. */
struct psi_cache *psi_store_new(struct task *);
int psi_store_write(
    struct task *, const struct psi_conf *, const struct psi_cache *);

#endif
