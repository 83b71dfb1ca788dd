/*
 * Printing for all commands.
 */
#include "cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
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

char *
output_tamed(const char *fmt, va_list ap)
{
	char *text = xvasprintf(fmt, ap);

	(void)str_tame(text, "");
	return text;
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
		t->cells[t->n] = xstrdup(cells[i] != NULL ? cells[i] : "");
		(void)str_tame(t->cells[t->n++], "");
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

void
output_table_print(struct output_table *t)
{
	int *widths = xcalloc(t->columns, sizeof(*widths));
	size_t i, c;

	for (c = 0; c < t->columns; c++)
		widths[c] = column_width(t, c);
	for (i = 0; i < t->n; i++) {
		c = i % t->columns;
		if (c + 1 == t->columns)
			(void)printf("%s\n", t->cells[i]);
		else
			(void)printf("%s%*s", t->cells[i],
			    widths[c] - output_width(t->cells[i]) + 2, "");
	}
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
output_list(
    const struct args *args, struct output_table *t, struct json_object *list)
{
	if (args_json(args)) {
		output_json(list);
		output_table_free(t);
	} else {
		output_table_print(t);
	}
	json_object_put(list);
}
