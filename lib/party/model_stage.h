/*
 * Staging and sealing one member's half of a version, whoever makes it: a
 * training job, a deployment, an import.
 */
#ifndef LIB_PARTY_MODEL_STAGE_H
#define LIB_PARTY_MODEL_STAGE_H

#include <stdint.h>

#include "lib/conf/site_conf.h"
#include "lib/db/db_model.h"
#include "lib/model/model_version.h"

struct model_stage {
	/*
	 * The row: key, documents, where it is from.  manifest,
	 * manifest_hash and size_bytes are filled in.
	 */
	struct db_model m;
	/* What it consists of beside the pipeline message: under m's key. */
	const struct db_model_part *parts;
	size_t n;
	const uint8_t *contract_hash; /* NULL: not known */
	const uint8_t *parent_root;   /* of a child, else NULL */
};

/*
 * Check that every part's file is what its row says, keep the pipeline
 * message, register it and the parts, and write the staged row with its
 * manifest.  The same input gives the same manifest.
 * Errors: ERR_FORMAT (a part is missing or damaged: says which), ERR_IO,
 * ERR_DB.
 */
int model_stage(struct db *, const struct site_conf *, struct arena *,
    struct model_stage *);

/*
 * Seal the version that is staged for a member, with the manifests of all
 * members: the root is over them, and they are kept beside it.
 * *effective (may be NULL) is false when it was sealed so before.
 * Errors: ERR_INVALID when they do not name the member, ERR_CONFLICT when
 * nothing, or something else, is staged here.
 */
int model_seal(struct db *, struct arena *, const struct db_model_key *,
    const struct model_member *, size_t n, bool *effective);

#endif
