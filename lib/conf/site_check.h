/*
 * What no single key of a configuration can tell.  The inside of site_conf.c.
 */
#ifndef LIB_CONF_SITE_CHECK_H
#define LIB_CONF_SITE_CHECK_H

#include "lib/conf/site_conf.h"

typedef void site_conf_fault_fn(
    void *ctx, const char *section, const char *key, const char *what);

/* Tell every fault. */
void site_conf_check(
    const struct site_conf *, site_conf_fault_fn *fault, void *ctx);

#endif
