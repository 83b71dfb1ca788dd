/*
 * Delimited text, read as a stream in bounded memory.
 *
 * A line ends with LF, CR LF or CR; the last one need not.  A byte order
 * mark before the first line is dropped.  Text is UTF-8 without NUL bytes.
 * Fields are what lies between delimiters, nothing is trimmed.
 *
 * By default a double quote is a character like any other, as the platform
 * has always had it.  With is_quoted a field may stand in double quotes:
 * delimiters and line ends inside belong to it, "" means one quote
 * (RFC 4180); this reads what the platform writes for predict_detail.
 */
#ifndef LIB_ENGINE_CSV_H
#define LIB_ENGINE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/engine/storage.h"

enum { CSV_LINE_MAX = 16 << 20, CSV_DELIMITER_MAX = 16 };

struct csv;

struct csv_options {
	const char *delimiter; /* 1 to CSV_DELIMITER_MAX bytes */
	bool is_quoted;
	size_t line_max; /* bytes; 0: CSV_LINE_MAX */
};

/* ERR_INVALID saying why s cannot stand between columns. */
int csv_delimiter_check(const char *s);

/* fd is borrowed.  ERR_INVALID for an impossible delimiter. */
int csv_open(int fd, const struct csv_options *, struct csv **out);
void csv_free(struct csv *); /* NULL is fine */

/*
 * The next line without its end: 1 and a line, 0 at the end of the file, or
 * an error naming the line: ERR_FORMAT (NUL byte, not UTF-8, quote never
 * closed), ERR_LIMIT (longer than line_max), ERR_IO.  The bytes are valid
 * until the next call.
 */
int csv_line(struct csv *, struct span *out);

/* Number of the line given last, from 1; lines inside quotes count. */
uint64_t csv_line_number(const struct csv *);
/* Bytes of the file behind us, for progress. */
uint64_t csv_bytes(const struct csv *);

/*
 * Cut a line at the delimiter (taking quotes off with is_quoted).  The
 * array and unquoted text belong to the reader and are valid until the next
 * call of csv_split(); plain fields point into the line.  An empty line has
 * one empty field.
 */
int csv_split(
    struct csv *, struct span line, const struct span **fields, size_t *n);

/* Number of fields, without keeping them.  Plain text only. */
size_t csv_count(const char *delimiter, struct span text);

/* The span without spaces and tabs at both ends. */
struct span span_trim(struct span);

#endif
