/*
 * Who may decide about a partner's job, about what and until when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/db.h"
#include "lib/party/approval.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define JOB "202601010000000000010"

static struct db *db;

static void
run_sql(const char *sql)
{
	if (db_run_script_statement(db, sql, strlen(sql)) != 0)
		fail_msg("%s", err_text());
}

static int64_t
decided(const char *decision)
{
	static const struct db_stmt count = { "test.decided", "s",
		"SELECT COUNT(*) FROM approval WHERE decision = ?" };
	int64_t n = -1;

	if (db_query_int(db, &count, &n, decision) != 0)
		fail_msg("%s", err_text());
	return n;
}

static int64_t
sign_due(void)
{
	static const struct db_stmt due = { "test.sign_due", "",
		"SELECT sign_due FROM job_party WHERE is_local = 1" };
	int64_t n = -1;

	if (db_query_int(db, &due, &n) != 0)
		fail_msg("%s", err_text());
	return n;
}

static void
ask(int64_t revision, int64_t rule, const char *by, int64_t within_s)
{
	const struct db_approval a = { .job_id = JOB,
		.revision = revision,
		.role = "host",
		.party_id = ROWS_HOST,
		.permission_id = rule,
		.subject = "dataset a b",
		.approval_by = by };

	assert_int_equal(db_approval_ask(db, &a, within_s), 0);
}

/* A partner's job that waits with revision 1 of its contract. */
static int
setup(void **state)
{
	struct rows_partner p;
	bool created;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	rows_partner_init(&p, JOB, "host");
	assert_int_equal(db_job_insert(db, &p.job, &created), 0);
	run_sql("UPDATE job SET status = 'waiting', revision = 1");
	run_sql("UPDATE job_party SET sign_due = 4 WHERE is_local = 1");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	db_close(db);
	return 0;
}

static int
decide(const char *by, bool is_admin)
{
	const struct approval_decision d = {
		.job_id = JOB, .by = by, .is_admin = is_admin, .note = "no"
	};
	size_t n;

	return approval_decide(db, &d, &n);
}

static void
who_is_called_admin_and_is_none_decides_nothing(void **state)
{
	(void)state;
	ask(1, 1, APPROVAL_ADMIN, 3600);
	assert_int_equal(decide(APPROVAL_ADMIN, false), ERR_DENIED);
	assert_int_equal(decided(""), 1);
	assert_int_equal(decide("mia", true), 0);
	assert_int_equal(decided("rejected"), 1);
}

/* mia was asked about the first contract, an admin about the second. */
static void
what_was_asked_about_an_earlier_contract_admits_nothing(void **state)
{
	(void)state;
	ask(0, 1, "mia", 3600);
	ask(1, 2, APPROVAL_ADMIN, 3600);
	assert_int_equal(decide("mia", false), ERR_DENIED);
	assert_int_equal(sign_due(), 4);
}

static void
a_deadline_of_an_earlier_contract_ends_nothing(void **state)
{
	(void)state;
	ask(0, 1, "mia", 0);
	ask(1, 2, APPROVAL_ADMIN, 3600);
	assert_int_equal(approval_expire(db), 0);
	assert_int_equal(sign_due(), 4);
	/* It is not looked at again and again. */
	assert_int_equal(decided("expired"), 1);
	assert_int_equal(decided(""), 1);
}

/* Whether or not a supervisor has noticed. */
static void
after_the_deadline_nobody_decides(void **state)
{
	(void)state;
	ask(1, 1, "mia", 0);
	assert_int_equal(decide("mia", false), ERR_NOT_FOUND);
	assert_int_equal(decide("root", true), ERR_NOT_FOUND);
	assert_int_equal(approval_expire(db), 0);
	assert_int_equal(sign_due(), 5);
}

static int
write_down(int64_t rule, const char *decision)
{
	const struct db_approval a = { .job_id = JOB,
		.revision = 1,
		.role = "host",
		.party_id = ROWS_HOST,
		.permission_id = rule,
		.decision = decision,
		.decided_by = "mia",
		.note = "",
		.decided_s = 1 };

	return db_approval_decide(db, &a);
}

/* Who looked a moment before it must not write a moment after it. */
static void
a_decision_and_the_deadline_exclude_each_other(void **state)
{
	(void)state;
	ask(1, 1, "mia", 0);
	ask(1, 2, "mia", 3600);
	assert_int_equal(write_down(1, DB_APPROVED), ERR_CONFLICT);
	assert_int_equal(write_down(2, DB_EXPIRED), ERR_CONFLICT);
	assert_int_equal(decided(""), 2);
	assert_int_equal(write_down(1, DB_EXPIRED), 0);
	assert_int_equal(write_down(2, DB_APPROVED), 0);
	assert_int_equal(write_down(2, DB_REJECTED), ERR_CONFLICT);
	assert_int_equal(decided(DB_APPROVED), 1);
}

static int
may_sign(void)
{
	return approval_check(db, JOB, 1, "host", ROWS_HOST);
}

static void
only_what_everybody_approved_lets_a_member_in(void **state)
{
	(void)state;
	ask(1, 1, "mia", 3600);
	ask(1, 2, "mia", 3600);
	assert_int_equal(may_sign(), ERR_PENDING);
	assert_int_equal(write_down(1, DB_APPROVED), 0);
	assert_int_equal(may_sign(), ERR_PENDING);
	assert_int_equal(write_down(2, DB_APPROVED), 0);
	assert_int_equal(may_sign(), 0);
	ask(1, 3, "mia", 3600);
	assert_int_equal(write_down(3, DB_REJECTED), 0);
	assert_int_equal(may_sign(), ERR_DENIED);
	assert_non_null(strstr(err_text(), "mia of party " ROWS_HOST));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_is_called_admin_and_is_none_decides_nothing),
		T(what_was_asked_about_an_earlier_contract_admits_nothing),
		T(a_deadline_of_an_earlier_contract_ends_nothing),
		T(after_the_deadline_nobody_decides),
		T(a_decision_and_the_deadline_exclude_each_other),
		T(only_what_everybody_approved_lets_a_member_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
