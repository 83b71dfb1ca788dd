/*
 * Printing for all commands.
 */
#include "cli/output.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/json/json.h"

void
output_json(struct json_object *value)
{
	(void)printf("%s\n",
	    json_object_to_json_string_ext(value,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE |
		    JSON_C_TO_STRING_SPACED));
}

void
output_error(const struct args *args, int code)
{
	struct json_object *o;

	char *text = xstrdup(err_text());

	/* It may be a partner's words. */
	(void)str_tame(text, "\n\t");
	(void)fflush(stdout);
	(void)fprintf(
	    stderr, "sluice %s: %s\n", args_command(args)->name, text);
	free(text);
	if (!args_json(args))
		return;
	o = json_object_new_object();
	json_add_str(o, "error", err_name(code));
	json_add_str(o, "message", err_text());
	output_json(o);
	json_object_put(o);
}

static int
is_taken(void *ctx, int dir, const char *name)
{
	(void)ctx;
	(void)dir;
	return err_set(ERR_EXISTS, "%s", name);
}

int
output_target(const struct args *args, const char *path)
{
	/* A folder without anything in it stays, with its owner and mode. */
	if (args_flag(args, "force") || fd_each(path, 1, is_taken, NULL) == 0)
		return 0;
	return err_set(ERR_EXISTS,
	    "%s is there already: name another, or --force to replace it",
	    path);
}

int
output_file(const struct args *args, const char *path, const void *data,
    size_t len, mode_t mode)
{
	if (args_flag(args, "force"))
		return fd_replace_file(path, data, len, mode);
	return fd_new_file(path, data, len, mode);
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

/* The field whose name stands here by itself, or NULL. */
static const struct rename *
renamed(const struct rename *table, const char *text, const char *at)
{
	const struct rename *t;
	size_t len;

	if (at > text && is_word(at[-1]))
		return NULL;
	for (t = table; t->field != NULL; t++) {
		len = strlen(t->field);
		if (strncmp(at, t->field, len) == 0 && !is_word(at[len]))
			return t;
	}
	return NULL;
}

char *
output_renamed(const char *text, const struct rename *table)
{
	const struct rename *t;
	struct buf b = BUF_INIT;
	const char *at;

	for (at = text; *at != '\0';) {
		/* A pointer to it, too. */
		bool slash = *at == '/' && (at == text || !is_word(at[-1]));

		t = renamed(table, slash ? at + 1 : text, at + slash);
		if (t != NULL) {
			buf_puts(&b, t->option);
			at += slash + strlen(t->field);
		} else
			buf_putc(&b, *at++);
	}
	return buf_steal(&b);
}

int
output_rename(int code, const struct rename *table)
{
	char *text = output_renamed(err_text(), table);

	(void)err_set(code, "%s", text);
	free(text);
	return code;
}

/* What a pointer into the body begins with, and the file that it is of. */
static const char *
file_at(const struct args *args, const char *at, size_t *len)
{
	static const char *const places[][2] = { { "/job_dsl", "dsl" },
		{ "/job_runtime_conf", "conf" } };
	const char *file;

	for (size_t i = 0; i < 2; i++) {
		*len = strlen(places[i][0]);
		file = args_text(args, places[i][1]);
		if (file != NULL && strncmp(at, places[i][0], *len) == 0 &&
		    !is_word(at[*len]))
			return file;
	}
	return NULL;
}

char *
output_placed(const struct args *args, const char *text)
{
	struct buf b = BUF_INIT;
	const char *at = text, *file;
	size_t len;

	while (*at != '\0') {
		file = *at == '/' && (at == text || !is_word(at[-1]))
			   ? file_at(args, at, &len)
			   : NULL;
		if (file == NULL) {
			buf_putc(&b, *at++);
			continue;
		}
		at += len;
		buf_printf(&b, "%s: %s", file, *at == '/' ? "" : "/");
	}
	return buf_steal(&b);
}

int
output_places(const struct args *args, int code)
{
	char *text = output_placed(args, err_text());

	(void)err_set(code, "%s", text);
	free(text);
	return code;
}

/* On one line: lines of it are told apart by "; ".  Takes text. */
static char *
tamed(char *text)
{
	struct buf b = BUF_INIT;
	char *line, *rest = text;

	if (strchr(text, '\n') != NULL) {
		while ((line = strsep(&rest, "\r\n")) != NULL)
			if (*line != '\0')
				buf_printf(
				    &b, "%s%s", b.len > 0 ? "; " : "", line);
		free(text);
		text = b.len > 0 ? buf_steal(&b) : xstrdup("");
		buf_fini(&b);
	}
	(void)str_tame(text, "");
	return text;
}

char *
output_tamed(const char *fmt, va_list ap)
{
	return tamed(xvasprintf(fmt, ap));
}

char *
output_span(int64_t seconds)
{
	if (seconds % 3600 == 0)
		return xasprintf("%lld h", (long long)(seconds / 3600));
	if (seconds % 60 == 0)
		return xasprintf("%lld min", (long long)(seconds / 60));
	return xasprintf("%lld s", (long long)seconds);
}

void
output_line(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = output_tamed(fmt, ap);
	va_end(ap);
	(void)printf("%s\n", text);
	free(text);
}

void
output_done(const struct args *args, const char *fmt, ...)
{
	struct json_object *o;
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = output_tamed(fmt, ap);
	va_end(ap);
	if (args_json(args)) {
		o = json_object_new_object();
		json_add_str(o, "done", text);
		output_json(o);
		json_object_put(o);
	} else
		(void)printf("%s\n", text);
	free(text);
}

void
output_note(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = output_tamed(fmt, ap);
	va_end(ap);
	(void)fflush(stdout);
	(void)fprintf(stderr, "%s\n", text);
	free(text);
}

struct output_table {
	size_t columns;
	char **cells;
	size_t n; /* rows * columns */
};

struct output_table *
output_table_new(size_t columns)
{
	struct output_table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	return t;
}

void
output_table_row(struct output_table *t, const char *const *cells)
{
	size_t i;

	t->cells = xrealloc(t->cells, (t->n + t->columns) * sizeof(*t->cells));
	for (i = 0; i < t->columns; i++) {
		t->cells[t->n++] =
		    tamed(xstrdup(cells[i] != NULL ? cells[i] : ""));
	}
}

int
output_width(const char *s)
{
	int n = 0;

	for (; *s != '\0'; s++)
		if (((unsigned char)*s & 0xc0) != 0x80)
			n++;
	return n;
}

static int
column_width(const struct output_table *t, size_t column)
{
	int width = 0;
	size_t i;

	for (i = column; i < t->n; i += t->columns)
		if (output_width(t->cells[i]) > width)
			width = output_width(t->cells[i]);
	return width;
}

/* Columns of the terminal; 0: it is none, and lines are as long as they are. */
static int
screen_width(void)
{
	struct winsize w;

	return isatty(STDOUT_FILENO) &&
		       ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0
		   ? w.ws_col
		   : 0;
}

/* Where a row is wider than the screen: its columns, at most, and the rest. */
#define NARROW 28
#define FOLD_INDENT 8
#define FOLD_MIN 40 /* a screen that is narrower folds by itself */

/* A line, and what is beyond the screen below it. */
static void
print_folded(const char *s, int width)
{
	int at = 0;

	for (; *s != '\0'; s++) {
		bool begins = ((unsigned char)*s & 0xc0) != 0x80;

		if (begins && at == width)
			at = printf("\n%*s", FOLD_INDENT, "") - 1;
		(void)putchar(*s);
		at += begins;
	}
	(void)putchar('\n');
}

static void
print_row(
    const struct output_table *t, size_t row, const int *widths, int screen)
{
	struct buf b = BUF_INIT;
	size_t c;

	for (c = 0; c < t->columns; c++) {
		const char *cell = t->cells[row + c];
		int pad = widths[c] - output_width(cell);

		buf_puts(&b, cell);
		if (c + 1 < t->columns)
			buf_printf(&b, "%*s", (pad > 0 ? pad : 0) + 2, "");
	}
	if (screen > 0)
		print_folded(buf_str(&b), screen);
	else
		(void)printf("%s\n", buf_str(&b));
	buf_fini(&b);
}

void
output_table_print(struct output_table *t)
{
	int *widths = xcalloc(t->columns, sizeof(*widths));
	int total = 0, screen = screen_width();
	size_t i, c;

	for (c = 0; c < t->columns; c++) {
		widths[c] = column_width(t, c);
		total += widths[c] + 2;
	}
	if (screen < FOLD_MIN || total - 2 <= screen)
		screen = 0;
	for (c = 0; screen > 0 && c < t->columns; c++)
		if (widths[c] > NARROW)
			widths[c] = NARROW;
	for (i = 0; i < t->n; i += t->columns)
		print_row(t, i, widths, screen);
	free(widths);
	output_table_free(t);
}

void
output_table_free(struct output_table *t)
{
	while (t->n != 0)
		free(t->cells[--t->n]);
	free(t->cells);
	free(t);
}

void
output_none(const struct args *args)
{
	output_note("sluice %s: there is none%s%s", args_command(args)->name,
	    *args_filters(args) != '\0' ? " with" : "", args_filters(args));
}

void
output_list(
    const struct args *args, struct output_table *t, struct json_object *list)
{
	if (args_json(args)) {
		output_json(list);
		output_table_free(t);
	} else {
		output_table_print(t);
		if (json_object_array_length(list) == 0)
			output_none(args);
	}
	json_object_put(list);
}
