/*
 * Retention in a real database and real folders: what is old goes, what is
 * young or kept for ever stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db.h"
#include "supervisor/janitor.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define OLD_JOB "202001010000000000010"
#define RUNS "202001010000000000020"

struct fixture {
	struct site_conf conf;
	struct supervisor super;
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	mariadb_fresh();
	f->conf = *mariadb_conf();
	f->conf.home = xasprintf("%s/janitor", mariadb_folder());
	f->conf.log_days = 30;
	f->conf.event_days = 30;
	f->conf.metric_days = 30;
	f->super = (struct supervisor){ .conf = &f->conf,
		.db = mariadb_connect(),
		.metrics = metrics_new() };
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fd_remove_tree(f->conf.home), 0);
	db_close(f->super.db);
	metrics_free(f->super.metrics);
	free(f->conf.home);
	free(f);
	return 0;
}

static void
run_sql(struct fixture *f, const char *sql)
{
	if (db_run_script_statement(f->super.db, sql, strlen(sql)) != 0)
		fail_msg("%s", err_text());
}

static int64_t
count(struct fixture *f, const struct db_stmt *stmt)
{
	int64_t n;

	assert_int_equal(db_query_int(f->super.db, stmt, &n), 0);
	return n;
}

static int64_t
events(struct fixture *f)
{
	static const struct db_stmt all = { "test.events", "",
		"SELECT COUNT(*) FROM event" };

	return count(f, &all);
}

static char *
make_file(struct fixture *f, const char *below, const char *text, bool old)
{
	struct timespec t[2] = { { .tv_sec = 1000000000 },
		{ .tv_sec = 1000000000 } };
	char *path = site_path(&f->conf, "%s", below), *dir = xstrdup(path);

	*strrchr(dir, '/') = '\0';
	assert_int_equal(fd_mkdirs(dir, 0700), 0);
	assert_int_equal(fd_replace_file(path, text, strlen(text), 0600), 0);
	if (old)
		assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
	free(dir);
	return path;
}

static void
expect(char *path, bool there)
{
	if ((access(path, F_OK) == 0) != there)
		fail_msg("%s is%s there", path, there ? " not" : "");
	free(path);
}

static void
bite(struct fixture *f)
{
	bool more;

	assert_int_equal(janitor_bite(&f->super, &more), 0);
	assert_false(more);
}

static void
logs_of_old_jobs_go_and_those_that_run_stay(void **state)
{
	struct fixture *f = *state;
	char *gone = make_file(f, "logs/" OLD_JOB "/guest/INFO.log", "x", true);
	char *kept = make_file(f, "logs/" RUNS "/guest/INFO.log", "x", true);
	char *other = make_file(f, "logs/notes/INFO.log", "x", true);

	if (rows_initiated(f->super.db, RUNS) != 0)
		fail_msg("%s", err_text());
	bite(f);
	expect(gone, false);
	expect(kept, true);
	expect(other, true);
}

static void
nothing_goes_where_zero_days_are_said(void **state)
{
	struct fixture *f = *state;
	char *kept = make_file(f, "logs/" OLD_JOB "/guest/INFO.log", "x", true);

	f->conf.log_days = f->conf.event_days = f->conf.metric_days = 0;
	run_sql(f, "INSERT INTO event (job_id, kind, actor, at) VALUES"
		   " ('1', 'job', 'x', '2020-01-01')");
	bite(f);
	expect(kept, true);
	assert_int_equal(events(f), 1);
}

static void
old_events_go_and_young_ones_stay(void **state)
{
	struct fixture *f = *state;

	run_sql(f, "INSERT INTO event (job_id, kind, actor, at) VALUES"
		   " ('1', 'job', 'x', '2020-01-01'),"
		   " ('1', 'job', 'x', '2020-01-02'),"
		   " ('1', 'job', 'x', NOW(6))");
	bite(f);
	assert_int_equal(events(f), 1);
}

/* A series with two points of each job, all of them made long ago. */
static void
put_metrics(struct fixture *f)
{
	static const char *const jobs[] = { OLD_JOB, RUNS, "again" };

	for (size_t i = 0; i < 3; i++) {
		char *sql = xasprintf(
		    "INSERT INTO metric (id, job_id, component, version, role,"
		    " party_id, namespace, name, created_at) VALUES (%zu, '%s',"
		    " 'lr_0', 0, 'guest', '9999', 'train', 'loss',"
		    " '2020-01-01')",
		    i + 1, jobs[i]);

		run_sql(f, sql);
		free(sql);
		sql = xasprintf(
		    "INSERT INTO metric_point (metric_id, point_key,"
		    " point_value) VALUES (%zu, '1', '2'), (%zu, '2', '3')",
		    i + 1, i + 1);
		run_sql(f, sql);
		free(sql);
		if (rows_initiated(f->super.db, jobs[i]) != 0)
			fail_msg("%s", err_text());
	}
	run_sql(f, "UPDATE job SET ended_at = '2020-01-02' WHERE job_id = "
		   "'" OLD_JOB "'");
	/* It has run anew since. */
	run_sql(f, "UPDATE job SET ended_at = NOW(6) WHERE job_id = 'again'");
	run_sql(f, "INSERT INTO summary (job_id, component, version, role,"
		   " party_id, summary) VALUES ('" OLD_JOB
		   "', 'lr_0', 0, 'guest', '9999', '{}')");
}

static void
metrics_of_old_jobs_go_with_their_points(void **state)
{
	static const struct db_stmt points = { "test.points", "",
		"SELECT COUNT(*) FROM metric_point" };
	static const struct db_stmt series = { "test.series", "",
		"SELECT COUNT(*) FROM metric WHERE id IN (2, 3)" };
	static const struct db_stmt all = { "test.all", "",
		"SELECT COUNT(*) FROM metric" };
	static const struct db_stmt summaries = { "test.summaries", "",
		"SELECT COUNT(*) FROM summary" };
	struct fixture *f = *state;

	put_metrics(f);
	f->conf.metric_days = 0;
	bite(f);
	assert_int_equal(count(f, &points), 6);
	f->conf.metric_days = 30;
	bite(f);
	assert_int_equal(count(f, &all), 2);
	assert_int_equal(count(f, &series), 2);
	assert_int_equal(count(f, &points), 4);
	assert_int_equal(count(f, &summaries), 1);
}

static void
what_nginx_left_and_old_rotated_logs_go(void **state)
{
	struct fixture *f = *state;
	char *body = make_file(f, "spool/mailbox/0000000001", "x", true);
	char *young = make_file(f, "spool/mailbox/0000000002", "x", false);
	char *old =
	    make_file(f, "logs/fcgi-app.log.20200101T000000", "x", true);
	char *log = make_file(f, "logs/fcgi-app.log", "x", true);

	bite(f);
	expect(body, false);
	expect(young, true);
	expect(old, false);
	expect(log, true);
}

static void
what_a_killed_migration_was_writing_goes_and_archives_stay(void **state)
{
	struct fixture *f = *state;
	char *left = make_file(f, "models/migrated/made-Ab3dEf", "x", true);
	char *now = make_file(f, "models/migrated/made-Gh1jKl", "x", false);
	char *archive =
	    make_file(f, "models/migrated/guest#1#made-here_2.zip", "x", true);

	bite(f);
	expect(left, false);
	expect(now, true);
	expect(archive, true);
}

static void
a_large_log_is_rotated_and_its_writer_goes_on(void **state)
{
	struct fixture *f = *state;
	size_t size = (size_t)2 << 20;
	char *text = xmalloc(size + 1), *path;
	struct stat st;
	int fd;

	memset(text, 'x', size);
	text[size] = '\0';
	path = make_file(f, "logs/fcgi-app.log", text, false);
	free(text);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	f->conf.log_max_mb = 1;
	bite(f);
	assert_int_equal(write(fd, "line\n", 5), 5);
	fd_close(&fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 5);
	free(path);
}

/* Whoever may put names into logs/ gets no other file copied or emptied. */
static void
what_is_no_log_of_its_own_is_left_alone(void **state)
{
	struct fixture *f = *state;
	size_t size = (size_t)2 << 20;
	char *text = xmalloc(size + 1), *secret, *soft, *hard;
	struct stat st;

	memset(text, 'x', size);
	text[size] = '\0';
	secret = make_file(f, "keys/sign.key", text, false);
	free(make_file(f, "logs/a.txt", "x", false));
	soft = site_path(&f->conf, "logs/soft.log");
	hard = site_path(&f->conf, "logs/hard.log");
	assert_int_equal(symlink(secret, soft), 0);
	assert_int_equal(link(secret, hard), 0);
	f->conf.log_max_mb = 1;
	bite(f);
	assert_int_equal(stat(secret, &st), 0);
	assert_int_equal(st.st_size, size);
	free(text);
	free(secret);
	free(soft);
	free(hard);
}

/* A signal would not reach nginx there: it would write on in the old file. */
static void
logs_of_another_user_are_not_taken_away(void **state)
{
	struct fixture *f = *state;
	size_t size = (size_t)2 << 20;
	char *text = xmalloc(size + 1), *app;
	struct stat st;

	memset(text, 'x', size);
	text[size] = '\0';
	free(make_file(f, "logs/partner-in.log", text, false));
	free(make_file(f, "logs/nginx-access.log", text, false));
	free(make_file(f, "logs/refused.log", text, false));
	free(make_file(f, "logs/supervisor.log", text, false));
	app = make_file(f, "logs/fcgi-app.log", text, false);
	free(text);
	f->conf.log_max_mb = 1;
	f->conf.separate_users = true;
	bite(f);
	expect(site_path(&f->conf, "logs/partner-in.log"), true);
	expect(site_path(&f->conf, "logs/nginx-access.log"), true);
	expect(site_path(&f->conf, "logs/refused.log"), true);
	expect(site_path(&f->conf, "logs/supervisor.log"), false);
	assert_int_equal(stat(app, &st), 0);
	assert_int_equal(st.st_size, size);
	f->conf.separate_users = false;
	bite(f);
	assert_int_equal(stat(app, &st), 0);
	assert_int_equal(st.st_size, 0);
	free(app);
	expect(site_path(&f->conf, "logs/partner-in.log"), false);
	expect(site_path(&f->conf, "logs/nginx-access.log"), false);
	expect(site_path(&f->conf, "logs/refused.log"), false);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(logs_of_old_jobs_go_and_those_that_run_stay),
		T(nothing_goes_where_zero_days_are_said),
		T(old_events_go_and_young_ones_stay),
		T(metrics_of_old_jobs_go_with_their_points),
		T(what_nginx_left_and_old_rotated_logs_go),
		T(what_a_killed_migration_was_writing_goes_and_archives_stay),
		T(a_large_log_is_rotated_and_its_writer_goes_on),
		T(what_is_no_log_of_its_own_is_left_alone),
		T(logs_of_another_user_are_not_taken_away),
	};

	log_init("test", LOG_ERROR_);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
