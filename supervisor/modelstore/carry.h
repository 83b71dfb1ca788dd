/*
 * A version of a model to the store or from it.
 */
#ifndef SUPERVISOR_MODELSTORE_CARRY_H
#define SUPERVISOR_MODELSTORE_CARRY_H

#include "lib/json/json.h"

/*
 * module is ModelStore or ModelRestore; parameters are theirs, JSON.  *summary
 * (the caller's) tells what was carried: bytes, SHA-256, where.
 * Errors: those of store_*(), model_export_*() and model_import().
 */
int carry(const char *config, const char *module, const char *parameters,
    struct json_object **summary);

#endif
