/*
 * Every detector with its condition brought about in a real database and real
 * folders; shepherds are a program that ends at once.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/base/str.h"
#include "lib/conf/site_disk.h"
#include "lib/db/db_detect.h"
#include "lib/db/db_event.h"
#include "lib/db/db_job.h"
#include "lib/db/db_operations.h"
#include "lib/db/db_resource.h"
#include "lib/db/db_task.h"
#include "lib/mailbox/mailbox.h"
#include "supervisor/detect.h"
#include "supervisor/detectors.h"
#include "supervisor/finding.h"
#include "supervisor/leftovers.h"
#include "supervisor/owners.h"
#include "supervisor/supervisor.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define JOB "202601010000000000010"
#define OTHER "202601010000000000020"
#define THIRD "202601010000000000030"
#define HOUR " - INTERVAL 1 HOUR"
#define LOST_ID "ab000000000000000000000000000001"
#define KEPT_ID "ab000000000000000000000000000002"
#define CACHE_ID "ab000000000000000000000000000003"

struct fixture {
	struct supervisor super;
	struct site_conf *conf;
	struct db *db;
	struct arena *arena;
};

static void
run_sql(struct fixture *f, const char *sql)
{
	if (db_run_script_statement(f->db, sql, strlen(sql)) != 0)
		fail_msg("%s", err_text());
}

static int64_t
number(struct fixture *f, const char *sql)
{
	/* A connection knows its statements by where they stand. */
	struct db_stmt *stmt = arena_alloc(f->arena, sizeof(*stmt));
	int64_t n;

	memcpy(
	    stmt, &(struct db_stmt){ "test.number", "", sql }, sizeof(*stmt));
	if (db_query_int(f->db, stmt, &n) != 0)
		fail_msg("%s", err_text());
	return n;
}

static void
load_conf(struct fixture *f)
{
	const struct site_conf *db = mariadb_conf();
	char *home = xasprintf("%s/site", mariadb_folder());
	char *path = xasprintf("%s/site.conf", home), *text, *dir;

	dir = xasprintf("%s/run/m", home);
	assert_int_equal(fd_mkdirs(dir, 0700), 0);
	free(dir);
	dir = xasprintf("%s/" SITE_SPOOL "/upload", home);
	assert_int_equal(fd_mkdirs(dir, 0700), 0);
	free(dir);
	text = xasprintf("[site]\nparty_id = 9999\nhome = %s\n"
			 "[database]\nsocket = %s\nname = %s\nuser = %s\n"
			 "[fcgi]\nupload_keep_free_mb = 1\n"
			 "[supervisor]\ncores = 4\nmemory_mb = 1000\n"
			 "[executor]\nshepherd_program = /bin/true\n"
			 "[mailbox]\nmemory_dir = %s/memory\n",
	    home, db->db_socket, db->db_name, db->db_user, home);
	assert_int_equal(fd_replace_file(path, text, strlen(text), 0600), 0);
	if (site_conf_load(path, &f->conf) != 0)
		fail_msg("%s", err_text());
	free(text);
	free(path);
	free(home);
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	mariadb_fresh();
	load_conf(f);
	f->db = mariadb_connect();
	f->arena = arena_new();
	f->super = (struct supervisor){ .conf = f->conf };
	if (db_open(f->conf, &f->super.db) != 0 ||
	    loop_new(&f->super.loop) != 0 || supervisor_start(&f->super) != 0)
		fail_msg("%s", err_text());
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	supervisor_stop(&f->super);
	loop_free(f->super.loop);
	db_close(f->super.db);
	db_close(f->db);
	arena_free(f->arena);
	site_conf_free(f->conf);
	free(f);
	return 0;
}

/* The one event that a detector wrote about a job. */
static void
expect_finding(
    struct fixture *f, const char *job, const char *detector, const char *words)
{
	struct db_event *rows;
	size_t i, n, found = 0;

	assert_int_equal(
	    db_event_list(f->db, f->arena, job, 0, 100, &rows, &n), 0);
	for (i = 0; i < n; i++)
		if (str_eq(rows[i].kind, "detector") &&
		    str_eq(rows[i].to_state, detector)) {
			found++;
			if (strstr(rows[i].reason, words) == NULL)
				fail_msg("\"%s\" does not say \"%s\"",
				    rows[i].reason, words);
		}
	if (found != 1)
		fail_msg("%zu findings of %s", found, detector);
}

static void
run_job(struct fixture *f)
{
	if (rows_initiated(f->db, JOB) != 0)
		fail_msg("%s", err_text());
	run_sql(f, "UPDATE job SET status = 'running',"
		   " started_at = NOW(6)" HOUR);
}

/* --- tasks ---------------------------------------------------------------------- */

static void
a_running_task_that_nobody_runs_fails(void **state)
{
	struct fixture *f = *state;

	run_job(f);
	run_sql(f, "UPDATE task SET party_status = 'running',"
		   " updated_at = NOW(6)" HOUR
		   " WHERE run_here = 1 AND component = 'reader_0'");
	assert_int_equal(detect_lost_tasks(&f->super), 0);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM task WHERE"
				   " run_here = 1 AND party_status = 'failed'"
				   " AND error_report LIKE 'nobody runs%'"),
	    1);
	expect_finding(f, JOB, "lost tasks", "nobody runs this task");
}

static void
add_attempt(struct fixture *f, const char *ended)
{
	char *sql = xasprintf(
	    "INSERT INTO attempt (job_id, component, version, role,"
	    " party_id, fence, attempt_id, host, launcher, lease_until,"
	    " ended_at) VALUES ('" JOB "', 'reader_0', 0, 'guest', '9999', 1,"
	    " REPEAT('a', 32), 'h', 'l', NOW(6), %s)",
	    ended);

	run_sql(f, sql);
	free(sql);
}

static void
a_task_whose_attempt_never_began_is_launched_anew(void **state)
{
	struct fixture *f = *state;

	run_job(f);
	add_attempt(f, "NOW(6)");
	run_sql(f, "UPDATE task SET updated_at = NOW(6)" HOUR);
	assert_int_equal(detect_lost_tasks(&f->super), 0);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM attempt"), 2);
	expect_finding(f, JOB, "lost tasks", "launched anew");
}

static void
a_start_that_nobody_took_is_taken(void **state)
{
	struct fixture *f = *state;

	run_job(f);
	run_sql(f, "UPDATE task SET launch_wanted = 1, updated_at = NOW(6)" HOUR
		   " WHERE run_here = 1 AND component = 'reader_0'");
	assert_int_equal(detect_late_launches(&f->super), 0);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM attempt"), 1);
	expect_finding(f, JOB, "late launches", "nobody took its start");
}

/* The socket at which the shepherd of reader_0 listens. */
static int
shepherd_socket(struct fixture *f)
{
	const struct mailbox_task task = { JOB, "reader_0", 0, "guest",
		"9999" };
	char *path;
	int fd = -1;

	if (mailbox_wake_path(f->conf, &task, &path) != 0 ||
	    fd_dgram_bind(path, &fd) != 0)
		fail_msg("%s", err_text());
	free(path);
	return fd;
}

static void
an_end_that_does_not_come_is_told(void **state)
{
	struct fixture *f = *state;
	char word[16] = "";
	int fd;

	run_job(f);
	add_attempt(f, "NULL");
	fd = shepherd_socket(f);
	run_sql(f, "UPDATE task SET party_status = 'running',"
		   " kill_wanted = 'canceled', updated_at = NOW(6)" HOUR
		   " WHERE run_here = 1 AND component = 'reader_0'");
	assert_int_equal(detect_late_ends(&f->super), 0);
	expect_finding(f, JOB, "late ends", "told to end");
	assert_int_equal(recv(fd, word, sizeof(word) - 1, MSG_DONTWAIT), 4);
	assert_string_equal(word, "kill");
	(void)close(fd);
}

static void
a_session_of_engines_that_is_open_for_too_long_ends(void **state)
{
	static const char wanted[] = "SELECT COUNT(*) FROM task"
				     " WHERE kill_wanted = 'timeout'"
				     " AND component = 'reader_0'";
	struct fixture *f = *state;

	run_job(f);
	add_attempt(f, "NULL");
	run_sql(f, "UPDATE task SET party_status = 'running'"
		   " WHERE run_here = 1 AND component = 'reader_0'");
	run_sql(f, "UPDATE attempt SET started_at = NOW(6)"
		   " - INTERVAL 167 HOUR");
	assert_int_equal(detect_sessions(&f->super), 0);
	assert_int_equal(number(f, wanted), 0);
	run_sql(f, "UPDATE attempt SET started_at = NOW(6)"
		   " - INTERVAL 169 HOUR");
	assert_int_equal(detect_sessions(&f->super), 0);
	assert_int_equal(number(f, wanted), 1);
	expect_finding(f, JOB, "engine sessions", "open for 169 hours");
	/* Once. */
	assert_int_equal(detect_sessions(&f->super), 0);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM event"
				   " WHERE to_state = 'engine sessions'"),
	    1);
}

static void
a_session_of_engines_ends_after_its_job(void **state)
{
	struct fixture *f = *state;

	run_job(f);
	add_attempt(f, "NULL");
	run_sql(f, "UPDATE task SET party_status = 'running'"
		   " WHERE run_here = 1 AND component = 'reader_0'");
	run_sql(f, "UPDATE job SET ended_at = NOW(6) - INTERVAL 61 SECOND");
	assert_int_equal(detect_sessions(&f->super), 0);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM task"
				   " WHERE kill_wanted = 'timeout'"),
	    1);
	expect_finding(f, JOB, "engine sessions", "its job ended a minute ago");
}

static void
a_withdrawal_that_was_cut_off_is_finished(void **state)
{
	static const char signalled[] = "SELECT COUNT(*) FROM job WHERE"
					" cancel_signal = 1 AND"
					" cancel_status = 'failed' AND reason"
					" LIKE 'arbiter 10000: party 10000 is"
					" disabled%'";
	struct fixture *f = *state;

	run_job(f);
	run_sql(f, "UPDATE job SET created_at = NOW(6)" HOUR);
	run_sql(f, "INSERT INTO withdrawal (party_id, kind, since)"
		   " VALUES ('10000', 'disabled', NOW(6))");
	/* The command that withdraws may be at it. */
	assert_int_equal(detect_withdrawals(&f->super), 0);
	assert_int_equal(number(f, signalled), 0);
	run_sql(f, "UPDATE withdrawal SET since = NOW(6)"
		   " - INTERVAL 11 SECOND");
	assert_int_equal(detect_withdrawals(&f->super), 0);
	assert_int_equal(number(f, signalled), 1);
	expect_finding(f, "", "withdrawals", "party 10000 was withdrawn");
	assert_int_equal(detect_withdrawals(&f->super), 0);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM withdrawal"), 0);
}

static void
reports_that_nobody_takes_are_told(void **state)
{
	struct fixture *f = *state;

	run_job(f);
	run_sql(f, "UPDATE task SET report_due = 1, updated_at = NOW(6)" HOUR);
	assert_int_equal(detect_report_backlog(&f->super), 0);
	expect_finding(f, "", "report backlog", "initiators");
}

/* --- jobs -------------------------------------------------------------------------- */

static void
a_job_in_which_nothing_happens_is_told_and_planned(void **state)
{
	struct fixture *f = *state;

	run_job(f);
	run_sql(f, "UPDATE task SET updated_at = NOW(6)" HOUR);
	run_sql(f, "UPDATE job SET next_look_at = NOW(6) + INTERVAL 1 HOUR");
	assert_int_equal(detect_stuck_jobs(&f->super), 0);
	expect_finding(f, JOB, "stuck jobs", "none of its tasks");
	assert_int_equal(
	    number(f, "SELECT next_look_at <= NOW(6) FROM job"), 1);
}

static void
a_job_over_its_limit_is_planned(void **state)
{
	struct fixture *f = *state;

	run_job(f);
	run_sql(f, "UPDATE job SET timeout_s = 10,"
		   " next_look_at = NOW(6) + INTERVAL 1 HOUR");
	assert_int_equal(detect_job_timeouts(&f->super), 0);
	assert_int_equal(
	    number(f, "SELECT next_look_at <= NOW(6) FROM job"), 1);
}

static void
partner_job(struct fixture *f)
{
	struct rows_partner p;

	/* Here the host's site; its home has another number, rows do not ask. */
	rows_partner_init(&p, OTHER, "host");
	if (db_job_insert(f->db, &p.job, NULL) != 0)
		fail_msg("%s", err_text());
}

static void
a_partners_job_that_never_starts_ends(void **state)
{
	struct fixture *f = *state;

	partner_job(f);
	run_sql(f, "UPDATE job SET updated_at = NOW(6) - INTERVAL 8 HOUR");
	assert_int_equal(detect_stale_jobs(&f->super), 0);
	assert_int_equal(
	    number(f, "SELECT COUNT(*) FROM job WHERE status = 'timeout'"), 1);
	expect_finding(f, OTHER, "stale jobs", "never started");
}

/* One row that cannot be written keeps no other from its end. */
static void
what_goes_wrong_with_one_row_stops_no_batch(void **state)
{
	static const char ends[] = "SELECT COUNT(*) FROM job"
				   " WHERE status = 'timeout'";
	struct fixture *f = *state;
	struct rows_partner p;
	int r;

	partner_job(f);
	rows_partner_init(&p, THIRD, "host");
	assert_int_equal(db_job_insert(f->db, &p.job, NULL), 0);
	run_sql(f, "UPDATE job SET updated_at = NOW(6) - INTERVAL 8 HOUR");
	run_sql(f, "CREATE TRIGGER broken BEFORE UPDATE ON job FOR EACH ROW"
		   " IF NEW.job_id = '" OTHER "' THEN"
		   " SIGNAL SQLSTATE '45000'; END IF");
	r = detect_stale_jobs(&f->super);
	run_sql(f, "DROP TRIGGER broken");
	assert_int_equal(r, ERR_DB);
	assert_int_equal(number(f, ends), 1);
	assert_int_equal(
	    number(f, "SELECT COUNT(*) FROM job WHERE"
		      " job_id = '" THIRD "' AND status = 'timeout'"),
	    1);
	assert_int_equal(detect_stale_jobs(&f->super), 0);
	assert_int_equal(number(f, ends), 2);
}

static void
one_session_that_cannot_be_ended_keeps_no_other_open(void **state)
{
	struct fixture *f = *state;
	int r;

	run_job(f);
	add_attempt(f, "NULL");
	run_sql(f, "INSERT INTO attempt (job_id, component, version, role,"
		   " party_id, fence, attempt_id, host, launcher, lease_until)"
		   " VALUES ('" JOB "', 'lr_0', 0, 'guest', '9999', 1,"
		   " REPEAT('b', 32), 'h', 'l', NOW(6))");
	run_sql(f, "UPDATE task SET party_status = 'running'"
		   " WHERE run_here = 1");
	run_sql(f, "UPDATE job SET ended_at = NOW(6) - INTERVAL 61 SECOND");
	run_sql(f, "CREATE TRIGGER broken BEFORE UPDATE ON task FOR EACH ROW"
		   " IF NEW.component = 'lr_0' THEN"
		   " SIGNAL SQLSTATE '45000'; END IF");
	r = detect_sessions(&f->super);
	run_sql(f, "DROP TRIGGER broken");
	assert_int_equal(r, ERR_DB);
	assert_int_equal(
	    number(f, "SELECT COUNT(*) FROM task WHERE component = 'reader_0'"
		      " AND kill_wanted = 'timeout'"),
	    1);
}

static void
a_partners_job_that_does_not_move_is_asked_about(void **state)
{
	struct fixture *f = *state;
	struct db_partner_job *rows;
	size_t n;

	partner_job(f);
	run_sql(f, "UPDATE job SET run = 3");
	assert_int_equal(
	    db_detect_doubtful(f->db, f->arena, 60000, 10, &rows, &n), 0);
	assert_int_equal(n, 0);
	run_sql(f, "UPDATE job SET updated_at = NOW(6) - INTERVAL 61 SECOND");
	assert_int_equal(
	    db_detect_doubtful(f->db, f->arena, 60000, 10, &rows, &n), 0);
	/* Once for each member here: arbiter and host. */
	assert_int_equal(n, 2);
	assert_string_equal(rows[1].job_id, OTHER);
	assert_int_equal(rows[1].run, 3);
	assert_string_equal(rows[1].role, "host");
	assert_string_equal(rows[1].initiator_role, "guest");
	assert_string_equal(rows[1].initiator_party, ROWS_GUEST);
	run_sql(f, "UPDATE job SET status = 'running',"
		   " updated_at = NOW(6) - INTERVAL 61 SECOND");
	assert_int_equal(
	    db_detect_doubtful(f->db, f->arena, 60000, 10, &rows, &n), 0);
	assert_int_equal(n, 2);
	run_sql(f, "UPDATE job SET status = 'failed',"
		   " updated_at = NOW(6) - INTERVAL 61 SECOND");
	assert_int_equal(
	    db_detect_doubtful(f->db, f->arena, 60000, 10, &rows, &n), 0);
	assert_int_equal(n, 0);
}

static void
a_partners_job_that_nobody_ends_ends(void **state)
{
	struct fixture *f = *state;

	partner_job(f);
	run_sql(f, "UPDATE job SET status = 'running', timeout_s = 60,"
		   " started_at = NOW(6) - INTERVAL 2 HOUR");
	assert_int_equal(detect_forgotten_jobs(&f->super), 0);
	assert_int_equal(
	    number(f, "SELECT COUNT(*) FROM job WHERE status = 'timeout'"), 1);
	expect_finding(f, OTHER, "forgotten jobs", "beyond its time limit");
	assert_int_equal(number(f, "SELECT COUNT(*) FROM task WHERE"
				   " run_here = 1 AND party_status ="
				   " 'waiting'"),
	    0);
}

/* --- the ledger ---------------------------------------------------------------------- */

static void
grants_of_nobody_are_given_back(void **state)
{
	struct fixture *f = *state;
	struct db_resource *r;

	run_sql(f, "INSERT INTO resource_grant (job_id, role, party_id, engine,"
		   " cores, memory_mb, granted_at) VALUES ('" OTHER "', 'host',"
		   " '10000', 'STANDALONE', 3, 10, NOW(6)" HOUR ")");
	assert_int_equal(detect_ledger(&f->super), 0);
	expect_finding(f, OTHER, "ledger", "a job that is not here");
	assert_int_equal(
	    db_resource_get(f->db, f->arena, DB_ENGINE_DEFAULT, &r), 0);
	assert_int_equal(r->free_cores, r->cores);
	/* Told once, and nothing is left to tell. */
	assert_int_equal(detect_ledger(&f->super), 0);
	expect_finding(f, OTHER, "ledger", "a job that is not here");
}

static void
more_granted_than_there_is_breaks_the_ledger(void **state)
{
	struct fixture *f = *state;
	struct buf text = BUF_INIT;

	run_job(f);
	run_sql(f, "INSERT INTO resource_grant (job_id, role, party_id, engine,"
		   " cores, memory_mb) VALUES ('" JOB "', 'guest', '9999',"
		   " 'STANDALONE', 5, 10)");
	assert_int_equal(detect_ledger(&f->super), 0);
	expect_finding(f, "", "ledger", "5 of 4 cores");
	metrics_render(f->super.metrics, &text);
	assert_non_null(strstr(buf_str(&text), "sluice_ledger_broken 1\n"));
	assert_non_null(strstr(
	    buf_str(&text), "sluice_findings_total{detector=\"ledger\"} 1\n"));
	buf_fini(&text);
}

static void
a_job_that_runs_on_cores_it_does_not_hold_is_told(void **state)
{
	struct fixture *f = *state;

	run_job(f);
	run_sql(f, "UPDATE job_party SET cores = 2 WHERE is_local = 1");
	assert_int_equal(detect_ledger(&f->super), 0);
	expect_finding(f, JOB, "ledger", "does not hold");
}

static void
reservations_of_ended_jobs_are_given_back(void **state)
{
	struct fixture *f = *state;

	run_job(f);
	run_sql(f, "UPDATE job SET status = 'failed'");
	run_sql(f, "INSERT INTO resource_grant (job_id, role, party_id, engine,"
		   " cores, memory_mb) VALUES ('" JOB "', 'guest', '9999',"
		   " 'STANDALONE', 2, 10)");
	assert_int_equal(detect_reservations(&f->super), 0);
	expect_finding(f, "", "reservations", "grants of ended jobs");
	assert_int_equal(number(f, "SELECT COUNT(*) FROM resource_grant"
				   " WHERE returned_at IS NULL"),
	    0);
}

/* --- disks and folders ------------------------------------------------------------------ */

static void
a_full_disk_is_told_and_refuses_work(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(site_disk_check(f->conf), 0);
	f->conf->upload_keep_free_mb = INT64_C(1) << 40;
	assert_int_equal(detect_disks(&f->super), 0);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM event WHERE"
				   " to_state = 'disks'"),
	    2);
	assert_int_equal(site_disk_check(f->conf), ERR_BUSY);
	assert_non_null(strstr(err_text(), "disk for home is full"));
}

static char *
make_folder(struct fixture *f, const char *below)
{
	char *path = site_path(f->conf, "%s", below);

	assert_int_equal(fd_mkdirs(path, 0700), 0);
	return path;
}

static void
make_old(const char *path)
{
	struct timespec t[2] = { { .tv_sec = 1000000000 },
		{ .tv_sec = 1000000000 } };

	assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

/* A folder that nobody can remove, where that can be made. */
static bool
make_stuck(const char *path)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", path, "tmpfs", 0, NULL) == 0;
}

static void
make_socket(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	fd_close(&fd);
}

static void
what_attempts_left_is_removed_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	char *old, *young, *running, *mail, *sock, *deep, *stuck;
	bool is_stuck;

	run_job(f);
	stuck = make_folder(f, "jobs/202601010000000000031");
	is_stuck = make_stuck(stuck);
	make_old(stuck);
	deep = make_folder(f, "jobs/" OTHER "/guest/9999/reader_0/0/1/out");
	free(deep);
	old = make_folder(f, "jobs/" OTHER);
	young = make_folder(f, "jobs/202601010000000000030");
	running = make_folder(f, "jobs/" JOB);
	mail = make_folder(f, "mailbox/" OTHER ".lr_0.0.guest.9999");
	sock = site_path(f->conf, "run/m/0123456789abcdef");
	make_socket(sock);
	make_old(old);
	make_old(running);
	make_old(mail);
	make_old(sock);
	/* What cannot be removed keeps nothing else from it. */
	assert_int_equal(detect_work_folders(&f->super), 0);
	assert_true((access(stuck, F_OK) == 0) == is_stuck);
	if (is_stuck)
		assert_int_equal(umount2(stuck, MNT_DETACH), 0);
	assert_int_not_equal(access(old, F_OK), 0);
	assert_int_not_equal(access(mail, F_OK), 0);
	assert_int_not_equal(access(sock, F_OK), 0);
	assert_int_equal(access(young, F_OK), 0);
	assert_int_equal(access(running, F_OK), 0);
	free(stuck);
	free(old);
	free(young);
	free(running);
	free(mail);
	free(sock);
}

/* Killed between moving its table and writing the row. */
static void
tables_without_a_row_are_removed_and_no_others(void **state)
{
	struct fixture *f = *state;
	char *lost = make_folder(f, SITE_TABLES "/ab/" LOST_ID);
	char *kept = make_folder(f, SITE_TABLES "/ab/" KEPT_ID);
	char *cache = make_folder(f, SITE_TABLES "/ab/" CACHE_ID);
	char *other = make_folder(f, SITE_TABLES "/ab/something");
	char *file = xasprintf("%s/data.mdb", lost);

	assert_int_equal(fd_replace_file(file, "x", 1, 0600), 0);
	run_sql(f,
	    "INSERT INTO data_table (namespace, name, engine, address, folder,"
	    " table_schema_json, origin)"
	    " VALUES ('n', 't', 'STANDALONE', '{}', 'ab/" KEPT_ID "', '{}',"
	    " 'output')");
	run_sql(f,
	    "INSERT INTO task_cache (cache_key, job_id, component, version,"
	    " role, party_id, cache_name, folder, meta, row_count, expires_at)"
	    " VALUES (REPEAT('c', 32), '" JOB "', 'x', 0, 'guest', '9999',"
	    " 'x', 'ab/" CACHE_ID "', '{}', 0, NOW(6) + INTERVAL 1 DAY)");
	/* Its row may be on the way. */
	assert_int_equal(leftovers_sweep_tables(&f->super, 0xab, 3600), 0);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(leftovers_sweep_tables(&f->super, 0xac, 0), 0);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(leftovers_sweep_tables(&f->super, 0xab, 0), 0);
	assert_int_not_equal(access(lost, F_OK), 0);
	assert_int_equal(access(kept, F_OK), 0);
	assert_int_equal(access(cache, F_OK), 0);
	assert_int_equal(access(other, F_OK), 0);
	free(lost);
	free(kept);
	free(cache);
	free(other);
	free(file);
}

/* --- the tables ---------------------------------------------------------------------------- */

static bool
has_owner(enum owned what, enum state st)
{
	size_t i, n;
	const struct owner *o = owners_table(&n);

	for (i = 0; i < n; i++)
		if (o[i].what == what && o[i].state == st)
			return true;
	return false;
}

static void
no_state_is_without_somebody_for_its_next_step(void **state)
{
	(void)state;
	for (int i = 0; i < STATE_COUNT; i++) {
		enum state st = (enum state)i;

		if (state_is_end(st))
			continue;
		if ((state_kinds(st) & STATE_OF_JOB) != 0 &&
		    (!has_owner(OWNED_JOB, st) ||
			!has_owner(OWNED_PARTNER_JOB, st)))
			fail_msg(
			    "nobody moves a job that is %s", state_name(st));
		if ((state_kinds(st) & STATE_OF_TASK) != 0 &&
		    !has_owner(OWNED_TASK, st))
			fail_msg(
			    "nobody moves a task that is %s", state_name(st));
	}
}

static void
every_owner_is_watched_by_a_detector_of_the_table(void **state)
{
	size_t i, k, n, detectors;
	const struct owner *o = owners_table(&n);
	const struct detector *d = detectors_table(&detectors);

	(void)state;
	for (i = 0; i < n; i++) {
		for (k = 0; k < detectors; k++)
			if (str_eq(d[k].name, o[i].detector))
				break;
		if (k == detectors)
			fail_msg("no detector %s", o[i].detector);
	}
	for (k = 0; k < detectors; k++) {
		assert_true(d[k].period_ms > 0);
		assert_true(
		    d[k].condition[0] != '\0' && d[k].action[0] != '\0');
	}
}

static char *
documented_row(const struct detector *d)
{
	if (d->period_ms >= 60000)
		return xasprintf("\n| %s | %lld min | %s | ", d->name,
		    (long long)(d->period_ms / 60000), d->condition);
	return xasprintf("\n| %s | %g s | %s | ", d->name,
	    (double)d->period_ms / 1000, d->condition);
}

/* docs/operations.md has a row for each, with its period and condition. */
static void
detectors_and_numbers_are_documented(void **state)
{
	size_t i, n;
	const struct detector *d = detectors_table(&n);
	struct buf page = BUF_INIT;
	char *row;

	(void)state;
	assert_int_equal(
	    buf_read_file(&page, "docs/operations.md", 1 << 20), 0);
	for (i = 0; i < n; i++) {
		row = documented_row(&d[i]);
		if (strstr(buf_str(&page), row) == NULL)
			fail_msg("docs/operations.md lacks \"%s\"", row + 1);
		free(row);
	}
#define X(name, kind, help)                                                    \
	if (strstr(buf_str(&page), "\n| `sluice_" #name "` | ") == NULL)       \
		fail_msg("docs/operations.md lacks sluice_" #name);
	METRIC_FAMILIES(X)
#undef X
	buf_fini(&page);
}

static void
a_supervisor_says_that_it_runs_and_what_it_counted(void **state)
{
	struct fixture *f = *state;
	struct db_supervisor *rows;
	size_t n;

	assert_int_equal(
	    db_supervisor_list(f->db, f->arena, true, &rows, &n), 0);
	assert_int_equal(n, 1);
	assert_true(rows[0].age_ms < 60000);
	assert_non_null(
	    strstr(rows[0].metrics, "sluice_process_start_seconds"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_running_task_that_nobody_runs_fails),
		T(a_task_whose_attempt_never_began_is_launched_anew),
		T(a_start_that_nobody_took_is_taken),
		T(an_end_that_does_not_come_is_told),
		T(a_session_of_engines_that_is_open_for_too_long_ends),
		T(a_session_of_engines_ends_after_its_job),
		T(a_withdrawal_that_was_cut_off_is_finished),
		T(reports_that_nobody_takes_are_told),
		T(a_job_in_which_nothing_happens_is_told_and_planned),
		T(a_job_over_its_limit_is_planned),
		T(a_partners_job_that_never_starts_ends),
		T(what_goes_wrong_with_one_row_stops_no_batch),
		T(one_session_that_cannot_be_ended_keeps_no_other_open),
		T(a_partners_job_that_does_not_move_is_asked_about),
		T(a_partners_job_that_nobody_ends_ends),
		T(grants_of_nobody_are_given_back),
		T(more_granted_than_there_is_breaks_the_ledger),
		T(a_job_that_runs_on_cores_it_does_not_hold_is_told),
		T(reservations_of_ended_jobs_are_given_back),
		T(a_full_disk_is_told_and_refuses_work),
		T(what_attempts_left_is_removed_and_nothing_else),
		T(tables_without_a_row_are_removed_and_no_others),
		T(a_supervisor_says_that_it_runs_and_what_it_counted),
		cmocka_unit_test(detectors_and_numbers_are_documented),
		cmocka_unit_test(
		    no_state_is_without_somebody_for_its_next_step),
		cmocka_unit_test(
		    every_owner_is_watched_by_a_detector_of_the_table),
	};

	log_init("test",
	    getenv("SLUICE_TEST_LOG") != NULL ? LOG_DEBUG_ : LOG_ERROR_);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
