/*
 * Party ids in messages of models.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/party/migrate_text.h"
#include "proto/model/data_transform.pb-c.h"

static struct json_object *was, *is;

static int
set_up(void **state)
{
	(void)state;
	assert_int_equal(
	    json_parse_text(
		"{\"guest\":[9999],\"host\":[10000,\"10001\"]}", &was),
	    0);
	assert_int_equal(
	    json_parse_text("{\"guest\":[1],\"host\":[2,3]}", &is), 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	json_object_put(was);
	json_object_put(is);
	return 0;
}

static void
names_of_old_members_get_the_new_party_and_others_stay(void **state)
{
	static const char *const names[][2] = {
		{ "guest_9999_x0", "guest_1_x0" },
		{ "host_10001_x3", "host_3_x3" },
		{ "host:10000", "host:2" },
		{ "host_9999_x0", "host_9999_x0" },
		{ "guest_99990_x0", "guest_99990_x0" },
		{ "guest_9999", "guest_9999" },
		{ "x9999_guest", "x9999_guest" },
		{ "", "" },
	};
	enum { N = sizeof(names) / sizeof(names[0]) };
	Sluice__Model__DataTransformParam
	    m = SLUICE__MODEL__DATA_TRANSFORM_PARAM__INIT,
	    *back;
	struct buf out = BUF_INIT;
	uint8_t data[1000];
	char *list[N];
	size_t len;

	(void)state;
	for (size_t i = 0; i < N; i++)
		list[i] = (char *)(uintptr_t)names[i][0];
	m.anonymous_header = list;
	m.n_anonymous_header = N;
	len = sluice__model__data_transform_param__pack(&m, data);
	assert_int_equal(
	    migrate_message(&sluice__model__data_transform_param__descriptor,
		data, len, was, is, &out),
	    0);
	back = sluice__model__data_transform_param__unpack(
	    NULL, out.len, (uint8_t *)out.data);
	assert_non_null(back);
	assert_int_equal(back->n_anonymous_header, N);
	for (size_t i = 0; i < N; i++)
		assert_string_equal(back->anonymous_header[i], names[i][1]);
	sluice__model__data_transform_param__free_unpacked(back, NULL);
	buf_fini(&out);
}

static void
bytes_that_are_no_message_are_refused(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(
	    migrate_message(&sluice__model__data_transform_param__descriptor,
		"\xff\xff\xff", 3, was, is, &out),
	    ERR_FORMAT);
	assert_int_equal(out.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    names_of_old_members_get_the_new_party_and_others_stay),
		cmocka_unit_test(bytes_that_are_no_message_are_refused),
	};

	return cmocka_run_group_tests_name("migrate", tests, set_up, tear_down);
}
