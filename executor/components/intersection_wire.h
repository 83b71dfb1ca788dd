/*
 * Messages of the intersection: lists in numbered blocks.
 *
 * A block (integers little-endian): version u8 = 1, kind u8, two zero bytes,
 * block number u32, items in this block u32, items of the whole list u64,
 * 16 bytes about the settings on which both parties must agree (8 of a
 * digest over them, 7 of one over the cache's id or 0, 1 when the ids are
 * match ids), then the items, all of the size that the kind has.  All blocks but the
 * last hold PSI_BLOCK_ITEMS; a list without items is one empty block.
 */
#ifndef EXECUTOR_COMPONENTS_INTERSECTION_WIRE_H
#define EXECUTOR_COMPONENTS_INTERSECTION_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"

#define PSI_BLOCK_ITEMS 32768U
#define PSI_LIST_MAX (1U << 28) /* items; 2.7e8, 4.3 GB of tokens */
#define PSI_SETTINGS 16		/* bytes of their digest */
#define PSI_SETTINGS_CACHE 8	/* where that of a cache begins, */
#define PSI_SETTINGS_MATCH 15	/* and whether ids are match ids */
#define PSI_HEADER 36

enum psi_kind {
	PSI_POINTS = 1,	 /* singly blinded ids, 32 bytes */
	PSI_TOKENS = 2,	 /* digests of doubly blinded ids, 16 bytes */
	PSI_INDEXES = 3, /* places in the receiver's list, u32 */
	PSI_COUNT = 4	 /* a number of ids, u64; lists of one */
};

/* Largest block there can be, to bound what is received. */
#define PSI_BLOCK_BYTES (PSI_HEADER + PSI_BLOCK_ITEMS * 32U)

struct psi_block {
	enum psi_kind kind;
	uint32_t number;
	uint32_t count;
	uint64_t total;
	const unsigned char *items; /* in the message */
};

size_t psi_item_size(enum psi_kind);
uint64_t psi_blocks(uint64_t total); /* at least 1 */
/* Items of one block of a list. */
uint32_t psi_block_count(uint64_t total, uint64_t number);

/* Append a block; items is count * psi_item_size() bytes. */
void psi_block_encode(struct buf *out, const struct psi_block *,
    const unsigned char settings[PSI_SETTINGS]);
/*
 * Take a partner's message apart.  ERR_FORMAT when it is not block number
 * of a list of this kind (and of total items, unless number is 0), with the
 * items that this block must have; ERR_CONFLICT when the partner has other
 * settings; ERR_LIMIT when the list is too long.
 */
int psi_block_decode(const void *data, size_t size, enum psi_kind,
    uint32_t number, uint64_t total, const unsigned char settings[PSI_SETTINGS],
    struct psi_block *out);

#endif
