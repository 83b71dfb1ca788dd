/*
 * What the files behind job_tasks.h share: the work at hand, and one
 * component of it.
 */
#ifndef LIB_MODEL_JOB_TASKS_PRIVATE_H
#define LIB_MODEL_JOB_TASKS_PRIVATE_H

#include "lib/model/job_tasks.h"
#include "lib/model/section.h"

#define NONE ((size_t)-1)
#define MODULES_MAX 200

struct build {
	const struct job_spec_input *in;
	const struct job_conf *conf;
	const struct trained *trained; /* of a predict job, else NULL */
	const struct trainings *trainings;
	struct job_spec *spec;
	struct faults *faults;
	struct section params;
	struct section providers;
	/* Modules whose members were checked. */
	const struct module *seen[MODULES_MAX];
	size_t n_seen;
};

/* A choice of provider and where it was made. */
struct choice {
	const char *spec; /* NULL: the default */
	const struct json_path *path;
	struct piece_path buffer;
	struct json_path node[3];
};

/* What somebody wrote about a component: for this job or for the training. */
struct given {
	const struct piece *piece;
	bool of_training;
};

/* What was completed for the member before; hosts mostly share it. */
struct shared {
	const struct module *module;
	struct given *set;
	size_t n;
	struct json_object *inherited;
	bool valid;
	struct json_object *given;
	struct json_object *complete;
};

struct component {
	size_t seq;
	size_t index; /* in the DSL */
	const struct dsl_component *dsl;
	const struct module *module; /* of the common choice */
	struct choice choice;
	const struct piece *pieces;
	size_t n;
	size_t trained; /* index in the training's DSL, or NONE */
	const struct piece *trained_pieces;
	size_t n_trained;
	bool pieces_ok;
	struct shared last;
};

/* Is everything that was given for the component right, piece by piece? */
bool task_params_check(const struct build *, const struct component *);
/*
 * What was given for the component at a member, merged and completed; the
 * task's module is known.  What is missing is told.
 */
void task_params_give(const struct build *, struct component *,
    const struct job_member *, struct job_task *);
/* When the last member has got its parameters. */
void task_params_end(struct component *);

#endif
