/*
 * Tasks and attempts: moves, wishes, leases of shepherds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_detect.h"
#include "lib/db/db_event.h"
#include "lib/db/db_table.h"
#include "lib/db/db_task.h"
#include "lib/db/db_tx.h"
#include "supervisor/launch.h"
#include "supervisor/shepherd/attempt.h"
#include "tests/lib/claim.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define J1 "202601010000000000001"
#define J2 "202601010000000000002"
#define LEASE_MS 60000

static struct db *db;
static struct arena *arena;

/* guest's at the initiator's site (J1), host's at a partner's (J2) */
static const struct db_task_key here = { J1, "reader_0", 0, "guest",
	ROWS_GUEST };
static const struct db_task_key holder = { J1, "reader_0", 0, "host",
	ROWS_HOST };
static const struct db_task_key theirs = { J2, "reader_0", 0, "host",
	ROWS_HOST };

static int
set_up(void **state)
{
	struct rows_partner p;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	rows_partner_init(&p, J2, "host");
	if (rows_initiated(db, J1) == 0 &&
	    db_job_insert(db, &p.job, NULL) == 0 &&
	    db_job_move(db, J1, STATE_RUNNING, 0, "", NULL) == 0 &&
	    db_job_move(db, J2, STATE_WAITING, 0, "", NULL) == 0 &&
	    db_job_move(db, J2, STATE_RUNNING, 0, "", NULL) == 0)
		return 0;
	print_error("%s\n", err_text());
	return -1;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	db_close(db);
	return 0;
}

static struct db_task *
task(const struct db_task_key *k)
{
	struct db_task *t;

	assert_int_equal(db_task_get(db, arena, k, &t), 0);
	return t;
}

static size_t
events(const char *id, const char *kind)
{
	struct db_event *rows;
	size_t n, found = 0;

	assert_int_equal(db_event_list(db, arena, id, 0, 1000, &rows, &n), 0);
	for (size_t i = 0; i < n; i++)
		found += strcmp(rows[i].kind, kind) == 0;
	return found;
}

static unsigned
move(const struct db_task_key *k, enum state status, enum state party)
{
	unsigned moved;

	assert_int_equal(
	    db_task_move(db, k,
		&(struct db_task_move){
		    .status = status, .party_status = party, .reason = "test" },
		&moved),
	    0);
	return moved;
}

static struct db_attempt *
launch(const struct db_task_key *k)
{
	struct db_attempt *rows;
	size_t n;

	assert_int_equal(db_task_want_launch(db, k, NULL), 0);
	assert_int_equal(
	    claim_any(db, arena, "super-1", "host-1", LEASE_MS, 10, &rows, &n),
	    0);
	assert_int_equal(n, 1);
	return rows;
}

static void
expire_all(void)
{
	static const struct db_stmt expire = { "expire", "",
		"UPDATE attempt SET lease_until = NOW(6) - INTERVAL 1 SECOND" };

	assert_int_equal(db_exec(db, &expire, NULL), 0);
}

static void
each_of_the_two_states_moves_by_the_table(void **state)
{
	(void)state;
	assert_int_equal(
	    move(&here, STATE_RUNNING, STATE_NONE), DB_MOVED_STATUS);
	assert_int_equal(
	    move(&here, STATE_RUNNING, STATE_RUNNING), DB_MOVED_PARTY);
	assert_true(task(&here)->started_ms > 0);
	assert_int_equal(move(&here, STATE_SUCCESS, STATE_SUCCESS),
	    DB_MOVED_STATUS | DB_MOVED_PARTY);
	assert_true(task(&here)->ended_ms >= task(&here)->started_ms);
	assert_int_equal(move(&here, STATE_FAILED, STATE_FAILED), 0);
	assert_int_equal(events(J1, "task"), 2);
	assert_int_equal(events(J1, "party_task"), 2);
}

static void
every_pair_of_party_states_moves_as_the_table_says(void **state)
{
	static const struct db_stmt force = { "force", "sssiss",
		"UPDATE task SET wait_code = 'starting', party_status = ? WHERE job_id = ?"
		" AND component = ? AND version = ? AND role = ?"
		" AND party_id = ?" };
	struct db_task_key k = here;

	(void)state;
	for (int from = 0; from < STATE_COUNT; from++) {
		for (int to = 0; to < STATE_COUNT; to++) {
			if (from == STATE_READY || to == STATE_READY)
				continue;
			assert_int_equal(
			    db_exec(db, &force, NULL,
				state_name((enum state)from), k.job_id,
				k.component, k.version, k.role, k.party_id),
			    0);
			assert_int_equal(
			    move(&k, STATE_NONE, (enum state)to) != 0,
			    state_task_may((enum state)from, (enum state)to));
		}
	}
}

static void
report_is_due_only_at_a_partner(void **state)
{
	struct db_report *r;
	size_t n;
	bool changed;

	(void)state;
	assert_int_equal(
	    move(&here, STATE_NONE, STATE_RUNNING), DB_MOVED_PARTY);
	assert_false(task(&here)->report_due);
	assert_int_equal(
	    move(&theirs, STATE_NONE, STATE_RUNNING), DB_MOVED_PARTY);
	assert_true(task(&theirs)->report_due);
	assert_int_equal(db_task_reports_due(db, arena, 10, &r, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(r->initiator_party, ROWS_GUEST);
	assert_int_equal(r->task.party_status, STATE_RUNNING);
	/* It changed while running was being told: still due. */
	assert_int_equal(
	    move(&theirs, STATE_NONE, STATE_SUCCESS), DB_MOVED_PARTY);
	assert_int_equal(
	    db_task_report_done(db, &theirs, STATE_RUNNING, &changed), 0);
	assert_true(changed);
	assert_true(task(&theirs)->report_due);
	assert_int_equal(
	    db_task_report_done(db, &theirs, STATE_SUCCESS, &changed), 0);
	assert_false(changed);
	assert_int_equal(db_task_reports_due(db, arena, 10, &r, &n), 0);
	assert_int_equal(n, 0);
}

static void
many_reports_to_one_initiator_keep_no_others_waiting(void **state)
{
	static const char *const ids[] = { "202601010000000000071",
		"202601010000000000072", "202601010000000000073",
		"202601010000000000074" };
	struct db_report *r;
	size_t n, others = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct db_task_key k = { ids[i], "reader_0", 0, "host",
			ROWS_HOST };
		struct rows_partner p;

		rows_partner_init(&p, ids[i], "host");
		p.job.initiator_party = i == 3 ? "8888" : ROWS_GUEST;
		assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
		assert_int_equal(
		    move(&k, STATE_NONE, STATE_RUNNING), DB_MOVED_PARTY);
	}
	assert_int_equal(db_task_reports_due(db, arena, 2, &r, &n), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++)
		others += strcmp(r[i].initiator_party, "8888") == 0;
	assert_int_equal(others, 1);
}

static void
members_end_makes_the_job_due_and_its_start_does_not(void **state)
{
	struct db_job_claim *c;
	size_t n;

	(void)state;
	assert_int_equal(db_job_claim(db, arena, "a", LEASE_MS, 10, &c, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_job_release(db, J1, c->fence, 3600000, 0), 0);
	assert_int_equal(
	    move(&here, STATE_NONE, STATE_RUNNING), DB_MOVED_PARTY);
	assert_int_equal(db_job_claim(db, arena, "a", LEASE_MS, 10, &c, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(
	    move(&here, STATE_NONE, STATE_SUCCESS), DB_MOVED_PARTY);
	assert_int_equal(db_job_claim(db, arena, "a", LEASE_MS, 10, &c, &n), 0);
	assert_int_equal(n, 1);
}

static void
verdict_moves_all_members_rows_with_one_event(void **state)
{
	bool moved;

	(void)state;
	assert_int_equal(db_task_move_all(db, J1, "reader_0", 0, STATE_WAITING,
			     STATE_RUNNING, "", &moved),
	    0);
	assert_true(moved);
	assert_int_equal(task(&here)->status, STATE_RUNNING);
	assert_int_equal(task(&holder)->status, STATE_RUNNING);
	assert_int_equal(db_task_move_all(db, J1, "reader_0", 0, STATE_WAITING,
			     STATE_RUNNING, "", &moved),
	    0);
	assert_false(moved);
	assert_int_equal(events(J1, "task"), 1);
}

static void
error_report_is_kept_and_default_does_not_replace_it(void **state)
{
	(void)state;
	assert_int_equal(db_task_move(db, &here,
			     &(struct db_task_move){ .status = STATE_NONE,
				 .party_status = STATE_FAILED,
				 .error_report = "division by zero" },
			     NULL),
	    0);
	assert_int_equal(db_task_move(db, &here,
			     &(struct db_task_move){ .status = STATE_FAILED,
				 .party_status = STATE_NONE,
				 .error_default = "host: other" },
			     NULL),
	    0);
	assert_string_equal(task(&here)->error_report, "division by zero");
	assert_int_equal(db_task_move(db, &holder,
			     &(struct db_task_move){ .status = STATE_FAILED,
				 .party_status = STATE_NONE,
				 .error_default = "guest: division by zero" },
			     NULL),
	    0);
	assert_string_equal(
	    task(&holder)->error_report, "guest: division by zero");
}

/* A component may print what it likes: its task must end all the same. */
static void
error_report_of_any_bytes_is_kept(void **state)
{
	static char longer[200000];

	(void)state;
	memset(longer, 0xe9, sizeof(longer) - 1);
	assert_int_equal(db_task_move(db, &here,
			     &(struct db_task_move){ .status = STATE_NONE,
				 .party_status = STATE_FAILED,
				 .error_report = longer,
				 .reason = "caf\xe9" },
			     NULL),
	    0);
	assert_int_equal(strlen(task(&here)->error_report), 16000);
	assert_int_equal(task(&here)->error_report[0], '?');
	assert_int_equal(
	    db_table_set_schema(db, "caf\xe9", "t", "{}"), ERR_INVALID);
}

/* --- launching --- */

static void
task_is_launched_once_however_often_it_is_asked_for(void **state)
{
	struct db_attempt *a;
	bool effective;
	size_t n;

	(void)state;
	assert_int_equal(db_task_want_launch(db, &here, &effective), 0);
	assert_true(effective);
	assert_int_equal(db_task_want_launch(db, &here, &effective), 0);
	assert_false(effective);
	assert_int_equal(
	    claim_any(db, arena, "s", "h", LEASE_MS, 10, &a, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(a->fence, 1);
	assert_int_equal(a->cores, 4);
	assert_int_equal(strlen(a->attempt_id), 32);
	assert_false(task(&here)->launch_wanted);
	assert_int_equal(db_task_want_launch(db, &here, &effective), 0);
	assert_false(effective);
	assert_int_equal(
	    claim_any(db, arena, "s", "h", LEASE_MS, 10, &a, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(
	    move(&here, STATE_NONE, STATE_SUCCESS), DB_MOVED_PARTY);
	assert_int_equal(db_task_want_launch(db, &here, &effective), 0);
	assert_false(effective);
	assert_int_equal(events(J1, "launch"), 1);
	assert_int_equal(events(J1, "attempt"), 1);
}

static void
a_host_without_room_leaves_a_task_to_others_for_a_second(void **state)
{
	static const struct db_stmt age = { "age", "",
		"UPDATE task SET updated_at = NOW(6) - INTERVAL 1001000"
		" MICROSECOND" };
	struct db_claim c = { "super-1", "host-1", LEASE_MS, 10, 3, false };
	struct db_attempt *a;
	size_t n, left;
	int64_t cores;

	(void)state;
	assert_int_equal(db_task_want_launch(db, &here, NULL), 0);
	assert_int_equal(db_attempt_claim(db, arena, &c, &a, &n, &left), 0);
	assert_int_equal(n, 0);
	assert_int_equal(left, 1);
	assert_true(task(&here)->launch_wanted);
	assert_int_equal(db_attempt_cores_on(db, "host-1", &cores), 0);
	assert_int_equal(cores, 0);
	/* Nobody had any: then it is for whoever looks. */
	assert_int_equal(db_exec(db, &age, NULL), 0);
	assert_int_equal(db_attempt_claim(db, arena, &c, &a, &n, &left), 0);
	assert_int_equal(n, 1);
	assert_int_equal(left, 0);
	assert_int_equal(db_attempt_cores_on(db, "host-1", &cores), 0);
	assert_int_equal(cores, 4);
	assert_int_equal(db_attempt_cores_on(db, "host-2", &cores), 0);
	assert_int_equal(cores, 0);
}

static void
a_host_with_room_takes_a_task_at_once(void **state)
{
	struct db_claim c = { "super-1", "host-1", LEASE_MS, 10, 4, false };
	struct db_attempt *a;
	size_t n, left;

	(void)state;
	assert_int_equal(db_task_want_launch(db, &here, NULL), 0);
	assert_int_equal(db_attempt_claim(db, arena, &c, &a, &n, &left), 0);
	assert_int_equal(n, 1);
	assert_int_equal(left, 0);
}

static int64_t
memory_free(void)
{
	struct db_host_memory most;

	assert_int_equal(db_host_memory_free(db, &most), 0);
	return most.free_mb;
}

static size_t
claims(const char *host, bool counts_memory)
{
	struct db_claim c = { "super-1", host, LEASE_MS, 10, DB_CLAIM_ALL,
		counts_memory };
	struct db_attempt *a;
	size_t n, left;

	assert_int_equal(db_attempt_claim(db, arena, &c, &a, &n, &left), 0);
	return n;
}

static size_t
complaints(void)
{
	const char **texts;
	size_t n;

	assert_int_equal(db_detect_ledger(db, arena, &texts, &n), 0);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(
		    texts[i], "host host-1: 1200 of 500 MB are taken");
	return n;
}

static const struct db_stmt each_600 = { "each_600", "",
	"UPDATE job_party p JOIN job j ON j.job_id = p.job_id"
	" SET p.memory_mb = 600 * j.task_parallelism" };
static const struct db_stmt long_wanted = { "long_wanted", "",
	"UPDATE task SET updated_at = NOW(6) - INTERVAL 1 HOUR" };

static void
a_host_gives_tasks_no_more_memory_than_it_has(void **state)
{
	struct db_attempt *a;
	size_t n;

	(void)state;
	assert_int_equal(db_exec(db, &each_600, NULL), 0);
	assert_int_equal(db_host_memory_set(db, "host-1", 1), 0);
	assert_int_equal(db_host_memory_set(db, "host-1", 1000), 0);
	assert_int_equal(db_host_memory_set(db, "host-2", 600), 0);
	assert_int_equal(db_task_want_launch(db, &here, NULL), 0);
	assert_int_equal(claims("host-1", true), 1);
	assert_int_equal(memory_free(), 600);
	/* Others may be large enough; this one is not, for how long ever. */
	assert_int_equal(db_task_want_launch(db, &theirs, NULL), 0);
	assert_int_equal(claims("host-1", true), 0);
	assert_string_equal(task(&theirs)->wait.code, "starting");
	assert_int_equal(db_exec(db, &long_wanted, NULL), 0);
	assert_int_equal(claims("host-1", true), 0);
	assert_int_equal(claims("host-2", true), 1);
	assert_int_equal(memory_free(), 400);
	assert_int_equal(complaints(), 0);
	assert_int_equal(db_attempt_open_on(db, arena, "host-1", &a, &n), 0);
	assert_int_equal(a->memory_mb, 600);
	assert_int_equal(db_attempt_end(db, a->attempt_id, "success"), 0);
	assert_int_equal(memory_free(), 1000);
}

static void
a_task_that_waits_for_memory_says_so(void **state)
{
	struct db_attempt *a;
	size_t n;

	(void)state;
	assert_int_equal(db_exec(db, &each_600, NULL), 0);
	assert_int_equal(db_host_memory_set(db, "host-1", 1000), 0);
	assert_int_equal(db_task_want_launch(db, &here, NULL), 0);
	assert_int_equal(claims("host-1", true), 1);
	assert_int_equal(db_task_want_launch(db, &theirs, NULL), 0);
	assert_int_equal(db_exec(db, &long_wanted, NULL), 0);
	assert_int_equal(claims("host-1", true), 0);
	/* Told once, however often somebody looks. */
	assert_int_equal(claims("host-1", true), 0);
	assert_string_equal(task(&theirs)->wait.code, "waiting_resources");
	assert_string_equal(task(&theirs)->wait.role, theirs.role);
	assert_string_equal(task(&theirs)->wait.party_id, theirs.party_id);
	assert_string_equal(task(&theirs)->wait.numbers,
	    "{\"memory_mb_asked\":600,\"memory_mb_free\":400,"
	    "\"memory_mb_total\":1000}");
	assert_int_equal(events(theirs.job_id, "wait"), 1);
	assert_int_equal(db_attempt_open_on(db, arena, "host-1", &a, &n), 0);
	assert_int_equal(db_attempt_end(db, a->attempt_id, "success"), 0);
	assert_int_equal(claims("host-1", true), 1);
	assert_string_equal(task(&theirs)->wait.code, "starting");
	assert_string_equal(task(&theirs)->wait.party_id, "");
	assert_string_equal(task(&theirs)->wait.numbers, "");
}

static void
a_task_larger_than_any_host_has_one_to_itself(void **state)
{
	(void)state;
	assert_int_equal(db_exec(db, &each_600, NULL), 0);
	assert_int_equal(db_host_memory_set(db, "host-1", 500), 0);
	assert_int_equal(db_task_want_launch(db, &here, NULL), 0);
	assert_int_equal(claims("host-1", true), 0);
	assert_int_equal(db_exec(db, &long_wanted, NULL), 0);
	assert_int_equal(claims("host-1", true), 1);
	assert_int_equal(complaints(), 0);
	assert_int_equal(db_task_want_launch(db, &theirs, NULL), 0);
	assert_int_equal(db_exec(db, &long_wanted, NULL), 0);
	assert_int_equal(claims("host-1", true), 0);
	/* Who took another all the same is found out. */
	assert_int_equal(claims("host-1", false), 1);
	assert_int_equal(complaints(), 1);
}

static int
want_and_claim(struct db *d, void *ctx)
{
	struct db_claim c = { "super-1", "host-1", LEASE_MS, 0, 4, false };
	int r = db_task_want_launch(d, &here, NULL);

	return r != 0 ? r : db_attempt_claim_task(d, arena, &c, &here, ctx);
}

static void
a_task_is_claimed_in_the_transaction_that_wants_it(void **state)
{
	struct db_claim none = { "super-1", "host-1", LEASE_MS, 0, 0, false };
	struct db_attempt *a, *rows;
	size_t n;

	(void)state;
	assert_int_equal(db_task_want_launch(db, &theirs, NULL), 0);
	assert_int_equal(db_tx(db, want_and_claim, &a), 0);
	assert_non_null(a);
	assert_string_equal(a->key.component, here.component);
	assert_true(a->is_initiator);
	assert_false(task(&here)->launch_wanted);
	assert_int_equal(db_attempt_get(db, arena, a->attempt_id, &rows), 0);
	assert_int_equal(rows->fence, 1);
	assert_string_equal(rows->launcher, "super-1");
	/* Once; and others that wait are not its business. */
	assert_int_equal(db_tx(db, want_and_claim, &a), 0);
	assert_null(a);
	assert_true(task(&theirs)->launch_wanted);
	/* Where there is no room it is left to whoever has some. */
	assert_int_equal(
	    db_attempt_claim_task(db, arena, &none, &theirs, &a), 0);
	assert_null(a);
	assert_true(task(&theirs)->launch_wanted);
	assert_int_equal(
	    claim_any(db, arena, "s", "h", LEASE_MS, 10, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(rows->key.job_id, theirs.job_id);
}

static int
begin(struct db *d, void *ctx)
{
	struct db_claim c = { "super-1", "host-1", LEASE_MS, 0, 4, false };

	return db_attempt_begin_task(d, arena, &c, &here, ctx);
}

static void
a_task_is_started_and_claimed_in_one_step_or_not_at_all(void **state)
{
	struct db_claim none = { "super-1", "host-1", LEASE_MS, 0, 0, false };
	struct db_attempt *a;

	(void)state;
	assert_int_equal(db_attempt_begin_task(db, arena, &none, &here, &a), 0);
	assert_null(a);
	assert_false(task(&here)->start_acked);
	assert_int_equal(events(J1, "launch"), 0);
	assert_int_equal(db_tx(db, begin, &a), 0);
	assert_non_null(a);
	assert_int_equal(a->fence, 1);
	assert_true(task(&here)->start_acked);
	assert_false(task(&here)->launch_wanted);
	assert_int_equal(events(J1, "launch"), 1);
	assert_int_equal(events(J1, "attempt"), 1);
	/* Once. */
	assert_int_equal(db_tx(db, begin, &a), 0);
	assert_null(a);
	assert_int_equal(events(J1, "attempt"), 1);
	/* What is wanted already is claimed by who looks for such. */
	assert_int_equal(db_task_want_launch(db, &theirs, NULL), 0);
	none.room = 4;
	assert_int_equal(
	    db_attempt_begin_task(db, arena, &none, &theirs, &a), 0);
	assert_null(a);
	assert_true(task(&theirs)->launch_wanted);
}

static void
an_older_version_is_not_started_in_one_step(void **state)
{
	struct db_task_new newer = { .component = here.component,
		.version = here.version + 1,
		.role = here.role,
		.party_id = here.party_id,
		.module = "X",
		.run_here = true };
	struct db_attempt *a;

	(void)state;
	assert_int_equal(db_task_insert(db, J1, &newer, 1), 0);
	assert_int_equal(db_tx(db, begin, &a), 0);
	assert_null(a);
	assert_false(task(&here)->start_acked);
}

static void
launch_is_refused_where_it_makes_no_sense(void **state)
{
	struct db_task_key old = here;
	struct db_task_new t = { .component = "lr_0",
		.version = 1,
		.role = "guest",
		.party_id = ROWS_GUEST,
		.module = "X",
		.run_here = true };

	(void)state;
	assert_int_equal(db_task_want_launch(db, &holder, NULL), ERR_NOT_FOUND);
	assert_int_equal(
	    move(&here, STATE_NONE, STATE_CANCELED), DB_MOVED_PARTY);
	assert_int_equal(db_task_want_launch(db, &here, NULL), ERR_CONFLICT);
	assert_int_equal(db_task_insert(db, J1, &t, 1), 0);
	old.component = "lr_0";
	assert_int_equal(db_task_want_launch(db, &old, NULL), ERR_CONFLICT);
	old.version = 1;
	assert_int_equal(db_job_move(db, J1, STATE_FAILED, 0, "", NULL), 0);
	assert_int_equal(db_task_want_launch(db, &old, NULL), ERR_CONFLICT);
	old.version = 2;
	assert_int_equal(db_task_want_launch(db, &old, NULL), ERR_NOT_FOUND);
}

struct claimer {
	char seen[64][40];
	size_t n;
};

static void *
claim_all(void *arg)
{
	struct claimer *c = arg;
	struct arena *a = arena_new();
	struct db *d = mariadb_connect();
	struct db_attempt *rows;
	size_t n;

	do {
		if (claim_any(d, a, "s", "h", LEASE_MS, 4, &rows, &n) != 0)
			break;
		for (size_t i = 0; i < n && c->n < 64; i++)
			(void)snprintf(
			    c->seen[c->n++], 40, "%s", rows[i].attempt_id);
	} while (n > 0);
	db_close(d);
	arena_free(a);
	return NULL;
}

static void
two_launchers_never_get_the_same_task(void **state)
{
	static struct claimer c[2];
	struct db_task_new t = { .role = "guest",
		.party_id = ROWS_GUEST,
		.module = "X",
		.run_here = true };
	struct db_task_key k = here;
	pthread_t th[2];
	char name[20];

	(void)state;
	for (int i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof(name), "many_%d", i);
		k.component = t.component = name;
		assert_int_equal(db_task_insert(db, J1, &t, 1), 0);
		assert_int_equal(db_task_want_launch(db, &k, NULL), 0);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&th[i], NULL, claim_all, &c[i]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(th[i], NULL), 0);
	assert_int_equal(c[0].n + c[1].n, 40);
	assert_int_equal(events(J1, "attempt"), 40);
}

/* --- a shepherd's lease --- */

static const struct db_stmt hold_task = { "test.hold_task", "s",
	"SELECT COUNT(*) FROM task WHERE job_id = ? FOR UPDATE" };

static int
beat_while_the_task_is_held(struct db *locker, void *ctx)
{
	struct db_attempt *a = ctx;
	enum state kill;
	int64_t n;

	assert_int_equal(db_query_int(locker, &hold_task, &n, J1), 0);
	assert_true(n > 0);
	assert_int_equal(
	    db_attempt_renew(db, a->attempt_id, LEASE_MS, 0, 0, 0, &kill), 0);
	return 0;
}

/* It looks at the task in the statement that writes the attempt. */
static void
heartbeat_waits_for_nobody_who_holds_the_task(void **state)
{
	struct db_attempt *a = launch(&here);
	struct db *locker = mariadb_connect();

	(void)state;
	assert_int_equal(db_tx(locker, beat_while_the_task_is_held, a), 0);
	db_close(locker);
}

static void
heartbeat_extends_the_lease_and_brings_the_wish_to_kill(void **state)
{
	struct db_attempt *a = launch(&here), *row;
	enum state kill;
	struct db_kill *kills;
	bool effective;
	size_t n;

	(void)state;
	assert_int_equal(
	    db_attempt_renew(db, a->attempt_id, 2 * LEASE_MS, 11, 0, 0, &kill),
	    0);
	assert_int_equal(kill, STATE_NONE);
	assert_int_equal(
	    db_attempt_renew(db, a->attempt_id, 2 * LEASE_MS, 0, 12, 0, &kill),
	    0);
	assert_int_equal(db_attempt_get(db, arena, a->attempt_id, &row), 0);
	assert_int_equal(row->shepherd_pid, 11);
	assert_int_equal(row->executor_pid, 12);
	assert_true(row->lease_left_ms > LEASE_MS);
	assert_int_equal(
	    db_task_want_end(db, &here, STATE_CANCELED, "by hand", &effective),
	    0);
	assert_true(effective);
	assert_int_equal(
	    db_task_want_end(db, &here, STATE_FAILED, "later", &effective), 0);
	assert_false(effective);
	assert_int_equal(
	    db_attempt_renew(db, a->attempt_id, LEASE_MS, 0, 0, 0, &kill), 0);
	assert_int_equal(kill, STATE_CANCELED);
	/* So does a move of the task, whose row is read for it anyway. */
	kill = STATE_NONE;
	assert_int_equal(db_task_move(db, &here,
			     &(struct db_task_move){
				 .status = STATE_NONE, .kill_wanted = &kill },
			     NULL),
	    0);
	assert_int_equal(kill, STATE_CANCELED);
	assert_int_equal(
	    db_attempt_renew(db, a->attempt_id, LEASE_MS, 0, 0, 0, NULL), 0);
	assert_int_equal(db_task_kills_wanted(db, arena, 10, &kills, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(kills->attempt_id, a->attempt_id);
	assert_int_equal(task(&here)->party_status, STATE_WAITING);
	assert_string_equal(task(&here)->error_report, "by hand");
	assert_int_equal(
	    move(&here, STATE_NONE, STATE_CANCELED), DB_MOVED_PARTY);
	assert_int_equal(db_task_kills_wanted(db, arena, 10, &kills, &n), 0);
	assert_int_equal(n, 0);
}

static void
task_that_was_never_launched_ends_at_once(void **state)
{
	struct db_attempt *a;
	bool effective;
	size_t n;

	(void)state;
	assert_int_equal(db_task_want_launch(db, &here, NULL), 0);
	assert_int_equal(
	    db_task_want_end(db, &here, STATE_CANCELED, "stop", &effective), 0);
	assert_true(effective);
	assert_int_equal(task(&here)->party_status, STATE_CANCELED);
	assert_int_equal(task(&here)->kill_wanted, STATE_NONE);
	assert_false(task(&here)->launch_wanted);
	assert_int_equal(
	    claim_any(db, arena, "s", "h", LEASE_MS, 10, &a, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(
	    db_task_want_end(db, &here, STATE_FAILED, "stop", &effective), 0);
	assert_false(effective);
	assert_int_equal(
	    db_task_want_end(db, &here, STATE_SUCCESS, "stop", &effective),
	    ERR_INVALID);
	assert_int_equal(
	    db_task_want_end(db, &holder, STATE_FAILED, "stop", &effective),
	    ERR_NOT_FOUND);
}

/* Its launcher died between the claim and the start of a shepherd. */
static void
claimed_task_that_never_started_is_launched_anew_or_ends(void **state)
{
	struct db_attempt *a = launch(&theirs), *rows;
	size_t n, known = events(theirs.job_id, "attempt");

	(void)state;
	assert_int_equal(db_attempt_relaunch(db, a->attempt_id), 0);
	assert_true(task(&theirs)->launch_wanted);
	assert_int_equal(events(theirs.job_id, "attempt"), known + 1);
	assert_int_equal(db_attempt_relaunch(db, a->attempt_id), ERR_CONFLICT);
	assert_int_equal(
	    claim_any(db, arena, "s", "h", LEASE_MS, 10, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
	    db_task_want_end(db, &theirs, STATE_CANCELED, "stop", NULL), 0);
	assert_int_equal(task(&theirs)->party_status, STATE_WAITING);
	assert_int_equal(db_attempt_relaunch(db, rows->attempt_id), 0);
	assert_false(task(&theirs)->launch_wanted);
	assert_int_equal(task(&theirs)->party_status, STATE_CANCELED);
	assert_true(task(&theirs)->report_due);
}

/* Its claimer stood still, and another one launched the task anew meanwhile. */
static void
shepherd_whose_attempt_was_ended_before_it_was_there_fails_nothing(void **state)
{
	struct db_attempt *a = launch(&theirs);
	struct ready ready = {
		.conf = (struct site_conf *)(uintptr_t)mariadb_conf()
	};

	(void)state;
	assert_int_equal(db_attempt_relaunch(db, a->attempt_id), 0);
	assert_int_equal(attempt_run(&ready, a->attempt_id), SHEPHERD_AGAIN);
	assert_int_equal(task(&theirs)->party_status, STATE_WAITING);
	assert_true(task(&theirs)->launch_wanted);
}

static void
a_verdict_of_success_has_heard_the_report(void **state)
{
	(void)state;
	assert_int_equal(
	    move(&theirs, STATE_NONE, STATE_RUNNING), DB_MOVED_PARTY);
	/* Only that of an end. */
	assert_int_equal(
	    move(&theirs, STATE_RUNNING, STATE_NONE), DB_MOVED_STATUS);
	assert_true(task(&theirs)->report_due);
	assert_int_equal(
	    move(&theirs, STATE_NONE, STATE_SUCCESS), DB_MOVED_PARTY);
	assert_true(task(&theirs)->report_due);
	assert_int_equal(
	    move(&theirs, STATE_SUCCESS, STATE_NONE), DB_MOVED_STATUS);
	assert_false(task(&theirs)->report_due);
}

static void
a_bad_verdict_may_not_have_heard_the_report(void **state)
{
	(void)state;
	assert_int_equal(
	    move(&theirs, STATE_NONE, STATE_SUCCESS), DB_MOVED_PARTY);
	assert_int_equal(
	    move(&theirs, STATE_FAILED, STATE_NONE), DB_MOVED_STATUS);
	assert_true(task(&theirs)->report_due);
}

/* The shepherd slept through its lease; the supervisor gave the task up. */
static void
stale_shepherd_changes_nothing(void **state)
{
	struct db_attempt *a = launch(&theirs), *rows;
	struct db_task_move m = { .status = STATE_NONE,
		.party_status = STATE_SUCCESS };
	enum state kill;
	unsigned moved;
	size_t n;

	(void)state;
	m.attempt = a;
	assert_int_equal(db_attempt_expired(db, arena, 10, &rows, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(
	    db_attempt_expire(db, a->attempt_id, STATE_FAILED, "silent"),
	    ERR_CONFLICT);
	expire_all();
	assert_int_equal(db_attempt_expired(db, arena, 10, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
	    db_attempt_expire(db, rows->attempt_id, STATE_FAILED, "silent"), 0);
	assert_int_equal(task(&theirs)->party_status, STATE_FAILED);
	assert_string_equal(task(&theirs)->error_report, "silent");
	assert_true(task(&theirs)->report_due);
	/* From then on it may not write any more. */
	assert_int_equal(db_task_move(db, &theirs, &m, &moved), ERR_CONFLICT);
	assert_int_equal(
	    db_attempt_renew(db, a->attempt_id, LEASE_MS, 0, 0, 0, &kill),
	    ERR_CONFLICT);
	assert_int_equal(
	    db_attempt_end(db, a->attempt_id, "done"), ERR_CONFLICT);
	assert_int_equal(
	    db_task_set_progress(db, &theirs, a->attempt_id, 50), 0);
	assert_int_equal(task(&theirs)->progress, 0);
	assert_int_equal(task(&theirs)->party_status, STATE_FAILED);
	assert_int_equal(
	    db_attempt_expire(db, rows->attempt_id, STATE_FAILED, "silent"),
	    ERR_CONFLICT);
}

/* As after an outage of the database: nobody has acted in its place. */
static void
lease_that_ran_out_goes_on_while_nobody_ended_the_attempt(void **state)
{
	struct db_attempt *a = launch(&theirs), *rows;
	struct db_task_move m = { .status = STATE_NONE,
		.party_status = STATE_RUNNING,
		.attempt = a };
	enum state kill;
	unsigned moved;
	size_t n;

	(void)state;
	expire_all();
	assert_int_equal(db_task_move(db, &theirs, &m, &moved), 0);
	assert_int_equal(moved, DB_MOVED_PARTY);
	assert_int_equal(
	    db_attempt_renew(db, a->attempt_id, LEASE_MS, 0, 0, 0, &kill), 0);
	assert_int_equal(db_attempt_expired(db, arena, 10, &rows, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(
	    db_attempt_expire(db, a->attempt_id, STATE_FAILED, "silent"),
	    ERR_CONFLICT);
	expire_all();
	assert_int_equal(db_attempt_end(db, a->attempt_id, "done"), 0);
	assert_int_equal(
	    db_attempt_expire(db, a->attempt_id, STATE_FAILED, "silent"),
	    ERR_CONFLICT);
}

static void
live_shepherd_ends_its_task_in_one_transaction(void **state)
{
	struct db_attempt *a = launch(&here), *row;
	unsigned moved;

	(void)state;
	assert_int_equal(db_task_move(db, &here,
			     &(struct db_task_move){ .status = STATE_NONE,
				 .party_status = STATE_RUNNING,
				 .attempt = a },
			     &moved),
	    0);
	assert_int_equal(db_task_set_progress(db, &here, a->attempt_id, 50), 0);
	assert_int_equal(task(&here)->progress, 50);
	assert_int_equal(db_task_move(db, &here,
			     &(struct db_task_move){ .status = STATE_NONE,
				 .party_status = STATE_SUCCESS,
				 .attempt = a },
			     &moved),
	    0);
	assert_int_equal(moved, DB_MOVED_PARTY);
	assert_int_equal(db_attempt_guard(db, a->attempt_id), 0);
	assert_int_equal(db_attempt_end(db, a->attempt_id, "success"), 0);
	assert_int_equal(db_attempt_guard(db, a->attempt_id), ERR_CONFLICT);
	assert_int_equal(db_attempt_get(db, arena, a->attempt_id, &row), 0);
	assert_true(row->ended && row->ended_ms > 0);
	assert_string_equal(row->outcome, "success");
	assert_int_equal(
	    db_attempt_end(db, a->attempt_id, "success"), ERR_CONFLICT);
	assert_int_equal(db_attempt_guard(db, "none"), ERR_CONFLICT);
}

static void
abandoned_attempt_takes_the_state_that_was_wanted(void **state)
{
	struct db_attempt *a = launch(&here), *rows;
	size_t n;

	(void)state;
	assert_int_equal(db_attempt_open_on(db, arena, "host-1", &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
	    db_task_want_end(db, &here, STATE_CANCELED, "by hand", NULL), 0);
	assert_int_equal(db_attempt_abandon(db, a->attempt_id, STATE_FAILED,
			     FAULT_HOST, "shepherd was killed by signal 9"),
	    0);
	assert_int_equal(task(&here)->party_status, STATE_CANCELED);
	assert_string_equal(task(&here)->error_report, "by hand");
	assert_int_equal(db_attempt_abandon(db, a->attempt_id, STATE_FAILED,
			     FAULT_HOST, "again"),
	    ERR_CONFLICT);
	assert_int_equal(db_attempt_open_on(db, arena, "host-1", &rows, &n), 0);
	assert_int_equal(n, 0);
}

static void
next_attempt_supersedes_the_one_before(void **state)
{
	static const struct db_stmt again = { "again", "",
		"UPDATE task SET launch_wanted = 1 WHERE start_acked = 1" };
	struct db_attempt *a = launch(&here), *b;
	enum state kill;
	size_t n;

	(void)state;
	assert_int_equal(db_exec(db, &again, NULL), 0);
	assert_int_equal(
	    claim_any(db, arena, "s", "h", LEASE_MS, 1, &b, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(b->fence, 2);
	assert_int_equal(
	    db_attempt_renew(db, a->attempt_id, LEASE_MS, 0, 0, 0, &kill),
	    ERR_CONFLICT);
	assert_int_equal(
	    db_attempt_renew(db, b->attempt_id, LEASE_MS, 0, 0, 0, &kill), 0);
}

/* --- lists --- */

static size_t
queried(const struct db_task_filter *f)
{
	struct db_task_row *rows;
	int64_t total;
	size_t n;

	assert_int_equal(db_task_query(db, arena, f, &rows, &n, &total), 0);
	assert_int_equal(n, total);
	return n;
}
#define QUERIED(...) queried(&(struct db_task_filter){ __VA_ARGS__ })

static void
each_filter_of_a_task_list_filters(void **state)
{
	struct db_task_new t = { .component = "lr_0",
		.version = 1,
		.role = "guest",
		.party_id = ROWS_GUEST,
		.module = "X",
		.run_here = true };
	struct db_task *rows;
	int64_t one = 1;
	size_t n;

	(void)state;
	assert_int_equal(db_task_insert(db, J1, &t, 1), 0);
	assert_int_equal(QUERIED(.job_id = NULL), 9);
	assert_int_equal(QUERIED(.job_id = J1), 7);
	assert_int_equal(QUERIED(.job_id = J1, .newest_only = true), 6);
	assert_int_equal(QUERIED(.job_id = J1, .local_only = true), 3);
	assert_int_equal(QUERIED(.component = "lr_0"), 5);
	assert_int_equal(QUERIED(.components = "lr_0,reader_0"), 9);
	assert_int_equal(QUERIED(.roles = "host"), 4);
	assert_int_equal(QUERIED(.parties = ROWS_GUEST), 3);
	assert_int_equal(QUERIED(.version = &one), 1);
	assert_int_equal(QUERIED(.statuses = "running,failed"), 0);
	assert_int_equal(QUERIED(.party_statuses = "waiting"), 9);
	for (int o = 0; o < DB_TASK_ORDERS; o++) {
		assert_int_equal(QUERIED(.order = (enum db_task_order)o), 9);
		assert_int_equal(
		    QUERIED(.order = (enum db_task_order)o, .descending = true),
		    9);
	}
	assert_int_equal(db_task_list(db, arena, J1, false, &rows, &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(db_task_list(db, arena, J1, true, &rows, &n), 0);
	assert_int_equal(n, 6);
}

static void
queried_task_shows_its_newest_attempt(void **state)
{
	struct db_attempt *a = launch(&here);
	struct db_task_row *rows;
	int64_t total;
	size_t n;

	(void)state;
	assert_int_equal(db_task_query(db, arena,
			     &(struct db_task_filter){ .job_id = J1,
				 .component = "reader_0",
				 .limit = 1,
				 .roles = "guest" },
			     &rows, &n, &total),
	    0);
	assert_int_equal(n, 1);
	assert_int_equal(total, 1);
	assert_string_equal(rows->attempt_id, a->attempt_id);
	assert_string_equal(rows->host, "host-1");
	assert_string_equal(rows->initiator_role, "guest");
	assert_string_equal(rows->task.provider, "{\"name\":\"sluice\"}");
}

static void
the_newest_version_is_found(void **state)
{
	struct db_task *t;

	(void)state;
	assert_int_equal(db_task_get_newest(db, arena, J1, "reader_0", "guest",
			     ROWS_GUEST, &t),
	    0);
	assert_int_equal(t->key.version, 0);
	assert_int_equal(
	    db_task_get_newest(db, arena, J1, "none", "guest", ROWS_GUEST, &t),
	    ERR_NOT_FOUND);
}

static void
acknowledgements_are_kept(void **state)
{
	(void)state;
	assert_int_equal(db_task_ack_start(db, &holder, true), 0);
	assert_int_equal(db_task_ack(db, &holder, false, STATE_RUNNING), 0);
	assert_true(task(&holder)->start_acked);
	assert_int_equal(task(&holder)->status_acked, STATE_RUNNING);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(each_of_the_two_states_moves_by_the_table),
		T(every_pair_of_party_states_moves_as_the_table_says),
		T(report_is_due_only_at_a_partner),
		T(many_reports_to_one_initiator_keep_no_others_waiting),
		T(members_end_makes_the_job_due_and_its_start_does_not),
		T(verdict_moves_all_members_rows_with_one_event),
		T(error_report_is_kept_and_default_does_not_replace_it),
		T(error_report_of_any_bytes_is_kept),
		T(task_is_launched_once_however_often_it_is_asked_for),
		T(a_host_without_room_leaves_a_task_to_others_for_a_second),
		T(a_host_with_room_takes_a_task_at_once),
		T(a_host_gives_tasks_no_more_memory_than_it_has),
		T(a_task_that_waits_for_memory_says_so),
		T(a_task_larger_than_any_host_has_one_to_itself),
		T(a_task_is_claimed_in_the_transaction_that_wants_it),
		T(a_task_is_started_and_claimed_in_one_step_or_not_at_all),
		T(an_older_version_is_not_started_in_one_step),
		T(launch_is_refused_where_it_makes_no_sense),
		T(two_launchers_never_get_the_same_task),
		T(heartbeat_extends_the_lease_and_brings_the_wish_to_kill),
		T(heartbeat_waits_for_nobody_who_holds_the_task),
		T(task_that_was_never_launched_ends_at_once),
		T(claimed_task_that_never_started_is_launched_anew_or_ends),
		T(shepherd_whose_attempt_was_ended_before_it_was_there_fails_nothing),
		T(a_verdict_of_success_has_heard_the_report),
		T(a_bad_verdict_may_not_have_heard_the_report),
		T(stale_shepherd_changes_nothing),
		T(lease_that_ran_out_goes_on_while_nobody_ended_the_attempt),
		T(live_shepherd_ends_its_task_in_one_transaction),
		T(abandoned_attempt_takes_the_state_that_was_wanted),
		T(next_attempt_supersedes_the_one_before),
		T(each_filter_of_a_task_list_filters),
		T(queried_task_shows_its_newest_attempt),
		T(the_newest_version_is_found),
		T(acknowledgements_are_kept),
	};
#undef T

	log_init("test_db_task", LOG_ERROR_);
	return cmocka_run_group_tests_name("db_task", tests, NULL, NULL);
}
