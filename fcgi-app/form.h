/*
 * Bodies that are forms: application/x-www-form-urlencoded in memory, and
 * multipart/form-data in memory or spooled.
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
 * The multipart body taken apart, once per request; *out is the request's.
 * Offsets are of request_open_file(), or of the body in memory.
 * Errors: those of multipart_scan() and request_open_file().
 */
int form_multipart(struct request *, const struct multipart **out);

/*
 * The text fields of a form as users sign them: sorted by name, all but
 * unreserved characters as %XX, "&" between; appends, nothing for other
 * bodies.  Errors as above.
 */
int form_canonical(struct request *, struct buf *out);

#endif
