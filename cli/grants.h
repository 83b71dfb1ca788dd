/*
 * What a rule demands, for people.
 */
#ifndef CLI_GRANTS_H
#define CLI_GRANTS_H

#include "cli/site.h"
#include "lib/db/db_permission.h"

/*
 * "1..2, until 2026-12-31, 3 uses left, needs the approval of …", as the
 * options of "sluice grant" take it; "": nothing.  In the site's arena.
 */
const char *grants_limits(struct site *, const struct db_permission *);

#endif
