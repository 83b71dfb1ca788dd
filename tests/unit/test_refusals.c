/*
 * refused.log in a real folder and a real database: every line counts once,
 * whatever becomes of the file and of who reads it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metrics.h"
#include "lib/db/db_partner_key.h"
#include "lib/http/tls_cert.h"
#include "supervisor/refusals.h"
#include "supervisor/refused_line.h"
#include "tests/lib/mariadb.h"
#include "tests/lib/rows.h"

#define STRANGER "00112233445566778899aabbccddeeff00112233"
#define LINE(what, certificate, fingerprint)                                   \
	"1 1795730388.747 partner " what " " certificate " " fingerprint       \
	" 192.0.2.7\n"
#define TOO_MANY LINE("too_many", "good", STRANGER)

struct fixture {
	struct site_conf conf;
	struct supervisor super;
	struct refusals *refusals;
	enum refusals_of of;
	char *path;
};

static void
start(struct fixture *f)
{
	refusals_free(f->refusals);
	f->refusals = refusals_new(&f->super, f->of);
}

static void
run_sql(struct fixture *f, const char *sql)
{
	if (db_run_script_statement(f->super.db, sql, strlen(sql)) != 0)
		fail_msg("%s", err_text());
}

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	char *folder;

	f->conf = *mariadb_conf();
	f->conf.home = xasprintf("%s/refusals", mariadb_folder());
	f->super = (struct supervisor){ .conf = &f->conf,
		.db = mariadb_connect(),
		.host = "here",
		.metrics = metrics_new() };
	run_sql(f, "DELETE FROM audit");
	run_sql(f, "DELETE FROM front_log");
	run_sql(f, "DELETE FROM refusal");
	assert_int_equal(loop_new(&f->super.loop), 0);
	folder = site_path(&f->conf, SITE_LOGS);
	assert_int_equal(fd_mkdirs(folder, 0700), 0);
	free(folder);
	f->path = site_path(&f->conf, SITE_LOGS "/refused.log");
	start(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	refusals_free(f->refusals);
	loop_free(f->super.loop);
	assert_int_equal(fd_remove_tree(f->conf.home), 0);
	db_close(f->super.db);
	metrics_free(f->super.metrics);
	free(f->conf.home);
	free(f->path);
	free(f);
	return 0;
}

static void
write_to(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, len), 0);
	fd_close(&fd);
}

static void
write_log(struct fixture *f, const char *text)
{
	write_to(f->path, text, strlen(text));
}

static void
look(struct fixture *f)
{
	bool more = true;

	while (more)
		if (refusals_look(f->refusals, &more) != 0)
			fail_msg("%s", err_text());
}

static int64_t
number_of(struct fixture *f, const struct db_stmt *stmt)
{
	int64_t n = -1;

	if (db_query_int(f->super.db, stmt, &n) != 0)
		fail_msg("%s: %s", stmt->sql, err_text());
	return n;
}
/* Statements are known by their address. */
#define number(f, text)                                                        \
	__extension__({                                                        \
		static const struct db_stmt stmt_ = { "test", "", text };      \
		number_of(f, &stmt_);                                          \
	})

/* What records say together, with what they do not say yet. */
static void
expect_counted(struct fixture *f, int64_t n)
{
	assert_int_equal(
	    number(f, "SELECT CAST((SELECT COALESCE(SUM(pending), 0) FROM"
		      " refusal) + (SELECT COALESCE(SUM(SUBSTRING_INDEX(detail,"
		      " ' ', 1)), 0) FROM audit) AS SIGNED)"),
	    n);
}

static void
expect_metric(struct fixture *f, const char *line)
{
	struct buf b = BUF_INIT;

	metrics_render(f->super.metrics, &b);
	if (strstr(buf_str(&b), line) == NULL)
		fail_msg("no %s in %s", line, buf_str(&b));
	buf_fini(&b);
}

static void
what_was_refused_is_counted_and_recorded_once_a_minute(void **state)
{
	struct fixture *f = *state;

	write_log(f, TOO_MANY TOO_MANY LINE("certificate", "none", "-"));
	look(f);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM audit"), 2);
	write_log(f, TOO_MANY);
	look(f);
	write_log(f, TOO_MANY);
	look(f);
	/* The minute has its record. */
	assert_int_equal(number(f, "SELECT COUNT(*) FROM audit"), 2);
	expect_counted(f, 5);
	run_sql(f, "UPDATE refusal SET told_at = told_at - INTERVAL 1 MINUTE");
	look(f);
	assert_int_equal(
	    number(f, "SELECT COUNT(*) FROM audit WHERE actor = 'front' AND"
		      " action = 'front' AND outcome = 'refused' AND subject ="
		      " 'partner too_many' AND detail LIKE '2 since 2026-%, the"
		      " last from 192.0.2.7: there were too many%'"),
	    2);
	expect_counted(f, 5);
	expect_metric(f, "sluice_front_refusals_total{listener=\"partner\","
			 "reason=\"too_many\",party=\"\"} 4");
	expect_metric(f, "reason=\"certificate_missing\",party=\"\"} 1");
}

static void
nothing_counts_twice_or_is_lost_by_a_restart(void **state)
{
	struct fixture *f = *state;

	write_log(f, TOO_MANY TOO_MANY);
	look(f);
	start(f);
	look(f);
	expect_counted(f, 2);
	/* A line that is half there is read when it is whole. */
	write_log(f, TOO_MANY "1 179573038");
	look(f);
	expect_counted(f, 3);
	start(f);
	write_log(f, "8.747 partner too_many good " STRANGER " 192.0.2.7\n");
	look(f);
	expect_counted(f, 4);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM refusal"), 1);
}

static void
two_supervisors_of_a_home_count_a_line_once(void **state)
{
	struct fixture *f = *state;
	struct refusals *first = f->refusals;

	write_log(f, TOO_MANY);
	look(f);
	f->refusals = refusals_new(&f->super, f->of);
	look(f);
	write_log(f, TOO_MANY);
	look(f);
	refusals_free(f->refusals);
	f->refusals = first; /* which believes to be where it was */
	look(f);
	look(f);
	write_log(f, TOO_MANY);
	look(f);
	expect_counted(f, 3);
}

static void
a_renamed_file_is_read_to_its_end_before_the_next_one(void **state)
{
	struct fixture *f = *state;
	char *first = xasprintf("%s.20260101T000000", f->path);
	char *second = xasprintf("%s.20260102T000000", f->path);
	int i;

	write_log(f, TOO_MANY);
	look(f);
	write_log(f, TOO_MANY);
	/* Both while nobody read; nginx still writes to the older one. */
	assert_int_equal(rename(f->path, first), 0);
	write_log(f, TOO_MANY TOO_MANY);
	assert_int_equal(rename(f->path, second), 0);
	write_log(f, LINE("malformed", "good", STRANGER));
	write_to(first, TOO_MANY, strlen(TOO_MANY));
	start(f);
	for (i = 0; i < 1200 && number(f, "SELECT COUNT(*) FROM refusal WHERE"
					  " reason = 'malformed'") == 0;
	     i++) {
		look(f);
		(void)poll(NULL, 0, 10);
	}
	expect_counted(f, 6);
	free(first);
	free(second);
}

static void
a_file_that_is_emptied_in_place_is_read_from_its_beginning(void **state)
{
	struct fixture *f = *state;

	write_log(f, TOO_MANY TOO_MANY TOO_MANY);
	look(f);
	assert_int_equal(truncate(f->path, 0), 0);
	write_log(f, TOO_MANY);
	look(f);
	expect_counted(f, 4);
}

static void
what_is_no_line_is_counted_as_such(void **state)
{
	static const char *const bad[] = { "", "1", "2" TOO_MANY,
		"1 1795730388.747 partner too_many good - \n",
		"1 1795730388.7 partner too_many good - ::1\n",
		"1 1795730388.747 partner too_many good x 192.0.2.7\n",
		"1 1795730388.747 other too_many good - 192.0.2.7\n",
		"1 1795730388.747 partner certificate_withdrawn none - ::1\n",
		"1 1795730388.747 partner too_many fine - 192.0.2.7\n",
		"1 1795730388.747 partner too_many good - a' OR 1=1\n",
		"1 1795730388.747 partner too_many good - <b> \n",
		"1 1795730388.747 partner  too_many good - 192.0.2.7\n",
		"1 99999999999.747 partner too_many good - 192.0.2.7\n" };
	struct fixture *f = *state;
	struct refused_line l;
	char long_line[400000];
	size_t i;

	assert_true(refused_line_parse(TOO_MANY, strlen(TOO_MANY) - 1, &l));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (refused_line_parse(
			bad[i], strlen(bad[i]) - (bad[i][0] != '\0'), &l))
			fail_msg("taken: %s", bad[i]);
	memset(long_line, 'x', sizeof(long_line));
	long_line[7] = '\0';
	long_line[sizeof(long_line) - 1] = '\n';
	write_to(f->path, long_line, sizeof(long_line));
	write_log(f, "\377\376 \033[2J \"';-- \n" TOO_MANY);
	look(f);
	assert_int_equal(
	    number(f, "SELECT COUNT(*) FROM audit WHERE subject ="
		      " '? unreadable' AND detail LIKE '_ since %'"),
	    1);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM audit WHERE subject ="
				   " 'partner too_many'"),
	    1);
}

static void
a_partners_certificate_is_known_also_when_it_was_withdrawn(void **state)
{
	struct fixture *f = *state;
	char *key = site_path(&f->conf, "k"), *cert = site_path(&f->conf, "c");
	char fingerprint[TLS_CERT_SHA1_SIZE], *text;
	struct buf pem = BUF_INIT;

	assert_int_equal(tls_cert_make(ROWS_HOST, key, cert), 0);
	assert_int_equal(buf_read_file(&pem, cert, 10000), 0);
	assert_int_equal(tls_cert_sha1(buf_str(&pem), fingerprint), 0);
	assert_int_equal(db_partner_key_add(
			     f->super.db, ROWS_HOST, DB_KEY_TLS, buf_str(&pem)),
	    0);
	text = xasprintf(LINE("too_many", "good", "%s")
			     LINE("certificate", "unknown", "%s")
				 LINE("certificate", "unknown", STRANGER),
	    fingerprint, fingerprint);
	write_log(f, text);
	look(f);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM audit WHERE actor ="
				   " 'party " ROWS_HOST "' AND subject IN"
				   " ('partner too_many',"
				   " 'partner certificate_withdrawn')"),
	    2);
	assert_int_equal(
	    number(f, "SELECT COUNT(*) FROM audit WHERE actor = 'front' AND"
		      " subject = 'partner certificate_unknown'"),
	    1);
	buf_fini(&pem);
	free(text);
	free(key);
	free(cert);
}

/* As nginx writes it, with either word of OpenSSL. */
#define TLS(words, port)                                                       \
	"2026/11/27 01:35:29 [info] 3517#3517: *1 SSL_do_handshake() failed"   \
	" (SSL: error:0A000102:SSL routines::" words                           \
	") while SSL handshaking, client: 192.0.2.9, server: 0.0.0.0:" port    \
	"\n"
#define TLS_REST                                                               \
	"2026/11/27 01:35:29 [info] 3517#3517: *3 client closed connection"    \
	" while SSL handshaking, client: 192.0.2.9, server: 0.0.0.0:9443\n"    \
	"2026/11/27 01:35:29 [info] 3517#3517: *4 client sent invalid method"  \
	" while reading client request line, client: 192.0.2.9, server: ,"     \
	" request: \"2026/11/27 01:35:29 [info] 1#1: *1 SSL_do_handshake()"    \
	" failed (SSL: error:x) while SSL handshaking, client: 192.0.2.9,"     \
	" server: 0.0.0.0:9443\"\n"                                            \
	"1 1795730388.747 partner too_many good " STRANGER " 192.0.2.7\n"

static void
handshakes_that_fail_are_counted_and_nothing_else_of_that_log(void **state)
{
	struct fixture *f = *state;
	char *path = site_path(&f->conf, SITE_LOGS "/nginx-tls.log");
	char url[] = "https://127.0.0.1:8443";

	f->of = REFUSALS_HANDSHAKES;
	f->conf.client_tls_url = url;
	start(f);
	write_to(path, TLS_REST, strlen(TLS_REST));
	write_to(path, TLS("unsupported protocol", "9443"),
	    strlen(TLS("unsupported protocol", "9443")));
	write_to(path,
	    TLS("tlsv1 alert unknown ca:SSL alert number 48", "9443"),
	    strlen(TLS("tlsv1 alert unknown ca:SSL alert number 48", "9443")));
	write_to(path, TLS("unexpected message", "8443"),
	    strlen(TLS("unexpected message", "8443")));
	write_to(
	    path, TLS("no\0such", "8443"), sizeof(TLS("no\0such", "8443")) - 1);
	look(f);
	expect_counted(f, 3);
	assert_int_equal(
	    number(f, "SELECT COUNT(*) FROM audit WHERE actor = 'front' AND"
		      " outcome = 'refused' AND subject IN"
		      " ('partner handshake_version',"
		      " 'partner handshake_broken_off',"
		      " 'client-tls handshake_failed') AND detail LIKE"
		      " '1 since %, the last from 192.0.2.9: %handshake%'"),
	    3);
	/* Nor does the other log's follower take what is here. */
	f->of = REFUSALS_REQUESTS;
	start(f);
	look(f);
	expect_counted(f, 3);
	free(path);
}

#define MANY 30

/* In another's name, or without one: but never in a name that is wrong. */
static void
more_kinds_than_there_is_room_for_are_nobodys(void **state)
{
	static const char *const listeners[] = { "partner", "client-tls",
		"client-loopback" };
	static const char *const whats[] = { "headers_too_large", "plain_http",
		"malformed", "no_such_path", "no_such_method", "too_slow",
		"length_missing", "body_too_large", "uri_too_long", "too_many",
		"certificate" };
	struct fixture *f = *state;
	char *key = site_path(&f->conf, "k"), *cert = site_path(&f->conf, "c");
	char fingerprint[TLS_CERT_SHA1_SIZE], party[16];
	struct buf pem = BUF_INIT, lines = BUF_INIT;
	int64_t n = 1;
	size_t i, j;

	for (int p = 0; p < MANY; p++) {
		(void)snprintf(party, sizeof(party), "%d", 1000 + p);
		(void)unlink(key);
		(void)unlink(cert);
		assert_int_equal(tls_cert_make(party, key, cert), 0);
		buf_clear(&pem);
		assert_int_equal(buf_read_file(&pem, cert, 10000), 0);
		assert_int_equal(tls_cert_sha1(buf_str(&pem), fingerprint), 0);
		assert_int_equal(db_partner_key_add(f->super.db, party,
				     DB_KEY_TLS, buf_str(&pem)),
		    0);
		for (i = 0; i < 3; i++)
			for (j = 0; j < 11; j++, n += 1)
				buf_printf(&lines,
				    "1 1795730388.747 %s %s good %s"
				    " 192.0.2.7\n",
				    listeners[i], whats[j], fingerprint);
		for (i = 0; i < 3; i++, n += 1)
			buf_printf(&lines,
			    "1 1795730388.747 %s certificate expired %s"
			    " 192.0.2.7\n",
			    listeners[i], fingerprint);
	}
	buf_puts(&lines, LINE("other", "none", "-"));
	write_to(f->path, lines.data, lines.len);
	look(f);
	expect_counted(f, n);
	assert_int_equal(number(f, "SELECT COUNT(*) FROM refusal"
				   " WHERE party_id = '' AND reason = 'other'"),
	    1);
	assert_int_equal(
	    number(f, "SELECT COUNT(*) FROM refusal WHERE party_id <> ''"),
	    1000);
	buf_fini(&pem);
	buf_fini(&lines);
	free(key);
	free(cert);
}

static void
a_flood_fills_neither_the_disk_nor_the_audit(void **state)
{
	struct fixture *f = *state;
	struct buf b = BUF_INIT;
	struct stat st;
	int i;

	for (i = 0; i < 1000; i++)
		buf_puts(&b, TOO_MANY);
	for (i = 0; i < 100; i++)
		write_to(f->path, b.data, b.len);
	look(f);
	expect_counted(f, 100000);
	assert_true(number(f, "SELECT COUNT(*) FROM audit") <= 1);
	assert_int_equal(stat(f->path, &st), 0);
	assert_true(st.st_size > 8 << 20);
	if ((int64_t)st.st_blocks * 512 > 2 << 20)
		fail_msg("%lld bytes are kept", (long long)st.st_blocks * 512);
	write_log(f, TOO_MANY);
	look(f);
	expect_counted(f, 100001);
	buf_fini(&b);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_refused_is_counted_and_recorded_once_a_minute),
		TEST(nothing_counts_twice_or_is_lost_by_a_restart),
		TEST(two_supervisors_of_a_home_count_a_line_once),
		TEST(a_renamed_file_is_read_to_its_end_before_the_next_one),
		TEST(
		    a_file_that_is_emptied_in_place_is_read_from_its_beginning),
		TEST(what_is_no_line_is_counted_as_such),
		TEST(
		    a_partners_certificate_is_known_also_when_it_was_withdrawn),
		TEST(
		    handshakes_that_fail_are_counted_and_nothing_else_of_that_log),
		TEST(more_kinds_than_there_is_room_for_are_nobodys),
		TEST(a_flood_fills_neither_the_disk_nor_the_audit),
	};

	log_init("test_refusals", LOG_ERROR_);
	mariadb_fresh();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
