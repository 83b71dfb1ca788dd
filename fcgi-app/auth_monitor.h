/*
 * Programs that watch over the site and are nobody's user: who has the
 * site's scrape key ([monitoring] scrape_key_file, "Authorization: Bearer
 * KEY"), or calls from this machine when metrics_on_loopback says so.
 */
#ifndef FCGI_APP_AUTH_MONITOR_H
#define FCGI_APP_AUTH_MONITOR_H

#include <stdbool.h>

#include "fcgi-app/request.h"

/* True fills the caller; else the request is judged like an admin's. */
bool auth_monitor(struct request *);

/* What else would let in who was refused with ERR_AUTH; returns that. */
int auth_monitor_refused(struct request *);

#endif
