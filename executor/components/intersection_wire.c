/*
 * Encoding of the intersection's lists.  Used by intersection_psi.c; its
 * input comes from the other party.
 */
#include "executor/components/intersection_wire.h"

#include <endian.h>
#include <string.h>

#include "lib/base/err.h"

#define VERSION 1

size_t
psi_item_size(enum psi_kind kind)
{
	switch (kind) {
	case PSI_POINTS:
		return 32;
	case PSI_TOKENS:
		return 16;
	case PSI_COUNT:
		return 8;
	case PSI_INDEXES:
		break;
	}
	return 4;
}

uint64_t
psi_blocks(uint64_t total)
{
	return total == 0 ? 1 : (total - 1) / PSI_BLOCK_ITEMS + 1;
}

uint32_t
psi_block_count(uint64_t total, uint64_t number)
{
	uint64_t left = total - number * PSI_BLOCK_ITEMS;

	return left < PSI_BLOCK_ITEMS ? (uint32_t)left : PSI_BLOCK_ITEMS;
}

static void
put32(struct buf *out, uint32_t v)
{
	v = htole32(v);
	buf_append(out, &v, sizeof(v));
}

static uint32_t
get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

void
psi_block_encode(struct buf *out, const struct psi_block *b,
    const unsigned char settings[PSI_SETTINGS])
{
	buf_putc(out, VERSION);
	buf_putc(out, (char)b->kind);
	buf_append(out, "\0\0", 2);
	put32(out, b->number);
	put32(out, b->count);
	put32(out, (uint32_t)b->total);
	put32(out, (uint32_t)(b->total >> 32));
	buf_append(out, settings, PSI_SETTINGS);
	buf_append(out, b->items, b->count * psi_item_size(b->kind));
}

/* The numbers of a block against what the protocol expects now. */
static int
check_numbers(
    const struct psi_block *b, size_t payload, uint32_t number, uint64_t total)
{
	if (b->total > PSI_LIST_MAX)
		return err_set(ERR_LIMIT,
		    "a list of %llu ids is too long, "
		    "at most %u",
		    (unsigned long long)b->total, PSI_LIST_MAX);
	if (b->number != number || b->number >= psi_blocks(b->total) ||
	    (number > 0 && b->total != total))
		return err_set(ERR_FORMAT,
		    "block %u of %llu ids came as "
		    "block %u of %llu",
		    b->number, (unsigned long long)b->total, number,
		    (unsigned long long)total);
	if (b->count != psi_block_count(b->total, number) ||
	    payload != b->count * psi_item_size(b->kind))
		return err_set(ERR_FORMAT,
		    "block %u has %zu bytes for %u "
		    "items",
		    number, payload, b->count);
	return 0;
}

/* Which of the settings is it? */
static int
check_settings(const unsigned char *theirs, const unsigned char *ours)
{
	if (theirs[PSI_SETTINGS_MATCH] != ours[PSI_SETTINGS_MATCH])
		return err_set(ERR_CONFLICT,
		    "%s rows have match ids, %s do not; set with_match_id "
		    "in DataTransform alike at all parties",
		    ours[PSI_SETTINGS_MATCH] ? "our" : "the other party's",
		    ours[PSI_SETTINGS_MATCH] ? "the other party's" : "ours");
	if (memcmp(theirs + PSI_SETTINGS_CACHE, ours + PSI_SETTINGS_CACHE,
		PSI_SETTINGS_MATCH - PSI_SETTINGS_CACHE) != 0)
		return err_set(ERR_CONFLICT,
		    "the other party runs with another cache, or one of both "
		    "without; caches of one and the same job belong together");
	if (memcmp(theirs, ours, PSI_SETTINGS_CACHE) != 0)
		return err_set(ERR_CONFLICT,
		    "the other party runs with another method, salt, join or "
		    "sync setting");
	return 0;
}

int
psi_block_decode(const void *data, size_t size, enum psi_kind kind,
    uint32_t number, uint64_t total, const unsigned char settings[PSI_SETTINGS],
    struct psi_block *out)
{
	const unsigned char *p = data;

	memset(out, 0, sizeof(*out));
	if (size < PSI_HEADER)
		return err_set(ERR_FORMAT, "a block of %zu bytes", size);
	if (p[0] != VERSION || p[2] != 0 || p[3] != 0)
		return err_set(ERR_FORMAT,
		    "a block of version %d, known is "
		    "%d",
		    p[0], VERSION);
	if (p[1] != kind)
		return err_set(ERR_FORMAT,
		    "a block of kind %d where %d is "
		    "due",
		    p[1], (int)kind);
	if (check_settings(p + 20, settings) != 0)
		return err_code();
	out->kind = kind;
	out->number = get32(p + 4);
	out->count = get32(p + 8);
	out->total = get32(p + 12) | (uint64_t)get32(p + 16) << 32;
	out->items = p + PSI_HEADER;
	return check_numbers(out, size - PSI_HEADER, number, total);
}
