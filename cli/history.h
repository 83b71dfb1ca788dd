/*
 * A site's audit chain as the lines of an export (lib/audit/history.h).
 */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

#include <stddef.h>

#include "cli/site.h"

/* Anything but 0 ends it. */
typedef int history_line_fn(void *ctx, const char *line, size_t len);

/* From the database, in one go.  Errors: ERR_DB, ERR_IO, fn's. */
int history_lines(struct site *, history_line_fn *fn, void *ctx);

#endif
