/*
 * Objects that an executor hands over in files.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "supervisor/shepherd/parcel.h"

/* A file with no name; all of it is a hole. */
static int
hole(off_t size)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static int
hand_over(int fd, uint64_t size, struct parcel **out)
{
	Sluice__Executor__Remote m = SLUICE__EXECUTOR__REMOTE__INIT;
	int r;

	m.name = (char *)(uintptr_t) "name";
	m.size = size;
	m.in_descriptor = 1;
	r = parcel_new(&m, &fd, out);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

static void
a_file_that_can_change_is_copied(void **state)
{
	const char text[] = "hello";
	struct parcel *p;
	char have[sizeof(text)];
	int fd = hole(sizeof(text)), other = dup(fd);

	(void)state;
	assert_int_equal(pwrite(fd, text, sizeof(text), 0), sizeof(text));
	assert_int_equal(hand_over(fd, sizeof(text), &p), 0);
	assert_int_equal(pwrite(other, "HELLO", 5, 0), 5);
	assert_int_equal(pread(p->fd, have, sizeof(have), 0), sizeof(have));
	assert_string_equal(have, text);
	parcel_drop(p);
	(void)close(other);
}

static void
memory_is_sealed_and_taken_as_it_is(void **state)
{
	int fd = memfd_create("object", MFD_ALLOW_SEALING), other;
	struct parcel *p;

	(void)state;
	assert_int_equal(ftruncate(fd, 2000000000), 0);
	other = dup(fd);
	assert_int_equal(hand_over(fd, 2000000000, &p), 0);
	assert_int_equal(pwrite(other, "x", 1, 0), -1);
	parcel_drop(p);
	(void)close(other);
}

/* A hole costs the executor nothing; its copy would cost us gigabytes. */
static void
a_large_file_is_not_copied_into_memory(void **state)
{
	struct parcel *p;

	(void)state;
	assert_int_equal(
	    hand_over(hole(2000000000), 2000000000, &p), ERR_LIMIT);
	assert_null(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_can_change_is_copied),
		cmocka_unit_test(memory_is_sealed_and_taken_as_it_is),
		cmocka_unit_test(a_large_file_is_not_copied_into_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
