/*
 * One run of an intersection with one partner, as its protocols share it.
 * Nobody else includes this.
 */
#ifndef EXECUTOR_COMPONENTS_INTERSECTION_SESSION_H
#define EXECUTOR_COMPONENTS_INTERSECTION_SESSION_H

#include "executor/components/intersection_psi.h"
#include "executor/components/intersection_wire.h"
#include "executor/math/ecdh.h"

/* Each side sends its ids, and one answers. */
#define PSI_LISTS 3

struct session {
	struct task *task;
	const struct psi_input *in;
	const struct psi_conf *conf;
	struct task_party partner;
	size_t index; /* of the partner in its role */
	size_t host;  /* number of the host: tags */
	struct ecdh *key;
	unsigned char settings[PSI_SETTINGS];
	uint64_t n;	 /* our ids */
	unsigned lists;	 /* that went or came, of PSI_LISTS */
	uint32_t *order; /* place in our list -> id */
};

/* A session that only sends or receives lists: no key, no ids. */
int session_init(struct session *, struct task *, const struct psi_conf *,
    const char *role, size_t index);
/* A fresh secret exponent and a random order for our ids. */
int session_start(struct session *, const struct psi_input *);
void session_fini(struct session *);

/* --- lists on their way; name is a transfer of the manifest ------------------- */

/* One block; items are those of this block. */
int session_send_block(struct session *, const char *name, enum psi_kind,
    uint64_t total, uint64_t number, const void *items);
int session_send(struct session *, const char *name, enum psi_kind,
    const void *items, uint64_t total);

/* Called with each block of a list; first is its first item's place. */
typedef int (*session_block_fn)(
    struct session *, void *ctx, uint64_t first, const struct psi_block *);
int session_receive(struct session *, const char *name, enum psi_kind,
    session_block_fn, void *ctx);

/*
 * The places of common ids that the guest tells, as ids of ours; *ids is
 * malloc()ed.
 */
int psi_receive_places(struct session *, uint32_t **ids, uint64_t *n);

/* --- arithmetic, on all cores ------------------------------------------------- */

/* Our blinded ids in the session's order, ECDH_POINT bytes each; free(). */
int session_blind_own(struct session *, unsigned char **points);

/* out[i] = fn(key, in[i]) for n points; out has size bytes an item. */
typedef int session_map_fn(const struct ecdh *,
    const unsigned char point[ECDH_POINT], unsigned char *out);
int session_map(struct session *, const struct ecdh *key, session_map_fn *,
    const unsigned char *points, size_t n, unsigned char *out, size_t size);

#endif
