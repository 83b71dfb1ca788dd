/*
 * The rows of an intersection's output.  Without match ids they are the
 * common rows.  With match ids one party owns the sample ids: it lists its
 * rows, each with its id and the common match id it belongs to, and the
 * others put a row of theirs beside every one of them.
 *
 * A message is a block of that list (integers little-endian): version u8 = 1,
 * three zero bytes, block number u32, entries in this block u32, entries of
 * the whole list u64, then for each entry its place in the list of common ids
 * u32 (ALIGN_NONE: no common id, only in a left join), length of the sample
 * id u16, and its bytes, which are UTF-8.
 */
#ifndef EXECUTOR_COMPONENTS_INTERSECTION_ALIGN_H
#define EXECUTOR_COMPONENTS_INTERSECTION_ALIGN_H

#include "executor/components/id_list.h"
#include "executor/components/intersection_psi.h"

#define ALIGN_NONE UINT32_MAX
#define ALIGN_BLOCK_ENTRIES 32768U

struct alignment {
	uint32_t *rows; /* of ours; PSI_NO_ROW: there is none */
	uint32_t *refs; /* places in the list of common ids, or ALIGN_NONE */
	size_t n;
	bool has_ids;
	struct row_ids ids; /* what the rows are called then */
};

/* The common ids of a table without match ids: its rows, as they are. */
int align_rows(const uint32_t *common, size_t n, struct alignment *out);
/*
 * The owner's rows: those of the common ids, or, in a left join, all rows in
 * their order; with new_ids, the others get ids that nobody had.
 */
int align_own(const struct psi_input *, const uint32_t *common, size_t n,
    bool left_join, bool new_ids, struct alignment *out);
/* Tell another member under name. */
int align_send(struct task *, const struct alignment *, const char *name,
    const char *role, size_t index);
/*
 * Put our rows beside those that the owner lists; the first one when several
 * of ours have the match id.  ERR_FORMAT for a list that cannot be.
 */
int align_receive(struct task *, const struct psi_input *,
    const uint32_t *common, size_t n, bool left_join, const char *name,
    const char *role, struct alignment *out);
/* One block, for tests of what a partner may send. */
int align_decode(const void *message, size_t size, uint32_t number,
    uint64_t *total, size_t n_common, bool left_join, struct alignment *into);

void alignment_fini(struct alignment *); /* a zeroed one is fine */

#endif
