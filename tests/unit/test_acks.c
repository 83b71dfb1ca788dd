/*
 * What partners have acknowledged, kept until it is written with the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/log.h"
#include "supervisor/acks.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"

static const struct db_task_key reader = { J1, "reader_0", 0, "host",
	ROWS_HOST };
static const struct db_task_key lr = { J1, "lr_0", 0, "host", ROWS_HOST };

/* As a row that says (start, status) is seen with them. */
static void
expect(const struct acks *as, const struct db_task_key *k, bool start,
    enum state status)
{
	enum state s = STATE_NONE;
	bool b = false;

	acks_apply(as, k, &b, &s);
	assert_int_equal(b, start);
	assert_int_equal(s, status);
}

static void
what_was_acknowledged_is_seen_before_it_is_a_row(void **state)
{
	struct db_task_key later = reader;
	struct acks as = { .n = 0 };
	enum state s = STATE_SUCCESS;
	bool b = true;

	(void)state;
	later.version = 1;
	expect(&as, &reader, false, STATE_NONE);
	acks_add(&as, &reader, STATE_NONE);
	acks_add(&as, &lr, STATE_NONE);
	acks_add(&as, &reader, STATE_SUCCESS);
	assert_int_equal(as.n, 2);
	expect(&as, &reader, true, STATE_SUCCESS);
	expect(&as, &lr, true, STATE_NONE);
	/* Of one version alone, and nothing is taken back. */
	expect(&as, &later, false, STATE_NONE);
	acks_apply(&as, &lr, &b, &s);
	assert_true(b);
	assert_int_equal(s, STATE_SUCCESS);
	acks_clear(&as);
	assert_int_equal(as.n, 0);
	expect(&as, &reader, false, STATE_NONE);
}

static const struct party_member host = { J1, "host", ROWS_HOST };

static void
what_members_say_of_the_job_is_seen_and_becomes_a_row_too(void **state)
{
	struct arena *arena = arena_new();
	struct acks as = { .n = 0 };
	struct db_party *p;
	struct db *db;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	assert_int_equal(rows_initiated(db, J1), 0);
	acks_add_member(&as, &host, DB_PARTY_STARTED);
	acks_add_member(&as, &host, DB_PARTY_STARTED);
	assert_int_equal(as.n, 1);
	assert_true(acks_has_member(&as, "host", ROWS_HOST, DB_PARTY_STARTED));
	assert_false(acks_has_member(&as, "host", ROWS_HOST, DB_PARTY_ENDED));
	assert_false(
	    acks_has_member(&as, "arbiter", ROWS_HOST, DB_PARTY_STARTED));
	assert_int_equal(acks_write(&as, db), 0);
	assert_int_equal(db_party_get(db, arena, J1, "host", ROWS_HOST, &p), 0);
	assert_true(p->started);
	assert_true(p->reserved); /* or it could not */
	assert_false(p->ended);
	acks_clear(&as);
	assert_false(acks_has_member(&as, "host", ROWS_HOST, DB_PARTY_STARTED));
	acks_add_member(&as, &host, DB_PARTY_ENDED);
	assert_int_equal(acks_write(&as, db), 0);
	assert_int_equal(db_party_get(db, arena, J1, "host", ROWS_HOST, &p), 0);
	assert_true(p->ended);
	acks_clear(&as);
	acks_add_member(&as, &host, DB_PARTY_RESERVED);
	acks_add_member(&as, &host, DB_PARTY_STARTED);
	acks_drop_member(&as, &host, DB_PARTY_ENDED);
	assert_int_equal(as.n, 2);
	acks_drop_member(&as, &host, DB_PARTY_RESERVED);
	assert_int_equal(as.n, 1);
	assert_true(acks_has_member(&as, "host", ROWS_HOST, DB_PARTY_STARTED));
	acks_clear(&as);
	db_close(db);
	arena_free(arena);
}

static void
all_of_them_become_rows_together(void **state)
{
	struct arena *arena = arena_new();
	struct acks as = { .n = 0 };
	struct db_task *t;
	struct db *db;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	assert_int_equal(rows_initiated(db, J1), 0);
	acks_add(&as, &reader, STATE_NONE);
	acks_add(&as, &lr, STATE_FAILED);
	assert_int_equal(acks_write(&as, db), 0);
	assert_int_equal(db_task_get(db, arena, &reader, &t), 0);
	assert_true(t->start_acked);
	assert_int_equal(t->status_acked, STATE_NONE);
	assert_int_equal(db_task_get(db, arena, &lr, &t), 0);
	assert_false(t->start_acked);
	assert_int_equal(t->status_acked, STATE_FAILED);
	acks_clear(&as);
	/* A later one keeps what the row has. */
	acks_add(&as, &lr, STATE_NONE);
	assert_int_equal(acks_write(&as, db), 0);
	assert_int_equal(db_task_get(db, arena, &lr, &t), 0);
	assert_true(t->start_acked);
	assert_int_equal(t->status_acked, STATE_FAILED);
	acks_clear(&as);
	arena_free(arena);
	db_close(db);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_was_acknowledged_is_seen_before_it_is_a_row),
		cmocka_unit_test(all_of_them_become_rows_together),
		cmocka_unit_test(
		    what_members_say_of_the_job_is_seen_and_becomes_a_row_too),
	};

	log_init("test_acks", LOG_ERROR_);
	return cmocka_run_group_tests_name("acks", tests, NULL, NULL);
}
