/*
 * What db_model.c needs of parts; for others lib/db/db_model.h is the header.
 */
#ifndef LIB_DB_DB_MODEL_PART_H
#define LIB_DB_DB_MODEL_PART_H

#include "lib/db/db_model.h"

/* The one part that is not a task's: the pipeline message. */
#define DB_MODEL_PIPELINE "pipeline"

/* Mark these, which must be there, and remove the version's others. */
int db_model_part_seal(struct db *, const struct db_model_key *,
    const struct db_model_part *parts, size_t n);

enum db_model_parts {
	DB_MODEL_PARTS_ALL,
	DB_MODEL_PARTS_STAGED,	/* not sealed */
	DB_MODEL_PARTS_PIPELINE /* not sealed, and no task's */
};
int db_model_part_delete(
    struct db *, const struct db_model_key *, enum db_model_parts);

#endif
