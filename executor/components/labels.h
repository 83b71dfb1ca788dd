/*
 * The labels of a table's rows, and the classes that they make up.
 */
#ifndef EXECUTOR_COMPONENTS_LABELS_H
#define EXECUTOR_COMPONENTS_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/engine/storage.h"

struct label {
	bool is_text;
	double number;
	size_t at; /* of the text, in labels.text */
	size_t len;
};

struct labels {
	struct label *rows;
	size_t n;
	size_t cap;
	struct buf text;

	/* After labels_group(): */
	struct label *distinct; /* ascending, numbers before texts */
	size_t n_distinct;
	uint32_t *class_of; /* of each row, its place in distinct */
};

/* Keep a row's label; ERR_INVALID names the row that has none. */
int labels_add(struct labels *, const struct row *);
int labels_group(struct labels *); /* ERR_NOMEM */
void labels_fini(struct labels *); /* a zeroed one is fine */

/* Append a label as people write it: "1", "0.5", "yes". */
void label_text(const struct labels *, const struct label *, struct buf *out);
/* The class that people call so, "1" or "1.0"; SIZE_MAX when there is none. */
size_t labels_find(const struct labels *, const char *text);

#endif
