/*
 * When a site tells an initiator what its tasks do.  The initiator is played
 * here: what is sent to it is kept, and answered when the test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_task.h"
#include "lib/json/json.h"
#include "supervisor/partners.h"
#include "supervisor/report.h"
#include "supervisor/telling.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"
#define MOST 16

static const struct db_task_key key = { J1, "reader_0", 0, "host", ROWS_HOST };

/* --- the initiator -------------------------------------------------------------- */

static struct {
	char *body;
	partner_done_fn *fn;
	void *ctx;
} posts[MOST];
static size_t n_posts;

int
partners_post(struct partners *ps, const char *party, const char *path,
    const char *body, partner_done_fn *fn, void *ctx)
{
	(void)ps;
	assert_string_equal(party, ROWS_GUEST);
	assert_non_null(strstr(path, "/v1/initiator/" J1 "/reader_0/"));
	assert_true(n_posts < MOST);
	posts[n_posts].body = xstrdup(body);
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
	return false;
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

/* --- the site ------------------------------------------------------------------- */

struct fixture {
	struct supervisor super;
	struct reporter *reporter;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct rows_partner p;

	mariadb_fresh();
	f->super.conf = mariadb_conf();
	f->super.db = mariadb_connect();
	assert_int_equal(loop_new(&f->super.loop), 0);
	f->reporter = reporter_new(&f->super);
	rows_partner_init(&p, J1, "host");
	assert_int_equal(db_job_insert(f->super.db, &p.job, NULL), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	reporter_free(f->reporter);
	loop_free(f->super.loop);
	db_close(f->super.db);
	free(f);
	while (n_posts > 0)
		free(posts[--n_posts].body);
	return 0;
}

static void
moves(struct fixture *f, enum state to)
{
	struct db_task_move move = { .status = STATE_NONE, .party_status = to };
	unsigned moved;

	assert_int_equal(db_task_move(f->super.db, &key, &move, &moved), 0);
	assert_int_equal(moved, DB_MOVED_PARTY);
}

/* The time passes, and all that is due by then is done. */
static void
pass(struct fixture *f, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	while (clock_mono_ms() < until)
		assert_int_equal(loop_once(f->super.loop, 5), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_once(f->super.loop, 0), 0);
}

static bool
is_due(struct fixture *f)
{
	struct arena *arena = arena_new();
	struct db_report *rows;
	size_t n;

	assert_int_equal(
	    db_task_reports_due(f->super.db, arena, 10, &rows, &n), 0);
	arena_free(arena);
	return n > 0;
}

static void
expect_told(size_t i, enum state s)
{
	struct json_object *o;

	assert_true(i < n_posts);
	assert_int_equal(json_parse_text(posts[i].body, &o), 0);
	assert_string_equal(json_get_str(o, "party_status", ""), state_name(s));
	if (state_is_end(s))
		assert_true(json_get_int(o, "start_time", 0) > 0);
	json_object_put(o);
}

/* --- tests ---------------------------------------------------------------------- */

static void
that_a_task_runs_is_told_after_a_moment(void **state)
{
	struct fixture *f = *state;

	moves(f, STATE_RUNNING);
	report_soon(f->reporter);
	report_soon(f->reporter);
	assert_int_equal(n_posts, 0);
	pass(f, 200);
	assert_int_equal(n_posts, 1);
	expect_told(0, STATE_RUNNING);
}

static void
of_a_task_that_is_over_by_then_the_end_alone_is_told(void **state)
{
	struct fixture *f = *state;

	moves(f, STATE_RUNNING);
	report_soon(f->reporter);
	moves(f, STATE_SUCCESS);
	report_look(f->reporter);
	assert_int_equal(n_posts, 1);
	expect_told(0, STATE_SUCCESS);
	answer(0, 200);
	pass(f, 200);
	assert_int_equal(n_posts, 1);
	assert_false(is_due(f));
}

static void
what_was_heard_is_written_later_and_not_sent_again_before(void **state)
{
	struct fixture *f = *state;

	moves(f, STATE_RUNNING);
	report_look(f->reporter);
	answer(0, 200);
	assert_true(is_due(f));
	report_look(f->reporter);
	assert_int_equal(n_posts, 1);
	pass(f, 200);
	assert_false(is_due(f));
	assert_int_equal(n_posts, 1);
}

static void
an_end_that_comes_before_a_report_was_written_is_told(void **state)
{
	struct fixture *f = *state;

	moves(f, STATE_RUNNING);
	report_look(f->reporter);
	answer(0, 200);
	/* Its wake got lost. */
	moves(f, STATE_FAILED);
	pass(f, 200);
	assert_int_equal(n_posts, 2);
	expect_told(1, STATE_FAILED);
	assert_true(is_due(f));
	answer(1, 200);
	pass(f, 200);
	assert_false(is_due(f));
	assert_int_equal(n_posts, 2);
}

static void
what_was_heard_is_written_when_the_site_stops(void **state)
{
	struct fixture *f = *state;

	moves(f, STATE_RUNNING);
	report_look(f->reporter);
	answer(0, 200);
	reporter_free(f->reporter);
	f->reporter = NULL;
	assert_false(is_due(f));
}

static void
an_initiator_in_trouble_is_told_again_after_a_rest(void **state)
{
	struct fixture *f = *state;
	int64_t began;
	size_t n;

	moves(f, STATE_RUNNING);
	report_look(f->reporter);
	began = clock_mono_ms();
	answer(0, 500);
	for (int i = 0; i < 5; i++)
		report_look(f->reporter);
	/* On a machine that took longer the rest is over. */
	if (clock_mono_ms() - began < TELLING_REST_MIN_MS)
		assert_int_equal(n_posts, 1);
	/* Another state does not wait for it. */
	n = n_posts;
	moves(f, STATE_SUCCESS);
	report_look(f->reporter);
	assert_int_equal(n_posts, n + 1);
	began = clock_mono_ms();
	answer(n, 500);
	while (n_posts == n + 1 && clock_mono_ms() - began < 20000)
		pass(f, 20);
	assert_int_equal(n_posts, n + 2);
	expect_told(n + 1, STATE_SUCCESS);
	assert_true(clock_mono_ms() - began >= TELLING_REST_MIN_MS);
	/* In trouble still: the rest grows. */
	began = clock_mono_ms();
	answer(n + 1, 500);
	while (n_posts == n + 2 && clock_mono_ms() - began < 20000)
		pass(f, 20);
	assert_int_equal(n_posts, n + 3);
	assert_true(clock_mono_ms() - began >= 2 * TELLING_REST_MIN_MS);
	/* Who said nothing is asked again by the next look. */
	answer(n + 2, 0);
	report_look(f->reporter);
	assert_int_equal(n_posts, n + 4);
	answer(n + 3, 200);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(that_a_task_runs_is_told_after_a_moment),
		T(of_a_task_that_is_over_by_then_the_end_alone_is_told),
		T(what_was_heard_is_written_later_and_not_sent_again_before),
		T(an_end_that_comes_before_a_report_was_written_is_told),
		T(what_was_heard_is_written_when_the_site_stops),
		T(an_initiator_in_trouble_is_told_again_after_a_rest),
	};
#undef T

	log_init("test_report", LOG_ERROR_);
	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
