/*
 * What a component is, and the table of all of them.
 *
 * A component is a function per module that gets a task (executor/task.h),
 * reads its inputs, talks to the same component at the other members, and
 * leaves tables, models, metrics and a summary behind.  It runs in the
 * executor behind a shepherd and, in tests, in one process with all members
 * as threads; it cannot tell the difference.
 */
#ifndef EXECUTOR_COMPONENT_H
#define EXECUTOR_COMPONENT_H

#include "executor/task.h"

struct component {
	const char *module; /* as in the DSL: HeteroLR */
	const char *roles;  /* words: "guest host arbiter" */
	/*
	 * 0, or a code with err_set() on the calling thread; the text goes to
	 * the people who started the job, so it says which row or parameter
	 * is at fault and what would be right.
	 */
	int (*run)(struct task *);
	/* What it does with need_run false is its own affair. */
	bool sees_need_run;
};

/*
 * Run a component for a task.  With need_run false a component that does not
 * look at it is not run: its first input table becomes its first output, and
 * the task passes.  A model that was applied is handed on.
 */
int component_run(const struct component *, struct task *);

/* The component of a module in a role: ERR_NOT_FOUND, ERR_UNSUPPORTED. */
int component_find(
    const char *module, const char *role, const struct component **out);
/* All of them, ended by a NULL. */
const struct component *const *component_all(void);

/* One per file in executor/components/, listed in executor/registry.c. */
extern const struct component component_upload;
extern const struct component component_reader;
extern const struct component component_model_loader;
extern const struct component component_writer;
extern const struct component component_download;
extern const struct component component_data_transform;
extern const struct component component_intersection;
extern const struct component component_cache_loader;
extern const struct component component_federated_sample;
extern const struct component component_label_transform;
extern const struct component component_union;
extern const struct component component_hetero_data_split;
extern const struct component component_homo_data_split;
extern const struct component component_feature_scale;
extern const struct component component_data_statistics;
extern const struct component component_hetero_lr;
extern const struct component component_evaluation;
extern const struct component component_homo_lr;
extern const struct component component_secure_add;

#endif
