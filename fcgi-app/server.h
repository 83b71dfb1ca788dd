/*
 * Servers of others, as requests name them.
 */
#ifndef FCGI_APP_SERVER_H
#define FCGI_APP_SERVER_H

#include "fcgi-app/request.h"
#include "lib/db/db_registry.h"
#include "lib/json/json.h"

#define SERVER_NAME_MAX 50
#define SERVER_HOST_MAX 255

/* In upper case, as servers are kept; in the request's arena. */
const char *server_name(struct request *, const char *name);

/*
 * {host, port, protocol?} of the server of that name; strings live as long
 * as o and the request.  ERR_INVALID says what is wrong and where.
 */
int server_take(struct request *, const char *name, struct json_object *o,
    struct db_server *out);

/* {host, port, protocol}; the caller's. */
struct json_object *server_json(const struct db_server *);

#endif
