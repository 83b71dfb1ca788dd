/*
 * Cells of text rows: cutting, numbers, and sets of special values.
 */
#ifndef LIB_ENGINE_CELL_H
#define LIB_ENGINE_CELL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/engine/storage.h"

/*
 * Cut text at the delimiter into at most max cells, each without blanks at
 * its ends.  Returns how many there are, which may be more than max.
 */
size_t cell_split(
    struct span text, const char *delimiter, struct span *out, size_t max);

/* A decimal number, all of it, finite.  "1", "-.5", "2e-3"; no hex, no nan. */
bool cell_number(struct span, double *out);

bool cell_equals(struct span, const char *text);

/*
 * A set of values that cells are compared with, as text and, when both are
 * numbers, as numbers: -999 matches "-999.0".
 */
struct cell_set {
	struct cell_value {
		char *text;
		bool is_number;
		double number;
	} * values;
	size_t n;
};

void cell_set_add(struct cell_set *, const char *text);
/* The members of a JSON array, or a single value; null adds nothing. */
void cell_set_add_json(struct cell_set *, struct json_object *);
void cell_set_fini(struct cell_set *);
bool cell_set_has(const struct cell_set *, struct span cell);
bool cell_set_has_number(const struct cell_set *, double number);

#endif
