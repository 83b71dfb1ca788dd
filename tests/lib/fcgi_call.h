/*
 * A request to fcgi-app's handlers, without a server between.
 */
#ifndef TESTS_LIB_FCGI_CALL_H
#define TESTS_LIB_FCGI_CALL_H

#include <stddef.h>

#include "lib/base/buf.h"

struct app;

/*
 * env is what nginx would pass on, NULL at its end; the answer as nginx would
 * get it, header lines and body, is appended to out.
 */
void fcgi_call(
    struct app *, char *env[], const char *body, size_t len, struct buf *out);

/* Take the header lines off; returns the HTTP status, 502 without any. */
int fcgi_take_head(struct buf *answer);

#endif
