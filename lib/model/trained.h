/*
 * What a predict job takes over from the training of its model: who took
 * part in which role, and what was said about each component.
 * A part of job_spec_build().
 *
 * Nothing is copied from one configuration into the other.  A member is
 * looked up where it stood in the training, so that "0|2" and "all" there
 * mean whom they meant, whatever its place is now.
 */
#ifndef LIB_MODEL_TRAINED_H
#define LIB_MODEL_TRAINED_H

#include <stddef.h>

#include "lib/json/faults.h"
#include "lib/json/json.h"
#include "lib/model/dsl.h"
#include "lib/model/job_spec.h"
#include "lib/model/roles.h"
#include "lib/model/section.h"

struct trained {
	struct dsl *dsl; /* of the training */
	struct roles roles;
	struct section params; /* of the training's components */
};

/* What a job takes over: all of its model, or what ModelLoaders load. */
struct trainings {
	const struct trained *model; /* of a predict job, else NULL */
	struct trained *loaded;	     /* one for each of loaders */
	const char **loaders;	     /* components of this job */
	size_t n;
};

/*
 * Read the training's documents; what is wrong with them is told below
 * /train_dsl and /train_runtime_conf.  Always followed by trained_fini().
 */
void trained_read(struct trained *, const struct job_model *,
    const struct providers *, struct arena *, struct faults *);
void trained_fini(struct trained *);

/* Where a piece of the training's parameters stands; for messages. */
extern const struct json_path trained_conf_path;

/* A fault for every member that did not take part in the same role. */
void trained_check_members(const struct trained *, const struct roles *,
    const struct json_path *path, struct faults *);

/*
 * A fault (below path, where the inference DSL stands) for every stored
 * model that the training did not make, or made with another module.
 */
void trained_check_models(const struct trained *, const struct dsl *inference,
    const struct json_path *path, struct faults *);

/*
 * The training's component of this name, when it is of this module; else
 * (size_t)-1.
 */
size_t trained_component(
    const struct trained *, const char *name, const char *module);
/* The member's place in its role of the training, or -1. */
int trained_position(
    const struct trained *, const char *role, const char *party_id);

/*
 * What was given for a component of the training at a member, with what the
 * component inherited itself; the caller's, NULL for nothing.
 */
struct json_object *trained_given(const struct trained *, size_t component,
    const char *role, size_t position);

#endif
