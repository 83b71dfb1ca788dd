/*
 * What an engine has to do: keep encoded rows (lib/engine/row.h) by number
 * and by id.  storage.c does everything that engines have in common:
 * encoding, checks, batches, naming rows in messages.
 */
#ifndef LIB_ENGINE_ENGINE_H
#define LIB_ENGINE_ENGINE_H

#include <endian.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/engine/storage.h"

/* Rows number first to first + n - 1, and the same rows in order of ids. */
struct storage_batch {
	uint64_t first;
	size_t n;
	const struct batch_row {
		const char *data;
		size_t len;
		struct span id;
		uint64_t number;
	} * rows;
	const struct batch_key {
		uint64_t prefix; /* storage_prefix(), for sorting */
		const struct batch_row *row;
	} * by_id;
};

/* How many bytes two ids have in common at their beginning. */
static inline size_t
storage_common(struct span a, struct span b)
{
	size_t i, n = a.len < b.len ? a.len : b.len;

	for (i = 0; i < n && a.data[i] == b.data[i]; i++)
		;
	return i;
}

/*
 * Eight bytes of an id, behind what all ids begin with, as a number that
 * sorts as they do: most ids differ there, and comparing numbers spares a
 * walk through memory.
 */
static inline uint64_t
storage_prefix(struct span id, size_t skip)
{
	unsigned char first[8] = { 0 };
	uint64_t v;

	memcpy(first, id.data + skip, id.len - skip < 8 ? id.len - skip : 8);
	memcpy(&v, first, sizeof(v));
	return be64toh(v);
}

struct storage_ops {
	const char *name;

	int (*create)(const char *address, void **writer);
	/*
	 * All rows of the batch or none.  ERR_EXISTS when an id is there:
	 * *old and *new are the numbers of both rows then.  Whether that is
	 * said now or by seal() is the engine's choice.
	 */
	int (*write)(void *writer, const struct storage_batch *, uint64_t *old,
	    uint64_t *new);
	/* Frees the writer, also on error. */
	int (*seal)(void *writer, const char *marker, const char *schema,
	    uint64_t *old, uint64_t *new);
	void (*discard)(void *writer);

	/* Appends the marker's and the schema's text. */
	int (*open)(const char *address, void **table, struct buf *marker,
	    struct buf *schema);
	void (*close)(void *table);
	int (*cursor)(void *table, void **cursor);
	/* The row of a number; fast when it follows the last one. */
	int (*read)(void *cursor, uint64_t number, struct span *out);
	int (*find)(void *cursor, const void *id, size_t id_len,
	    uint64_t *number, struct span *out);
	void (*cursor_close)(void *cursor);

	int (*destroy)(const char *address);
};

#endif
