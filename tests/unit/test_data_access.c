/*
 * Where tables outside may be, what keeps a path inside its folder, and
 * passwords that only the site's shepherds can read.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/beneath.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/data/address.h"
#include "lib/sign/vault.h"

static char folder[64];

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/sluice-data-XXXXXX");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	return fd_remove_tree(folder);
}

static char *
at(const char *name)
{
	return xasprintf("%s/%s", folder, name);
}

static void
write_file(const char *name, const char *text)
{
	char *path = at(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	(void)close(fd);
	free(path);
}

static void
make_folder(const char *name)
{
	char *path = at(name);

	assert_int_equal(fd_mkdirs(path, 0700), 0);
	free(path);
}

static void
make_link(const char *target, const char *name)
{
	char *path = at(name);

	assert_int_equal(symlink(target, path), 0);
	free(path);
}

/* --- beneath ----------------------------------------------------------------- */

static int
open_below(const char *path)
{
	char *root = at("root");
	int fd, r = beneath_open(root, path, O_RDONLY, 0, &fd);

	assert_true(r == 0 ? fd >= 0 : fd < 0);
	fd_close(&fd);
	free(root);
	return r;
}

static void
make_tree(void)
{
	make_folder("root/sub");
	make_folder("root-2");
	write_file("secret", "s\n");
	write_file("root-2/other", "o\n");
	write_file("root/sub/file", "f\n");
	make_link("sub/file", "root/inner");
	make_link("../../secret", "root/sub/climbs");
	make_link("/etc/passwd", "root/absolute");
	make_link("..", "root/sub/up");
	make_link("../..", "root/sub/out");
}

static void
a_path_stays_below_its_folder(void **state)
{
	(void)state;
	make_tree();
	assert_int_equal(open_below("sub/file"), 0);
	assert_int_equal(open_below("sub/../sub/file"), 0);
	assert_int_equal(open_below("inner"), 0);
	assert_int_equal(open_below("sub/up/sub/file"), 0);
	assert_int_equal(open_below("../secret"), ERR_DENIED);
	assert_int_equal(open_below("sub/../../secret"), ERR_DENIED);
	assert_int_equal(open_below("../root-2/other"), ERR_DENIED);
	assert_int_equal(open_below("/etc/passwd"), ERR_DENIED);
	assert_int_equal(open_below("absolute"), ERR_DENIED);
	assert_int_equal(open_below("sub/climbs"), ERR_DENIED);
	assert_int_equal(open_below("sub/out/secret"), ERR_DENIED);
	assert_int_equal(open_below("nothing"), ERR_NOT_FOUND);
	assert_int_equal(open_below("sub/file/more"), ERR_NOT_FOUND);
}

static void
what_follows_a_root_is_cut_at_a_folder(void **state)
{
	(void)state;
	assert_string_equal(beneath_rest("/data", "/data/a/b"), "a/b");
	assert_string_equal(beneath_rest("/data/", "/data//a"), "a");
	assert_string_equal(beneath_rest("/data", "a/b"), "a/b");
	assert_string_equal(beneath_rest("/", "/a"), "a");
	assert_null(beneath_rest("/data", "/data-2/a"));
	assert_null(beneath_rest("/data", "/etc/passwd"));
}

/* --- files of addresses -------------------------------------------------------- */

static int
open_file(const char *roots, const char *path)
{
	struct site_conf conf = { .file_roots = (char *)(uintptr_t)roots };
	int fd, r = data_file_open(&conf, path, &fd);

	fd_close(&fd);
	return r;
}

static void
files_are_found_below_every_root_and_nowhere_else(void **state)
{
	char *roots = xasprintf("%s/root:%s/root-2", folder, folder);
	char *full = at("root-2/other"), *outside = at("secret");

	(void)state;
	make_tree();
	write_file("root/empty", "");
	assert_int_equal(open_file(roots, "sub/file"), 0);
	assert_int_equal(open_file(roots, "other"), 0);
	assert_int_equal(open_file(roots, full), 0);
	assert_int_equal(open_file(roots, outside), ERR_NOT_FOUND);
	assert_int_equal(open_file(roots, "../secret"), ERR_DENIED);
	assert_int_equal(open_file(roots, "sub/climbs"), ERR_DENIED);
	assert_non_null(strstr(err_text(), "file_roots"));
	assert_int_equal(open_file(roots, "sub"), ERR_INVALID);
	assert_non_null(strstr(err_text(), "is a folder"));
	assert_int_equal(open_file(roots, "empty"), ERR_INVALID);
	assert_int_equal(open_file("", "sub/file"), ERR_DENIED);
	assert_non_null(strstr(err_text(), "[data] file_roots"));
	free(roots);
	free(full);
	free(outside);
}

static void
a_pipe_is_no_file_and_is_not_waited_for(void **state)
{
	char *fifo = at("root/fifo"), *roots = at("root");

	(void)state;
	make_folder("root");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(open_file(roots, "fifo"), ERR_INVALID);
	assert_non_null(strstr(err_text(), "no plain file"));
	free(fifo);
	free(roots);
}

/* --- addresses --------------------------------------------------------------------- */

/* The faults of an address, one per line; the caller's. */
static char *
faults_of(const char *engine, const char *json)
{
	struct json_object *o = NULL;
	struct faults faults = FAULTS_INIT;
	struct data_address a;
	enum data_engine e;
	struct buf text = BUF_INIT;
	int r;

	assert_int_equal(data_engine_parse(engine, &e), 0);
	assert_int_equal(json_parse_text(json, &o), 0);
	r = data_address_parse(e, o, NULL, &faults, &a);
	assert_true((r == 0) == !faults_any(&faults));
	faults_text(&faults, &text);
	faults_fini(&faults);
	json_object_put(o);
	return buf_steal(&text);
}

static void
has_fault(const char *engine, const char *json, const char *what)
{
	char *text = faults_of(engine, json);

	if (strstr(text, what) == NULL)
		fail_msg("%s %s: '%s' lacks '%s'", engine, json, text, what);
	free(text);
}

static void
is_fine(const char *engine, const char *json)
{
	char *text = faults_of(engine, json);

	assert_string_equal(text, "");
	free(text);
}

static void
engines_that_are_not_offered_name_those_that_are(void **state)
{
	static const char *const others[] = { "HDFS", "HIVE", "EGGROLL", "API",
		"LINKIS_HIVE", "" };
	enum data_engine e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(
		    data_engine_parse(others[i], &e), ERR_UNSUPPORTED);
		assert_non_null(strstr(err_text(), "STANDALONE, PATH"));
	}
	assert_int_equal(data_engine_parse("mysql", &e), 0);
	assert_int_equal(e, DATA_MYSQL);
	assert_true(data_engine_is_file(DATA_PATH));
	assert_false(data_engine_is_file(DATA_MYSQL));
}

static void
addresses_say_what_is_missing_and_where(void **state)
{
	(void)state;
	is_fine("PATH", "{\"path\":\"a.csv\"}");
	has_fault("PATH", "{}", "/path");
	has_fault("LOCALFS", "{\"path\":7}", "/path");
	is_fine("STANDALONE", "{\"name\":\"t\",\"namespace\":\"n\"}");
	has_fault("STANDALONE", "{\"name\":\"t\"}", "/namespace");
	is_fine("MYSQL", "{\"host\":\"db\",\"user\":\"u\",\"passwd\":\"p\","
			 "\"db\":\"d\",\"name\":\"t\",\"port\":3307}");
	has_fault(
	    "MYSQL", "{\"host\":\"db\",\"user\":\"u\",\"name\":\"t\"}", "/db");
	has_fault("MYSQL",
	    "{\"host\":\"a/b\",\"user\":\"u\",\"db\":\"d\","
	    "\"name\":\"t\"}",
	    "/host");
	has_fault("MYSQL",
	    "{\"host\":\"db\",\"user\":\"u\",\"db\":\"d\","
	    "\"name\":\"t\",\"port\":70000}",
	    "/port");
	is_fine("MYSQL", "{\"connector_name\":\"c\",\"name\":\"t\"}");
	has_fault("MYSQL", "{\"connector_name\":\"c\"}", "/name");
}

static int
mysql_allowed(const char *hosts, const char *ca, const char *host, int64_t port)
{
	struct site_conf conf = { .mysql_hosts = (char *)(uintptr_t)hosts,
		.mysql_tls_ca = (char *)(uintptr_t)ca };
	struct data_address a = {
		.engine = DATA_MYSQL, .host = host, .port = port
	};

	return data_address_allowed(&conf, &a);
}

static void
only_servers_of_the_configuration_are_used(void **state)
{
	(void)state;
	assert_int_equal(mysql_allowed("", "", "127.0.0.1", 3306), ERR_DENIED);
	assert_non_null(strstr(err_text(), "[data] mysql_hosts"));
	assert_int_equal(mysql_allowed("127.0.0.1", "", "127.0.0.1", 3306), 0);
	assert_int_equal(
	    mysql_allowed("127.0.0.1", "", "127.0.0.1", 3307), ERR_DENIED);
	assert_int_equal(
	    mysql_allowed("127.0.0.1:3307 ::1", "", "127.0.0.1", 3307), 0);
	assert_int_equal(mysql_allowed("a ::1", "", "::1", 3306), 0);
	assert_int_equal(
	    mysql_allowed("127.0.0.10", "", "127.0.0.1", 3306), ERR_DENIED);
	assert_int_equal(
	    mysql_allowed("db.example:x", "ca", "db.example", 3306),
	    ERR_DENIED);
	/* Another machine: not without TLS. */
	assert_int_equal(
	    mysql_allowed("db.example", "", "db.example", 3306), ERR_DENIED);
	assert_non_null(strstr(err_text(), "mysql_tls_ca"));
	assert_int_equal(
	    mysql_allowed("db.example", "ca.pem", "DB.example", 3306), 0);
}

static void
passwords_are_not_shown(void **state)
{
	struct json_object *o, *shown;

	(void)state;
	assert_int_equal(json_parse_text("{\"user\":\"u\",\"passwd\":\"p\","
					 "\"password\":\"q\"}",
			     &o),
	    0);
	shown = data_address_shown(o);
	assert_string_equal(json_text(shown),
	    "{\"user\":\"u\",\"passwd\":null,\"password\":null}");
	assert_string_equal(json_get_str(o, "passwd", ""), "p");
	json_object_put(shown);
	json_object_put(o);
}

/* --- the vault ------------------------------------------------------------------------ */

static void
a_sealed_password_opens_for_its_place_only(void **state)
{
	char *sealed, *again, *secret;

	(void)state;
	make_folder("keys");
	assert_int_equal(
	    vault_seal(folder, "pass word", "here", &sealed), ERR_NOT_FOUND);
	assert_int_equal(vault_make(folder), 0);
	assert_int_equal(vault_seal(folder, "pass word", "here", &sealed), 0);
	assert_true(vault_is_sealed(sealed));
	assert_null(strstr(sealed, "pass"));
	assert_int_equal(vault_seal(folder, "pass word", "here", &again), 0);
	assert_string_not_equal(sealed, again);

	/* Made again, the vault stays the same. */
	assert_int_equal(vault_make(folder), 0);
	assert_int_equal(vault_open(folder, sealed, "here", &secret), 0);
	assert_string_equal(secret, "pass word");
	vault_forget(secret);
	assert_int_equal(
	    vault_open(folder, sealed, "there", &secret), ERR_DENIED);
	assert_null(secret);
	sealed[strlen(sealed) - 6] ^= 1;
	assert_true(vault_open(folder, sealed, "here", &secret) != 0);
	assert_int_equal(
	    vault_open(folder, "sealed:AAAA", "here", &secret), ERR_FORMAT);
	assert_int_equal(
	    vault_open(folder, "clear", "here", &secret), ERR_FORMAT);
	free(sealed);
	free(again);
}

static void
an_empty_password_can_be_sealed(void **state)
{
	char *sealed, *secret;

	(void)state;
	make_folder("keys");
	assert_int_equal(vault_make(folder), 0);
	assert_int_equal(vault_seal(folder, "", "here", &sealed), 0);
	assert_int_equal(vault_open(folder, sealed, "here", &secret), 0);
	assert_string_equal(secret, "");
	vault_forget(secret);
	free(sealed);
}

static void
another_sites_vault_does_not_open_it(void **state)
{
	char *sealed, *secret, *other = at("other");

	(void)state;
	make_folder("keys");
	make_folder("other/keys");
	assert_int_equal(vault_make(folder), 0);
	assert_int_equal(vault_make(other), 0);
	assert_int_equal(vault_seal(folder, "p", "here", &sealed), 0);
	assert_int_equal(
	    vault_open(other, sealed, "here", &secret), ERR_CRYPTO);
	free(sealed);
	free(other);
}

static void
a_key_file_that_others_may_read_is_refused(void **state)
{
	char *sealed, *secret, *path = at("keys/vault.key");
	struct stat st;

	(void)state;
	make_folder("keys");
	assert_int_equal(vault_make(folder), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(vault_seal(folder, "p", "here", &sealed), 0);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(
	    vault_open(folder, sealed, "here", &secret), ERR_DENIED);
	assert_int_equal(vault_make(folder), ERR_DENIED);
	free(sealed);
	free(path);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_path_stays_below_its_folder),
		T(what_follows_a_root_is_cut_at_a_folder),
		T(files_are_found_below_every_root_and_nowhere_else),
		T(a_pipe_is_no_file_and_is_not_waited_for),
		T(engines_that_are_not_offered_name_those_that_are),
		T(addresses_say_what_is_missing_and_where),
		T(only_servers_of_the_configuration_are_used),
		T(passwords_are_not_shown),
		T(a_sealed_password_opens_for_its_place_only),
		T(an_empty_password_can_be_sealed),
		T(another_sites_vault_does_not_open_it),
		T(a_key_file_that_others_may_read_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
