/*
 * What becomes of a job's end that a member does not take.
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
#include "lib/base/metrics.h"
#include "lib/db/db_event.h"
#include "lib/json/json.h"
#include "supervisor/answer.h"
#include "supervisor/finding.h"
#include "supervisor/job.h"
#include "supervisor/partners.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"
#define MINUTE_MS (60 * INT64_C(1000))

static const struct answer busy = { .code = ERR_BUSY, .text = "not now" };

struct fixture {
	struct supervisor super;
	struct site_conf conf;
	struct job *job;
	struct arena *arena;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	mariadb_fresh();
	/* What is said about jobs goes into files. */
	f->conf = *mariadb_conf();
	f->conf.home = xasprintf("%s/site", mariadb_folder());
	f->super.conf = &f->conf;
	f->super.db = mariadb_connect();
	f->super.metrics = metrics_new();
	f->super.findings = findings_new();
	f->arena = arena_new();
	f->job = job_new(J1);
	f->job->nmembers = 1;
	f->job->members = xcalloc(1, sizeof(*f->job->members));
	assert_int_equal(rows_initiated(f->super.db, J1), 0);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	job_free(f->job);
	arena_free(f->arena);
	findings_free(f->super.findings);
	metrics_free(f->super.metrics);
	db_close(f->super.db);
	free(f->conf.home);
	free(f);
	return 0;
}

/* The host is told so long after the end. */
static void
refuses(struct fixture *f, int64_t over_ms)
{
	struct command c = { .super = &f->super,
		.job = f->job,
		.verb = PLAN_END,
		.status = STATE_FAILED,
		.to = { J1, "host", ROWS_HOST },
		.over_ms = over_ms,
		.arena = f->arena };

	assert_int_equal(answer_take(&c, &busy, false), 0);
	answer_tell_late_end(&c, &busy);
}

static int64_t
rests_for(struct fixture *f)
{
	int64_t until = f->job->members[0].rest_until_ms;

	f->job->members[0].rest_until_ms = 0;
	return until == 0 ? 0 : until - clock_mono_ms();
}

static struct db_party *
host(struct fixture *f)
{
	struct db_party *p;

	assert_int_equal(
	    db_party_get(f->super.db, f->arena, J1, "host", ROWS_HOST, &p), 0);
	return p;
}

static size_t
findings(struct fixture *f)
{
	struct db_event *rows;
	size_t n, found = 0;

	assert_int_equal(
	    db_event_list(f->super.db, f->arena, J1, 0, 100, &rows, &n), 0);
	for (size_t i = 0; i < n; i++)
		found += strcmp(rows[i].kind, "detector") == 0 &&
			 strstr(rows[i].reason, "host " ROWS_HOST) != NULL &&
			 strstr(rows[i].reason, "not now") != NULL;
	return found;
}

static void
an_end_that_is_not_taken_is_told_again_less_and_less_often(void **state)
{
	struct fixture *f = *state;

	refuses(f, 1);
	assert_in_range(rests_for(f), 1, JOB_REST_MS);
	refuses(f, 20000);
	assert_in_range(rests_for(f), JOB_REST_MS + 1, 5000);
	assert_int_equal(findings(f), 0);
	refuses(f, 30 * MINUTE_MS);
	assert_in_range(rests_for(f), 5001, ANSWER_END_REST_MAX_MS);
	assert_false(host(f)->ended);
}

/* Nothing is sent: the client of the network is none. */
static void
a_partner_of_an_older_version_is_started_without_tasks(void **state)
{
	static const struct answer refusal = { .code = ERR_INVALID,
		.text = "body: /tasks is not known" };
	struct fixture *f = *state;
	struct command c = { .super = &f->super,
		.job = f->job,
		.verb = PLAN_START,
		.nstarts = 1,
		.to = { J1, "host", ROWS_HOST },
		.arena = f->arena };
	struct db_job *j;

	f->super.partners = partners_open(&f->super, NULL);
	assert_false(partners_wants_plain_starts(f->super.partners, ROWS_HOST));
	assert_int_equal(answer_take(&c, &refusal, false), 0);
	assert_true(partners_wants_plain_starts(f->super.partners, ROWS_HOST));
	assert_int_equal(db_job_get(f->super.db, f->arena, J1, &j), 0);
	assert_int_equal(j->cancel_status, STATE_NONE);
	/* What it does not take without them either is a refusal. */
	c.nstarts = 0;
	assert_int_equal(answer_take(&c, &refusal, false), 0);
	assert_int_equal(db_job_get(f->super.db, f->arena, J1, &j), 0);
	assert_int_equal(j->cancel_status, STATE_FAILED);
	partners_close(f->super.partners);
}

/* However long its list is, each name in it is looked for. */
static void
a_member_has_lost_no_more_than_the_job_has(void **state)
{
	struct fixture *f = *state;
	struct answer a = { .code = 0, .text = "success" };
	struct command c = { .super = &f->super,
		.job = f->job,
		.verb = PLAN_REOPEN,
		.to = { J1, "host", ROWS_HOST },
		.arena = f->arena };
	struct db_job *j;

	assert_int_equal(
	    graph_from_dsl("{\"components\":{\"reader_0\":{\"module\":"
			   "\"Reader\"},\"lr_0\":{\"module\":\"HeteroLR\"}}}",
		&f->job->graph),
	    0);
	assert_int_equal(
	    json_parse_text("{\"gone\":[\"reader_0\",\"lr_0\"]}", &a.data), 0);
	assert_int_equal(answer_take(&c, &a, false), 0);
	assert_true(host(f)->created);
	assert_int_equal(db_job_get(f->super.db, f->arena, J1, &j), 0);
	assert_int_equal(j->cancel_status, STATE_NONE);
	json_object_put(a.data);
	assert_int_equal(
	    json_parse_text("{\"gone\":[\"lr_0\",\"lr_0\",\"lr_0\"]}", &a.data),
	    0);
	assert_int_equal(answer_take(&c, &a, false), 0);
	json_object_put(a.data);
	assert_int_equal(db_job_get(f->super.db, f->arena, J1, &j), 0);
	assert_int_equal(j->cancel_status, STATE_FAILED);
	assert_non_null(strstr(j->reason, "host " ROWS_HOST ": it answered"));
}

static void
a_late_end_is_found_once(void **state)
{
	struct fixture *f = *state;

	refuses(f, 2 * MINUTE_MS);
	refuses(f, 3 * MINUTE_MS);
	assert_int_equal(findings(f), 1);
	assert_false(host(f)->ended);
}

static void
who_takes_no_end_for_an_hour_has_left_the_job(void **state)
{
	struct fixture *f = *state;

	refuses(f, 61 * MINUTE_MS);
	assert_int_equal(rests_for(f), 0);
	assert_true(host(f)->ended);
	assert_string_equal(
	    host(f)->last_error, "it did not take the end: not now");
	assert_int_equal(findings(f), 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(an_end_that_is_not_taken_is_told_again_less_and_less_often),
		T(a_partner_of_an_older_version_is_started_without_tasks),
		T(a_member_has_lost_no_more_than_the_job_has),
		T(a_late_end_is_found_once),
		T(who_takes_no_end_for_an_hour_has_left_the_job),
	};
#undef T

	log_init("test_answer", LOG_ERROR_);
	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
