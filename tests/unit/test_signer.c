/*
 * What a site signs, and what it tells initiators of that.  The initiators
 * are played here: what is sent to them is answered as the test says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/db/db_approval.h"
#include "lib/db/db_contract.h"
#include "supervisor/partners.h"
#include "supervisor/sign.h"
#include "supervisor/telling.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define OTHER "8888"
#define MOST 16

/* --- the initiators -------------------------------------------------------------- */

static struct {
	char *party, *path;
	partner_done_fn *fn;
	void *ctx;
} posts[MOST];
static size_t n_posts;
static bool is_away;

int
partners_post(struct partners *ps, const char *party, const char *path,
    const char *body, partner_done_fn *fn, void *ctx)
{
	(void)ps;
	(void)body;
	assert_true(n_posts < MOST);
	posts[n_posts].party = xstrdup(party);
	posts[n_posts].path = xstrdup(path);
	posts[n_posts].fn = fn;
	posts[n_posts++].ctx = ctx;
	return 0;
}

bool
partners_away(
    struct partners *ps, const char *party, int64_t *away_ms, const char **why)
{
	(void)ps;
	(void)party;
	(void)away_ms;
	(void)why;
	return is_away;
}

bool
partners_is_silence(const struct partner_reply *r)
{
	return r->status == 0;
}

static void
answer(size_t i, int status)
{
	struct partner_reply reply = { .status = status,
		.error = status == 200 ? 0 : ERR_REMOTE,
		.retmsg = "" };

	posts[i].fn(posts[i].ctx, &reply);
}

/* --- the site -------------------------------------------------------------------- */

struct fixture {
	struct supervisor super;
	struct signer *signer;
	struct arena *arena;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	mariadb_fresh();
	f->super.conf = mariadb_conf();
	f->super.db = mariadb_connect();
	f->arena = arena_new();
	is_away = false;
	assert_int_equal(keys_generate(&f->super.keys), 0);
	assert_int_equal(loop_new(&f->super.loop), 0);
	f->signer = signer_new(&f->super);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	signer_free(f->signer);
	loop_free(f->super.loop);
	keys_free(f->super.keys);
	arena_free(f->arena);
	db_close(f->super.db);
	free(f);
	while (n_posts > 0) {
		free(posts[--n_posts].path);
		free(posts[n_posts].party);
	}
	return 0;
}

static const char *
job_of(struct fixture *f, int number, const char *initiator)
{
	const char *id = arena_printf(f->arena, "2026010100000000%05d", number);
	struct rows_partner p;

	rows_partner_init(&p, id, "host");
	p.job.initiator_party = initiator;
	assert_int_equal(db_job_insert(f->super.db, &p.job, NULL), 0);
	return id;
}

static void
refuse(struct fixture *f, const char *id)
{
	assert_int_equal(
	    db_sign_refuse(f->super.db, id, "host", ROWS_HOST, "no"), 0);
}

/* A person said no, and nobody signed that yet. */
static void
reject(struct fixture *f, const char *id)
{
	struct db_approval a = { .job_id = id,
		.revision = 0,
		.role = "host",
		.party_id = ROWS_HOST,
		.permission_id = 1,
		.subject = "dataset a b",
		.approval_by = "mia",
		.decision = DB_REJECTED,
		.decided_by = "mia",
		.note = "",
		.decided_s = 1 };

	assert_int_equal(db_approval_ask(f->super.db, &a, 3600), 0);
	assert_int_equal(db_approval_decide(f->super.db, &a), 0);
	refuse(f, id);
}

static int64_t
unsigned_decisions(struct fixture *f)
{
	static const struct db_stmt stmt = { "test.unsigned", "",
		"SELECT COUNT(*) FROM approval WHERE signature = ''" };
	int64_t n;

	assert_int_equal(db_query_int(f->super.db, &stmt, &n), 0);
	return n;
}

static void
run_sql(struct fixture *f, const char *sql)
{
	assert_int_equal(
	    db_run_script_statement(f->super.db, sql, strlen(sql)), 0);
}

/* --- tests ----------------------------------------------------------------------- */

static size_t
told(const char *party)
{
	size_t n = 0;

	for (size_t i = 0; i < n_posts; i++)
		n += str_eq(posts[i].party, party);
	return n;
}

static void
an_initiator_in_trouble_has_not_heard_and_rests(void **state)
{
	struct fixture *f = *state;
	int64_t began;

	refuse(f, job_of(f, 1, ROWS_GUEST));
	sign_look(f->signer);
	assert_int_equal(n_posts, 1);
	assert_string_equal(posts[0].party, ROWS_GUEST);
	assert_non_null(strstr(posts[0].path, "/stop/failed"));
	began = clock_mono_ms();
	answer(0, 500);
	for (int i = 0; i < 5; i++)
		sign_look(f->signer);
	/* Others' are told meanwhile. */
	refuse(f, job_of(f, 2, OTHER));
	sign_look(f->signer);
	assert_int_equal(told(OTHER), 1);
	assert_string_equal(posts[n_posts - 1].party, OTHER);
	answer(n_posts - 1, 200);
	sign_look(f->signer);
	assert_int_equal(told(OTHER), 1);
	/* On a machine that took longer the rest is over. */
	if (clock_mono_ms() - began < TELLING_REST_MIN_MS)
		assert_int_equal(told(ROWS_GUEST), 1);
}

static void
a_rejection_is_told_once_it_is_signed_and_not_before(void **state)
{
	struct fixture *f = *state;

	reject(f, job_of(f, 1, ROWS_GUEST));
	is_away = true;
	sign_look(f->signer);
	assert_int_equal(unsigned_decisions(f), 1);
	is_away = false;
	run_sql(f, "CREATE TRIGGER no_signing BEFORE UPDATE ON approval"
		   " FOR EACH ROW SIGNAL SQLSTATE '45000'");
	sign_look(f->signer);
	assert_int_equal(n_posts, 0);
	run_sql(f, "DROP TRIGGER no_signing");
	sign_look(f->signer);
	assert_int_equal(n_posts, 1);
	assert_int_equal(unsigned_decisions(f), 0);
}

static void
many_jobs_of_one_initiator_keep_no_others_waiting(void **state)
{
	struct fixture *f = *state;
	struct db_sign_work *rows;
	const char *mine, *others;
	size_t n;
	bool has_mine = false, has_others = false;

	for (int i = 1; i <= 6; i++)
		refuse(f, job_of(f, i, ROWS_GUEST));
	mine = job_of(f, 7, ROWS_GUEST);
	others = job_of(f, 8, OTHER);
	assert_int_equal(db_sign_due_set(f->super.db, mine, "host", ROWS_HOST,
			     DB_SIGN_ASKED),
	    0);
	refuse(f, others);
	assert_int_equal(
	    db_sign_due_list(f->super.db, f->arena, 4, &rows, &n), 0);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		has_mine |= str_eq(rows[i].job_id, mine);
		has_others |= str_eq(rows[i].job_id, others);
	}
	assert_true(has_mine);
	assert_true(has_others);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(an_initiator_in_trouble_has_not_heard_and_rests),
		T(a_rejection_is_told_once_it_is_signed_and_not_before),
		T(many_jobs_of_one_initiator_keep_no_others_waiting),
	};
#undef T

	log_init("test_signer", LOG_ERROR_);
	return cmocka_run_group_tests_name("signer", tests, NULL, NULL);
}
