/*
 * multipart/form-data (RFC 7578) as it comes: the one file part goes on to
 * where the caller wants it, the text fields beside it are kept.
 */
#ifndef FCGI_APP_MULTIPART_H
#define FCGI_APP_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/json/json.h"

struct multipart {
	int fd;			    /* the file part's content, or -1; owned */
	uint64_t len;		    /* of the file part */
	char *filename;		    /* as sent, owned; NULL before the file */
	struct json_object *fields; /* owned; text parts, name → text */
	bool closed;		    /* no text field is taken any more */
};

/* Where the bytes come from and the file's go; each returns 0 or an error. */
struct multipart_io {
	/* Some bytes, at least one; *got is 0 at the end of the body. */
	int (*read)(void *ctx, char *data, size_t size, size_t *got);
	/* The file part begins; what came before it stands in the result. */
	int (*begin)(void *ctx);
	int (*write)(void *ctx, const void *data, size_t len);
	void *ctx;
};

/*
 * Take a body apart in bounded memory.  content_type is the request's, with
 * the boundary.  out is zeros, but closed may be set; it is filled while the
 * body is read, so that io->begin can look at it and close it.
 * multipart_fini() is the caller's, after errors too.
 * Errors: ERR_FORMAT when it is not well-formed, has no file part or more
 * than one, or ends without its last boundary; ERR_LIMIT for headers or text
 * fields that are too large or too many; those of io.
 */
int multipart_read(const struct multipart_io *, const char *content_type,
    struct multipart *out);
void multipart_fini(struct multipart *);

#endif
