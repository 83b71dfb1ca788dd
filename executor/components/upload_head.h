/*
 * The first lines of an uploaded file: names of its columns, and signs that
 * the file is written in a way that is not read here.
 */
#ifndef EXECUTOR_COMPONENTS_UPLOAD_HEAD_H
#define EXECUTOR_COMPONENTS_UPLOAD_HEAD_H

#include "lib/base/buf.h"
#include "lib/engine/storage.h"

struct upload_format {
	const char *delimiter;
	const char *delimiter_name; /* the parameter that sets it */
};

/*
 * Check a header: every column has a name, and one of its own.  *out gets
 * the header with the names' surrounding blanks taken off.
 * Errors: ERR_INVALID, naming columns by their positions from 1.
 */
int upload_head_check(
    const struct upload_format *, struct span line, struct buf *out);

/*
 * Fields in double quotes are not read as such: refuse a line that has them.
 * what names the line.  Errors: ERR_FORMAT.
 */
int upload_check_quotes(
    const struct upload_format *, const char *what, struct span line);

/* "y, x0, x1", at most ten names and then "…". */
void upload_head_names(
    const struct upload_format *, const char *header, struct buf *out);

#endif
