/*
 * A deployed version: a child of a trained one, with an inference DSL and the
 * models that it uses.  Whoever deploys asks all guests, hosts and arbiters
 * (errands of lib/party/errand.h): first to stage the child, then, when all
 * have, to seal it with the hashes of all their manifests; else to drop it.
 * Any member's site may deploy; the others see that it is a member, and that
 * their parent has the same root.
 *
 * Bodies of all three, an object:
 *
 *	model_id, model_version  the parent
 *	root                     its root hash, 64 hex digits
 *	child                    the new version, a fresh job id
 *	inference_dsl            of the child
 *	checkpoints              optional: component → {"step_index": N} or
 *	                         {"step_name": S}, models as they were then
 *	members                  to seal: role → party → manifest hash
 *
 * Staging answers "manifest_hash", or ERR_BUSY while the parent is staged and
 * not sealed.  Sealing stages again what was dropped meanwhile: the same body
 * gives the same manifest.
 */
#ifndef LIB_PARTY_MODEL_DEPLOY_H
#define LIB_PARTY_MODEL_DEPLOY_H

#include "lib/party/errand.h"

#define MODEL_DEPLOY_STAGE "model-deploy-stage"
#define MODEL_DEPLOY_SEAL "model-deploy-seal"
#define MODEL_DEPLOY_DROP "model-deploy-drop"

/*
 * Errors: ERR_EXISTS (retcode 100: the version is taken), ERR_UNSUPPORTED
 * (100: the parent is no parent, has no such checkpoint), ERR_NOT_FOUND (no
 * such parent here), ERR_DENIED (the caller is no member, the roots differ),
 * ERR_INVALID, ERR_FORMAT (a part is damaged).
 */
errand_fn model_deploy_stage;
errand_fn model_deploy_seal;
errand_fn model_deploy_drop;

#endif
