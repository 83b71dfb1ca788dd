/*
 * The pipeline message (proto/model/pipeline.proto) of a version: what the
 * classic platform's tools read of it.
 */
#ifndef LIB_MODEL_MODEL_PIPELINE_H
#define LIB_MODEL_MODEL_PIPELINE_H

#include "lib/base/buf.h"
#include "lib/db/db_model.h"

/* The part that holds it: component and alias "pipeline". */
#define MODEL_PIPELINE "pipeline"
#define MODEL_PIPELINE_BUFFER "Pipeline"
#define MODEL_PIPELINE_MODULE "Pipeline"

/* Append the packed message; the same version gives the same bytes. */
void model_pipeline_pack(const struct db_model *, struct buf *out);

#endif
