/*
 * Errands: claimed once, again when their holder dies, not begun when nobody
 * waits any more, forgotten in time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_errand.h"
#include "lib/db/db_work.h"
#include "tests/lib/mariadb.h"

#define A "0123456789abcdef0123456789abcdef"

static struct db *db;
static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	db_close(db);
	return 0;
}

static void
add(bool persistent, int64_t deadline_ms)
{
	const struct db_errand e = { .errand_id = A,
		.kind = "ping",
		.persistent = persistent,
		.calls = "[]",
		.deadline_ms = deadline_ms };

	assert_int_equal(db_errand_add(db, &e), 0);
}

/* The fence, or 0 when there was nothing to claim. */
static int64_t
claim(const char *owner, int64_t lease_ms)
{
	struct db_errand *rows;
	size_t n;

	assert_int_equal(
	    db_errand_claim(db, arena, owner, lease_ms, 10, &rows, &n), 0);
	assert_true(n <= 1);
	return n == 1 ? rows->fence : 0;
}

static const struct db_errand *
row(void)
{
	struct db_errand *e;

	assert_int_equal(db_errand_get(db, arena, A, &e), 0);
	return e;
}

static bool
is_due(void)
{
	struct db_work work;

	assert_int_equal(db_work_waiting(db, 0, &work), 0);
	return work.errands;
}

static void
one_supervisor_gets_an_errand_and_its_replies_stand(void **state)
{
	(void)state;
	assert_false(is_due());
	add(false, 10000);
	assert_true(is_due());
	assert_string_equal(row()->state, "waiting");
	assert_int_equal(claim("one", 10000), 1);
	assert_false(is_due());
	assert_int_equal(claim("two", 10000), 0);
	assert_string_equal(row()->state, "running");
	assert_int_equal(db_errand_done(db, A, 1, "[1]"), 0);
	assert_string_equal(row()->state, "done");
	assert_string_equal(row()->replies, "[1]");
	assert_int_equal(claim("two", 10000), 0);
}

static void
lease_that_runs_out_gives_it_to_another(void **state)
{
	(void)state;
	add(false, 10000);
	assert_int_equal(claim("one", -1), 1);
	assert_int_equal(claim("two", 10000), 2);
	/* The first one wakes up too late. */
	assert_int_equal(db_errand_done(db, A, 1, "[1]"), ERR_CONFLICT);
	assert_int_equal(db_errand_again(db, A, 1, "[1]", 0), ERR_CONFLICT);
	assert_null(row()->replies);
	assert_int_equal(db_errand_done(db, A, 2, "[2]"), 0);
}

static void
leases_of_dead_predecessors_end_at_once(void **state)
{
	(void)state;
	add(false, 10000);
	assert_int_equal(claim("host:home:1", 60000), 1);
	assert_int_equal(
	    db_errand_take_over(db, "other:home:", "other:home:2"), 0);
	assert_int_equal(claim("host:home:2", 60000), 0);
	assert_int_equal(
	    db_errand_take_over(db, "host:home:", "host:home:2"), 0);
	assert_int_equal(claim("host:home:2", 60000), 2);
}

static void
errand_is_not_begun_after_its_deadline(void **state)
{
	int64_t expired, deleted;

	(void)state;
	add(false, -1);
	assert_false(is_due());
	assert_int_equal(claim("one", 10000), 0);
	assert_int_equal(db_errand_collect(db, 3600000, &expired, &deleted), 0);
	assert_int_equal(expired, 1);
	assert_int_equal(deleted, 0);
	assert_string_equal(row()->state, "expired");
}

static void
who_waits_no_more_takes_back_only_what_was_not_begun(void **state)
{
	bool effective;

	(void)state;
	add(false, 10000);
	assert_int_equal(db_errand_give_up(db, A, &effective), 0);
	assert_true(effective);
	assert_int_equal(claim("one", 10000), 0);
	assert_int_equal(db_errand_collect(db, -1000, NULL, NULL), 0);
	add(true, 10000);
	assert_int_equal(claim("one", 10000), 1);
	assert_int_equal(db_errand_give_up(db, A, &effective), 0);
	assert_false(effective);
	assert_int_equal(db_errand_again(db, A, 1, "[null]", 0), 0);
	assert_int_equal(db_errand_give_up(db, A, &effective), 0);
	assert_false(effective);
}

static void
silent_members_are_asked_again_later(void **state)
{
	(void)state;
	add(true, 60000);
	assert_int_equal(claim("one", 10000), 1);
	assert_int_equal(db_errand_again(db, A, 1, "[null]", 60000), 0);
	assert_false(is_due());
	assert_int_equal(claim("one", 10000), 0);
	assert_string_equal(row()->replies, "[null]");
	assert_int_equal(db_errand_collect(db, -1000, NULL, NULL), 0);
	assert_string_equal(row()->state, "waiting");
}

static void
errand_that_is_held_does_not_expire_and_an_old_one_goes(void **state)
{
	static const struct db_stmt late = { "late", "",
		"UPDATE errand SET deadline_at = NOW(6) - INTERVAL 1 SECOND" };
	struct db_errand *e;
	int64_t n;

	(void)state;
	add(false, 60000);
	assert_int_equal(claim("one", 60000), 1);
	assert_int_equal(db_exec(db, &late, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_errand_collect(db, 3600000, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_errand_done(db, A, 1, "[]"), 0);
	assert_int_equal(db_errand_collect(db, -1000, NULL, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_errand_get(db, arena, A, &e), ERR_NOT_FOUND);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(one_supervisor_gets_an_errand_and_its_replies_stand),
		T(lease_that_runs_out_gives_it_to_another),
		T(leases_of_dead_predecessors_end_at_once),
		T(errand_is_not_begun_after_its_deadline),
		T(who_waits_no_more_takes_back_only_what_was_not_begun),
		T(silent_members_are_asked_again_later),
		T(errand_that_is_held_does_not_expire_and_an_old_one_goes),
	};
#undef T

	log_init("test_db_errand", LOG_ERROR_);
	return cmocka_run_group_tests_name("db_errand", tests, NULL, NULL);
}
