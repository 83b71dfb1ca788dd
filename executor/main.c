/*
 * The executor: one component, one task, then the end.  Its shepherd starts
 * it in a sandbox and talks to it over descriptor 3.
 *
 *   executor            run the task that the shepherd describes
 *   executor --list     print the components and their roles
 */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/channel.h"
#include "executor/component.h"
#include "executor/confine.h"
#include "lib/base/err.h"
#include "lib/base/log.h"

enum { SHEPHERD_FD = 3 };

/*
 * The first process of a namespace gets no signal that it has no handler for,
 * from itself neither; abort() would end as another fault.
 */
static void
on_abort(int signo)
{
	_exit(128 + signo);
}

static int
list(void)
{
	const struct component *const *c;

	for (c = component_all(); *c != NULL; c++)
		if (printf("%s: %s\n", (*c)->module, (*c)->roles) < 0)
			return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static int
run(struct task *task)
{
	const struct component *component;
	int r;

	/* The pool of random bytes is opened before the filter closes. */
	if (sodium_init() < 0)
		return err_set(ERR_CRYPTO, "libsodium does not start");
	if ((r = component_find(
		 task_module(task), task_role(task), &component)) != 0 ||
	    (r = confine()) != 0)
		return r;
	return component_run(component, task);
}

int
main(int argc, char **argv)
{
	struct channel *channel = NULL;
	struct task *task = NULL;
	int r;

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	log_init("executor", LOG_INFO_);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
	    signal(SIGABRT, on_abort) == SIG_ERR)
		return EXIT_FAILURE;
	r = channel_open(SHEPHERD_FD, &channel, &task);
	if (r == 0)
		r = run(task);
	if (r != 0)
		log_err("task failed");
	if (channel_finish(channel, r) != 0) {
		log_err("the end could not be reported");
		r = -1;
	}
	/*
	 * The shepherd waits for our end and nothing else: what reads from it
	 * and all that is held go with the process.
	 */
	(void)fflush(NULL);
	_exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}
