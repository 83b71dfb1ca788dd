/*
 * Rows as bytes: the encoding that storage.h documents.  For engines; all
 * others see struct row.
 */
#ifndef LIB_ENGINE_ROW_H
#define LIB_ENGINE_ROW_H

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/engine/storage.h"

/*
 * Append the encoding of a row.  ERR_FORMAT (without a row number, the
 * caller knows it) when the id is empty or too long, a text is longer than
 * its length field can say, or there are too many values.
 */
int row_encode(struct buf *out, const struct row *);

/* Where the id lies in an encoded row. */
struct span row_encoded_id(const char *data, size_t len);

/*
 * Room for values, aligned, which an encoded row is not.  A sparse row is
 * spread out there; only what the one before left is cleared, so that wide
 * rows of few values stay cheap.
 */
struct row_scratch {
	double *values;
	size_t cap;
	bool is_used;	  /* by a dense row: all of it needs clearing */
	uint32_t *places; /* of the sparse row before */
	size_t n_places;
	size_t places_cap;
};

void row_scratch_fini(struct row_scratch *);

/*
 * Take an encoded row apart; *out points into data and scratch.  Every
 * length is checked: ERR_FORMAT, ERR_NOMEM.
 */
int row_decode(
    const void *data, size_t len, struct row_scratch *, struct row *out);

#endif
