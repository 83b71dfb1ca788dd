/*
 * Lists of rows from the guest to the hosts: "these of our common rows, in
 * this order".
 *
 * What crosses is a fresh random key and, for each row, a digest of its id
 * under that key.  A host finds its own rows again; ids that it does not
 * have stay unreadable as they are in the intersection.
 *
 * A message (integers little-endian): version u8 = 1, three zero bytes,
 * number of rows u32, 32 bytes of key, then 16 bytes a row.
 */
#ifndef EXECUTOR_COMPONENTS_ID_LIST_H
#define EXECUTOR_COMPONENTS_ID_LIST_H

#include "executor/task.h"
#include "lib/base/buf.h"

#define ID_LIST_MAX (1U << 28) /* rows */
#define ID_LIST_HEADER 8
#define ID_LIST_KEY 32
#define ID_LIST_DIGEST 16

/* The ids of a table, by row number. */
struct row_ids {
	struct buf text;
	size_t *at; /* n + 1: where each begins, and the end */
	size_t n;
	size_t cap;
};

int row_ids_add(struct row_ids *, const struct row *); /* ERR_NOMEM, LIMIT */
struct span row_ids_get(const struct row_ids *, size_t row);
void row_ids_fini(struct row_ids *); /* a zeroed one is fine */

/* Tell all hosts the rows, n of them, under name and tag. */
int id_list_send(struct task *, const char *name, const char *tag,
    const struct row_ids *, const uint32_t *rows, size_t n);
/*
 * A message as rows of ours, to be freed.  taken, a flag for each of our
 * rows, is NULL when rows may come more than once; otherwise a row must not
 * be taken yet, and is then.  Errors: ERR_FORMAT for a message that is none
 * and for rows that come again, ERR_CONFLICT for rows that we do not have,
 * ERR_NOMEM.
 */
int id_list_decode(const void *message, size_t size, const struct row_ids *ours,
    bool *taken, uint32_t **rows, size_t *n);
/* The same for what the guest sent under name and tag. */
int id_list_receive(struct task *, const char *name, const char *tag,
    const struct row_ids *ours, bool *taken, uint32_t **rows, size_t *n);
/* The message that id_list_send() sends, for tests; to be freed. */
int id_list_encode(const struct row_ids *, const uint32_t *rows, size_t n,
    void **message, size_t *size);

#endif
