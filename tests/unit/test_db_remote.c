/*
 * Tables on a real server: read as text, written whole or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/db/db_remote.h"
#include "tests/lib/mariadb.h"

static struct db *db; /* the server's own side, for looking */
static struct db_remote *remote;
static struct arena *arena;

static struct remote_server
server(void)
{
	const struct site_conf *c = mariadb_conf();

	return (struct remote_server){ .host = c->db_socket,
		.port = 3306,
		.user = c->db_user,
		.password = "",
		.db = c->db_name,
		.tls_ca = "",
		.connect_timeout_s = 5,
		.answer_timeout_s = 60 };
}

static void
run(const char *sql)
{
	if (db_run_script_statement(db, sql, strlen(sql)) != 0)
		fail_msg("%s", err_text());
}

static int64_t
query(const struct db_stmt *s)
{
	int64_t n;

	assert_int_equal(db_query_int(db, s, &n), 0);
	return n;
}

/* A statement is prepared once for its address. */
#define number(text)                                                           \
	({                                                                     \
		static const struct db_stmt s_ = { "test", "", text };         \
		query(&s_);                                                    \
	})

static int
set_up(void **state)
{
	struct remote_server s;

	(void)state;
	mariadb_fresh();
	db = mariadb_connect();
	arena = arena_new();
	s = server();
	if (db_remote_open(&s, &remote) != 0)
		fail_msg("%s", err_text());
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	db_remote_close(remote);
	arena_free(arena);
	db_close(db);
	return 0;
}

static int
add_row(void *ctx, uint64_t n, const struct remote_value *v, size_t columns)
{
	struct buf *out = ctx;
	size_t i;

	buf_printf(out, "%llu:", (unsigned long long)n);
	for (i = 0; i < columns; i++)
		buf_printf(out, "%s%.*s", i > 0 ? "," : "", (int)v[i].len,
		    v[i].data != NULL ? v[i].data : "");
	buf_putc(out, ';');
	return 0;
}

static void
a_table_is_read_as_text(void **state)
{
	static const char *const columns[] = { "id", "x y", "d" };
	const char *const *names;
	struct buf got = BUF_INIT;
	size_t n;

	(void)state;
	run("CREATE TABLE r (id INT PRIMARY KEY, d DOUBLE, `x y` TEXT)");
	run("INSERT INTO r VALUES (1, 0.1, 'a'), (2, NULL, 'b,c'), (3, 1e-9,"
	    " NULL)");
	assert_int_equal(db_remote_columns(remote, "r", arena, &names, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(names[2], "x y");
	assert_int_equal(
	    db_remote_read(remote, "r", columns, 3, add_row, &got), 0);
	assert_string_equal(
	    buf_str(&got), "1:1,a,0.1;2:2,b,c,;3:3,,0.000000001;");
	buf_fini(&got);
	assert_int_equal(db_remote_columns(remote, "none", arena, &names, &n),
	    ERR_NOT_FOUND);
	assert_int_equal(db_remote_read(remote, "r",
			     (const char *const[]){ "none" }, 1, add_row, &got),
	    ERR_NOT_FOUND);
	run("DROP TABLE r");
}

static int
stop_at_two(void *ctx, uint64_t n, const struct remote_value *v, size_t columns)
{
	(void)ctx;
	(void)v;
	(void)columns;
	return n == 2 ? err_set(ERR_CANCELED, "enough") : 0;
}

static void
reading_ends_with_the_first_error_of_the_reader(void **state)
{
	static const char *const columns[] = { "id" };

	(void)state;
	run("CREATE TABLE r (id INT PRIMARY KEY)");
	run("INSERT INTO r SELECT seq FROM seq_1_to_100000");
	assert_int_equal(
	    db_remote_read(remote, "r", columns, 1, stop_at_two, NULL),
	    ERR_CANCELED);
	assert_string_equal(err_text(), "enough");
	run("DROP TABLE r");
}

static void
names_cannot_leave_their_quotes(void **state)
{
	static const char *const bad[] = { "", "a`b", "a\\b", "a/b", "a\nb",
		"a ", "\xff",
		"01234567890123456789012345678901234567890123456789012345678901"
		"234" };
	const char *const *names;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(db_remote_is_name(bad[i]));
		assert_int_equal(
		    db_remote_columns(remote, bad[i], arena, &names, &n),
		    ERR_INVALID);
	}
	assert_true(db_remote_is_name("a; DROP TABLE x -- '\""));
	assert_true(db_remote_is_name("\xc3\xa9t\xc3\xa9"));
}

static void
who_cannot_connect_is_told_why(void **state)
{
	struct remote_server s = server();
	struct db_remote *other;

	(void)state;
	s.db = "nowhere";
	assert_int_equal(db_remote_open(&s, &other), ERR_NOT_FOUND);
	assert_null(other);
	s = server();
	s.user = "nobody";
	assert_int_equal(db_remote_open(&s, &other), ERR_DENIED);
	s = server();
	s.host = "127.0.0.1";
	s.port = 1;
	assert_int_equal(db_remote_open(&s, &other), ERR_NET);
	assert_non_null(strstr(err_text(), "127.0.0.1:1"));
}

/* --- writing ---------------------------------------------------------------- */

static const char *const two[] = { "id", "v" };

static int
write_row(struct remote_writer *w, const char *id, const char *v)
{
	struct remote_value values[] = { { id, strlen(id) },
		{ v, v != NULL ? strlen(v) : 0 } };

	return db_remote_write_row(w, values);
}

static void
write_many(struct remote_writer *w, int n)
{
	char id[16];
	int i;

	for (i = 0; i < n; i++) {
		(void)snprintf(id, sizeof(id), "%d", i);
		assert_int_equal(write_row(w, id, i % 2 ? id : NULL), 0);
	}
}

#define TABLES(name)                                                           \
	"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema ="  \
	" DATABASE() AND table_name = '" name "'"

static void
a_new_table_is_seen_when_it_is_complete(void **state)
{
	struct remote_writer *w;

	(void)state;
	assert_int_equal(
	    db_remote_write_begin(remote, "w", two, 2, "w_part", &w), 0);
	write_many(w, 1000);
	assert_int_equal(number(TABLES("w")), 0);
	assert_int_equal(db_remote_write_end(w), 0);
	assert_int_equal(number(TABLES("w_part")), 0);
	assert_int_equal(number("SELECT COUNT(*) FROM w"), 1000);
	assert_int_equal(number("SELECT COUNT(*) FROM w WHERE v IS NULL"), 500);
	assert_int_equal(number("SELECT COUNT(*) FROM w WHERE v = id"), 500);
	run("DROP TABLE w");
}

static void
a_writer_that_gives_up_leaves_nothing(void **state)
{
	struct remote_writer *w;

	(void)state;
	assert_int_equal(
	    db_remote_write_begin(remote, "w", two, 2, "w_part", &w), 0);
	write_many(w, 1000);
	db_remote_write_abort(w);
	assert_int_equal(number(TABLES("w")), 0);
	assert_int_equal(number(TABLES("w_part")), 0);
	/* A kill leaves the part; the next try starts it anew. */
	run("CREATE TABLE w_part (other INT)");
	assert_int_equal(
	    db_remote_write_begin(remote, "w", two, 2, "w_part", &w), 0);
	write_many(w, 3);
	assert_int_equal(db_remote_write_end(w), 0);
	assert_int_equal(number("SELECT COUNT(*) FROM w"), 3);
	run("DROP TABLE w");
}

static void
a_table_that_is_there_takes_all_rows_or_none(void **state)
{
	struct remote_writer *w;

	(void)state;
	run("CREATE TABLE w (ID VARCHAR(20) PRIMARY KEY, v INT, more INT)");
	run("INSERT INTO w VALUES ('1', 77, 5), ('own', 1, 1)");
	assert_int_equal(
	    db_remote_write_begin(remote, "w", two, 2, "w_part", &w), 0);
	write_many(w, 600);
	assert_int_equal(number("SELECT COUNT(*) FROM w"), 2);
	assert_int_equal(write_row(w, "x", "no number"), 0);
	assert_int_equal(db_remote_write_end(w), ERR_DB);
	assert_non_null(strstr(err_text(), "rows "));
	assert_int_equal(number("SELECT v FROM w WHERE id = '1'"), 77);
	assert_int_equal(
	    db_remote_write_begin(remote, "w", two, 2, "w_part", &w), 0);
	write_many(w, 600);
	assert_int_equal(db_remote_write_end(w), 0);
	assert_int_equal(number("SELECT COUNT(*) FROM w"), 601);
	assert_int_equal(number("SELECT v FROM w WHERE id = '1'"), 1);
	run("DROP TABLE w");
}

static void
what_cannot_be_written_is_said_before(void **state)
{
	static const char *const wrong[] = { "id", "nope" };
	static const char *const bad[] = { "id", "a`b" };
	struct remote_writer *w;

	(void)state;
	run("CREATE TABLE w (id INT PRIMARY KEY, v INT)");
	assert_int_equal(db_remote_write_begin(remote, "w", wrong, 2, "p", &w),
	    ERR_NOT_FOUND);
	assert_non_null(strstr(err_text(), "'nope'"));
	assert_int_equal(
	    db_remote_write_begin(remote, "w", bad, 2, "p", &w), ERR_INVALID);
	assert_int_equal(
	    db_remote_write_begin(remote, "w", two, 0, "p", &w), ERR_INVALID);
	assert_int_equal(number(TABLES("p")), 0);
	run("DROP TABLE w");
}

static void
rows_of_equal_id_are_refused_in_a_new_table(void **state)
{
	struct remote_writer *w;

	(void)state;
	assert_int_equal(
	    db_remote_write_begin(remote, "w", two, 2, "w_part", &w), 0);
	assert_int_equal(write_row(w, "a", "1"), 0);
	assert_int_equal(write_row(w, "a", "2"), 0);
	assert_int_equal(db_remote_write_end(w), ERR_EXISTS);
	assert_int_equal(number(TABLES("w")), 0);
	assert_int_equal(number(TABLES("w_part")), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(a_table_is_read_as_text),
		T(reading_ends_with_the_first_error_of_the_reader),
		T(names_cannot_leave_their_quotes),
		T(who_cannot_connect_is_told_why),
		T(a_new_table_is_seen_when_it_is_complete),
		T(a_writer_that_gives_up_leaves_nothing),
		T(a_table_that_is_there_takes_all_rows_or_none),
		T(what_cannot_be_written_is_said_before),
		T(rows_of_equal_id_are_refused_in_a_new_table),
	};
#undef T

	log_init("test_db_remote", LOG_ERROR_);
	return cmocka_run_group_tests_name("db_remote", tests, NULL, NULL);
}
