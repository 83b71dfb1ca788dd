/*
 * Every path this program answers: routes.h is the table, this its reader.
 */
#ifndef FCGI_APP_ROUTE_H
#define FCGI_APP_ROUTE_H

#include "fcgi-app/reply.h"
#include "fcgi-app/request.h"
#include "fcgi-app/routes.h"

/*
 * A handler fills the reply, or returns a recorded error, which becomes the
 * envelope's retcode and retmsg.  It runs after authentication.
 */
typedef int route_fn(struct request *, struct reply *);

/* Who may call.  There is no zero: a route cannot forget to say. */
enum audience {
	AUDIENCE_PUBLIC = 1, /* anybody: health and version */
	AUDIENCE_VIEWER,     /* this site's users, by their least role */
	AUDIENCE_MODELER,
	AUDIENCE_ADMIN,
	AUDIENCE_MONITOR, /* an admin, or who scrapes metrics */
	AUDIENCE_LOGIN,	  /* who wants to become one of them */
	AUDIENCE_PARTNER  /* other sites: mutual TLS and a signature */
};

struct route {
	const char *method;
	const char *pattern; /* ":name" matches one segment */
	enum audience audience;
	enum body_kind body;
	route_fn *handler;
};

/* The role a user must have at least; CLIENT_NOBODY: it is not for users. */
enum client_role route_role(const struct route *);

/*
 * The route for method and decoded path; its parameters go to
 * params[REQUEST_PARAMS], copied from the arena.  NULL when there is none.
 */
const struct route *route_find(struct request *);

/* The whole table, and how its words are spelt. */
const struct route *route_table(size_t *n);
const char *route_audience(enum audience);
const char *route_body(enum body_kind);

#define ROUTE_PROTOTYPE(method, pattern, audience, body, handler)              \
	route_fn handler;
ROUTES(ROUTE_PROTOTYPE)

#endif
