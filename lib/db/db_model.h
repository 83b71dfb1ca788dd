/*
 * Parts of models: which file holds which buffer.
 */
#ifndef LIB_DB_DB_MODEL_H
#define LIB_DB_DB_MODEL_H

#include "lib/db/db_job.h"

struct db_model_part {
	const char *model_id;
	const char *model_version;
	const char *role;
	const char *party_id;
	const char *component;
	const char *alias;
	const char *buffer_name; /* "HeteroLRParam" */
	const char *message;	 /* protobuf message name */
	const char *module;
	int64_t version; /* task version it is from */
	int64_t bytes;
	unsigned char sha256[DB_HASH_SIZE];
	int64_t created_ms;
};

/*
 * Register a part; one of a later task version replaces an earlier one's, an
 * earlier one changes nothing.
 */
int db_model_put(struct db *, const struct db_model_part *);
/* component and alias may be NULL. */
int db_model_list(struct db *, struct arena *, const char *model_version,
    const char *role, const char *party_id, const char *component,
    const char *alias, struct db_model_part **rows, size_t *n);
/* Distinct models here: rows with component, alias, buffer_name "" and bytes summed. */
int db_model_query(struct db *, struct arena *, const char *model_id,
    const char *model_version, const char *role, const char *party_id,
    struct db_model_part **rows, size_t *n);
/* Is a buffer's file still named by a part?  For the sweep. */
int db_model_object_used(struct db *, const unsigned char sha256[], bool *used);

#endif
