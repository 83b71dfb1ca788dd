/*
 * What the passes over a DSL share.
 */
#ifndef LIB_MODEL_DSL_PRIVATE_H
#define LIB_MODEL_DSL_PRIVATE_H

#include "lib/json/decode.h"
#include "lib/model/dsl.h"

#define DSL_NONE ((size_t)-1)

struct parse {
	struct dsl *dsl;
	struct faults *faults;
	const struct providers *providers;
	const struct module **modules; /* or NULL entries */
	struct json_object **inputs;
	const struct json_path *components; /* where they stand */
};

/*
 * What the component takes, with faults where it refers to nothing; the
 * outputs of all must be known.
 */
void dsl_read_inputs(struct parse *, size_t index);

bool dsl_name_listed(const char *const *names, size_t n, const char *name);

#endif
