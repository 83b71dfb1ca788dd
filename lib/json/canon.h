/*
 * Canonical JSON, RFC 8785 (JCS): equal documents have equal bytes, so a
 * hash of the text stands for the document.
 */
#ifndef LIB_JSON_CANON_H
#define LIB_JSON_CANON_H

#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/json/json.h"

/*
 * Append the canonical text.  Members are sorted by the UTF-16 code units of
 * their names, numbers are written as ECMAScript does (integers beyond 2^53
 * as the double they stand for).
 * Errors: ERR_FORMAT for a number that is not finite or text that is not
 * UTF-8; *out holds rubbish behind its old end then.
 */
int json_canon(struct json_object *, struct buf *out);

/* A text as a JSON string, in its quotes.  ERR_FORMAT: not UTF-8. */
int json_canon_text(const char *s, size_t len, struct buf *out);

/* ECMAScript's Number::toString of a finite double: shortest that reads back. */
#define JSON_NUMBER_SIZE 32
void json_number_text(double, char out[JSON_NUMBER_SIZE]);

#endif
