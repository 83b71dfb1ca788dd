/*
 * The order of a DSL's components; a part of dsl_parse().
 */
#ifndef LIB_MODEL_DSL_ORDER_H
#define LIB_MODEL_DSL_ORDER_H

#include "lib/json/faults.h"
#include "lib/model/dsl.h"

/*
 * Derive ups from refs, then order and seq.  When components wait for each
 * other the cycles are added as faults below path and the order is the document's.
 */
void dsl_order(struct dsl *, const struct json_path *path, struct faults *);

#endif
