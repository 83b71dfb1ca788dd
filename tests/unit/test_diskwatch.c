/*
 * What counts as an executor's disk space.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "supervisor/shepherd/diskwatch.h"

#define MB (1 << 20)

static char dir[32];

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/sluice-disk-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	return fd_remove_tree(dir);
}

/* A descriptor of a file with len bytes in it. */
static int
make_file(const char *name, size_t len)
{
	char *path = xasprintf("%s/%s", dir, name), *data = xcalloc(1, len);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	memset(data, 'x', len);
	assert_int_equal(fd_write_all(fd, data, len), 0);
	assert_int_equal(fsync(fd), 0);
	free(data);
	free(path);
	return fd;
}

static void
make_folder(const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);

	assert_int_equal(fd_mkdirs(path, 0700), 0);
	free(path);
}

static void
files_of_all_folders_count_and_holes_do_not(void **state)
{
	int64_t bytes;
	int fd;

	(void)state;
	make_folder("a/b");
	(void)close(make_file("one", MB));
	(void)close(make_file("a/b/two", 2 * MB));
	fd = make_file("hole", 1);
	assert_int_equal(ftruncate(fd, 1 << 30), 0);
	(void)close(fd);
	bytes = diskwatch_bytes(dir, 0);
	assert_in_range(bytes, 3 * MB, 4 * MB);
}

static void
files_without_a_name_count_while_they_are_open(void **state)
{
	int fd = make_file("gone", 2 * MB);
	char *path = xasprintf("%s/gone", dir);

	(void)state;
	assert_int_equal(unlink(path), 0);
	assert_in_range(diskwatch_bytes(dir, 0), 0, MB);
	assert_in_range(diskwatch_bytes(dir, getpid()), 2 * MB, 3 * MB);
	(void)close(fd);
	assert_in_range(diskwatch_bytes(dir, getpid()), 0, MB);
	free(path);
}

static void
links_are_not_followed(void **state)
{
	char *path = xasprintf("%s/link", dir);

	(void)state;
	assert_int_equal(symlink("/usr", path), 0);
	assert_in_range(diskwatch_bytes(dir, 0), 0, MB);
	free(path);
}

static void
a_tree_that_no_task_needs_is_too_much(void **state)
{
	(void)state;
	make_folder("1/2/3/4/5/6/7/8");
	assert_true(diskwatch_bytes(dir, 0) < MB);
	make_folder("1/2/3/4/5/6/7/8/9");
	assert_true(diskwatch_bytes(dir, 0) == INT64_MAX);
}

/* Root sees it all: as another account. */
static void
a_folder_that_cannot_be_seen_is_too_much(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(chmod(dir, 0777), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if ((geteuid() == 0 && setuid(65534) != 0) || chdir(dir) != 0 ||
		    mkdir("unseen", 0300) != 0)
			_exit(9);
		_exit(diskwatch_bytes(dir, 0) == INT64_MAX ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(files_of_all_folders_count_and_holes_do_not),
		TEST(files_without_a_name_count_while_they_are_open),
		TEST(links_are_not_followed),
		TEST(a_tree_that_no_task_needs_is_too_much),
		TEST(a_folder_that_cannot_be_seen_is_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
