/*
 * Providers and parameters of every component on every member.
 * A part of job_spec_build().
 */
#ifndef LIB_MODEL_JOB_TASKS_H
#define LIB_MODEL_JOB_TASKS_H

#include "lib/json/faults.h"
#include "lib/model/job_conf.h"
#include "lib/model/job_spec.h"
#include "lib/model/trained.h"

/*
 * Fill the tasks of spec->members, whose roles, positions and tasks arrays
 * exist, and spec->providers_json.
 *
 * What was given for a component, from what wins last to what wins first:
 * this job's role scopes, the training's role scopes, this job's common, the
 * training's common, and what it inherits because its model is that of
 * another component of the same module, of this job or of a training that a
 * ModelLoader loads from.
 */
void job_tasks_build(const struct job_spec_input *, const struct job_conf *,
    const struct trainings *, struct job_spec *, struct faults *);

#endif
