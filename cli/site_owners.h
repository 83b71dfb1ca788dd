/*
 * Who owns what of a site whose programs run as users of their own.
 */
#ifndef CLI_SITE_OWNERS_H
#define CLI_SITE_OWNERS_H

#include "lib/conf/site_conf.h"

/*
 * Give folders and files of a site to the users of its programs, which
 * conf/systemd/sluice.sysusers makes: sluice (the supervisor), sluice-fcgi,
 * sluice-nginx.  Private keys and passwords become readable by the one that
 * uses them and nobody else.  May be run again, as root.
 * Errors: ERR_NOT_FOUND (no such user), ERR_DENIED (not root), ERR_IO.
 */
int site_owners_set(const struct site_conf *);

#endif
