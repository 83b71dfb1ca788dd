/*
 * lib/base: strict parsing, buffers, errors, files.
 */
#include <setjmp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/log.h"
#include "lib/base/log_repeat.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/base/seen.h"
#include "lib/base/str.h"

static void
numbers_with_anything_behind_them_are_refused(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "1x", "0x1", "+1",
		"--1", "1.0", "9223372036854775808" };
	int64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(str_to_int64(bad[i], INT64_MIN, INT64_MAX, &v),
		    ERR_INVALID);
	assert_int_equal(str_to_int64("-12", -12, 0, &v), 0);
	assert_int_equal(v, -12);
	assert_int_equal(str_to_int64("-13", -12, 0, &v), ERR_INVALID);
}

static void
names_keep_to_letters_digits_dash_and_underscore(void **state)
{
	(void)state;
	assert_true(str_is_name("hetero_lr-0", 100));
	assert_false(str_is_name("", 100));
	assert_false(str_is_name("a/b", 100));
	assert_false(str_is_name("..", 100));
	assert_false(str_is_name("\xc3\xa9t\xc3\xa9", 100));
	assert_false(str_is_name("abcd", 3));
	assert_true(str_is_party_id("9999"));
	assert_true(str_is_party_id("0"));
	assert_false(str_is_party_id("09"));
	assert_false(str_is_party_id("12345678901"));
}

static void
the_nearest_name_is_proposed_and_a_far_one_is_not(void **state)
{
	static const char *const names[] = { "max_iter", "penalty", "tol" };

	(void)state;
	assert_string_equal(str_nearest("maxiter", names, 3), "max_iter");
	assert_string_equal(str_nearest("penality", names, 3), "penalty");
	assert_null(str_nearest("learning_rate", names, 3));
	assert_int_equal(str_distance("kitten", "sitting"), 3);
}

static void
base64_round_trips_and_has_one_form_per_value(void **state)
{
	struct buf text = BUF_INIT, back = BUF_INIT;
	unsigned char bytes[40];
	size_t n, i;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37 + 251);
	for (n = 0; n <= sizeof(bytes); n++) {
		buf_clear(&text);
		buf_clear(&back);
		str_base64(&text, bytes, n);
		assert_int_equal(
		    str_unbase64(&back, buf_str(&text), text.len), 0);
		assert_int_equal(back.len, n);
		assert_memory_equal(buf_str(&back), bytes, n);
	}
	/* RFC 4648 section 10 */
	buf_clear(&text);
	str_base64(&text, "fooba", 5);
	assert_string_equal(buf_str(&text), "Zm9vYmE=");
	assert_int_equal(str_unbase64(&back, "Zm9vYmF=", 8), ERR_FORMAT);
	assert_int_equal(str_unbase64(&back, "Zm9v=mE=", 8), ERR_FORMAT);
	assert_int_equal(str_unbase64(&back, "Zm9", 3), ERR_FORMAT);
	buf_fini(&text);
	buf_fini(&back);
}

static void
broken_utf8_is_seen(void **state)
{
	(void)state;
	assert_true(
	    str_is_utf8("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8d\x8e",
		strlen("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8d\x8e")));
	assert_false(str_is_utf8("\xc0\xaf", 2));	  /* overlong */
	assert_false(str_is_utf8("\xed\xa0\x80", 3));	  /* surrogate */
	assert_false(str_is_utf8("\xe2\x82", 2));	  /* cut */
	assert_false(str_is_utf8("\xf4\x90\x80\x80", 4)); /* too large */
}

static void
strangers_words_do_nothing_to_a_terminal(void **state)
{
	char text[] = "a\x1b[2J\tb\nc\x7f d\xc2\x9b"
		      "2J gr\xc3\xbc\xc3\x9f";
	char fine[] = "gr\xc3\xbc\xc3\x9f", cut[] = "x\xc2";

	(void)state;
	assert_true(str_tame(text, "\n\t"));
	assert_string_equal(text, "a?[2J\tb\nc? d??2J gr\xc3\xbc\xc3\x9f");
	assert_true(str_tame(text, ""));
	assert_string_equal(text, "a?[2J?b?c? d??2J gr\xc3\xbc\xc3\x9f");
	assert_false(str_tame(fine, ""));
	assert_false(str_tame(cut, ""));
}

static void
a_time_that_others_read_is_of_no_zone(void **state)
{
	char text[CLOCK_UTC_SIZE], here[CLOCK_DATE_SIZE];

	(void)state;
	assert_int_equal(setenv("TZ", "XXX-5", 1), 0);
	tzset();
	clock_utc(INT64_C(1795730388747), text);
	clock_date(INT64_C(1795730388747), here);
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
	assert_string_equal(text, "2026-11-26T21:59:48Z");
	assert_string_equal(here, "2026-11-27 02:59:48");
	clock_utc(0, text);
	assert_string_equal(text, "");
}

/* The kernel stamps files by this machine's clock, not by the database's. */
static void
a_file_that_just_changed_is_not_known_by_another_clock_either(void **state)
{
	char path[] = "/tmp/sluice-seen-XXXXXX";
	int fd = mkstemp(path);
	struct seen *s = seen_new();

	(void)state;
	assert_true(fd >= 0);
	clock_anchor((clock_file_ms() + 3600 * 1000) * 1000);
	seen_add(s, path);
	clock_anchor(clock_file_ms() * 1000);
	assert_false(seen_is_same(s));
	seen_free(s);
	fd_close(&fd);
	assert_int_equal(unlink(path), 0);
}

static void
percent_encoding_leaves_only_unreserved_characters(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	str_percent_encode(&b, "aZ9-._~ /%\0\xff", 12);
	assert_string_equal(buf_str(&b), "aZ9-._~%20%2F%25%00%FF");
	buf_fini(&b);
}

static void
percent_decoding_leaves_a_stray_percent_sign(void **state)
{
	struct buf b = BUF_INIT;
	const char text[] = "100%, a%2Fb+c %zz%4";

	(void)state;
	str_percent_decode(&b, text, strlen(text));
	assert_string_equal(buf_str(&b), "100%, a/b+c %zz%4");
	buf_fini(&b);
}

static void
wrapping_puts_context_in_front_and_keeps_the_code(void **state)
{
	(void)state;
	err_set(ERR_BUSY, "%d cores free", 2);
	assert_int_equal(err_wrap("job %s", "7"), ERR_BUSY);
	assert_string_equal(err_text(), "job 7: 2 cores free");
	err_set(ERR_DB, "again: %s", err_text());
	assert_string_equal(err_text(), "again: job 7: 2 cores free");
	assert_int_equal(err_retcode(ERR_AUTH), 109);
	assert_int_equal(err_http_status(ERR_LIMIT), 413);
}

static void
a_full_disk_has_a_code_of_its_own(void **state)
{
	(void)state;
	errno = ENOSPC;
	assert_int_equal(err_set_errno(ERR_IO, "write"), ERR_FULL);
	errno = EDQUOT;
	assert_int_equal(err_set_errno(ERR_IO, "write"), ERR_FULL);
	errno = EACCES;
	assert_int_equal(err_set_errno(ERR_IO, "write"), ERR_IO);
	assert_int_equal(err_http_status(ERR_FULL), 503);
}

static void
replacing_a_file_leaves_the_old_or_the_new(void **state)
{
	char dir[] = "/tmp/sluice-base-XXXXXX", *path, *deep, *link;
	struct buf b = BUF_INIT;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = xasprintf("%s/file", dir);
	assert_int_equal(fd_replace_file(path, "one", 3, 0600), 0);
	assert_int_equal(fd_replace_file(path, "three", 5, 0640), 0);
	assert_int_equal(buf_read_file(&b, path, 100), 0);
	assert_string_equal(buf_str(&b), "three");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(buf_read_file(&b, path, 4), ERR_LIMIT);
	deep = xasprintf("%s/a/b/c", dir);
	assert_int_equal(fd_mkdirs(deep, 0700), 0);
	link = xasprintf("%s/link", deep);
	assert_int_equal(symlink("/etc", link), 0);
	/* What is no folder goes as well, a link without what it points to. */
	assert_int_equal(fd_remove_tree(path), 0);
	assert_int_equal(lstat(path, &st), -1);
	assert_int_equal(fd_remove_tree(link), 0);
	assert_int_equal(lstat(link, &st), -1);
	assert_int_equal(symlink("/etc", link), 0);
	assert_int_equal(fd_remove_tree(dir), 0);
	assert_int_equal(stat(dir, &st), -1);
	assert_int_equal(stat("/etc/passwd", &st), 0);
	assert_int_equal(fd_remove_tree(dir), 0);
	free(path);
	free(deep);
	free(link);
	buf_fini(&b);
}

/* As an account that rights bind: what an executor can leave behind. */
static int
leave_a_mess(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), next, i;

	if (fd < 0 || mkdirat(fd, "unseen", 0300) != 0 ||
	    mkdirat(fd, "unseen/more", 0300) != 0 ||
	    (next = openat(fd, "unseen/more/file", O_WRONLY | O_CREAT, 0)) <
		0 ||
	    mkdirat(fd, ".deep-0", 0700) != 0 ||
	    mkdirat(fd, ".deep-0/x", 0700) != 0)
		return 1;
	(void)close(next);
	if (mkdirat(fd, "fixed", 0700) != 0 ||
	    mkdirat(fd, "fixed/more", 0700) != 0 ||
	    (next = openat(fd, "fixed/more/file", O_WRONLY | O_CREAT, 0)) < 0 ||
	    fchmodat(fd, "fixed/more", 0500, 0) != 0 ||
	    fchmodat(fd, "fixed", 0500, 0) != 0)
		return 1;
	(void)close(next);
	/* More folders in each other than there may be open files. */
	for (i = 0; i < 3000; i++) {
		if (mkdirat(fd, "d", 0700) != 0 ||
		    (next = openat(fd, "d", O_RDONLY | O_DIRECTORY)) < 0)
			return 2;
		/* Nothing is to be taken out of every other one. */
		if (fchmod(fd, i % 2 == 0 ? 0500 : 0700) != 0)
			return 2;
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	return fd_remove_tree(dir) == 0 ? 0 : 3;
}

static void
a_tree_goes_however_deep_and_whatever_its_rights(void **state)
{
	const struct rlimit few = { 64, 64 };
	char dir[] = "/tmp/sluice-base-XXXXXX", *tree;
	struct stat st;
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	tree = xasprintf("%s/tree", dir);
	assert_int_equal(mkdir(tree, 0700), 0);
	if (geteuid() == 0)
		assert_int_equal(
		    chown(dir, 65534, 65534) | chown(tree, 65534, 65534), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if ((geteuid() == 0 && setuid(65534) != 0) ||
		    setrlimit(RLIMIT_NOFILE, &few) != 0)
			_exit(9);
		_exit(leave_a_mess(tree));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(lstat(tree, &st), -1);
	assert_int_equal(rmdir(dir), 0);
	free(tree);
}

struct seen {
	int n, most;
};

static int
see(void *ctx, int dir, const char *name)
{
	struct seen *seen = ctx;

	assert_int_equal(faccessat(dir, name, F_OK, 0), 0);
	assert_true(name[0] == 'a' || name[0] == 'b');
	return ++seen->n < seen->most ? 0 : ERR_BUSY;
}

static void
a_folder_is_gone_through_as_far_as_it_is_wanted(void **state)
{
	char dir[] = "/tmp/sluice-test-XXXXXX", *path;
	struct seen seen = { 0, 10 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (const char *name = "ab"; *name != '\0'; name++) {
		path = xasprintf("%s/%c", dir, *name);
		assert_int_equal(fd_replace_file(path, "x", 1, 0600), 0);
		free(path);
	}
	assert_int_equal(fd_each(dir, 10, see, &seen), 0);
	assert_int_equal(seen.n, 2);
	seen = (struct seen){ 0, 10 };
	assert_int_equal(fd_each(dir, 1, see, &seen), 0);
	assert_int_equal(seen.n, 1);
	seen = (struct seen){ 0, 1 };
	assert_int_equal(fd_each(dir, 10, see, &seen), ERR_BUSY);
	assert_int_equal(seen.n, 1);
	assert_int_equal(fd_remove_tree(dir), 0);
	seen.n = 0;
	assert_int_equal(fd_each(dir, 10, see, &seen), 0);
	assert_int_equal(seen.n, 0);
	assert_int_equal(fd_each("/dev/null/x", 10, see, &seen), ERR_IO);
}

static void
job_ids_have_the_platform_s_form_and_differ(void **state)
{
	char a[ID_JOB_SIZE], b[ID_JOB_SIZE];
	int i;

	(void)state;
	id_job(a);
	for (i = 0; i < 1000; i++) {
		id_job(b);
		assert_true(str_is_job_id(b));
		assert_true(strlen(b) >= 21);
		assert_string_not_equal(a, b);
		memcpy(a, b, sizeof(a));
	}
}

static void
neither_text_nor_context_forges_a_line_of_the_log(void **state)
{
	char path[] = "/tmp/sluice-log-XXXXXX";
	struct buf b = BUF_INIT;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(log_to_file(path), 0);
	log_context("1\n2026-01-01 error", "\033[2J", "\r9999");
	log_warn("refused\nall is well");
	log_context("", "", "");
	assert_int_equal(buf_read_file(&b, path, 4096), 0);
	assert_non_null(strstr(b.data, "all is well"));
	assert_ptr_equal(strchr(b.data, '\n'), b.data + b.len - 1);
	assert_null(strpbrk(b.data, "\r\033"));
	assert_int_equal(log_to_file("/dev/stderr"), 0);
	buf_fini(&b);
	(void)close(fd);
	(void)unlink(path);
}

/* Ten errors a second at the same place; which seconds have a line? */
static void
what_goes_wrong_again_and_again_is_told_less_and_less_often(void **state)
{
	static const char here[] = "look", there[] = "sign of life";
	int64_t now = 1000000, told_ms[16];
	int n = 0, all = 0, held;

	(void)state;
	for (int i = 0; i < 3000; i++, now += 100) {
		if ((held = log_repeat(here, now)) < 0)
			continue;
		all += held + 1;
		assert_true(n < 16);
		told_ms[n++] = now - 1000000;
	}
	/* 0, 1, 3, 7, 15, 31, 63 s and then each minute. */
	assert_int_equal(n, 10);
	assert_int_equal(told_ms[0], 0);
	assert_int_equal(told_ms[1], 1000);
	assert_int_equal(told_ms[4], 15000);
	assert_int_equal(told_ms[9] - told_ms[8], 60000);
	/* None is forgotten: the last line says how many there were. */
	assert_int_equal(all, told_ms[9] / 100 + 1);
	/* Another place is told at once, and so is other trouble here. */
	assert_int_equal(log_repeat(there, now), 0);
	assert_true(log_repeat(here, now + 600000) > 0);
	assert_int_equal(log_repeat(here, now + 600900), -1);
	assert_int_equal(log_repeat(here, now + 601000), 1);
}

static void
a_process_with_secrets_leaves_no_core_file(void **state)
{
	struct rlimit rl = { 1, 1 };

	(void)state;
	proc_no_core();
	assert_int_equal(getrlimit(RLIMIT_CORE, &rl), 0);
	assert_int_equal(rl.rlim_cur, 0);
	assert_int_equal(rl.rlim_max, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
	assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
#endif
}

/* Says which place it sees, and then that it may be looked at. */
static int
other_place(void *ctx)
{
	const int *fds = ctx;
	char place[PROC_PLACE_SIZE] = "";

	proc_place(place);
	if (write(fds[1], place, sizeof(place)) != sizeof(place))
		return 1;
	(void)pause();
	return 0;
}

static void
a_process_of_a_pid_namespace_below_is_not_here(void **state)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));
	char ours[PROC_PLACE_SIZE], again[PROC_PLACE_SIZE];
	char theirs[PROC_PLACE_SIZE];
	int fds[2];
	pid_t pid;

	(void)state;
	proc_place(ours);
	proc_place(again);
	assert_string_equal(ours, again);
	assert_true(proc_is_here(getpid()));
	assert_int_equal(pipe(fds), 0);
	pid = clone(other_place, stack + sizeof(stack),
	    CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, fds);
	if (pid < 0)
		skip(); /* no user namespaces here */
	assert_int_equal(read(fds[0], theirs, sizeof(theirs)), sizeof(theirs));
	assert_false(proc_is_here(pid));
	/* Its /proc is still ours, and shows it under our number. */
	assert_string_not_equal(theirs, ours);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(proc_is_here(pid));
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_with_anything_behind_them_are_refused),
		cmocka_unit_test(
		    names_keep_to_letters_digits_dash_and_underscore),
		cmocka_unit_test(
		    the_nearest_name_is_proposed_and_a_far_one_is_not),
		cmocka_unit_test(base64_round_trips_and_has_one_form_per_value),
		cmocka_unit_test(broken_utf8_is_seen),
		cmocka_unit_test(a_time_that_others_read_is_of_no_zone),
		cmocka_unit_test(strangers_words_do_nothing_to_a_terminal),
		cmocka_unit_test(
		    a_file_that_just_changed_is_not_known_by_another_clock_either),
		cmocka_unit_test(
		    percent_encoding_leaves_only_unreserved_characters),
		cmocka_unit_test(percent_decoding_leaves_a_stray_percent_sign),
		cmocka_unit_test(
		    wrapping_puts_context_in_front_and_keeps_the_code),
		cmocka_unit_test(a_full_disk_has_a_code_of_its_own),
		cmocka_unit_test(replacing_a_file_leaves_the_old_or_the_new),
		cmocka_unit_test(
		    a_tree_goes_however_deep_and_whatever_its_rights),
		cmocka_unit_test(
		    a_folder_is_gone_through_as_far_as_it_is_wanted),
		cmocka_unit_test(job_ids_have_the_platform_s_form_and_differ),
		cmocka_unit_test(a_process_with_secrets_leaves_no_core_file),
		cmocka_unit_test(
		    a_process_of_a_pid_namespace_below_is_not_here),
		cmocka_unit_test(
		    neither_text_nor_context_forges_a_line_of_the_log),
		cmocka_unit_test(
		    what_goes_wrong_again_and_again_is_told_less_and_less_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
