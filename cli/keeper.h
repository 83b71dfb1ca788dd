/*
 * The keeper of a site without a service manager: a small process that starts
 * again what ends by itself.  "sluice site start" leaves one behind, "sluice
 * site stop" ends it first.
 */
#ifndef CLI_KEEPER_H
#define CLI_KEEPER_H

#include <stddef.h>

#include "cli/daemon.h"

/*
 * Watch the programs until SIGTERM; they outlive the keeper.  One that ends
 * is started again: at once the first time, after a pause that doubles up to
 * 10 s while it keeps ending within a minute of its start.
 * Errors: ERR_EXISTS when the site has a keeper, ERR_IO.
 */
int keeper_run(
    const struct site_conf *, const struct daemon_def *const *defs, size_t n);

#endif
