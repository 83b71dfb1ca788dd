/*
 * Telling nginx that its files changed, and knowing when it acts by them.
 */
#ifndef CLI_NGINX_RELOAD_H
#define CLI_NGINX_RELOAD_H

#include "lib/conf/site_conf.h"

/*
 * Have a running nginx read its files again, and wait until every worker that
 * takes connections has done so; those before only finish what they are at.
 * One that does not run reads them when it starts.
 * Errors: ERR_TIMEOUT when it goes on with what it had (its error log says
 * why), ERR_IO.
 */
int nginx_reload(const struct site_conf *);

#endif
