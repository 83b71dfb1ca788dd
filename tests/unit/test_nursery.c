/*
 * The nursery of shepherds, both sides: this program is the supervisor, the
 * nursery and, in place of shepherds, something that writes what it finds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/seen.h"
#include "lib/base/str.h"
#include "lib/json/json.h"
#include "lib/provider/measure.h"
#include "supervisor/nursery.h"
#include "supervisor/processes.h"
#include "supervisor/shepherd/nursery.h"

#define PATIENCE_MS 20000
#define EXIT_FORKED 41
#define EXIT_STARTED 42

/* --- what stands in for a shepherd ----------------------------------------- */

static bool is_forked;	/* by a nursery, so the process knows */
static int runs_so_far; /* in this address space */
static pid_t the_nursery;

static int
count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = -1; /* the folder itself */

	for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;)
		n += e->d_name[0] != '.' ? 1 : 0;
	(void)closedir(dir);
	return n;
}

static void
say(const char *home, const char *attempt_id, struct buf *b)
{
	char *path = xasprintf("%s/said/%s", home, attempt_id);

	(void)fd_replace_file(path, b->data, b->len, 0600);
	free(path);
}

/* Writes a line, perhaps kills the nursery, waits until it may go. */
static int
shepherd(struct ready *ready, const char *attempt_id)
{
	const struct site_conf *c = ready->conf;
	char digest[PROVIDER_DIGEST_SIZE] = "none", self[ID_RANDOM_SIZE];
	char *kills = xasprintf("%s/kills", c->home);
	char *young = xasprintf("%s/young", c->home);
	char *go = xasprintf("%s/go", c->home), *log;
	struct buf b = BUF_INIT;

	if (is_forked && access(kills, F_OK) == 0)
		(void)kill(the_nursery, SIGKILL);
	if (!is_forked && access(young, F_OK) == 0)
		(void)prctl(PR_SET_NAME, NURSERY_NAME);
	id_random(self);
	log = xasprintf("%s/starts/%s", c->home, self);
	buf_printf(&b, "%s", attempt_id);
	(void)fd_replace_file(log, b.data, b.len, 0600);
	b.len = 0;
	if (ready->providers != NULL)
		(void)provider_digest(
		    providers_at(ready->providers, 0), digest);
	buf_printf(&b,
	    "%s %d runs, %d files, session %d, heartbeat %lld, "
	    "digest %s",
	    is_forked ? "forked" : "started", ++runs_so_far, count_files(),
	    getsid(0) == getpid(), (long long)c->heartbeat_ms, digest);
	say(c->home, attempt_id, &b);
	while (access(go, F_OK) != 0)
		(void)usleep(2000);
	buf_fini(&b);
	free(log);
	free(go);
	free(kills);
	free(young);
	return is_forked ? EXIT_FORKED : EXIT_STARTED;
}

/* --- a site ------------------------------------------------------------------- */

static char home[] = "/tmp/sluice-nursery-XXXXXX";
static char *program, *conf_path, *executor;
static struct site_conf *conf;
static char *own_path;

static void
put(const char *path, const char *text)
{
	assert_int_equal(fd_replace_file(path, text, strlen(text), 0700), 0);
}

static void
put_conf(int heartbeat_ms)
{
	char *text = xasprintf("[site]\nparty_id = 9999\nhome = %s\n"
			       "[database]\nsocket = %s/none\nname = n\n"
			       "user = u\n"
			       "[supervisor]\nheartbeat_ms = %d\n"
			       "[executor]\nshepherd_program = %s\n"
			       "providers_dir = %s/providers\n",
	    home, home, heartbeat_ms, program, home);

	put(conf_path, text);
	free(text);
}

static void
put_program(void)
{
	struct buf b = BUF_INIT;

	assert_int_equal(buf_read_file(&b, own_path, 256 << 20), 0);
	assert_int_equal(fd_replace_file(program, b.data, b.len, 0700), 0);
	buf_fini(&b);
}

/* What was changed just now is not trusted; it is by and by. */
static void
settle(void)
{
	const char *const paths[] = { program, conf_path, executor };
	bool is_old = false;

	for (int64_t end = clock_mono_ms() + PATIENCE_MS;
	     !is_old && clock_mono_ms() < end; (void)usleep(20000)) {
		struct seen *s = seen_new();

		for (size_t i = 0; i < 3; i++)
			seen_add(s, paths[i]);
		is_old = seen_is_same(s);
		seen_free(s);
	}
	assert_true(is_old);
}

static int
make_site(void **state)
{
	(void)state;
	if (mkdtemp(home) == NULL)
		return -1;
	program = xasprintf("%s/shepherd", home);
	conf_path = xasprintf("%s/site.conf", home);
	executor = xasprintf("%s/providers/mine/1.0/program", home);
	for (size_t i = 0; i < 3; i++) {
		static const char *const folders[] = { "said", "starts",
			"providers/mine/1.0" };
		char *path = xasprintf("%s/%s", home, folders[i]);

		assert_int_equal(fd_mkdirs(path, 0700), 0);
		if (i == 2) {
			char *m = xasprintf("%s/manifest.json", path);

			put(m, "{\"name\": \"mine\", \"version\": \"1.0\", "
			       "\"program\": \"program\", \"protocol\": 1, "
			       "\"components\": {}}");
			free(m);
		}
		free(path);
	}
	put(executor, "first");
	put_program();
	put_conf(500);
	settle();
	return site_conf_load(conf_path, &conf);
}

static int
remove_site(void **state)
{
	(void)state;
	(void)fd_remove_tree(home);
	site_conf_free(conf);
	free(program);
	free(conf_path);
	free(executor);
	return 0;
}

/* --- helpers --------------------------------------------------------------------- */

struct fixture {
	struct loop *loop;
	struct nursery *nursery;
};

/* From now on shepherds stay until end_of(). */
static void
hold(void)
{
	char *go = xasprintf("%s/go", home);

	(void)unlink(go);
	free(go);
}

/* A slow machine may take longer to start it than a supervisor waits for it. */
static void
wait_until_it_is_one(pid_t pid)
{
	char *path = xasprintf("/proc/%d/comm", (int)pid);
	struct buf b = BUF_INIT;
	bool is_one = false;

	for (int64_t end = clock_mono_ms() + PATIENCE_MS;
	     !is_one && clock_mono_ms() < end; (void)usleep(2000)) {
		b.len = 0;
		is_one = buf_read_file(&b, path, 64) == 0 &&
			 str_starts(buf_str(&b), NURSERY_NAME);
	}
	assert_true(is_one);
	buf_fini(&b);
	free(path);
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	hold();
	assert_int_equal(loop_new(&f->loop), 0);
	settle();
	f->nursery = nursery_new(f->loop, conf);
	wait_until_it_is_one(nursery_pid(f->nursery));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	nursery_free(f->nursery);
	loop_free(f->loop);
	free(f);
	return 0;
}

struct child {
	char attempt_id[ID_RANDOM_SIZE];
	pid_t pid;
};

static struct child
start_one(struct fixture *f)
{
	struct child c;

	id_random(c.attempt_id);
	if (nursery_start(f->nursery, conf, c.attempt_id, &c.pid) != 0)
		fail_msg("%s", err_text());
	assert_true(c.pid > 0);
	return c;
}

/* What it wrote; the caller's. */
static char *
said(const struct child *c)
{
	char *path = xasprintf("%s/said/%s", home, c->attempt_id);
	struct buf b = BUF_INIT;

	for (int64_t end = clock_mono_ms() + PATIENCE_MS;
	     b.len == 0 && clock_mono_ms() < end; (void)usleep(2000))
		(void)buf_read_file(&b, path, 4096);
	free(path);
	return buf_steal(&b);
}

static void
assert_says(const struct child *c, const char *part)
{
	char *text = said(c);

	if (strstr(text, part) == NULL)
		fail_msg("'%s' is not in '%s'", part, text);
	free(text);
}

/* Lets all of them go; its exit status. */
static int
end_of(const struct child *c)
{
	char *go = xasprintf("%s/go", home);
	int status = -1;

	put(go, "");
	free(go);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* How many processes were ever started for an attempt. */
static size_t
starts_of(const char *attempt_id)
{
	char *folder = xasprintf("%s/starts", home);
	DIR *dir = opendir(folder);
	size_t n = 0;

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		char *path = xasprintf("%s/%s", folder, e->d_name);
		struct buf b = BUF_INIT;

		if (e->d_name[0] != '.' && buf_read_file(&b, path, 64) == 0 &&
		    strcmp(buf_str(&b), attempt_id) == 0)
			n++;
		buf_fini(&b);
		free(path);
	}
	(void)closedir(dir);
	free(folder);
	return n;
}

/* --- tests ------------------------------------------------------------------------- */

static void
a_forked_shepherd_is_as_one_that_was_started(void **state)
{
	struct child c = start_one(*state);
	struct processes *running;

	assert_says(&c, "forked 1 runs, 3 files, session 1");
	assert_int_equal(
	    processes_list(conf->shepherd_program, conf->path, &running), 0);
	assert_int_equal(running->n, 1);
	assert_int_equal(processes_find(running, c.attempt_id), c.pid);
	processes_free(running);
	assert_int_equal(end_of(&c), EXIT_FORKED);
}

static void
assert_called(pid_t pid, const char *name)
{
	char *path = xasprintf("/proc/%d/comm", (int)pid);
	struct buf b = BUF_INIT;

	assert_int_equal(buf_read_file(&b, path, 64), 0);
	assert_true(str_ends(buf_str(&b), "\n"));
	b.data[b.len - 1] = '\0';
	assert_string_equal(b.data, name);
	buf_fini(&b);
	free(path);
}

/* It has a shepherd's command line while it forks one, and other supervisors
 * of the home may be looking. */
static void
a_nursery_is_not_taken_for_the_shepherd_that_it_forks(void **state)
{
	struct fixture *f = *state;
	struct child c = start_one(f);
	char *young = xasprintf("%s/young", home);
	struct processes *running;

	assert_says(&c, "forked");
	assert_called(c.pid, NURSERY_SHEPHERD_NAME);
	assert_called(nursery_pid(f->nursery), NURSERY_NAME);
	(void)end_of(&c);
	/* What the other sees then: that command line under that name. */
	hold();
	put(young, "");
	id_random(c.attempt_id);
	assert_int_equal(nursery_start(NULL, conf, c.attempt_id, &c.pid), 0);
	assert_says(&c, "started");
	assert_int_equal(
	    processes_list(conf->shepherd_program, conf->path, &running), 0);
	assert_int_equal(processes_find(running, c.attempt_id), 0);
	assert_int_equal(processes_find_any(running, c.attempt_id), c.pid);
	processes_free(running);
	assert_int_equal(end_of(&c), EXIT_STARTED);
	assert_int_equal(unlink(young), 0);
	free(young);
}

static void
no_shepherd_finds_anything_of_another(void **state)
{
	for (int i = 0; i < 5; i++) {
		struct child c = start_one(*state);

		assert_says(&c, "forked 1 runs, 3 files, session 1");
		assert_int_equal(end_of(&c), EXIT_FORKED);
	}
}

static void
shepherds_outlive_the_nursery_and_a_new_one_follows(void **state)
{
	struct fixture *f = *state;
	struct child before = start_one(f), after;
	pid_t old = nursery_pid(f->nursery);

	assert_says(&before, "forked");
	assert_int_equal(kill(old, SIGKILL), 0);
	/* The loop notices, or the next request. */
	assert_int_equal(loop_once(f->loop, PATIENCE_MS), 0);
	assert_int_equal(nursery_pid(f->nursery), 0);
	after = start_one(f);
	assert_says(&after, ", session 1");
	assert_int_equal(kill(before.pid, 0), 0);
	assert_int_equal(end_of(&before), EXIT_FORKED);
	(void)end_of(&after);
	for (int64_t end = clock_mono_ms() + PATIENCE_MS;;) {
		after = start_one(f);
		if (end_of(&after) == EXIT_FORKED)
			break;
		assert_true(clock_mono_ms() < end);
	}
	assert_int_not_equal(nursery_pid(f->nursery), old);
}

static void
a_nursery_that_does_not_answer_is_not_waited_for_long(void **state)
{
	struct fixture *f = *state;
	struct child c = start_one(f);
	pid_t old = nursery_pid(f->nursery);
	int64_t began;

	assert_int_equal(end_of(&c), EXIT_FORKED);
	assert_int_equal(kill(old, SIGSTOP), 0);
	began = clock_mono_ms();
	c = start_one(f);
	assert_in_range(
	    clock_mono_ms() - began, NURSERY_PATIENCE_MS - 1, PATIENCE_MS);
	assert_int_equal(end_of(&c), EXIT_STARTED);
	/* It was ended, so the request is not carried out later. */
	assert_int_equal(kill(old, 0), -1);
	assert_int_equal(starts_of(c.attempt_id), 1);
}

static void
nurseries_that_never_answer_do_not_delay_every_start(void **state)
{
	struct fixture *f = *state;
	char *hangs = xasprintf("%s/hangs", home), *hung;
	int64_t began, took_ms;
	struct stat st;

	nursery_free(f->nursery);
	put(hangs, "");
	f->nursery = nursery_new(f->loop, conf);
	began = clock_mono_ms();
	for (int i = 0; i < 4; i++) {
		struct child c = start_one(f);

		assert_int_equal(end_of(&c), EXIT_STARTED);
	}
	took_ms = clock_mono_ms() - began;
	assert_true(took_ms >= NURSERY_PATIENCE_MS);
	/* Each is waited for once; the next one is begun two seconds later. */
	hung = xasprintf("%s/hung", home);
	if (stat(hung, &st) == 0)
		assert_true(
		    st.st_size <= 1 + took_ms / (2 * NURSERY_PATIENCE_MS));
	free(hung);
	assert_int_equal(unlink(hangs), 0);
	free(hangs);
}

static void
no_attempt_gets_two_shepherds_when_the_nursery_dies(void **state)
{
	struct fixture *f = *state;
	char *kills = xasprintf("%s/kills", home);

	put(kills, "");
	for (int i = 0; i < 30; i++) {
		struct child c;

		/* One that has ended is none that could be found. */
		hold();
		c = start_one(f);
		assert_says(&c, ", session 1");
		(void)end_of(&c);
		assert_int_equal(starts_of(c.attempt_id), 1);
		nursery_free(f->nursery);
		f->nursery = nursery_new(f->loop, conf);
	}
	assert_int_equal(unlink(kills), 0);
	free(kills);
}

static void
a_program_that_was_exchanged_is_the_one_that_runs(void **state)
{
	struct fixture *f = *state;
	struct child c = start_one(f);
	pid_t old = nursery_pid(f->nursery);

	assert_int_equal(end_of(&c), EXIT_FORKED);
	put_program();
	c = start_one(f);
	assert_int_equal(end_of(&c), EXIT_STARTED);
	assert_int_equal(kill(old, 0), -1);
}

static void
a_configuration_that_was_changed_holds_for_the_next_task(void **state)
{
	struct child c = start_one(*state);

	assert_says(&c, "heartbeat 500");
	(void)end_of(&c);
	put_conf(700);
	c = start_one(*state);
	assert_says(&c, "heartbeat 700");
	(void)end_of(&c);
	put_conf(500);
}

static void
expect_digest(struct fixture *f)
{
	struct providers *ps;
	char digest[PROVIDER_DIGEST_SIZE];
	struct child c;

	assert_int_equal(providers_load(conf->providers_dir, &ps), 0);
	assert_int_equal(provider_measure(providers_at(ps, 0), digest), 0);
	providers_free(ps);
	c = start_one(f);
	assert_says(&c, "forked");
	assert_says(&c, digest);
	(void)end_of(&c);
}

/* In place, same size, its time of change set back: as one who hides it. */
static void
put_secretly(const char *text)
{
	struct stat st;
	FILE *file;

	assert_int_equal(stat(executor, &st), 0);
	assert_non_null(file = fopen(executor, "r+"));
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
	assert_int_equal(utimensat(AT_FDCWD, executor,
			     (struct timespec[]){ st.st_atim, st.st_mtim }, 0),
	    0);
}

static void
a_provider_that_was_exchanged_has_another_digest(void **state)
{
	struct fixture *f = *state;

	expect_digest(f);
	put_secretly("other");
	expect_digest(f);
}

static void
without_a_nursery_shepherds_are_started(void **state)
{
	struct child c;

	(void)state;
	id_random(c.attempt_id);
	assert_int_equal(nursery_start(NULL, conf, c.attempt_id, &c.pid), 0);
	assert_int_equal(end_of(&c), EXIT_STARTED);
}

static void
the_nursery_ends_with_its_supervisor(void **state)
{
	struct fixture *f = *state;
	struct child c = start_one(f);
	pid_t pid = nursery_pid(f->nursery);

	assert_int_equal(end_of(&c), EXIT_FORKED);
	nursery_free(f->nursery);
	f->nursery = NULL;
	assert_int_equal(kill(pid, 0), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void
hang_if_told(const char *config)
{
	int fd, len = (int)(strrchr(config, '/') - config);
	char *hangs = xasprintf("%.*s/hangs", len, config);
	char *hung = xasprintf("%.*s/hung", len, config);

	while (access(hangs, F_OK) == 0) {
		/* A byte for each that hangs. */
		fd =
		    open(hung, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, "", 1) != 1)
			_exit(1);
		(void)pause();
	}
	free(hangs);
	free(hung);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_forked_shepherd_is_as_one_that_was_started),
		TEST(a_nursery_is_not_taken_for_the_shepherd_that_it_forks),
		TEST(no_shepherd_finds_anything_of_another),
		TEST(shepherds_outlive_the_nursery_and_a_new_one_follows),
		TEST(a_nursery_that_does_not_answer_is_not_waited_for_long),
		TEST(nurseries_that_never_answer_do_not_delay_every_start),
		TEST(no_attempt_gets_two_shepherds_when_the_nursery_dies),
		TEST(a_program_that_was_exchanged_is_the_one_that_runs),
		TEST(a_configuration_that_was_changed_holds_for_the_next_task),
		TEST(a_provider_that_was_exchanged_has_another_digest),
		TEST(without_a_nursery_shepherds_are_started),
		TEST(the_nursery_ends_with_its_supervisor),
	};
	struct ready ready;
	int status;

	if (argc == NURSERY_ARGC && strcmp(argv[1], "--nursery") == 0) {
		is_forked = true;
		the_nursery = getpid();
		hang_if_told(argv[3]);
		return nursery_run(argv, argv[3], shepherd);
	}
	if (argc == 5 && strcmp(argv[3], "--attempt") == 0) {
		if (ready_load(argv[2], &ready) != 0)
			return 1;
		status = shepherd(&ready, argv[4]);
		ready_fini(&ready);
		return status;
	}
	own_path = argv[0];
	return cmocka_run_group_tests(tests, make_site, remove_site);
}
