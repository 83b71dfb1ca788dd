/*
 * ModelLoader: a model of an earlier version becomes one of this job, so that
 * its components can apply it or train it further.  The shepherd has found
 * and checked it; here it is handed on as it is.
 */
#include "executor/component.h"
#include "lib/base/err.h"

static int
run(struct task *task)
{
	/* An arbiter has no part in what members do for themselves. */
	if (!task_has_model(task, TASK_MODEL) && !task_is(task, "arbiter"))
		return err_set(ERR_NOT_FOUND, "there is no such model at %s",
		    task_role(task));
	return task_pass_model(task);
}

const struct component component_model_loader = {
	.module = "ModelLoader",
	.roles = "guest host arbiter",
	.run = run,
};
