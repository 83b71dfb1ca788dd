/*
 * The supervisor's parts at work on a real database, with local jobs.  The
 * shepherds are this very program, called again: what one does is told by the
 * name of its component (ok, crash, slow, mute, flaky).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/conf/site_wake.h"
#include "lib/db/db_attempt.h"
#include "lib/db/db_errand.h"
#include "lib/db/db_job.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_task.h"
#include "lib/party/errand.h"
#include "lib/party/party.h"
#include "lib/sign/digest.h"
#include "lib/sign/keys.h"
#include "supervisor/detectors.h"
#include "supervisor/launch.h"
#include "supervisor/leftovers.h"
#include "supervisor/peers.h"
#include "supervisor/supervisor.h"
#include "tests/lib/claim.h"
#include "tests/lib/mariadb.h"

#define PATIENCE_MS 60000 /* a loaded machine under a sanitizer */
#define CHAIN 10

static char *program; /* this one */
static char *conf_path;
static struct site_conf *conf;

/* --- the shepherd ---------------------------------------------------------- */

static int
end_task(struct db *db, const struct db_attempt *a, enum state end,
    const char *error)
{
	struct db_task_move move = {
		.status = STATE_NONE,
		.party_status = end,
		.error_report = error,
		.attempt = a,
	};
	int r;

	if ((r = db_task_move(db, &a->key, &move, NULL)) == 0)
		r = db_attempt_end(db, a->attempt_id, state_name(end));
	return r;
}

/* Beats until the file "go" stands in the home or the end is wanted. */
static enum state
wait_for_word(const struct site_conf *c, struct db *db, const char *attempt)
{
	char *go = site_path(c, "go");
	enum state kill = STATE_NONE;

	while (access(go, F_OK) != 0 && kill == STATE_NONE) {
		(void)usleep(20 * 1000);
		if (db_attempt_renew(
			db, attempt, c->lease_ms, getpid(), 0, 0, &kill) != 0)
			_exit(4);
	}
	free(go);
	return kill == STATE_NONE ? STATE_SUCCESS : kill;
}

static int
shepherd(const char *config, const char *attempt_id)
{
	struct site_conf *c = NULL;
	struct arena *arena = arena_new();
	struct db *db = NULL;
	struct db_attempt *a;
	struct db_task_move move = { .status = STATE_NONE,
		.party_status = STATE_RUNNING };
	enum state end = STATE_SUCCESS;
	int r;

	if (site_conf_load(config, &c) != 0 || db_open(c, &db) != 0 ||
	    db_attempt_get(db, arena, attempt_id, &a) != 0 ||
	    db_attempt_renew(
		db, attempt_id, c->lease_ms, getpid(), 0, 0, &end) != 0 ||
	    (move.attempt = a, db_task_move(db, &a->key, &move, NULL)) != 0) {
		log_err("shepherd of the test");
		_exit(5);
	}
	end = STATE_SUCCESS;
	if (str_starts(a->key.component, "crash"))
		_exit(3);
	if (str_starts(a->key.component, "mute")) {
		(void)usleep(5 * 1000 * 1000);
		_exit(0);
	}
	if (str_starts(a->key.component, "slow"))
		end = wait_for_word(c, db, attempt_id);
	if (str_starts(a->key.component, "flaky") && a->key.version == 0)
		end = STATE_FAILED;
	r = end_task(db, a, end, end == STATE_FAILED ? "not yet" : NULL);
	if (r != 0)
		log_err("shepherd of the test");
	site_wake(c, a->key.job_id, WAKE_JOBS);
	db_close(db);
	arena_free(arena);
	site_conf_free(c);
	return r == 0 ? 0 : 6;
}

/* --- a site ------------------------------------------------------------------ */

static void
make_folders(const char *home)
{
	static const char *const folders[] = { "run/m", "logs", "jobs",
		SITE_SPOOL "/upload" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path = xasprintf("%s/%s", home, folders[i]);

		assert_int_equal(fd_mkdirs(path, 0700), 0);
		free(path);
	}
}

/* What the site signs contracts with. */
static struct keys *site_keys;

static int
group_setup(void **state)
{
	const struct site_conf *db;
	char *home, *text;

	(void)state;
	mariadb_fresh();
	db = mariadb_conf();
	home = xasprintf("%s/site", mariadb_folder());
	make_folders(home);
	conf_path = xasprintf("%s/site.conf", home);
	text = xasprintf(
	    "[site]\nparty_id = 9999\nhome = %s\n"
	    "[database]\nsocket = %s\nname = %s\nuser = %s\n"
	    "[supervisor]\ncores = 2\nlease_ms = 2000\nheartbeat_ms = 500\n"
	    "memory_mb = 1000\n"
	    "[executor]\nshepherd_program = %s\n"
	    "[mailbox]\nmemory_dir = %s/memory\n",
	    home, db->db_socket, db->db_name, db->db_user, program, home);
	assert_int_equal(
	    fd_replace_file(conf_path, text, strlen(text), 0600), 0);
	if (site_conf_load(conf_path, &conf) != 0)
		fail_msg("%s", err_text());
	free(text);
	free(home);
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	keys_free(site_keys);
	site_conf_free(conf);
	free(conf_path);
	return 0;
}

struct fixture {
	struct supervisor super;
	struct db *db; /* the test's own connection */
	struct arena *arena;
	bool runs;
};

static int
try_start(struct fixture *f)
{
	int r;

	f->super = (struct supervisor){ .conf = conf, .keys = site_keys };
	if ((r = db_open(conf, &f->super.db)) == 0 &&
	    (r = loop_new(&f->super.loop)) == 0)
		r = supervisor_start(&f->super);
	f->runs = r == 0;
	return r;
}

static void
start(struct fixture *f)
{
	if (try_start(f) != 0)
		fail_msg("%s", err_text());
}

static void
stop(struct fixture *f)
{
	if (!f->runs)
		return;
	supervisor_stop(&f->super);
	loop_free(f->super.loop);
	db_close(f->super.db);
	f->runs = false;
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	char *go = site_path(conf, "go");

	if (site_keys == NULL)
		assert_int_equal(keys_generate(&site_keys), 0);
	mariadb_fresh();
	(void)unlink(go);
	free(go);
	f->db = mariadb_connect();
	f->arena = arena_new();
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	stop(f);
	db_close(f->db);
	arena_free(f->arena);
	free(f);
	return 0;
}

static void
let_go(void)
{
	char *go = site_path(conf, "go");

	assert_int_equal(fd_replace_file(go, "", 0, 0600), 0);
	free(go);
}

/* --- jobs -------------------------------------------------------------------- */

struct wanted {
	const char *name;
	int64_t cores;
	int64_t retries;
	const char *tasks[CHAIN]; /* a chain */
};

/* Insert a local job and say so; its id lives in the fixture's arena. */
static const char *
submit(struct fixture *f, const struct wanted *w)
{
	char id[ID_JOB_SIZE];
	struct buf dsl = BUF_INIT;
	struct db_party_new party = { .role = "local",
		.party_id = "0",
		.is_local = true,
		.created = true,
		.party_conf = "{}",
		.cores = w->cores,
		.memory_mb = 10 };
	struct db_task_new tasks[CHAIN];
	struct db_job_new j;
	size_t n = 0;

	buf_puts(&dsl, "{\"components\":{");
	for (; n < CHAIN && w->tasks[n] != NULL; n++) {
		tasks[n] = (struct db_task_new){ .component = w->tasks[n],
			.role = "local",
			.party_id = "0",
			.seq = (int64_t)n,
			.module = "DataTransform",
			.run_here = true,
			.need_run = true,
			.auto_retries = w->retries };
		buf_printf(&dsl, "%s\"%s\":{\"module\":\"DataTransform\"",
		    n == 0 ? "" : ",", w->tasks[n]);
		if (n > 0)
			buf_printf(&dsl,
			    ",\"input\":{\"data\":{\"data\":"
			    "[\"%s.data\"]}}",
			    w->tasks[n - 1]);
		buf_puts(&dsl, ",\"output\":{\"data\":[\"data\"]}}");
	}
	buf_puts(&dsl, "}}");
	id_job(id);
	j = (struct db_job_new){ .job_id = id,
		.status = STATE_WAITING,
		.name = w->name,
		.is_initiator = true,
		.initiator_role = "local",
		.initiator_party = "0",
		.job_type = "train",
		.dsl = buf_str(&dsl),
		.runtime_conf = "{}",
		.roles = "{\"local\":[0]}",
		.contract = "{}",
		.task_parallelism = 1,
		.timeout_s = 100,
		.parties = &party,
		.nparties = 1,
		.tasks = tasks,
		.ntasks = n };
	assert_int_equal(
	    digest_memory(j.contract, strlen(j.contract), j.contract_hash), 0);
	if (db_job_insert(f->db, &j, NULL) != 0)
		fail_msg("%s", err_text());
	buf_fini(&dsl);
	site_wake(conf, id, WAKE_JOBS);
	return arena_strdup(f->arena, id);
}

static const struct db_job *
job_of(struct fixture *f, const char *id)
{
	struct db_job *j;

	if (db_job_get(f->db, f->arena, id, &j) != 0)
		fail_msg("%s", err_text());
	return j;
}

static const struct db_task *
task_of(struct fixture *f, const char *id, const char *component)
{
	struct db_task *t;

	if (db_task_get_newest(
		f->db, f->arena, id, component, "local", "0", &t) != 0)
		fail_msg("%s", err_text());
	return t;
}

/* Let the supervisor work until cond holds. */
#define AWAIT(f, cond)                                                         \
	do {                                                                   \
		int64_t until_ = clock_mono_ms() + PATIENCE_MS;                \
		while (!(cond)) {                                              \
			if (clock_mono_ms() > until_)                          \
				fail_msg("gave up waiting for: %s", #cond);    \
			if ((f)->runs)                                         \
				(void)loop_once((f)->super.loop, 20);          \
			else                                                   \
				(void)usleep(20 * 1000);                       \
		}                                                              \
	} while (0)

static void
expect_nothing_held(struct fixture *f)
{
	struct db_resource *r;

	assert_int_equal(
	    db_resource_get(f->db, f->arena, DB_ENGINE_DEFAULT, &r), 0);
	assert_int_equal(r->free_cores, r->cores);
}

static void
expect_text(const char *text, const char *part)
{
	assert_non_null(text);
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* --- tests --------------------------------------------------------------------- */

static void
a_local_job_runs_its_tasks_in_order(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "ok_0", "ok_1" } };
	const char *id;

	start(f);
	id = submit(f, &w);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_SUCCESS);
	assert_int_equal(job_of(f, id)->progress, 100);
	assert_int_equal(task_of(f, id, "ok_0")->party_status, STATE_SUCCESS);
	assert_int_equal(task_of(f, id, "ok_1")->status, STATE_SUCCESS);
	assert_true(task_of(f, id, "ok_1")->started_ms >=
		    task_of(f, id, "ok_0")->ended_ms);
	expect_nothing_held(f);
}

static void
a_chain_does_not_wait_for_a_clock(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1,
		.tasks = { "ok_0", "ok_1", "ok_2", "ok_3", "ok_4", "ok_5",
		    "ok_6", "ok_7", "ok_8", "ok_9" } };
	const char *id;
	int64_t begin, took, poll_ms = conf->poll_ms;

	/* So rare that ten of them are longer than a busy machine takes. */
	conf->poll_ms = 15000;
	start(f);
	begin = clock_mono_ms();
	id = submit(f, &w);
	AWAIT(f, job_of(f, id)->settled);
	took = clock_mono_ms() - begin;
	conf->poll_ms = poll_ms;
	print_message("chain of %d: %lld ms\n", CHAIN, (long long)took);
	assert_int_equal(job_of(f, id)->status, STATE_SUCCESS);
	/* One before each start would take 150 s. */
	assert_true(took < PATIENCE_MS);
	/* Nor is the job claimed anew for each. */
	assert_true(job_of(f, id)->lease_fence <= 3);
}

static void
a_shepherd_that_dies_fails_its_task_at_once(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "crash_0", "ok_1" } };
	const char *id;

	start(f);
	id = submit(f, &w);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_FAILED);
	expect_text(job_of(f, id)->reason,
	    "crash_0 failed at local 0: "
	    "shepherd ended with status 3 without a result");
	expect_text(task_of(f, id, "crash_0")->error_report, "status 3");
	assert_true(state_is_end(task_of(f, id, "ok_1")->party_status));
	assert_false(task_of(f, id, "ok_1")->start_acked);
	expect_nothing_held(f);
}

static void
a_canceled_job_ends_its_running_task(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "slow_0" } };
	const char *id;

	start(f);
	id = submit(f, &w);
	AWAIT(f, task_of(f, id, "slow_0")->party_status == STATE_RUNNING);
	assert_int_equal(
	    db_job_cancel(f->db, id, STATE_CANCELED, "enough", NULL), 0);
	site_wake(conf, id, WAKE_JOBS);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_CANCELED);
	assert_int_equal(
	    task_of(f, id, "slow_0")->party_status, STATE_CANCELED);
	assert_int_equal(task_of(f, id, "slow_0")->status, STATE_CANCELED);
	expect_nothing_held(f);
}

static void
a_silent_shepherd_loses_its_attempt(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "mute_0" } };
	const char *id;

	start(f);
	id = submit(f, &w);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_FAILED);
	expect_text(job_of(f, id)->reason, "no sign of life");
	expect_nothing_held(f);
}

static void
a_failed_task_is_tried_again_as_often_as_allowed(void **state)
{
	struct fixture *f = *state;
	const struct wanted once = {
		.cores = 1, .retries = 1, .tasks = { "flaky_0", "ok_1" }
	};
	const struct wanted never = { .cores = 1,
		.tasks = { "flaky_0", "ok_1" } };
	const char *id;

	start(f);
	id = submit(f, &once);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_SUCCESS);
	assert_int_equal(task_of(f, id, "flaky_0")->key.version, 1);
	id = submit(f, &never);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_FAILED);
	expect_text(job_of(f, id)->reason, "not yet");
}

static void
run_again(struct fixture *f, const char *id)
{
	struct party_caller self = { .party_id = "9999", .is_site = true };
	struct party_rerun again = { .job_id = id, .auto_retries = 0 };
	struct graph *graph;

	assert_int_equal(graph_from_dsl(job_of(f, id)->dsl, &graph), 0);
	again.graph = graph;
	if (initiator_rerun(f->db, &self, &again, NULL) != 0)
		fail_msg("%s", err_text());
	graph_free(graph);
	/* Whoever asked sees at once that it is not over. */
	assert_false(state_is_end(job_of(f, id)->status));
	site_wake(conf, id, WAKE_JOBS);
}

static void
a_rerun_runs_what_failed_and_what_follows(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "flaky_0", "ok_1" } };
	const char *id;

	start(f);
	id = submit(f, &w);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_FAILED);
	run_again(f, id);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_SUCCESS);
	assert_int_equal(task_of(f, id, "flaky_0")->key.version, 1);
	assert_int_equal(task_of(f, id, "ok_1")->status, STATE_SUCCESS);
	expect_nothing_held(f);
}

/* A job that has them until let_go(). */
static const char *
take_all_cores(struct fixture *f)
{
	const struct wanted big = { .cores = 2, .tasks = { "slow_0" } };
	const char *id = submit(f, &big);

	AWAIT(f, task_of(f, id, "slow_0")->party_status == STATE_RUNNING);
	return id;
}

static void
a_job_that_finds_no_cores_waits_and_says_so(void **state)
{
	struct fixture *f = *state;
	const struct wanted next = { .cores = 1, .tasks = { "ok_0" } };
	const char *first, *second;

	start(f);
	first = take_all_cores(f);
	second = submit(f, &next);
	AWAIT(f, job_of(f, second)->reason != NULL &&
		     strstr(job_of(f, second)->reason, "local 0") != NULL);
	assert_int_equal(job_of(f, second)->status, STATE_WAITING);
	print_message("%s\n", job_of(f, second)->reason);
	let_go();
	AWAIT(f, job_of(f, second)->settled);
	assert_int_equal(job_of(f, first)->status, STATE_SUCCESS);
	assert_int_equal(job_of(f, second)->status, STATE_SUCCESS);
	expect_nothing_held(f);
}

static void
wait_long(struct fixture *f, const char *id, const char *code)
{
	static const struct db_stmt age = { "test.age", "sss",
		"UPDATE job SET created_at = NOW(6) - INTERVAL 7 HOUR,"
		" queue_at = NOW(6) - INTERVAL 7 HOUR,"
		" wait_code = IF(? = '', wait_code, ?) WHERE job_id = ?" };

	assert_int_equal(db_exec(f->db, &age, NULL, code, code, id), 0);
}

static bool
waits_for_cores(struct fixture *f, const char *id)
{
	return strcmp(job_of(f, id)->wait.code, "waiting_resources") == 0;
}

/* The hours that a person took are not those of the queue. */
static void
a_job_that_was_approved_late_may_wait_for_cores(void **state)
{
	struct fixture *f = *state;
	const struct wanted next = { .cores = 1, .tasks = { "ok_0" } };
	const char *first, *second;

	start(f);
	first = take_all_cores(f);
	second = submit(f, &next);
	wait_long(f, second, "approval");
	AWAIT(f, waits_for_cores(f, second));
	let_go();
	AWAIT(f, job_of(f, second)->settled);
	assert_int_equal(job_of(f, second)->status, STATE_SUCCESS);
	AWAIT(f, job_of(f, first)->settled);
}

static void
a_rerun_that_does_not_begin_in_time_is_undone(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "flaky_0" } };
	const char *first, *again;

	start(f);
	again = submit(f, &w);
	AWAIT(f, job_of(f, again)->settled);
	first = take_all_cores(f);
	run_again(f, again);
	AWAIT(f, waits_for_cores(f, again));
	wait_long(f, again, "");
	site_wake(conf, again, WAKE_JOBS);
	AWAIT(f, job_of(f, again)->settled);
	assert_int_equal(job_of(f, again)->status, STATE_FAILED);
	expect_text(job_of(f, again)->reason, "did not start within");
	let_go();
	AWAIT(f, job_of(f, first)->settled);
}

/*
 * The answer to a claim's commit was lost: the lease is this supervisor's, and
 * it does not know.  A busy one renews its leases all the time.
 */
static void
a_lease_that_its_owner_does_not_know_is_given_back(void **state)
{
	struct fixture *f = *state;
	const struct wanted busy = { .cores = 1, .tasks = { "slow_0" } };
	const struct wanted other = { .cores = 1, .tasks = { "ok_0" } };
	struct db_job_claim *rows;
	const char *runs, *lost;
	size_t n;

	start(f);
	runs = submit(f, &busy);
	AWAIT(f, task_of(f, runs, "slow_0")->party_status == STATE_RUNNING);
	lost = submit(f, &other);
	/* By itself it would be over when nobody waits any more. */
	assert_int_equal(db_job_claim(f->db, f->arena, f->super.instance,
			     10 * PATIENCE_MS, 10, &rows, &n),
	    0);
	assert_true(n > 0);
	assert_string_equal(rows[n - 1].job_id, lost);
	/* The other one may have been due, and is none that was lost. */
	for (size_t i = 0; i + 1 < n; i++)
		assert_int_equal(
		    db_job_release(f->db, rows[i].job_id, rows[i].fence, 0, 0),
		    0);
	AWAIT(f, (site_wake(conf, runs, WAKE_JOBS),
		     job_of(f, lost)->status == STATE_SUCCESS));
	assert_int_equal(job_of(f, runs)->status, STATE_RUNNING);
	let_go();
	AWAIT(f, job_of(f, runs)->status == STATE_SUCCESS);
}

static void
more_than_the_site_has_fails_the_job(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 3, .tasks = { "ok_0" } };
	const char *id;

	start(f);
	id = submit(f, &w);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_FAILED);
	expect_text(job_of(f, id)->reason, "local 0");
}

/* A supervisor in a process of its own, to be killed. */
static pid_t
fork_supervisor(void)
{
	struct fixture f;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	if (try_start(&f) != 0)
		log_err("supervisor");
	else
		(void)loop_run(f.super.loop);
	_exit(1);
}

static void
kill_supervisor(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int64_t
attempts(struct fixture *f, const char *job_id, const char *component)
{
	static const struct db_stmt count = { "test.attempts", "ss",
		"SELECT COUNT(*) FROM attempt WHERE job_id = ?"
		" AND component = ?" };
	int64_t n;

	assert_int_equal(db_query_int(f->db, &count, &n, job_id, component), 0);
	return n;
}

static void
a_task_goes_on_while_its_supervisor_is_replaced(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "slow_0", "ok_1" } };
	const char *id = submit(f, &w);
	pid_t pid = fork_supervisor();

	AWAIT(f, task_of(f, id, "slow_0")->party_status == STATE_RUNNING);
	kill_supervisor(pid);
	pid = fork_supervisor();
	let_go();
	AWAIT(f, job_of(f, id)->settled);
	kill_supervisor(pid);
	assert_int_equal(job_of(f, id)->status, STATE_SUCCESS);
	assert_int_equal(attempts(f, id, "slow_0"), 1);
}

static void
a_task_that_died_with_the_supervisor_is_noticed_by_the_next(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "slow_0" } };
	const char *id = submit(f, &w);
	pid_t pid = fork_supervisor();
	struct db_attempt *rows;
	size_t n;

	AWAIT(f, task_of(f, id, "slow_0")->party_status == STATE_RUNNING);
	kill_supervisor(pid);
	start(f);
	stop(f);
	assert_int_equal(
	    db_attempt_open_on(f->db, f->arena, f->super.host, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(kill((pid_t)rows[0].shepherd_pid, SIGKILL), 0);
	start(f);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_FAILED);
	expect_text(job_of(f, id)->reason, "shepherd");
}

static void
supervisors_killed_again_and_again_finish_the_job(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1,
		.tasks = { "ok_0", "ok_1", "ok_2", "ok_3", "ok_4", "ok_5",
		    "ok_6", "ok_7", "ok_8", "ok_9" } };
	const char *id = submit(f, &w);
	pid_t pid;

	for (int i = 0; i < 30 && !job_of(f, id)->settled; i++) {
		pid = fork_supervisor();
		/* Each time a little later in what a start does. */
		(void)usleep((useconds_t)(20000 + 4000 * i));
		kill_supervisor(pid);
	}
	start(f);
	AWAIT(f, job_of(f, id)->settled);
	if (job_of(f, id)->status != STATE_SUCCESS)
		fail_msg("%s", job_of(f, id)->reason);
	for (size_t i = 0; i < CHAIN; i++)
		assert_int_equal(
		    task_of(f, id, w.tasks[i])->status, STATE_SUCCESS);
	expect_nothing_held(f);
}

static void
an_attempt_whose_launcher_died_first_is_launched_anew(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "ok_0" } };
	struct party_caller self = { .party_id = "9999", .is_site = true };
	char launcher[INSTANCE_SIZE];
	struct party_member m = { .role = "local", .party_id = "0" };
	struct db_task_key key = {
		.component = "ok_0", .role = "local", .party_id = "0"
	};
	struct db_attempt *rows;
	const char *id;
	size_t n;

	/* Learn the name that supervisors of this home have. */
	start(f);
	stop(f);
	(void)snprintf(launcher, sizeof(launcher), "%.*sdead",
	    (int)f->super.instance_prefix, f->super.instance);
	m.job_id = key.job_id = id = submit(f, &w);
	/* As far as a supervisor comes before it starts the shepherd. */
	assert_int_equal(
	    party_resource_apply(f->db, &self, &m, 10000, NULL, NULL), 0);
	assert_int_equal(party_job_start(f->db, &self, &m, NULL), 0);
	assert_int_equal(
	    db_job_move(f->db, id, STATE_RUNNING, 0, NULL, NULL), 0);
	assert_int_equal(party_task_start(f->db, &self, &key, NULL), 0);
	assert_int_equal(claim_any(f->db, f->arena, launcher, f->super.host,
			     60000, 1, &rows, &n),
	    0);
	assert_int_equal(n, 1);
	start(f);
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_SUCCESS);
	assert_int_equal(attempts(f, id, "ok_0"), 2);
}

/*
 * Claimed by a supervisor of a host that is called as this one is and has the
 * same folders, but is another place; its shepherd has the number of this very
 * process.  Nothing here may tell that it is gone, or end anybody for it.
 */
static void
a_process_id_of_another_place_means_nothing_here(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "ok_0" } };
	struct party_caller self = { .party_id = "9999", .is_site = true };
	struct party_member m = { .role = "local", .party_id = "0" };
	struct db_task_key key = {
		.component = "ok_0", .role = "local", .party_id = "0"
	};
	char host[SITE_HOST_SIZE], *label, *launcher;
	struct db_attempt *rows, *a;
	enum state kill;
	size_t n;

	/* The site has its capacity from then on. */
	start(f);
	stop(f);
	site_host(conf, host);
	label = peers_label(conf, host, "");
	launcher = xasprintf("%s:12345678", label);
	m.job_id = key.job_id = submit(f, &w);
	assert_int_equal(
	    party_resource_apply(f->db, &self, &m, 10000, NULL, NULL), 0);
	assert_int_equal(party_job_start(f->db, &self, &m, NULL), 0);
	assert_int_equal(
	    db_job_move(f->db, key.job_id, STATE_RUNNING, 0, NULL, NULL), 0);
	assert_int_equal(party_task_start(f->db, &self, &key, NULL), 0);
	assert_int_equal(
	    claim_any(f->db, f->arena, launcher, host, 60000, 1, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(db_attempt_renew(f->db, rows[0].attempt_id, 60000,
			     getpid(), 0, 0, &kill),
	    0);
	start(f);
	assert_int_equal(launch_adopt(f->super.launcher, NULL), 0);
	assert_int_equal(detectors_run_all(&f->super), 0);
	assert_int_equal(
	    db_attempt_get(f->db, f->arena, rows[0].attempt_id, &a), 0);
	assert_false(a->ended);
	assert_false(launch_is_watched(f->super.launcher, a->attempt_id));
	free(launcher);
	free(label);
}

static void
detectors_find_nothing_wrong_on_a_quiet_site(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(detectors_run_all(&f->super), 0);
}

/* --- uploaded files ------------------------------------------------------------ */

static char *
upload_path(const char *name)
{
	return site_path(conf, "%s/upload/%s", SITE_SPOOL, name);
}

/* A file of that name (".csv" is added) below the uploads, age_s old. */
static void
put_upload(const char *job_id, time_t age_s)
{
	char *name = xasprintf("%s.csv", job_id), *path = upload_path(name);
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = time(NULL) - age_s } };

	assert_int_equal(fd_replace_file(path, "id,x\na,1\n", 9, 0600), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	free(path);
	free(name);
}

static bool
has_upload(const char *job_id)
{
	char *name = xasprintf("%s.csv", job_id), *path = upload_path(name);
	bool has = access(path, F_OK) == 0;

	free(path);
	free(name);
	return has;
}

static void
an_uploaded_file_goes_when_its_job_fails(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "crash_0" } };
	const char *id = submit(f, &w);

	put_upload(id, 0);
	start(f);
	assert_true(has_upload(id));
	AWAIT(f, job_of(f, id)->settled);
	assert_int_equal(job_of(f, id)->status, STATE_FAILED);
	assert_false(has_upload(id));
}

static void
an_uploaded_file_goes_when_its_job_is_canceled(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "slow_0" } };
	const char *id = submit(f, &w);

	put_upload(id, 0);
	start(f);
	AWAIT(f, task_of(f, id, "slow_0")->party_status == STATE_RUNNING);
	assert_int_equal(leftovers_sweep_uploads(&f->super), 0);
	assert_true(has_upload(id));
	assert_int_equal(
	    db_job_cancel(f->db, id, STATE_CANCELED, "enough", NULL), 0);
	site_wake(conf, id, WAKE_JOBS);
	AWAIT(f, job_of(f, id)->settled);
	assert_false(has_upload(id));
}

static void
uploaded_files_of_ended_and_unknown_jobs_are_swept(void **state)
{
	struct fixture *f = *state;
	const struct wanted w = { .cores = 1, .tasks = { "ok_0" } };
	const char *ended = submit(f, &w);

	start(f);
	AWAIT(f, job_of(f, ended)->settled);
	stop(f);
	/* What a supervisor that died between the two left. */
	put_upload(ended, 0);
	put_upload("202001010000000000000", 2 * 3600);
	put_upload("202001010000000000001", 0);
	put_upload("notes", 2 * 3600);
	start(f);
	assert_false(has_upload(ended));
	assert_false(has_upload("202001010000000000000"));
	/* Perhaps its request is still copying. */
	assert_true(has_upload("202001010000000000001"));
	assert_true(has_upload("notes"));
	put_upload("202001010000000000001", 2 * 3600);
	assert_int_equal(detectors_run_all(&f->super), 0);
	assert_false(has_upload("202001010000000000001"));
}

/* --- errands ------------------------------------------------------------------- */

#define ERRAND "0123456789abcdef0123456789abcdef"

static void
add_errand(
    struct fixture *f, const char *kind, bool persistent, const char *calls)
{
	const struct db_errand e = { .errand_id = ERRAND,
		.kind = kind,
		.persistent = persistent,
		.calls = calls,
		.deadline_ms = 60000 };

	assert_int_equal(db_errand_add(f->db, &e), 0);
	site_wake(conf, "", WAKE_ASK);
}

static const struct db_errand *
errand_of(struct fixture *f)
{
	struct db_errand *e;

	assert_int_equal(db_errand_get(f->db, f->arena, ERRAND, &e), 0);
	return e;
}

static void
an_errand_is_done_and_whoever_waits_is_told(void **state)
{
	struct fixture *f = *state;
	char *path = errand_socket(conf, ERRAND), *dir, none[8];
	int fd;

	dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));
	assert_int_equal(fd_mkdirs(dir, 0700), 0);
	assert_int_equal(fd_dgram_bind(path, &fd), 0);
	start(f);
	add_errand(f, "ping", false,
	    "[{\"role\":\"guest\",\"party_id\":\"9999\",\"body\":{}}]");
	AWAIT(f, strcmp(errand_of(f)->state, "done") == 0);
	assert_string_equal(errand_of(f)->replies,
	    "[{\"retcode\":0,\"retmsg\":\"success\",\"silent\":false}]");
	assert_true(read(fd, none, sizeof(none)) >= 0);
	fd_close(&fd);
	assert_int_equal(unlink(path), 0);
	free(dir);
	free(path);
}

static void
a_member_that_cannot_be_asked_is_silent_in_the_replies(void **state)
{
	struct fixture *f = *state;

	add_errand(f, "ping", false,
	    "[{\"role\":\"host\",\"party_id\":\"10000\",\"body\":{}},"
	    "{\"role\":\"guest\",\"party_id\":\"9999\",\"body\":{}}]");
	start(f);
	AWAIT(f, strcmp(errand_of(f)->state, "done") == 0);
	expect_text(errand_of(f)->replies, "\"silent\":true");
	expect_text(errand_of(f)->replies, "party 10000 is no partner");
	expect_text(errand_of(f)->replies, "\"retmsg\":\"success\"");
}

static void
a_persistent_errand_asks_only_the_silent_again(void **state)
{
	struct fixture *f = *state;

	add_errand(f, "ping", true,
	    "[{\"role\":\"guest\",\"party_id\":\"9999\",\"body\":{}},"
	    "{\"role\":\"host\",\"party_id\":\"10000\",\"body\":{}}]");
	start(f);
	AWAIT(f, errand_of(f)->tries >= 2);
	assert_string_equal(errand_of(f)->state, "waiting");
	expect_text(errand_of(f)->replies, "\"retmsg\":\"success\"");
	/* A supervisor that died in the middle. */
	stop(f);
	start(f);
	AWAIT(f, errand_of(f)->tries >= 3);
}

static void
an_errand_that_makes_no_sense_ends(void **state)
{
	struct fixture *f = *state;

	start(f);
	add_errand(f, "no-such-kind", false, "[]");
	AWAIT(f, strcmp(errand_of(f)->state, "done") == 0);
	assert_string_equal(errand_of(f)->replies, "[]");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_local_job_runs_its_tasks_in_order),
		T(a_chain_does_not_wait_for_a_clock),
		T(a_shepherd_that_dies_fails_its_task_at_once),
		T(a_canceled_job_ends_its_running_task),
		T(a_silent_shepherd_loses_its_attempt),
		T(a_failed_task_is_tried_again_as_often_as_allowed),
		T(a_rerun_runs_what_failed_and_what_follows),
		T(a_job_that_finds_no_cores_waits_and_says_so),
		T(a_job_that_was_approved_late_may_wait_for_cores),
		T(a_rerun_that_does_not_begin_in_time_is_undone),
		T(a_lease_that_its_owner_does_not_know_is_given_back),
		T(more_than_the_site_has_fails_the_job),
		T(a_task_goes_on_while_its_supervisor_is_replaced),
		T(a_task_that_died_with_the_supervisor_is_noticed_by_the_next),
		T(supervisors_killed_again_and_again_finish_the_job),
		T(an_attempt_whose_launcher_died_first_is_launched_anew),
		T(a_process_id_of_another_place_means_nothing_here),
		T(detectors_find_nothing_wrong_on_a_quiet_site),
		T(an_uploaded_file_goes_when_its_job_fails),
		T(an_uploaded_file_goes_when_its_job_is_canceled),
		T(uploaded_files_of_ended_and_unknown_jobs_are_swept),
		T(an_errand_is_done_and_whoever_waits_is_told),
		T(a_member_that_cannot_be_asked_is_silent_in_the_replies),
		T(a_persistent_errand_asks_only_the_silent_again),
		T(an_errand_that_makes_no_sense_ends),
	};
	char *path;
	int r;

	log_init("test",
	    getenv("SLUICE_TEST_LOG") != NULL ? LOG_DEBUG_ : LOG_ERROR_);
	if (argc == 5 && strcmp(argv[3], "--attempt") == 0)
		return shepherd(argv[2], argv[4]);
	path = realpath("/proc/self/exe", NULL);
	program = path;
	r = cmocka_run_group_tests(tests, group_setup, group_teardown);
	free(path);
	return r;
}
