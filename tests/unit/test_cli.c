/*
 * The command line's parts: options, site files, bundles, archives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/archive.h"
#include "cli/args.h"
#include "cli/bundle.h"
#include "cli/daemon.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/screen.h"
#include "cli/site_files.h"
#include "cli/waits.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"
#include "lib/model/wait.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static char folder[64];

static int
setup(void **state)
{
	(void)state;
	(void)strcpy(folder, "/tmp/sluice-cli-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return fd_remove_tree(folder);
}

static char *
below(const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

/* --- options ------------------------------------------------------------------ */

static int
run_nothing(const struct args *args)
{
	(void)args;
	return 0;
}

static const struct option_def options[] = {
	{ "home", "DIR", "folder", true },
	{ "count", "N", "how many", false },
	{ "drop", NULL, "a flag", false },
	{ "output", "DIR", "where to", false },
	OPTION_END,
};

static const struct command command = {
	"do it",
	"FILE",
	1,
	"Does it.",
	options,
	run_nothing,
};

static int
parse(const char *const *words, size_t n, struct args **out)
{
	static char copies[16][64];
	char *argv[16];
	size_t i;

	for (i = 0; i < n; i++) {
		assert_true(strlen(words[i]) < sizeof(copies[i]));
		argv[i] = strcpy(copies[i], words[i]);
	}
	return args_parse(&command, (int)n, argv, out);
}

#define PARSE(out, ...)                                                        \
	parse((const char *const[]){ __VA_ARGS__ },                            \
	    N(((const char *const[]){ __VA_ARGS__ })), out)

static void
options_come_in_both_forms_and_any_order(void **state)
{
	struct args *a;
	int64_t n;

	(void)state;
	assert_int_equal(PARSE(&a, "--home=/x", "file", "--count", "7",
			     "--drop", "--json", "-o", "there"),
	    0);
	assert_string_equal(args_text(a, "home"), "/x");
	assert_string_equal(args_text(a, "output"), "there");
	assert_string_equal(args_operand(a, 0), "file");
	assert_true(args_flag(a, "drop"));
	assert_true(args_json(a));
	assert_int_equal(args_int(a, "count", 1, 9, 3, &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(args_int(a, "count", 1, 6, 3, &n), ERR_INVALID);
	args_free(a);
	assert_int_equal(PARSE(&a, "--home", "-", "--", "--file"), 0);
	assert_string_equal(args_operand(a, 0), "--file");
	assert_int_equal(args_int(a, "count", 1, 9, 3, &n), 0);
	assert_int_equal(n, 3);
	args_free(a);
}

/* Who made a folder for others not to look into finds it as it was. */
static void
a_target_is_left_as_it_is(void **state)
{
	static const struct option_def force[] = { OPTION_FORCE, OPTION_END };
	static const struct command fetch = { "fetch", "", 0, "Fetches.", force,
		run_nothing };
	static char forced[] = "--force";
	char *words[] = { forced }, *dir = below("mine"),
	     *file = below("mine/file"), *none = below("none");
	struct args *plain, *all;
	struct stat st;

	(void)state;
	assert_int_equal(args_parse(&fetch, 0, NULL, &plain), 0);
	assert_int_equal(args_parse(&fetch, 1, words, &all), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(output_target(plain, none), 0);
	assert_int_equal(output_target(plain, dir), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(fd_replace_file(file, "x", 1, 0600), 0);
	assert_int_equal(output_target(plain, dir), ERR_EXISTS);
	assert_int_equal(output_target(plain, file), ERR_EXISTS);
	assert_int_equal(output_target(all, file), 0);
	/* Nor does what came there since that was asked go unasked. */
	assert_int_equal(output_file(plain, file, "new", 3, 0600), ERR_EXISTS);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 1);
	assert_int_equal(output_file(all, file, "new", 3, 0600), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(output_file(plain, none, "new", 3, 0640), 0);
	assert_int_equal(stat(none, &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(st.st_mode & 0777, 0640);
	args_free(plain);
	args_free(all);
	free(dir);
	free(file);
	free(none);
}

static void
a_command_may_take_any_number_of_operands(void **state)
{
	static const struct command more = { "again", "JOB [COMPONENT...]", 1,
		"Again.", options, run_nothing };
	static char home[] = "--home=/x", job[] = "1", a_0[] = "a_0",
		    b_0[] = "b_0";
	char *argv[] = { home, job, a_0, b_0 };
	struct args *a;

	(void)state;
	assert_int_equal(args_parse(&more, 4, argv, &a), 0);
	assert_int_equal(args_operands(a), 3);
	assert_string_equal(args_operand(a, 2), "b_0");
	args_free(a);
	assert_int_equal(args_parse(&more, 2, argv, &a), 0);
	assert_int_equal(args_operands(a), 1);
	args_free(a);
	assert_int_equal(args_parse(&more, 1, argv, &a), ERR_INVALID);
	assert_non_null(strstr(err_text(), "JOB [COMPONENT...]"));
}

static void
wrong_options_are_named(void **state)
{
	struct args *a;

	(void)state;
	assert_int_equal(PARSE(&a, "file"), ERR_INVALID);
	assert_non_null(strstr(err_text(), "--home DIR is needed"));
	assert_int_equal(PARSE(&a, "--home", "x"), ERR_INVALID);
	assert_non_null(strstr(err_text(), "FILE"));
	assert_int_equal(PARSE(&a, "--homme", "x", "file"), ERR_INVALID);
	assert_non_null(strstr(err_text(), "did you mean --home?"));
	assert_int_equal(PARSE(&a, "--home", "x", "f", "g"), ERR_INVALID);
	assert_int_equal(PARSE(&a, "f", "--home"), ERR_INVALID);
	assert_int_equal(
	    PARSE(&a, "f", "--home", "x", "--home", "y"), ERR_INVALID);
	assert_int_equal(
	    PARSE(&a, "f", "--home", "x", "--drop=1"), ERR_INVALID);
	assert_null(a);
	assert_int_equal(PARSE(&a, "--help"), 0);
	assert_true(args_help(a));
	args_free(a);
}

/* --- site files ---------------------------------------------------------------- */

static struct site_conf *
make_site(const char *name, const char *party, const char *client_url)
{
	char *home = below(name);
	char *path = site_files_conf_path(home);
	struct site_choice choice = {
		.home = home,
		.party = party,
		.client_url = client_url,
		.client_tls_url = "https://127.0.0.1:21001",
		.partner_url = "https://site.example:21002",
		.db_socket = "/nowhere/db.sock",
		.db_name = "one",
		.loopback_without_authentication = true,
	};
	struct site_conf *conf;

	assert_int_equal(site_files_folders(home), 0);
	assert_int_equal(site_files_keys(home, party), 0);
	assert_int_equal(site_files_write_conf(&choice), 0);
	assert_int_equal(site_files_write_conf(&choice), ERR_EXISTS);
	assert_int_equal(site_conf_load(path, &conf), 0);
	free(home);
	free(path);
	return conf;
}

static void
written_site_conf_holds_the_choices_and_the_comments(void **state)
{
	struct site_conf *c = make_site("a", "9999", "http://127.0.0.1:21000");
	struct buf text = BUF_INIT;

	(void)state;
	assert_string_equal(c->party_id, "9999");
	assert_string_equal(c->client_url, "http://127.0.0.1:21000");
	assert_string_equal(c->partner_url, "https://site.example:21002");
	assert_string_equal(c->db_socket, "/nowhere/db.sock");
	assert_string_equal(c->db_name, "one");
	assert_string_equal(c->db_user, "sluice");
	assert_true(str_ends(c->db_password_file, "/keys/db.password"));
	assert_true(c->client_auth_off_on_loopback);
	assert_int_equal(buf_read_file(&text, c->path, 65536), 0);
	assert_non_null(strstr(buf_str(&text), "; debug, info, warn"));
	assert_null(strstr(buf_str(&text), "party_id = 9999\n[site]"));
	buf_fini(&text);
	site_conf_free(c);
}

static void
keys_are_private_and_stay(void **state)
{
	static const char *const names[] = {
		"sign.key",
		"tls.key",
		"db.password",
	};
	struct site_conf *c = make_site("a", "9999", "http://127.0.0.1:21000");
	struct buf before = BUF_INIT, after = BUF_INIT;
	struct stat st;
	size_t i;

	(void)state;
	for (i = 0; i < N(names); i++) {
		char *path = site_path(c, "keys/%s", names[i]);

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(buf_read_file(&before, path, 4096), 0);
		assert_int_equal(site_files_keys(c->home, "9999"), 0);
		assert_int_equal(buf_read_file(&after, path, 4096), 0);
		free(path);
	}
	assert_string_equal(buf_str(&before), buf_str(&after));
	buf_fini(&before);
	buf_fini(&after);
	site_conf_free(c);
}

static void
nginx_conf_has_no_placeholder_left(void **state)
{
	struct site_conf *c = make_site("a", "9999", "http://127.0.0.1:21000");
	char *path = site_path(c, "nginx.conf");
	struct buf text = BUF_INIT;
	const char *p;

	(void)state;
	assert_int_equal(site_files_nginx(c, "nobody nogroup"), 0);
	assert_int_equal(buf_read_file(&text, path, 65536), 0);
	for (p = buf_str(&text); (p = strchr(p, '@')) != NULL; p++)
		assert_false(p[1] >= 'A' && p[1] <= 'Z');
	assert_non_null(strstr(text.data, "listen 127.0.0.1:21000;"));
	assert_non_null(strstr(text.data, "listen 127.0.0.1:21001 ssl;"));
	/* A name is for partners; the socket takes every address. */
	assert_non_null(strstr(text.data, "listen 0.0.0.0:21002 ssl;"));
	assert_non_null(strstr(text.data, "user nobody nogroup;"));
	buf_fini(&text);
	free(path);
	site_conf_free(c);
}

static void
plain_http_is_not_offered_to_the_network(void **state)
{
	struct site_conf *c = make_site("a", "9999", "http://192.0.2.1:21000");

	(void)state;
	assert_int_equal(site_files_nginx(c, "nobody"), ERR_INVALID);
	assert_non_null(strstr(err_text(), "loopback"));
	site_conf_free(c);
}

/* --- bundles -------------------------------------------------------------------- */

static int
read_bundle(struct json_object *o, struct bundle *out)
{
	char *path = below("bundle");
	const char *text = json_text(o);
	int r;

	assert_int_equal(fd_replace_file(path, text, strlen(text), 0644), 0);
	r = bundle_read(path, out);
	free(path);
	return r;
}

static void
bundle_of_a_site_is_read_by_another(void **state)
{
	struct site_conf *c = make_site("a", "9999", "http://127.0.0.1:21000");
	struct json_object *o;
	struct bundle made, got;

	(void)state;
	assert_int_equal(bundle_of_site(c, &made), 0);
	o = bundle_json(&made);
	assert_int_equal(read_bundle(o, &got), 0);
	assert_string_equal(got.party_id, "9999");
	assert_string_equal(got.url, "https://site.example:21002");
	assert_string_equal(got.tls_cert, made.tls_cert);
	assert_memory_equal(got.sign_key, made.sign_key, 32);
	bundle_fini(&got);
	bundle_fini(&made);
	json_object_put(o);
	site_conf_free(c);
}

static void
bundle_with_any_wrong_part_is_refused(void **state)
{
	static const struct {
		const char *key, *value;
	} changes[] = {
		{ "party_id", "10000" }, /* not the certificate's */
		{ "party_id", "guest" },
		{ "url", "http://site.example:1" },
		{ "url", "https://site.example:1/path" },
		{ "url", "https://user@site.example:1" },
		{ "url", "https://" },
		{ "sign_key", "ed25519:" },
		{ "sign_key", "" },
		{ "tls_cert", "" },
	};
	struct site_conf *c = make_site("a", "9999", "http://127.0.0.1:21000");
	struct json_object *o;
	struct bundle made, got;
	size_t i;

	(void)state;
	assert_int_equal(bundle_of_site(c, &made), 0);
	for (i = 0; i < N(changes); i++) {
		o = bundle_json(&made);
		json_add_str(o, changes[i].key, changes[i].value);
		assert_int_not_equal(read_bundle(o, &got), 0);
		assert_null(got.party_id);
		json_object_put(o);
	}
	o = bundle_json(&made);
	json_add_int(o, "sluice_partner", 2);
	assert_int_equal(read_bundle(o, &got), ERR_FORMAT);
	json_object_put(o);
	bundle_fini(&made);
	site_conf_free(c);
}

/* Who imports an announcement takes all of it, so both keys sign all of it. */
static void
announced_keys_stand_for_the_whole_file(void **state)
{
	static const struct {
		const char *key, *value;
	} changes[] = {
		{ "url", "https://elsewhere.example:21002" },
		{ "name", "another" },
		{ "tls_cert", NULL }, /* another good one of that party */
	};
	struct site_conf *c = make_site("a", "9999", "http://127.0.0.1:21000");
	struct site_conf *other =
	    make_site("b", "9999", "http://127.0.0.1:21000");
	struct json_object *o;
	struct keys *old, *next;
	struct bundle made, mine, got;
	char *path = site_path(c, "keys/sign.key");
	size_t i;

	(void)state;
	assert_int_equal(bundle_of_site(c, &made), 0);
	assert_int_equal(bundle_of_site(other, &mine), 0);
	assert_int_equal(keys_load(path, &old), 0);
	assert_int_equal(keys_generate(&next), 0);
	memcpy(made.next.sign_key, keys_public(next), KEYS_PUBLIC_SIZE);
	made.next.tls_cert = xstrdup(mine.tls_cert);
	made.next.old_until_s = 2000000000;
	assert_int_equal(bundle_sign_next(&made, old, next), 0);
	o = bundle_json(&made);
	assert_int_equal(read_bundle(o, &got), 0);
	bundle_fini(&got);
	json_object_put(o);
	for (i = 0; i < N(changes); i++) {
		o = bundle_json(&made);
		json_add_str(o, changes[i].key,
		    changes[i].value != NULL ? changes[i].value
					     : mine.tls_cert);
		assert_int_equal(read_bundle(o, &got), ERR_AUTH);
		json_object_put(o);
	}
	keys_free(old);
	keys_free(next);
	bundle_fini(&made);
	bundle_fini(&mine);
	free(path);
	site_conf_free(c);
	site_conf_free(other);
}

/* --- archives --------------------------------------------------------------------- */

static void
put_entry(
    struct archive *a, const char *name, unsigned type, const char *target)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, type == AE_IFREG && target == NULL ? 2 : 0);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(e, target);
	else if (target != NULL)
		archive_entry_set_hardlink(e, target);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	if (type == AE_IFREG && target == NULL)
		assert_int_equal(archive_write_data(a, "hi", 2), 2);
	archive_entry_free(e);
}

static int
extract_one(const char *name, unsigned type, const char *target, bool replace)
{
	struct archive *a = archive_write_new();
	char data[32768];
	size_t used = 0, files;
	char *to = below("out/x");
	int r;

	assert_int_equal(archive_write_add_filter_gzip(a), ARCHIVE_OK);
	assert_int_equal(
	    archive_write_set_format_pax_restricted(a), ARCHIVE_OK);
	assert_int_equal(
	    archive_write_open_memory(a, data, sizeof(data), &used),
	    ARCHIVE_OK);
	put_entry(a, "good/file", AE_IFREG, NULL);
	put_entry(a, name, type, target);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
	r = archive_extract(data, used, to, replace, &files);
	free(to);
	return r;
}

static void
assert_file_is(const char *name, const char *content)
{
	char *path = below(name);
	struct buf text = BUF_INIT;

	assert_int_equal(buf_read_file(&text, path, 100), 0);
	assert_string_equal(buf_str(&text), content);
	buf_fini(&text);
	free(path);
}

static void
assert_mode_is(const char *name, mode_t mode)
{
	char *path = below(name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	free(path);
}

/* What a job left behind is for its user and the group. */
static void
archive_is_unpacked_below_its_folder(void **state)
{
	const mode_t old = umask(0);

	(void)state;
	assert_int_equal(
	    extract_one("guest/9999/INFO.log", AE_IFREG, NULL, false), 0);
	(void)umask(old);
	assert_file_is("out/x/guest/9999/INFO.log", "hi");
	assert_mode_is("out/x", 0750);
	assert_mode_is("out/x/guest", 0750);
	assert_mode_is("out/x/guest/9999", 0750);
	assert_mode_is("out/x/guest/9999/INFO.log", 0640);
}

static void
unpacking_replaces_nothing_unasked(void **state)
{
	char *dir = below("out/x/a"), *path = below("out/x/a/log");
	char seen[4] = "";
	int reader;

	(void)state;
	assert_int_equal(fd_mkdirs(dir, 0700), 0);
	assert_int_equal(fd_replace_file(path, "old", 3, 0600), 0);
	assert_int_equal(
	    extract_one("a/log", AE_IFREG, NULL, false), ERR_EXISTS);
	assert_file_is("out/x/a/log", "old");
	/* Who reads it meanwhile has all of what was there. */
	assert_true((reader = open(path, O_RDONLY | O_CLOEXEC)) >= 0);
	assert_int_equal(extract_one("a/log", AE_IFREG, NULL, true), 0);
	assert_file_is("out/x/a/log", "hi");
	assert_int_equal(fd_read_exact(reader, seen, 3), 0);
	assert_string_equal(seen, "old");
	fd_close(&reader);
	/* And the new one stands under no other name as well. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	free(dir);
	free(path);
}

static void
unpacking_follows_no_link_that_lies_there(void **state)
{
	char *dir = below("out/x"), *outside = below("outside");
	char *through = below("out/x/a"), *file = below("out/x/log");
	char *written = below("outside/log");

	(void)state;
	assert_int_equal(fd_mkdirs(dir, 0700), 0);
	assert_int_equal(fd_mkdirs(outside, 0700), 0);
	assert_int_equal(symlink(outside, through), 0);
	assert_int_equal(symlink(written, file), 0);
	assert_int_equal(extract_one("a/log", AE_IFREG, NULL, true), ERR_IO);
	assert_int_equal(extract_one("a/b", AE_IFDIR, NULL, true), ERR_IO);
	assert_int_equal(extract_one("log", AE_IFREG, NULL, true), 0);
	assert_file_is("out/x/log", "hi");
	assert_int_equal(rmdir(outside), 0);
	free(dir);
	free(outside);
	free(through);
	free(file);
	free(written);
}

static void
archive_entries_that_leave_the_folder_are_refused(void **state)
{
	char *outside = below("out/evil");

	(void)state;
	assert_int_equal(
	    extract_one("../evil", AE_IFREG, NULL, true), ERR_DENIED);
	assert_int_equal(
	    extract_one("a/../../evil", AE_IFREG, NULL, true), ERR_DENIED);
	assert_int_equal(
	    extract_one("/tmp/evil", AE_IFREG, NULL, true), ERR_DENIED);
	assert_int_equal(
	    extract_one("link", AE_IFLNK, "/etc", true), ERR_DENIED);
	assert_int_equal(
	    extract_one("link", AE_IFREG, "good/file", true), ERR_DENIED);
	assert_int_equal(extract_one("fifo", AE_IFIFO, NULL, true), ERR_DENIED);
	assert_int_equal(access(outside, F_OK), -1);
	free(outside);
}

static void
damaged_archive_is_refused(void **state)
{
	char *to = below("out");
	size_t files;

	(void)state;
	assert_int_equal(
	    archive_extract("\x1f\x8bnot gzip at all", 18, to, false, &files),
	    ERR_FORMAT);
	free(to);
}

/* --- processes ----------------------------------------------------------------------- */

static void
pid_file_of_another_process_is_not_believed(void **state)
{
	struct site_conf *c = make_site("a", "9999", "http://127.0.0.1:21000");
	char *path = site_path(c, "run/supervisor.pid");
	char *text = xasprintf("%d\n", (int)getpid());

	(void)state;
	assert_int_equal(daemon_pid(&daemon_supervisor, c), 0);
	assert_int_equal(fd_replace_file(path, text, strlen(text), 0644), 0);
	assert_int_equal(daemon_pid(&daemon_supervisor, c), 0);
	assert_int_equal(fd_replace_file(path, "-1\n", 3, 0644), 0);
	assert_int_equal(daemon_pid(&daemon_supervisor, c), 0);
	free(path);
	free(text);
	site_conf_free(c);
}

static void
process_that_ignores_the_polite_signal_is_stopped_all_the_same(void **state)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		(void)signal(SIGTERM, SIG_IGN);
		(void)!write(ready[1], "x", 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(daemon_stop(pid, 100), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(daemon_stop(pid, 100), 0); /* gone already */
	(void)close(ready[0]);
	(void)close(ready[1]);
}

#define WITH_FOLDER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void
answers_do_not_command_the_terminal(void **state)
{
	struct http_reply reply = { .status = 200 };
	struct json_object *o;

	(void)state;
	buf_puts(&reply.body,
	    "{\"retcode\": 0, \"data\": [{\"reason\":"
	    " \"a\\u001b[2Jb\\u0007\\n\\tc\\u009bd\xc3\xa9\"}]}");
	assert_int_equal(api_answer(&reply, &o), 0);
	assert_string_equal(
	    json_get_str(json_object_array_get_idx(json_get(o, "data"), 0),
		"reason", ""),
	    "a?[2Jb?\n\tc??d\xc3\xa9");
	json_object_put(o);
	buf_fini(&reply.body);
}

/* --- words ------------------------------------------------------------------------- */

static void
what_another_command_is_told_is_as_a_shell_takes_it(void **state)
{
	struct args *a;

	(void)state;
	assert_int_equal(PARSE(&a, "--home", "/srv/a-b_1.d", "file"), 0);
	assert_string_equal(args_site(a), " --home /srv/a-b_1.d");
	assert_string_equal(args_filters(a), "");
	args_free(a);
	assert_int_equal(PARSE(&a, "--home", "it's $HOME", "file"), 0);
	assert_string_equal(args_site(a), " --home 'it'\\''s $HOME'");
	args_free(a);
	assert_int_equal(PARSE(&a, "--home", "", "file"), 0);
	assert_string_equal(args_site(a), " --home ''");
	args_free(a);
}

struct said {
	const char *text, *want;
};

/* fn makes of each text what is wanted. */
static void
assert_all_said(const struct said *all, size_t n, char *(*fn)(const char *))
{
	for (size_t i = 0; i < n; i++) {
		char *text = fn(all[i].text);

		assert_string_equal(text, all[i].want);
		free(text);
	}
}

static char *
by_options(const char *text)
{
	static const struct rename names[] = {
		{ "id_delimiter", "--delimiter" },
		{ "name", "--name" },
		{ NULL, NULL },
	};

	return output_renamed(text, names);
}

static void
fields_of_the_api_are_called_by_their_options(void **state)
{
	static const struct said all[] = {
		{ "/id_delimiter: too long", "--delimiter: too long" },
		{ "body: id_delimiter, /name", "body: --delimiter, --name" },
		{ "names of a table_name", "names of a table_name" },
		{ "a/name and x.name", "a/--name and x.name" },
		{ "", "" },
	};

	(void)state;
	assert_all_said(all, N(all), by_options);
}

static void
a_number_is_read_once(void **state)
{
	struct json_object *row = NULL;
	char *text;

	(void)state;
	assert_int_equal(
	    json_parse_text("{\"f_wait\": {\"code\": \"waiting_resources\","
			    " \"text\": \"4 cores are wanted, 16 are there\","
			    " \"numbers\": {\"cores\": 4, \"free\": 1,"
			    " \"memory_mb\": 6}, \"clears\": \"time\"}}",
		&row),
	    0);
	text = waits_long(json_get(row, "f_wait"));
	assert_string_equal(text,
	    "waiting_resources: 4 cores are wanted, 16 are there"
	    " (free 1, memory_mb 6); clears with time");
	free(text);
	json_object_put(row);
}

/* Also of a reason that has no words of its own, whatever it is. */
static void
every_reason_to_wait_has_words_and_what_clears_it(void **state)
{
	(void)state;
	for (int i = WAIT_NONE + 1; i < WAIT_CODES; i++) {
		struct json_object *o = json_object_new_object();
		char *text, *want;

		json_add_str(o, "code", wait_name((enum wait_code)i));
		json_add_str(o, "clears", wait_clears((enum wait_code)i));
		assert_true(strlen(wait_clears((enum wait_code)i)) > 0);
		assert_true(strlen(wait_words((enum wait_code)i)) > 0);
		text = waits_long(o);
		want = xasprintf("%s: %s; clears with %s",
		    wait_name((enum wait_code)i), wait_words((enum wait_code)i),
		    wait_clears((enum wait_code)i));
		assert_string_equal(text, want);
		free(want);
		free(text);
		json_object_put(o);
	}
}

static char *
printed(const char *job_type)
{
	struct json_object *job = NULL, *tasks = NULL;
	char *row = xasprintf("{\"f_job_id\": \"1\", \"f_runtime_conf\":"
			      " {\"job_parameters\": {\"common\":"
			      " {\"job_type\": \"%s\"}}}}",
	    job_type);
	struct report_style style = { .width = 80 };
	struct report r;
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	report_init(&r);
	assert_int_equal(json_parse_text(row, &job), 0);
	assert_int_equal(
	    json_parse_text("[{\"f_component_name\": \"lr_0\","
			    " \"f_component_module\": \"HeteroLR\","
			    " \"f_role\": \"arbiter\", \"f_party_id\":"
			    " \"10001\", \"f_party_status\":"
			    " \"success\"}]",
		&tasks),
	    0);
	report_add_job(&r, job);
	report_add_tasks(&r, tasks);
	report_print(f, &r, &style);
	(void)fclose(f);
	report_fini(&r);
	json_object_put(job);
	json_object_put(tasks);
	free(row);
	return text;
}

static void
a_prediction_points_to_no_loss(void **state)
{
	char *text;

	(void)state;
	text = printed("train");
	assert_non_null(strstr(text, "at the arbiter's site, party 10001"));
	free(text);
	text = printed("predict");
	assert_null(strstr(text, "loss"));
	free(text);
}

/* --- following a job ------------------------------------------------------- */

static struct json_object *
row(const char *key, const char *component, const char *status)
{
	struct json_object *o = json_object_new_object();

	json_add_str(o, key, status);
	json_add_str(o, "f_job_id", "1");
	json_add_str(o, "f_component_name", component);
	json_add_str(o, "f_role", "guest");
	json_add_str(o, "f_party_id", "9999");
	return o;
}

/* What is shown of a job and two tasks of it. */
static void
show(struct screen *s, const char *job, const char *a, const char *b)
{
	struct json_object *o = row("f_status", "", job);
	struct json_object *tasks = json_object_new_array();

	json_object_array_add(tasks, row("f_party_status", "a", a));
	json_object_array_add(tasks, row("f_party_status", "b", b));
	screen_show(s, o, tasks);
	json_object_put(tasks);
	json_object_put(o);
}

static void
many_canceled_tasks_are_told_in_one_line(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	struct json_object *job = row("f_status", "", "failed");
	struct json_object *tasks = json_object_new_array();
	struct screen *s;
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	assert_non_null(f);
	s = screen_new(f);
	for (size_t i = 0; i < N(names); i++)
		json_object_array_add(
		    tasks, row("f_party_status", names[i], "canceled"));
	screen_show(s, job, tasks);
	screen_show(s, job, tasks);
	(void)fclose(f);
	assert_non_null(strstr(text, "5 tasks: canceled\n"));
	assert_null(strstr(strstr(text, "canceled") + 1, "canceled"));
	screen_free(s);
	json_object_put(tasks);
	json_object_put(job);
	free(text);
}

/* "creating" at each submit would be no news. */
static void
what_passes_within_a_moment_is_not_told_as_a_wait(void **state)
{
	static const char *const codes[] = { "creating", "approval" };

	(void)state;
	for (size_t i = 0; i < N(codes); i++) {
		struct json_object *job = row("f_status", "", "waiting");
		struct json_object *wait = json_object_new_object();
		struct screen *s;
		char *text;
		size_t len;
		FILE *f = open_memstream(&text, &len);

		assert_non_null(f);
		s = screen_new(f);
		json_add_str(wait, "code", codes[i]);
		json_add(job, "f_wait", wait);
		screen_show(s, job, NULL);
		(void)fclose(f);
		assert_int_equal(strstr(text, "waits: ") != NULL, i == 1);
		screen_free(s);
		json_object_put(job);
		free(text);
	}
}

static void
what_was_canceled_is_told_behind_its_cause(void **state)
{
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	struct screen *s = screen_new(out);
	const char *failed, *canceled;

	(void)state;
	show(s, "running", "waiting", "running");
	show(s, "running", "canceled", "running");
	assert_null(strstr(text, "canceled"));
	show(s, "running", "canceled", "failed");
	show(s, "failed", "canceled", "failed");
	failed = strstr(text, "b, guest 9999: failed");
	canceled = strstr(text, "a, guest 9999: canceled");
	assert_non_null(failed);
	assert_non_null(canceled);
	assert_true(failed < canceled);
	assert_null(strstr(strchr(canceled, '\n'), "canceled"));
	/* Without a cause among the tasks, with the job's end. */
	screen_free(s);
	(void)fclose(out);
	memset(text, 0, sizeof(text));
	out = fmemopen(text, sizeof(text), "w");
	s = screen_new(out);
	show(s, "running", "canceled", "running");
	show(s, "canceled", "canceled", "canceled");
	assert_true(strstr(text, "a, guest 9999: canceled") <
		    strstr(text, "job 1: canceled"));
	screen_free(s);
	(void)fclose(out);
}

static void
a_span_is_told_in_the_largest_whole_unit(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} spans[] = { { 172800, "48 h" }, { 3600, "1 h" }, { 1800, "30 min" },
		{ 90, "90 s" }, { 5400, "90 min" } };

	(void)state;
	for (size_t i = 0; i < N(spans); i++) {
		char *text = output_span(spans[i].seconds);

		assert_string_equal(text, spans[i].text);
		free(text);
	}
}

static char *
tamed(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = output_tamed(fmt, ap);
	va_end(ap);
	return text;
}

static char *
one_line(const char *text)
{
	return tamed("%s", text);
}

static void
lines_of_a_stranger_become_one(void **state)
{
	static const struct said all[] = { { "one\ntwo", "one; two" },
		{ "\n one\r\n\ntwo\n", " one; two" }, { "\n", "" },
		{ "a\tb\x1b[m\nc", "a?b?[m; c" }, { "a\rb", "a?b" },
		{ "", "" } };

	(void)state;
	assert_all_said(all, N(all), one_line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_another_command_is_told_is_as_a_shell_takes_it),
		cmocka_unit_test(fields_of_the_api_are_called_by_their_options),
		cmocka_unit_test(a_number_is_read_once),
		cmocka_unit_test(a_prediction_points_to_no_loss),
		cmocka_unit_test(options_come_in_both_forms_and_any_order),
		cmocka_unit_test_setup_teardown(
		    a_target_is_left_as_it_is, setup, teardown),
		cmocka_unit_test(a_command_may_take_any_number_of_operands),
		cmocka_unit_test(wrong_options_are_named),
		WITH_FOLDER(
		    written_site_conf_holds_the_choices_and_the_comments),
		WITH_FOLDER(keys_are_private_and_stay),
		WITH_FOLDER(nginx_conf_has_no_placeholder_left),
		WITH_FOLDER(plain_http_is_not_offered_to_the_network),
		WITH_FOLDER(bundle_of_a_site_is_read_by_another),
		WITH_FOLDER(bundle_with_any_wrong_part_is_refused),
		WITH_FOLDER(announced_keys_stand_for_the_whole_file),
		WITH_FOLDER(archive_is_unpacked_below_its_folder),
		WITH_FOLDER(unpacking_replaces_nothing_unasked),
		WITH_FOLDER(unpacking_follows_no_link_that_lies_there),
		WITH_FOLDER(archive_entries_that_leave_the_folder_are_refused),
		WITH_FOLDER(damaged_archive_is_refused),
		WITH_FOLDER(pid_file_of_another_process_is_not_believed),
		cmocka_unit_test(
		    every_reason_to_wait_has_words_and_what_clears_it),
		cmocka_unit_test(many_canceled_tasks_are_told_in_one_line),
		cmocka_unit_test(
		    what_passes_within_a_moment_is_not_told_as_a_wait),
		cmocka_unit_test(what_was_canceled_is_told_behind_its_cause),
		cmocka_unit_test(lines_of_a_stranger_become_one),
		cmocka_unit_test(a_span_is_told_in_the_largest_whole_unit),
		cmocka_unit_test(answers_do_not_command_the_terminal),
		cmocka_unit_test(
		    process_that_ignores_the_polite_signal_is_stopped_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
