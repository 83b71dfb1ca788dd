/*
 * Intersection by match id: rows that share one, sample ids of one owner,
 * joins that keep what is not matched; and lists of sample ids that no
 * honest partner would send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/intersection_align.h"
#include "executor/components/intersection_wire.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"
#include "tests/lib/dense_table.h"
#include "tests/lib/loopback.h"

struct sample {
	const char *id;
	const char *match;
	double value;
};

static int tables_made;

static struct member *
add(struct loopback *lb, const char *role, const char *party,
    const char *params, const struct sample *rows, size_t n)
{
	struct member *m = loopback_add(lb, role, party, params);
	char *path =
	    xasprintf("%s/table-%d", loopback_folder(lb), tables_made++);
	struct table_writer *w;
	size_t i;

	assert_int_equal(table_create(&storage_standalone, path, &w), 0);
	for (i = 0; i < n; i++) {
		struct row row = { .kind = ROW_DENSE,
			.flags = ROW_MATCH_ID,
			.id = { rows[i].id, strlen(rows[i].id) },
			.match_id = { rows[i].match, strlen(rows[i].match) },
			.n_values = 1,
			.values = &rows[i].value };

		assert_int_equal(table_append(w, &row), 0);
	}
	assert_int_equal(table_seal(w,
			     "{\"sid\":\"sid\",\"header\":[\"x0\"],"
			     "\"match_id_name\":\"phone\"}",
			     4),
	    0);
	loopback_input(m, "data", "data_transform_0", path);
	free(path);
	return m;
}

static void
assert_ids(struct member *m, const char *want)
{
	char *ids = dense_ids(m, 0);

	assert_string_equal(ids, want);
	free(ids);
}

static double
metric(struct member *m, size_t i)
{
	struct json_object *p = json_object_array_get_idx(
	    loopback_metric(m, "train", "intersection"), i);

	assert_non_null(p);
	return json_object_get_double(json_object_array_get_idx(p, 1));
}

/* Two rows of bob, one of eve whom nobody else knows. */
static const struct sample guest_rows[] = { { "g1", "bob", 1 },
	{ "g2", "eve", 2 }, { "g3", "ann", 3 }, { "g4", "bob", 4 } };
static const struct sample host_rows[] = { { "h1", "ann", 10 },
	{ "h2", "bob", 20 }, { "h3", "zoe", 30 } };

static void
rows_of_one_match_id_all_meet_the_partners_row(void **state)
{
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", "{}", guest_rows, 4);
	struct member *host = add(lb, "host", "10000", "{}", host_rows, 3);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_ids(guest, "g1 g4 g3");
	assert_ids(host, "g1 g4 g3");
	assert_true(dense_output(host, 0, "g4", 0) == 20);
	assert_true(dense_output(host, 0, "g3", 0) == 10);
	assert_true(dense_output(guest, 0, "g4", 0) == 4);
	assert_true(metric(guest, 0) == 2); /* bob, ann */
	assert_true(metric(guest, 1) == 3); /* different match ids */
	assert_true(metric(guest, 5) == 3); /* rows */
	assert_int_equal(
	    json_get_int(loopback_summary(guest), "unique_id_num", 0), 3);
	loopback_free(lb);
}

static void
the_host_may_own_the_sample_ids(void **state)
{
	const char *p = "{\"sample_id_generator\":\"host\"}";
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", p, guest_rows, 4);
	struct member *host = add(lb, "host", "10000", p, host_rows, 3);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_ids(guest, "h2 h1");
	assert_ids(host, "h2 h1");
	assert_true(dense_output(guest, 0, "h2", 0) == 1);
	/* The guest's second row of bob has no place: it is told so. */
	assert_non_null(strstr(loopback_log(guest), "repeat a match id"));
	loopback_free(lb);
}

static void
a_left_join_keeps_the_owners_rows_and_fills_the_partners(void **state)
{
	const char *p = "{\"join_method\":\"left_join\"}";
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", p, guest_rows, 4);
	struct member *host = add(lb, "host", "10000", p, host_rows, 3);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_ids(guest, "g1 g2 g3 g4");
	assert_ids(host, "g1 g2 g3 g4");
	assert_true(isnan(dense_output(host, 0, "g2", 0)));
	assert_true(dense_output(host, 0, "g1", 0) == 20);
	assert_true(dense_output(guest, 0, "g2", 0) == 2);
	assert_true(metric(host, 5) == 4);
	loopback_free(lb);
}

static void
rows_that_only_one_party_has_can_get_new_ids(void **state)
{
	const char *p = "{\"join_method\":\"left_join\","
			"\"new_sample_id\":true}";
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", p, guest_rows, 4);
	struct member *host = add(lb, "host", "10000", p, host_rows, 3);
	char *a, *b;

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	a = dense_ids(guest, 0);
	b = dense_ids(host, 0);
	assert_string_equal(a, b);
	assert_null(strstr(a, "g2"));
	assert_int_equal(strncmp(a, "g1 ", 3), 0);
	free(a);
	free(b);
	loopback_free(lb);
}

static void
two_hosts_get_the_same_sample_ids(void **state)
{
	static const struct sample third[] = { { "k1", "bob", 7 },
		{ "k2", "eve", 8 } };
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *m[3];
	int i;

	(void)state;
	m[0] = add(lb, "guest", "9999", "{}", guest_rows, 4);
	m[1] = add(lb, "host", "10000", "{}", host_rows, 3);
	m[2] = add(lb, "host", "10001", "{}", third, 2);
	assert_int_equal(loopback_run(lb), 0);
	for (i = 0; i < 3; i++)
		assert_ids(m[i], "g1 g4");
	assert_true(dense_output(m[2], 0, "g4", 0) == 7);
	loopback_free(lb);
}

static void
without_sync_only_the_guest_gets_rows(void **state)
{
	const char *p = "{\"sync_intersect_ids\":false}";
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", p, guest_rows, 4);
	struct member *host = add(lb, "host", "10000", p, host_rows, 3);
	struct json_object *sent;

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_ids(guest, "g1 g4 g3");
	assert_ids(host, "");
	sent = loopback_sent(guest);
	assert_false(json_has(sent, "id_map_from_guest/0.0"));
	json_object_put(sent);
	loopback_free(lb);
}

static void
cardinality_counts_match_ids(void **state)
{
	const char *p = "{\"cardinality_only\":true}";
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", p, guest_rows, 4);

	(void)state;
	add(lb, "host", "10000", p, host_rows, 3);
	assert_int_equal(loopback_run(lb), 0);
	assert_true(metric(guest, 0) == 2);
	loopback_free(lb);
}

static void
match_ids_at_one_party_only_are_named(void **state)
{
	static const struct dense_row plain[] = { { "bob", NAN, NULL, { 1 } } };
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *host, *guest;

	(void)state;
	guest = add(lb, "guest", "9999", "{}", guest_rows, 4);
	host = loopback_add(lb, "host", "10000", "{}");
	dense_input(lb, host, "data", "data_transform_0", plain, 1, 1,
	    "{\"sid\":\"id\",\"header\":[\"x0\"]}");
	assert_int_equal(loopback_run(lb), ERR_CONFLICT);
	assert_true(strstr(loopback_error(guest), "with_match_id") != NULL ||
		    strstr(loopback_error(host), "with_match_id") != NULL);
	loopback_free(lb);
}

/* --- what a partner may send ------------------------------------------------ */

static void
lists_of_sample_ids_that_cannot_be_are_refused(void **state)
{
	/* version, block 0, 1 entry of 1, place 0, "ab" */
	static const unsigned char good[] = { 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
		0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 'a', 'b' };
	static const struct {
		size_t at;
		unsigned char value;
	} bad[] = { { 0, 2 }, { 4, 1 }, { 8, 2 }, { 12, 0 }, { 16, 255 },
		{ 20, 1 }, { 24, 0 }, { 24, 3 }, { 24, 1 }, { 25, 200 },
		{ 26, 0 }, { 26, 0xff } };
	unsigned char m[sizeof(good)];
	struct alignment a = { 0 };
	uint64_t total = 0;
	size_t i;

	(void)state;
	assert_int_equal(
	    align_decode(good, sizeof(good), 0, &total, 1, false, &a), 0);
	assert_int_equal(a.n, 1);
	alignment_fini(&a);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(m, good, sizeof(m));
		m[bad[i].at] = bad[i].value;
		total = 0;
		assert_int_equal(
		    align_decode(m, sizeof(m), 0, &total, 1, false, &a),
		    ERR_FORMAT);
		alignment_fini(&a);
	}
	for (i = 0; i < sizeof(good); i++) {
		total = 0;
		assert_int_equal(
		    align_decode(good, i, 0, &total, 1, false, &a), ERR_FORMAT);
		alignment_fini(&a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    rows_of_one_match_id_all_meet_the_partners_row),
		cmocka_unit_test(the_host_may_own_the_sample_ids),
		cmocka_unit_test(
		    a_left_join_keeps_the_owners_rows_and_fills_the_partners),
		cmocka_unit_test(rows_that_only_one_party_has_can_get_new_ids),
		cmocka_unit_test(two_hosts_get_the_same_sample_ids),
		cmocka_unit_test(without_sync_only_the_guest_gets_rows),
		cmocka_unit_test(cardinality_counts_match_ids),
		cmocka_unit_test(match_ids_at_one_party_only_are_named),
		cmocka_unit_test(
		    lists_of_sample_ids_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
