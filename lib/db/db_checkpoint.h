/*
 * Checkpoints: the state of a component's model at a step, as a ring.
 */
#ifndef LIB_DB_DB_CHECKPOINT_H
#define LIB_DB_DB_CHECKPOINT_H

#include "lib/db/db_job.h"

struct db_checkpoint {
	int64_t id; /* grows with time; not for db_checkpoint_put() */
	const char *model_id;
	const char *model_version;
	const char *role;
	const char *party_id;
	const char *component;
	int64_t step_index;
	const char *step_name;
	int64_t version; /* of the task */
	int64_t created_ms;
};

struct db_checkpoint_part {
	int64_t checkpoint_id; /* not for db_checkpoint_put() */
	const char *buffer_name;
	const char *message;
	int64_t bytes;
	unsigned char sha256[DB_HASH_SIZE];
};

/*
 * Write one with its parts, in place of one of the same step, and forget the
 * oldest of the component beyond the newest keep (at least 1).
 * attempt_id: whose lease must be alive, ERR_CONFLICT when it is not; NULL
 * for an import, where nobody is running.
 */
int db_checkpoint_put(struct db *, const char *attempt_id,
    const struct db_checkpoint *, const struct db_checkpoint_part *, size_t n,
    int64_t keep);

/* Oldest first; component NULL: of all. */
int db_checkpoint_list(struct db *, struct arena *, const char *model_id,
    const char *model_version, const char *role, const char *party_id,
    const char *component, struct db_checkpoint **rows, size_t *n);
/* Parts of all that db_checkpoint_list() lists, by checkpoint and name. */
int db_checkpoint_parts(struct db *, struct arena *, const char *model_id,
    const char *model_version, const char *role, const char *party_id,
    const char *component, struct db_checkpoint_part **rows, size_t *n);
/* Forget all of a version at a member. */
int db_checkpoint_delete(struct db *, const char *model_id,
    const char *model_version, const char *role, const char *party_id);

#endif
