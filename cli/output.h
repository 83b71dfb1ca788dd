/*
 * What commands print: text for people, one JSON value with --json.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdarg.h>

#include <json-c/json.h>

#include "cli/args.h"

/* The recorded error, on standard error; with --json also as an object. */
void output_error(const struct args *, int code);
/* A line that may have a stranger's words in it: see str_tame(). */
void output_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same on standard error: a remark beside what the command prints. */
void output_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Such a line, tamed, for who prints it; the caller frees it. */
char *output_tamed(const char *fmt, va_list)
    __attribute__((format(printf, 1, 0)));
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
/* The table for people, or with --json the list; frees both. */
void output_list(
    const struct args *, struct output_table *, struct json_object *list);

#endif
