/*
 * A table as a delimited text file for the place outside that a task's
 * parameters name.  The columns are those of a download; values that hold
 * the delimiter, quotes or line ends stand in double quotes (RFC 4180), as
 * predict_detail always does; what is missing is empty.
 */
#ifndef EXECUTOR_COMPONENTS_EXPORT_FILE_H
#define EXECUTOR_COMPONENTS_EXPORT_FILE_H

#include "executor/components/table_in.h"

/*
 * Write all rows and announce the file; *rows is their number.
 * Errors: ERR_INVALID for an impossible delimiter, ERR_FORMAT when a row has
 * not as many columns as have names, ERR_IO.
 */
int export_file(struct table_in *, const char *delimiter, uint64_t *rows);

#endif
