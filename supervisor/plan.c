/*
 * The planning core of the scheduler: which commands and changes of rows a
 * job lacks.  Called by scheduler_look.c with a fresh snapshot; knows no clock and
 * no database.
 */
#include "supervisor/plan_private.h"

#include <stdlib.h>
#include <string.h>

void
plan_init(struct plan *p)
{
	memset(p, 0, sizeof(*p));
	p->arena = arena_new();
}

void
plan_fini(struct plan *p)
{
	free(p->actions);
	arena_free(p->arena);
	memset(p, 0, sizeof(*p));
}

static const struct verb {
	const char *name;
	bool is_command, is_task;
} verbs[] = {
	[PLAN_SET_VERDICT] = { "set verdict", false, true },
	[PLAN_SET_JOB] = { "set job", false, false },
	[PLAN_UNDO] = { "undo", false, false },
	[PLAN_SET_PARTY] = { "set party", false, true },
	[PLAN_SET_PROGRESS] = { "set progress", false, false },
	[PLAN_WAIT] = { "wait", false, false },
	[PLAN_RERUN] = { "rerun", false, true },
	[PLAN_SETTLE] = { "settle", false, false },
	[PLAN_SIGN] = { "sign", false, false },
	[PLAN_CREATE] = { "create", true, false },
	[PLAN_REOPEN] = { "reopen", true, false },
	[PLAN_APPLY] = { "resource apply", true, false },
	[PLAN_RETURN] = { "resource return", true, false },
	[PLAN_START] = { "start", true, false },
	[PLAN_MODEL] = { "model", true, false },
	[PLAN_END] = { "end", true, false },
	[PLAN_TASK_CREATE] = { "task create", true, true },
	[PLAN_TASK_START] = { "task start", true, true },
	[PLAN_TASK_STATUS] = { "task status", true, true },
	[PLAN_TASK_STOP] = { "task stop", true, true },
	[PLAN_TASK_COLLECT] = { "task collect", true, true },
};

const char *
plan_verb_name(enum plan_verb verb)
{
	return verbs[verb].name;
}

bool
plan_is_command(enum plan_verb verb)
{
	return verbs[verb].is_command;
}

bool
plan_goes_on(const struct plan_action *a)
{
	return a->verb == PLAN_SET_VERDICT || a->verb == PLAN_SET_PROGRESS ||
	       a->verb == PLAN_SIGN ||
	       (a->verb == PLAN_SET_JOB && a->status == STATE_RUNNING);
}

bool
plan_is_task_command(enum plan_verb verb)
{
	return verbs[verb].is_command && verbs[verb].is_task;
}

void
plan_make(struct plan *p, const struct plan_job *j)
{
	struct plan_maker k = { .plan = p, .job = j };

	p->n = 0;
	p->wait = wait_of(WAIT_NONE);
	arena_reset(p->arena);
	k.views = arena_alloc(p->arena, j->ncomponents * sizeof(*k.views) + 1);
	for (size_t c = 0; c < j->ncomponents; c++)
		plan_look_at(&k, c);
	k.runs = j->status == STATE_RUNNING;
	k.ends = state_is_end(j->status);
	k.succeeds = j->status == STATE_SUCCESS;
	if (k.ends)
		plan_end(&k);
	else if (!plan_ends_early(&k) && plan_begin(&k)) {
		if (!k.runs)
			plan_set_job(&k, STATE_RUNNING, NULL);
		k.runs = true;
		plan_run(&k);
		if (k.succeeds)
			plan_succeed(&k);
	}
	plan_fold(&k);
	plan_tasks_wait(&k);
}
