/*
 * Addresses of tables outside, as clients give them: checked, tried out, and
 * without clear passwords before they are kept.
 */
#ifndef FCGI_APP_OUTSIDE_H
#define FCGI_APP_OUTSIDE_H

#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"
#include "lib/data/address.h"

/*
 * Check an address of this engine, with its connector's settings where it
 * names one, against the site's configuration; see that the file, the
 * server's table or the site's own table is there, as far as that can be
 * known here (a connector's password is sealed).  columns: names that a
 * server's table must have, NULL at the end; may be NULL.
 * *kept is the address to be kept, passwords sealed: the caller's.
 * Errors: ERR_INVALID with every fault below "/address", ERR_DENIED,
 * ERR_NOT_FOUND, ERR_UNSUPPORTED, ERR_NET, ERR_IO, ERR_DB.
 */
int outside_check(struct request *, enum data_engine,
    struct json_object *address, const char *const *columns,
    struct json_object **kept);

/* The same for a table that is to be written, and may not be there yet. */
int outside_check_target(struct request *, enum data_engine,
    struct json_object *address, struct json_object **kept);

/* The same for the settings of a connector, below "/connector_info". */
int outside_check_connector(struct request *, enum data_engine,
    struct json_object *info, struct json_object **kept);

/*
 * The answer to one of these errors: what is wrong with a place is the
 * platform's 100; broken input and our own troubles stay what they are.
 */
int outside_refuse(struct reply *, int code);

#endif
