/*
 * Cutting SQL text into statements.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/db/migrate.h"

/* The statements of text, in brackets, or "error". */
static char *
split(const char *text)
{
	struct buf out = BUF_INIT;
	const char *start;
	size_t len;
	int r;

	while ((r = sql_next_statement(&text, &start, &len)) == 1)
		buf_printf(&out, "[%.*s]", (int)len, start);
	if (r != 0) {
		assert_int_equal(r, ERR_FORMAT);
		buf_puts(&out, "error");
	}
	return buf_steal(&out);
}

static void
check(const char *text, const char *want)
{
	char *got = split(text);

	assert_string_equal(got, want);
	free(got);
}

static void
statements_end_at_semicolons(void **state)
{
	(void)state;
	check("", "");
	check(" \n\t;; ; ", "");
	check("A", "[A]");
	check("A;", "[A]");
	check(" A b ; C ;\n", "[A b][C]");
	check("A;B", "[A][B]");
}

static void
semicolons_in_quotes_do_not_count(void **state)
{
	(void)state;
	check("A ';' B; C", "[A ';' B][C]");
	check("A \"x;y\"; B", "[A \"x;y\"][B]");
	check("A `x;y`; B", "[A `x;y`][B]");
	check("A 'it''s; so'; B", "[A 'it''s; so'][B]");
	check("A 'it\\'s; so'; B", "[A 'it\\'s; so'][B]");
	check("A '\\\\'; B", "[A '\\\\'][B]");
	/* No escapes in names. */
	check("A `\\`; B", "[A `\\`][B]");
	check("A '-- no comment; ' ; B", "[A '-- no comment; '][B]");
}

static void
semicolons_in_comments_do_not_count(void **state)
{
	(void)state;
	check("-- a;\nB; -- c;\n", "[B]");
	check("# a;\nB", "[B]");
	check("/* a; */ B; /* ; */", "[B]");
	check("B -- x;y\n C; D", "[B -- x;y\n C][D]");
	check("B /* ; */ C; D", "[B /* ; */ C][D]");
	check("-- it's fine\nB; C", "[B][C]");
	check("--\nB", "[B]");
	check("-- only a comment", "");
	/* Two dashes without a blank are minus and minus. */
	check("SELECT 5--3; B", "[SELECT 5--3][B]");
	/* Executable comments are statements. */
	check("/*!40101 SET x = 1 */; B", "[/*!40101 SET x = 1 */][B]");
}

static void
open_quotes_and_comments_are_refused(void **state)
{
	(void)state;
	check("A 'b; C", "error");
	check("A; B \"", "[A]error");
	check("A `x", "error");
	check("/* a", "error");
	check("A; /* b", "[A]error");
	check("A /* b;", "error");
	check("A '\\", "error");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_end_at_semicolons),
		cmocka_unit_test(semicolons_in_quotes_do_not_count),
		cmocka_unit_test(semicolons_in_comments_do_not_count),
		cmocka_unit_test(open_quotes_and_comments_are_refused),
	};

	return cmocka_run_group_tests_name("sql_split", tests, NULL, NULL);
}
