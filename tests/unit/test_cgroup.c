/*
 * Control groups without a kernel that has them: folders stand for groups.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "supervisor/shepherd/limits.h"

static char folder[] = "/tmp/sluice-cgroup-XXXXXX";

static void
make(const char *name, bool is_old)
{
	const struct timespec old[2] = { { .tv_sec = time(NULL) - 3600 },
		{ .tv_sec = time(NULL) - 3600 } };
	char *path = xasprintf("%s/%s", folder, name);

	assert_int_equal(fd_mkdirs(path, 0700), 0);
	if (is_old)
		assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	free(path);
}

static bool
is_there(const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	bool found = access(path, F_OK) == 0;

	free(path);
	return found;
}

static void
groups_of_dead_tasks_are_removed_and_no_others(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	make("sluice-dead", true);
	make("sluice-about-to-be-entered", false);
	make("sluice-full/process", true);
	make("sluice-full", true);
	make("somebody-else-s", true);
	cgroup_sweep("off");
	assert_true(is_there("sluice-dead"));
	cgroup_sweep(folder);
	assert_false(is_there("sluice-dead"));
	assert_true(is_there("sluice-about-to-be-entered"));
	assert_true(is_there("sluice-full"));
	assert_true(is_there("somebody-else-s"));
	/* A folder that is not there is nobody's fault. */
	assert_int_equal(fd_remove_tree(folder), 0);
	cgroup_sweep(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    groups_of_dead_tasks_are_removed_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
