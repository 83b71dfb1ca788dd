/*
 * What no single key of a configuration can tell.  Called by site_conf.c.
 */
#ifndef LIB_CONF_SITE_CHECK_H
#define LIB_CONF_SITE_CHECK_H

#include "lib/conf/site_conf.h"

typedef void site_conf_fault_fn(
    void *ctx, const char *section, const char *key, const char *what);

/* Tell every fault. */
void site_conf_check(
    const struct site_conf *, site_conf_fault_fn *fault, void *ctx);

/* The host of an http:// URL is this machine, whatever resolves. */
bool site_is_loopback_url(const char *url);

#endif
