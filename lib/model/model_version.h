/*
 * What proves that the halves of a model belong together.
 *
 * A manifest is the canonical JSON (RFC 8785) of what one member's half of a
 * version consists of:
 *
 *	{"form": 1, "model_id": …, "model_version": …, "role": …,
 *	 "party_id": …, "contract": HEX of the training job's contract,
 *	 "parent": {"model_version": …, "root": HEX},     (children only)
 *	 "parts": [{"component", "alias", "buffer", "message", "module",
 *	            "version", "bytes", "sha256": HEX}, …]}
 *
 * with the parts in the order of component, alias, buffer.  Its SHA-256 is
 * what the member answers when it has staged its half.  The root hash of a
 * version is the SHA-256 of the canonical JSON
 *
 *	{"guest": {"9999": HEX of the manifest}, "host": {…}, …}
 *
 * over all members: the same at every member, and different when any part of
 * any member differs.  Pure: no files, no database.
 */
#ifndef LIB_MODEL_MODEL_VERSION_H
#define LIB_MODEL_MODEL_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/db/db_model.h"
#include "lib/json/decode.h"

#define MODEL_HASH_SIZE 32
#define MODEL_HEX_SIZE (2 * MODEL_HASH_SIZE + 1)
#define MODEL_MEMBERS_MAX 1000
#define MODEL_PARTS_MAX 100000

/* One member's manifest. */
struct model_member {
	const char *role;
	const char *party_id;
	uint8_t manifest_hash[MODEL_HASH_SIZE];
};

struct model_manifest {
	struct db_model_key key;
	const uint8_t *contract_hash;	   /* NULL: not known (an import) */
	const char *parent_version;	   /* NULL: no child */
	const uint8_t *parent_root;	   /* of a child */
	const struct db_model_part *parts; /* any order */
	size_t n;
};

/*
 * The manifest's text (appended to out) and its hash.
 * Errors: ERR_FORMAT for names that are not UTF-8, ERR_CRYPTO.
 */
int model_manifest_text(const struct model_manifest *, struct buf *out,
    uint8_t hash[MODEL_HASH_SIZE]);
/*
 * The parts that a manifest lists, under the key it names, in the arena.
 * Errors: ERR_FORMAT, ERR_LIMIT.
 */
int model_manifest_parts(const char *manifest, struct arena *,
    struct db_model_part **parts, size_t *n);
/*
 * The contract's hash that a manifest carries; ERR_NOT_FOUND when it has
 * none, ERR_FORMAT.
 */
int model_manifest_contract(
    const char *manifest, uint8_t hash[MODEL_HASH_SIZE]);

/*
 * Did the party take part in the training, in whatever role, as the row's
 * roles say ({"guest": [9999], …}, ids as numbers or texts)?  Not when they
 * cannot be read.
 */
bool model_has_party(const struct db_model *, const char *party_id);

/* The object that the root hash is taken of; the caller's. */
struct json_object *model_members_json(const struct model_member *, size_t n);
/*
 * Read such an object, in the arena.  Every fault is added below path.
 * Errors: ERR_INVALID when one was.
 */
int model_members_read(struct json_object *, const struct json_path *,
    struct faults *, struct arena *, struct model_member **, size_t *n);
/* NULL when it is none of them. */
const struct model_member *model_members_find(const struct model_member *,
    size_t n, const char *role, const char *party_id);
/* Zero stands for unknown: the version came by an archive that proves none. */
bool model_root_is_known(const uint8_t root[MODEL_HASH_SIZE]);
/* Errors: ERR_CRYPTO. */
int model_root(
    const struct model_member *, size_t n, uint8_t root[MODEL_HASH_SIZE]);

#endif
