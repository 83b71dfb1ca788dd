/*
 * What an archive of a model has to hold, from what it says about itself.
 * The inside of model_import.c; pure but for memory.
 */
#ifndef LIB_ARCHIVE_IMPORT_PLAN_H
#define LIB_ARCHIVE_IMPORT_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/db/db_checkpoint.h"
#include "lib/db/db_model.h"
#include "lib/json/json.h"

#define IMPORT_TEXT_MAX ((size_t)64 << 20) /* manifest, pipeline, each */
#define IMPORT_CHECKPOINTS_MAX 10000

/* A buffer of the model or of a checkpoint. */
struct import_buffer {
	const char *path; /* in the archive */
	bool is_known;	  /* the manifest names it: */
	unsigned char sha256[DB_HASH_SIZE];
	int64_t bytes;
	bool is_here; /* it was found to be that */
	/* Of the model: */
	const char *component;
	const char *alias;
	const char *name;
	const char *message;
	const char *module;
	int64_t version;
};

struct import_checkpoint {
	struct db_checkpoint row;
	struct db_checkpoint_part *parts;
	size_t n_parts;
	size_t first; /* its buffers within the plan's, in that order */
};

struct import_plan {
	struct arena *arena;
	struct db_model_key key;
	struct json_object *members; /* names, as keys */
	struct buf manifest_file;    /* manifest.json */
	struct buf define_file;
	struct buf pipeline_file;
	struct json_object *manifest; /* of form 1, or NULL */
	struct json_object *buffers;  /* path → index */
	struct import_buffer *items;
	size_t n_items;
	size_t n_model; /* of them are the model's, in front */
	struct import_checkpoint *checkpoints;
	size_t n_checkpoints;
	/* Rows, by import_plan_rows(). */
	struct db_model model;
	struct db_model_part *parts;
	size_t n_parts;
	unsigned char root[DB_HASH_SIZE]; /* zero: unknown */
	bool has_root;
};

/* key is borrowed. */
struct import_plan *import_plan_new(
    struct arena *, const struct db_model_key *key);
void import_plan_free(struct import_plan *); /* NULL is fine */

/* Only halves of this site's own party.  ERR_DENIED. */
int import_plan_check_site(const struct import_plan *, const char *party_id);

/*
 * A member was seen; *to is where its text is to go, NULL when it is not
 * wanted.  ERR_LIMIT.
 */
int import_plan_member(struct import_plan *, const char *name, struct buf **to);
/*
 * All members were seen: find what must be there.  Errors: ERR_FORMAT, when
 * something is missing or too much or of another version; ERR_DENIED when
 * the party is none of the training's.
 */
int import_plan_resolve(struct import_plan *);
/* NULL: no buffer of this model. */
struct import_buffer *import_plan_find(
    const struct import_plan *, const char *name);
/* Were all found?  ERR_FORMAT naming the first that was not. */
int import_plan_complete(const struct import_plan *);
/* Fill model, parts, root.  ERR_FORMAT. */
int import_plan_rows(struct import_plan *);

#endif
