/*
 * From the DSL that trained a model to the DSL that predicts with it: which
 * components stay, and what they are fed with when the ones before them go.
 */
#ifndef LIB_MODEL_PREDICT_DSL_H
#define LIB_MODEL_PREDICT_DSL_H

#include <stddef.h>

#include "lib/json/faults.h"
#include "lib/json/json.h"

/*
 * Keep n components of a training DSL (components NULL: all of them).  The
 * rules are those of the classic platform:
 *
 *   - each keeps its module and its outputs but the model, which becomes
 *     input.model: ["pipeline.NAME.ALIAS"], the model of the deployed
 *     version; models it was fed with in training are left out;
 *   - one data input stays, the first present of data, train_data,
 *     validate_data, test_data; it is called data, or else test_data;
 *   - a reference to a component that goes is replaced by what that one
 *     consumed: the first entry of its train_data, else eval_data, test_data,
 *     data, and so on upwards; where this ends (a Reader that goes) the
 *     reference goes too, and an input without references with it;
 *   - caches are consumed as in training.
 *
 * Components stand in the order in which they may run.  path is where the
 * training DSL stands.  Ownership: *out is the caller's.
 * Errors: ERR_INVALID with at least one fault added: the DSL is broken,
 * or lacks a component that is to stay.
 */
int predict_dsl_deduce(struct json_object *train_dsl,
    const char *const *components, size_t n, struct faults *,
    const struct json_path *path, struct json_object **out);

#endif
