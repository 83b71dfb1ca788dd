/*
 * A sealed version of a model as a task reads it: what its manifest lists,
 * not what rows say, is what belongs to it.
 */
#ifndef SUPERVISOR_SHEPHERD_STORED_H
#define SUPERVISOR_SHEPHERD_STORED_H

#include <stddef.h>

#include "lib/base/mem.h"
#include "lib/db/db_model.h"

struct stored {
	const struct db_model *row;
	const struct db_model_part *parts;
	size_t n;
};

/*
 * Read a member's half, in the arena, and check that its manifest is the one
 * that was sealed.
 * Errors: ERR_NOT_FOUND, ERR_FORMAT (the row was changed), ERR_DB.
 */
int stored_open(struct arena *, struct db *, const struct db_model_key *,
    struct stored **out);

/*
 * Is it the version that the contract of a predict job names?  Somebody may
 * have replaced it since the job was made.
 * Errors: ERR_DENIED, ERR_FORMAT.
 */
int stored_check_contract(const struct stored *, const char *contract);

/*
 * The parts of one component's model, in the arena; none is no error.  alias
 * NULL or "": whatever it is called.
 */
void stored_parts(struct arena *, const struct stored *, const char *component,
    const char *alias, const struct db_model_part ***parts, size_t *n);

#endif
