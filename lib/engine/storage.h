/*
 * Tables: rows of an id and values, written once, sealed, then read by many.
 *
 * A writer appends rows, then seals the table with its schema; a table that
 * was never sealed cannot be opened.  Rows keep the order in which they were
 * appended and are numbered from 0.  Partition p of P is the range of row
 * numbers [rows * p / P, rows * (p + 1) / P).
 *
 * Engines are vtables.  storage_standalone keeps a table in a folder with one
 * LMDB environment (data.mdb):
 *
 *   database "rows"   key: row number, 64 bits big-endian; value: the row
 *   database "ids"    key: id; value: row number, 64 bits little-endian
 *   database "table"  key "sealed": written by the last transaction of all,
 *                     {"format":1,"kind":…,"rows":…,"partitions":…};
 *                     key "schema": the schema as JSON text
 *
 * A row is (integers little-endian, doubles as IEEE 754 bits):
 *
 *   kind u8 (1 text, 2 dense, 3 predict), flags u8, length of id u16, id
 *   text:     the line without its id, up to the end
 *   dense:    [label f64] [label: length u16, text] [weight f64]
 *             [match id: length u16, text] number of values u32, f64 each;
 *             with ROW_SPARSE instead of the last: number of those that are
 *             not 0 u32, their places u32 each (ascending), f64 each
 *   predict:  [label f64] [label: length u16, text] result f64, score f64,
 *             type (length u16, text), detail (up to the end)
 *
 * where the flags say which of the parts in brackets are there (enum
 * row_flags).  storage_memory keeps tables in this process, for tests.
 */
#ifndef LIB_ENGINE_STORAGE_H
#define LIB_ENGINE_STORAGE_H

#include <stddef.h>
#include <stdint.h>

enum {
	STORAGE_ID_MAX = 511,	       /* bytes; the limit of LMDB's keys */
	STORAGE_PARTITIONS_MAX = 1023, /* as the upload contract has it */
	STORAGE_VALUES_MAX = 1 << 20,  /* of one row; names of one schema */
};

enum row_kind { ROW_TEXT = 1, ROW_DENSE = 2, ROW_PREDICT = 3 };

enum row_flags {
	ROW_LABEL = 1,	    /* label is a number */
	ROW_LABEL_TEXT = 2, /* label is a text */
	ROW_WEIGHT = 4,
	ROW_MATCH_ID = 8,
	/*
	 * Most values are 0: keep the others only, when that takes less room.
	 * Rows read the same in any case; a table may have both.
	 */
	ROW_SPARSE = 16,
};

/* Bytes owned by somebody else; not NUL-terminated. */
struct span {
	const char *data;
	size_t len;
};

/*
 * One row.  What flags do not announce is ignored when writing and zero
 * when reading.
 */
struct row {
	uint64_t number; /* set by reading */
	enum row_kind kind;
	int flags;	/* enum row_flags */
	struct span id; /* 1 to STORAGE_ID_MAX bytes */

	struct span text; /* ROW_TEXT: what follows the id */

	double label; /* ROW_DENSE and ROW_PREDICT */
	struct span label_text;
	double weight;
	struct span match_id;

	const double *values; /* ROW_DENSE */
	uint32_t n_values;

	double result; /* ROW_PREDICT */
	double score;
	struct span detail; /* JSON object */
	struct span type;   /* train, validate, predict */
};

struct table_stat {
	uint64_t rows;
	uint32_t partitions;
	enum row_kind kind;	 /* ROW_TEXT when there are no rows */
	const char *schema_json; /* lives as long as the table is open */
};

struct storage_ops;
struct table;
struct table_writer;
struct table_cursor;

extern const struct storage_ops storage_standalone; /* address: folder */
extern const struct storage_ops storage_memory;	    /* address: name */

/*
 * Begin a table at an address where there is none.  Errors: ERR_EXISTS,
 * ERR_IO, ERR_NOMEM.
 */
int table_create(
    const struct storage_ops *, const char *address, struct table_writer **out);

/*
 * Add a row; its bytes are copied.  All rows of a table have the same kind.
 * Errors name the row: ERR_FORMAT for an id that is empty or too long and
 * for mixed kinds, ERR_EXISTS for an id that is there already (the message
 * names both rows; it may come with a later append or with the seal, for
 * rows are written in batches), ERR_IO.  After an error only
 * table_writer_free() is of use.
 */
int table_append(struct table_writer *, const struct row *);

/*
 * Rows are counted from 1 in messages.  Where they came as something else,
 * such as lines of a file that begin with number 2, that is named as well:
 * "line 2 (row 1)".
 */
void table_writer_name_rows(
    struct table_writer *, const char *what, uint64_t first);
uint64_t table_writer_rows(const struct table_writer *);

/*
 * Make the table durable and readable: rows are synced first, then the
 * marker.  Frees the writer, also on error (and then removes the table).
 */
int table_seal(
    struct table_writer *, const char *schema_json, uint32_t partitions);

/* Give up: removes what was written.  NULL is fine. */
void table_writer_free(struct table_writer *);

/*
 * Open a sealed table for reading; needs no write access to the folder.
 * Errors: ERR_NOT_FOUND, ERR_CONFLICT when it was not sealed, ERR_FORMAT
 * when the content is damaged, ERR_IO.
 */
int table_open(
    const struct storage_ops *, const char *address, struct table **out);
void table_close(struct table *); /* NULL is fine; cursors first */
const struct table_stat *table_stat(const struct table *);
uint64_t table_count(const struct table *);

/*
 * Read the rows [first, end) in order.  Cursors are independent: each thread
 * uses its own.  cursor_next() gives 1 and a row, 0 at the end, or an error
 * (ERR_FORMAT for a damaged row); the row's bytes are valid until the next
 * call on this cursor.
 */
int table_scan(
    struct table *, uint64_t first, uint64_t end, struct table_cursor **out);
int cursor_next(struct table_cursor *, struct row *out);
void cursor_free(struct table_cursor *); /* NULL is fine */

/*
 * The row of an id through a cursor of table_scan() (whose place it does
 * not move); bytes valid as with cursor_next().  ERR_NOT_FOUND, ERR_FORMAT.
 */
int cursor_get(
    struct table_cursor *, const void *id, size_t id_len, struct row *out);

/*
 * The row of a number through a cursor of table_scan(), whose range and
 * place do not matter to it; bytes valid as with cursor_next().  Reading on
 * in order is as cheap as cursor_next().  ERR_FORMAT, also when there are
 * not so many rows.
 */
int cursor_at(struct table_cursor *, uint64_t number, struct row *out);

/* Remove a table, sealed or not; a missing one is fine. */
int table_destroy(const struct storage_ops *, const char *address);

#endif
