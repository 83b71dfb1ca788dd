/*
 * Bodies that are forms: application/x-www-form-urlencoded in memory, and
 * multipart/form-data as receive.c has taken it.
 */
#ifndef FCGI_APP_FORM_H
#define FCGI_APP_FORM_H

#include "fcgi-app/multipart.h"
#include "fcgi-app/request.h"

bool form_is_multipart(const struct request *);
bool form_is_urlencoded(const struct request *);

/* name=value&name=value of the body into an object of texts. */
void form_urlencoded(const struct request *, struct json_object *into);

/*
 * The multipart body taken apart; *out is the request's.  Errors: ERR_FORMAT
 * or ERR_LIMIT, what multipart_read() found wrong with it.
 */
int form_multipart(const struct request *, const struct multipart **out);

/*
 * The text fields of a form, as far as it was received, as users sign them:
 * sorted by name, all but unreserved characters as %XX, "&" between; appends,
 * nothing for other bodies.
 */
void form_canonical(const struct request *, struct buf *out);

#endif
