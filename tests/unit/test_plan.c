/*
 * The planning core: every promise of the scheduler that can be said about
 * one snapshot.  A two-party job, guest 9999 (here) and host 10000, with a
 * chain of three tasks, is put into a state; the plan must name what lacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/mem.h"
#include "supervisor/plan.h"

enum { GUEST, HOST, MEMBERS };
enum { READER, PSI, LR, COMPONENTS };

struct fixture {
	struct plan plan;
	struct plan_job job;
	struct plan_member members[MEMBERS];
	struct plan_component components[COMPONENTS];
	struct plan_row rows[COMPONENTS][MEMBERS];
	size_t ups[COMPONENTS];
};

static int
setup(void **state)
{
	static const char *const names[] = { "reader_0", "psi_0", "lr_0" };
	struct fixture *f = xcalloc(1, sizeof(*f));

	plan_init(&f->plan);
	f->members[GUEST] = (struct plan_member){ .role = "guest",
		.party = "9999",
		.is_local = true,
		.is_signed = true };
	f->members[HOST] = (struct plan_member){
		.role = "host", .party = "10000", .is_signed = true
	};
	for (size_t c = 0; c < COMPONENTS; c++) {
		f->components[c] = (struct plan_component){ .name = names[c],
			.status = STATE_WAITING,
			.upstream = &f->ups[c],
			.nupstream = c == 0 ? 0 : 1,
			.rows = f->rows[c],
			.nrows = MEMBERS };
		f->ups[c] = c == 0 ? 0 : c - 1;
		for (size_t m = 0; m < MEMBERS; m++)
			f->rows[c][m] = (struct plan_row){ .member = m,
				.party_status = STATE_WAITING,
				.acked = STATE_NONE };
	}
	f->job = (struct plan_job){ .job_id = "20260101000000000001",
		.status = STATE_WAITING,
		.cancel_status = STATE_NONE,
		.task_parallelism = 1,
		.waiting_ms = 1000,
		.timeout_ms = 100000,
		.queue_timeout_ms = 1000000,
		.lost_partner_ms = 60000,
		.members = f->members,
		.nmembers = MEMBERS,
		.components = f->components,
		.ncomponents = COMPONENTS };
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	plan_fini(&f->plan);
	free(f);
	return 0;
}

/* --- states the job can be in ------------------------------------------- */

static void
all_created(struct fixture *f)
{
	for (size_t m = 0; m < MEMBERS; m++)
		f->members[m].created = true;
}

static void
all_reserved(struct fixture *f)
{
	all_created(f);
	for (size_t m = 0; m < MEMBERS; m++)
		f->members[m].reserved = true;
}

static void
running(struct fixture *f)
{
	all_reserved(f);
	for (size_t m = 0; m < MEMBERS; m++)
		f->members[m].started = true;
	f->job.status = STATE_RUNNING;
	f->job.running_ms = 1000;
}

/* The component's tasks run at both members. */
static void
task_runs(struct fixture *f, size_t c)
{
	f->components[c].status = STATE_RUNNING;
	for (size_t m = 0; m < MEMBERS; m++) {
		f->rows[c][m].party_status = STATE_RUNNING;
		f->rows[c][m].start_acked = true;
	}
}

/* It ended so at both, and both know it. */
static void
task_ended(struct fixture *f, size_t c, enum state s)
{
	task_runs(f, c);
	f->components[c].status = s;
	for (size_t m = 0; m < MEMBERS; m++) {
		f->rows[c][m].party_status = s;
		f->rows[c][m].acked = s;
	}
}

/* --- what a plan holds ----------------------------------------------------- */

/* Reasons that some plan of these tests gave. */
static bool given[WAIT_CODES];

static void
make(struct fixture *f)
{
	plan_make(&f->plan, &f->job);
	given[f->plan.wait.code] = true;
	for (size_t c = 0; c < f->job.ncomponents; c++)
		given[f->plan.tasks[c].code] = true;
}

#define ANY ((size_t)-1)

static const struct plan_action *
find(const struct fixture *f, enum plan_verb verb, size_t member,
    size_t component)
{
	for (size_t i = 0; i < f->plan.n; i++) {
		const struct plan_action *a = &f->plan.actions[i];

		if (a->verb == verb && (member == ANY || a->member == member) &&
		    (component == ANY || a->component == component))
			return a;
	}
	return NULL;
}

static const struct plan_action *
expect(const struct fixture *f, enum plan_verb verb, size_t member,
    size_t component)
{
	const struct plan_action *a = find(f, verb, member, component);

	if (a == NULL)
		fail_msg("the plan lacks \"%s\" (member %zd, component %zd)",
		    plan_verb_name(verb), (ssize_t)member, (ssize_t)component);
	return a;
}

static void
expect_none(const struct fixture *f, enum plan_verb verb)
{
	if (find(f, verb, ANY, ANY) != NULL)
		fail_msg("the plan has \"%s\"", plan_verb_name(verb));
}

static void
expect_commands(const struct fixture *f, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < f->plan.n; i++)
		found += plan_is_command(f->plan.actions[i].verb);
	assert_int_equal(found, n);
}

static void
expect_reason(const struct plan_action *a, const char *part)
{
	assert_non_null(a->reason);
	if (strstr(a->reason, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", a->reason, part);
}

/* --- the beginning --------------------------------------------------------- */

static void
a_new_job_is_created_at_every_member(void **state)
{
	struct fixture *f = *state;

	make(f);
	expect(f, PLAN_CREATE, GUEST, ANY);
	expect(f, PLAN_CREATE, HOST, ANY);
	expect_commands(f, 2);
}

static void
a_lost_reply_is_answered_by_the_same_command(void **state)
{
	struct fixture *f = *state;

	f->members[GUEST].created = true;
	make(f);
	expect(f, PLAN_CREATE, HOST, ANY);
	expect_commands(f, 1);
	f->members[HOST].busy = true;
	make(f);
	expect_commands(f, 0);
	f->members[HOST].busy = false;
	make(f);
	expect(f, PLAN_CREATE, HOST, ANY);
}

static void
an_approval_to_come_is_waited_for_with_its_words(void **state)
{
	struct fixture *f = *state;

	f->members[GUEST].created = true;
	f->members[HOST].error = "data set x needs approval by Ms Li";
	make(f);
	expect_commands(f, 0);
	expect_reason(expect(f, PLAN_WAIT, ANY, ANY),
	    "host 10000: data set x needs approval by Ms Li");
}

static void
an_absent_partner_makes_its_job_wait_and_say_so(void **state)
{
	struct fixture *f = *state;

	f->members[GUEST].created = true;
	f->members[HOST].away = true;
	f->members[HOST].error = "connection refused";
	make(f);
	expect_commands(f, 0);
	expect_reason(expect(f, PLAN_WAIT, ANY, ANY), "host 10000");
	expect_reason(expect(f, PLAN_WAIT, ANY, ANY), "connection refused");
}

static void
resources_are_asked_for_once_all_have_the_job(void **state)
{
	struct fixture *f = *state;

	all_created(f);
	make(f);
	expect(f, PLAN_APPLY, GUEST, ANY);
	expect(f, PLAN_APPLY, HOST, ANY);
	expect_commands(f, 2);
}

static void
a_refusal_gives_back_what_others_granted(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *wait;

	all_created(f);
	f->members[GUEST].reserved = true;
	f->members[HOST].refused = true;
	f->members[HOST].error = "4 cores wanted, 2 of 8 free";
	make(f);
	expect(f, PLAN_RETURN, GUEST, ANY);
	expect_commands(f, 1);
	wait = expect(f, PLAN_WAIT, ANY, ANY);
	expect_reason(wait, "host 10000");
	expect_reason(wait, "4 cores wanted, 2 of 8 free");
	assert_true(wait->delay_ms > 0);
}

static void
an_absent_partner_does_not_hold_the_resources_of_others(void **state)
{
	struct fixture *f = *state;

	all_created(f);
	f->members[GUEST].reserved = true;
	f->members[HOST].away = true;
	make(f);
	expect(f, PLAN_RETURN, GUEST, ANY);
	expect_commands(f, 1);
	expect_reason(expect(f, PLAN_WAIT, ANY, ANY), "host 10000");
}

static void
after_a_refusal_members_are_asked_in_one_order(void **state)
{
	struct fixture *f = *state;

	all_created(f);
	f->job.apply_in_order = true;
	make(f);
	/*
	 * As numbers: 9999 is before 10000.  The partner is to begin with its
	 * grant, so that ours has to be a start: it is there after a kill.
	 */
	assert_true(expect(f, PLAN_APPLY, GUEST, ANY)->begins);
	expect_commands(f, 1);
	f->members[GUEST].is_signed = false;
	make(f);
	assert_false(expect(f, PLAN_APPLY, GUEST, ANY)->begins);
	f->members[GUEST].is_signed = true;
	f->job.undo_to = STATE_SUCCESS;
	make(f);
	assert_false(expect(f, PLAN_APPLY, GUEST, ANY)->begins);
	f->job.undo_to = STATE_NONE;
	f->members[GUEST].reserved = f->members[GUEST].started = true;
	make(f);
	expect(f, PLAN_APPLY, HOST, ANY);
	expect_commands(f, 1);
}

/* The last own member starts as it reserves; no other does. */
static void
who_is_asked_last_begins_when_all_have_signed(void **state)
{
	struct fixture *f = *state;

	all_created(f);
	make(f);
	assert_false(expect(f, PLAN_APPLY, GUEST, ANY)->begins);
	f->members[HOST].reserved = true;
	make(f);
	assert_true(expect(f, PLAN_APPLY, GUEST, ANY)->begins);
	f->members[HOST].is_signed = false;
	make(f);
	assert_false(expect(f, PLAN_APPLY, GUEST, ANY)->begins);
}

/* It looks for its own signature; the first tasks begin there with it. */
static void
a_partner_that_is_asked_last_begins_too(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *a;

	all_created(f);
	f->members[GUEST].reserved = true;
	f->members[HOST].is_signed = false;
	make(f);
	a = expect(f, PLAN_APPLY, HOST, ANY);
	assert_true(a->begins);
	assert_int_equal(a->nstarts, 1);
	assert_int_equal(a->starts[0], READER);
	expect_commands(f, 1);
	f->members[GUEST].is_signed = false;
	make(f);
	assert_false(expect(f, PLAN_APPLY, HOST, ANY)->begins);
	/* Another run may come to nothing until the job runs. */
	f->members[GUEST].is_signed = true;
	f->job.undo_to = STATE_SUCCESS;
	make(f);
	a = expect(f, PLAN_APPLY, HOST, ANY);
	assert_false(a->begins);
	assert_int_equal(a->nstarts, 0);
	/* Nor when another partner may have to be stopped then. */
	f->job.undo_to = STATE_NONE;
	f->members[GUEST].is_local = false;
	make(f);
	assert_false(expect(f, PLAN_APPLY, HOST, ANY)->begins);
}

/* Whether it has begun is not known: it did not say no. */
static void
nothing_is_given_back_while_a_partner_may_have_begun(void **state)
{
	struct fixture *f = *state;

	all_created(f);
	f->members[GUEST].reserved = true;
	f->members[HOST].away = f->members[HOST].in_doubt = true;
	make(f);
	expect(f, PLAN_START, GUEST, ANY);
	expect_none(f, PLAN_RETURN);
	expect_reason(expect(f, PLAN_WAIT, ANY, ANY), "host 10000");
	f->members[GUEST].started = true;
	make(f);
	expect_commands(f, 0);
	/* As of a running job: not for ever. */
	f->members[HOST].away_ms = f->job.lost_partner_ms + 1;
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_FAILED);
	/* It is back, and is asked again. */
	f->members[HOST].away = false;
	make(f);
	assert_true(expect(f, PLAN_APPLY, HOST, ANY)->begins);
	/* Nothing was asked of it: then others may have what is held here. */
	f->members[HOST].away = true;
	f->members[HOST].away_ms = 0;
	f->members[HOST].in_doubt = false;
	make(f);
	expect(f, PLAN_RETURN, GUEST, ANY);
	f->members[HOST].away = false;
	/* It had not begun: the same, and nothing fails. */
	f->members[HOST].refused = true;
	make(f);
	expect(f, PLAN_RETURN, GUEST, ANY);
	expect_none(f, PLAN_SET_JOB);
	expect_commands(f, 1);
}

static void
own_members_start_with_the_job(void **state)
{
	struct fixture *f = *state;

	all_reserved(f);
	f->members[HOST].started = true;
	make(f);
	expect(f, PLAN_START, GUEST, ANY);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_RUNNING);
	/* Not before they can. */
	f->members[GUEST].busy = true;
	make(f);
	expect_none(f, PLAN_SET_JOB);
}

static void
a_job_does_not_pass_one_that_waited_long(void **state)
{
	struct fixture *f = *state;

	all_created(f);
	f->job.yield_to = "20250101000000000000";
	make(f);
	expect_commands(f, 0);
	expect_reason(expect(f, PLAN_WAIT, ANY, ANY), f->job.yield_to);
}

static void
all_granted_starts_the_job(void **state)
{
	struct fixture *f = *state;

	all_reserved(f);
	make(f);
	expect(f, PLAN_START, GUEST, ANY);
	expect(f, PLAN_START, HOST, ANY);
	expect_commands(f, 2);
}

static void
a_partner_begins_the_first_tasks_with_its_start(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *a;

	all_reserved(f);
	make(f);
	/* Here they begin with the job. */
	assert_int_equal(expect(f, PLAN_START, GUEST, ANY)->nstarts, 0);
	a = expect(f, PLAN_START, HOST, ANY);
	assert_int_equal(a->nstarts, 1);
	assert_int_equal(a->starts[0], READER);
	/* As many as may run at once, whoever runs them. */
	f->components[PSI].nupstream = 0;
	make(f);
	assert_int_equal(expect(f, PLAN_START, HOST, ANY)->nstarts, 1);
	f->job.task_parallelism = 2;
	make(f);
	a = expect(f, PLAN_START, HOST, ANY);
	assert_int_equal(a->nstarts, 2);
	assert_int_equal(a->starts[1], PSI);
	f->components[READER].nrows = 1;
	make(f);
	a = expect(f, PLAN_START, HOST, ANY);
	assert_int_equal(a->nstarts, 1);
	assert_int_equal(a->starts[0], PSI);
	/* It runs there: the answer was lost. */
	f->rows[PSI][HOST].party_status = STATE_RUNNING;
	make(f);
	assert_int_equal(expect(f, PLAN_START, HOST, ANY)->nstarts, 0);
}

/* Its start got lost, another's did not. */
static void
what_runs_elsewhere_begins_first_at_a_partner_that_starts_late(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *a;

	all_reserved(f);
	f->components[PSI].nupstream = 0;
	f->rows[PSI][GUEST].party_status = STATE_RUNNING;
	make(f);
	a = expect(f, PLAN_START, HOST, ANY);
	assert_int_equal(a->nstarts, 1);
	assert_int_equal(a->starts[0], PSI);
	f->job.task_parallelism = 2;
	make(f);
	assert_int_equal(expect(f, PLAN_START, HOST, ANY)->nstarts, 2);
	/* The job will fail as soon as it runs. */
	f->rows[PSI][GUEST].party_status = STATE_FAILED;
	make(f);
	assert_int_equal(expect(f, PLAN_START, HOST, ANY)->nstarts, 0);
}

/* It may yet be undone, and then none of its tasks has begun. */
static void
of_a_rerun_no_task_begins_before_the_job_runs(void **state)
{
	struct fixture *f = *state;

	all_reserved(f);
	f->job.undo_to = STATE_SUCCESS;
	make(f);
	assert_int_equal(expect(f, PLAN_START, HOST, ANY)->nstarts, 0);
	f->job.undo_to = STATE_NONE;
	f->components[LR].version = 1;
	for (size_t m = 0; m < MEMBERS; m++)
		f->rows[LR][m].acked = STATE_WAITING;
	make(f);
	assert_int_equal(expect(f, PLAN_START, HOST, ANY)->nstarts, 0);
}

/* What waits is the start, at every member. */
static void
nobody_starts_before_all_have_signed(void **state)
{
	struct fixture *f = *state;

	all_reserved(f);
	f->members[HOST].is_signed = false;
	make(f);
	expect(f, PLAN_APPLY, HOST, ANY);
	expect_commands(f, 1);
	/* It is on its way: nothing is asked for a moment. */
	f->members[HOST].is_signing = true;
	make(f);
	expect_commands(f, 0);
}

static void
this_site_signs_before_it_asks_others(void **state)
{
	struct fixture *f = *state;

	f->members[GUEST].is_signed = false;
	f->members[GUEST].created = true;
	make(f);
	assert_int_equal(f->plan.actions[0].verb, PLAN_SIGN);
	assert_int_equal(f->plan.actions[0].member, GUEST);
	expect(f, PLAN_CREATE, HOST, ANY);
	expect_commands(f, 1);
}

static void
a_reservation_lost_before_the_start_is_applied_for_again(void **state)
{
	struct fixture *f = *state;

	all_reserved(f);
	f->members[GUEST].started = true;
	f->members[HOST].reserved = false;
	make(f);
	expect(f, PLAN_APPLY, HOST, ANY);
	expect_commands(f, 1);
}

static void
a_job_that_half_started_fails_rather_than_block(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *a;

	all_reserved(f);
	f->members[HOST].started = true;
	f->members[GUEST].reserved = false;
	f->members[GUEST].refused = true;
	f->members[GUEST].error = "0 of 4 cores free";
	make(f);
	a = expect(f, PLAN_SET_JOB, ANY, ANY);
	assert_int_equal(a->status, STATE_FAILED);
	expect_reason(a, "guest 9999");
	expect_reason(a, "0 of 4 cores free");
}

static void
a_rerun_that_is_refused_is_undone_and_members_are_told(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *a;

	all_reserved(f);
	f->job.undo_to = STATE_SUCCESS;
	f->job.cancel_signal = true;
	f->job.cancel_status = STATE_FAILED;
	f->job.reason = "host 10000: no";
	make(f);
	a = expect(f, PLAN_UNDO, ANY, ANY);
	assert_int_equal(a->status, STATE_SUCCESS);
	expect_reason(a, "the rerun was refused");
	expect_reason(a, "host 10000: no");
	expect_commands(f, 0);
	/* Who cancels it ends it, and who is running has begun. */
	f->job.cancel_status = STATE_CANCELED;
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_CANCELED);
}

static void
the_first_tasks_start_with_the_job(void **state)
{
	struct fixture *f = *state;

	running(f);
	f->job.status = STATE_WAITING;
	f->job.running_ms = 0;
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_RUNNING);
	assert_int_equal(
	    expect(f, PLAN_SET_VERDICT, ANY, READER)->status, STATE_RUNNING);
	expect(f, PLAN_TASK_START, GUEST, READER);
	expect(f, PLAN_TASK_START, HOST, READER);
	expect_commands(f, 2);
}

/* --- tasks ------------------------------------------------------------------ */

static void
the_verdict_is_stored_before_the_start_is_sent(void **state)
{
	struct fixture *f = *state;

	running(f);
	make(f);
	assert_int_equal(f->plan.actions[0].verb, PLAN_SET_VERDICT);
}

static void
a_task_waits_for_its_upstream(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_runs(f, READER);
	make(f);
	assert_int_equal(f->plan.n, 0);
}

static void
a_start_without_a_reply_is_sent_again(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_runs(f, READER);
	f->rows[READER][HOST].start_acked = false;
	f->rows[READER][HOST].party_status = STATE_WAITING;
	make(f);
	expect(f, PLAN_TASK_START, HOST, READER);
	expect_commands(f, 1);
}

static void
one_member_that_succeeded_waits_for_the_other(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_runs(f, READER);
	f->rows[READER][GUEST].party_status = STATE_SUCCESS;
	make(f);
	assert_int_equal(f->plan.n, 0);
}

/* The member is told of that component's success, and of no other's. */
static void
expect_told(const struct plan_action *a, size_t component)
{
	assert_int_equal(a->ntold, 1);
	assert_int_equal(a->told[0], component);
}

static void
success_at_all_starts_the_next_task_in_the_same_plan(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_runs(f, READER);
	f->rows[READER][GUEST].party_status = STATE_SUCCESS;
	f->rows[READER][GUEST].acked = STATE_RUNNING;
	f->rows[READER][HOST].party_status = STATE_SUCCESS;
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_VERDICT, ANY, READER)->status, STATE_SUCCESS);
	assert_int_equal(
	    expect(f, PLAN_SET_VERDICT, ANY, PSI)->status, STATE_RUNNING);
	assert_int_equal(expect(f, PLAN_TASK_START, GUEST, PSI)->ntold, 0);
	expect_told(expect(f, PLAN_TASK_START, HOST, PSI), READER);
	expect_commands(f, 2);
	assert_int_equal(expect(f, PLAN_SET_PROGRESS, ANY, ANY)->progress, 33);
}

/* No start goes to the host: it hears of the success by itself. */
static void
a_success_is_told_by_itself_when_nothing_else_is_sent(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_ended(f, READER, STATE_SUCCESS);
	f->rows[READER][HOST].acked = STATE_RUNNING;
	task_runs(f, PSI);
	make(f);
	expect(f, PLAN_TASK_STATUS, HOST, READER);
	expect_commands(f, 1);
	/* The start is under way. */
	f->rows[PSI][HOST].start_acked = false;
	f->rows[PSI][HOST].party_status = STATE_WAITING;
	f->rows[PSI][HOST].busy = true;
	make(f);
	expect(f, PLAN_TASK_STATUS, HOST, READER);
	expect_commands(f, 1);
}

static void
the_last_success_is_told_with_the_jobs(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_ended(f, READER, STATE_SUCCESS);
	task_ended(f, PSI, STATE_SUCCESS);
	task_runs(f, LR);
	f->rows[LR][GUEST].party_status = STATE_SUCCESS;
	f->rows[LR][GUEST].acked = STATE_SUCCESS;
	f->rows[LR][HOST].party_status = STATE_SUCCESS;
	make(f);
	/* By the plan that makes the job a success, and with it the guest. */
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_SUCCESS);
	expect_told(expect(f, PLAN_END, HOST, ANY), LR);
	expect_commands(f, 1);
	expect_none(f, PLAN_SETTLE);
	f->components[LR].status = STATE_SUCCESS;
	f->job.status = STATE_SUCCESS;
	make(f);
	assert_int_equal(expect(f, PLAN_END, GUEST, ANY)->ntold, 0);
	expect_told(expect(f, PLAN_END, HOST, ANY), LR);
	expect_commands(f, 2);
	/* It is under way by itself: who says that it arrives? */
	f->rows[LR][HOST].busy = true;
	make(f);
	expect_told(expect(f, PLAN_END, HOST, ANY), LR);
	expect_commands(f, 2);
	f->rows[LR][HOST].busy = false;
	/* While the end cannot be told, it is told by itself. */
	f->members[HOST].busy = true;
	make(f);
	expect(f, PLAN_TASK_STATUS, HOST, LR);
	expect_commands(f, 2);
}

static void
a_job_without_partners_settles_with_its_success(void **state)
{
	struct fixture *f = *state;

	running(f);
	f->members[HOST].is_local = true;
	task_ended(f, READER, STATE_SUCCESS);
	task_ended(f, PSI, STATE_SUCCESS);
	task_ended(f, LR, STATE_SUCCESS);
	f->components[LR].status = STATE_RUNNING;
	make(f);
	expect(f, PLAN_SET_JOB, ANY, ANY);
	expect(f, PLAN_SETTLE, ANY, ANY);
	expect_commands(f, 0);
}

static void
a_member_that_passes_counts_as_success(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_runs(f, READER);
	f->rows[READER][GUEST].party_status = STATE_PASS;
	f->rows[READER][HOST].party_status = STATE_SUCCESS;
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_VERDICT, ANY, READER)->status, STATE_SUCCESS);
	expect(f, PLAN_TASK_START, HOST, PSI);
}

static void
no_more_tasks_than_allowed_run_at_once(void **state)
{
	struct fixture *f = *state;

	running(f);
	f->components[PSI].nupstream = 0;
	f->components[LR].nupstream = 0;
	f->job.task_parallelism = 2;
	make(f);
	expect(f, PLAN_TASK_START, GUEST, READER);
	expect(f, PLAN_TASK_START, GUEST, PSI);
	assert_null(find(f, PLAN_TASK_START, GUEST, LR));
}

static void
silence_of_a_running_task_is_asked_about(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_runs(f, READER);
	f->rows[READER][HOST].silent = true;
	make(f);
	expect(f, PLAN_TASK_COLLECT, HOST, READER);
	expect_commands(f, 1);
}

/* --- failures -------------------------------------------------------------- */

static void
one_failing_member_stops_the_others_with_its_reason(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *a;

	running(f);
	task_runs(f, READER);
	f->rows[READER][HOST].party_status = STATE_FAILED;
	f->rows[READER][HOST].error = "table breast is not there";
	make(f);
	a = expect(f, PLAN_SET_VERDICT, ANY, READER);
	assert_int_equal(a->status, STATE_FAILED);
	expect_reason(a, "host 10000: table breast is not there");
	a = expect(f, PLAN_TASK_STOP, GUEST, READER);
	assert_int_equal(a->status, STATE_FAILED);
	expect_reason(a, "host 10000: table breast is not there");
	a = expect(f, PLAN_TASK_STATUS, HOST, READER);
	expect_reason(a, "host 10000: table breast is not there");
	a = expect(f, PLAN_SET_JOB, ANY, ANY);
	assert_int_equal(a->status, STATE_FAILED);
	expect_reason(a, "reader_0");
	expect_reason(a, "host 10000: table breast is not there");
	expect_none(f, PLAN_TASK_START);
}

static void
a_cause_that_was_passed_on_keeps_its_party(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_ended(f, READER, STATE_FAILED);
	f->rows[READER][GUEST].error = "host 10000: no table";
	f->rows[READER][HOST].error = "no table";
	make(f);
	expect_reason(expect(f, PLAN_SET_JOB, ANY, ANY),
	    "reader_0 failed at host 10000: no table");
}

static void
other_running_tasks_come_to_their_end_after_a_failure(void **state)
{
	struct fixture *f = *state;

	running(f);
	f->job.task_parallelism = 2;
	f->components[PSI].nupstream = 0;
	task_ended(f, READER, STATE_FAILED);
	task_runs(f, PSI);
	make(f);
	expect_none(f, PLAN_SET_JOB);
	expect_none(f, PLAN_TASK_START);
	expect_none(f, PLAN_TASK_STOP);
}

static void
a_retry_waits_for_the_old_version_and_its_delay(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_ended(f, READER, STATE_FAILED);
	for (size_t m = 0; m < MEMBERS; m++) {
		f->rows[READER][m].auto_retries = 1;
		f->rows[READER][m].retry_delay_ms = 5000;
		f->rows[READER][m].ended_ms = 2000;
	}
	make(f);
	expect_none(f, PLAN_RERUN);
	expect_none(f, PLAN_SET_JOB);
	/* Up to a quarter more, so that not all come back together. */
	assert_in_range(
	    expect(f, PLAN_WAIT, ANY, ANY)->delay_ms, 3000, 3000 + 5000 / 4);
	for (size_t m = 0; m < MEMBERS; m++)
		f->rows[READER][m].ended_ms = 5000 + 5000 / 4;
	make(f);
	expect(f, PLAN_RERUN, ANY, READER);
	expect_none(f, PLAN_SET_JOB);
	/* One member still ends the old version. */
	f->rows[READER][HOST].party_status = STATE_RUNNING;
	make(f);
	expect_none(f, PLAN_RERUN);
}

static void
a_verdict_that_nobody_else_has_to_be_told_is_followed_by_the_next_try(
    void **state)
{
	struct fixture *f = *state;

	running(f);
	task_ended(f, READER, STATE_FAILED);
	f->components[READER].status = STATE_RUNNING;
	f->components[READER].nrows = 1;
	f->rows[READER][GUEST].acked = STATE_RUNNING;
	f->rows[READER][GUEST].auto_retries = 1;
	f->rows[READER][GUEST].retry_delay_ms = 5000;
	f->rows[READER][GUEST].ended_ms = 1000;
	make(f);
	expect(f, PLAN_SET_VERDICT, ANY, READER);
	assert_in_range(
	    expect(f, PLAN_WAIT, ANY, ANY)->delay_ms, 4000, 4000 + 5000 / 4);
	f->rows[READER][GUEST].ended_ms = 5000 + 5000 / 4;
	make(f);
	expect(f, PLAN_SET_VERDICT, ANY, READER);
	expect(f, PLAN_RERUN, ANY, READER);
}

static void
each_try_waits_twice_as_long_as_the_one_before(void **state)
{
	struct fixture *f = *state;
	int64_t waited = 0;

	running(f);
	for (int version = 0; version < 20; version++) {
		int64_t ms;

		task_ended(f, READER, STATE_FAILED);
		f->components[READER].version = version;
		for (size_t m = 0; m < MEMBERS; m++) {
			f->rows[READER][m].auto_retries = 1;
			f->rows[READER][m].retry_delay_ms = 1000;
			f->rows[READER][m].fault = FAULT_HOST;
		}
		make(f);
		ms = expect(f, PLAN_WAIT, ANY, ANY)->delay_ms;
		if (version <= 6)
			assert_true(ms > waited + waited / 2);
		assert_true(ms <= 80000);
		waited = ms;
	}
}

static void
what_another_try_cannot_mend_is_not_tried_again(void **state)
{
	struct fixture *f = *state;

	for (int kind = 0; kind < FAULT_KINDS; kind++) {
		running(f);
		task_ended(f, READER, STATE_FAILED);
		for (size_t m = 0; m < MEMBERS; m++) {
			f->rows[READER][m].auto_retries = 3;
			f->rows[READER][m].fault = FAULT_STOPPED;
		}
		f->rows[READER][HOST].fault = (enum fault_kind)kind;
		make(f);
		if (fault_remedy((enum fault_kind)kind) == FAULT_HOPELESS) {
			expect_none(f, PLAN_RERUN);
			assert_int_equal(
			    expect(f, PLAN_SET_JOB, ANY, ANY)->status,
			    STATE_FAILED);
		} else {
			expect(f, PLAN_RERUN, ANY, READER);
			expect_none(f, PLAN_SET_JOB);
		}
	}
}

static void
a_new_version_is_created_at_partners_before_it_starts(void **state)
{
	struct fixture *f = *state;

	running(f);
	f->components[READER].version = 1;
	make(f);
	expect(f, PLAN_TASK_CREATE, HOST, READER);
	expect_none(f, PLAN_TASK_START);
	expect_none(f, PLAN_SET_JOB);
	expect_commands(f, 1);
	f->rows[READER][HOST].acked = STATE_WAITING;
	make(f);
	expect(f, PLAN_TASK_START, GUEST, READER);
	expect(f, PLAN_TASK_START, HOST, READER);
}

static void
a_partner_gone_for_long_fails_a_running_job(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *a;

	running(f);
	task_runs(f, READER);
	f->members[HOST].away = true;
	f->members[HOST].away_ms = 59000;
	make(f);
	expect_none(f, PLAN_SET_JOB);
	f->members[HOST].away_ms = 61000;
	make(f);
	a = expect(f, PLAN_SET_JOB, ANY, ANY);
	assert_int_equal(a->status, STATE_FAILED);
	expect_reason(a, "host 10000 has not answered for 61 s");
}

/* --- ends ------------------------------------------------------------------- */

static void
success_of_every_task_is_success_of_the_job(void **state)
{
	struct fixture *f = *state;

	running(f);
	for (size_t c = 0; c < COMPONENTS; c++)
		task_ended(f, c, STATE_SUCCESS);
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_SUCCESS);
	assert_int_equal(expect(f, PLAN_SET_PROGRESS, ANY, ANY)->progress, 100);
}

static void
the_end_reaches_every_member_and_then_settles(void **state)
{
	struct fixture *f = *state;

	running(f);
	for (size_t c = 0; c < COMPONENTS; c++)
		task_ended(f, c, STATE_SUCCESS);
	f->job.status = STATE_SUCCESS;
	make(f);
	expect(f, PLAN_END, GUEST, ANY);
	assert_int_equal(expect(f, PLAN_END, HOST, ANY)->status, STATE_SUCCESS);
	expect_none(f, PLAN_SETTLE);
	f->members[GUEST].ended = f->members[HOST].ended = true;
	make(f);
	expect(f, PLAN_SETTLE, ANY, ANY);
	assert_int_equal(f->plan.n, 1);
}

static void
the_end_comes_after_the_verdicts_of_the_tasks(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_ended(f, READER, STATE_FAILED);
	f->rows[READER][HOST].acked = STATE_NONE;
	f->job.status = STATE_FAILED;
	make(f);
	expect(f, PLAN_TASK_STATUS, HOST, READER);
	expect(f, PLAN_END, GUEST, ANY);
	assert_null(find(f, PLAN_END, HOST, ANY));
}

static void
a_dead_partner_keeps_only_its_own_job_from_settling(void **state)
{
	struct fixture *f = *state;

	running(f);
	f->job.status = STATE_CANCELED;
	f->members[GUEST].ended = true;
	f->members[HOST].away = true;
	make(f);
	expect_commands(f, 0);
	expect_none(f, PLAN_SETTLE);
	assert_true(expect(f, PLAN_WAIT, ANY, ANY)->delay_ms > 0);
}

static void
a_cancel_stops_the_job_at_every_member_at_once(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_runs(f, READER);
	f->job.cancel_signal = true;
	f->job.cancel_status = STATE_CANCELED;
	f->job.reason = "by user";
	make(f);
	assert_int_equal(f->plan.n, 1);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_CANCELED);
	f->job.status = STATE_CANCELED;
	make(f);
	expect(f, PLAN_END, GUEST, ANY);
	expect(f, PLAN_END, HOST, ANY);
}

/* Overtaken by the job's end it would be no success there any more. */
static void
a_cancel_comes_behind_the_successes_that_a_member_does_not_know(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_ended(f, READER, STATE_SUCCESS);
	f->rows[READER][HOST].acked = STATE_WAITING;
	f->job.status = STATE_CANCELED;
	f->job.cancel_signal = true;
	make(f);
	expect(f, PLAN_TASK_STATUS, HOST, READER);
	assert_null(find(f, PLAN_END, HOST, ANY));
	f->rows[READER][HOST].acked = STATE_SUCCESS;
	make(f);
	expect(f, PLAN_END, HOST, ANY);
}

static void
a_member_that_never_takes_a_tasks_end_is_told_the_jobs(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_ended(f, READER, STATE_FAILED);
	f->rows[READER][HOST].acked = STATE_WAITING;
	f->job.status = STATE_FAILED;
	f->job.over_ms = 3600 * 1000;
	make(f);
	assert_null(find(f, PLAN_END, HOST, ANY));
	f->job.over_ms++;
	make(f);
	expect(f, PLAN_END, HOST, ANY);
}

/* A member that has the job's end by then holds it for the task's. */
static void
a_task_that_all_did_well_after_the_jobs_bad_end_has_that_end(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *a;

	running(f);
	f->job.components[READER].status = STATE_RUNNING;
	for (int m = 0; m < MEMBERS; m++)
		f->rows[READER][m].party_status = STATE_SUCCESS;
	f->job.status = STATE_CANCELED;
	f->job.cancel_signal = true;
	make(f);
	a = find(f, PLAN_SET_VERDICT, ANY, READER);
	assert_non_null(a);
	assert_int_equal(a->status, STATE_CANCELED);
	expect(f, PLAN_END, HOST, ANY);
}

static void
unstarted_tasks_of_an_ended_partner_end_with_it(void **state)
{
	struct fixture *f = *state;

	running(f);
	f->job.status = STATE_CANCELED;
	f->job.cancel_signal = true;
	f->members[GUEST].ended = f->members[HOST].ended = true;
	make(f);
	for (size_t c = 0; c < COMPONENTS; c++)
		assert_int_equal(
		    expect(f, PLAN_SET_PARTY, HOST, c)->status, STATE_CANCELED);
	assert_null(find(f, PLAN_SET_PARTY, GUEST, ANY));
	expect_none(f, PLAN_SETTLE);
}

static void
how_a_begun_task_of_an_ended_partner_ended_is_for_the_partner_to_say(
    void **state)
{
	struct fixture *f = *state;
	struct plan_row *r = &f->rows[READER][HOST];

	running(f);
	task_runs(f, READER);
	f->job.status = STATE_CANCELED;
	f->job.cancel_signal = true;
	f->job.lost_partner_ms = 60000;
	f->members[GUEST].ended = f->members[HOST].ended = true;
	/* The answer to its start is on its way. */
	r->start_acked = false;
	r->busy = true;
	make(f);
	assert_null(find(f, PLAN_SET_PARTY, HOST, READER));
	r->start_acked = true;
	r->busy = false;
	make(f);
	assert_null(find(f, PLAN_SET_PARTY, HOST, READER));
	assert_null(find(f, PLAN_TASK_COLLECT, HOST, ANY));
	expect_none(f, PLAN_SETTLE);
	r->silent = true;
	make(f);
	expect(f, PLAN_TASK_COLLECT, HOST, READER);
	assert_null(find(f, PLAN_SET_PARTY, HOST, READER));
	/* Who is gone says nothing: not for ever, and not by words. */
	f->members[HOST].away = true;
	f->members[HOST].away_ms = 60000;
	make(f);
	assert_null(find(f, PLAN_SET_PARTY, HOST, READER));
	f->members[HOST].away_ms = 60001;
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_PARTY, HOST, READER)->status, STATE_CANCELED);
	f->members[HOST].away = false;
	f->members[HOST].has_left = true;
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_PARTY, HOST, READER)->status, STATE_CANCELED);
	/* Nor does one for ever that answers, but not to that. */
	f->members[HOST].has_left = false;
	f->job.over_ms = 3600 * 1000;
	make(f);
	expect(f, PLAN_TASK_COLLECT, HOST, READER);
	assert_null(find(f, PLAN_SET_PARTY, HOST, READER));
	f->job.over_ms++;
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_PARTY, HOST, READER)->status, STATE_CANCELED);
	assert_null(find(f, PLAN_TASK_COLLECT, HOST, ANY));
}

static void
a_job_is_not_settled_while_a_local_task_is_being_killed(void **state)
{
	struct fixture *f = *state;

	running(f);
	for (size_t c = 0; c < COMPONENTS; c++)
		task_ended(f, c, STATE_CANCELED);
	f->rows[READER][GUEST].party_status = STATE_RUNNING;
	f->components[READER].status = STATE_CANCELED;
	f->job.status = STATE_CANCELED;
	f->members[GUEST].ended = f->members[HOST].ended = true;
	make(f);
	expect_none(f, PLAN_SETTLE);
}

static void
a_job_over_its_time_ends_as_timeout(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *a;

	running(f);
	f->job.running_ms = 100001;
	make(f);
	a = expect(f, PLAN_SET_JOB, ANY, ANY);
	assert_int_equal(a->status, STATE_TIMEOUT);
	expect_reason(a, "100 s");
}

static void
waiting_does_not_count_as_running_time(void **state)
{
	struct fixture *f = *state;

	all_created(f);
	f->job.waiting_ms = 900000;
	make(f);
	expect_none(f, PLAN_SET_JOB);
	f->job.waiting_ms = 1000001;
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_TIMEOUT);
}

/* --- reruns ------------------------------------------------------------------- */

static void
a_rerun_reopens_the_job_before_it_asks_for_resources(void **state)
{
	struct fixture *f = *state;

	f->components[READER].version = 1;
	f->members[GUEST].created = true;
	make(f);
	expect(f, PLAN_REOPEN, HOST, ANY);
	expect_none(f, PLAN_TASK_CREATE);
	f->members[HOST].created = true;
	make(f);
	expect(f, PLAN_TASK_CREATE, HOST, READER);
	expect_none(f, PLAN_APPLY);
	f->rows[READER][HOST].acked = STATE_WAITING;
	make(f);
	expect(f, PLAN_APPLY, HOST, ANY);
}

static void
a_member_that_never_had_the_job_gets_it_at_a_rerun(void **state)
{
	struct fixture *f = *state;

	f->components[READER].version = 1;
	f->members[GUEST].created = true;
	f->members[HOST].unknown = true;
	make(f);
	expect(f, PLAN_CREATE, HOST, ANY);
}

static void
tasks_that_succeeded_before_a_rerun_satisfy_their_consumers(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_ended(f, READER, STATE_SUCCESS);
	f->components[PSI].version = 1;
	f->rows[PSI][HOST].acked = STATE_WAITING;
	make(f);
	expect(f, PLAN_TASK_START, HOST, PSI);
}

/* --- whatever the state ---------------------------------------------------------- */

/*
 * Any mix of member states, flags and verdicts gives some plan: never a
 * crash, never a command to a member that is busy or away, and the same
 * snapshot always the same plan.
 */
/* --- the model -------------------------------------------------------------- */

static void
all_succeeded(struct fixture *f)
{
	running(f);
	f->job.makes_model = true;
	for (size_t c = 0; c < COMPONENTS; c++)
		task_ended(f, c, STATE_SUCCESS);
}

static void
a_model_is_staged_at_every_member_before_the_success(void **state)
{
	struct fixture *f = *state;

	all_succeeded(f);
	make(f);
	expect(f, PLAN_MODEL, GUEST, ANY);
	expect(f, PLAN_MODEL, HOST, ANY);
	expect_commands(f, 2);
	expect_none(f, PLAN_SET_JOB);
	f->members[GUEST].staged = true;
	make(f);
	expect(f, PLAN_MODEL, HOST, ANY);
	expect_commands(f, 1);
	expect_none(f, PLAN_SET_JOB);
	f->members[HOST].staged = true;
	make(f);
	expect_none(f, PLAN_MODEL);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_SUCCESS);
}

static void
no_model_no_step(void **state)
{
	struct fixture *f = *state;

	all_succeeded(f);
	f->job.makes_model = false;
	make(f);
	expect_none(f, PLAN_MODEL);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_SUCCESS);
	/* Nor for a job that did not end well. */
	f->job.makes_model = true;
	task_ended(f, LR, STATE_FAILED);
	make(f);
	expect_none(f, PLAN_MODEL);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_FAILED);
}

static void
local_members_have_no_model(void **state)
{
	struct fixture *f = *state;

	all_succeeded(f);
	f->members[GUEST].role = "local";
	f->members[HOST].staged = true;
	make(f);
	expect_none(f, PLAN_MODEL);
	expect(f, PLAN_SET_JOB, ANY, ANY);
}

static void
a_member_away_while_staging_is_waited_for_then_fails_the_job(void **state)
{
	struct fixture *f = *state;

	all_succeeded(f);
	f->members[GUEST].staged = true;
	f->members[HOST].away = true;
	f->members[HOST].error = "connection refused";
	make(f);
	expect_commands(f, 0);
	expect_none(f, PLAN_SET_JOB);
	expect_reason(expect(f, PLAN_WAIT, ANY, ANY), "stage the model");
	f->members[HOST].away_ms = 60001;
	make(f);
	assert_int_equal(
	    expect(f, PLAN_SET_JOB, ANY, ANY)->status, STATE_FAILED);
}

static void
a_member_that_cannot_stage_fails_the_job_with_its_words(void **state)
{
	struct fixture *f = *state;
	const struct plan_action *a;

	all_succeeded(f);
	f->members[GUEST].staged = true;
	/* What the answer made of the row. */
	f->job.cancel_signal = true;
	f->job.cancel_status = STATE_FAILED;
	f->job.reason = "host 10000: the file of model part lr is damaged";
	make(f);
	a = expect(f, PLAN_SET_JOB, ANY, ANY);
	assert_int_equal(a->status, STATE_FAILED);
	expect_reason(a, "is damaged");
	f->job.status = STATE_FAILED;
	make(f);
	expect_none(f, PLAN_MODEL);
	assert_int_equal(expect(f, PLAN_END, GUEST, ANY)->status, STATE_FAILED);
	assert_int_equal(expect(f, PLAN_END, HOST, ANY)->status, STATE_FAILED);
}

static void
a_rerun_that_ended_well_is_staged_again(void **state)
{
	struct fixture *f = *state;

	all_succeeded(f);
	f->components[LR].version = 1;
	f->members[HOST].staged = true;
	make(f);
	expect(f, PLAN_MODEL, GUEST, ANY);
	expect_none(f, PLAN_SET_JOB);
}

static void
every_snapshot_has_a_plan_that_leaves_busy_members_alone(void **state)
{
	static const enum state job_states[] = { STATE_WAITING, STATE_RUNNING,
		STATE_CANCELED, STATE_TIMEOUT, STATE_FAILED, STATE_SUCCESS };
	static const enum state task_states[] = { STATE_WAITING, STATE_RUNNING,
		STATE_CANCELED, STATE_TIMEOUT, STATE_FAILED, STATE_PASS,
		STATE_SUCCESS };
	struct fixture *f = *state;
	unsigned seed = 1;

#define PICK(n) ((seed = seed * 1103515245u + 12345u) / 65536u % (n))
	for (int round = 0; round < 20000; round++) {
		struct plan_action first[64];
		size_t n;

		f->job.status = job_states[PICK(6)];
		f->job.cancel_signal = PICK(8) == 0;
		for (size_t m = 0; m < MEMBERS; m++) {
			struct plan_member *pm = &f->members[m];

			pm->created = PICK(4) != 0;
			pm->reserved = PICK(4) != 0;
			pm->started = PICK(2) != 0;
			pm->ended = PICK(2) != 0;
			pm->busy = PICK(4) == 0;
			pm->away = PICK(4) == 0;
			pm->in_doubt = PICK(4) == 0;
			pm->refused = PICK(4) == 0;
		}
		for (size_t c = 0; c < COMPONENTS; c++) {
			f->components[c].status = task_states[PICK(7)];
			f->components[c].version = (int)PICK(2);
			for (size_t m = 0; m < MEMBERS; m++) {
				struct plan_row *r = &f->rows[c][m];

				r->party_status = task_states[PICK(7)];
				r->acked = PICK(2) == 0 ? STATE_NONE
							: task_states[PICK(7)];
				r->start_acked = PICK(2) == 0;
				r->auto_retries = (int)PICK(2);
				r->busy = PICK(4) == 0;
				r->silent = PICK(4) == 0;
			}
		}
		make(f);
		n = f->plan.n;
		assert_true(n <= 64);
		for (size_t i = 0; i < n; i++) {
			const struct plan_action *a = &f->plan.actions[i];

			first[i] = *a;
			if (!plan_is_command(a->verb))
				continue;
			assert_false(f->members[a->member].away);
			if (plan_is_task_command(a->verb))
				assert_false(
				    f->rows[a->component][a->member].busy);
			else
				assert_false(f->members[a->member].busy);
		}
		make(f);
		assert_int_equal(f->plan.n, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(
			    f->plan.actions[i].verb, first[i].verb);
	}
#undef PICK
}

/* --- why it waits ------------------------------------------------------- */

static enum state
job_state_then(const struct fixture *f)
{
	enum state s = f->job.status;

	for (size_t i = 0; i < f->plan.n; i++)
		if (f->plan.actions[i].verb == PLAN_SET_JOB)
			s = f->plan.actions[i].status;
	return s;
}

static enum state
verdict_then(const struct fixture *f, size_t c)
{
	enum state s = f->components[c].status;

	for (size_t i = 0; i < f->plan.n; i++)
		if (f->plan.actions[i].verb == PLAN_SET_VERDICT &&
		    f->plan.actions[i].component == c)
			s = f->plan.actions[i].status;
	return s;
}

/* What waits has a reason, what runs or is over has none. */
static void
check_reasons(const struct fixture *f)
{
	enum state job = job_state_then(f);

	if (job == STATE_WAITING)
		assert_int_not_equal(f->plan.wait.code, WAIT_NONE);
	else
		assert_int_equal(f->plan.wait.code, WAIT_NONE);
	for (size_t c = 0; c < COMPONENTS; c++) {
		const struct wait *w = &f->plan.tasks[c];
		enum state s = verdict_then(f, c);

		if (s == STATE_WAITING)
			assert_int_not_equal(w->code, WAIT_NONE);
		else if (w->code != WAIT_NONE) {
			assert_int_equal(w->code, WAIT_RETRY_BACKOFF);
			assert_true(state_is_interrupt(s));
		}
		if (w->code == WAIT_UPSTREAM)
			assert_string_not_equal(w->on, "");
	}
}

/* Every combination of how far two members have come and what is known. */
static void
whatever_waits_has_exactly_one_reason(void **state)
{
	static const enum state job_states[] = { STATE_WAITING, STATE_RUNNING,
		STATE_CANCELED, STATE_TIMEOUT, STATE_FAILED, STATE_SUCCESS };
	static const enum state task_states[] = { STATE_WAITING, STATE_RUNNING,
		STATE_CANCELED, STATE_TIMEOUT, STATE_FAILED, STATE_PASS,
		STATE_SUCCESS };
	struct fixture *f = *state;
	unsigned seed = 7;

#define PICK(n) ((seed = seed * 1103515245u + 12345u) / 65536u % (n))
	for (unsigned bits = 0; bits < 6u << 15; bits++) {
		f->job.status = job_states[bits >> 15];
		f->job.cancel_signal = bits >> 14 & 1;
		for (size_t m = 0; m < MEMBERS; m++) {
			unsigned b = bits >> 7 * m;

			f->members[m].created = b & 1;
			f->members[m].reserved = b >> 1 & 1;
			f->members[m].started = b >> 2 & 1;
			f->members[m].busy = b >> 3 & 1;
			f->members[m].away = b >> 4 & 1;
			f->members[m].refused = b >> 5 & 1;
			f->members[m].error = b >> 6 & 1 ? "not now" : NULL;
			f->members[m].in_doubt = PICK(3) == 0;
			f->members[m].refusal =
			    wait_of(PICK(3) == 0 ? WAIT_QUOTA : WAIT_NONE);
		}
		f->job.yield_to = PICK(5) == 0 ? "20260101000000000000" : NULL;
		f->job.yield_at = "10000";
		f->job.waiting_ms = PICK(50) == 0 ? 1000001 : 1000;
		for (size_t c = 0; c < COMPONENTS; c++) {
			f->components[c].status =
			    task_states[PICK(2) == 0 ? 0 : PICK(7)];
			f->components[c].version = (int)PICK(2);
			for (size_t m = 0; m < MEMBERS; m++) {
				struct plan_row *r = &f->rows[c][m];

				r->party_status =
				    task_states[PICK(2) == 0 ? 0 : PICK(7)];
				r->acked = PICK(2) == 0 ? STATE_NONE
							: task_states[PICK(7)];
				r->start_acked = PICK(2) == 0;
				r->auto_retries = (int)PICK(2);
			}
		}
		make(f);
		check_reasons(f);
	}
#undef PICK
}

static void
expect_wait(const struct fixture *f, enum wait_code code, const char *party)
{
	assert_string_equal(wait_name(f->plan.wait.code), wait_name(code));
	assert_string_equal(f->plan.wait.party, party);
}

static void
each_step_of_a_waiting_job_names_its_reason(void **state)
{
	struct fixture *f = *state;
	struct wait refusal = wait_of(WAIT_WAITING_RESOURCES);

	make(f);
	expect_wait(f, WAIT_CREATING, "9999");
	assert_int_equal(f->plan.wait.n[WAIT_N_MEMBERS], MEMBERS);
	f->members[HOST].away = true;
	f->members[HOST].away_ms = 1234;
	make(f);
	expect_wait(f, WAIT_PARTNER_UNREACHABLE, "10000");
	assert_int_equal(f->plan.wait.n[WAIT_N_AWAY_MS], 1234);
	f->members[HOST].away = false;
	f->members[HOST].error = "Ms Li has to approve";
	f->members[HOST].refusal = wait_of(WAIT_APPROVAL);
	make(f);
	expect_wait(f, WAIT_APPROVAL, "10000");
	f->members[HOST].error = "its disk is full";
	f->members[HOST].refusal = wait_of(WAIT_NONE);
	make(f);
	expect_wait(f, WAIT_PARTNER_BUSY, "10000");
	f->members[HOST].error = NULL;
	all_created(f);
	make(f);
	expect_wait(f, WAIT_RESERVING, "9999");
	wait_set(&refusal, WAIT_N_CORES_FREE, 2);
	f->members[HOST].refused = true;
	f->members[HOST].refusal = refusal;
	make(f);
	expect_wait(f, WAIT_WAITING_RESOURCES, "10000");
	assert_int_equal(f->plan.wait.n[WAIT_N_CORES_FREE], 2);
	f->members[HOST].refusal = wait_of(WAIT_QUOTA);
	make(f);
	expect_wait(f, WAIT_QUOTA, "10000");
	f->members[HOST].refusal = wait_of(WAIT_SITE_NOT_READY);
	make(f);
	expect_wait(f, WAIT_SITE_NOT_READY, "10000");
	f->members[HOST].refused = false;
	f->job.yield_to = "202601010000000000099";
	f->job.yield_at = "10000";
	make(f);
	expect_wait(f, WAIT_TURN, "10000");
	assert_string_equal(f->plan.wait.on, "202601010000000000099");
	f->job.yield_to = f->job.yield_at = NULL;
	all_reserved(f);
	make(f);
	expect_wait(f, WAIT_STARTING, "9999");
	running(f);
	make(f);
	expect_wait(f, WAIT_NONE, "");
}

static void
tasks_name_their_upstream_the_limit_or_the_back_off(void **state)
{
	struct fixture *f = *state;

	make(f);
	assert_int_equal(f->plan.tasks[READER].code, WAIT_JOB_START);
	assert_int_equal(f->plan.tasks[PSI].code, WAIT_UPSTREAM);
	assert_string_equal(f->plan.tasks[PSI].on, "reader_0");
	running(f);
	task_runs(f, READER);
	f->components[PSI].nupstream = 0;
	make(f);
	assert_int_equal(f->plan.tasks[READER].code, WAIT_NONE);
	assert_int_equal(f->plan.tasks[PSI].code, WAIT_PARALLELISM_LIMIT);
	assert_int_equal(f->plan.tasks[PSI].n[WAIT_N_LIMIT], 1);
	f->components[PSI].nupstream = 1;
	task_ended(f, READER, STATE_FAILED);
	for (size_t m = 0; m < MEMBERS; m++) {
		f->rows[READER][m].auto_retries = 1;
		f->rows[READER][m].retry_delay_ms = 5000;
		f->rows[READER][m].ended_ms = 2000;
	}
	make(f);
	assert_int_equal(f->plan.tasks[READER].code, WAIT_RETRY_BACKOFF);
	assert_in_range(
	    f->plan.tasks[READER].n[WAIT_N_LEFT_MS], 3000, 3000 + 5000 / 4);
}

static void
what_never_began_waits_for_the_end_of_its_job(void **state)
{
	struct fixture *f = *state;

	running(f);
	task_runs(f, READER);
	f->job.status = STATE_CANCELED;
	make(f);
	assert_int_equal(f->plan.tasks[PSI].code, WAIT_ENDING);
	assert_int_equal(f->plan.tasks[LR].code, WAIT_ENDING);
	/* The same once a bad end keeps anything new from beginning. */
	f->job.status = STATE_RUNNING;
	task_ended(f, READER, STATE_FAILED);
	f->rows[READER][HOST].acked = STATE_NONE;
	task_runs(f, PSI);
	make(f);
	assert_int_equal(f->plan.tasks[LR].code, WAIT_ENDING);
}

/*
 * A member knows by itself that it waits for the initiator, and a shepherd
 * that a partner has no room for what it sends.
 */
static void
every_reason_of_the_list_is_given_by_some_plan(void **state)
{
	(void)state;
	for (int code = WAIT_NONE; code < WAIT_CODES; code++)
		if (!given[code] && code != WAIT_INITIATOR &&
		    code != WAIT_PARTNER_FULL)
			fail_msg("no plan gives \"%s\"",
			    wait_name((enum wait_code)code));
}

/* --- one plan is enough ------------------------------------------------------ */

static const enum state verdicts[] = { STATE_WAITING, STATE_RUNNING,
	STATE_SUCCESS, STATE_FAILED, STATE_CANCELED };
enum { VERDICTS = sizeof(verdicts) / sizeof(verdicts[0]) };

/* Some state of a component's rows, by number. */
static void
put(struct fixture *f, size_t c, size_t n)
{
	struct plan_component *comp = &f->components[c];

	comp->status = verdicts[n % VERDICTS];
	n /= VERDICTS;
	for (size_t m = 0; m < MEMBERS; m++) {
		struct plan_row *r = &f->rows[c][m];

		r->party_status = verdicts[n % VERDICTS];
		n /= VERDICTS;
		r->start_acked = r->party_status != STATE_WAITING;
		r->acked = m == HOST && n % 2 != 0 ? comp->status : STATE_NONE;
		r->ended_ms = state_is_end(r->party_status) ? 10 : -1;
		r->fault = FAULT_HOST;
	}
	f->rows[c][GUEST].acked = state_is_end(f->rows[c][GUEST].party_status)
				      ? comp->status
				      : STATE_NONE;
}

/* The rows as the plan leaves them, its commands on their way. */
static void
carry_out(struct fixture *f)
{
	for (size_t i = 0; i < f->plan.n; i++) {
		const struct plan_action *a = &f->plan.actions[i];
		struct plan_row *own = &f->rows[a->component][GUEST];

		if (a->verb == PLAN_SET_JOB) {
			f->job.status = a->status;
		} else if (a->verb == PLAN_SET_VERDICT) {
			f->components[a->component].status = a->status;
			if (state_is_end(own->party_status))
				own->acked = a->status;
		} else if (a->verb == PLAN_SET_PROGRESS)
			f->job.progress = a->progress;
		else if (plan_is_task_command(a->verb))
			f->rows[a->component][a->member].busy = true;
		else if (plan_is_command(a->verb))
			f->members[a->member].busy = true;
		for (size_t k = 0; k < a->ntold; k++)
			f->rows[a->told[k]][a->member].busy = true;
	}
}

static bool
goes_on(const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (!plan_is_command(p->actions[i].verb) &&
		    !plan_goes_on(&p->actions[i]) &&
		    p->actions[i].verb != PLAN_WAIT)
			return false;
	return true;
}

/* A look need not be followed by another that carries out the rest. */
static void
expect_one_plan_is_enough(struct fixture *f, enum state status)
{
	static const size_t all = VERDICTS * VERDICTS * VERDICTS * 2;
	size_t looked = 0;

	running(f);
	for (size_t n = 0; n < all * all * 4; n++) {
		int64_t delay_ms;

		put(f, READER, n % all);
		put(f, PSI, n / all % all);
		put(f, LR, 0);
		f->job.status = status;
		f->job.progress = 0;
		f->job.task_parallelism = n / all / all % 2 == 0 ? 1 : 2;
		f->members[GUEST].busy = f->members[HOST].busy = false;
		for (size_t c = 0; c < COMPONENTS; c++)
			for (size_t m = 0; m < MEMBERS; m++) {
				f->rows[c][m].busy = false;
				f->rows[c][m].auto_retries =
				    n / all / all / 2 % 2 == 0 ? 0 : 3;
				f->rows[c][m].retry_delay_ms = 5000;
			}
		make(f);
		if (!goes_on(&f->plan))
			continue;
		looked++;
		delay_ms = f->plan.n == 0 ? 0 : INT64_MAX;
		for (size_t i = 0; i < f->plan.n; i++)
			if (f->plan.actions[i].verb == PLAN_WAIT)
				delay_ms = f->plan.actions[i].delay_ms;
		carry_out(f);
		make(f);
		for (size_t i = 0; i < f->plan.n; i++)
			if (f->plan.actions[i].verb != PLAN_WAIT ||
			    f->plan.actions[i].delay_ms < delay_ms)
				fail_msg("state %zu: another plan has \"%s\"",
				    n, plan_verb_name(f->plan.actions[i].verb));
	}
	assert_true(looked > 10000);
}

static void
a_plan_has_all_that_follows_from_its_verdicts(void **state)
{
	expect_one_plan_is_enough(*state, STATE_RUNNING);
}

/* All have started: that it runs is said with what starts first. */
static void
a_plan_has_all_that_follows_from_the_jobs_beginning(void **state)
{
	expect_one_plan_is_enough(*state, STATE_WAITING);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_new_job_is_created_at_every_member),
		T(a_lost_reply_is_answered_by_the_same_command),
		T(an_approval_to_come_is_waited_for_with_its_words),
		T(an_absent_partner_makes_its_job_wait_and_say_so),
		T(resources_are_asked_for_once_all_have_the_job),
		T(a_refusal_gives_back_what_others_granted),
		T(an_absent_partner_does_not_hold_the_resources_of_others),
		T(after_a_refusal_members_are_asked_in_one_order),
		T(who_is_asked_last_begins_when_all_have_signed),
		T(a_partner_that_is_asked_last_begins_too),
		T(nothing_is_given_back_while_a_partner_may_have_begun),
		T(own_members_start_with_the_job),
		T(a_job_does_not_pass_one_that_waited_long),
		T(all_granted_starts_the_job),
		T(a_partner_begins_the_first_tasks_with_its_start),
		T(what_runs_elsewhere_begins_first_at_a_partner_that_starts_late),
		T(of_a_rerun_no_task_begins_before_the_job_runs),
		T(nobody_starts_before_all_have_signed),
		T(this_site_signs_before_it_asks_others),
		T(a_reservation_lost_before_the_start_is_applied_for_again),
		T(a_job_that_half_started_fails_rather_than_block),
		T(a_rerun_that_is_refused_is_undone_and_members_are_told),
		T(the_first_tasks_start_with_the_job),
		T(the_verdict_is_stored_before_the_start_is_sent),
		T(a_task_waits_for_its_upstream),
		T(a_start_without_a_reply_is_sent_again),
		T(one_member_that_succeeded_waits_for_the_other),
		T(success_at_all_starts_the_next_task_in_the_same_plan),
		T(a_success_is_told_by_itself_when_nothing_else_is_sent),
		T(the_last_success_is_told_with_the_jobs),
		T(a_job_without_partners_settles_with_its_success),
		T(a_member_that_passes_counts_as_success),
		T(no_more_tasks_than_allowed_run_at_once),
		T(silence_of_a_running_task_is_asked_about),
		T(one_failing_member_stops_the_others_with_its_reason),
		T(a_cause_that_was_passed_on_keeps_its_party),
		T(other_running_tasks_come_to_their_end_after_a_failure),
		T(a_retry_waits_for_the_old_version_and_its_delay),
		T(a_verdict_that_nobody_else_has_to_be_told_is_followed_by_the_next_try),
		T(each_try_waits_twice_as_long_as_the_one_before),
		T(what_another_try_cannot_mend_is_not_tried_again),
		T(a_new_version_is_created_at_partners_before_it_starts),
		T(a_partner_gone_for_long_fails_a_running_job),
		T(success_of_every_task_is_success_of_the_job),
		T(the_end_reaches_every_member_and_then_settles),
		T(the_end_comes_after_the_verdicts_of_the_tasks),
		T(a_dead_partner_keeps_only_its_own_job_from_settling),
		T(a_cancel_stops_the_job_at_every_member_at_once),
		T(a_cancel_comes_behind_the_successes_that_a_member_does_not_know),
		T(a_member_that_never_takes_a_tasks_end_is_told_the_jobs),
		T(a_task_that_all_did_well_after_the_jobs_bad_end_has_that_end),
		T(unstarted_tasks_of_an_ended_partner_end_with_it),
		T(how_a_begun_task_of_an_ended_partner_ended_is_for_the_partner_to_say),
		T(a_job_is_not_settled_while_a_local_task_is_being_killed),
		T(a_job_over_its_time_ends_as_timeout),
		T(waiting_does_not_count_as_running_time),
		T(a_rerun_reopens_the_job_before_it_asks_for_resources),
		T(a_member_that_never_had_the_job_gets_it_at_a_rerun),
		T(tasks_that_succeeded_before_a_rerun_satisfy_their_consumers),
		T(a_model_is_staged_at_every_member_before_the_success),
		T(no_model_no_step),
		T(local_members_have_no_model),
		T(a_member_away_while_staging_is_waited_for_then_fails_the_job),
		T(a_member_that_cannot_stage_fails_the_job_with_its_words),
		T(a_rerun_that_ended_well_is_staged_again),
		T(every_snapshot_has_a_plan_that_leaves_busy_members_alone),
		T(whatever_waits_has_exactly_one_reason),
		T(each_step_of_a_waiting_job_names_its_reason),
		T(tasks_name_their_upstream_the_limit_or_the_back_off),
		T(what_never_began_waits_for_the_end_of_its_job),
		T(a_plan_has_all_that_follows_from_its_verdicts),
		T(a_plan_has_all_that_follows_from_the_jobs_beginning),
		T(every_reason_of_the_list_is_given_by_some_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
