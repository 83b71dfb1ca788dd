/*
 * DSLs and lists of components in the forms that clients send them in.
 */
#ifndef FCGI_APP_DSL_BODY_H
#define FCGI_APP_DSL_BODY_H

#include "fcgi-app/request.h"
#include "lib/model/dsl.h"

struct dsl_names {
	const char *items[DSL_COMPONENTS_MAX];
	size_t n;
};

/*
 * A list of names, or one text with commas, blanks, brackets or quotes
 * between them, as command lines come.
 * Errors: ERR_INVALID naming the field, ERR_LIMIT.
 */
int dsl_body_names(struct request *, const char *field, struct dsl_names *out);

/*
 * A DSL as JSON text, or already as an object; the caller's.  It is not
 * checked.  Errors: ERR_INVALID naming the field, ERR_FORMAT with the place.
 */
int dsl_body_dsl(struct request *, const char *field, struct json_object **out);

#endif
