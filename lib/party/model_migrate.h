/*
 * A version for other parties: the same model, with other party ids in its
 * documents and messages, under the model id of the new roles and a version
 * of its own.  Each member makes an archive of its half
 * (lib/archive/model_archive.h), which the new party's site imports; nothing
 * of it is registered here.
 *
 * Body, an object:
 *
 *	model_id, model_version	 the version that is here
 *	root			 its root hash, 64 hex digits
 *	role, migrate_role	 old and new roles, same keys and lengths
 *	initiator_role, initiator_party	 the new ones
 *	new_version		 of the archives
 *	write			 false: only answer the manifest's hash
 *	members			 optional: role → party → manifest hash of all
 *				 new members, from which the root follows
 *
 * Answers "manifest_hash", and when written "path" (below HOME), "sha256".
 * The same body gives the same archive.
 */
#ifndef LIB_PARTY_MODEL_MIGRATE_H
#define LIB_PARTY_MODEL_MIGRATE_H

#include "lib/party/errand.h"

#define MODEL_MIGRATE "model-migrate"

/*
 * So begins the name of an archive in SITE_MIGRATED while it is written; a
 * finished one's begins with a role.
 */
#define MODEL_MIGRATED_MADE "made-"

/*
 * Errors: ERR_EXISTS (retcode 100: the version is taken), ERR_NOT_FOUND,
 * ERR_DENIED (the caller is no member, the roots differ), ERR_INVALID,
 * ERR_FORMAT (a part is damaged), ERR_LIMIT (a partner asks and 64 archives
 * lie here already), ERR_IO.
 */
errand_fn model_migrate;

#endif
