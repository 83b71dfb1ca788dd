/*
 * The commands between sites: who may say what, and that saying it twice is
 * saying it once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_contract.h"
#include "lib/db/db_event.h"
#include "lib/db/db_permission.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_table.h"
#include "lib/db/db_tx.h"
#include "lib/json/json.h"
#include "lib/party/job_doubt.h"
#include "lib/party/job_stop.h"
#include "lib/party/party.h"
#include "lib/party/party_contract.h"
#include "tests/lib/claim.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define THEIRS "202601010000000000001" /* initiated by 9999, we are 10000 */
#define OURS "202601010000000000002"   /* initiated here, we are 9999 */
#define RESERVATION_MS 60000

static struct db *db;
static struct arena *arena;

static const struct party_caller guest = { .party_id = ROWS_GUEST };
static const struct party_caller host = { .party_id = ROWS_HOST };
static const struct party_caller stranger = { .party_id = "555" };
static const struct party_caller site = { .party_id = ROWS_GUEST,
	.is_site = true };
static const struct party_member member = { THEIRS, "host", ROWS_HOST };
static const struct party_member arbiter = { THEIRS, "arbiter", ROWS_HOST };
static const struct party_member own = { OURS, "guest", ROWS_GUEST };
static const struct db_task_key reader = { THEIRS, "reader_0", 0, "host",
	ROWS_HOST };
static const struct db_task_key lr = { THEIRS, "lr_0", 0, "host", ROWS_HOST };
static const struct db_task_key own_reader = { OURS, "reader_0", 0, "guest",
	ROWS_GUEST };
static const struct db_task_key holder = { OURS, "reader_0", 0, "host",
	ROWS_HOST };

static int
set_up(void **state)
{
	struct rows_partner p;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	rows_partner_init(&p, THEIRS, "host");
	if (db_resource_set(db, DB_ENGINE_DEFAULT, 8, 1000) == 0 &&
	    rows_allow(db, ROWS_GUEST) == 0 &&
	    party_job_create(db, &guest, &member, &p.job, NULL, NULL) == 0 &&
	    rows_initiated(db, OURS) == 0)
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

static struct db_job *
job(const char *id)
{
	struct db_job *j;

	assert_int_equal(db_job_get_brief(db, arena, id, &j), 0);
	return j;
}

static struct db_task *
task(const struct db_task_key *k)
{
	struct db_task *t;

	assert_int_equal(db_task_get(db, arena, k, &t), 0);
	return t;
}

static int64_t
free_cores(void)
{
	struct db_resource *r;

	assert_int_equal(db_resource_get(db, arena, DB_ENGINE_DEFAULT, &r), 0);
	return r->free_cores;
}

static size_t
events(const char *id)
{
	struct db_event *rows;
	size_t n;

	assert_int_equal(db_event_list(db, arena, id, 0, 1000, &rows, &n), 0);
	return n;
}

static void
start_job(void)
{
	assert_int_equal(party_resource_apply(
			     db, &guest, &member, RESERVATION_MS, NULL, NULL),
	    0);
	assert_int_equal(party_job_start(db, &guest, &member, NULL), 0);
}

static struct db_attempt *
launch(const struct db_task_key *k)
{
	struct db_attempt *a;
	size_t n;

	assert_int_equal(party_task_start(db, &guest, k, NULL), 0);
	assert_int_equal(claim_any(db, arena, "s", "h", 60000, 10, &a, &n), 0);
	assert_int_equal(n, 1);
	return a;
}

/* As its shepherd would. */
static void
succeeds_here(const struct db_task_key *k)
{
	static const struct db_task_move move = { .status = STATE_NONE,
		.party_status = STATE_SUCCESS };

	assert_int_equal(db_task_move(db, k, &move, NULL), 0);
}

/*
 * Run a command that sets `effective` twice: the first is, the second is not,
 * and leaves no trace among the events.
 */
#define TWICE(id, call)                                                        \
	do {                                                                   \
		size_t before;                                                 \
                                                                               \
		assert_int_equal((call), 0);                                   \
		assert_true(effective);                                        \
		before = events(id);                                           \
		assert_int_equal((call), 0);                                   \
		assert_false(effective);                                       \
		assert_int_equal(events(id), before);                          \
	} while (0)

static void
every_command_of_a_job_can_be_repeated(void **state)
{
	struct rows_partner p;
	bool effective;

	(void)state;
	rows_partner_init(&p, THEIRS, "host");
	assert_int_equal(
	    party_job_create(db, &guest, &member, &p.job, NULL, &effective), 0);
	assert_false(effective);
	assert_int_equal(job(THEIRS)->status, STATE_READY);
	assert_int_equal(party_resource_apply(db, &guest, &member,
			     RESERVATION_MS, NULL, &effective),
	    0);
	assert_int_equal(party_resource_apply(db, &guest, &member,
			     RESERVATION_MS, NULL, &effective),
	    0);
	assert_int_equal(free_cores(), 4);
	assert_int_equal(job(THEIRS)->status, STATE_WAITING);
	TWICE(THEIRS, party_resource_return(db, &guest, &member, &effective));
	assert_int_equal(free_cores(), 8);
	assert_int_equal(party_resource_apply(db, &guest, &member,
			     RESERVATION_MS, NULL, &effective),
	    0);
	TWICE(THEIRS, party_job_start(db, &guest, &member, &effective));
	assert_int_equal(job(THEIRS)->status, STATE_RUNNING);
	TWICE(THEIRS, party_job_stop(db, &guest, &member, STATE_FAILED,
			  "host: broken", &effective));
	assert_int_equal(job(THEIRS)->status, STATE_FAILED);
	assert_string_equal(job(THEIRS)->reason, "host: broken");
	assert_int_equal(free_cores(), 8);
	TWICE(THEIRS, party_job_status(db, &guest, &member, STATE_WAITING,
			  "rerun", &effective));
	assert_int_equal(job(THEIRS)->status, STATE_WAITING);
}

static void
sign_all(void)
{
	struct db_party *rows;
	size_t n;

	assert_int_equal(db_party_list(db, arena, THEIRS, &rows, &n), 0);
	assert_true(n > 1);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    db_signature_put(db, THEIRS, 0,
			&(struct db_signature){ .role = rows[i].role,
			    .party_id = rows[i].party_id,
			    .key_id = "0123456789abcdef",
			    .signed_s = 1,
			    .signature = "00" }),
		    0);
}

/* The first tasks need no command of their own. */
static void
a_start_takes_the_tasks_along_that_it_names(void **state)
{
	static const struct party_offer none = { .n = 0 };
	struct db_task_key tasks[] = { reader, lr };
	bool effective;

	(void)state;
	assert_int_equal(party_resource_apply(
			     db, &guest, &member, RESERVATION_MS, NULL, NULL),
	    0);
	sign_all();
	/* All, or nothing. */
	tasks[1].component = "nothing_0";
	assert_int_equal(party_contract_start(
			     db, &guest, &member, &none, tasks, 2, &effective),
	    ERR_NOT_FOUND);
	assert_int_equal(job(THEIRS)->status, STATE_WAITING);
	assert_false(task(&reader)->start_acked);
	TWICE(THEIRS, party_contract_start(
			  db, &guest, &member, &none, tasks, 1, &effective));
	assert_int_equal(job(THEIRS)->status, STATE_RUNNING);
	assert_true(task(&reader)->start_acked);
	assert_false(task(&lr)->start_acked);
	/* An answer that got lost: it is told by itself again. */
	assert_int_equal(party_task_start(db, &guest, &reader, &effective), 0);
	assert_false(effective);
}

/* Of all that it has to be: reserved, started, its first tasks; or nothing. */
static void
who_is_asked_last_takes_and_begins_in_one_step(void **state)
{
	struct db_task_key tasks[] = { reader, lr };
	struct party_begin b = {
		.tasks = tasks, .n = 1, .reservation_ms = RESERVATION_MS
	};
	struct wait why;
	bool started = true, effective;
	int64_t n;

	(void)state;
	/* It has not signed yet: it keeps what it needs, and no more. */
	assert_int_equal(party_contract_begin(db, &guest, &member, &b, &why,
			     &started, &effective),
	    0);
	assert_false(started);
	assert_true(effective);
	assert_int_equal(job(THEIRS)->status, STATE_WAITING);
	assert_int_equal(party_resource_return(db, &guest, &member, NULL), 0);
	sign_all();
	tasks[1].component = "nothing_0";
	b.n = 2;
	assert_int_equal(party_contract_begin(db, &guest, &member, &b, &why,
			     &started, &effective),
	    ERR_NOT_FOUND);
	assert_false(started);
	assert_int_equal(free_cores(), 8);
	b.n = 1;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(party_contract_begin(db, &guest, &member, &b,
				     &why, &started, &effective),
		    0);
		assert_true(started);
		assert_int_equal(job(THEIRS)->status, STATE_RUNNING);
		assert_true(task(&reader)->start_acked);
		assert_false(task(&lr)->start_acked);
	}
	assert_int_equal(free_cores(), 4);
	/* It does not run out. */
	assert_int_equal(db_resource_expire(db, &n), 0);
	assert_int_equal(n, 0);
}

/* A user here stopped it, and its initiator had another cause to end it. */
static void
the_end_that_the_initiator_says_is_the_jobs(void **state)
{
	bool effective;

	(void)state;
	start_job();
	assert_int_equal(
	    db_job_move(db, THEIRS, STATE_CANCELED, 0, "by a user", NULL), 0);
	assert_int_equal(free_cores(), 8);
	TWICE(THEIRS, party_job_stop(db, &guest, &member, STATE_FAILED,
			  "guest: broken", &effective));
	assert_int_equal(job(THEIRS)->status, STATE_FAILED);
	assert_string_equal(job(THEIRS)->reason, "guest: broken");
	assert_int_equal(free_cores(), 8);
	/* Without words those from here stay. */
	assert_int_equal(party_job_stop(db, &guest, &member, STATE_TIMEOUT,
			     NULL, &effective),
	    0);
	assert_int_equal(job(THEIRS)->status, STATE_TIMEOUT);
	assert_string_equal(job(THEIRS)->reason, "guest: broken");
}

static void
a_users_stop_gives_way_to_a_success_that_the_initiator_had(void **state)
{
	struct party_caller wish = { .party_id = ROWS_GUEST, .is_wish = true };
	struct party_caller told = guest;
	bool effective;

	(void)state;
	start_job();
	assert_int_equal(party_task_start(db, &guest, &reader, NULL), 0);
	assert_int_equal(db_task_move(db, &reader,
			     &(struct db_task_move){ .status = STATE_NONE,
				 .party_status = STATE_RUNNING },
			     NULL),
	    0);
	assert_int_equal(db_task_move(db, &reader,
			     &(struct db_task_move){ .status = STATE_NONE,
				 .party_status = STATE_SUCCESS },
			     NULL),
	    0);
	TWICE(THEIRS, party_job_stop(db, &wish, &member, STATE_CANCELED,
			  "by a user", &effective));
	assert_int_equal(job(THEIRS)->status, STATE_CANCELED);
	assert_int_equal(free_cores(), 8);
	/* How what began here ended is for the initiator to say. */
	assert_false(state_is_end(task(&reader)->status));
	assert_int_equal(task(&lr)->status, STATE_CANCELED);
	told.succeeded = &reader;
	told.n_succeeded = 1;
	TWICE(THEIRS, party_job_status(
			  db, &told, &member, STATE_SUCCESS, NULL, &effective));
	assert_int_equal(job(THEIRS)->status, STATE_SUCCESS);
	assert_null(job(THEIRS)->reason);
	assert_int_equal(task(&reader)->status, STATE_SUCCESS);
}

static void
ends_here(const struct db_task_key *k, enum state how)
{
	const struct db_task_move move = { .status = STATE_NONE,
		.party_status = how,
		.error_report = "its own trouble" };

	assert_int_equal(db_task_move(db, k, &move, NULL), 0);
}

static void
a_task_that_failed_here_is_not_made_a_success_by_the_initiators_word(
    void **state)
{
	struct party_caller told = guest;
	bool effective;

	(void)state;
	start_job();
	(void)launch(&reader);
	ends_here(&reader, STATE_FAILED);
	told.succeeded = &reader;
	told.n_succeeded = 1;
	TWICE(THEIRS, party_job_status(
			  db, &told, &member, STATE_SUCCESS, NULL, &effective));
	/* Both are seen: the end here, and the initiator's word. */
	assert_int_equal(task(&reader)->party_status, STATE_FAILED);
	assert_int_equal(task(&reader)->status, STATE_SUCCESS);
	assert_int_equal(job(THEIRS)->status, STATE_FAILED);
	assert_non_null(strstr(job(THEIRS)->reason, "reader_0 is failed"));
	assert_non_null(strstr(job(THEIRS)->reason,
	    "party " ROWS_GUEST ", which initiated it, says that it succeed"));
	assert_int_equal(free_cores(), 8);
}

static void
a_word_is_noted_once_a_run_however_long_the_reason_is(void **state)
{
	static const char said[] =
	    "; party " ROWS_GUEST
	    ", which initiated it, says that it succeeded";
	struct party_caller told = guest;
	bool effective;
	char why[5000];
	const char *reason;

	(void)state;
	memset(why, 'x', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	start_job();
	(void)launch(&reader);
	ends_here(&reader, STATE_FAILED);
	assert_int_equal(
	    db_job_move(db, THEIRS, STATE_FAILED, 0, why, NULL), 0);
	told.succeeded = &reader;
	told.n_succeeded = 1;
	TWICE(THEIRS, party_job_status(
			  db, &told, &member, STATE_SUCCESS, NULL, &effective));
	reason = job(THEIRS)->reason;
	assert_int_equal(job(THEIRS)->status, STATE_FAILED);
	assert_int_equal(strlen(reason), 4000);
	assert_string_equal(reason + 4000 - strlen(said), said);
	/* What was said of a run is not said of the next one. */
	assert_int_equal(
	    db_job_move(db, THEIRS, STATE_WAITING, 0, NULL, NULL), 0);
	TWICE(THEIRS, party_job_status(
			  db, &told, &member, STATE_SUCCESS, NULL, &effective));
	assert_non_null(strstr(job(THEIRS)->reason, said + 2));
}

/* Nobody's verdict asks for those. */
static void
the_end_of_an_id_mapping_is_not_that_of_the_job(void **state)
{
	static const char id[] = "202601010000000000005", role[] = "idmapping";
	static const struct party_member m = { id, role, ROWS_HOST };
	static const struct db_task_key k = { id, "reader_0", 0, role,
		ROWS_HOST };
	struct rows_partner p;

	(void)state;
	rows_partner_init(&p, id, "host");
	for (size_t i = 0; i < p.job.nparties; i++)
		if (p.parties[i].created)
			p.parties[i].role = role;
	for (size_t i = 0; i < p.job.ntasks; i++)
		p.tasks[i].role = role;
	assert_int_equal(db_job_insert(db, &p.job, NULL), 0);
	assert_int_equal(
	    party_resource_apply(db, &guest, &m, RESERVATION_MS, NULL, NULL),
	    0);
	assert_int_equal(party_job_start(db, &guest, &m, NULL), 0);
	(void)launch(&k);
	assert_int_equal(
	    party_job_status(db, &guest, &m, STATE_SUCCESS, NULL, NULL),
	    ERR_CONFLICT);
	ends_here(&k, STATE_FAILED);
	assert_int_equal(
	    party_job_status(db, &guest, &m, STATE_SUCCESS, NULL, NULL), 0);
	assert_int_equal(job(id)->status, STATE_SUCCESS);
}

static void
an_end_of_this_sites_own_stays_and_the_initiators_word_is_noted(void **state)
{
	struct party_caller wish = { .party_id = ROWS_GUEST, .is_wish = true };
	bool effective;

	(void)state;
	start_job();
	(void)launch(&reader);
	assert_int_equal(party_job_stop(db, &wish, &member, STATE_TIMEOUT,
			     "ran too long here", NULL),
	    0);
	/* Its executor is still there. */
	assert_int_equal(
	    party_job_status(db, &guest, &member, STATE_SUCCESS, NULL, NULL),
	    ERR_CONFLICT);
	ends_here(&reader, STATE_TIMEOUT);
	TWICE(THEIRS, party_job_status(db, &guest, &member, STATE_SUCCESS, NULL,
			  &effective));
	assert_int_equal(job(THEIRS)->status, STATE_TIMEOUT);
	assert_non_null(strstr(
	    job(THEIRS)->reason, "ran too long here; party " ROWS_GUEST));
}

static void
every_command_of_a_task_can_be_repeated(void **state)
{
	bool effective;

	(void)state;
	start_job();
	TWICE(THEIRS, party_task_start(db, &guest, &reader, &effective));
	assert_true(task(&reader)->launch_wanted);
	TWICE(THEIRS, party_task_status(
			  db, &guest, &reader, STATE_RUNNING, "", &effective));
	assert_int_equal(task(&reader)->status, STATE_RUNNING);
	assert_int_equal(task(&reader)->party_status, STATE_WAITING);
	TWICE(THEIRS, party_task_stop(db, &guest, &reader, STATE_CANCELED,
			  "guest: stop", &effective));
	assert_int_equal(task(&reader)->party_status, STATE_CANCELED);
	assert_string_equal(task(&reader)->error_report, "guest: stop");
	assert_true(task(&reader)->report_due);
}

/* Whether the command itself is new or not, or about that task or none. */
static void
commands_tell_of_tasks_that_succeeded(void **state)
{
	struct db_task_key told[] = { { THEIRS, "gone_0", 0, "host",
					  ROWS_HOST },
		{ THEIRS, "reader_0", 7, "host", ROWS_HOST }, reader };
	struct party_caller telling = guest;

	(void)state;
	start_job();
	(void)launch(&reader);
	telling.succeeded = told;
	telling.n_succeeded = 3;
	telling.fence = 5;
	assert_int_equal(party_task_start(db, &telling, &lr, NULL), 0);
	assert_int_equal(task(&reader)->status, STATE_SUCCESS);
	assert_int_equal(task(&lr)->status, STATE_WAITING);
	assert_true(task(&lr)->launch_wanted);
	/* What is refused tells nothing. */
	told[2] = lr;
	telling.fence = 4;
	assert_int_equal(
	    party_task_start(db, &telling, &lr, NULL), ERR_CONFLICT);
	assert_int_equal(task(&lr)->status, STATE_WAITING);
	telling.fence = 5;
	succeeds_here(&reader);
	succeeds_here(&lr);
	assert_int_equal(
	    party_job_status(db, &telling, &member, STATE_SUCCESS, NULL, NULL),
	    0);
	assert_int_equal(task(&lr)->status, STATE_SUCCESS);
}

static void
running_task_is_wished_dead_and_its_shepherd_learns_it(void **state)
{
	struct db_attempt *a;
	enum state kill;
	bool effective;

	(void)state;
	start_job();
	a = launch(&reader);
	TWICE(THEIRS, party_task_stop(db, &guest, &reader, STATE_TIMEOUT,
			  "too long", &effective));
	assert_int_equal(task(&reader)->party_status, STATE_WAITING);
	assert_int_equal(
	    db_attempt_renew(db, a->attempt_id, 60000, 0, 0, 0, &kill), 0);
	assert_int_equal(kill, STATE_TIMEOUT);
}

static void
stop_of_a_job_ends_every_task_of_the_member_alone(void **state)
{
	struct db_task_key other = { THEIRS, "reader_0", 0, "arbiter",
		ROWS_HOST };
	struct rows_partner p;

	(void)state;
	rows_partner_init(&p, THEIRS, "arbiter");
	assert_int_equal(
	    party_job_create(db, &guest, &arbiter, &p.job, NULL, NULL), 0);
	start_job();
	(void)launch(&reader);
	assert_int_equal(party_job_stop(db, &guest, &member, STATE_CANCELED,
			     "by hand", NULL),
	    0);
	assert_int_equal(task(&reader)->kill_wanted, STATE_CANCELED);
	assert_int_equal(task(&lr)->party_status, STATE_CANCELED);
	assert_int_equal(task(&other)->party_status, STATE_WAITING);
	assert_int_equal(job(THEIRS)->status, STATE_CANCELED);
	/* The other member's stop finds the job ended, its tasks not. */
	assert_int_equal(party_job_stop(db, &guest, &arbiter, STATE_CANCELED,
			     "by hand", NULL),
	    0);
	assert_int_equal(task(&other)->party_status, STATE_CANCELED);
}

static void
success_of_a_job_kills_nothing_and_returns_resources(void **state)
{
	bool effective;

	(void)state;
	start_job();
	(void)launch(&reader);
	/* An executor of it runs on what is granted to the job. */
	assert_int_equal(
	    party_job_status(db, &guest, &member, STATE_SUCCESS, NULL, NULL),
	    ERR_CONFLICT);
	assert_int_equal(job(THEIRS)->status, STATE_RUNNING);
	assert_true(free_cores() < 8);
	succeeds_here(&reader);
	TWICE(THEIRS, party_job_status(db, &guest, &member, STATE_SUCCESS, NULL,
			  &effective));
	assert_int_equal(task(&reader)->kill_wanted, STATE_NONE);
	assert_int_equal(free_cores(), 8);
}

static void
a_run_is_not_undone_while_a_task_of_it_goes_on(void **state)
{
	static const int64_t later = 1;
	const struct party_caller next = { .party_id = ROWS_GUEST,
		.run = &later };

	(void)state;
	start_job();
	(void)launch(&reader);
	assert_int_equal(party_job_undo(db, &guest, &member, STATE_FAILED,
			     "it was never so", NULL),
	    ERR_CONFLICT);
	assert_int_equal(party_job_undo(db, &next, &member, STATE_SUCCESS,
			     "it was never so", NULL),
	    ERR_CONFLICT);
	assert_int_equal(job(THEIRS)->status, STATE_RUNNING);
	assert_int_equal(job(THEIRS)->run, 0);
	assert_int_equal(task(&reader)->kill_wanted, STATE_NONE);
	assert_true(free_cores() < 8);
	succeeds_here(&reader);
	assert_int_equal(party_job_undo(db, &guest, &member, STATE_FAILED,
			     "another member refused", NULL),
	    0);
	assert_int_equal(job(THEIRS)->status, STATE_FAILED);
	assert_int_equal(free_cores(), 8);
}

static void
a_member_that_heard_of_the_undone_run_alone_has_no_task_that_waits(void **state)
{
	static const char id[] = "202601010000000000006";
	static const struct party_member m = { id, "host", ROWS_HOST };
	static const int64_t second = 1;
	const struct party_caller c = { .party_id = ROWS_GUEST,
		.run = &second };
	const struct db_task_key k = { id, "reader_0", 0, "host", ROWS_HOST };
	struct rows_partner p;
	bool effective;

	(void)state;
	rows_partner_init(&p, id, "host");
	p.job.run = second;
	assert_int_equal(party_job_create(db, &c, &m, &p.job, NULL, NULL), 0);
	TWICE(id, party_job_undo(db, &c, &m, STATE_FAILED,
		      "another member refused", &effective));
	assert_int_equal(job(id)->status, STATE_FAILED);
	assert_int_equal(task(&k)->party_status, STATE_CANCELED);
	assert_int_equal(task(&k)->status, STATE_CANCELED);
}

static void
only_the_initiator_commands(void **state)
{
	/* The site stands for the initiator only where it is that. */
	const struct party_caller others[] = { host, stranger,
		{ .party_id = ROWS_HOST, .is_site = true } };
	struct rows_partner p;
	struct db_task *t;
	size_t before = events(THEIRS);

	(void)state;
	rows_partner_init(&p, THEIRS, "host");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const struct party_caller *c = &others[i];
		/* Not even that there is such a job. */
		int want = c->party_id == stranger.party_id ? ERR_NOT_FOUND
							    : ERR_DENIED;

		assert_int_equal(
		    party_job_create(db, c, &member, &p.job, NULL, NULL),
		    ERR_DENIED);
		assert_int_equal(
		    party_resource_apply(db, c, &member, 1000, NULL, NULL),
		    want);
		assert_int_equal(
		    party_resource_return(db, c, &member, NULL), want);
		assert_int_equal(party_job_start(db, c, &member, NULL), want);
		assert_int_equal(
		    party_job_status(db, c, &member, STATE_FAILED, "", NULL),
		    want);
		assert_int_equal(
		    party_job_stop(db, c, &member, STATE_FAILED, "", NULL),
		    want);
		assert_int_equal(
		    party_task_create(db, c, &member, &p.tasks[0], NULL, NULL),
		    want);
		assert_int_equal(party_task_start(db, c, &reader, NULL), want);
		assert_int_equal(
		    party_task_status(db, c, &reader, STATE_FAILED, "", NULL),
		    want);
		assert_int_equal(
		    party_task_stop(db, c, &reader, STATE_FAILED, "", NULL),
		    want);
		assert_int_equal(
		    party_task_collect(db, arena, c, &reader, &t), want);
	}
	assert_int_equal(events(THEIRS), before);
	assert_int_equal(job(THEIRS)->status, STATE_READY);
	assert_int_equal(free_cores(), 8);
}

static void
remote_or_unknown_members_are_not_found(void **state)
{
	struct party_member m = { THEIRS, "guest", ROWS_GUEST };
	struct db_task_key k = reader;

	(void)state;
	assert_int_equal(party_job_start(db, &guest, &m, NULL), ERR_NOT_FOUND);
	m = (struct party_member){ THEIRS, "host", "777" };
	assert_int_equal(party_job_start(db, &guest, &m, NULL), ERR_NOT_FOUND);
	m = (struct party_member){ "20990101000000000000", "host", ROWS_HOST };
	assert_int_equal(party_job_start(db, &guest, &m, NULL), ERR_NOT_FOUND);
	start_job();
	k.component = "none";
	assert_int_equal(party_task_start(db, &guest, &k, NULL), ERR_NOT_FOUND);
	k = reader;
	k.version = 7;
	assert_int_equal(party_task_start(db, &guest, &k, NULL), ERR_NOT_FOUND);
}

static void
description_of_another_job_or_member_is_refused(void **state)
{
	struct party_member m = { "202601010000000000009", "host", ROWS_HOST };
	struct rows_partner p;

	(void)state;
	rows_partner_init(&p, THEIRS, "host");
	assert_int_equal(
	    party_job_create(db, &guest, &m, &p.job, NULL, NULL), ERR_INVALID);
	p.job.job_id = m.job_id;
	m.role = "arbiter";
	assert_int_equal(party_job_create(db, &guest, &m, &p.job, NULL, NULL),
	    ERR_NOT_FOUND);
	m.role = "host";
	p.tasks[1].role = "arbiter";
	assert_int_equal(
	    party_job_create(db, &guest, &m, &p.job, NULL, NULL), ERR_INVALID);
	p.tasks[1].role = "host";
	assert_int_equal(
	    party_job_create(db, &guest, &m, &p.job, NULL, NULL), 0);
	p.job.contract_hash[3] ^= 1;
	assert_int_equal(
	    party_job_create(db, &guest, &m, &p.job, NULL, NULL), ERR_EXISTS);
}

static void
states_that_make_no_sense_are_invalid(void **state)
{
	(void)state;
	assert_int_equal(
	    party_job_status(db, &guest, &member, STATE_PASS, "", NULL),
	    ERR_INVALID);
	assert_int_equal(
	    party_job_stop(db, &guest, &member, STATE_RUNNING, "", NULL),
	    ERR_INVALID);
	assert_int_equal(
	    party_task_status(db, &guest, &reader, STATE_READY, "", NULL),
	    ERR_INVALID);
	assert_int_equal(
	    party_task_stop(db, &guest, &reader, STATE_SUCCESS, "", NULL),
	    ERR_INVALID);
	assert_int_equal(
	    initiator_stop(db, &host, OURS, STATE_SUCCESS, "", NULL),
	    ERR_INVALID);
}

static void
resources_are_refused_with_the_numbers(void **state)
{
	struct db_grant g = { .job_id = "other",
		.role = "guest",
		.party_id = ROWS_GUEST,
		.engine = DB_ENGINE_DEFAULT,
		.cores = 5 };

	(void)state;
	assert_int_equal(db_resource_apply(db, &g, RESERVATION_MS, NULL), 0);
	assert_int_equal(party_resource_apply(
			     db, &guest, &member, RESERVATION_MS, NULL, NULL),
	    ERR_BUSY);
	assert_non_null(strstr(err_text(), "3 of 8 cores"));
	assert_int_equal(err_retcode(ERR_BUSY), 103);
}

static void
job_does_not_start_on_an_expired_reservation(void **state)
{
	int64_t n;

	(void)state;
	assert_int_equal(
	    party_job_start(db, &guest, &member, NULL), ERR_CONFLICT);
	assert_int_equal(
	    party_resource_apply(db, &guest, &member, -1, NULL, NULL), 0);
	assert_int_equal(db_resource_expire(db, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(
	    party_job_start(db, &guest, &member, NULL), ERR_CONFLICT);
	assert_int_equal(job(THEIRS)->status, STATE_WAITING);
	start_job();
	assert_int_equal(db_resource_expire(db, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(
	    party_resource_return(db, &guest, &member, NULL), ERR_CONFLICT);
}

static void
ended_job_is_neither_reserved_nor_started(void **state)
{
	(void)state;
	assert_int_equal(
	    party_job_stop(db, &guest, &member, STATE_CANCELED, "", NULL), 0);
	assert_int_equal(party_resource_apply(
			     db, &guest, &member, RESERVATION_MS, NULL, NULL),
	    ERR_CONFLICT);
	assert_int_equal(
	    party_job_start(db, &guest, &member, NULL), ERR_CONFLICT);
	assert_int_equal(free_cores(), 8);
	assert_int_equal(
	    party_task_start(db, &guest, &reader, NULL), ERR_CONFLICT);
}

/* Its tasks would wait for an end that was told to all before. */
static void
member_that_comes_after_the_end_of_its_job_is_refused(void **state)
{
	struct db_task_key late = { THEIRS, "reader_0", 0, "arbiter",
		ROWS_HOST };
	struct rows_partner p;
	struct db_task *t;
	bool effective;

	(void)state;
	rows_partner_init(&p, THEIRS, "arbiter");
	assert_int_equal(
	    party_job_stop(db, &guest, &member, STATE_CANCELED, "", NULL), 0);
	assert_int_equal(
	    party_job_create(db, &guest, &arbiter, &p.job, NULL, &effective),
	    ERR_CONFLICT);
	assert_false(effective);
	assert_int_equal(db_task_get(db, arena, &late, &t), ERR_NOT_FOUND);
	/* Of another run: once that has begun here. */
	p.job.run = 1;
	assert_int_equal(
	    party_job_create(db, &guest, &arbiter, &p.job, NULL, NULL),
	    ERR_BUSY);
	/* The one that was here is only told so again. */
	rows_partner_init(&p, THEIRS, "host");
	assert_int_equal(
	    party_job_create(db, &guest, &member, &p.job, NULL, NULL), 0);
}

/* It has outputs all the same: what goes in comes out. */
static void
task_that_need_not_run_is_launched_like_others(void **state)
{
	static const struct db_stmt skip = { "skip", "",
		"UPDATE task SET need_run = 0 WHERE component = 'reader_0'" };
	struct db_attempt *a;
	bool effective;
	size_t n;

	(void)state;
	assert_int_equal(db_exec(db, &skip, NULL), 0);
	start_job();
	TWICE(THEIRS, party_task_start(db, &guest, &reader, &effective));
	assert_int_equal(task(&reader)->party_status, STATE_WAITING);
	assert_int_equal(claim_any(db, arena, "s", "h", 60000, 10, &a, &n), 0);
	assert_int_equal(n, 1);
}

static void
new_version_is_newer_and_ends_the_one_before(void **state)
{
	struct rows_partner p;
	struct db_task_key v2 = reader;
	bool effective;

	(void)state;
	rows_partner_init(&p, THEIRS, "host");
	start_job();
	(void)launch(&reader);
	/* Version 1 was made while this site did not answer. */
	p.tasks[0].version = v2.version = 2;
	TWICE(THEIRS, party_task_create(
			  db, &guest, &member, &p.tasks[0], NULL, &effective));
	p.tasks[0].version = 1;
	assert_int_equal(
	    party_task_create(db, &guest, &member, &p.tasks[0], NULL, NULL),
	    ERR_CONFLICT);
	assert_int_equal(task(&v2)->party_status, STATE_WAITING);
	assert_int_equal(task(&reader)->kill_wanted, STATE_CANCELED);
	/* Nobody will tell another end of it. */
	assert_int_equal(task(&reader)->status, STATE_CANCELED);
	assert_int_equal(task(&v2)->status, STATE_WAITING);
	assert_int_equal(party_task_start(db, &guest, &reader, &effective), 0);
	assert_false(effective);
	assert_int_equal(party_task_start(db, &guest, &v2, &effective), 0);
	assert_true(effective);
}

static int
launches(void)
{
	struct db_attempt *a;
	size_t n;

	assert_int_equal(claim_any(db, arena, "s", "h", 60000, 10, &a, &n), 0);
	return (int)n;
}

static void
new_version_is_not_launched_before_the_old_one_is_over(void **state)
{
	struct rows_partner p;
	struct db_task_key v1 = reader;
	struct db_attempt *old;
	size_t n;

	(void)state;
	rows_partner_init(&p, THEIRS, "host");
	start_job();
	assert_int_equal(party_task_start(db, &guest, &reader, NULL), 0);
	assert_int_equal(
	    claim_any(db, arena, "s", "h", 60000, 10, &old, &n), 0);
	assert_int_equal(n, 1);
	p.tasks[0].version = v1.version = 1;
	assert_int_equal(
	    party_task_create(db, &guest, &member, &p.tasks[0], NULL, NULL), 0);
	assert_int_equal(party_task_start(db, &guest, &v1, NULL), 0);
	assert_int_equal(launches(), 0);
	assert_int_equal(db_attempt_end(db, old->attempt_id, "canceled"), 0);
	assert_int_equal(launches(), 1);
}

static void
new_version_does_not_wake_a_job_that_has_ended(void **state)
{
	struct rows_partner p;

	(void)state;
	rows_partner_init(&p, THEIRS, "host");
	start_job();
	assert_int_equal(
	    party_job_stop(db, &guest, &member, STATE_FAILED, "x", NULL), 0);
	p.tasks[0].version = 1;
	assert_int_equal(
	    party_task_create(db, &guest, &member, &p.tasks[0], NULL, NULL),
	    ERR_CONFLICT);
	assert_int_equal(job(THEIRS)->status, STATE_FAILED);
}

static void
collect_tells_the_row_as_it_stands(void **state)
{
	struct db_task *t;

	(void)state;
	start_job();
	assert_int_equal(party_task_collect(db, arena, &guest, &reader, &t), 0);
	assert_int_equal(t->party_status, STATE_WAITING);
}

/* --- at the initiator --- */

static void
site_commands_its_own_members_and_keeps_the_jobs_state(void **state)
{
	bool effective;

	(void)state;
	assert_int_equal(party_resource_apply(
			     db, &site, &own, RESERVATION_MS, NULL, &effective),
	    0);
	assert_int_equal(party_job_start(db, &site, &own, NULL), 0);
	/* The scheduler moves the job, when all members have started. */
	assert_int_equal(job(OURS)->status, STATE_WAITING);
	assert_int_equal(db_job_move(db, OURS, STATE_RUNNING, 0, "", NULL), 0);
	TWICE(OURS, party_task_start(db, &site, &own_reader, &effective));
	TWICE(OURS,
	    party_job_stop(db, &site, &own, STATE_CANCELED, "x", &effective));
	assert_int_equal(task(&own_reader)->party_status, STATE_CANCELED);
	assert_int_equal(job(OURS)->status, STATE_RUNNING);
}

static void
local_job_of_party_0_is_the_sites(void **state)
{
	static const char id[] = "202601010000000000003";
	struct party_member m = { id, "local", "0" };
	struct db_party_new p = { .role = "local",
		.party_id = "0",
		.is_local = true,
		.created = true,
		.party_conf = "{}",
		.cores = 1 };
	struct db_task_new t = { .component = "upload_0",
		.role = "local",
		.party_id = "0",
		.module = "Upload",
		.run_here = true,
		.need_run = true };
	struct db_job_new j = { .job_id = id,
		.status = STATE_WAITING,
		.is_initiator = true,
		.initiator_role = "local",
		.initiator_party = "0",
		.dsl = "{}",
		.runtime_conf = "{}",
		.roles = "{}",
		.contract = "{}",
		.task_parallelism = 1,
		.timeout_s = 60,
		.parties = &p,
		.nparties = 1,
		.tasks = &t,
		.ntasks = 1 };

	(void)state;
	assert_int_equal(db_job_insert(db, &j, NULL), 0);
	assert_int_equal(
	    party_resource_apply(db, &site, &m, RESERVATION_MS, NULL, NULL), 0);
	assert_int_equal(party_job_start(db, &site, &m, NULL), 0);
	/* Nobody else is the site, whatever party it has. */
	assert_int_equal(party_job_start(db, &guest, &m, NULL), ERR_NOT_FOUND);
}

static int
report(const struct party_caller *c, const struct db_task_key *k, enum state s,
    bool *effective)
{
	return initiator_task_report(db, c, k,
	    &(struct party_report){ .party_status = s,
		.progress = 50,
		.started_ms = 1000,
		.error_report = s == STATE_FAILED ? "it broke" : NULL },
	    effective);
}

static void
report_moves_the_holder_row_once(void **state)
{
	bool effective;

	(void)state;
	TWICE(OURS, report(&host, &holder, STATE_RUNNING, &effective));
	assert_int_equal(task(&holder)->party_status, STATE_RUNNING);
	assert_int_equal(task(&holder)->progress, 50);
	assert_int_equal(task(&holder)->started_ms, 1000);
	TWICE(OURS, report(&host, &holder, STATE_FAILED, &effective));
	assert_string_equal(task(&holder)->error_report, "it broke");
	/* Reports that overtook each other do not bring it back. */
	assert_int_equal(report(&host, &holder, STATE_RUNNING, &effective), 0);
	assert_false(effective);
	assert_int_equal(task(&holder)->party_status, STATE_FAILED);
	/* The verdict is the scheduler's. */
	assert_int_equal(task(&holder)->status, STATE_WAITING);
}

static void
members_time_in_the_future_is_not_taken(void **state)
{
	struct party_report r = { .party_status = STATE_SUCCESS,
		.started_ms = 4000000000000,
		.ended_ms = 4000000000000 };

	(void)state;
	assert_int_equal(
	    initiator_task_report(db, &host, &holder, &r, NULL), 0);
	assert_true(task(&holder)->ended_ms < 4000000000000);
	assert_true(task(&holder)->started_ms < 4000000000000);
	r.progress = 101;
	assert_int_equal(
	    initiator_task_report(db, &host, &holder, &r, NULL), ERR_INVALID);
}

static void
only_the_member_itself_reports(void **state)
{
	(void)state;
	assert_int_equal(
	    report(&stranger, &holder, STATE_FAILED, NULL), ERR_DENIED);
	assert_int_equal(
	    report(&guest, &holder, STATE_FAILED, NULL), ERR_DENIED);
	/* A task that runs here is its shepherd's, not a request's. */
	assert_int_equal(
	    report(&guest, &own_reader, STATE_FAILED, NULL), ERR_DENIED);
	/* A member's site is not the initiator of that job. */
	assert_int_equal(
	    report(&host, &reader, STATE_FAILED, NULL), ERR_NOT_FOUND);
	assert_int_equal(task(&holder)->party_status, STATE_WAITING);
}

static void
member_may_ask_for_the_end_and_a_stranger_may_not(void **state)
{
	bool effective;

	(void)state;
	assert_int_equal(
	    initiator_stop(db, &stranger, OURS, STATE_CANCELED, "", NULL),
	    ERR_NOT_FOUND);
	assert_int_equal(
	    initiator_has_member(
		db, &host, &(struct party_member){ OURS, "guest", ROWS_HOST }),
	    ERR_NOT_FOUND);
	assert_int_equal(initiator_has_member(db, &host,
			     &(struct party_member){ OURS, "host", ROWS_HOST }),
	    0);
	assert_int_equal(
	    initiator_stop(db, &host, THEIRS, STATE_CANCELED, "", NULL),
	    ERR_NOT_FOUND);
	TWICE(OURS, initiator_stop(db, &host, OURS, STATE_FAILED, "disk full",
			&effective));
	assert_true(job(OURS)->cancel_signal);
	assert_int_equal(job(OURS)->cancel_status, STATE_FAILED);
	assert_string_equal(job(OURS)->reason, "disk full");
	assert_int_equal(job(OURS)->status, STATE_WAITING);
}

static int
ask_stop_of(const char *job_id, const struct party_caller *c, int64_t run,
    enum state to)
{
	struct json_object *body = job_stop_body(job_id, run, to, "by a user");
	struct arena *a = arena_new();
	const struct errand_ask ask = {
		.db = db, .arena = a, .caller = c, .body = body
	};
	int r = job_stop(&ask);

	arena_free(a);
	json_object_put(body);
	return r;
}

static int
ask_stop(const struct party_caller *c, int64_t run, enum state to)
{
	return ask_stop_of(OURS, c, run, to);
}

/* To the database it is the same; records would have another. */
static void
an_id_with_blanks_behind_it_is_no_jobs(void **state)
{
	(void)state;
	assert_int_equal(
	    ask_stop_of(OURS " ", &host, 0, STATE_CANCELED), ERR_INVALID);
	assert_false(job(OURS)->cancel_signal);
}

static void
members_user_stops_the_run_it_means_and_no_later_one(void **state)
{
	(void)state;
	assert_int_equal(ask_stop(&stranger, 0, STATE_CANCELED), ERR_NOT_FOUND);
	assert_int_equal(ask_stop(&host, 0, STATE_SUCCESS), ERR_INVALID);
	assert_int_equal(ask_stop(&host, 1, STATE_CANCELED), 0);
	assert_false(job(OURS)->cancel_signal);
	assert_int_equal(ask_stop(&host, 0, STATE_CANCELED), 0);
	assert_int_equal(ask_stop(&host, 0, STATE_CANCELED), 0);
	assert_true(job(OURS)->cancel_signal);
	assert_string_equal(job(OURS)->reason, "by a user");
}

/* Both components at all members end as told. */
static void
end_all(enum state readers, enum state lrs)
{
	static const char *const who[3][2] = { { "guest", ROWS_GUEST },
		{ "host", ROWS_HOST }, { "arbiter", ROWS_HOST } };
	struct db_task_key k = { .job_id = OURS };

	for (int i = 0; i < 6; i++) {
		k.component = i < 3 ? "reader_0" : "lr_0";
		k.role = who[i % 3][0];
		k.party_id = who[i % 3][1];
		assert_int_equal(
		    db_task_move(db, &k,
			&(struct db_task_move){ .status = i < 3 ? readers : lrs,
			    .party_status = i < 3 ? readers : lrs },
			NULL),
		    0);
	}
}

/* lr_0 reads what reader_0 makes. */
static struct graph *
chain(void)
{
	struct graph *g;

	assert_int_equal(
	    graph_from_dsl("{\"components\":{\"reader_0\":{\"module\":"
			   "\"Reader\",\"output\":{\"data\":[\"data\"]}},"
			   "\"lr_0\":{\"module\":\"HeteroLR\",\"input\":"
			   "{\"data\":{\"data\":[\"reader_0.data\"]}}}}}",
		&g),
	    0);
	return g;
}

static int
rerun_by(
    const struct party_caller *c, const char *component, bool force, int64_t *n)
{
	struct party_rerun p = { .job_id = OURS,
		.components = &component,
		.ncomp = component != NULL,
		.force = force,
		.auto_retries = 2,
		.retry_delay_s = 3 };
	struct graph *g = chain();
	int r;

	p.graph = g;
	r = initiator_rerun(db, c, &p, n);
	graph_free(g);
	return r;
}

static int64_t
rerun(const char *component, bool force)
{
	int64_t n;

	assert_int_equal(rerun_by(&site, component, force, &n), 0);
	return n;
}

static void
job_ends(enum state how)
{
	assert_int_equal(db_job_move(db, OURS, how, 0, "", NULL), 0);
}

static size_t
newest_rows(int64_t version)
{
	struct db_task *rows;
	size_t n, found = 0;

	assert_int_equal(db_task_list(db, arena, OURS, true, &rows, &n), 0);
	assert_int_equal(n, 6);
	for (size_t i = 0; i < n; i++)
		found += rows[i].key.version == version;
	return found;
}

static void
rerun_makes_new_versions_for_all_members(void **state)
{
	struct db_task_key v1 = holder;

	(void)state;
	/* Nothing has run yet: nothing to rerun. */
	assert_int_equal(rerun(NULL, true), 0);
	end_all(STATE_SUCCESS, STATE_FAILED);
	job_ends(STATE_FAILED);
	assert_int_equal(rerun("reader_0", false), 0);
	assert_int_equal(job(OURS)->status, STATE_FAILED);
	assert_int_equal(job(OURS)->run, 0);
	assert_int_equal(rerun(NULL, false), 1);
	assert_int_equal(job(OURS)->status, STATE_WAITING);
	assert_int_equal(job(OURS)->run, 1);
	assert_int_equal(newest_rows(1), 3);
	v1.component = "lr_0";
	v1.version = 1;
	assert_int_equal(task(&v1)->party_status, STATE_WAITING);
	assert_int_equal(task(&v1)->auto_retries, 2);
	assert_int_equal(task(&v1)->retry_delay_s, 3);
	assert_false(task(&v1)->run_here);
	/* Again: the new version was not begun, it will run as it is. */
	assert_int_equal(rerun(NULL, false), 0);
	assert_int_equal(rerun("reader_0", true), 1);
	assert_int_equal(newest_rows(1), 6);
}

static void
rerun_leaves_no_older_version_open_that_a_partner_has_not_ended(void **state)
{
	struct db_task_key k = holder;
	const struct db_task_move runs = { .status = STATE_NONE,
		.party_status = STATE_RUNNING };

	(void)state;
	k.component = "lr_0";
	assert_int_equal(db_task_move(db, &k, &runs, NULL), 0);
	job_ends(STATE_CANCELED);
	assert_int_equal(rerun(NULL, true), 2);
	assert_int_equal(task(&k)->party_status, STATE_CANCELED);
	k.version = 1;
	assert_int_equal(task(&k)->party_status, STATE_WAITING);
}

static void
rerun_reaches_everything_downstream(void **state)
{
	(void)state;
	end_all(STATE_SUCCESS, STATE_SUCCESS);
	job_ends(STATE_SUCCESS);
	assert_int_equal(rerun(NULL, false), 0);
	assert_int_equal(rerun("lr_0", true), 1);
	assert_int_equal(newest_rows(0), 3);
	job_ends(STATE_FAILED);
	/* lr_0 would go on with what the old reader_0 left. */
	assert_int_equal(rerun("reader_0", true), 2);
	assert_int_equal(newest_rows(1), 3);
	assert_int_equal(newest_rows(2), 3);
}

/* What reader_0 made at this site; there only if somebody puts it there. */
static void
reader_made(const char *table)
{
	assert_int_equal(
	    db_output_put(db, &(struct db_output){ .key = own_reader,
				  .data_name = "data",
				  .table_namespace = "out",
				  .name = table }),
	    0);
}

static void
rerun_makes_inputs_again_that_are_gone(void **state)
{
	struct db_table t = { .table_namespace = "out",
		.name = "kept",
		.engine = "STANDALONE",
		.address = "{}",
		.origin = "output",
		.schema_json = "{}" };

	(void)state;
	end_all(STATE_SUCCESS, STATE_FAILED);
	job_ends(STATE_FAILED);
	reader_made("kept");
	assert_int_equal(db_table_put(db, arena, &t, false, NULL), 0);
	assert_int_equal(rerun(NULL, false), 1);
	assert_int_equal(newest_rows(0), 3);
	job_ends(STATE_FAILED);
	assert_int_equal(db_table_delete(db, arena, "out", "kept", NULL), 0);
	assert_int_equal(rerun("lr_0", false), 2);
	assert_int_equal(newest_rows(1), 3);
	assert_int_equal(newest_rows(2), 3);
}

static void
what_is_gone_at_a_member_is_made_again_if_it_is_needed(void **state)
{
	const char *gone[] = { "reader_0", "no_such" };
	struct graph *g = chain();
	int64_t n;

	(void)state;
	end_all(STATE_SUCCESS, STATE_SUCCESS);
	assert_int_equal(
	    initiator_renew_gone(db, &site, OURS, g, gone, 2, &n), 0);
	assert_int_equal(n, 0); /* nobody will read it */
	job_ends(STATE_SUCCESS);
	assert_int_equal(rerun("lr_0", true), 1);
	assert_int_equal(
	    initiator_renew_gone(db, &site, OURS, g, gone, 2, &n), 0);
	assert_int_equal(n, 1); /* lr_0 waits and will run as it is */
	assert_int_equal(newest_rows(1), 6);
	assert_int_equal(job(OURS)->run, 1);
	graph_free(g);
}

static void
rerun_of_a_running_job_leaves_alone_what_runs(void **state)
{
	(void)state;
	end_all(STATE_FAILED, STATE_RUNNING);
	assert_int_equal(db_job_move(db, OURS, STATE_RUNNING, 0, "", NULL), 0);
	/* lr_0 is downstream: it works on what reader_0 made before. */
	assert_int_equal(rerun("lr_0", false), 0);
	assert_int_equal(rerun(NULL, false), 2);
	assert_int_equal(newest_rows(1), 6);
	assert_int_equal(job(OURS)->status, STATE_RUNNING);
	assert_int_equal(job(OURS)->run, 0);
}

static void
rerun_waits_for_a_stop(void **state)
{
	int64_t n;

	(void)state;
	end_all(STATE_FAILED, STATE_FAILED);
	assert_int_equal(
	    initiator_stop(db, &site, OURS, STATE_CANCELED, "by hand", NULL),
	    0);
	assert_int_equal(rerun_by(&site, NULL, false, &n), ERR_BUSY);
	assert_int_equal(newest_rows(0), 6);
}

static void
automatic_retries_are_counted_down(void **state)
{
	static const struct db_stmt retries = { "retries", "",
		"UPDATE task SET auto_retries = 1" };
	int64_t n;

	(void)state;
	assert_int_equal(db_exec(db, &retries, NULL), 0);
	end_all(STATE_SUCCESS, STATE_FAILED);
	assert_int_equal(initiator_retry(db, &site, OURS, "lr_0", &n), 0);
	assert_int_equal(n, 1);
	for (int64_t v = 0; v < 2; v++) {
		struct db_task_key k = { OURS, "lr_0", v, "guest", ROWS_GUEST };

		assert_int_equal(task(&k)->auto_retries, 1 - v);
		if (v == 1)
			assert_int_equal(
			    db_task_move(db, &k,
				&(struct db_task_move){ .status = STATE_FAILED,
				    .party_status = STATE_FAILED },
				NULL),
			    0);
	}
	assert_int_equal(initiator_retry(db, &site, OURS, "lr_0", &n), 0);
	assert_int_equal(n, 0);
}

static void
rerun_is_for_members(void **state)
{
	int64_t n;

	(void)state;
	end_all(STATE_FAILED, STATE_FAILED);
	assert_int_equal(rerun_by(&stranger, NULL, true, &n), ERR_NOT_FOUND);
	assert_int_equal(newest_rows(0), 6);
	assert_int_equal(rerun_by(&host, NULL, true, &n), 0);
	assert_int_equal(n, 2);
}

/* --- what is looked up of a job that comes --------------------------------- */

#define NEXT "202601010000000000003"

struct looking {
	bool lacks;
	int n;
};

static int
look(void *ctx, const struct party_member *m)
{
	struct looking *l = ctx;

	assert_string_equal(m->role, "host");
	l->n++;
	return l->lacks ? err_set(ERR_INVALID, "it is not here") : 0;
}

static void
rule(const char *approval_by)
{
	assert_int_equal(
	    db_permission_put(db,
		&(struct db_permission){
		    .leaf = { ROWS_GUEST, "*", "role", "host", "" },
		    .approval_by = approval_by,
		    .approval_within_s = approval_by != NULL ? 60 : 0 }),
	    0);
}

static void
nothing_is_looked_up_before_rules_and_people_have_allowed_it(void **state)
{
	static const struct party_member next = { NEXT, "host", ROWS_HOST };
	static const struct db_leaf any = { ROWS_GUEST, "*", "role", "*", "" };
	struct looking l = { .lacks = true };
	const struct party_look how = { look, &l };
	const struct party_caller c = { .party_id = ROWS_GUEST, .look = &how };
	struct rows_partner p;
	struct db_job *j;

	(void)state;
	rows_partner_init(&p, NEXT, "host");
	assert_int_equal(db_permission_delete(db, &any, NULL), 0);
	assert_int_equal(
	    party_job_create(db, &c, &next, &p.job, NULL, NULL), ERR_DENIED);
	assert_int_equal(l.n, 0);
	rule("admin");
	assert_int_equal(
	    party_job_create(db, &c, &next, &p.job, NULL, NULL), 0);
	assert_int_equal(l.n, 0);
	/* Nobody has to approve the next one. */
	rule(NULL);
	rows_partner_init(&p, "202601010000000000004", "host");
	assert_int_equal(
	    party_job_create(db, &c,
		&(struct party_member){ p.job.job_id, "host", ROWS_HOST },
		&p.job, NULL, NULL),
	    ERR_INVALID);
	assert_int_equal(l.n, 1);
	assert_int_equal(
	    db_job_get_brief(db, arena, p.job.job_id, &j), ERR_NOT_FOUND);
	/* Taken in, it is looked at no more. */
	l.lacks = false;
	for (int i = 0; i < 2; i++)
		assert_int_equal(party_job_create(db, &c,
				     &(struct party_member){
					 p.job.job_id, "host", ROWS_HOST },
				     &p.job, NULL, NULL),
		    0);
	assert_int_equal(l.n, 2);
}

/* --- other parameters ------------------------------------------------------ */

/* The job as somebody built it anew for revision r. */
static struct db_job_new
revised(struct rows_partner *p, const char *id, int64_t r)
{
	struct db_job_new j;

	rows_partner_init(p, id, "host");
	p->tasks[1].parameters = "{\"alpha\":1,\"need_run\":false}";
	j = p->job;
	j.runtime_conf = "{\"revised\":true}";
	j.contract = "{\"other\":1}";
	memset(j.contract_hash, 8, sizeof(j.contract_hash));
	j.revision = r;
	return j;
}

static void
parameters_change_only_once_a_job_has_ended(void **state)
{
	struct rows_partner p;
	struct db_job_new j = revised(&p, OURS, 1);
	struct db_task_key k = holder;
	struct db_job *full;

	(void)state;
	end_all(STATE_SUCCESS, STATE_FAILED);
	assert_int_equal(initiator_revise(db, &site, &j), ERR_BUSY);
	job_ends(STATE_FAILED);
	assert_int_equal(initiator_revise(db, &stranger, &j), ERR_NOT_FOUND);
	if (initiator_revise(db, &site, &j) != 0)
		fail_msg("%s", err_text());
	/* Built from what is there no more. */
	assert_int_equal(initiator_revise(db, &site, &j), ERR_CONFLICT);
	assert_int_equal(db_job_get(db, arena, OURS, &full), 0);
	assert_string_equal(full->runtime_conf, "{\"revised\":true}");
	assert_string_equal(full->contract, "{\"other\":1}");
	assert_int_equal(full->contract_hash[0], 8);
	assert_int_equal(full->revision, 1);
	/* What ran keeps what it ran with; what runs next does not. */
	k.component = "lr_0";
	assert_string_equal(task(&k)->parameters, "{}");
	assert_true(task(&k)->need_run);
	assert_int_equal(rerun(NULL, false), 1);
	k.version = 1;
	assert_string_equal(
	    task(&k)->parameters, "{\"alpha\":1,\"need_run\":false}");
	assert_false(task(&k)->need_run);
}

static int
reopen(const struct party_caller *c, struct db_job_new *j, bool *effective)
{
	return party_job_reopen(db, c, &member, j, NULL, effective);
}

static void
a_command_of_an_earlier_run_changes_nothing_any_more(void **state)
{
	const int64_t first = 0;
	const struct party_caller late = { .party_id = ROWS_GUEST,
		.run = &first };
	struct rows_partner p;

	(void)state;
	rows_partner_init(&p, THEIRS, "host");
	p.job.run = 1;
	start_job();
	assert_int_equal(reopen(&guest, &p.job, NULL), 0);
	assert_int_equal(
	    party_job_stop(db, &late, &member, STATE_CANCELED, "x", NULL),
	    ERR_CONFLICT);
	assert_int_equal(
	    party_job_status(db, &late, &member, STATE_SUCCESS, NULL, NULL),
	    ERR_CONFLICT);
	assert_int_equal(
	    party_resource_apply(db, &late, &member, 60000, NULL, NULL),
	    ERR_CONFLICT);
	assert_int_equal(job(THEIRS)->status, STATE_WAITING);
	start_job();
	assert_int_equal(
	    party_resource_return(db, &late, &member, NULL), ERR_CONFLICT);
	assert_int_equal(job(THEIRS)->status, STATE_RUNNING);
}

/* All that a scheduler may say to a member, under its fence. */
static void
say_all(const struct party_caller *c, int want)
{
	struct db_task_new next;
	struct rows_partner p;

	rows_partner_init(&p, THEIRS, "host");
	p.job.run = job(THEIRS)->run + 1;
	assert_int_equal(party_next_version(task(&reader), &next), 0);
	assert_int_equal(reopen(c, &p.job, NULL), want);
	assert_int_equal(
	    party_resource_apply(db, c, &member, RESERVATION_MS, NULL, NULL),
	    want);
	assert_int_equal(party_resource_return(db, c, &member, NULL), want);
	assert_int_equal(party_job_start(db, c, &member, NULL), want);
	assert_int_equal(party_task_start(db, c, &reader, NULL), want);
	assert_int_equal(
	    party_task_create(db, c, &member, &next, NULL, NULL), want);
	assert_int_equal(
	    party_task_stop(db, c, &reader, STATE_FAILED, "x", NULL), want);
	assert_int_equal(
	    party_task_status(db, c, &reader, STATE_FAILED, "x", NULL), want);
	assert_int_equal(
	    party_job_status(db, c, &member, STATE_FAILED, "x", NULL), want);
	assert_int_equal(
	    party_job_stop(db, c, &member, STATE_CANCELED, "x", NULL), want);
}

/*
 * A scheduler that stood still sends what it had decided before another took
 * its job: a return while the other one starts, a start while it ends.
 */
/* Both had read the row before either wrote. */
static void
two_commands_at_once_under_a_new_fence_are_both_heard(void **state)
{
	(void)state;
	assert_int_equal(db_job_set_fence(db, THEIRS, 7), 0);
	assert_int_equal(db_job_set_fence(db, THEIRS, 7), 0);
	assert_int_equal(db_job_set_fence(db, THEIRS, 6), ERR_CONFLICT);
	assert_int_equal(job(THEIRS)->lease_fence, 7);
}

/* Its command is on its way when another scheduler is heard. */
struct late {
	struct db *db;
	pthread_t thread;
	int result;
};

static void *
stop_late(void *arg)
{
	const struct party_caller slept = { .party_id = ROWS_GUEST,
		.fence = 4 };
	struct late *l = arg;

	l->result =
	    party_task_stop(l->db, &slept, &reader, STATE_FAILED, "x", NULL);
	return NULL;
}

static int
hear_another(struct db *d, void *ctx)
{
	static const struct db_stmt waiting = { "waiting", "",
		"SELECT CAST(VARIABLE_VALUE AS SIGNED)"
		" FROM information_schema.GLOBAL_STATUS"
		" WHERE VARIABLE_NAME = 'INNODB_ROW_LOCK_CURRENT_WAITS'" };
	struct late *l = ctx;
	struct db *other = mariadb_connect();
	int64_t n = 0;
	int r;

	if ((r = db_job_set_fence(d, THEIRS, 5)) == 0)
		assert_int_equal(
		    pthread_create(&l->thread, NULL, stop_late, l), 0);
	for (int i = 0; r == 0 && n == 0 && i < 2000; i++) {
		r = db_query_int(other, &waiting, &n);
		(void)usleep(2000);
	}
	db_close(other);
	return r;
}

static void
a_command_is_judged_by_the_fence_that_counts_when_it_is_carried_out(
    void **state)
{
	struct late l = { .db = mariadb_connect() };

	(void)state;
	start_job();
	assert_int_equal(party_task_start(db, &guest, &reader, NULL), 0);
	assert_int_equal(db_job_set_fence(db, THEIRS, 4), 0);
	assert_int_equal(db_tx(db, hear_another, &l), 0);
	assert_int_equal(pthread_join(l.thread, NULL), 0);
	assert_int_equal(l.result, ERR_CONFLICT);
	assert_int_equal(task(&reader)->party_status, STATE_WAITING);
	db_close(l.db);
}

static void
who_speaks_under_a_lower_fence_than_was_heard_changes_nothing(void **state)
{
	int64_t held, heard;
	const struct party_caller slept = {
		.party_id = ROWS_GUEST, .fence = 4, .heard = &heard
	};
	const struct party_caller now = { .party_id = ROWS_GUEST, .fence = 5 };
	size_t before;

	(void)state;
	assert_int_equal(party_resource_apply(
			     db, &slept, &member, RESERVATION_MS, NULL, NULL),
	    0);
	assert_int_equal(job(THEIRS)->lease_fence, 4);
	assert_int_equal(party_job_start(db, &now, &member, NULL), 0);
	/* Two commands read the row before either has written it. */
	assert_int_equal(db_job_set_fence(db, THEIRS, 5), 0);
	assert_int_equal(db_job_set_fence(db, THEIRS, 4), ERR_CONFLICT);
	assert_int_equal(job(THEIRS)->lease_fence, 5);
	assert_int_equal(party_task_start(db, &now, &reader, NULL), 0);
	before = events(THEIRS);
	held = free_cores();
	heard = 0;
	say_all(&slept, ERR_CONFLICT);
	/* It is told why. */
	assert_int_equal(heard, 5);
	assert_int_equal(
	    party_job_start(db,
		&(struct party_caller){
		    .party_id = ROWS_GUEST, .fence = 5, .heard = &heard },
		&member, NULL),
	    0);
	assert_int_equal(heard, 0);
	assert_int_equal(events(THEIRS), before);
	assert_int_equal(job(THEIRS)->status, STATE_RUNNING);
	assert_int_equal(job(THEIRS)->lease_fence, 5);
	assert_int_equal(free_cores(), held);
	/* The same one goes on, and so does the next. */
	assert_int_equal(
	    party_task_stop(db, &now, &reader, STATE_FAILED, "x", NULL), 0);
	assert_int_equal(
	    party_job_stop(db, &now, &member, STATE_FAILED, "x", NULL), 0);
}

static void
a_job_ends_all_its_tasks_here_whether_they_began_or_not(void **state)
{
	struct db_attempt *a;

	(void)state;
	start_job();
	a = launch(&reader);
	assert_int_equal(db_attempt_end(db, a->attempt_id, "stopped"), 0);
	assert_int_equal(
	    party_job_stop(db, &guest, &member, STATE_FAILED, "x", NULL), 0);
	assert_int_equal(job(THEIRS)->status, STATE_FAILED);
	assert_int_equal(task(&reader)->status, STATE_FAILED);
	assert_int_equal(task(&lr)->status, STATE_CANCELED);
	assert_int_equal(task(&lr)->party_status, STATE_CANCELED);
	assert_string_equal(task(&lr)->wait.code, "");
}

static void
a_job_that_never_started_ends_all_its_tasks_here(void **state)
{
	(void)state;
	assert_int_equal(
	    party_job_stop(db, &guest, &member, STATE_FAILED, "x", NULL), 0);
	assert_int_equal(task(&reader)->status, STATE_CANCELED);
	assert_int_equal(task(&lr)->status, STATE_CANCELED);
}

static void
a_site_without_room_on_its_disks_holds_nothing_for_jobs(void **state)
{
	char *tmp = xstrdup(mariadb_folder());
	struct site_conf conf = { .party_id = tmp,
		.home = tmp,
		.mailbox_memory_dir = tmp,
		.upload_keep_free_mb = 1 };
	char *spool = site_path(&conf, "%s/upload", SITE_SPOOL);
	struct wait why = wait_of(WAIT_NONE);

	(void)state;
	assert_int_equal(fd_mkdirs(spool, 0700), 0);
	assert_int_equal(party_site_ready(&conf, &why), 0);
	conf.upload_keep_free_mb = INT64_C(1) << 40;
	assert_int_equal(party_site_ready(&conf, &why), ERR_BUSY);
	assert_string_equal(wait_name(why.code), "site_not_ready");
	assert_non_null(strstr(err_text(), "must stay"));
	free(spool);
	free(tmp);
}

static void
the_end_of_a_run_that_overtakes_its_beginning_is_kept(void **state)
{
	const int64_t second = 1;
	const struct party_caller early = { .party_id = ROWS_GUEST,
		.run = &second };
	struct rows_partner p;

	(void)state;
	rows_partner_init(&p, THEIRS, "host");
	p.job.run = 1;
	start_job();
	assert_int_equal(
	    party_job_stop(db, &guest, &member, STATE_FAILED, "x", NULL), 0);
	/* What the run would do waits for its reopen. */
	assert_int_equal(
	    party_resource_apply(db, &early, &member, 60000, NULL, NULL),
	    ERR_NOT_FOUND);
	assert_int_equal(job(THEIRS)->status, STATE_FAILED);
	assert_int_equal(
	    party_job_stop(db, &early, &member, STATE_CANCELED, "y", NULL), 0);
	assert_int_equal(job(THEIRS)->status, STATE_CANCELED);
	assert_int_equal(reopen(&guest, &p.job, NULL), 0);
	assert_int_equal(job(THEIRS)->status, STATE_CANCELED);
}

static void
member_takes_part_again_under_the_next_run_number(void **state)
{
	struct rows_partner p;
	bool effective;

	(void)state;
	rows_partner_init(&p, THEIRS, "host");
	p.job.run = 1;
	assert_int_equal(reopen(&host, &p.job, NULL), ERR_DENIED);
	start_job();
	(void)launch(&reader);
	/* The end of the run before was not heard of: the new one ends it. */
	assert_int_equal(reopen(&guest, &p.job, &effective), 0);
	assert_true(effective);
	assert_int_equal(job(THEIRS)->status, STATE_WAITING);
	assert_int_equal(job(THEIRS)->run, 1);
	assert_int_equal(task(&reader)->kill_wanted, STATE_CANCELED);
	assert_int_equal(task(&lr)->party_status, STATE_CANCELED);
	assert_int_equal(free_cores(), 8);
	/* Repeated, and late, it does nothing. */
	start_job();
	assert_int_equal(reopen(&guest, &p.job, &effective), 0);
	assert_false(effective);
	assert_int_equal(job(THEIRS)->status, STATE_RUNNING);
	p.job.run = 0;
	assert_int_equal(reopen(&guest, &p.job, NULL), ERR_CONFLICT);
	assert_int_equal(job(THEIRS)->status, STATE_RUNNING);
}

/* Under a later revision, too. */
static void
refuse_other_job(const struct db_job_new *j)
{
	struct db_job_new other = *j;

	other.dsl = "{\"components\":{\"more_0\":{\"module\":\"Reader\"}}}";
	assert_int_equal(reopen(&guest, &other, NULL), ERR_DENIED);
	other = *j;
	other.roles = "{\"guest\":[9999],\"host\":[10000,10001]}";
	assert_int_equal(reopen(&guest, &other, NULL), ERR_DENIED);
	other = *j;
	other.initiator_role = "host";
	assert_int_equal(reopen(&guest, &other, NULL), ERR_DENIED);
	assert_int_equal(job(THEIRS)->revision, 0);
	assert_int_equal(job(THEIRS)->run, 0);
}

static void
member_takes_other_parameters_only_as_a_later_revision(void **state)
{
	struct rows_partner p;
	struct db_job_new j = revised(&p, THEIRS, 0);
	struct db_task_new next;

	(void)state;
	j.run = 1;
	assert_int_equal(reopen(&guest, &j, NULL), ERR_DENIED);
	assert_int_equal(job(THEIRS)->run, 0);
	j.revision = 1;
	refuse_other_job(&j);
	assert_int_equal(reopen(&guest, &j, NULL), 0);
	assert_int_equal(job(THEIRS)->revision, 1);
	assert_int_equal(job(THEIRS)->contract_hash[0], 8);
	assert_int_equal(party_next_version(task(&lr), &next), 0);
	assert_string_equal(
	    next.parameters, "{\"alpha\":1,\"need_run\":false}");
	assert_false(next.need_run);
	assert_int_equal(party_next_version(task(&reader), &next), 0);
	assert_string_equal(next.parameters, "{}");
	assert_int_equal(next.version, 1);
	/* Another contract under the number of a run that is here. */
	j.contract_hash[0] = 9;
	j.revision = 2;
	assert_int_equal(reopen(&guest, &j, NULL), ERR_DENIED);
}

/* --- is it still wanted? --- */

static struct json_object *
parsed(const char *text)
{
	struct json_object *o;

	assert_int_equal(json_parse_text(text, &o), 0);
	return o;
}

/* What the initiator says to a question, or the error. */
static int
doubt(const struct party_caller *who, const char *body, bool *over,
    const char **status)
{
	struct json_object *question = parsed(body), *answer = NULL;
	struct errand_ask ask = { .db = db,
		.arena = arena,
		.caller = who,
		.body = question,
		.data = &answer };
	int r = job_doubt_errand(&ask);

	if (r == 0) {
		assert_true(json_has(answer, "over"));
		*over = json_get_bool(answer, "over", false);
		*status =
		    arena_strdup(arena, json_get_str(answer, "status", "?"));
	}
	json_object_put(answer);
	json_object_put(question);
	return r;
}

static void
tell_end(const char *role, bool told)
{
	assert_int_equal(db_party_mark(db, OURS, role, ROWS_HOST,
			     DB_PARTY_ENDED, told, NULL, 0),
	    0);
}

static void
an_initiator_says_whether_a_job_is_over(void **state)
{
	static const char ours[] = "{\"job_id\":\"" OURS "\",\"run\":0}";
	static const char none[] = "{\"job_id\":\"20260101000000\",\"run\":0}";
	static const char blank[] = "{\"job_id\":\"" OURS " \",\"run\":0}";
	const char *status;
	int64_t fence;
	bool over;

	(void)state;
	assert_int_equal(doubt(&host, blank, &over, &status), ERR_INVALID);
	assert_int_equal(doubt(&host, ours, &over, &status), 0);
	assert_false(over);
	/* Until its members have been told, it tells them itself. */
	fence = job(OURS)->lease_fence;
	assert_int_equal(db_job_move(db, OURS, STATE_FAILED, 0, "x", NULL), 0);
	assert_int_equal(doubt(&host, ours, &over, &status), 0);
	assert_false(over);
	/* Held to have been, though how its tasks ended is not known yet. */
	tell_end("host", true);
	tell_end("arbiter", true);
	assert_int_equal(doubt(&host, ours, &over, &status), 0);
	assert_true(over);
	assert_string_equal(status, "failed");
	/* All members, or none needs to be told any more. */
	tell_end("host", false);
	assert_int_equal(doubt(&host, ours, &over, &status), 0);
	assert_false(over);
	assert_int_equal(db_job_settle(db, OURS, fence), 0);
	assert_int_equal(doubt(&host, ours, &over, &status), 0);
	assert_true(over);
	assert_string_equal(status, "failed");
	/* It was never there, or that is none of the caller's business. */
	assert_int_equal(doubt(&host, none, &over, &status), 0);
	assert_true(over);
	assert_int_equal(doubt(&stranger, ours, &over, &status), 0);
	assert_true(over);
	assert_string_equal(status, "canceled");
	assert_int_equal(doubt(&host, "{}", &over, &status), ERR_INVALID);
	assert_int_equal(
	    doubt(&host, "{\"job_id\":\"" OURS "\"}", &over, &status),
	    ERR_INVALID);
}

static int
take_doubt(int64_t run, const char *text, bool *ended)
{
	struct json_object *o = parsed(text);
	int r = job_doubt_take(db, &member, ROWS_GUEST, run, o, ended);

	json_object_put(o);
	return r;
}

static void
a_job_that_is_over_at_its_initiator_ends_here(void **state)
{
	static const char over[] = "{\"over\":true,\"status\":\"failed\"}";
	bool ended;

	(void)state;
	assert_int_equal(take_doubt(0, "{}", &ended), ERR_FORMAT);
	assert_int_equal(take_doubt(0, "{\"over\":true}", &ended), ERR_FORMAT);
	assert_int_equal(
	    take_doubt(0, "{\"over\":false,\"status\":\"\"}", &ended), 0);
	assert_false(ended);
	assert_int_equal(job(THEIRS)->status, STATE_READY);
	assert_int_equal(take_doubt(0, over, &ended), 0);
	assert_true(ended);
	assert_int_equal(job(THEIRS)->status, STATE_FAILED);
	assert_int_equal(task(&reader)->party_status, STATE_CANCELED);
	assert_int_equal(take_doubt(0, over, &ended), 0);
	assert_false(ended);
}

/* The answer was about a run that has been followed by another. */
static void
a_doubt_about_an_earlier_run_ends_nothing(void **state)
{
	struct rows_partner p;
	struct db_job_new j;
	bool ended;

	(void)state;
	rows_partner_init(&p, THEIRS, "host");
	j = p.job;
	j.run = 1;
	assert_int_equal(reopen(&guest, &j, NULL), 0);
	assert_int_equal(
	    take_doubt(0, "{\"over\":true,\"status\":\"failed\"}", &ended),
	    ERR_CONFLICT);
	assert_false(ended);
	assert_int_equal(job(THEIRS)->status, STATE_WAITING);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(every_command_of_a_job_can_be_repeated),
		T(a_start_takes_the_tasks_along_that_it_names),
		T(who_is_asked_last_takes_and_begins_in_one_step),
		T(the_end_that_the_initiator_says_is_the_jobs),
		T(a_users_stop_gives_way_to_a_success_that_the_initiator_had),
		T(a_task_that_failed_here_is_not_made_a_success_by_the_initiators_word),
		T(a_word_is_noted_once_a_run_however_long_the_reason_is),
		T(the_end_of_an_id_mapping_is_not_that_of_the_job),
		T(an_end_of_this_sites_own_stays_and_the_initiators_word_is_noted),
		T(every_command_of_a_task_can_be_repeated),
		T(commands_tell_of_tasks_that_succeeded),
		T(running_task_is_wished_dead_and_its_shepherd_learns_it),
		T(stop_of_a_job_ends_every_task_of_the_member_alone),
		T(success_of_a_job_kills_nothing_and_returns_resources),
		T(a_run_is_not_undone_while_a_task_of_it_goes_on),
		T(a_member_that_heard_of_the_undone_run_alone_has_no_task_that_waits),
		T(only_the_initiator_commands),
		T(remote_or_unknown_members_are_not_found),
		T(description_of_another_job_or_member_is_refused),
		T(states_that_make_no_sense_are_invalid),
		T(resources_are_refused_with_the_numbers),
		T(job_does_not_start_on_an_expired_reservation),
		T(ended_job_is_neither_reserved_nor_started),
		T(member_that_comes_after_the_end_of_its_job_is_refused),
		T(task_that_need_not_run_is_launched_like_others),
		T(new_version_is_newer_and_ends_the_one_before),
		T(new_version_does_not_wake_a_job_that_has_ended),
		T(collect_tells_the_row_as_it_stands),
		T(site_commands_its_own_members_and_keeps_the_jobs_state),
		T(local_job_of_party_0_is_the_sites),
		T(report_moves_the_holder_row_once),
		T(members_time_in_the_future_is_not_taken),
		T(only_the_member_itself_reports),
		T(member_may_ask_for_the_end_and_a_stranger_may_not),
		T(an_id_with_blanks_behind_it_is_no_jobs),
		T(members_user_stops_the_run_it_means_and_no_later_one),
		T(rerun_makes_new_versions_for_all_members),
		T(rerun_leaves_no_older_version_open_that_a_partner_has_not_ended),
		T(rerun_reaches_everything_downstream),
		T(rerun_makes_inputs_again_that_are_gone),
		T(what_is_gone_at_a_member_is_made_again_if_it_is_needed),
		T(rerun_of_a_running_job_leaves_alone_what_runs),
		T(rerun_waits_for_a_stop),
		T(automatic_retries_are_counted_down),
		T(rerun_is_for_members),
		T(nothing_is_looked_up_before_rules_and_people_have_allowed_it),
		T(parameters_change_only_once_a_job_has_ended),
		T(new_version_is_not_launched_before_the_old_one_is_over),
		T(a_command_of_an_earlier_run_changes_nothing_any_more),
		T(two_commands_at_once_under_a_new_fence_are_both_heard),
		T(who_speaks_under_a_lower_fence_than_was_heard_changes_nothing),
		T(a_command_is_judged_by_the_fence_that_counts_when_it_is_carried_out),
		T(a_job_ends_all_its_tasks_here_whether_they_began_or_not),
		T(a_job_that_never_started_ends_all_its_tasks_here),
		T(a_site_without_room_on_its_disks_holds_nothing_for_jobs),
		T(the_end_of_a_run_that_overtakes_its_beginning_is_kept),
		T(member_takes_part_again_under_the_next_run_number),
		T(member_takes_other_parameters_only_as_a_later_revision),
		T(an_initiator_says_whether_a_job_is_over),
		T(a_job_that_is_over_at_its_initiator_ends_here),
		T(a_doubt_about_an_earlier_run_ends_nothing),
	};
#undef T

	log_init("test_party", LOG_ERROR_);
	return cmocka_run_group_tests_name("party", tests, NULL, NULL);
}
