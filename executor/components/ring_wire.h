/*
 * Vectors modulo 2^64 between members: shares and masked sums.
 *
 * Version u8 = 1, kind u8 = 'R', two zero bytes, count u32, fraction bits
 * u32, then count elements of 8 bytes, all little-endian.  Readers get the
 * bytes of a partner and check all of it.
 */
#ifndef EXECUTOR_COMPONENTS_RING_WIRE_H
#define EXECUTOR_COMPONENTS_RING_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

#define RING_WIRE_HEADER 12
#define RING_WIRE_SIZE(n) (RING_WIRE_HEADER + 8 * (size_t)(n))

void ring_put(struct buf *, const uint64_t *v, size_t n, unsigned frac);
/* Exactly count elements with frac fraction bits, else ERR_FORMAT. */
int ring_get(
    const void *data, size_t size, size_t count, unsigned frac, uint64_t *out);
/* How many elements a message has room for; ERR_FORMAT for a crooked one. */
int ring_count(const void *data, size_t size, size_t *out);

#endif
