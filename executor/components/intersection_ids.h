/*
 * The ids that an intersection compares: of a table with match ids, the
 * different match ids; otherwise the ids of its rows.
 */
#ifndef EXECUTOR_COMPONENTS_INTERSECTION_IDS_H
#define EXECUTOR_COMPONENTS_INTERSECTION_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/engine/storage.h"

#define PSI_NO_ROW UINT32_MAX

struct psi_ids {
	bool by_match;
	uint64_t rows;	 /* of the table */
	uint64_t n;	 /* different ids, numbered as they appear */
	uint32_t *group; /* id of a row; NULL: row i is id i */
	uint32_t *first; /* first row of an id; NULL like group */
	uint32_t *next;	 /* the next row of the same id, or PSI_NO_ROW */
};

/*
 * Read the table once when it has match ids (its schema names them).
 * Memory: 8 bytes a row, 28 an id.  Errors: ERR_FORMAT for a row without
 * match id, ERR_LIMIT, ERR_NOMEM.
 */
int psi_ids_load(struct table *, bool by_match, struct psi_ids *out);
void psi_ids_fini(struct psi_ids *); /* a zeroed one is fine */

uint32_t psi_ids_of_row(const struct psi_ids *, uint64_t row);
uint32_t psi_ids_first_row(const struct psi_ids *, uint32_t id);
uint32_t psi_ids_next_row(const struct psi_ids *, uint32_t row);

/* What stands for a row in the comparison: its match id or its id. */
struct span psi_ids_text(const struct psi_ids *, const struct row *);

/*
 * 32 bytes over all ids in order, by which a table is known again:
 * ERR_FORMAT, ERR_IO.
 */
int psi_ids_digest(
    const struct psi_ids *, struct table *, unsigned char out[32]);

#endif
