/*
 * What a site says of itself to its users.
 */
#ifndef FCGI_APP_SITE_INFO_H
#define FCGI_APP_SITE_INFO_H

#include "lib/conf/site_conf.h"
#include "lib/json/json.h"

/* What job files and clients of the platform are written against. */
#define COMPATIBLE_VERSION "1.11.2"

/* {version, host, http_port, grpc_port, party_id}; the caller's. */
struct json_object *site_info(const struct site_conf *);

/* Add "host" and, under that name, the port of http(s)://HOST[:PORT]. */
void site_address(
    const char *url, struct json_object *o, const char *port_name);

/* An id of this installation: 16 hex digits, the same until it moves. */
#define SITE_INSTANCE_SIZE 17
void site_instance(const struct site_conf *, char out[SITE_INSTANCE_SIZE]);

#endif
