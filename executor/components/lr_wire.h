/*
 * Messages between the members of a vertical logistic regression.
 *
 * Each begins with version u8 = 1, kind u8, two zero bytes, count u32,
 * fraction bits u32 (little-endian; 0 where they say nothing), then count
 * items.  Every reader gets the bytes of a partner: it checks version, kind,
 * the count that the protocol expects, the length and each item.
 * Errors of all readers: ERR_FORMAT with what was wrong, ERR_NOMEM.
 */
#ifndef EXECUTOR_COMPONENTS_LR_WIRE_H
#define EXECUTOR_COMPONENTS_LR_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "executor/math/paillier.h"
#include "lib/base/buf.h"

#define LR_HEADER 12
#define LR_ROWS_MAX (1U << 28)
#define LR_DIGEST 16 /* bytes of a sample id's keyed digest */
#define LR_DIGEST_KEY 32

/* A public key, as paillier_pub_encode() has it. */
void lr_put_key(struct buf *, const struct paillier_pub *);
int lr_get_key(const void *, size_t, struct paillier_pub **out);

void lr_put_ciphers(struct buf *, const struct bigvec *, unsigned frac);
int lr_get_ciphers(const void *, size_t, const struct paillier_pub *,
    size_t count, unsigned frac, struct bigvec **out);
size_t lr_ciphers_size(const struct paillier_pub *, size_t count);

/* Decrypted residues below n, masked by their receiver. */
void lr_put_plains(struct buf *, const struct bigvec *);
int lr_get_plains(const void *, size_t, const struct paillier_pub *,
    size_t count, struct bigvec **out);
size_t lr_plains_size(const struct paillier_pub *, size_t count);

/* Finite doubles. */
void lr_put_numbers(struct buf *, const double *, size_t n);
int lr_get_numbers(const void *, size_t, size_t count, double *out);
#define LR_NUMBERS_SIZE(n) (LR_HEADER + 8 * (size_t)(n))

/*
 * Places of samples, each below bound and none twice.  *out is the
 * caller's.
 */
void lr_put_places(struct buf *, const uint32_t *, size_t n);
int lr_get_places(
    const void *, size_t, uint32_t bound, size_t count, uint32_t **out);
#define LR_PLACES_SIZE(n) (LR_HEADER + 4 * (size_t)(n))

void lr_put_flag(struct buf *, bool);
int lr_get_flag(const void *, size_t, bool *out);
#define LR_FLAG_SIZE (LR_HEADER + 1)

/* How the guest will go through its samples. */
struct lr_plan {
	uint32_t rows;
	uint32_t batch_size;
	uint32_t batch_count; /* per iteration */
	uint32_t list_size;   /* rows in a batch with its decoys; 0:
					   batches come without decoys */
	bool is_mutable;      /* other batches in each iteration */
	bool is_async;
	bool has_loss; /* the arbiter gets one per iteration */
};
void lr_put_plan(struct buf *, const struct lr_plan *);
int lr_get_plan(const void *, size_t, struct lr_plan *out);
#define LR_PLAN_SIZE (LR_HEADER + 20)
/* Rows of a batch, and those of its list, which may have decoys too. */
uint32_t lr_plan_rows(const struct lr_plan *, uint32_t batch);
uint32_t lr_plan_list(const struct lr_plan *, uint32_t batch);

/*
 * The guest's samples in its order: a fresh key and the BLAKE2b digest of
 * each id under it.  Partners hold the same ids since the intersection.
 */
void lr_put_samples(struct buf *, const unsigned char key[LR_DIGEST_KEY],
    const unsigned char *digests, size_t n);
int lr_get_samples(const void *, size_t, const unsigned char **key,
    const unsigned char **digests, size_t *n);

#endif
