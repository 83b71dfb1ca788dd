/*
 * A sealed version of a model as a guest has it, with files.
 */
#ifndef TESTS_LIB_VERSION_H
#define TESTS_LIB_VERSION_H

#include "lib/conf/site_conf.h"
#include "lib/db/db_model.h"

#define VERSION_ID "202601010000000000001"
#define VERSION_MODEL "guest-9999#host-10000#model"
#define VERSION_PARTY "9999"

extern const struct db_model_key version_key;

/*
 * Two components of two buffers each, a pipeline, a checkpoint of the second
 * component, and a root over this member and a host.
 */
void version_make(struct db *, const struct site_conf *, struct arena *);

#endif
