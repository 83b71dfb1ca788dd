/*
 * A site's audit chain as the lines of an export (lib/audit/history.h).
 */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

#include "cli/lines.h"
#include "cli/site.h"

/* From the database, in one go.  Errors: ERR_DB, ERR_IO, fn's. */
int history_lines(struct site *, line_fn *fn, void *ctx);

#endif
