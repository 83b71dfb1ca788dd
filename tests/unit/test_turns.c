/*
 * Initiators whose jobs a site refused resources: whom it tells, and that each
 * has its turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lib/base/err.h"
#include "lib/db/db_job.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_waiter.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define LONG_MS 3600000

static struct db *db;
static struct arena *arena;

static int
set_up(void **state)
{
	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	return db_resource_set(db, DB_ENGINE_DEFAULT, 16, 4000);
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	db_close(db);
	return 0;
}

static const char *
id_of(int i)
{
	return arena_printf(arena, "2026010100000000%05d", i);
}

static int
apply(int i, int64_t cores, struct wait *why)
{
	struct db_grant g = { .job_id = id_of(i),
		.role = "host",
		.party_id = ROWS_HOST,
		.engine = DB_ENGINE_DEFAULT,
		.cores = cores };

	return db_resource_apply(db, &g, LONG_MS, why);
}

static void
give_back(int i)
{
	assert_int_equal(
	    db_resource_return(db, id_of(i), "host", ROWS_HOST, "test", NULL),
	    0);
}

/* --- who is told what became free -------------------------------------------- */

/* Jobs i of the initiator each, with a host here that asks for the cores. */
static void
partner_job(int i, const char *initiator, int64_t cores)
{
	struct rows_partner p;

	rows_partner_init(&p, id_of(i), "host");
	p.job.initiator_party = initiator;
	for (size_t m = 0; m < p.job.nparties; m++)
		if (p.parties[m].is_local)
			p.parties[m].cores = cores;
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
}

static void
refuse(int i, enum wait_code code)
{
	assert_int_equal(
	    db_waiter_add(db, id_of(i), "host", ROWS_HOST, code), 0);
}

static struct db_waiter *
waiters(size_t expected)
{
	struct db_waiter *rows;
	size_t n;

	assert_int_equal(db_waiter_list(db, arena, "", 100, &rows, &n), 0);
	assert_int_equal(n, expected);
	return rows;
}

static void
initiators_that_were_refused_are_told_once_and_in_turn(void **state)
{
	struct db_waiter *w;
	bool mine;

	(void)state;
	partner_job(0, "777", 4);
	partner_job(1, "778", 4);
	partner_job(2, "777", 2);
	for (int i = 0; i < 3; i++)
		refuse(i, WAIT_WAITING_RESOURCES);
	/* A row an initiator: what its smallest asks for, at its old place. */
	w = waiters(2);
	assert_string_equal(w[0].party_id, "777");
	assert_int_equal(w[0].cores, 2);
	assert_string_equal(w[0].role, "guest");
	assert_string_equal(w[1].party_id, "778");
	assert_int_equal(db_waiter_tell(db, &w[0], &mine), 0);
	assert_true(mine);
	assert_int_equal(db_waiter_tell(db, &w[0], &mine), 0);
	assert_false(mine);
	w = waiters(2);
	assert_true(w[0].told);
	assert_false(w[0].served || w[0].lapsed || w[1].told);
	/* Refused again, it is still before the other, and asks for this. */
	refuse(0, WAIT_WAITING_RESOURCES);
	w = waiters(2);
	assert_string_equal(w[0].party_id, "777");
	assert_int_equal(w[0].cores, 4);
	assert_false(w[0].told);
}

static void
who_was_told_and_did_not_come_is_forgotten(void **state)
{
	static const struct db_stmt age = { "age", "",
		"UPDATE resource_waiter SET told_at = told_at - INTERVAL 2"
		" SECOND WHERE party_id = '777'" };
	struct db_waiter *w;
	bool mine;

	(void)state;
	partner_job(0, "777", 4);
	partner_job(1, "778", 4);
	refuse(0, WAIT_WAITING_RESOURCES);
	refuse(1, WAIT_WAITING_RESOURCES);
	w = waiters(2);
	assert_int_equal(db_waiter_tell(db, &w[0], &mine), 0);
	assert_int_equal(db_waiter_tell(db, &w[1], &mine), 0);
	assert_int_equal(apply(1, 4, NULL), 0);
	assert_int_equal(db_exec(db, &age, NULL), 0);
	w = waiters(2);
	assert_true(w[0].lapsed && !w[0].served);
	assert_true(w[1].served && !w[1].lapsed);
	assert_int_equal(db_waiter_forget(db), 0);
	w = waiters(1);
	assert_string_equal(w[0].party_id, "778");
}

static void
a_quota_is_free_again_when_one_of_its_jobs_gives_back(void **state)
{
	(void)state;
	partner_job(0, "777", 4);
	partner_job(1, "778", 4);
	assert_int_equal(apply(0, 4, NULL), 0);
	assert_int_equal(apply(1, 4, NULL), 0);
	refuse(0, WAIT_QUOTA);
	assert_false(waiters(1)->changed);
	give_back(1);
	assert_false(waiters(1)->changed);
	give_back(0);
	assert_true(waiters(1)->changed);
}

/* --- turns ---------------------------------------------------------------- */

/* All of it is a while ago. */
static void
later(int64_t seconds)
{
	static const struct db_stmt age = { "later", "iiii",
		"UPDATE resource_waiter SET asked_at = asked_at"
		" - INTERVAL ? SECOND, told_at = told_at - INTERVAL ? SECOND,"
		" refused_at = refused_at - INTERVAL ? SECOND,"
		" granted_at = granted_at - INTERVAL ? SECOND" };

	assert_int_equal(
	    db_exec(db, &age, NULL, seconds, seconds, seconds, seconds), 0);
}

static void
asks(int i, int64_t cores, int expected)
{
	struct wait why;

	assert_int_equal(apply(i, cores, &why), expected);
	if (expected == ERR_BUSY)
		refuse(i, why.code);
}

static void
what_becomes_free_is_kept_for_the_initiator_that_was_refused_first(void **state)
{
	struct wait why;

	(void)state;
	partner_job(0, "777", 16);
	partner_job(1, "778", 16);
	partner_job(2, "777", 16);
	asks(0, 16, 0);
	asks(1, 16, ERR_BUSY);
	give_back(0);
	/* Before anybody was told. */
	assert_int_equal(apply(2, 16, &why), ERR_BUSY);
	assert_int_equal(why.code, WAIT_WAITING_RESOURCES);
	assert_int_equal(why.n[WAIT_N_CORES_FREE], 16);
	assert_int_equal(why.n[WAIT_N_CORES_KEPT], 16);
	assert_non_null(strstr(err_text(), "that are free 16 and 0 are kept"));
	refuse(2, why.code);
	asks(1, 16, 0);
	assert_int_equal(
	    db_resource_confirm(db, id_of(1), "host", ROWS_HOST), 0);
	/* It has had its turn, and the other is before it. */
	partner_job(3, "778", 16);
	asks(3, 16, ERR_BUSY);
	give_back(1);
	asks(3, 16, ERR_BUSY);
	asks(2, 16, 0);
}

static void
who_needs_less_than_what_is_kept_leaves_has_it(void **state)
{
	(void)state;
	partner_job(0, "777", 10);
	partner_job(1, "778", 8);
	partner_job(2, "779", 5);
	partner_job(3, "779", 4);
	partner_job(4, "777", 12);
	asks(0, 10, 0);
	/* Nothing is kept of what is too little for it. */
	asks(1, 8, ERR_BUSY);
	asks(3, 4, 0);
	give_back(0);
	asks(2, 5, ERR_BUSY);
	asks(4, 12, ERR_BUSY);
	give_back(3);
	asks(3, 4, 0);
}

static void
what_is_kept_is_not_kept_for_long(void **state)
{
	struct db_waiter *w;
	bool mine;

	(void)state;
	partner_job(0, "777", 16);
	partner_job(1, "778", 16);
	partner_job(2, "777", 16);
	asks(0, 16, 0);
	asks(1, 16, ERR_BUSY);
	give_back(0);
	asks(2, 16, ERR_BUSY);
	/* It was told and did not come. */
	w = waiters(2);
	assert_string_equal(w[0].party_id, "778");
	assert_int_equal(db_waiter_tell(db, &w[0], &mine), 0);
	later(-LONG_MS / 1000);
	asks(2, 16, ERR_BUSY);
	later(LONG_MS / 1000 + DB_WAITER_OFFER_MS / 1000 + 1);
	asks(2, 16, 0);
	give_back(2);
	/* It does not ask any more. */
	asks(1, 16, 0);
	give_back(1);
	refuse(1, WAIT_WAITING_RESOURCES);
	later(DB_WAITER_KEEP_MS / 1000 + 1);
	asks(2, 16, 0);
}

static void
an_initiator_that_waited_long_is_not_passed_by_small_jobs_of_others(
    void **state)
{
	struct wait why;

	(void)state;
	for (int i = 0; i < 4; i++)
		partner_job(i, i == 0 ? "777" : "778", i == 0 ? 16 : 4);
	asks(1, 4, 0);
	asks(0, 16, ERR_BUSY);
	asks(2, 4, 0);
	give_back(1);
	later(DB_WAITER_AGED_MS / 1000 + 1);
	/* But while it asks only. */
	asks(1, 4, 0);
	give_back(1);
	asks(0, 16, ERR_BUSY);
	assert_int_equal(apply(1, 4, &why), ERR_BUSY);
	assert_int_equal(why.n[WAIT_N_CORES_FREE], 12);
	assert_int_equal(why.n[WAIT_N_CORES_KEPT], 16);
	give_back(2);
	asks(3, 4, ERR_BUSY);
	asks(0, 16, 0);
	assert_int_equal(
	    db_resource_confirm(db, id_of(0), "host", ROWS_HOST), 0);
	give_back(0);
	asks(3, 4, 0);
}

/*
 * Its other members lack something: each of two initiators may be first at
 * another site, and neither may keep the other from starting.
 */
static void
who_waited_long_keeps_its_place_through_grants_that_came_to_nothing(
    void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		partner_job(i, i == 0 ? "777" : i == 1 ? "778" : "779", 16);
	partner_job(3, "780", 16);
	asks(3, 16, 0);
	asks(0, 16, ERR_BUSY);
	asks(1, 16, ERR_BUSY);
	later(DB_WAITER_AGED_MS / 1000 + 1);
	asks(0, 16, ERR_BUSY);
	asks(1, 16, ERR_BUSY);
	give_back(3);
	asks(1, 16, ERR_BUSY);
	asks(0, 16, 0);
	give_back(0);
	/* Who has not waited so long stands behind both, */
	asks(2, 16, ERR_BUSY);
	/* who has, behind nobody that might be waiting for it elsewhere. */
	asks(1, 16, 0);
	give_back(1);
	/* Nor is it kept for ever. */
	later(DB_WAITER_KEEP_MS / 1000 + 1);
	asks(2, 16, 0);
	asks(0, 16, ERR_BUSY);
	assert_string_equal(waiters(3)[2].party_id, "777");
}

static void
a_site_forgets_who_has_had_its_turn(void **state)
{
	(void)state;
	partner_job(0, "777", 16);
	partner_job(1, "778", 16);
	asks(0, 16, 0);
	asks(1, 16, ERR_BUSY);
	give_back(0);
	asks(1, 16, 0);
	assert_true(waiters(1)->is_idle && waiters(1)->served);
	assert_int_equal(db_waiter_forget(db), 0);
	(void)waiters(1);
	give_back(1);
	later(DB_WAITER_KEEP_MS / 1000 + 1);
	assert_int_equal(db_waiter_forget(db), 0);
	(void)waiters(0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(initiators_that_were_refused_are_told_once_and_in_turn),
		T(who_was_told_and_did_not_come_is_forgotten),
		T(a_quota_is_free_again_when_one_of_its_jobs_gives_back),
		T(what_becomes_free_is_kept_for_the_initiator_that_was_refused_first),
		T(who_needs_less_than_what_is_kept_leaves_has_it),
		T(what_is_kept_is_not_kept_for_long),
		T(an_initiator_that_waited_long_is_not_passed_by_small_jobs_of_others),
		T(who_waited_long_keeps_its_place_through_grants_that_came_to_nothing),
		T(a_site_forgets_who_has_had_its_turn),
	};

	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
