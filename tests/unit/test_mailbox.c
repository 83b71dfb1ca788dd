/*
 * Mailboxes: what is put in comes out whole and once, and nothing else can be
 * reached through a name.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/mailbox/mailbox.h"

#define BIG (200u << 10)

static struct site_conf conf;
static char *memory_dir;
static struct mailbox *box;

static const struct mailbox_task task = { .job_id = "202611010000000000001",
	.component = "hetero_lr_0",
	.version = 0,
	.role = "host",
	.party_id = "10000" };

static const struct mailbox_object object = { .name = "paillier_pubkey",
	.tag = "0.1",
	.from_role = "arbiter",
	.from_party = "10001",
	.part = 0,
	.parts = 1 };

static int
set_up(void **state)
{
	char dir[] = "/tmp/sluice-mailbox-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	memset(&conf, 0, sizeof(conf));
	conf.home = xstrdup(dir);
	memory_dir = xasprintf("%s/memory", dir);
	conf.mailbox_memory_dir = memory_dir;
	conf.mailbox_max_bytes = 1 << 20;
	conf.mailbox_max_objects = 10;
	assert_int_equal(mailbox_create(&conf, &task), 0);
	assert_int_equal(mailbox_open(&conf, &task, &box), 0);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	mailbox_close(box);
	box = NULL;
	assert_int_equal(fd_remove_tree(conf.home), 0);
	free(conf.home);
	free(memory_dir);
	return 0;
}

/* A file of n bytes c; the path is the caller's. */
static char *
make_file(const char *name, char c, size_t n)
{
	char *path = xasprintf("%s/%s", conf.home, name);
	char *data = xmalloc(n + 1);

	memset(data, c, n);
	assert_int_equal(fd_replace_file(path, data, n, 0600), 0);
	free(data);
	return path;
}

static void
put_file(const struct mailbox_object *o, char c, size_t n, int want)
{
	char *path = make_file("spooled", c, n);

	assert_int_equal(mailbox_put_file(box, o, path), want);
	assert_int_equal(unlink(path), 0);
	free(path);
}

static void
assert_content(int fd, char c, size_t n)
{
	struct stat st;
	char x[2] = "";

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, n);
	if (n > 0) {
		assert_int_equal(pread(fd, x, 1, (off_t)n - 1), 1);
		assert_int_equal(x[0], c);
	}
}

static void
a_small_object_comes_out_as_it_went_in(void **state)
{
	struct mailbox_found f;

	(void)state;
	assert_int_equal(mailbox_get(box, &object, &f), ERR_NOT_FOUND);
	assert_int_equal(mailbox_put_bytes(box, &object, "key", 3), 0);
	assert_int_equal(mailbox_get(box, &object, &f), 0);
	assert_int_equal(f.parts, 1);
	assert_int_equal(f.bytes, 3);
	assert_content(f.fd[0], 'y', 3);
	mailbox_found_close(&f);
}

static void
an_empty_object_is_an_object(void **state)
{
	struct mailbox_found f;

	(void)state;
	assert_int_equal(mailbox_put_bytes(box, &object, "", 0), 0);
	assert_int_equal(mailbox_get(box, &object, &f), 0);
	assert_int_equal(f.bytes, 0);
	mailbox_found_close(&f);
}

static void
the_same_content_again_is_no_error(void **state)
{
	(void)state;
	assert_int_equal(mailbox_put_bytes(box, &object, "key", 3), 0);
	assert_int_equal(mailbox_put_bytes(box, &object, "key", 3), 0);
	assert_int_equal(
	    mailbox_put_bytes(box, &object, "kay", 3), ERR_CONFLICT);
	assert_int_equal(
	    mailbox_put_bytes(box, &object, "keys", 4), ERR_CONFLICT);
}

static void
a_large_object_with_the_identity_of_a_small_one_is_a_conflict(void **state)
{
	(void)state;
	assert_int_equal(mailbox_put_bytes(box, &object, "key", 3), 0);
	put_file(&object, 'x', BIG, ERR_CONFLICT);
}

static void
a_spooled_file_is_kept_after_its_name_is_gone(void **state)
{
	struct mailbox_found f;

	(void)state;
	put_file(&object, 'x', BIG, 0);
	put_file(&object, 'x', BIG, 0);
	put_file(&object, 'y', BIG, ERR_CONFLICT);
	assert_int_equal(mailbox_get(box, &object, &f), 0);
	assert_content(f.fd[0], 'x', BIG);
	mailbox_found_close(&f);
}

static void
a_link_is_not_followed_to_a_file(void **state)
{
	char *path = make_file("secret", 's', 10);
	char *link = xasprintf("%s/link", conf.home);

	(void)state;
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(mailbox_put_file(box, &object, link), ERR_IO);
	assert_int_equal(
	    mailbox_put_file(box, &object, conf.home), ERR_INVALID);
	free(path);
	free(link);
}

static void
parts_come_in_any_order_and_leave_in_theirs(void **state)
{
	struct mailbox_object o = object;
	struct mailbox_found f;
	uint32_t i;

	(void)state;
	o.parts = 3;
	for (i = 0; i < 3; i++) {
		assert_int_equal(mailbox_get(box, &object, &f), ERR_NOT_FOUND);
		o.part = (i + 2) % 3;
		put_file(&o, (char)('a' + o.part), 1000 + o.part, 0);
	}
	assert_int_equal(mailbox_get(box, &object, &f), 0);
	assert_int_equal(f.parts, 3);
	assert_int_equal(f.bytes, 3003);
	for (i = 0; i < 3; i++)
		assert_content(f.fd[i], (char)('a' + i), 1000 + i);
	mailbox_found_close(&f);
	assert_int_equal(mailbox_consume(box, &object), 0);
	assert_int_equal(mailbox_get(box, &object, &f), ERR_NOT_FOUND);
}

static void
parts_of_different_cuts_do_not_make_an_object(void **state)
{
	struct mailbox_object o = object;
	struct mailbox_found f;

	(void)state;
	o.parts = 2;
	put_file(&o, 'a', 10, 0);
	o.parts = 3;
	o.part = 1;
	put_file(&o, 'b', 10, 0);
	assert_int_equal(mailbox_get(box, &object, &f), ERR_FORMAT);
}

static void
a_range_of_a_file_is_copied(void **state)
{
	struct mailbox_found f;
	char x[4] = "";
	int fd;

	(void)state;
	assert_int_equal(fd_memfd("x", "0123456789", 10, &fd), 0);
	assert_int_equal(mailbox_put_fd(box, &object, fd, 4, 3), 0);
	assert_int_equal(mailbox_get(box, &object, &f), 0);
	assert_int_equal(pread(f.fd[0], x, 3, 0), 3);
	assert_string_equal(x, "456");
	mailbox_found_close(&f);
	assert_int_equal(mailbox_put_fd(box, &object, fd, 8, 3), ERR_FORMAT);
	fd_close(&fd);
}

static void
other_names_tags_and_senders_are_other_objects(void **state)
{
	struct mailbox_object o[5];
	struct mailbox_found f;
	int i;

	(void)state;
	for (i = 0; i < 5; i++)
		o[i] = object;
	o[1].name = "paillier_pubkey0";
	o[1].tag = ".1";
	o[2].tag = "0.2";
	o[3].from_role = "guest";
	o[4].from_party = "9999";
	for (i = 0; i < 5; i++) {
		char c = (char)('a' + i);

		assert_int_equal(mailbox_put_bytes(box, &o[i], &c, 1), 0);
	}
	for (i = 0; i < 5; i++) {
		assert_int_equal(mailbox_get(box, &o[i], &f), 0);
		assert_content(f.fd[0], (char)('a' + i), 1);
		mailbox_found_close(&f);
	}
}

static void
a_full_mailbox_says_so_until_there_is_room(void **state)
{
	struct mailbox_object o = object;
	char tag[12];
	int i;

	(void)state;
	o.tag = tag;
	for (i = 0; i < 10; i++) {
		(void)snprintf(tag, sizeof(tag), "%d", i);
		assert_int_equal(mailbox_put_bytes(box, &o, "x", 1), 0);
	}
	assert_int_equal(mailbox_put_bytes(box, &object, "x", 1), ERR_BUSY);
	/* What is there already is no new object. */
	assert_int_equal(mailbox_put_bytes(box, &o, "x", 1), 0);
	assert_int_equal(mailbox_consume(box, &o), 0);
	assert_int_equal(mailbox_put_bytes(box, &object, "x", 1), 0);
	assert_int_equal(mailbox_put_bytes(box, &o, "x", 1), ERR_BUSY);
}

static void
what_the_receiver_waits_for_gets_in_where_others_do_not(void **state)
{
	struct mailbox_object o = object, other = object;
	char tag[12];
	int i;

	(void)state;
	o.tag = tag;
	for (i = 0; i < 10; i++) {
		(void)snprintf(tag, sizeof(tag), "%d", i);
		assert_int_equal(mailbox_put_bytes(box, &o, "x", 1), 0);
	}
	assert_int_equal(mailbox_put_bytes(box, &object, "x", 1), ERR_BUSY);
	assert_int_equal(mailbox_wish(box, &object), 0);
	other.tag = "other";
	assert_int_equal(mailbox_put_bytes(box, &other, "x", 1), ERR_BUSY);
	assert_int_equal(mailbox_put_bytes(box, &object, "x", 1), 0);
	assert_int_equal(mailbox_wish(box, NULL), 0);
	assert_int_equal(mailbox_consume(box, &object), 0);
	assert_int_equal(mailbox_put_bytes(box, &object, "x", 1), ERR_BUSY);
	/* Twice as much at most, whatever is wished. */
	assert_int_equal(mailbox_wish(box, &other), 0);
	put_file(&other, 'x', 1 << 20, 0);
	other.tag = "more";
	assert_int_equal(mailbox_wish(box, &other), 0);
	put_file(&other, 'x', 1 << 20, ERR_BUSY);
}

static void
bytes_are_counted_as_well_as_objects(void **state)
{
	struct mailbox_object o = object;

	(void)state;
	put_file(&object, 'x', 900 << 10, 0);
	o.tag = "1";
	put_file(&o, 'x', BIG, ERR_BUSY);
	put_file(&o, 'x', 2 << 20, ERR_LIMIT);
	assert_int_equal(mailbox_consume(box, &object), 0);
	put_file(&o, 'x', BIG, 0);
}

static void
a_wrong_count_heals_itself(void **state)
{
	char *path = xasprintf("%s/202611010000000000001.hetero_lr_0.0."
			       "host.10000/.usage",
	    memory_dir);
	int64_t lie[2] = { 1 << 20, 10 };

	(void)state;
	assert_int_equal(fd_replace_file(path, lie, sizeof(lie), 0600), 0);
	mailbox_close(box);
	assert_int_equal(mailbox_open(&conf, &task, &box), 0);
	assert_int_equal(mailbox_put_bytes(box, &object, "x", 1), 0);
	free(path);
}

static void
a_task_that_does_not_run_has_no_mailbox(void **state)
{
	struct mailbox_task other = task;
	struct mailbox *mb;

	(void)state;
	other.version = 1;
	assert_int_equal(mailbox_open(&conf, &other, &mb), ERR_NOT_FOUND);
	assert_null(mb);
	assert_int_equal(mailbox_remove(&conf, &task), 0);
	/* Who had it open finds out at the next deposit. */
	assert_int_equal(
	    mailbox_put_bytes(box, &object, "x", 1), ERR_NOT_FOUND);
	assert_int_equal(mailbox_open(&conf, &task, &mb), ERR_NOT_FOUND);
}

static void
names_cannot_leave_the_folder(void **state)
{
	static const char *const bad[] = { "..", "../x", "a/b", "", "a b",
		"x\n", "\xc3\xa4" };
	struct mailbox_task t;
	struct mailbox_object o;
	char name[MAILBOX_TASK_SIZE];
	char file[MAILBOX_FILE_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		t = task;
		t.job_id = bad[i];
		assert_int_equal(mailbox_task_name(&t, name), ERR_INVALID);
		t = task;
		t.component = bad[i];
		assert_int_equal(mailbox_task_name(&t, name), ERR_INVALID);
		t = task;
		t.role = bad[i];
		assert_int_equal(mailbox_task_name(&t, name), ERR_INVALID);
		t = task;
		t.party_id = bad[i];
		assert_int_equal(mailbox_task_name(&t, name), ERR_INVALID);
		o = object;
		o.from_role = bad[i];
		assert_int_equal(mailbox_file_name(&o, file), ERR_INVALID);
	}
	o = object;
	o.parts = MAILBOX_MAX_PARTS + 1;
	assert_int_equal(mailbox_file_name(&o, file), ERR_INVALID);
	o.parts = 2;
	o.part = 2;
	assert_int_equal(mailbox_file_name(&o, file), ERR_INVALID);
	assert_int_equal(mailbox_drop(box, "../../secret"), ERR_INVALID);
	assert_int_equal(mailbox_drop(box, ".usage"), ERR_INVALID);
}

static void
a_name_is_the_hash_that_the_documentation_says(void **state)
{
	struct mailbox_object o = { .name = "n",
		.tag = "t",
		.from_role = "guest",
		.from_party = "1",
		.parts = 1 };
	char file[MAILBOX_FILE_SIZE];
	char name[MAILBOX_TASK_SIZE];

	(void)state;
	assert_int_equal(mailbox_file_name(&o, file), 0);
	/* b2sum -l 128 of "n\0t\0guest\0001" */
	assert_string_equal(file, "1d9d90cce884c0ba8c40fb6d4401239d");
	o.parts = 12;
	o.part = 3;
	assert_int_equal(mailbox_file_name(&o, file), 0);
	assert_string_equal(file + 32, ".3-12");
	assert_int_equal(mailbox_task_name(&task, name), 0);
	assert_string_equal(
	    name, "202611010000000000001.hetero_lr_0.0.host.10000");
}

static void
a_wake_reaches_the_receiver(void **state)
{
	char *path, *dir = xasprintf("%s/run/m", conf.home);
	char word[40] = "";
	int fd;

	(void)state;
	assert_int_equal(mailbox_wake(&conf, &task, "kill"), ERR_CLOSED);
	assert_int_equal(fd_mkdirs(dir, 0700), 0);
	assert_int_equal(mailbox_wake_path(&conf, &task, &path), 0);
	assert_int_equal(fd_dgram_bind(path, &fd), 0);
	assert_int_equal(mailbox_wake(&conf, &task, "kill"), 0);
	assert_int_equal(recv(fd, word, sizeof(word) - 1, 0), 4);
	assert_string_equal(word, "kill");
	fd_close(&fd);
	free(path);
	free(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* --- file systems of the network ------------------------------------------- */

/* From now on files without a name are refused, as such file systems do. */
static void
refuse_nameless(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);

	if (f == NULL ||
	    seccomp_rule_add(f, SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(openat), 1,
		SCMP_A2(SCMP_CMP_MASKED_EQ, O_TMPFILE, O_TMPFILE)) != 0 ||
	    seccomp_load(f) != 0)
		_exit(77);
	seccomp_release(f);
}

static int
entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static int
use_without_nameless(void)
{
	struct mailbox_found f;
	int r;

	refuse_nameless();
	if (mailbox_put_bytes(box, &object, "abc", 3) != 0 ||
	    mailbox_get(box, &object, &f) != 0 || f.bytes != 3)
		return 1;
	mailbox_found_close(&f);
	/* A repeat, another content, and what does not fit leave nothing. */
	if (mailbox_put_bytes(box, &object, "abc", 3) != 0 ||
	    mailbox_put_bytes(box, &object, "abd", 3) != ERR_CONFLICT)
		return 2;
	conf.mailbox_max_bytes = 3;
	r = entries(memory_dir);
	return r == 3 ? 0 : 3; /* ".", ".." and the task's folder */
}

static void
objects_are_kept_where_no_file_can_be_without_a_name(void **state)
{
	char *folder;
	int status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0)
		_exit(use_without_nameless());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* no filters of system calls here */
	assert_int_equal(WEXITSTATUS(status), 0);
	folder = xasprintf(
	    "%s/202611010000000000001.hetero_lr_0.0.host.10000", memory_dir);
	assert_int_equal(entries(folder), 4); /* and the count, the object */
	free(folder);
}

static void
a_spooled_file_of_another_file_system_is_copied(void **state)
{
	char path[] = "/dev/shm/sluice-mailbox-XXXXXX", data[BIG];
	struct mailbox_found f;
	struct stat here, there;
	int fd = mkostemp(path, O_CLOEXEC);

	(void)state;
	if (fd < 0 || fstat(fd, &there) != 0 || stat(conf.home, &here) != 0 ||
	    here.st_dev == there.st_dev)
		skip(); /* all of this machine is one file system */
	memset(data, 'q', sizeof(data));
	assert_int_equal(fd_write_all(fd, data, sizeof(data)), 0);
	assert_int_equal(mailbox_put_file(box, &object, path), 0);
	assert_int_equal(unlink(path), 0);
	(void)close(fd);
	assert_int_equal(mailbox_get(box, &object, &f), 0);
	assert_content(f.fd[0], 'q', BIG);
	mailbox_found_close(&f);
}

static void
a_receiver_on_another_host_is_told_by_the_supervisor(void **state)
{
	char *run = xasprintf("%s/run", conf.home);
	char *path = site_path(&conf, "%s", SITE_HOSTS_SOCKET), text[80];
	char address[] = "192.0.2.1:9390";
	ssize_t n;
	int fd;

	(void)state;
	assert_int_equal(mkdir(run, 0700), 0);
	free(run);
	assert_int_equal(fd_dgram_bind(path, &fd), 0);
	assert_int_equal(mailbox_wake(&conf, &task, "kill"), ERR_CLOSED);
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
	conf.wake_address = address;
	assert_int_equal(mailbox_wake(&conf, &task, "kill"), 0);
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	assert_int_equal(n, MAILBOX_WAKE_HEX + 5);
	text[n] = '\0';
	assert_true(mailbox_is_wake(text));
	assert_string_equal(text + MAILBOX_WAKE_HEX, " kill");
	assert_false(mailbox_is_wake("../../../../etc/a x"));
	assert_false(mailbox_is_wake("0123456789abcdef x/y"));
	assert_false(mailbox_is_wake("0123456789abcdef "));
	assert_false(mailbox_is_wake("0123456789abcdef"));
	fd_close(&fd);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_small_object_comes_out_as_it_went_in),
		TEST(an_empty_object_is_an_object),
		TEST(the_same_content_again_is_no_error),
		TEST(
		    a_large_object_with_the_identity_of_a_small_one_is_a_conflict),
		TEST(a_spooled_file_is_kept_after_its_name_is_gone),
		TEST(a_link_is_not_followed_to_a_file),
		TEST(parts_come_in_any_order_and_leave_in_theirs),
		TEST(parts_of_different_cuts_do_not_make_an_object),
		TEST(a_range_of_a_file_is_copied),
		TEST(other_names_tags_and_senders_are_other_objects),
		TEST(a_full_mailbox_says_so_until_there_is_room),
		TEST(what_the_receiver_waits_for_gets_in_where_others_do_not),
		TEST(bytes_are_counted_as_well_as_objects),
		TEST(a_wrong_count_heals_itself),
		TEST(a_task_that_does_not_run_has_no_mailbox),
		TEST(names_cannot_leave_the_folder),
		TEST(a_name_is_the_hash_that_the_documentation_says),
		TEST(a_wake_reaches_the_receiver),
		TEST(objects_are_kept_where_no_file_can_be_without_a_name),
		TEST(a_spooled_file_of_another_file_system_is_copied),
		TEST(a_receiver_on_another_host_is_told_by_the_supervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
