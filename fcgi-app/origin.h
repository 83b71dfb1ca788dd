/*
 * Which web page a browser's request comes from.
 */
#ifndef FCGI_APP_ORIGIN_H
#define FCGI_APP_ORIGIN_H

#include "fcgi-app/request.h"

/*
 * A request that some other site's page makes a browser send is refused: it
 * carries that page's origin, or says so in Sec-Fetch-Site, or (loopback
 * listener) a host name that only resolves to this machine.  Programs that
 * are no browsers say nothing of that and pass.  Pages are this site's own,
 * and those of board_url.  Errors: ERR_AUTH.
 */
int origin_check(const struct request *);

#endif
