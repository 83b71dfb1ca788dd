/*
 * What a request says of who sent it, before any of it is proven, and what
 * roles are called.
 */
#ifndef FCGI_APP_CALLER_H
#define FCGI_APP_CALLER_H

#include "fcgi-app/request.h"

/* "viewer", "modeler", "admin"; "" for CLIENT_NOBODY. */
const char *client_role_name(enum client_role);
/* CLIENT_NOBODY for anything else. */
enum client_role client_role_parse(const char *);

/* Does it carry (parts of) a user's signature? */
bool caller_is_signed(const struct request *);

/* Does it come from an address of this machine? */
bool caller_is_loopback(const struct request *);

#endif
