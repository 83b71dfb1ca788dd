/*
 * Small tables of numbers for tests of components.
 */
#ifndef TESTS_LIB_DENSE_TABLE_H
#define TESTS_LIB_DENSE_TABLE_H

#include "tests/lib/loopback.h"

#define DENSE_TABLE_VALUES 4

struct dense_row {
	const char *id;
	double label;	  /* NAN: none */
	const char *text; /* a label that is a text; NULL for none */
	double values[DENSE_TABLE_VALUES];
};

/*
 * Write a table into the loopback's folder; its path is the caller's.  The
 * schema is a text as table_seal() takes it; n_values of each row are kept.
 */
char *dense_table(struct loopback *, const struct dense_row *, size_t n,
    unsigned n_values, const char *schema);
/* The same and make it an input of the member. */
void dense_input(struct loopback *, struct member *, const char *data_key,
    const char *upstream, const struct dense_row *, size_t n, unsigned n_values,
    const char *schema);

/*
 * Value i of a row of output 0; NAN also for a missing one.  The test
 * fails when the row or the value is not there.
 */
double dense_output(
    const struct member *, size_t output, const char *id, unsigned i);
/* "a b c": the ids of an output in order; the caller's. */
char *dense_ids(const struct member *, size_t output);

#endif
