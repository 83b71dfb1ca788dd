/*
 * Component parameters against a module's schema.
 */
#ifndef LIB_PROVIDER_PARAMS_H
#define LIB_PROVIDER_PARAMS_H

#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/provider/manifest.h"

/*
 * Check what a user gave (NULL: nothing) for one member running the module
 * and fill in defaults: *out is the complete object, in the schema's order,
 * values normalised (12.0 for an integer becomes 12, names of enums get the
 * schema's spelling).  need_run is accepted by every module.
 * Faults are added below path; rules that tie parameters together
 * (lib/provider/rules.c) are checked when the single values are right.
 * Returns 0, or ERR_INVALID when a fault was added (*out is NULL then).
 */
int params_complete(const struct module *, struct json_object *given,
    const struct json_path *path, struct faults *, struct json_object **out);

/* Check names, types and values only; nothing is filled in. */
int params_check(const struct module *, struct json_object *given,
    const struct json_path *path, struct faults *);

/* Is the schema itself well formed?  Used when a manifest is loaded. */
int params_check_schema(
    struct json_object *schema, const struct json_path *path, struct faults *);

#endif
