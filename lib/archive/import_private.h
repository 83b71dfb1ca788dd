/*
 * What the files of import_plan.c share.
 */
#ifndef LIB_ARCHIVE_IMPORT_PRIVATE_H
#define LIB_ARCHIVE_IMPORT_PRIVATE_H

#include "lib/archive/import_plan.h"
#include "lib/archive/model_archive.h"
#include "lib/model/model_pipeline.h"

#define PIPELINE_PATH                                                          \
	MODEL_ARCHIVE_DATA "/" MODEL_PIPELINE "/" MODEL_PIPELINE               \
			   "/" MODEL_PIPELINE_BUFFER
#define NAME_MAX_ 100 /* of components, aliases, buffers: their columns */

/* --- import_plan.c */

/* The number of members bounds the number of buffers. */
struct import_buffer *import_new_buffer(struct import_plan *, const char *path);
/*
 * A buffer of which the manifest tells size and hash: it must be in the
 * archive, once.  ERR_FORMAT, ERR_LIMIT.
 */
int import_add_known(struct import_plan *, const char *path, int64_t bytes,
    const unsigned char sha256[], struct import_buffer **out);
/* Names that fit their columns and can be parts of a path.  ERR_FORMAT. */
int import_check_names(
    const char *component, const char *alias, const char *buffer);
/* The archive is of the half that was asked for.  ERR_FORMAT. */
int import_check_key(const struct import_plan *, const char *model_id,
    const char *version, const char *role, const char *party);

/* --- import_manifest.c, import_classic.c, import_pipeline.c */

/* What manifest.json names, or the classic platform's define file; see
 * import_plan_resolve() for errors. */
int import_manifest(struct import_plan *);
int import_classic(struct import_plan *);
/*
 * The pipeline's message was read before its hash was known: first it is
 * compared, then it fills the model's row.  ERR_FORMAT, ERR_DENIED.
 */
int import_check_pipeline(const struct import_plan *);
int import_pipeline(struct import_plan *);

#endif
