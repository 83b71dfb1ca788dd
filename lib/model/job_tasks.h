/*
 * Providers and parameters of every component on every member.
 * A part of job_spec_build().
 */
#ifndef LIB_MODEL_JOB_TASKS_H
#define LIB_MODEL_JOB_TASKS_H

#include "lib/json/faults.h"
#include "lib/model/job_conf.h"
#include "lib/model/job_spec.h"

/*
 * Fill the tasks of spec->members, whose roles, positions and tasks arrays
 * exist, and spec->providers_json.
 */
void job_tasks_build(const struct job_spec_input *, const struct job_conf *,
    struct job_spec *, struct faults *);

#endif
