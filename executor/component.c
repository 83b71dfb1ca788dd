/*
 * Running a component, with what holds for all of them.  Called by main.c and
 * by tests.
 */
#include "executor/component.h"

#include "executor/components/table_in.h"

/* What goes in comes out; an arbiter has nothing that goes in. */
static int
pass_table(struct task *task)
{
	struct table_in in;
	int r;

	if (task_input_count(task) == 0)
		return 0;
	if ((r = table_in_open(task, task_input_at(task, 0), &in)) != 0)
		return r;
	r = table_in_copy(&in, 0);
	table_in_close(&in);
	return r;
}

int
component_run(const struct component *c, struct task *task)
{
	bool need_run = task_param_bool(task, "need_run", true);
	int r;

	if (!need_run)
		task_passes(task);
	r = need_run || c->sees_need_run ? c->run(task) : pass_table(task);
	return r != 0 ? r : task_pass_model(task);
}
