/*
 * The end of what is shared with a partner that was withdrawn: more jobs than
 * one transaction takes, and a kill between two of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_tx.h"
#include "lib/db/db_withdrawal.h"
#include "lib/party/party.h"
#include "lib/party/withdraw.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define JOBS 60 /* theirs, and as many of ours; a batch is 50 of each */

static struct db *db;
static struct arena *arena;

static const struct party_caller guest = { .party_id = ROWS_GUEST };

static void
theirs(int n)
{
	char id[32];
	struct rows_partner p;

	(void)snprintf(id, sizeof(id), "2026010100000001%05d", n);
	rows_partner_init(&p, id, "host");
	if (party_job_create(db, &guest,
		&(struct party_member){ id, "host", ROWS_HOST }, &p.job, NULL,
		NULL) != 0)
		fail_msg("%s", err_text());
}

static void
ours(int n)
{
	char id[32];

	(void)snprintf(id, sizeof(id), "2026010100000002%05d", n);
	if (rows_initiated(db, id) != 0)
		fail_msg("%s", err_text());
}

static int
set_up(void **state)
{
	int i;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	assert_int_equal(db_resource_set(db, DB_ENGINE_DEFAULT, 8, 1000), 0);
	assert_int_equal(rows_allow(db, ROWS_GUEST), 0);
	for (i = 0; i < JOBS; i++) {
		theirs(i);
		ours(i);
	}
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

static int64_t
number(const struct db_stmt *stmt)
{
	int64_t n;

	assert_int_equal(db_query_int(db, stmt, &n), 0);
	return n;
}

/* Theirs are canceled, and ours are told to fail. */
static const struct db_stmt theirs_open = { "test.theirs", "",
	"SELECT COUNT(*) FROM job WHERE is_initiator = 0"
	" AND status <> 'canceled'" };
static const struct db_stmt theirs_ended = { "test.ended", "",
	"SELECT COUNT(*) FROM job WHERE is_initiator = 0"
	" AND status = 'canceled' AND reason LIKE 'party 9999 is disabled%'" };
static const struct db_stmt ours_open = { "test.ours", "",
	"SELECT COUNT(*) FROM job WHERE is_initiator = 1"
	" AND cancel_signal = 0" };
static const struct db_stmt ours_ended = { "test.failed", "",
	"SELECT COUNT(*) FROM job WHERE is_initiator = 1"
	" AND cancel_signal = 1 AND cancel_status = 'failed'"
	" AND reason LIKE 'arbiter 10000: party 10000 is no partner%'" };
static const struct db_stmt rows = { "test.rows", "",
	"SELECT COUNT(*) FROM withdrawal" };

static int
disable_tx(struct db *d, void *ctx)
{
	(void)ctx;
	return withdraw_jobs(d, ROWS_GUEST, WITHDRAW_DISABLED);
}

static int
remove_tx(struct db *d, void *ctx)
{
	(void)ctx;
	return withdraw_jobs(d, ROWS_HOST, WITHDRAW_REMOVED);
}

static void
thousands_of_jobs_end_a_batch_at_a_time(void **state)
{
	(void)state;
	assert_int_equal(db_tx(db, disable_tx, NULL), 0);
	assert_int_equal(number(&theirs_ended), 50);
	assert_int_equal(number(&theirs_open), JOBS - 50);
	assert_int_equal(number(&ours_open), JOBS);
	assert_int_equal(db_tx(db, remove_tx, NULL), 0);
	assert_int_equal(number(&ours_ended), 50);
	assert_int_equal(number(&ours_open), JOBS - 50);
	/* A kill here: what is left stands in the database. */
	assert_int_equal(number(&rows), 2);
	assert_int_equal(withdraw_rest(db, ROWS_GUEST), 0);
	assert_int_equal(withdraw_rest(db, ROWS_HOST), 0);
	assert_int_equal(number(&theirs_ended), JOBS);
	assert_int_equal(number(&ours_ended), JOBS);
	assert_int_equal(number(&rows), 0);
}

static void
a_job_that_began_after_a_withdrawal_is_no_part_of_it(void **state)
{
	bool effective;

	(void)state;
	assert_int_equal(db_tx(db, disable_tx, NULL), 0);
	theirs(JOBS);
	assert_int_equal(withdraw_more(db, ROWS_GUEST, &effective), 0);
	assert_true(effective);
	assert_int_equal(withdraw_more(db, ROWS_GUEST, &effective), 0);
	assert_false(effective);
	assert_int_equal(number(&rows), 0);
	assert_int_equal(number(&theirs_ended), JOBS);
	assert_int_equal(number(&theirs_open), 1);
	/* Nothing is to do, and that is no error. */
	assert_int_equal(withdraw_rest(db, ROWS_GUEST), 0);
	assert_int_equal(number(&theirs_open), 1);
}

static void
only_a_withdrawal_that_nobody_finishes_is_looked_for(void **state)
{
	struct db_withdrawal *w;
	size_t n;

	(void)state;
	assert_int_equal(db_tx(db, disable_tx, NULL), 0);
	assert_int_equal(db_withdrawal_list(db, arena, 3600000, &w, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(db_withdrawal_list(db, arena, 0, &w, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(w[0].party_id, ROWS_GUEST);
	assert_string_equal(w[0].kind, "disabled");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(thousands_of_jobs_end_a_batch_at_a_time),
		T(a_job_that_began_after_a_withdrawal_is_no_part_of_it),
		T(only_a_withdrawal_that_nobody_finishes_is_looked_for),
	};

	log_init("test_withdraw", LOG_ERROR_);
	return cmocka_run_group_tests_name("withdraw", tests, NULL, NULL);
}
