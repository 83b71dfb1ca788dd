/*
 * What commands print: text for people, one JSON value with --json.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

#include <json-c/json.h>

#include "cli/args.h"

/* The recorded error, on standard error; with --json also as an object. */
void output_error(const struct args *, int code);
/*
 * The recorded error as people would say it who gave options: fields that the
 * API names ("/id_delimiter", "id_delimiter") by the options that set them.
 * The table ends with NULL.  Returns code.
 */
struct rename {
	const char *field;
	const char *option;
};
int output_rename(int code, const struct rename *);
/* The same of a text; the caller's. */
char *output_renamed(const char *text, const struct rename *);
/* "48 h", "30 min" or "90 s"; the caller's. */
char *output_span(int64_t seconds);
/*
 * Of a command with --dsl and --conf: places in the API's body ("/job_dsl/…",
 * "/job_runtime_conf/…") as those of the files ("FILE: /…").  The caller's.
 */
char *output_placed(const struct args *, const char *text);
/* The same of the recorded error; returns code. */
int output_places(const struct args *, int code);
/* What was done: a line, or with --json {"done": LINE}. */
void output_done(const struct args *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * A line that may have a stranger's words in it: see str_tame().  Of several
 * lines it makes one, with "; " between them.
 */
void output_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same on standard error: a remark beside what the command prints. */
void output_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Such a line, tamed, for who prints it; the caller frees it. */
char *output_tamed(const char *fmt, va_list)
    __attribute__((format(printf, 1, 0)));
/*
 * May this file, or something in this folder, be written?  What is there
 * already is another's, unless --force was given.  Errors: ERR_EXISTS.
 */
int output_target(const struct args *, const char *path);
/*
 * Write a file, whole or not at all; output_target() holds for it, whatever
 * came there since that was asked.  Errors: ERR_EXISTS, ERR_IO.
 */
int output_file(const struct args *, const char *path, const void *data,
    size_t len, mode_t mode);
#define OPTION_FORCE                                                           \
	{                                                                      \
		"force", NULL, "replace what is there already", false          \
	}
/* One value and a newline; NULL prints null. */
void output_json(struct json_object *);

/* Characters of a UTF-8 text, as wide as it shows (no double-width script). */
int output_width(const char *);

/* Aligned columns: cells are collected, widths found, rows printed. */
struct output_table;

struct output_table *output_table_new(size_t columns);
/* columns texts, tamed as those of output_line(); NULL counts as "". */
void output_table_row(struct output_table *, const char *const *cells);
void output_table_print(struct output_table *); /* and free */
void output_table_free(struct output_table *);
/* Note that a table is empty, and what it was asked for. */
void output_none(const struct args *);
/*
 * The table for people, or with --json the list; frees both.  People are told
 * when there is nothing in it.
 */
void output_list(
    const struct args *, struct output_table *, struct json_object *list);

#endif
