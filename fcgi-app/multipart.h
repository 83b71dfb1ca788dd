/*
 * multipart/form-data (RFC 7578) in a spooled file: where the one file part
 * lies, and what the text fields beside it say.
 */
#ifndef FCGI_APP_MULTIPART_H
#define FCGI_APP_MULTIPART_H

#include <stdint.h>

#include "lib/json/json.h"

struct multipart {
	uint64_t offset; /* of the file part's content */
	uint64_t len;
	char *filename;		    /* as sent, owned; "" when not said */
	struct json_object *fields; /* owned; text parts, name → text */
};

/*
 * Scan size bytes of fd (by pread) once, in bounded memory.  content_type is
 * the request's, with the boundary.
 * Errors: ERR_FORMAT when it is not well-formed, has no file part or more
 * than one, or ends without its last boundary; ERR_LIMIT for headers or text
 * fields that are too large; ERR_IO.  *out is empty then.
 */
int multipart_scan(
    int fd, uint64_t size, const char *content_type, struct multipart *out);
void multipart_fini(struct multipart *);

#endif
