/*
 * One member's half of a version as an archive, to be kept elsewhere and
 * brought back.  Its members are those of the classic platform,
 *
 *	define/define_meta.yaml
 *	variables/data/COMPONENT/ALIAS/BUFFER and BUFFER.json
 *	variables/data/pipeline/pipeline/Pipeline and Pipeline.json
 *	run_parameters/COMPONENT/run_parameters.json
 *	checkpoint/COMPONENT/INDEX#NAME/BUFFER.pb and .json
 *	import_model.json
 *
 * and before them manifest.json:
 *
 *	{"form": 1, "manifest": {…}, "root": HEX,
 *	 "members": {"guest": {"9999": HEX}, …},
 *	 "checkpoints": [{"component", "step_index", "step_name", "version",
 *	                  "buffers": [{"name", "message", "bytes", "sha256"}]}]}
 *
 * manifest is that of lib/model/model_version.h and names every buffer with
 * its digest; its own hash is among members, over which the root is.  So an
 * archive shows by itself whether it is whole, and by its root whose halves
 * it belongs to.  The other files are for readers: they are not looked at
 * when the archive comes back.
 */
#ifndef LIB_ARCHIVE_MODEL_ARCHIVE_H
#define LIB_ARCHIVE_MODEL_ARCHIVE_H

#include <stdint.h>

#include "lib/archive/archive_out.h"
#include "lib/conf/site_conf.h"
#include "lib/db/db_checkpoint.h"
#include "lib/db/db_model.h"
#include "lib/json/json.h"

#define MODEL_ARCHIVE_MANIFEST "manifest.json"
#define MODEL_ARCHIVE_DEFINE "define/define_meta.yaml"
#define MODEL_ARCHIVE_IMPORT "import_model.json"
#define MODEL_ARCHIVE_DATA "variables/data"

/* --- out --- */

/* What goes into one; all in the arena it was loaded to. */
struct model_export {
	struct db_model *model;
	struct db_model_part *parts;
	size_t n_parts;
	struct db_checkpoint *checkpoints;
	size_t n_checkpoints;
	struct db_checkpoint_part *checkpoint_parts;
	size_t n_checkpoint_parts;
};

/* A sealed version with all its rows.  ERR_NOT_FOUND, ERR_DB. */
int model_export_load(struct db *, struct arena *, const struct db_model_key *,
    struct model_export *out);

/* "ROLE#PARTY#MODEL_ID_VERSION.zip"; the caller's. */
char *model_archive_name(const struct db_model_key *);

/*
 * Is every buffer's file there and what its row says?  To be asked before
 * something is sent.  ERR_FORMAT naming the one that is not; ERR_IO.
 */
int model_export_check(const struct site_conf *, const struct model_export *);

/*
 * Write all members; the caller ends or aborts the archive.  One buffer at a
 * time is in memory.  The same version gives the same members.
 * Errors: ERR_FORMAT naming the buffer whose file is missing or damaged;
 * ERR_IO; what the archive's sink says.
 */
int model_export_write(const struct site_conf *, const struct model_export *,
    struct archive_out *);

/* --- in --- */

struct model_import {
	struct db_model_key key; /* whose half it has to be */
	int fd;			 /* borrowed; read by pread: */
	uint64_t offset, len;	 /* where the archive lies in it */
	bool force;		 /* in place of one that is here */
};

struct model_imported {
	const char *job_id; /* of the training */
	bool has_root;	    /* false: from an archive without a manifest */
};

/*
 * Take a version in, all of it or nothing: every buffer is compared with its
 * digest and on disk before the rows are written, in one transaction.  An
 * archive of the classic platform has no manifest.json: one is made of what
 * it holds, and its root stays unknown (zero).
 * out lives in the arena.
 * Errors: ERR_FORMAT, ERR_LIMIT: the archive is damaged, incomplete, has more
 * in it than it should, or is of another version (says what); ERR_DENIED: the
 * party is no member of the training, or not of this site; ERR_EXISTS: the
 * version is here and !force; ERR_CONFLICT: its job still runs here; ERR_IO,
 * ERR_DB.
 */
int model_import(struct db *, const struct site_conf *, struct arena *,
    const struct model_import *, struct model_imported *out);

#endif
