/*
 * An input table as the components that work on columns read it: opened with
 * its schema, scanned with progress, copied, or loaded column by column.
 */
#ifndef EXECUTOR_COMPONENTS_TABLE_IN_H
#define EXECUTOR_COMPONENTS_TABLE_IN_H

#include "executor/task.h"
#include "lib/engine/schema.h"

struct table_in {
	struct task *task;
	const struct task_input *input;
	struct table *table;
	struct schema schema;
};

/*
 * Open an input; input NULL is "the module needs an input under data".
 * Close with table_in_close(), which is fine for a zeroed one.
 */
int table_in_open(
    struct task *, const struct task_input *, struct table_in *out);
void table_in_close(struct table_in *);

/*
 * Call fn for every row, in order, until it gives an error.  doing is what
 * the progress says.
 */
int table_in_each(struct table_in *, const char *doing,
    int (*fn)(void *ctx, const struct row *), void *ctx);

/* Call fn for these rows, in this order; a row may come more than once. */
int table_in_rows(struct table_in *, const uint32_t *rows, size_t n,
    int (*fn)(void *ctx, const struct row *), void *ctx);
/* Output i becomes a table of these rows. */
int table_in_copy_rows(
    struct table_in *, const uint32_t *rows, size_t n, size_t output);

/*
 * ERR_INVALID unless the row has numbers for every column of the header:
 * DataTransform has to come first.
 */
int table_in_check_dense(const struct table_in *, const struct row *);

/* Output i becomes a copy of this table: what need_run false means. */
int table_in_copy(struct table_in *, size_t output);

/*
 * The columns that two parameters choose: indexes is -1 (or null) for all,
 * or a list of places; names (may be null) adds to a list.  *out holds
 * ascending places without repetition, to be freed.  ERR_INVALID names the
 * index or name that is not in the table.
 */
int table_in_pick(const struct table_in *, const char *indexes,
    const char *names, size_t **out, size_t *n);

/*
 * Call fn for each of the n columns with all its values in row order (NaN
 * for missing ones); fn may change them.  As many columns at a time as
 * memory allows, one pass over the table for each batch.
 */
int table_in_columns(struct table_in *, const size_t *places, size_t n,
    int (*fn)(void *ctx, size_t i, double *values, size_t rows), void *ctx);

#endif
