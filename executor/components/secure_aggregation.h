/*
 * Sums of vectors over guest and hosts of which the arbiter sees the sum and
 * nothing else.
 *
 * Setup: every client sends every other one a fresh public key
 * (dh_ciphertext_guest, dh_ciphertext_host), directly, so that the signature
 * of its site vouches for it and the arbiter cannot put itself between.  With
 * the key goes a note of what must be the same at both.
 * Round: each client sends the arbiter its vector plus masks that cancel in
 * the sum over all (executor/math/mask.h); the arbiter adds up.  Rounds are
 * counted, and both sides count the same.
 *
 * The last element of a masked vector is the number one: the sum of these is
 * the number of clients, or the masks did not cancel.  Members who drop out
 * are not replaced: without one of them there is no sum.
 */
#ifndef EXECUTOR_COMPONENTS_SECURE_AGGREGATION_H
#define EXECUTOR_COMPONENTS_SECURE_AGGREGATION_H

#include <stddef.h>
#include <stdint.h>

#include "executor/task.h"

#define SECAGG_NOTE 64
#define SECAGG_MAX (1U << 20) /* elements of a vector */

struct secagg;

/* Clients, of which there are: the guest, then the hosts. */
size_t secagg_clients(struct task *);

/* What a client's note says against ours: 0 or an error that blames it. */
typedef int secagg_check(const void *ctx, const struct task_party *peer,
    const unsigned char note[SECAGG_NOTE]);

/*
 * At a client: exchange keys and notes with the others.  *out is the
 * caller's.  Errors: ERR_FORMAT, that of check.
 */
int secagg_join(struct task *t, const unsigned char note[SECAGG_NOTE],
    secagg_check *check, const void *ctx, struct secagg **out);
/* At the arbiter, which needs no keys. */
struct secagg *secagg_arbiter(struct task *);
void secagg_free(struct secagg *); /* NULL is fine */

/*
 * At a client: send v, n numbers of less than 2^bits after frac fraction
 * bits (ERR_LIMIT), under guest_NAME or host_NAME.  Callers see to it that
 * the sum over all clients stays below 2^63.
 */
int secagg_send(struct secagg *, const char *name, const char *tag,
    const double *v, size_t n, unsigned frac, unsigned bits);
/*
 * At the arbiter: the sums of what the clients sent; *sum is the caller's
 * and has *n numbers, which is want unless that is 0.
 * ERR_FORMAT for a damaged vector or one of another length, ERR_CONFLICT
 * when the masks do not cancel.
 */
int secagg_sum(struct secagg *, const char *name, const char *tag, size_t want,
    unsigned frac, double **sum, size_t *n);

#endif
