/*
 * Loading a deployed version into a member's serving.
 */
#ifndef LIB_PARTY_MODEL_LOAD_H
#define LIB_PARTY_MODEL_LOAD_H

#include "lib/party/errand.h"

#define MODEL_LOAD "model-load"

/*
 * Body: model_id, model_version.
 * Errors: ERR_UNSUPPORTED (retcode 100) when the version is not deployed, or
 * when this site has no serving, as none can be configured yet; ERR_DENIED
 * when the caller is no member of the model.
 */
errand_fn model_load;

#endif
