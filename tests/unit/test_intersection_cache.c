/*
 * Intersection from a cache: made once, used by later runs, also through
 * CacheLoader; what fits together and what does not; what crosses over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/json/json.h"
#include "tests/lib/dense_table.h"
#include "tests/lib/loopback.h"

#define SCHEMA "{\"sid\":\"id\",\"header\":[\"x0\"]}"

static const struct dense_row guest_rows[] = { { "a", NAN, NULL, { 1 } },
	{ "b", NAN, NULL, { 2 } }, { "c", NAN, NULL, { 3 } } };
static const struct dense_row other_rows[] = { { "d", NAN, NULL, { 4 } },
	{ "c", NAN, NULL, { 5 } } };
static const struct dense_row host_rows[] = { { "c", NAN, NULL, { 30 } },
	{ "d", NAN, NULL, { 40 } }, { "a", NAN, NULL, { 10 } } };

/* One run with a guest and some hosts, all with rows. */
struct run {
	struct loopback *lb;
	struct member *guest;
	struct member *host[2];
};

static struct run
begin(const char *params, const struct dense_row *rows, size_t n, size_t hosts)
{
	static const char *const parties[] = { "10000", "10001" };
	struct run r = { .lb = loopback_new("Intersection", "i_0") };
	size_t i;

	r.guest = loopback_add(r.lb, "guest", "9999", params);
	dense_input(r.lb, r.guest, "data", "reader_0", rows, n, 1, SCHEMA);
	for (i = 0; i < hosts; i++) {
		r.host[i] = loopback_add(r.lb, "host", parties[i], params);
		dense_input(r.lb, r.host[i], "data", "reader_0", host_rows,
		    3 - i, 1, SCHEMA);
	}
	return r;
}

#define MAKE "{\"run_cache\":true}"

static struct run
made(size_t hosts)
{
	struct run r = begin(MAKE, guest_rows, 3, hosts);

	assert_int_equal(loopback_run(r.lb), 0);
	assert_non_null(loopback_cache_folder(r.guest));
	assert_non_null(loopback_cache_folder(r.host[0]));
	return r;
}

static void
use(struct member *m, const struct member *from)
{
	loopback_input(m, "cache", "i_0", loopback_cache_folder(from));
}

static void
assert_ids(struct member *m, const char *want)
{
	char *ids = dense_ids(m, 0);

	assert_string_equal(ids, want);
	free(ids);
}

static bool
was_sent(struct member *m, const char *what)
{
	struct json_object *sent = loopback_sent(m);
	bool is = json_has(sent, what);

	json_object_put(sent);
	return is;
}

static void
a_cache_serves_later_runs_of_other_rows(void **state)
{
	struct run m = made(1), r;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		r = i == 0 ? begin("{}", guest_rows, 3, 1)
			   : begin("{}", other_rows, 2, 1);
		use(r.guest, m.guest);
		use(r.host[0], m.host[0]);
		assert_int_equal(loopback_run(r.lb), 0);
		assert_ids(r.guest, i == 0 ? "a c" : "d c");
		assert_ids(r.host[0], i == 0 ? "a c" : "d c");
		assert_true(dense_output(r.host[0], 0, "c", 0) == 30);
		/* The host's list does not cross again. */
		assert_false(
		    was_sent(r.host[0], "id_ciphertext_exchange_h2g/0.0"));
		assert_int_equal(json_get_int(loopback_summary(r.guest),
				     "intersect_num", -1),
		    2);
		loopback_free(r.lb);
	}
	loopback_free(m.lb);
}

static void
making_a_cache_shows_the_guest_no_match(void **state)
{
	struct run m = made(1);

	(void)state;
	assert_null(loopback_output(m.guest, 0));
	assert_false(was_sent(m.guest, "id_ciphertext_exchange_g2h/0.0"));
	assert_non_null(
	    loopback_meta(m.host[0], "train", "intersection_cache_meta"));
	loopback_free(m.lb);
}

/* The blinded ids of two runs have nothing in common. */
static void
a_guest_cannot_be_recognised_by_what_it_asks(void **state)
{
	struct run m = made(1), r[2];
	const void *sent[2];
	size_t size[2];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		r[i] = begin("{}", guest_rows, 3, 1);
		use(r[i].guest, m.guest);
		use(r[i].host[0], m.host[0]);
		assert_int_equal(loopback_run(r[i].lb), 0);
		sent[i] = loopback_sent_bytes(
		    r[i].guest, "id_ciphertext_exchange_g2h", "0.0", &size[i]);
		assert_non_null(sent[i]);
	}
	assert_int_equal(size[0], 36 + 3 * 32);
	for (i = 0; i < 9; i++)
		assert_memory_not_equal(
		    (const char *)sent[0] + 36 + 32 * (i % 3),
		    (const char *)sent[1] + 36 + 32 * (i / 3), 32);
	loopback_free(r[0].lb);
	loopback_free(r[1].lb);
	loopback_free(m.lb);
}

static void
two_hosts_have_caches_of_their_own(void **state)
{
	struct run m = made(2), r = begin("{}", other_rows, 2, 2);

	(void)state;
	use(r.guest, m.guest);
	use(r.host[0], m.host[0]);
	use(r.host[1], m.host[1]);
	assert_int_equal(loopback_run(r.lb), 0);
	assert_ids(r.guest, "d c");
	assert_ids(r.host[1], "d c");
	loopback_free(r.lb);
	loopback_free(m.lb);
}

static void
caches_of_different_runs_do_not_mix(void **state)
{
	struct run m = made(1), n = made(1), r = begin("{}", guest_rows, 3, 1);

	(void)state;
	use(r.guest, m.guest);
	use(r.host[0], n.host[0]);
	assert_int_equal(loopback_run(r.lb), ERR_CONFLICT);
	loopback_free(r.lb);
	/* One party without. */
	r = begin("{}", guest_rows, 3, 1);
	use(r.host[0], n.host[0]);
	assert_int_equal(loopback_run(r.lb), ERR_CONFLICT);
	loopback_free(r.lb);
	loopback_free(m.lb);
	loopback_free(n.lb);
}

static void
a_host_whose_rows_changed_is_told_to_make_a_new_one(void **state)
{
	struct run m = made(1),
		   r = { .lb = loopback_new("Intersection", "i_0") };

	(void)state;
	r.guest = loopback_add(r.lb, "guest", "9999", "{}");
	dense_input(
	    r.lb, r.guest, "data", "reader_0", guest_rows, 3, 1, SCHEMA);
	r.host[0] = loopback_add(r.lb, "host", "10000", "{}");
	dense_input(
	    r.lb, r.host[0], "data", "reader_0", guest_rows, 3, 1, SCHEMA);
	use(r.guest, m.guest);
	use(r.host[0], m.host[0]);
	assert_int_equal(loopback_run(r.lb), ERR_CONFLICT);
	assert_non_null(strstr(loopback_error(r.host[0]), "run_cache"));
	loopback_free(r.lb);
	loopback_free(m.lb);
}

static void
a_cache_fits_its_role_salt_and_partners_only(void **state)
{
	struct run m = made(1), r;

	(void)state;
	r = begin("{\"ecdh_params\":{\"salt\":\"s\"}}", guest_rows, 3, 1);
	use(r.guest, m.guest);
	use(r.host[0], m.host[0]);
	assert_int_equal(loopback_run(r.lb), ERR_CONFLICT);
	assert_non_null(strstr(loopback_error(r.guest), "salt"));
	loopback_free(r.lb);
	r = begin("{}", guest_rows, 3, 1);
	use(r.guest, m.host[0]);
	use(r.host[0], m.guest);
	assert_int_equal(loopback_run(r.lb), ERR_CONFLICT);
	loopback_free(r.lb);
	r = begin("{}", guest_rows, 3, 2);
	use(r.guest, m.guest);
	use(r.host[0], m.host[0]);
	use(r.host[1], m.host[0]);
	assert_int_equal(loopback_run(r.lb), ERR_CONFLICT);
	assert_non_null(strstr(loopback_error(r.guest), "10001"));
	loopback_free(r.lb);
	loopback_free(m.lb);
}

static void
a_loaded_cache_is_the_same_cache(void **state)
{
	struct run m = made(1), r = begin("{}", guest_rows, 3, 1);
	struct loopback *lb = loopback_new("CacheLoader", "loader_0");
	struct member *guest = loopback_add(lb, "guest", "9999", "{}");
	struct member *host = loopback_add(lb, "host", "10000", "{}");

	(void)state;
	use(guest, m.guest);
	use(host, m.host[0]);
	assert_int_equal(loopback_run(lb), 0);
	use(r.guest, guest);
	use(r.host[0], host);
	assert_int_equal(loopback_run(r.lb), 0);
	assert_ids(r.host[0], "a c");
	loopback_free(r.lb);
	loopback_free(lb);
	loopback_free(m.lb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cache_serves_later_runs_of_other_rows),
		cmocka_unit_test(making_a_cache_shows_the_guest_no_match),
		cmocka_unit_test(a_guest_cannot_be_recognised_by_what_it_asks),
		cmocka_unit_test(two_hosts_have_caches_of_their_own),
		cmocka_unit_test(caches_of_different_runs_do_not_mix),
		cmocka_unit_test(
		    a_host_whose_rows_changed_is_told_to_make_a_new_one),
		cmocka_unit_test(a_cache_fits_its_role_salt_and_partners_only),
		cmocka_unit_test(a_loaded_cache_is_the_same_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
