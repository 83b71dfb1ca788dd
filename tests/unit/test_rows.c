/*
 * What is seen of a job's rows, and what a plan changes in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db_contract.h"
#include "supervisor/finding.h"
#include "supervisor/job.h"
#include "supervisor/partners.h"
#include "supervisor/queue.h"
#include "supervisor/rows.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"
#define LEASE_MS 60000

static const struct {
	const char *role, *party;
} members[] = { { "guest", ROWS_GUEST }, { "host", ROWS_HOST },
	{ "arbiter", ROWS_HOST } };

struct fixture {
	struct supervisor super;
	struct site_conf conf;
	struct job *job;
	struct arena *arena;
};

/* As a scheduler has it that has claimed it. */
static struct job *
job_of(int64_t fence)
{
	struct job *j = job_new(J1);

	j->fence = fence;
	assert_int_equal(
	    graph_from_dsl("{\"components\":{\"reader_0\":{\"module\":"
			   "\"Reader\"},\"lr_0\":{\"module\":\"HeteroLR\"}}}",
		&j->graph),
	    0);
	return j;
}

/* A leased job whose partners have started; its own member is yet to. */
static void
all_but_own_started(struct fixture *f)
{
	struct db *db = f->super.db;
	struct db_job_claim *claims;
	size_t n;

	assert_int_equal(rows_initiated(db, J1), 0);
	for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++) {
		struct db_signature s = { members[m].role, members[m].party,
			"0123456789abcdef", 1, "00" };

		assert_int_equal(db_signature_put(db, J1, 0, &s), 0);
		assert_int_equal(
		    db_party_mark(db, J1, members[m].role, members[m].party,
			DB_PARTY_CREATED, true, "", 0),
		    0);
		assert_int_equal(
		    db_party_mark(db, J1, members[m].role, members[m].party,
			m == 0 ? DB_PARTY_RESERVED : DB_PARTY_STARTED, true, "",
			0),
		    0);
	}
	assert_int_equal(
	    db_job_claim(db, f->arena, "s", LEASE_MS, 10, &claims, &n), 0);
	assert_int_equal(n, 1);
	f->job = job_of(claims->fence);
}

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	mariadb_fresh();
	f->conf = *mariadb_conf();
	f->conf.home = xasprintf("%s/site", mariadb_folder());
	f->super.conf = &f->conf;
	f->super.db = mariadb_connect();
	f->super.metrics = metrics_new();
	f->super.findings = findings_new();
	f->super.queue = queue_new(&f->super);
	f->super.partners = partners_open(&f->super, NULL);
	f->arena = arena_new();
	all_but_own_started(f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	job_free(f->job);
	arena_free(f->arena);
	partners_close(f->super.partners);
	queue_free(f->super.queue);
	findings_free(f->super.findings);
	metrics_free(f->super.metrics);
	db_close(f->super.db);
	free(f->conf.home);
	free(f);
	return 0;
}

static void
a_job_does_not_run_on_a_reservation_that_ran_out(void **state)
{
	struct fixture *f = *state;
	struct outcome o = { .became = STATE_NONE, .delay_ms = -1 };
	struct snapshot sn;
	struct plan plan;
	struct db_party *own;
	struct db_job *job;

	plan_init(&plan);
	assert_int_equal(snapshot_load(&f->super, f->job, &sn), 0);
	plan_make(&plan, &sn.plan);
	assert_int_equal(rows_change(&f->super, f->job, &sn, &plan, &o), 0);
	assert_true(o.stale);
	assert_true(o.changed);
	assert_int_equal(db_job_get(f->super.db, f->arena, J1, &job), 0);
	assert_int_equal(job->status, STATE_WAITING);
	assert_int_equal(
	    db_party_get(f->super.db, f->arena, J1, "guest", ROWS_GUEST, &own),
	    0);
	assert_false(own->started);
	/* It asks again. */
	assert_false(own->reserved);
	snapshot_fini(&sn);
	plan_fini(&plan);
}

/* Whoever had the job before may have asked it to begin, and be no more. */
static void
a_partner_may_have_begun_where_own_members_have(void **state)
{
	struct fixture *f = *state;
	struct snapshot sn;
	struct job *next;

	assert_int_equal(snapshot_load(&f->super, f->job, &sn), 0);
	for (size_t m = 0; m < sn.plan.nmembers; m++)
		assert_false(sn.plan.members[m].in_doubt);
	snapshot_fini(&sn);
	assert_int_equal(db_party_mark(f->super.db, J1, "guest", ROWS_GUEST,
			     DB_PARTY_STARTED, true, "", 0),
	    0);
	assert_int_equal(db_party_mark(f->super.db, J1, "host", ROWS_HOST,
			     DB_PARTY_STARTED, false, "", 0),
	    0);
	/* As the next scheduler sees it. */
	next = job_of(f->job->fence);
	assert_int_equal(snapshot_load(&f->super, next, &sn), 0);
	for (size_t m = 0; m < sn.plan.nmembers; m++)
		assert_int_equal(sn.plan.members[m].in_doubt,
		    strcmp(sn.plan.members[m].role, "host") == 0);
	snapshot_fini(&sn);
	job_free(next);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(a_job_does_not_run_on_a_reservation_that_ran_out),
		T(a_partner_may_have_begun_where_own_members_have),
	};
#undef T

	log_init("test_rows", LOG_ERROR_);
	return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
