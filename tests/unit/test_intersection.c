/*
 * Intersection: against the plain intersection of the same sets, in every
 * mode; and blocks that no honest partner would send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "executor/components/intersection_tokens.h"
#include "executor/components/intersection_wire.h"
#include "executor/math/ecdh.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"
#include "tests/lib/loopback.h"

static int tables_made;

/* Rows "u<number>" with one value, in the order given. */
static char *
make_table(struct loopback *lb, const int *ids, size_t n)
{
	char *path =
	    xasprintf("%s/table-%d", loopback_folder(lb), tables_made++);
	struct table_writer *w;
	char id[16];
	double v;
	size_t i;

	assert_int_equal(table_create(&storage_standalone, path, &w), 0);
	for (i = 0; i < n; i++) {
		struct row row = {
			.kind = ROW_DENSE, .n_values = 1, .values = &v
		};

		v = ids[i];
		row.id.data = id;
		row.id.len = (size_t)snprintf(id, sizeof(id), "u%d", ids[i]);
		assert_int_equal(table_append(w, &row), 0);
	}
	assert_int_equal(
	    table_seal(w, "{\"sid\":\"id\",\"header\":[\"x0\"]}", 4), 0);
	return path;
}

static struct member *
add(struct loopback *lb, const char *role, const char *party,
    const char *params, const int *ids, size_t n)
{
	struct member *m = loopback_add(lb, role, party, params);
	char *path = make_table(lb, ids, n);

	loopback_cores(m, 2);
	loopback_input(m, "data", "data_transform_0", path);
	free(path);
	return m;
}

/* The output's values, which are the ids' numbers. */
static size_t
read_output(struct member *m, int *out, size_t max, uint32_t *n_values)
{
	struct table *t = loopback_output(m, 0);
	struct table_cursor *cur;
	struct row row;
	char id[16];
	size_t n = 0;

	assert_non_null(t);
	assert_int_equal(table_scan(t, 0, table_count(t), &cur), 0);
	while (cursor_next(cur, &row) == 1) {
		assert_true(n < max && row.id.len < sizeof(id));
		memcpy(id, row.id.data, row.id.len);
		id[row.id.len] = '\0';
		out[n++] = atoi(id + 1);
		*n_values = row.n_values;
	}
	cursor_free(cur);
	return n;
}

static void
assert_output(struct member *m, const int *want, size_t n)
{
	int got[4096];
	uint32_t n_values = 1;
	size_t i;

	assert_int_equal(read_output(m, got, 4096, &n_values), n);
	for (i = 0; i < n; i++)
		assert_int_equal(got[i], want[i]);
	assert_int_equal(n_values, 1);
}

static void
assert_metric(struct member *m, size_t i, const char *name, double value)
{
	struct json_object *series, *p;

	series = loopback_metric(m, "train", "intersection");
	p = json_object_array_get_idx(series, i);
	assert_string_equal(
	    json_object_get_string(json_object_array_get_idx(p, 0)), name);
	assert_true(
	    json_object_get_double(json_object_array_get_idx(p, 1)) == value);
}

static void
assert_sent(struct member *m, const char *what, bool is_sent)
{
	struct json_object *sent = loopback_sent(m);

	assert_int_equal(json_has(sent, what), is_sent);
	json_object_put(sent);
}

static void
common_rows_come_out_in_the_order_of_the_guest(void **state)
{
	static const int g[] = { 7, 3, 9, 1, 5, 100, 42 };
	static const int h[] = { 1, 2, 3, 4, 5, 6, 7, 42 };
	static const int both[] = { 7, 3, 1, 5, 42 };
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", "{}", g, 7);
	struct member *host = add(lb, "host", "10000", "{}", h, 8);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_output(guest, both, 5);
	assert_output(host, both, 5);
	assert_metric(guest, 0, "intersect_count", 5);
	assert_metric(guest, 1, "input_match_id_count", 7);
	assert_metric(host, 2, "intersect_rate", 5.0 / 8);
	assert_metric(host, 3, "unmatched_count", 3);
	assert_string_equal(
	    json_get_str(loopback_meta(guest, "train", "intersection"),
		"metric_type", ""),
	    "INTERSECTION");
	assert_int_equal(
	    json_get_int(loopback_summary(host), "intersect_num", -1), 5);
	loopback_free(lb);
}

static void
sets_may_be_disjoint_equal_or_empty(void **state)
{
	static const int a[] = { 1, 2, 3 }, b[] = { 4, 5 };
	static const int c[] = { 3, 1, 2 };
	static const struct {
		const int *g, *h;
		size_t ng, nh, common;
	} cases[] = {
		{ a, b, 3, 2, 0 },
		{ a, c, 3, 3, 3 },
		{ a, b, 0, 2, 0 },
		{ a, b, 3, 0, 0 },
		{ a, b, 0, 0, 0 },
	};
	struct loopback *lb;
	struct member *guest, *host;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lb = loopback_new("Intersection", "i_0");
		guest = add(lb, "guest", "9999", "{}", cases[i].g, cases[i].ng);
		host = add(lb, "host", "10000", "{}", cases[i].h, cases[i].nh);
		assert_int_equal(loopback_run(lb), 0);
		assert_output(guest, cases[i].g, cases[i].common);
		assert_output(host, cases[i].g, cases[i].common);
		loopback_free(lb);
	}
}

static void
without_sync_the_host_learns_sizes_only(void **state)
{
	static const int g[] = { 1, 2, 3 }, h[] = { 2, 3, 4, 5 };
	static const int both[] = { 2, 3 };
	const char *p = "{\"sync_intersect_ids\":false}";
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", p, g, 3);
	struct member *host = add(lb, "host", "10000", p, h, 4);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_output(guest, both, 2);
	assert_output(host, NULL, 0);
	assert_metric(host, 0, "intersect_count", -1);
	assert_metric(host, 3, "unmatched_count", -1);
	assert_sent(guest, "id_ciphertext_exchange_g2h/0.0", true);
	assert_sent(guest, "intersect_ids/0.0", false);
	loopback_free(lb);
}

static void
cardinality_is_all_that_is_learned_when_asked_for(void **state)
{
	static const int g[] = { 1, 2, 3 }, h[] = { 2, 3, 4, 5 };
	const char *p = "{\"cardinality_only\":true,"
			"\"sync_cardinality\":true}";
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", p, g, 3);
	struct member *host = add(lb, "host", "10000", p, h, 4);

	(void)state;
	assert_int_equal(loopback_run(lb), 0);
	assert_metric(guest, 0, "intersect_count", 2);
	assert_metric(host, 0, "intersect_count", 2);
	assert_output(guest, NULL, 0);
	assert_output(host, NULL, 0);
	loopback_free(lb);
}

static void
only_keys_come_out_when_asked_for(void **state)
{
	static const int g[] = { 1, 2, 3 }, h[] = { 2, 3, 4, 5 };
	const char *p = "{\"only_output_key\":true}";
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *guest = add(lb, "guest", "9999", p, g, 3);
	int got[4];
	uint32_t n_values = 7;

	(void)state;
	add(lb, "host", "10000", p, h, 4);
	assert_int_equal(loopback_run(lb), 0);
	assert_int_equal(read_output(guest, got, 4, &n_values), 2);
	assert_int_equal(n_values, 0);
	loopback_free(lb);
}

static void
what_two_hosts_have_must_be_had_by_both(void **state)
{
	static const int g[] = { 5, 4, 3, 2, 1 }, h[] = { 1, 2, 3 };
	static const int k[] = { 3, 2, 5, 8 }, all[] = { 3, 2 };
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *m[3];
	int i;

	(void)state;
	m[0] = add(lb, "guest", "9999", "{}", g, 5);
	m[1] = add(lb, "host", "10000", "{}", h, 3);
	m[2] = add(lb, "host", "10001", "{}", k, 4);
	assert_int_equal(loopback_run(lb), 0);
	for (i = 0; i < 3; i++)
		assert_output(m[i], all, 2);
	loopback_free(lb);
}

static void
large_sets_match_the_plain_intersection(void **state)
{
	enum { N = 40000, COMMON = 3000 }; /* more than one block */
	struct loopback *lb = loopback_new("Intersection", "i_0");
	int *g = calloc(N, sizeof(*g));
	int h[COMMON + 500], want[COMMON], i;
	size_t n = 0;
	struct member *guest, *host;

	(void)state;
	for (i = 0; i < N; i++)
		g[i] = i * 7 % N;
	for (i = 0; i < COMMON + 500; i++)
		h[i] = i < COMMON ? i * 3 : N + i;
	guest = add(lb, "guest", "9999", "{}", g, N);
	host = add(lb, "host", "10000", "{}", h, COMMON + 500);
	assert_int_equal(loopback_run(lb), 0);
	for (i = 0; i < N; i++)
		if (g[i] % 3 == 0 && g[i] < 3 * COMMON)
			want[n++] = g[i];
	assert_int_equal(n, COMMON);
	assert_output(guest, want, n);
	assert_output(host, want, n);
	assert_metric(guest, 0, "intersect_count", COMMON);
	assert_metric(host, 0, "intersect_count", COMMON);
	free(g);
	loopback_free(lb);
}

static void
settings_that_differ_are_named(void **state)
{
	static const int g[] = { 1, 2 };
	struct loopback *lb = loopback_new("Intersection", "i_0");

	(void)state;
	add(lb, "guest", "9999", "{\"ecdh_params\":{\"salt\":\"a\"}}", g, 2);
	add(lb, "host", "10000", "{\"ecdh_params\":{\"salt\":\"b\"}}", g, 2);
	assert_int_equal(loopback_run(lb), ERR_CONFLICT);
	loopback_free(lb);
}

static void
every_classic_method_gives_the_same_rows_and_says_how(void **state)
{
	static const char *const p[] = {
		"{\"intersect_method\":\"rsa\"}",
		"{\"intersect_method\":\"dh\"}",
		"{\"intersect_method\":\"raw\"}",
	};
	static const int g[] = { 3, 1, 2 }, h[] = { 2, 3 }, both[] = { 3, 2 };
	struct loopback *lb;
	struct member *guest, *host;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
		lb = loopback_new("Intersection", "i_0");
		guest = add(lb, "guest", "9999", p[i], g, 3);
		host = add(lb, "host", "10000", p[i], h, 2);
		assert_int_equal(loopback_run(lb), 0);
		assert_output(guest, both, 2);
		assert_output(host, both, 2);
		assert_non_null(strstr(loopback_log(guest), "ecdh"));
		/* Each list is told on both sides, once it came or went. */
		assert_non_null(strstr(
		    loopback_log(guest), "3 items sent to host 10000\n"));
		assert_non_null(strstr(
		    loopback_log(host), "3 items received from guest 9999\n"));
		assert_true(loopback_progress(guest, &n) > 0.7 && n == 3);
		assert_true(loopback_progress(host, &n) > 0.7 && n >= 2);
		assert_sent(guest, "id_ciphertext_exchange_g2h/0.0", true);
		loopback_free(lb);
	}
}

static void
a_left_join_without_match_ids_is_refused(void **state)
{
	static const int g[] = { 1, 2 };
	const char *p = "{\"join_method\":\"left_join\"}";
	struct loopback *lb = loopback_new("Intersection", "i_0");
	struct member *m = add(lb, "guest", "9999", p, g, 2);

	(void)state;
	add(lb, "host", "10000", p, g, 2);
	assert_int_equal(loopback_run(lb), ERR_INVALID);
	assert_non_null(strstr(loopback_error(m), "with_match_id"));
	loopback_free(lb);
}

/* --- the group ------------------------------------------------------------- */

static void
blinding_commutes_and_salt_separates(void **state)
{
	struct ecdh *a = ecdh_new("s"), *b = ecdh_new("s");
	struct ecdh *c = ecdh_new("t");
	unsigned char pa[ECDH_POINT], pb[ECDH_POINT], pc[ECDH_POINT];
	unsigned char t1[ECDH_TOKEN], t2[ECDH_TOKEN];

	(void)state;
	assert_int_equal(ecdh_blind_id(a, "id", 2, pa), 0);
	assert_int_equal(ecdh_blind_id(b, "id", 2, pb), 0);
	assert_int_equal(ecdh_blind_id(c, "id", 2, pc), 0);
	assert_memory_not_equal(pa, pb, ECDH_POINT);
	assert_int_equal(ecdh_token(b, pa, t1), 0);
	assert_int_equal(ecdh_token(a, pb, t2), 0);
	assert_memory_equal(t1, t2, ECDH_TOKEN);
	assert_int_equal(ecdh_token(a, pc, t2), 0);
	assert_memory_not_equal(t1, t2, ECDH_TOKEN);
	ecdh_free(a);
	ecdh_free(b);
	ecdh_free(c);
}

static void
what_is_no_group_element_is_refused(void **state)
{
	struct ecdh *a = ecdh_new("");
	unsigned char p[ECDH_POINT] = { 0 }, t[ECDH_TOKEN];

	(void)state;
	assert_int_equal(ecdh_token(a, p, t), ERR_FORMAT); /* identity */
	memset(p, 0xff, sizeof(p));
	assert_int_equal(ecdh_token(a, p, t), ERR_FORMAT);
	memset(p, 0, sizeof(p));
	p[0] = 1; /* negative */
	assert_int_equal(ecdh_token(a, p, t), ERR_FORMAT);
	ecdh_free(a);
}

static void
ids_listed_twice_are_noticed(void **state)
{
	struct token_list *t;
	unsigned char other[ECDH_TOKEN];
	size_t i;

	(void)state;
	assert_int_equal(token_list_new(100, &t), 0);
	for (i = 0; i < 100; i++)
		randombytes_buf(token_list_at(t, i), ECDH_TOKEN);
	assert_int_equal(token_list_index(t), 0);
	for (i = 0; i < 100; i++)
		assert_int_equal(token_list_find(t, token_list_at(t, i)), i);
	randombytes_buf(other, sizeof(other));
	assert_int_equal(token_list_find(t, other), TOKEN_NONE);
	token_list_free(t);
	assert_int_equal(token_list_new(2, &t), 0);
	assert_int_equal(token_list_index(t), ERR_FORMAT);
	token_list_free(t);
}

/* --- hostile blocks ---------------------------------------------------------- */

static const unsigned char settings[PSI_SETTINGS] = "settings";

static void
encode(struct buf *b, enum psi_kind kind, uint64_t total, uint32_t number,
    uint32_t count)
{
	unsigned char items[64 * 32] = { 0 };
	struct psi_block x = { .kind = kind,
		.total = total,
		.number = number,
		.count = count,
		.items = items };

	buf_clear(b);
	psi_block_encode(b, &x, settings);
}

static void
blocks_that_do_not_fit_are_refused(void **state)
{
	struct buf b = BUF_INIT;
	struct psi_block x;
	unsigned char *copy;
	size_t i;

	(void)state;
	encode(&b, PSI_POINTS, 3, 0, 3);
	assert_int_equal(
	    psi_block_decode(b.data, b.len, PSI_POINTS, 0, 0, settings, &x), 0);
	/* Every shorter message, in memory that ends where it does. */
	for (i = 0; i < b.len; i++) {
		copy = malloc(i + 1);
		memcpy(copy, b.data, i);
		assert_int_equal(
		    psi_block_decode(copy, i, PSI_POINTS, 0, 0, settings, &x),
		    ERR_FORMAT);
		free(copy);
	}
	assert_int_equal(
	    psi_block_decode(b.data, b.len, PSI_TOKENS, 0, 0, settings, &x),
	    ERR_FORMAT);
	assert_int_equal(
	    psi_block_decode(b.data, b.len, PSI_POINTS, 1, 3, settings, &x),
	    ERR_FORMAT);
	encode(&b, PSI_POINTS, 3, 0, 2); /* fewer than the list has */
	assert_int_equal(
	    psi_block_decode(b.data, b.len, PSI_POINTS, 0, 0, settings, &x),
	    ERR_FORMAT);
	encode(&b, PSI_POINTS, PSI_BLOCK_ITEMS + 1, 1, 1);
	assert_int_equal(psi_block_decode(b.data, b.len, PSI_POINTS, 1,
			     PSI_BLOCK_ITEMS + 2, settings, &x),
	    ERR_FORMAT);
	assert_int_equal(psi_block_decode(b.data, b.len, PSI_POINTS, 1,
			     PSI_BLOCK_ITEMS + 1, settings, &x),
	    0);
	encode(&b, PSI_POINTS, UINT64_MAX, 0, 1);
	assert_int_equal(
	    psi_block_decode(b.data, b.len, PSI_POINTS, 0, 0, settings, &x),
	    ERR_LIMIT);
	b.data[0] = 2; /* a version to come */
	assert_int_equal(
	    psi_block_decode(b.data, b.len, PSI_POINTS, 0, 0, settings, &x),
	    ERR_FORMAT);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    common_rows_come_out_in_the_order_of_the_guest),
		cmocka_unit_test(sets_may_be_disjoint_equal_or_empty),
		cmocka_unit_test(without_sync_the_host_learns_sizes_only),
		cmocka_unit_test(
		    cardinality_is_all_that_is_learned_when_asked_for),
		cmocka_unit_test(only_keys_come_out_when_asked_for),
		cmocka_unit_test(what_two_hosts_have_must_be_had_by_both),
		cmocka_unit_test(large_sets_match_the_plain_intersection),
		cmocka_unit_test(settings_that_differ_are_named),
		cmocka_unit_test(
		    every_classic_method_gives_the_same_rows_and_says_how),
		cmocka_unit_test(a_left_join_without_match_ids_is_refused),
		cmocka_unit_test(blinding_commutes_and_salt_separates),
		cmocka_unit_test(what_is_no_group_element_is_refused),
		cmocka_unit_test(ids_listed_twice_are_noticed),
		cmocka_unit_test(blocks_that_do_not_fit_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
